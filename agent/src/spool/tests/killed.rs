//! A process that is killed while it keeps batches: what it said is kept is there.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
};

use super::*;

const DIRECTORY: &str = "PODLEDGER_TEST_SPOOL";

/// No test of its own: it keeps batches until it is killed, and says after each which it was.
#[test]
#[ignore = "the process that the next test kills"]
fn victim() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let scratch = std::mem::ManuallyDrop::new(Scratch(directory.into()));
    let (mut spool, _) = scratch.open();
    let number = spool
        .waiting()
        .last()
        .map_or(1, |waiting| waiting.epoch.0[0] + 1);
    for seq in 1.. {
        keep(&mut spool, number, seq..=seq, 15_000);
        writeln!(std::io::stdout(), "\nkept {number} {seq}").unwrap();
    }
}

/// Kills the victim after it has said so often that it kept one. Returns what it said.
fn kill_after(scratch: &Scratch, times: usize) -> Vec<(u8, u64)> {
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "spool::tests::killed::victim",
            "--ignored",
            "--nocapture",
        ])
        .env(DIRECTORY, &scratch.0)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let mut said = lines.map_while(Result::ok).filter_map(|line| {
        let (number, seq) = line.strip_prefix("kept ")?.split_once(' ')?;
        Some((number.parse().ok()?, seq.parse().ok()?))
    });
    let mut kept: Vec<_> = said.by_ref().take(times).collect();
    victim.kill().unwrap();
    kept.extend(said);
    victim.wait().unwrap();
    kept
}

#[test]
fn a_killed_process_has_kept_what_it_said() {
    let scratch = Scratch::new();
    let mut said = Vec::new();
    for times in [1, 4, 9] {
        let kept = kill_after(&scratch, times);
        assert!(kept.len() >= times, "{kept:?}");
        said.extend(kept);
        let (spool, found) = scratch.open();
        assert_eq!(found, Found::Resumed);
        let there = all(&spool);
        for (at, seq, bytes) in &there {
            assert_eq!(*bytes, frame(at.0[0], *seq, 15_000));
        }
        let names: Vec<_> = there.iter().map(|(at, seq, _)| (at.0[0], *seq)).collect();
        assert!(
            said.iter().all(|name| names.contains(name)),
            "{said:?} {names:?}"
        );
        let (number, seq) = names.last().unwrap();
        let state = spool.state().unwrap().unwrap();
        assert_eq!(state, format!("state {number}/{seq}").into_bytes());
    }
}
