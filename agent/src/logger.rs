//! The log: one line for each record, to standard error. Foreign text can neither begin a line of its
//! own nor tell a terminal what to do.

use std::{
    fmt::{self, Write as _},
    io::{self, Write as _},
};

use log::{LevelFilter, Log, Metadata, Record};

/// Longest line; what is more is cut.
const MOST_BYTES: usize = 16 * 1024;
/// The modules whose exchanges `DEBUG_K8S_API` shows.
const EXCHANGES: [&str; 5] = ["http", "imds", "kubelet", "pods", "run"];
/// All that libraries may say. What they write when debugging is not known to be free of secrets, and
/// at `info` they tell what nobody runs an agent to know.
const MOST_OF_OTHERS: LevelFilter = LevelFilter::Warn;

/// Writes lines of `level` and above; with `debug_http` also those that tell each HTTP exchange. Where a
/// logger was set before, that one stays.
pub fn init(level: LevelFilter, debug_http: bool) {
    let logger = Logger::new(level, debug_http);
    let most = logger.most();
    if log::set_boxed_logger(Box::new(logger)).is_ok() {
        log::set_max_level(most);
    }
}

/// Decides what is written, and how.
struct Logger {
    level: LevelFilter,
    exchanges: LevelFilter,
}

impl Logger {
    fn new(level: LevelFilter, debug_http: bool) -> Self {
        let exchanges = match debug_http {
            true => level.max(LevelFilter::Debug),
            false => level,
        };
        Self { level, exchanges }
    }

    fn most(&self) -> LevelFilter {
        self.level.max(self.exchanges)
    }

    fn level_of(&self, target: &str) -> LevelFilter {
        // What fails there is told by the health of the pods, in plain words.
        if target.starts_with("kube_client") {
            return LevelFilter::Off;
        }
        let Some(module) = own_module(target) else {
            return self.level.min(MOST_OF_OTHERS);
        };
        match EXCHANGES.contains(&module) {
            true => self.exchanges,
            false => self.level,
        }
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= self.level_of(metadata.target())
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            // In one piece, so that lines of threads do not mix. Nobody to tell when it is closed.
            drop(io::stderr().write_all(line(record).as_bytes()));
        }
    }

    fn flush(&self) {}
}

/// The first module of one of ours: `agent::http::client` and the plain `http` are both `http`.
fn own_module(target: &str) -> Option<&str> {
    let mut parts = target.split("::");
    match parts.next()? {
        "agent" | "podledger_agent" => Some(parts.next().unwrap_or_default()),
        name => EXCHANGES.contains(&name).then_some(name),
    }
}

fn line(record: &Record<'_>) -> String {
    let target = record.target();
    let target = target.strip_prefix("agent::").unwrap_or(target);
    let mut line = Line(format!("podledger-agent: {} ", record.level()));
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
    fn debug_of_exchanges_raises_nothing_else() {
        let logger = Logger::new(LevelFilter::Info, true);
        for target in [
            "agent::http::debug",
            "agent::kubelet::debug",
            "agent::imds::client",
            "agent::pods::client",
            "pods",
        ] {
            assert!(writes(&logger, target, Level::Debug), "{target}");
            assert!(!writes(&logger, target, Level::Trace), "{target}");
        }
        assert!(!writes(&logger, "agent::join", Level::Debug));
        assert!(!writes(&logger, "hyper::http", Level::Debug));
        assert_eq!(logger.most(), LevelFilter::Debug);
    }

    #[test]
    fn others_never_debug() {
        let all = Logger::new(LevelFilter::Trace, false);
        assert!(writes(&all, "agent::host", Level::Trace));
        assert!(writes(&all, "podledger_agent::cli", Level::Trace));
        assert!(writes(&all, "rustls::client", Level::Warn));
        assert!(!writes(&all, "rustls::client", Level::Info));
        assert!(!writes(&all, "agentless::client", Level::Debug));
        let errors = Logger::new(LevelFilter::Error, false);
        assert!(!writes(&errors, "rustls::client", Level::Warn));
        assert!(!writes(&errors, "agent::http", Level::Debug));
    }

    fn written(target: &str, message: &str) -> String {
        let arguments = format_args!("{message}");
        line(
            &Record::builder()
                .level(Level::Warn)
                .target(target)
                .args(arguments)
                .build(),
        )
    }

    #[test]
    fn a_record_is_one_harmless_line() {
        assert_eq!(
            written("agent::health", "kubelet: no answer"),
            "podledger-agent: WARN health: kubelet: no answer\n"
        );
        assert_eq!(
            written("x", "a\nb\r\u{1b}[31m\u{202e}é\t"),
            "podledger-agent: WARN x: a\\nb\\r\\u{1b}[31m\\u{202e}é\\t\n"
        );
        let long = written("x", &"é".repeat(MOST_BYTES));
        assert!(long.len() < MOST_BYTES + 10 && long.ends_with("…\n"));
    }
}
