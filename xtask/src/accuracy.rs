//! `cargo xtask accuracy`: measures the deviations again that `docs/accuracy.md` publishes.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result};

use crate::{kernels, paths};

/// How a test tells a deviation: `measured | what | bound | deviation`.
const PREFIX: &str = "measured | ";
const BEGIN: &str =
    "<!-- measured: `cargo xtask accuracy` writes what stands between these lines -->";
const END: &str = "<!-- end of measured -->";

/// Runs the kernel tests on every kernel and writes what they measured into the page.
pub(crate) fn run() -> Result<()> {
    kernels::run(&kernels::Args::everything())?;
    let mut rows: BTreeMap<(String, String), BTreeMap<&str, String>> = BTreeMap::new();
    let kernels: Vec<&str> = kernels::names().collect();
    for kernel in &kernels {
        for line in kernels::log_of(kernel)?.lines() {
            if let Some((what, bound, deviation)) = measured(line) {
                rows.entry((what, bound))
                    .or_default()
                    .insert(kernel, deviation);
            }
        }
    }
    let page = paths::root()?.join("docs/accuracy.md");
    let text = fs::read_to_string(&page).with_context(|| format!("reading {}", page.display()))?;
    let text = replaced(&text, &table(&kernels, &rows)?)?;
    fs::write(&page, text).with_context(|| format!("writing {}", page.display()))?;
    println!("{} measurements written to docs/accuracy.md", rows.len());
    Ok(())
}

fn measured(line: &str) -> Option<(String, String, String)> {
    // A test's own line may have been begun when it says this.
    let (_, rest) = line.split_once(PREFIX)?;
    let mut parts = rest.splitn(3, " | ").map(|part| part.trim().to_owned());
    Some((parts.next()?, parts.next()?, parts.next()?))
}

fn table(
    kernels: &[&str],
    rows: &BTreeMap<(String, String), BTreeMap<&str, String>>,
) -> Result<String> {
    let mut text = "| what | bound |".to_owned();
    for kernel in kernels {
        text.push_str(&format!(" {} |", shown(kernel)?));
    }
    text.push_str(&format!("\n|---|---|{}\n", "---|".repeat(kernels.len())));
    for ((what, bound), by_kernel) in rows {
        text.push_str(&format!("| {what} | {bound} |"));
        for kernel in kernels {
            let deviation = by_kernel
                .get(kernel)
                .map_or("not applicable", String::as_str);
            text.push_str(&format!(" {deviation} |"));
        }
        text.push('\n');
    }
    Ok(text)
}

/// The kernel's version; also of the one that runs.
fn shown(kernel: &str) -> Result<String> {
    if kernel != kernels::RUNNING {
        return Ok(format!("{kernel} (emulated)"));
    }
    let release =
        fs::read_to_string("/proc/sys/kernel/osrelease").context("reading the release")?;
    Ok(release.split('.').take(2).collect::<Vec<_>>().join("."))
}

fn replaced(page: &str, table: &str) -> Result<String> {
    let lost = || format!("docs/accuracy.md lacks the line `{BEGIN}` or `{END}`");
    let (before, rest) = page.split_once(BEGIN).with_context(lost)?;
    let (_, after) = rest.split_once(END).with_context(lost)?;
    Ok(format!("{before}{BEGIN}\n\n{table}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measurements_are_read_from_lines_that_tests_began() {
        let line = "test cpu_one ... measured | one busy thread | 0.1 % | 0.000 %";
        let (what, bound, deviation) = measured(line).unwrap();
        assert_eq!(
            (what.as_str(), bound.as_str()),
            ("one busy thread", "0.1 %")
        );
        assert_eq!(deviation, "0.000 %");
        assert_eq!(measured("test cpu_one ... ok"), None);
    }

    #[test]
    fn only_the_marked_part_of_the_page_changes() {
        let page = format!("head\n{BEGIN}\nold\n{END}\ntail\n");
        assert_eq!(
            replaced(&page, "new\n").unwrap(),
            format!("head\n{BEGIN}\n\nnew\n\n{END}\ntail\n")
        );
        assert!(replaced("no marks", "new").is_err());
    }
}
