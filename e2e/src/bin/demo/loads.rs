//! The demo's workloads. Each process runs in a cgroup of its own.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use agent::run;
use anyhow::{Context as _, Result};
use e2e::{
    cgroup::{TestCgroup, write},
    harness::say,
    process::{Running, Workload},
};

use crate::pods;

/// CPU time of a burst.
const BURST: Duration = Duration::from_millis(80);
/// CPU time of a workload that hardly lives.
const BLINK: Duration = Duration::from_millis(5);
/// How often the loads do something.
const BEAT: Duration = Duration::from_secs(1);
/// Beats between two workloads that take too much memory.
const HUNGRY_EVERY: u32 = 5;
/// What those may have.
const MEMORY_LIMIT: &str = "33554432";
/// Bytes sent in a beat.
const TRANSFER: usize = 1_000_000;

/// By name.
pub(crate) const WORKLOADS: &[Workload] = &[
    ("burst", burst),
    ("transfer", transfer),
    ("blink", blink),
    ("hungry", hungry),
    ("spin", pods::spin),
    ("send", pods::send),
];

/// What the loads truly did.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    /// Path and CPU time by `cpu.stat` of each long-running workload.
    pub(crate) cpu: Vec<(String, u64)>,
    /// Paths of the workloads that hardly lived.
    pub(crate) blinks: Vec<String>,
    /// Paths of the workloads that were killed for their memory.
    pub(crate) killed: Vec<String>,
}

/// The running loads.
pub(crate) struct Loads {
    stop: Arc<AtomicBool>,
    driver: thread::JoinHandle<Result<Truth>>,
}

impl Loads {
    pub(crate) fn start() -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let driver_stop = Arc::clone(&stop);
        let driver = thread::spawn(move || drive(&driver_stop));
        Ok(Self { stop, driver })
    }

    /// Ends all of them; what they did.
    pub(crate) fn finish(self) -> Result<Truth> {
        self.stop.store(true, Ordering::Relaxed);
        self.driver
            .join()
            .map_err(|_| anyhow::anyhow!("the loads' thread panicked"))?
    }
}

fn drive(stop: &AtomicBool) -> Result<Truth> {
    let mut truth = Truth::default();
    let cgroups = [TestCgroup::new("burst")?, TestCgroup::new("transfer")?];
    let running = [
        Running::start(&cgroups[0], None, "burst", &[])?,
        Running::start(&cgroups[1], None, "transfer", &[])?,
    ];
    let mut limiter = MemoryLimit::find();
    let mut beat = 0;
    while !stop.load(Ordering::Relaxed) {
        let next = Instant::now() + BEAT;
        truth.blinks.push(blink_once(beat)?);
        if beat % HUNGRY_EVERY == 1
            && let Some(limit) = &mut limiter
        {
            truth.killed.extend(limit.kill_one(beat)?);
        }
        beat += 1;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    drop(running);
    for cgroup in &cgroups {
        truth.cpu.push((cgroup.path.clone(), cgroup.usage_ns()?));
    }
    Ok(truth)
}

fn blink_once(beat: u32) -> Result<String> {
    let cgroup = TestCgroup::new(&format!("short-lived-{beat}"))?;
    Running::start(&cgroup, None, "blink", &[])?.finish()?;
    cgroup.remove()?;
    Ok(cgroup.path.clone())
}

/// How this host limits memory: by the v2 controller, or by a v1 hierarchy beside it.
enum MemoryLimit {
    V2,
    V1(PathBuf),
}

impl MemoryLimit {
    fn find() -> Option<Self> {
        let root = agent::cgroups::find_root()?;
        let on = fs::read_to_string(root.join("cgroup.subtree_control")).unwrap_or_default();
        if on.split_whitespace().any(|name| name == "memory") {
            return Some(Self::V2);
        }
        let v1 = PathBuf::from("/sys/fs/cgroup/memory");
        if v1.join("memory.limit_in_bytes").exists() {
            return Some(Self::V1(v1));
        }
        say("no memory controller found: the demo shows no OOM kill");
        None
    }

    /// Lets a process take too much; its path if it was killed for that.
    fn kill_one(&self, beat: u32) -> Result<Option<String>> {
        let cgroup = TestCgroup::new(&format!("hungry-{beat}"))?;
        let mut process = Running::prepare(&cgroup, None, "hungry", &[])?;
        let v1 = match self {
            Self::V2 => {
                cgroup.write("memory.max", MEMORY_LIMIT)?;
                // Not every kernel has swap to limit.
                drop(cgroup.write("memory.swap.max", "0"));
                None
            }
            Self::V1(root) => {
                let directory = root.join(cgroup.path.trim_start_matches('/'));
                fs::create_dir(&directory)?;
                write(&directory.join("memory.limit_in_bytes"), MEMORY_LIMIT)?;
                write(&directory.join("cgroup.procs"), &process.id().to_string())?;
                Some(directory)
            }
        };
        process.go()?;
        let (status, _) = process.wait_usage()?;
        cgroup.remove()?;
        if let Some(directory) = v1 {
            fs::remove_dir(&directory)
                .with_context(|| format!("removing {}", directory.display()))?;
        }
        let was_killed = libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGKILL;
        Ok(was_killed.then(|| cgroup.path.clone()))
    }
}

/// Uses this much CPU time of the calling thread.
#[expect(unsafe_code, reason = "the thread's clock has no safe wrapper")]
pub(crate) fn burn(length: Duration) {
    let cpu_time = || {
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: a valid pointer; this clock exists on every Linux.
        unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
        Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32)
    };
    let end = cpu_time() + length;
    while cpu_time() < end {
        std::hint::spin_loop();
    }
}

fn burst(_: &[String]) -> Result<()> {
    loop {
        burn(BURST);
        thread::sleep(BEAT - BURST);
    }
}

fn transfer(_: &[String]) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut sender = TcpStream::connect(listener.local_addr()?)?;
    let (mut receiver, _) = listener.accept()?;
    let mut sink = vec![0; TRANSFER];
    loop {
        thread::scope(|scope| {
            let received = scope.spawn(|| receiver.read_exact(&mut sink));
            sender.write_all(&vec![7; TRANSFER])?;
            received.join().unwrap_or(Ok(()))
        })?;
        thread::sleep(BEAT);
    }
}

fn blink(_: &[String]) -> Result<()> {
    // Ctrl-C on a terminal reaches it too, and must not look like a failure of its.
    run::stop_flag()?;
    burn(BLINK);
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.send_to(b"seen?", socket.local_addr()?)?;
    Ok(())
}

fn hungry(_: &[String]) -> Result<()> {
    let mut hoard = Vec::new();
    loop {
        hoard.push(vec![1_u8; 1 << 20]);
    }
}
