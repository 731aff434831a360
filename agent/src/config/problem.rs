//! What is wrong with the settings, in words.

use std::fmt;

/// Problems that are told; a file of nonsense must not fill the log.
pub(super) const MOST_PROBLEMS: usize = 50;
/// Characters of a value that are shown.
const MOST_SHOWN: usize = 120;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: `agent.yaml:12 metrics.interval` or `env SCRAPE_INTERVAL`.
    pub origin: String,
    /// What is wrong.
    pub what: String,
    /// What is allowed, or what to do.
    pub allowed: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.origin, self.what)?;
        if self.allowed.is_empty() {
            return Ok(());
        }
        write!(formatter, "; {}", self.allowed)
    }
}

/// Everything that is wrong, at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// In the order of the file, then of the table of settings.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.len() {
            1 => formatter.write_str("the settings have a problem:")?,
            count => write!(formatter, "the settings have {count} problems:")?,
        }
        for problem in self.problems.iter().take(MOST_PROBLEMS) {
            write!(formatter, "\n  {problem}")?;
        }
        match self.problems.len().saturating_sub(MOST_PROBLEMS) {
            0 => Ok(()),
            more => write!(formatter, "\n  and {more} more"),
        }
    }
}

/// Foreign text as a message may show it: one short line in backquotes, nothing that a terminal
/// would obey.
pub(super) fn shown(text: &str) -> String {
    let mut line: String = text
        .chars()
        .take(MOST_SHOWN)
        .flat_map(|letter| {
            let escaped = letter.is_control().then(|| letter.escape_default());
            let plain = escaped.is_none().then_some(letter);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect();
    if text.chars().nth(MOST_SHOWN).is_some() {
        line.push('…');
    }
    format!("`{line}`")
}
