//! Reads the lines of a test binary, of libtest or libtest-mimic: `test NAME ... ok`.

/// How one test ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    Passed,
    Failed,
    /// With the reason, where the test gave one.
    Skipped(String),
}

/// One finished test.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Test {
    pub(crate) name: String,
    pub(crate) outcome: Outcome,
}

/// How many tests the binary says it ran, in its closing line.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Closing {
    tests: usize,
}

impl Closing {
    /// Doc tests have one closing line for each crate.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.tests += other.tests;
    }
}

/// What one line meant.
#[derive(Debug, PartialEq)]
pub(crate) enum Event {
    /// The first test begins.
    Started,
    Finished(Test),
    Closed(Closing),
    Text,
}

/// Lines in, events out.
#[derive(Default)]
pub(crate) struct Parser {
    /// The test whose outcome is still to come, because it wrote something of its own first.
    pending: Option<String>,
}

impl Parser {
    pub(crate) fn line(&mut self, line: &str) -> Event {
        if let Some(closing) = line.strip_prefix("test result: ").and_then(closing) {
            return Event::Closed(closing);
        }
        if line.starts_with("running ") {
            return Event::Started;
        }
        let started = line
            .strip_prefix("test ")
            .and_then(|rest| rest.split_once(" ..."));
        if let Some((name, rest)) = started {
            let name = name.trim_end().to_owned();
            return match outcome(rest) {
                Some(outcome) => Event::Finished(Test { name, outcome }),
                None => {
                    self.pending = Some(name);
                    Event::Text
                }
            };
        }
        match outcome(line) {
            Some(outcome) => self.finish_pending(outcome),
            None => Event::Text,
        }
    }

    /// The test that announced itself and did not end.
    pub(crate) fn pending(&self) -> Option<&str> {
        self.pending.as_deref()
    }

    fn finish_pending(&mut self, outcome: Outcome) -> Event {
        match self.pending.take() {
            Some(name) => Event::Finished(Test { name, outcome }),
            None => Event::Text,
        }
    }
}

fn outcome(text: &str) -> Option<Outcome> {
    let text = text.trim();
    let skipped = text.strip_prefix("ignored").map(|rest| {
        // `ignored, reason` of libtest and `ignored (reason)` of libtest-mimic.
        let reason = rest.trim_start_matches([',', ' ']);
        let inner = reason
            .strip_prefix('(')
            .and_then(|reason| reason.strip_suffix(')'));
        Outcome::Skipped(inner.unwrap_or(reason).to_owned())
    });
    match text {
        "ok" => Some(Outcome::Passed),
        "FAILED" => Some(Outcome::Failed),
        _ => skipped,
    }
}

fn closing(text: &str) -> Option<Closing> {
    let counted = ["passed", "failed", "ignored"];
    let (_, counts) = text.split_once(". ")?;
    let counts = counts.split("; ").filter_map(|count| count.split_once(' '));
    let counts = counts.filter(|(_, what)| counted.contains(what));
    let numbers: Vec<usize> = counts
        .filter_map(|(number, _)| number.parse().ok())
        .collect();
    (numbers.len() == counted.len()).then(|| Closing {
        tests: numbers.iter().sum(),
    })
}

/// Tests counted by how they ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: Vec<String>,
    pub(crate) skipped: Vec<(String, String)>,
    /// Those of the passed that failed beside others and passed alone.
    pub(crate) unsteady: Vec<String>,
}

impl Tally {
    pub(crate) fn add(&mut self, test: Test) {
        match test.outcome {
            Outcome::Passed => self.passed += 1,
            Outcome::Failed => self.failed.push(test.name),
            Outcome::Skipped(reason) => self.skipped.push((test.name, reason)),
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed.extend(other.failed);
        self.skipped.extend(other.skipped);
        self.unsteady.extend(other.unsteady);
    }

    /// A test that failed has passed when it ran alone.
    pub(crate) fn passed_alone(&mut self, name: &str) {
        let before = self.failed.len();
        self.failed.retain(|failed| failed != name);
        self.passed += before - self.failed.len();
        self.unsteady.push(name.to_owned());
    }

    /// What is wrong with a closing line, if anything: it must count the tests that were seen.
    pub(crate) fn disagrees_with(&self, closing: &Closing) -> Option<String> {
        let seen = self.passed + self.failed.len() + self.skipped.len();
        (seen != closing.tests).then(|| {
            format!(
                "the closing line counts {} tests, seen were {seen}",
                closing.tests
            )
        })
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} passed, {} failed", self.passed, self.failed.len())?;
        if !self.unsteady.is_empty() {
            write!(out, ", {} of them only alone", self.unsteady.len())?;
        }
        match self.skipped.len() {
            0 => Ok(()),
            skipped => write!(out, ", {skipped} skipped"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(name: &str, outcome: Outcome) -> Event {
        Event::Finished(Test {
            name: name.to_owned(),
            outcome,
        })
    }

    #[test]
    fn reads_both_ways_of_giving_a_reason() {
        let mut parser = Parser::default();
        let skipped = |reason: &str| finished("a", Outcome::Skipped(reason.to_owned()));
        assert_eq!(parser.line("test a ... ok"), finished("a", Outcome::Passed));
        assert_eq!(
            parser.line("test a   ... FAILED"),
            finished("a", Outcome::Failed)
        );
        assert_eq!(
            parser.line("test a ... ignored, no (root)"),
            skipped("no (root)")
        );
        assert_eq!(
            parser.line("test a ... ignored (no root ... here)"),
            skipped("no root ... here")
        );
        assert_eq!(parser.line("test a ... ignored"), skipped(""));
    }

    #[test]
    fn finds_the_start() {
        assert_eq!(Parser::default().line("running 2 tests"), Event::Started);
    }

    #[test]
    fn finds_the_outcome_behind_text_of_the_test_itself() {
        let mut parser = Parser::default();
        assert_eq!(parser.line("test a ... listening on 1"), Event::Text);
        assert_eq!(parser.line("more"), Event::Text);
        assert_eq!(parser.pending(), Some("a"));
        assert_eq!(parser.line("ok"), finished("a", Outcome::Passed));
        assert_eq!(parser.line("ok"), Event::Text);
    }

    #[test]
    fn what_passes_alone_is_told_apart() {
        let mut tally = Tally {
            passed: 1,
            failed: vec!["a".to_owned()],
            ..Tally::default()
        };
        tally.passed_alone("a");
        assert_eq!(
            tally.to_string(),
            "2 passed, 0 failed, 1 of them only alone"
        );
    }

    #[test]
    fn closing_line_must_count_what_was_seen() {
        let line = "test result: ok. 1 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out; \
                    finished in 0.00s";
        let Event::Closed(closing) = Parser::default().line(line) else {
            panic!("{line} was not read as a closing line");
        };
        let mut tally = Tally::default();
        tally.add(Test {
            name: "a".to_owned(),
            outcome: Outcome::Passed,
        });
        assert!(tally.disagrees_with(&closing).is_some());
        tally.add(Test {
            name: "b".to_owned(),
            outcome: Outcome::Skipped(String::new()),
        });
        assert_eq!(tally.disagrees_with(&closing), None);
        assert_eq!(tally.to_string(), "1 passed, 0 failed, 1 skipped");
    }
}
