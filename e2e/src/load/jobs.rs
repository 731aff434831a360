//! Many short jobs, each in a cgroup of its own that is removed behind it.
#![expect(
    clippy::print_stdout,
    reason = "a workload tells its parent what it did"
)]

use std::{
    collections::HashMap,
    fs,
    net::{Ipv4Addr, UdpSocket},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use super::{
    clock::{boot_ns, burn, exit_now, fork, sleep_until, wait},
    number,
};
use crate::cgroup;

/// Bytes of the datagram that a job sends.
pub const DATAGRAM_BYTES: u64 = 64;

/// What became of a job, as [`jobs`] prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Name of its cgroup.
    pub name: String,
    /// Id of its cgroup.
    pub id: u64,
    /// `usage_usec` of its cgroup when its process had ended, in nanoseconds.
    pub usage_ns: u64,
}

impl Job {
    /// From a line of output.
    pub fn parse(line: &str) -> Result<Self> {
        let fields: Vec<String> = line.split(' ').map(str::to_owned).collect();
        Ok(Self {
            id: number(&fields, 1)?,
            usage_ns: number(&fields, 2)?,
            name: fields.into_iter().next().unwrap_or_default(),
        })
    }
}

/// What every job does.
#[derive(Clone, Copy)]
struct Plan {
    life: Duration,
    cpu: Duration,
    port: u16,
}

/// The directory for the cgroups, then number of jobs, how many at a time, milliseconds that one
/// lives, microseconds of CPU time that it burns, and the loopback port that it sends a datagram to,
/// 0 for none.
pub(super) fn jobs(arguments: &[String]) -> Result<()> {
    let parent = Path::new(arguments.first().context("a directory is missing")?);
    let plan = Plan {
        life: Duration::from_millis(number(arguments, 3)?),
        cpu: Duration::from_micros(number(arguments, 4)?),
        port: u16::try_from(number(arguments, 5)?)?,
    };
    let mut running = HashMap::new();
    for job in 0..number(arguments, 1)? {
        if running.len() as u64 >= number(arguments, 2)? {
            end_one(&mut running)?;
        }
        let directory = parent.join(format!("job-{job}"));
        running.insert(start(&directory, plan)?, directory);
    }
    while !running.is_empty() {
        end_one(&mut running)?;
    }
    Ok(())
}

fn start(directory: &Path, plan: Plan) -> Result<u32> {
    fs::create_dir(directory).with_context(|| format!("making {}", directory.display()))?;
    let pid = fork()?;
    if pid == 0 {
        exit_now(i32::from(work(directory, plan).is_err()));
    }
    Ok(pid)
}

fn work(directory: &Path, plan: Plan) -> Result<()> {
    let end = boot_ns() + plan.life.as_nanos() as u64;
    fs::write(directory.join("cgroup.procs"), "0")?;
    if plan.port != 0 {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.send_to(
            &[0; DATAGRAM_BYTES as usize],
            (Ipv4Addr::LOCALHOST, plan.port),
        )?;
    }
    burn(plan.cpu);
    sleep_until(end);
    Ok(())
}

/// Waits for one job and removes its cgroup.
fn end_one(running: &mut HashMap<u32, PathBuf>) -> Result<()> {
    let ended = wait(None)?;
    let directory = running
        .remove(&ended.pid)
        .context("an unknown child ended")?;
    ensure!(
        ended.status == 0,
        "a job ended with status {}",
        ended.status
    );
    let id = fs::metadata(&directory)?.ino();
    let usage_usec = agent::cgroups::read_cpu_stat(&directory, "/")?.usage_usec;
    cgroup::remove(&directory)?;
    let name = directory.file_name().unwrap_or_default().to_string_lossy();
    println!("{name} {id} {}", usage_usec * 1000);
    Ok(())
}
