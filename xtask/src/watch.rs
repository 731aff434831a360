//! Follows a running test binary, here or in a guest, line by line, up to a time limit.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

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
pub(crate) struct Watched {
    pub(crate) tally: Tally,
    pub(crate) lines: Vec<String>,
    pub(crate) status: ExitStatus,
    closing: Option<Closing>,
    pending: Option<String>,
}

impl Watched {
    /// Why this run is not to be trusted, failed tests aside.
    pub(crate) fn problem(&self) -> Option<String> {
        match (&self.closing, &self.pending) {
            (Some(closing), _) => self.tally.disagrees_with(closing),
            (None, Some(test)) => Some(format!("it ended in the middle of {test}")),
            (None, None) => Some("it ended without a closing line `test result: ...`".to_owned()),
        }
    }
}

/// Runs `command`, calling `on_line` for each line and `on_test` for each test and its duration.
pub(crate) fn tests(
    command: &mut std::process::Command,
    limit: Duration,
    mut on_line: impl FnMut(&str) -> Result<()>,
    mut on_test: impl FnMut(&Test, Duration),
) -> Result<Watched> {
    let start = Instant::now();
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child =
        Guarded(child.with_context(|| format!("cannot start {}", process::show(command)))?);
    let output = child.0.stdout.take().context("the child has no output")?;
    let received = read_lines(output);
    let (mut parser, mut tally, mut closing, mut lines) =
        (Parser::default(), Tally::default(), None, Vec::new());
    let mut since = start;
    loop {
        let left = limit.saturating_sub(start.elapsed());
        let line = match received.recv_timeout(left) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                let during = parser.pending().unwrap_or("no test that it named");
                bail!("stopped after {} s, during {during}", limit.as_secs());
            }
        };
        on_line(&line)?;
        match parser.line(&line) {
            Event::Finished(test) => {
                on_test(&test, since.elapsed());
                since = Instant::now();
                tally.add(test);
            }
            Event::Closed(counts) => closing = Some(counts),
            Event::Text => {}
        }
        lines.push(line);
    }
    let status = child.0.wait().context("waiting for the child")?;
    let pending = parser.pending().map(str::to_owned);
    Ok(Watched {
        tally,
        lines,
        status,
        closing,
        pending,
    })
}

fn read_lines(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = sync_channel(LINES_AHEAD);
    thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n') {
            let Ok(line) = line else { return };
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
