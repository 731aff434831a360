//! `cargo xtask tidy`: the rules of this repository that no compiler checks.

mod functions;
mod manifests;
mod markdown;
mod rust_code;
mod words;

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::{paths, process};

/// A file of this many lines asks to be split.
const FILE_LINES: usize = 500;

/// One broken rule.
#[derive(Debug, PartialEq)]
struct Finding {
    path: String,
    line: usize,
    what: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            what: what.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// The paths of all files that are or could be committed.
struct Tree {
    files: BTreeSet<String>,
}

impl Tree {
    fn of_repository() -> Result<Self> {
        let mut git = Command::new("git");
        git.args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ]);
        let names = process::output(git.current_dir(paths::root()?))?;
        let root = paths::root()?;
        let names = names.split('\0').filter(|name| !name.is_empty());
        // A file that was deleted and not yet staged is still listed, and so is a link to a folder.
        Ok(Self {
            files: names
                .filter(|name| root.join(name).is_file())
                .map(str::to_owned)
                .collect(),
        })
    }

    /// Whether a file or folder of this name is in the repository.
    fn has(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        let mut from = self.files.range(folder.clone()..);
        self.files.contains(path) || from.next().is_some_and(|file| file.starts_with(&folder))
    }
}

/// Prints every finding, and fails if there is one.
pub(crate) fn run() -> Result<()> {
    let tree = Tree::of_repository()?;
    let findings = findings(&tree)?;
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => println!("tidy: {} files, nothing found", tree.files.len()),
        count => bail!("tidy: {count} findings in {} files", tree.files.len()),
    }
    Ok(())
}

fn findings(tree: &Tree) -> Result<Vec<Finding>> {
    let root = paths::root()?;
    let mut findings = Vec::new();
    if !tree.has("CHANGELOG.md") {
        findings.push(Finding::new(
            "CHANGELOG.md",
            1,
            "missing: users look there for what changed",
        ));
    }
    for path in &tree.files {
        let bytes = fs::read(root.join(path)).with_context(|| format!("reading {path}"))?;
        // What is not text has no rules here.
        if let Ok(text) = String::from_utf8(bytes) {
            findings.extend(of_file(tree, path, &text));
        }
    }
    Ok(findings)
}

fn of_file(tree: &Tree, path: &str, text: &str) -> Vec<Finding> {
    let mut findings = words::findings(path, text);
    if path.ends_with(".rs") {
        findings.extend(of_rust(path, text));
    }
    if path.ends_with(".md") {
        findings.extend(markdown::findings(tree, path, text));
    }
    if path.ends_with("/Cargo.toml") {
        findings.extend(manifests::findings(path, text));
    }
    findings
}

fn of_rust(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = functions::findings(path, text);
    if !text.starts_with("//! ") {
        findings.push(Finding::new(
            path,
            1,
            "begins with no `//!` line on what the file is for",
        ));
    }
    let lines = text.lines().count();
    if lines > FILE_LINES {
        findings.push(Finding::new(
            path,
            lines,
            format!("{lines} lines in a file, at most {FILE_LINES}"),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rust_file_says_what_it_is_for_and_stays_small() {
        assert!(of_rust("a.rs", "//! For a reason.\nfn a() {}\n").is_empty());
        let long = "\n".repeat(FILE_LINES + 1);
        let found: Vec<_> = of_rust("a.rs", &long)
            .iter()
            .map(ToString::to_string)
            .collect();
        let expected = [
            "a.rs:1: begins with no `//!` line on what the file is for",
            "a.rs:501: 501 lines in a file, at most 500",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_folder_is_in_the_tree_when_a_file_in_it_is() {
        let files = ["a/b/c.rs", "a-b/d.rs"].map(str::to_owned);
        let tree = Tree {
            files: files.into_iter().collect(),
        };
        assert!(tree.has("a") && tree.has("a/b") && tree.has("a/b/c.rs"));
        assert!(!tree.has("b") && !tree.has("a/b/c"));
    }
}
