//! Packet programs by the kernel's test run: the same packet a million times, one program after
//! the other in short rounds. The packet has a full socket in the caller's cgroup, like a real one;
//! after the first run its class is in the cache, and all memory is warm.

use std::os::fd::{AsFd as _, BorrowedFd};

use agent::kernel::{Kernel, Source, sys};
use anyhow::{Context as _, Result};

use super::{
    comparators::Comparators,
    options, prefixes,
    statistics::{id_of, info},
};
use crate::numbers::median;

const ROUNDS: usize = 31;
const REPEAT: u32 = 300_000;
const CPU: usize = 1;

/// Nanoseconds over an empty program.
pub(super) struct TestRuns {
    pub(super) egress: f64,
    pub(super) ingress: f64,
    pub(super) egress_v6: f64,
    pub(super) systemd_egress: f64,
    pub(super) systemd_ingress: f64,
}

pub(super) fn measure() -> Result<TestRuns> {
    std::thread::spawn(measure_pinned)
        .join()
        .unwrap_or_else(|_| anyhow::bail!("the measuring thread panicked"))
}

fn measure_pinned() -> Result<TestRuns> {
    sys::run_on(CPU).context("moving to one CPU")?;
    let mut options = options(&[Source::Network])?;
    // Test runs claim to come from the loopback interface.
    options.loopback_shortcut = false;
    options.prefixes = prefixes::many();
    let kernel = Kernel::start(&options)?;
    let mut comparators = Comparators::load()?;
    let empty = comparators.packet_program("empty_skb")?;
    let systemd = comparators.packet_program("systemd_skb")?;
    let egress = info(id_of(&kernel, "network_egress")?)?.fd()?;
    let ingress = info(id_of(&kernel, "network_ingress")?)?.fd()?;
    let over = |program: BorrowedFd<'_>, packet: &[u8]| over_empty(empty.as_fd(), program, packet);
    Ok(TestRuns {
        egress: over(egress.as_fd(), &packet_v4())?,
        ingress: over(ingress.as_fd(), &packet_v4())?,
        egress_v6: over(egress.as_fd(), &packet_v6())?,
        // The same program for both sides; a test run does not tell them apart.
        systemd_egress: over(systemd.as_fd(), &packet_v4())?,
        systemd_ingress: over(systemd.as_fd(), &packet_v4())?,
    })
}

fn over_empty(empty: BorrowedFd<'_>, ours: BorrowedFd<'_>, packet: &[u8]) -> Result<f64> {
    let mut differences = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let nothing = sys::test_run(empty, packet, REPEAT).context("test run")?;
        let ours = sys::test_run(ours, packet, REPEAT).context("test run")?;
        differences.push(f64::from(ours) - f64::from(nothing));
    }
    Ok(median(differences))
}

/// Ethernet, IPv4, TCP and 60 bytes of payload, from and to addresses under one of the prefixes.
fn packet_v4() -> Vec<u8> {
    let mut packet = ethernet([0x08, 0x00]);
    packet.extend([0x45, 0, 0, 100, 0, 1, 0x40, 0, 64, 6, 0, 0]);
    packet.extend([127, 128, 61, 1, 127, 128, 61, 2]);
    packet.extend(tcp());
    packet
}

fn packet_v6() -> Vec<u8> {
    let mut packet = ethernet([0x86, 0xdd]);
    packet.extend([0x60, 0, 0, 0, 0, 80, 6, 64]);
    for host in [1, 2] {
        packet.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host]);
    }
    packet.extend(tcp());
    packet
}

fn ethernet(protocol: [u8; 2]) -> Vec<u8> {
    let mut head = vec![2; 12];
    head.extend(protocol);
    head
}

fn tcp() -> Vec<u8> {
    let mut segment = vec![
        0x12, 0x34, 0x56, 0x78, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 1, 0, 0, 0, 0, 0,
    ];
    segment.resize(80, 0);
    segment
}
