//! Follows a running test binary, here or in a guest, line by line, up to a time limit.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::libtest::{Closing, Event, Parser, Tally, Test};
use crate::process;

/// Lines read ahead of what is printed.
const LINES_AHEAD: usize = 1024;

/// A child that does not outlive us.
struct Guarded(Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        // Both fail only if the child has ended, which is what is wanted.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// All that a test binary said until it ended.
#[derive(Default)]
pub(crate) struct Watched {
    pub(crate) tally: Tally,
    pub(crate) lines: Vec<String>,
    /// None if it was stopped at the time limit.
    pub(crate) status: Option<ExitStatus>,
    closing: Option<Closing>,
    parser: Parser,
}

impl Watched {
    /// Why this run is not to be trusted, however it ended.
    pub(crate) fn problem(&self) -> Option<String> {
        match (&self.closing, self.parser.pending()) {
            (Some(closing), _) => self.tally.disagrees_with(closing),
            (None, Some(test)) => Some(format!("it ended in the middle of {test}")),
            (None, None) => Some("it ended without a closing line `test result: ...`".to_owned()),
        }
    }

    /// Why the process's own end is none of a good run.
    pub(crate) fn exit_problem(&self) -> Option<String> {
        match self.status {
            None => Some("stopped at the time limit".to_owned()),
            Some(status) => (!status.success()).then(|| format!("the tests ended with {status}")),
        }
    }

    fn take(&mut self, line: String) -> Event {
        let event = self.parser.line(&line);
        self.lines.push(line);
        match &event {
            Event::Finished(test) => self.tally.add(test.clone()),
            Event::Closed(closing) => self.closing.get_or_insert_default().merge(closing),
            Event::Started | Event::Text => {}
        }
        event
    }
}

/// Runs `command`, calling `on_line` for each line and `on_test` for each test and its duration.
pub(crate) fn tests(
    command: &mut Command,
    limit: Duration,
    mut on_line: impl FnMut(&str) -> Result<()>,
    mut on_test: impl FnMut(&Test, Duration),
) -> Result<Watched> {
    let start = Instant::now();
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let child = child.with_context(|| format!("cannot start {}", process::show(command)))?;
    let mut child = Guarded(child);
    let received = read_lines(child.0.stdout.take().context("the child has no output")?);
    let mut watched = Watched::default();
    let mut since = start;
    loop {
        let line = match received.recv_timeout(limit.saturating_sub(start.elapsed())) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => return Ok(watched),
            Err(RecvTimeoutError::Disconnected) => break,
        };
        on_line(&line)?;
        match watched.take(line) {
            Event::Finished(test) => on_test(&test, since.elapsed()),
            // Until here a guest was booting.
            Event::Started => {}
            Event::Closed(_) | Event::Text => continue,
        }
        since = Instant::now();
    }
    watched.status = Some(child.0.wait().context("waiting for the child")?);
    Ok(watched)
}

fn read_lines(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = sync_channel(LINES_AHEAD);
    thread::spawn(move || {
        let lines = BufReader::new(output)
            .split(b'\n')
            .map_while(std::io::Result::ok);
        for line in lines {
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(script: &str, limit: Duration) -> Watched {
        let mut command = Command::new("sh");
        tests(command.args(["-c", script]), limit, |_| Ok(()), |_, _| ()).unwrap()
    }

    const LONG: Duration = Duration::from_secs(60);
    const CLOSING: &str = "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured";

    #[test]
    fn a_good_run_has_no_problem() {
        let watched = watch(&format!("echo 'test a ... ok'; echo '{CLOSING}'"), LONG);
        assert_eq!(watched.tally.passed, 1);
        assert_eq!((watched.problem(), watched.exit_problem()), (None, None));
    }

    #[test]
    fn a_run_that_breaks_off_names_the_test() {
        let watched = watch("printf 'test a ... '; exit 0", LONG);
        assert_eq!(watched.problem().unwrap(), "it ended in the middle of a");
        assert_eq!(watch("true", LONG).tally, Tally::default());
        assert!(watch("true", LONG).problem().is_some());
    }

    #[test]
    fn a_run_that_hangs_is_stopped_at_the_limit() {
        let watched = watch("exec sleep 600", Duration::from_millis(500));
        assert_eq!(watched.exit_problem().unwrap(), "stopped at the time limit");
    }
}
