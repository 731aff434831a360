//! What a check came to, for people and for programs.

use std::io::{self, Write};

use serde::Serialize;

/// Width of the column of names.
const NAME_WIDTH: usize = 20;

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Pass,
    Fail,
    Skip,
}

/// One thing that was checked.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) verdict: Verdict,
    pub(super) found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fix: Option<String>,
}

impl Line {
    pub(super) fn pass(name: &'static str, found: impl AsRef<str>) -> Self {
        Self::new(name, Verdict::Pass, found.as_ref(), None)
    }

    pub(super) fn skip(name: &'static str, why: impl AsRef<str>) -> Self {
        Self::new(name, Verdict::Skip, why.as_ref(), None)
    }

    pub(super) fn fail(name: &'static str, found: impl AsRef<str>, fix: impl AsRef<str>) -> Self {
        Self::new(name, Verdict::Fail, found.as_ref(), Some(fix.as_ref()))
    }

    /// Of a message that says what to do behind the first `mark`.
    pub(super) fn fail_told(name: &'static str, message: &str, mark: &str, fix: &str) -> Self {
        match message.split_once(mark) {
            Some((found, fix)) => Self::fail(name, found, fix.trim()),
            None => Self::fail(name, message, fix),
        }
    }

    fn new(name: &'static str, verdict: Verdict, found: &str, fix: Option<&str>) -> Self {
        Self {
            name,
            verdict,
            found: harmless(found),
            fix: fix.map(harmless),
        }
    }
}

/// Servers have a say in some of it: nothing that a terminal would obey.
fn harmless(text: &str) -> String {
    let is_safe = |letter: &char| *letter == '\n' || !letter.is_control();
    text.chars().filter(is_safe).collect()
}

pub(super) fn write_table(out: &mut impl Write, lines: &[Line]) -> io::Result<()> {
    for line in lines {
        let verdict = match line.verdict {
            Verdict::Pass => "pass",
            Verdict::Fail => "FAIL",
            Verdict::Skip => "skip",
        };
        let mut found = line.found.lines();
        let name = line.name;
        let first = found.next().unwrap_or_default();
        writeln!(out, "{verdict}  {name:NAME_WIDTH$}  {first}")?;
        for more in found {
            writeln!(out, "{:1$}{more}", "", NAME_WIDTH + 8)?;
        }
        if let Some(fix) = &line.fix {
            writeln!(out, "{:1$}fix: {fix}", "", NAME_WIDTH + 8)?;
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct Report<'a> {
    passed: bool,
    checks: &'a [Line],
}

pub(super) fn write_json(out: &mut impl Write, lines: &[Line]) -> io::Result<()> {
    let report = Report {
        passed: lines.iter().all(|line| line.verdict != Verdict::Fail),
        checks: lines,
    };
    serde_json::to_writer(&mut *out, &report)?;
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Vec<Line> {
        vec![
            Line::pass("kernel", "6.12"),
            Line::fail_told("BTF", "x is missing: use y: z", ": ", ""),
            Line::fail("settings", "one\ntwo\u{1b}[31m", "read"),
            Line::skip("IMDSv1", "not needed"),
        ]
    }

    #[test]
    fn people_see_each_line_and_the_fix_below() {
        let mut out = Vec::new();
        write_table(&mut out, &lines()).unwrap();
        let text = String::from_utf8(out).unwrap();
        let wanted = "\
pass  kernel                6.12
FAIL  BTF                   x is missing
                            fix: use y: z
FAIL  settings              one
                            two[31m
                            fix: read
skip  IMDSv1                not needed
";
        assert_eq!(text, wanted);
    }

    #[test]
    fn programs_see_one_object() {
        let mut out = Vec::new();
        write_json(&mut out, &lines()).unwrap();
        let report: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(report["passed"], false);
        assert_eq!(report["checks"][0]["verdict"], "pass");
        assert_eq!(report["checks"][1]["fix"], "use y: z");
        assert!(report["checks"][0].get("fix").is_none());
    }
}
