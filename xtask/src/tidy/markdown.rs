//! Checks that the files which documents name are there.

use super::{Finding, Tree};

/// A name with a slash and one of these endings is meant as a file of this repository.
const ENDINGS: &[&str] = &[".md", ".proto", ".rs", ".sh", ".toml", ".yaml", ".yml"];

pub(super) fn findings(tree: &Tree, path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut in_code = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        let links = links(line).filter(|link| !exists(tree, path, link));
        findings.extend(links.map(|link| {
            Finding::new(
                path,
                index + 1,
                format!("links to {link}, which is not there"),
            )
        }));
        let names =
            backticked(line).filter(|name| is_path(tree, name) && !exists(tree, path, name));
        findings.extend(names.map(|name| {
            Finding::new(path, index + 1, format!("names {name}, which is not there"))
        }));
    }
    findings
}

/// The relative targets of `[text](target#anchor)`.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let targets = line
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', ' ']).next());
    let targets = targets.filter(|target| !target.contains(':') && !target.starts_with('#'));
    targets.filter_map(|target| target.split('#').next())
}

fn backticked(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Whether a name in backticks is meant as a path of this repository, and not as one elsewhere.
fn is_path(tree: &Tree, name: &str) -> bool {
    let plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
    match name.split_once('/') {
        Some(("" | "target", _)) | None => false,
        Some((first, _)) if plain => {
            tree.has(first) || ENDINGS.iter().any(|ending| name.ends_with(ending))
        }
        Some(_) => false,
    }
}

/// Documents name files from where they stand, or from the root.
fn exists(tree: &Tree, document: &str, name: &str) -> bool {
    let folder = document.rsplit_once('/').map_or("", |(folder, _)| folder);
    [folder, ""]
        .iter()
        .any(|start| resolve(start, name).is_some_and(|path| tree.has(&path)))
}

fn resolve(start: &str, name: &str) -> Option<String> {
    let mut parts: Vec<&str> = start.split('/').filter(|part| !part.is_empty()).collect();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        let files = ["README.md", "docs/a.md", "agent/src/main.rs"].map(str::to_owned);
        let tree = Tree {
            files: files.into_iter().collect(),
        };
        findings(&tree, path, text)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn links_resolve_from_the_document() {
        let text = "[a](../README.md#top) [b](https://a.test/x) [c](#here) [d](a.md)";
        assert!(found("docs/a.md", text).is_empty());
        assert_eq!(
            found("docs/a.md", "\n[a](b.md)"),
            ["docs/a.md:2: links to b.md, which is not there"]
        );
        assert_eq!(found("README.md", "[a](../README.md)").len(), 1);
    }

    #[test]
    fn backticked_paths_of_this_repository_must_exist() {
        assert!(
            found(
                "docs/a.md",
                "`agent/src` `agent/src/main.rs` `/proc/1/stat`"
            )
            .is_empty()
        );
        assert!(
            found(
                "docs/a.md",
                "`oom/mark_victim` `agent/src/*.rs` `a b/c.rs` `x`"
            )
            .is_empty()
        );
        assert_eq!(found("docs/a.md", "`agent/gone` and `gone/x.rs`").len(), 2);
        assert!(found("docs/a.md", "```\n`agent/gone`\n```").is_empty());
    }
}
