//! Requests and responses over TCP on the loopback interface, with the agent's programs attached
//! and without, in turns. Client and server share a CPU and never wait for anything but each other,
//! so that nothing hides the cost; a second is one of their CPU time, so that others' work on the
//! machine does not count.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    thread,
    time::Duration,
};

use agent::kernel::{Kernel, Source, sys};
use anyhow::{Context as _, Result};
use aya::programs::CgroupSkbAttachType;
use e2e::{
    cgroup::TestCgroup,
    process::{Running, Workload},
};

use super::{comparators::Comparators, options};
use crate::numbers::{Of, cpu_time, upper_decile};

pub(super) const WORKLOAD: Workload = ("requests", requests);

const TURNS: usize = 30;
/// Rounds of one turn: short, so that many of them have the caches to themselves.
const ROUNDS: usize = 8;
const ROUND: Duration = Duration::from_millis(25);
const CPU: usize = 1;
/// Looking at the clock is a system call.
const EXCHANGES_BETWEEN_LOOKS: u32 = 50;
const MESSAGE_BYTES: usize = 64;

/// Throughput with programs attached over throughput without.
pub(super) struct Ratios {
    pub(super) ours: f64,
    /// With programs that do nothing at the same hooks: what the hooks themselves cost.
    pub(super) empty: f64,
    /// With systemd's IP accounting, at the hooks of packets alone.
    pub(super) systemd: f64,
}

pub(super) fn measure() -> Result<Ratios> {
    let cgroup = TestCgroup::new("requests")?;
    let options = options(&Source::ALL)?;
    let mut client = Running::start(&cgroup, None, WORKLOAD.0, &[])?;
    Ok(Ratios {
        ours: ratio(&mut client, || Ok(Kernel::start(&options)?))?,
        empty: ratio(&mut client, || empty_programs(&options.cgroup_root))?,
        systemd: ratio(&mut client, || {
            on_packets("systemd_skb", &options.cgroup_root)
        })?,
    })
}

fn empty_programs(root: &Path) -> Result<[Comparators; 2]> {
    let mut programs = on_packets("empty_skb", root)?;
    programs[0].attach_tracepoint("empty_runtime", "sched_stat_runtime")?;
    Ok(programs)
}

fn on_packets(program: &str, root: &Path) -> Result<[Comparators; 2]> {
    let mut programs = [Comparators::load()?, Comparators::load()?];
    programs[0].attach_packets(program, root, CgroupSkbAttachType::Egress)?;
    programs[1].attach_packets(program, root, CgroupSkbAttachType::Ingress)?;
    Ok(programs)
}

fn ratio<P>(client: &mut Running, attach: impl Fn() -> Result<P>) -> Result<f64> {
    rounds(client)?;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let programs = attach()?;
        with.extend(rounds(client)?);
        drop(programs);
        without.extend(rounds(client)?);
    }
    Ok(upper_decile(with) / upper_decile(without))
}

/// Others' work on the machine only ever slows a round down: the fast ones are the undisturbed.
fn rounds(client: &mut Running) -> Result<Vec<f64>> {
    (0..ROUNDS).map(|_| round(client)).collect()
}

/// Exchanges a second.
fn round(client: &mut Running) -> Result<f64> {
    client.tell("go")?;
    Ok(client.line()?.parse()?)
}

/// At each line of input exchanges messages for one round and prints how many a second.
fn requests(_: &[String]) -> Result<()> {
    sys::run_on(CPU).context("moving to one CPU")?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    client.set_nodelay(true)?;
    let (server, _) = listener.accept()?;
    let server = thread::spawn(move || answer(server));
    let mut message = [0; MESSAGE_BYTES];
    let mut line = String::new();
    while std::io::stdin().read_line(&mut line)? > 0 {
        let start = cpu_time(Of::Process);
        let mut exchanges = 0_u32;
        while cpu_time(Of::Process) - start < ROUND {
            for _ in 0..EXCHANGES_BETWEEN_LOOKS {
                client.write_all(&message)?;
                client.read_exact(&mut message)?;
            }
            exchanges += EXCHANGES_BETWEEN_LOOKS;
        }
        let rate = f64::from(exchanges) / (cpu_time(Of::Process) - start).as_secs_f64();
        crate::print(&rate.to_string())?;
    }
    drop(client);
    drop(server.join());
    Ok(())
}

fn answer(mut stream: TcpStream) {
    let mut message = [0; MESSAGE_BYTES];
    while stream.read_exact(&mut message).is_ok() && stream.write_all(&message).is_ok() {}
}
