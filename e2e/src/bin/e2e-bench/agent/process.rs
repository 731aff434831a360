//! A measured process: the agent or the collector beside it, its CPU time, its memory, its rows.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Instant, SystemTime},
};

use anyhow::{Context as _, Result, ensure};
use e2e::process::kill;

/// Ended when dropped.
pub(super) struct Measured {
    child: Child,
    /// Each line of its output, and when it came.
    pub(super) lines: Receiver<Line>,
    pub(super) started: Instant,
}

/// A line of output.
pub(super) struct Line {
    pub(super) text: String,
    pub(super) at: Instant,
    pub(super) wall: SystemTime,
}

impl Measured {
    pub(super) fn start(mut command: Command) -> Result<Self> {
        let started = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {command:?}"))?;
        let output = child.stdout.take().context("no output")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for text in BufReader::new(output).lines().map_while(Result::ok) {
                let line = Line {
                    text,
                    at: Instant::now(),
                    wall: SystemTime::now(),
                };
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            child,
            lines,
            started,
        })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// CPU time of all its threads so far, in nanoseconds.
    pub(super) fn cpu_ns(&self) -> Result<u64> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.id()))?;
        let mut sum = 0;
        for task in tasks {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            let first = text.split(' ').next().context("an empty schedstat")?;
            sum += first.parse::<u64>()?;
        }
        Ok(sum)
    }

    /// Resident memory, now or at its highest (`VmRSS`, `VmHWM`).
    pub(super) fn memory_bytes(&self, which: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(which)?.strip_prefix(':'));
        let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        Ok(kib.with_context(|| format!("no {which}"))? * 1024)
    }

    pub(super) fn is_running(&mut self) -> Result<()> {
        let ended = self.child.try_wait()?;
        ensure!(ended.is_none(), "the measured process ended: {ended:?}");
        Ok(())
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        kill(self.child.id());
        drop(self.child.wait());
    }
}

/// The agent that was built with this program.
pub(super) fn agent() -> Result<PathBuf> {
    let program = env::current_exe()?.with_file_name("podledger-agent");
    ensure!(
        program.exists(),
        "{} is not built: `cargo xtask bench agent`",
        program.display()
    );
    Ok(program)
}
