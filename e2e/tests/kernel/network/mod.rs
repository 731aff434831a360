//! What the network tests share: two cgroups on either side of a wire, watched from three sides.

mod classes;
mod conservation;
mod definition;
mod shared;
mod tcp;
mod udp;

use std::fs;

use agent::kernel::Snapshot;
use agent_common::network::Traffic;
use anyhow::{Result, bail, ensure};
use e2e::{
    cgroup::TestCgroup,
    harness::{Need, Test, measured},
    net::{
        meter::{kernels_own, plus, row, same, sent},
        pair::{Counters, End, Family, LinkHeaders, Pair},
    },
    process::Running,
};

/// What every test on a wire calls.
pub(crate) const NEEDS: &[Need] = &[Need::Program("ip"), Need::Program("ethtool")];

/// All tests of the network programs.
pub(crate) fn tests() -> Vec<Test> {
    [
        tcp::TESTS,
        udp::TESTS,
        definition::TESTS,
        shared::TESTS,
        classes::TESTS,
        conservation::TESTS,
    ]
    .concat()
}

/// TCP header of a SYN or SYN-ACK.
pub(crate) const SYN: u64 = 40;
/// Largest packet on a wire.
const MTU: u64 = 1500;

/// A sender on the left and a receiver on the right.
pub(crate) struct Scene {
    pub(crate) pair: Pair,
    pub(crate) sender: TestCgroup,
    pub(crate) receiver: TestCgroup,
}

impl Scene {
    pub(crate) fn new() -> Result<Self> {
        Self::on(Pair::new()?)
    }

    pub(crate) fn on(pair: Pair) -> Result<Self> {
        Ok(Self {
            pair,
            sender: TestCgroup::new("sender")?,
            receiver: TestCgroup::new("receiver")?,
        })
    }

    /// A process on the left, in the sender's cgroup.
    pub(crate) fn send(&self, workload: &str, arguments: &[&str]) -> Result<Running> {
        start(&self.sender, &self.pair.left, workload, arguments)
    }

    /// A process on the right that takes what comes, and its address.
    pub(crate) fn sink(&self, protocol: &str, family: Family) -> Result<(Running, String)> {
        sink(&self.receiver, &self.pair.right, protocol, family)
    }

    /// Rows of sender and receiver; what the kernel sent on its own is as told.
    pub(crate) fn rows(&self, snapshot: &Snapshot, kernel: Traffic) -> Result<(Traffic, Traffic)> {
        let kernels = kernels_own(snapshot, &[self.sender.id, self.receiver.id])?;
        same("the kernel's own", kernels, kernel)?;
        let own = |cgroup: &TestCgroup| row(snapshot, cgroup.id);
        Ok((own(&self.sender), own(&self.receiver)))
    }
}

pub(crate) fn start(
    cgroup: &TestCgroup,
    end: &End,
    workload: &str,
    arguments: &[&str],
) -> Result<Running> {
    Running::start(cgroup, end.namespace_name(), workload, arguments)
}

/// Takes what comes to `end`; the process and its address.
pub(crate) fn sink(
    cgroup: &TestCgroup,
    end: &End,
    protocol: &str,
    family: Family,
) -> Result<(Running, String)> {
    let at = format!("{protocol}={}", end.any_port(family));
    let mut sink = start(cgroup, end, "net-sink", &[&at])?;
    let address = sink.line()?;
    Ok((sink, address))
}

/// Waits for a process to say `word`.
pub(crate) fn hear(running: &mut Running, word: &str) -> Result<()> {
    let line = running.line()?;
    ensure!(line == word, "the workload said `{line}`, not `{word}`");
    Ok(())
}

/// What the accepting end lacks. Linux shows IPv6 SYN-ACKs to the hook since 6.6 only; before that it
/// compares the packet's owner, which is the connection to be, with the listening socket.
pub(crate) fn unseen_syn_acks(family: Family, connections: u64) -> Result<Traffic> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let mut numbers = release.split(['.', '-']).map(str::parse::<u32>);
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else {
        bail!("no version of Linux: {release}");
    };
    let is_seen = family == Family::V4 || (major, minor) >= (6, 6);
    let unseen = if is_seen { 0 } else { connections };
    Ok(sent(unseen, family.header() + SYN))
}

/// The interfaces of a pair, from a moment on.
pub(crate) struct Watch<'a> {
    pair: &'a Pair,
    headers: LinkHeaders,
    left: Counters,
    right: Counters,
}

/// What went over the wire one way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) bytes: u64,
    pub(crate) packets: u64,
    pub(crate) dropped: u64,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(pair: &'a Pair) -> Result<Self> {
        Ok(Self {
            headers: pair.link_headers()?,
            left: pair.left.counters()?,
            right: pair.right.counters()?,
            pair,
        })
    }

    /// From left to right and back.
    pub(crate) fn ways(&self) -> Result<(Way, Way)> {
        let left = self.pair.left.counters()?.tx.since(&self.left.tx);
        let right = self.pair.right.counters()?.tx.since(&self.right.tx);
        let way = |wire: e2e::net::pair::Wire, header| Way {
            bytes: wire.ip_bytes(header),
            packets: wire.packets,
            dropped: wire.dropped,
        };
        let LinkHeaders { left_tx, right_tx } = self.headers;
        Ok((way(left, left_tx), way(right, right_tx)))
    }
}

impl Way {
    /// The receiving end is exact. The sending end is too in packets, drops included; the bytes of
    /// dropped packets nobody tells, but each has at most an MTU.
    pub(crate) fn agrees_with(&self, from: Traffic, to: Traffic) -> Result<()> {
        self.agrees_but_for(from, to, Traffic::default())
    }

    /// The same, where the sending end is known to lack `unseen`.
    pub(crate) fn agrees_but_for(&self, from: Traffic, to: Traffic, unseen: Traffic) -> Result<()> {
        let from = plus(from, unseen);
        same(
            "bytes and packets received",
            (to.rx_bytes, to.rx_packets),
            (self.bytes, self.packets),
        )?;
        same("packets sent", from.tx_packets, self.packets + self.dropped)?;
        let most = self.bytes + self.dropped * MTU;
        ensure!(
            (self.bytes..=most).contains(&from.tx_bytes),
            "bytes sent: counted {}, true are {} and {} dropped packets",
            from.tx_bytes,
            self.bytes,
            self.dropped
        );
        Ok(())
    }
}

/// Tells how far off the rows were.
pub(crate) fn tell(what: &str, way: Way, from: Traffic, to: Traffic) {
    let off = |counted: u64, truth: u64| counted.cast_signed() - truth.cast_signed();
    let all = way.packets;
    measured(
        &format!("network: {what}, received"),
        "exact",
        &format!(
            "{:+} B, {:+} of {all} packets",
            off(to.rx_bytes, way.bytes),
            off(to.rx_packets, all)
        ),
    );
    measured(
        &format!("network: {what}, sent"),
        "exact, with what was dropped below the hook",
        &format!(
            "{:+} B, {:+} of {all} packets; {} dropped",
            off(from.tx_bytes, way.bytes),
            off(from.tx_packets, all),
            way.dropped
        ),
    );
}
