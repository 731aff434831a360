//! Packet programs on real packets: attached to a cgroup together with empty ones, by the kernel's
//! run statistics. Each datagram passes both hooks. On a miss the addresses of successive datagrams
//! push each other out of the class cache, so that every packet asks the prefix tables.

use std::net::{Ipv4Addr, UdpSocket};

use agent::kernel::{Kernel, Source, sys};
use anyhow::{Context as _, Result};
use aya::programs::CgroupSkbAttachType;
use e2e::{
    cgroup::TestCgroup,
    process::{Running, Workload},
};

use super::{
    comparators::Comparators,
    options, prefixes,
    statistics::{Statistics, id_of, ns_each},
};
use crate::numbers::median;

pub(super) const WORKLOAD: Workload = ("datagrams", datagrams);

const ROUNDS: usize = 9;
const DATAGRAMS: u32 = 100_000;
const CPU: usize = 1;

/// Nanoseconds over an empty program at the same hook.
pub(super) struct Attached {
    pub(super) egress_hit: f64,
    pub(super) ingress_hit: f64,
    pub(super) egress_miss: f64,
    pub(super) ingress_miss: f64,
}

pub(super) fn measure() -> Result<Attached> {
    let cgroup = TestCgroup::new("datagrams")?;
    let mut options = options(&[Source::Network])?;
    options.cgroup_root.clone_from(&cgroup.directory);
    options.loopback_shortcut = false;
    options.prefixes = prefixes::many();
    let kernel = Kernel::start(&options)?;
    let (mut out, mut into) = (Comparators::load()?, Comparators::load()?);
    let (egress, ingress) = (CgroupSkbAttachType::Egress, CgroupSkbAttachType::Ingress);
    let ids = [
        id_of(&kernel, "network_egress")?,
        out.attach_packets("empty_skb", &cgroup.directory, egress)?,
        id_of(&kernel, "network_ingress")?,
        into.attach_packets("empty_skb", &cgroup.directory, ingress)?,
    ];
    let _statistics = Statistics::on()?;
    let [egress_hit, ingress_hit] = rounds(&cgroup, ids, "one")?;
    let [egress_miss, ingress_miss] = rounds(&cgroup, ids, "rivals")?;
    Ok(Attached {
        egress_hit,
        ingress_hit,
        egress_miss,
        ingress_miss,
    })
}

fn rounds(cgroup: &TestCgroup, ids: [u32; 4], addresses: &str) -> Result<[f64; 2]> {
    let mut sender = Running::start(cgroup, None, WORKLOAD.0, &[addresses])?;
    let (mut egress, mut ingress) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let each = ns_each(ids, || {
            sender.tell("send")?;
            sender.line().map(drop)
        })?;
        egress.push(each[0] - each[1]);
        ingress.push(each[2] - each[3]);
    }
    sender.finish()?;
    Ok([median(egress), median(ingress)])
}

/// Sends and receives [`DATAGRAMS`] at each line of input.
fn datagrams(arguments: &[String]) -> Result<()> {
    sys::run_on(CPU).context("moving to one CPU")?;
    let is_one = arguments.first().is_some_and(|which| which == "one");
    let pairs = if is_one { 1 } else { usize::MAX };
    let sockets = prefixes::rivals(11)
        .into_iter()
        .zip(prefixes::rivals(200))
        .take(pairs)
        .map(|(from, to)| pair(from, to))
        .collect::<Result<Vec<_>>>()?;
    let mut line = String::new();
    while std::io::stdin().read_line(&mut line)? > 0 {
        for (sender, receiver) in sockets.iter().cycle().take(DATAGRAMS as usize) {
            sender.send(&[0; 64])?;
            receiver.recv(&mut [0; 64])?;
        }
        crate::print("sent")?;
    }
    Ok(())
}

fn pair(from: Ipv4Addr, to: Ipv4Addr) -> Result<(UdpSocket, UdpSocket)> {
    let receiver = UdpSocket::bind((to, 0))?;
    let sender = UdpSocket::bind((from, 0))?;
    sender.connect(receiver.local_addr()?)?;
    Ok((sender, receiver))
}
