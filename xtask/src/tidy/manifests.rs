//! Checks that each crate takes lints and metadata from the workspace.

use super::Finding;

const PACKAGE_KEYS: &[&str] = &["version", "edition", "license", "rust-version", "publish"];

pub(super) fn findings(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for key in PACKAGE_KEYS {
        let line = format!("{key}.workspace = true");
        if !has(text, "[package]", &line) {
            findings.push(Finding::new(path, 1, format!("[package] has no `{line}`")));
        }
    }
    if !has(text, "[lints]", "workspace = true") {
        findings.push(Finding::new(path, 1, "[lints] has no `workspace = true`"));
    }
    findings
}

fn has(text: &str, section: &str, wanted: &str) -> bool {
    let lines = text.lines().map(str::trim);
    let lines = lines.skip_while(|line| *line != section).skip(1);
    lines
        .take_while(|line| !line.starts_with('['))
        .any(|line| line == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_must_be_inherited_in_its_own_section() {
        let keys: String = PACKAGE_KEYS
            .iter()
            .map(|key| format!("{key}.workspace = true\n"))
            .collect();
        let good = format!("[package]\nname = \"a\"\n{keys}\n[lints]\nworkspace = true\n");
        assert!(findings("a/Cargo.toml", &good).is_empty());
        let moved = format!("[package]\n\n[dependencies]\n{keys}workspace = true\n");
        assert_eq!(
            findings("a/Cargo.toml", &moved).len(),
            PACKAGE_KEYS.len() + 1
        );
    }
}
