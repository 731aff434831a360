//! The log: one line for each record, to standard error. Foreign text can neither begin a line of its
//! own nor tell a terminal what to do.

use std::{
    fmt::{self, Write as _},
    io::{self, Write as _},
};

use log::{LevelFilter, Log, Metadata, Record};

use crate::cluster::exchange;

/// Longest line; what is more is cut.
const MOST_BYTES: usize = 16 * 1024;
/// Where verdicts on tokens are told; `DEBUG_K8S_API` shows them.
const VERDICTS: &str = "aggregator::auth";
/// All that libraries may say. What they write when debugging is not known to be free of secrets.
const MOST_OF_OTHERS: LevelFilter = LevelFilter::Warn;
/// The program beside the library.
const PROGRAM: &str = "podledger_aggregator";
/// What every line begins with.
const NAME: &str = "podledger-aggregator";

/// Writes lines of `level` and above; with `exchanges` also those of each exchange with the API
/// server. Where a logger was set before, that one stays.
pub fn init(level: LevelFilter, exchanges: bool) {
    let logger = Logger::new(level, exchanges);
    let most = level.max(logger.exchanges);
    if log::set_boxed_logger(Box::new(logger)).is_ok() {
        log::set_max_level(most);
    }
}

/// Decides what is written.
struct Logger {
    level: LevelFilter,
    exchanges: LevelFilter,
}

impl Logger {
    fn new(level: LevelFilter, exchanges: bool) -> Self {
        let exchanges = match exchanges {
            true => level.max(LevelFilter::Debug),
            // Objects may hold what their owners would rather not see in a log.
            false => level.min(LevelFilter::Info),
        };
        Self { level, exchanges }
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let target = metadata.target();
        let is_own = is_in(target, "aggregator") || is_in(target, PROGRAM);
        let most = match is_own {
            false => self.level.min(MOST_OF_OTHERS),
            true if is_in(target, exchange::TARGET) => self.exchanges,
            true if is_in(target, VERDICTS) => self.level.max(self.exchanges),
            true => self.level,
        };
        metadata.level() <= most
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            // In one piece, so that lines of threads do not mix. Nobody to tell when it is closed.
            drop(io::stderr().write_all(line(record).as_bytes()));
        }
    }

    fn flush(&self) {}
}

/// Whether a module is this one, or in it.
fn is_in(target: &str, module: &str) -> bool {
    let rest = target.strip_prefix(module);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn line(record: &Record<'_>) -> String {
    let target = record.target();
    let target = target.strip_prefix("aggregator::").unwrap_or(target);
    let mut line = Line(format!("{NAME}: {} ", record.level()));
    // Fails when the line is full; the cut is marked.
    if write!(line, "{target}: {}", record.args()).is_err() {
        line.0.push('…');
    }
    line.0.push('\n');
    line.0
}

/// Text without control characters and of bounded length.
struct Line(String);

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for letter in text.chars() {
            if self.0.len() >= MOST_BYTES {
                return Err(fmt::Error);
            }
            if is_unsafe(letter) {
                self.0.extend(letter.escape_default());
            } else {
                self.0.push(letter);
            }
        }
        Ok(())
    }
}

/// Ends a line, steers a terminal, or makes text read in another order than it is written.
fn is_unsafe(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use log::Level;

    use super::*;

    fn writes(logger: &Logger, target: &str, level: Level) -> bool {
        logger.enabled(&Metadata::builder().target(target).level(level).build())
    }

    #[test]
    fn exchanges_are_shown_alone() {
        let logger = Logger::new(LevelFilter::Info, true);
        assert!(writes(
            &logger,
            "aggregator::auth::kubernetes",
            Level::Debug
        ));
        assert!(writes(&logger, exchange::TARGET, Level::Debug));
        assert!(!writes(&logger, "aggregator::ingest::tcp", Level::Debug));
        assert!(writes(&logger, "aggregator::ingest::tcp", Level::Info));
        assert!(!writes(&logger, "quinn::connection", Level::Info));
        assert!(writes(&logger, "quinn::connection", Level::Warn));
        assert!(!writes(&logger, "aggregators", Level::Info));
        assert!(writes(&logger, "podledger_aggregator", Level::Info));
    }

    #[test]
    fn a_low_level_alone_shows_no_objects() {
        let logger = Logger::new(LevelFilter::Trace, false);
        assert!(!writes(&logger, exchange::TARGET, Level::Debug));
        assert!(writes(
            &logger,
            "aggregator::auth::kubernetes",
            Level::Debug
        ));
    }

    #[test]
    fn a_record_is_one_harmless_line() {
        let written = |message: &str| {
            let arguments = format_args!("{message}");
            let mut record = Record::builder();
            line(
                &record
                    .level(Level::Warn)
                    .target("aggregator::x")
                    .args(arguments)
                    .build(),
            )
        };
        assert_eq!(
            written("a\nb\u{1b}[31m"),
            "podledger-aggregator: WARN x: a\\nb\\u{1b}[31m\n"
        );
        let long = written(&"é".repeat(MOST_BYTES));
        assert!(long.len() < MOST_BYTES + 10 && long.ends_with("…\n"));
    }
}
