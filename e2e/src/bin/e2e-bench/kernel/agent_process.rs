//! Resident memory of an agent on a node of 500 cgroups that run and talk.

use std::{
    env, fs,
    net::UdpSocket,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use agent::kernel::{Kernel, Source};
use anyhow::{Context as _, Result, ensure};
use e2e::{
    cgroup::TestCgroup,
    process::{Running, Workload, kill},
};

use super::{CGROUPS, options};

/// A process that goes through cgroups and leaves an account in each.
pub(super) const ACCOUNTS: Workload = ("accounts", accounts);
/// The reader alone, where no agent was built.
pub(super) const STAND_IN: Workload = ("reader", reader);

/// Nothing is left of it, and a running agent is not met.
const ARGUMENTS: [&str; 7] = [
    "run",
    "--host",
    "--output",
    "json",
    "--ephemeral",
    "--interval",
    "5s",
];
/// Long enough for a few windows of the agent.
const SETTLING: Duration = Duration::from_secs(22);

/// Resident memory, and of what.
pub(super) struct Rss {
    pub(super) bytes: u64,
    pub(super) of: &'static str,
}

pub(super) fn measure() -> Result<Rss> {
    let parent = TestCgroup::new("node")?;
    let children = (0..CGROUPS)
        .map(|number| parent.child(&format!("c{number}")))
        .collect::<Result<Vec<_>>>()?;
    let rss = match agent() {
        Some(program) => {
            let agent = Agent::start(program)?;
            visit(&parent, &children)?;
            agent.settled_rss()?
        }
        None => {
            let home = TestCgroup::new("reader")?;
            let mut reader = Running::start(&home, None, STAND_IN.0, &[])?;
            reader.line()?;
            visit(&parent, &children)?;
            reader.tell("read")?;
            reader.line()?;
            let bytes = rss_bytes(reader.id())?;
            reader.finish()?;
            Rss {
                bytes,
                of: "the reader alone: no agent was built",
            }
        }
    };
    drop(children);
    Ok(rss)
}

/// The agent that was built with this program.
fn agent() -> Option<PathBuf> {
    let program = env::current_exe().ok()?.with_file_name("podledger-agent");
    let help = Command::new(&program)
        .args(["run", "--help"])
        .output()
        .ok()?;
    let runs_alone = String::from_utf8_lossy(&help.stdout).contains("--host");
    runs_alone.then_some(program)
}

/// A running agent; ended when dropped.
struct Agent(Child);

impl Agent {
    fn start(program: PathBuf) -> Result<Self> {
        Command::new(program)
            .args(ARGUMENTS)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map(Self)
            .context("starting the agent")
    }

    fn settled_rss(mut self) -> Result<Rss> {
        thread::sleep(SETTLING);
        let ended = self.0.try_wait()?;
        ensure!(ended.is_none(), "the agent ended: {ended:?}");
        Ok(Rss {
            bytes: rss_bytes(self.0.id())?,
            of: "podledger-agent run --host --output json --ephemeral --interval 5s",
        })
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        kill(self.0.id());
        drop(self.0.wait());
    }
}

fn visit(parent: &TestCgroup, children: &[TestCgroup]) -> Result<()> {
    let mut visitor = Running::prepare(parent, None, ACCOUNTS.0, &[])?;
    visitor.go()?;
    for child in children {
        child.add(visitor.id())?;
        visitor.tell("here")?;
        visitor.line()?;
    }
    parent.add(visitor.id())?;
    visitor.finish().map(drop)
}

/// At each line of input runs a millisecond and sends a datagram from a new socket.
fn accounts(_: &[String]) -> Result<()> {
    let mut line = String::new();
    while std::io::stdin().read_line(&mut line)? > 0 {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.send_to(&[0; 64], socket.local_addr()?)?;
        socket.recv(&mut [0; 64])?;
        let start = std::time::Instant::now();
        while start.elapsed() < Duration::from_millis(1) {}
        crate::print("done")?;
    }
    Ok(())
}

/// Starts the programs, then reads at each line of input.
fn reader(_: &[String]) -> Result<()> {
    let mut kernel = Kernel::start(&options(&Source::ALL)?)?;
    crate::print("started")?;
    let mut line = String::new();
    while std::io::stdin().read_line(&mut line)? > 0 {
        kernel.cgroup_events(drop);
        let snapshot = kernel.read()?;
        ensure!(
            snapshot.network.len() as u64 >= CGROUPS,
            "accounts are missing"
        );
        crate::print("read")?;
    }
    Ok(())
}

/// Resident memory of a process.
pub(crate) fn rss_bytes(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
        .map(|kib| kib * 1024)
        .context("a process without resident memory")
}
