//! One line for each comparison of the rows with the truth.

use std::io::{self, Write};

use agent::kernel::{Source, Sources};

/// Takes comparisons and remembers whether all of them held.
pub(crate) struct Verdicts<'a, W> {
    output: W,
    sources: &'a Sources,
    agrees: bool,
}

impl<'a, W: Write> Verdicts<'a, W> {
    /// Of an agent with these sources.
    pub(crate) fn new(output: W, sources: &'a Sources) -> Self {
        Self {
            output,
            sources,
            agrees: true,
        }
    }

    /// Writes one. What a missing source can't tell is said, not judged.
    pub(crate) fn check(&mut self, holds: bool, source: Source, line: &str) -> io::Result<()> {
        let active = self.sources.is_active(source);
        self.agrees &= holds || !active;
        let verdict = if holds {
            "ok   "
        } else if active {
            "WRONG"
        } else {
            "n/a  "
        };
        writeln!(self.output, "{verdict} {line}")
    }

    /// Writes what is no comparison.
    pub(crate) fn tell(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.output, "{line}")
    }

    /// Whether everything agrees.
    pub(crate) fn agrees(&self) -> bool {
        self.agrees
    }
}
