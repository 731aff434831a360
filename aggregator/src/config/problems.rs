//! All that is wrong with the settings.

use std::fmt;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The setting.
    pub name: &'static str,
    /// What is wrong, and what to do.
    pub reason: String,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    pub(super) fn add(&mut self, name: &'static str, reason: impl Into<String>) {
        let reason = reason.into();
        self.0.push(Problem { name, reason });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => out.write_str("1 setting is wrong:")?,
            count => write!(out, "{count} settings are wrong:")?,
        }
        for Problem { name, reason } in &self.0 {
            write!(out, "\n  {name}: {reason}")?;
        }
        Ok(())
    }
}
