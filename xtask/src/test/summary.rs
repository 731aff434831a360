//! The table at the end of `cargo xtask test`, and the line that counts all tests.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Error, Result};

use crate::libtest::Tally;

/// What a step counted, and what went wrong beside failed tests.
#[derive(Default)]
pub(super) struct Done {
    tally: Option<Tally>,
    problems: Vec<String>,
}

impl Done {
    pub(super) fn add(&mut self, (tally, problem): (Tally, Option<String>)) {
        self.tally.get_or_insert_default().merge(tally);
        self.problems.extend(problem);
    }
}

/// One finished step.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) time: Duration,
    tally: Option<Tally>,
    problems: Vec<String>,
}

impl Row {
    pub(super) fn new(
        name: &'static str,
        time: Duration,
        result: Result<Done>,
        strict: bool,
    ) -> Self {
        let failed = |error: Error| Done {
            tally: None,
            problems: vec![format!("{error:#}")],
        };
        let Done {
            tally,
            mut problems,
        } = result.unwrap_or_else(failed);
        let skipped = tally.as_ref().map_or(0, |tally| tally.skipped.len());
        if strict && skipped > 0 {
            problems.push(format!("{skipped} skipped, and none may be"));
        }
        Self {
            name,
            time,
            tally,
            problems,
        }
    }

    pub(super) fn result(&self) -> &'static str {
        if self.failures() == 0 { "ok" } else { "FAILED" }
    }

    pub(super) fn problems(&self) -> &[String] {
        &self.problems
    }

    /// A step that fails without a failed test counts as one, so that no red run ends with none.
    fn failures(&self) -> usize {
        let tests = self.tally.as_ref().map_or(0, |tally| tally.failed.len());
        tests.max(usize::from(!self.problems.is_empty()))
    }

    fn lines(&self) -> Vec<String> {
        let mut details = Vec::new();
        details.extend(self.tally.as_ref().map(ToString::to_string));
        let problems = self
            .problems
            .iter()
            .filter_map(|problem| problem.lines().next());
        details.extend(problems.map(str::to_owned));
        if let Some(tally) = &self.tally {
            details.extend(tally.failed.iter().map(|name| format!("failed {name}")));
            let unsteady = tally.unsteady.iter();
            details.extend(unsteady.map(|name| format!("unsteady {name}")));
            let skipped = tally.skipped.iter();
            details.extend(skipped.map(|(name, reason)| format!("skipped {name}: {reason}")));
        }
        let mut details = details.into_iter();
        let seconds = self.time.as_secs_f64();
        let first = details.next().unwrap_or_default();
        let head = format!(
            "{:<16} {:<8} {seconds:>7.1} s  {first}",
            self.name,
            self.result()
        );
        let rest = details.map(|detail| format!("{:38}{detail}", ""));
        [head].into_iter().chain(rest).collect()
    }
}

/// Prints the table and the last line of the run.
pub(super) fn print(rows: &[Row]) -> ExitCode {
    println!("\n{:<16} {:<8} {:>9}  detail", "step", "result", "time");
    for line in rows.iter().flat_map(Row::lines) {
        println!("{}", line.trim_end());
    }
    println!("\n{}", last_line(rows));
    ExitCode::from(u8::from(rows.iter().any(|row| row.failures() > 0)))
}

fn last_line(rows: &[Row]) -> String {
    let tallies = || rows.iter().filter_map(|row| row.tally.as_ref());
    let passed: usize = tallies().map(|tally| tally.passed).sum();
    let skipped: usize = tallies().map(|tally| tally.skipped.len()).sum();
    let failed: usize = rows.iter().map(Row::failures).sum();
    let counted = format!("{passed} passed, {failed} failed");
    if skipped == 0 {
        counted
    } else {
        format!("{counted}, {skipped} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(result: Result<(usize, usize, usize)>, strict: bool) -> Row {
        let done = result.map(|(passed, failed, skipped)| {
            let mut done = Done::default();
            let failed = vec!["a".to_owned(); failed];
            let skipped = vec![("b".to_owned(), "no root".to_owned()); skipped];
            done.add((
                Tally {
                    passed,
                    failed,
                    skipped,
                    unsteady: Vec::new(),
                },
                None,
            ));
            done
        });
        Row::new("step", Duration::ZERO, done, strict)
    }

    #[test]
    fn last_line_counts_tests_and_steps_that_failed_without_one() {
        let rows = [
            row(Ok((2, 0, 1)), false),
            row(Ok((1, 2, 0)), false),
            row(Err(Error::msg("x")), false),
        ];
        assert_eq!(last_line(&rows), "3 passed, 3 failed, 1 skipped");
        assert_eq!(last_line(&rows[..1]), "2 passed, 0 failed, 1 skipped");
        assert_eq!(last_line(&[row(Ok((2, 0, 0)), true)]), "2 passed, 0 failed");
    }

    #[test]
    fn a_skip_fails_a_strict_run_and_its_reason_is_shown() {
        assert_eq!(row(Ok((1, 0, 1)), false).result(), "ok");
        let strict = row(Ok((1, 0, 1)), true);
        assert_eq!(strict.result(), "FAILED");
        assert!(
            strict
                .lines()
                .iter()
                .any(|line| line.ends_with("skipped b: no root"))
        );
    }
}
