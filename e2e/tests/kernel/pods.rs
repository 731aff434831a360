//! Pods whose processes run here, in cgroups like those that a kubelet makes: the kernel's counts, the
//! pods' names, and their end.
#![expect(
    clippy::print_stdout,
    reason = "a workload tells its parent what it did"
)]

use std::{
    fs,
    io::Read as _,
    net::{Ipv4Addr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    cgroup::TestCgroup,
    fakes::{Pod, Scene, Template},
    harness::{Need, Test, measured},
    node::{FakeNode, INTERVAL, balance, comes_from, pod_rows, run_until},
    process::{Running, Workload},
};
use protocol::{Closing, PodUsage, Row};

pub(crate) const WORKLOADS: &[Workload] = &[("container", container), ("blink", blink)];
pub(crate) const TESTS: &[Test] = &[
    Test {
        name: "pods_in_cgroups_are_counted_named_and_closed",
        needs: &[],
        run: counted_named_closed,
    },
    Test {
        name: "pods_that_come_and_go_all_get_their_last_row",
        needs: &[],
        run: churn,
    },
    Test {
        name: "pods_have_memory_from_their_cgroups_without_a_kubelet",
        needs: &[Need::MemoryController],
        run: memory_by_files,
    },
];

/// Nobody told the API server or the kubelet of it.
const UNKNOWN_UID: &str = "99999999-aaaa-bbbb-cccc-000000000001";
const UNKNOWN_CONTAINER: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const DATAGRAMS: u64 = 200;
const PAYLOAD: usize = 500;
/// IP and UDP headers.
const HEADERS: usize = 28;
const BURN: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(30);
/// A hundred a second.
const PODS: usize = 300;

/// Burns CPU time, sends datagrams to itself, then waits for the end of its input.
fn container(_: &[String]) -> Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = socket.local_addr()?;
    for _ in 0..DATAGRAMS {
        socket.send_to(&[0; PAYLOAD], address)?;
        socket.recv(&mut [0; PAYLOAD])?;
    }
    let start = Instant::now();
    while start.elapsed() < BURN {}
    println!("done");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Is there for a moment.
fn blink(_: &[String]) -> Result<()> {
    Ok(())
}

/// The cgroups of one pod, and what runs in them.
struct Containers {
    running: Vec<Running>,
    cgroups: Vec<TestCgroup>,
    pod: TestCgroup,
}

impl Containers {
    fn start(parent: &TestCgroup, uid: &str, ids: &[&str]) -> Result<Self> {
        let pod = parent.child(&format!("pod{uid}"))?;
        let cgroups = ids
            .iter()
            .map(|id| pod.child(id))
            .collect::<Result<Vec<_>>>()?;
        let start = |cgroup| Running::start(cgroup, None, "container", &[]);
        let running = cgroups.iter().map(start).collect::<Result<_>>()?;
        Ok(Self {
            running,
            cgroups,
            pod,
        })
    }

    fn await_work(&mut self) -> Result<()> {
        self.running
            .iter_mut()
            .try_for_each(|running| running.line().map(drop))
    }

    /// Ends and removes everything; CPU time by the kernel's own file.
    fn end(self) -> Result<f64> {
        for running in self.running {
            running.finish()?;
        }
        let stat = fs::read_to_string(self.pod.directory.join("cpu.stat"))?;
        let usage = stat
            .lines()
            .find_map(|line| line.strip_prefix("usage_usec "));
        let usage: f64 = usage.context("no usage_usec")?.parse()?;
        drop(self.cgroups);
        drop(self.pod);
        Ok(usage / 1e6)
    }
}

/// What truly happened.
struct Truth {
    pods: Vec<Lived>,
}

/// What one pod did.
struct Lived {
    /// Its uid by its cgroup and, of a static pod another, by the API server.
    uids: [String; 2],
    name: Option<String>,
    cpu_seconds: f64,
    containers: u64,
}

fn ids(pod: &Pod) -> Result<Vec<String>> {
    let statuses =
        pod.object.as_ref().context("no object")?["status"]["containerStatuses"].as_array();
    let id = |status: &serde_json::Value| {
        Some(
            status["containerID"]
                .as_str()?
                .strip_prefix("containerd://")?
                .to_owned(),
        )
    };
    Ok(statuses
        .context("no containers")?
        .iter()
        .filter_map(id)
        .collect())
}

/// Runs three pods of different kinds and one that nobody knows, deletes them in the API first, and
/// ends them then.
fn live_and_die(scene: &Scene, names: &[(&str, Template)]) -> Result<Truth> {
    let root = TestCgroup::new("node")?;
    let kubepods = root.child("kubepods")?;
    let burstable = kubepods.child("burstable")?;
    let mut live = Vec::new();
    for (name, template) in names {
        let pod = Pod::like(*template, "test", name)?;
        let (ids, uid) = (ids(&pod)?, pod.uid.clone());
        let shown = pod.object_uid().unwrap_or(&uid).to_owned();
        scene.add_fresh(pod);
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let containers = Containers::start(&burstable, &uid, &ids)?;
        live.push((uid, shown, Some((*name).to_owned()), containers));
    }
    let unknown = Containers::start(&kubepods, UNKNOWN_UID, &[UNKNOWN_CONTAINER])?;
    live.push((
        UNKNOWN_UID.to_owned(),
        UNKNOWN_UID.to_owned(),
        None,
        unknown,
    ));
    for (_, _, _, containers) in &mut live {
        containers.await_work()?;
    }
    // Two windows, so that everybody is met.
    thread::sleep(2 * INTERVAL + Duration::from_millis(100));
    for (uid, ..) in &live {
        scene.remove(uid);
    }
    thread::sleep(Duration::from_millis(100));
    let mut pods = Vec::new();
    for (uid, shown, name, containers) in live {
        pods.push(Lived {
            uids: [uid, shown],
            name,
            containers: containers.running.len() as u64,
            cpu_seconds: containers.end()?,
        });
    }
    drop((burstable, kubepods, root));
    Ok(Truth { pods })
}

fn counted_named_closed() -> Result<()> {
    let node = FakeNode::new(Scene::of_size(0)?)?;
    let names = [
        ("two", Template::Web),
        ("onhost", Template::HostNetwork),
        ("static", Template::Static),
    ];
    let scene = node.scene.clone();
    let (counting, begin) = mpsc::channel::<()>();
    let driver = thread::spawn(move || {
        begin.recv()?;
        live_and_die(&scene, &names)
    });
    let mut closed = 0;
    let windows = run_until(node.settings(), PATIENCE, |rows| {
        // From the first window on everything is counted. It listens to the first word only.
        counting.send(()).unwrap_or_default();
        closed += pod_rows(rows).filter(|usage| usage.is_final).count();
        closed >= 4 && driver.is_finished()
    })?;
    let truth = driver
        .join()
        .map_err(|_| anyhow::anyhow!("the driver panicked"))??;
    for lived in &truth.pods {
        let rows: Vec<&PodUsage> = windows
            .iter()
            .flat_map(|rows| pod_rows(rows))
            .filter(|usage| lived.uids.contains(&usage.pod_id))
            .collect();
        check_life(&rows, lived)
            .with_context(|| format!("pod {:?} {:?}: {rows:#?}", lived.uids, lived.name))?;
    }
    windows.iter().try_for_each(|rows| one_row_each(rows))
}

fn check_life(rows: &[&PodUsage], lived: &Lived) -> Result<()> {
    let (name, cpu_seconds) = (lived.name.as_deref(), lived.cpu_seconds);
    let told: f64 = rows.iter().filter_map(|row| row.cpu_seconds).sum();
    let off = (told - cpu_seconds).abs() / cpu_seconds;
    measured(
        "CPU of a pod's containers against cpu.stat of the pod",
        "1 %",
        &format!("{:.3} %", off * 100.0),
    );
    ensure!(off <= 0.01, "{told} s in rows, {cpu_seconds} s in cpu.stat");
    let datagrams = i64::try_from(DATAGRAMS * lived.containers)?;
    let bytes = datagrams * i64::try_from(PAYLOAD + HEADERS)?;
    let sum = |figure: fn(&PodUsage) -> Option<i64>| {
        rows.iter().filter_map(|row| figure(row)).sum::<i64>()
    };
    ensure!(
        sum(|row| row.net_tx_packets_delta) == datagrams,
        "packets sent"
    );
    ensure!(sum(|row| row.net_tx_bytes_delta) == bytes, "bytes sent");
    ensure!(sum(|row| row.net_rx_bytes_delta) == bytes, "bytes received");
    let last = rows.last().context("no row at all")?;
    ensure!(
        last.pod_id == lived.uids[1],
        "the last row's uid is {}",
        last.pod_id
    );
    ensure!(
        last.is_final && last.closing == Some(Closing::Final),
        "the last row is final"
    );
    ensure!(
        rows.iter().filter(|row| row.is_final).count() == 1,
        "one final row"
    );
    ensure!(
        last.pod_name.as_deref() == name,
        "the last row's name is {:?}",
        last.pod_name
    );
    ensure!(last.cgroup_id.is_some(), "no cgroup");
    let source = if name.is_some() {
        "name=api"
    } else {
        "name=path"
    };
    ensure!(
        comes_from(last, source) && comes_from(last, "network=kernel"),
        "sources"
    );
    if last.host_network == Some(true) {
        let running = last.net_tx_bytes.context("no running total")?;
        ensure!(
            running == bytes,
            "a running total of {running} is not the kernel's own"
        );
    }
    peaks_fit_means(rows)
}

fn peaks_fit_means(rows: &[&PodUsage]) -> Result<()> {
    // The highest 100 ms of a window are at least its mean, if the window is much longer than they are:
    // the one that is cut short at the start may have all of its time in 40 ms.
    let is_whole = |row: &&&PodUsage| {
        let length_us = row.window_end.unix_us - row.window_start.unix_us;
        u128::try_from(length_us).is_ok_and(|length| length >= INTERVAL.as_micros() * 9 / 10)
    };
    for row in rows
        .iter()
        .filter(is_whole)
        .filter(|row| row.cpu_seconds > Some(0.05))
    {
        let (peak, mean) = (row.cpu_peak_cores, row.cpu_usage_cores);
        let mean = mean.context("no mean")?;
        ensure!(
            peak.is_some_and(|peak| peak >= 0.9 * mean),
            "a peak of {peak:?}, a mean of {mean}"
        );
    }
    Ok(())
}

fn one_row_each(rows: &[Row]) -> Result<()> {
    let mut uids: Vec<&str> = pod_rows(rows).map(|usage| usage.pod_id.as_str()).collect();
    let all = uids.len();
    uids.sort_unstable();
    uids.dedup();
    ensure!(uids.len() == all, "a pod has two rows in one window");
    let balance = balance(rows)?;
    let held = balance.net_tx_bytes;
    ensure!(held.in_flight.abs() <= held.total.max(100_000), "{held:?}");
    Ok(())
}

/// A hundred pods a second, each with a process in its container for a moment.
fn churn() -> Result<()> {
    let node = FakeNode::new(Scene::of_size(10)?)?;
    let over = Arc::new(AtomicBool::new(false));
    let done = Arc::clone(&over);
    let (counting, begin) = mpsc::channel::<()>();
    let driver = thread::spawn(move || {
        begin.recv()?;
        let made = come_and_go(PODS);
        done.store(true, Ordering::Relaxed);
        made
    });
    let mut finals = 0;
    let windows = run_until(node.settings(), Duration::from_secs(60), |rows| {
        counting.send(()).unwrap_or_default();
        finals += pod_rows(rows).filter(|usage| usage.is_final).count();
        over.load(Ordering::Relaxed) && finals >= PODS
    })?;
    let uids = driver
        .join()
        .map_err(|_| anyhow::anyhow!("the driver panicked"))??;
    let closed: Vec<&PodUsage> = windows
        .iter()
        .flat_map(|rows| pod_rows(rows))
        .filter(|usage| usage.is_final)
        .collect();
    let missing = uids
        .iter()
        .filter(|uid| !closed.iter().any(|usage| usage.pod_id == **uid));
    ensure!(
        missing.clone().count() == 0,
        "no last row for {} of {PODS}",
        missing.count()
    );
    ensure!(
        closed.len() == PODS,
        "{} last rows for {PODS} pods",
        closed.len()
    );
    let idle = closed
        .iter()
        .filter(|last| {
            let rows = windows.iter().flat_map(|rows| pod_rows(rows));
            let own = rows.filter(|usage| usage.pod_id == last.pod_id);
            own.filter_map(|usage| usage.cpu_seconds).sum::<f64>() <= 0.0
        })
        .count();
    ensure!(
        idle == 0,
        "{idle} pods without CPU time, though a process ran in each"
    );
    Ok(())
}

fn come_and_go(pods: usize) -> Result<Vec<String>> {
    let root = TestCgroup::new("churn")?;
    let kubepods = root.child("kubepods")?;
    let began = Instant::now();
    let mut uids = Vec::new();
    for number in 0..pods {
        let uid = format!("77777777-0000-4000-8000-{number:012x}");
        let pod = kubepods.child(&format!("pod{uid}"))?;
        let container = pod.child(UNKNOWN_CONTAINER)?;
        Running::start(&container, None, "blink", &[])?.finish()?;
        drop((container, pod));
        uids.push(uid);
        let due = began + Duration::from_millis(10) * u32::try_from(number)?;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    drop((kubepods, root));
    Ok(uids)
}

/// With controllers a cgroup's own files tell memory and I/O.
fn memory_by_files() -> Result<()> {
    let node = FakeNode::new(Scene::of_size(0)?)?;
    let mut settings = node.settings();
    settings.kubelet = None;
    let root = TestCgroup::new("files")?;
    let kubepods = root.child("kubepods")?;
    for cgroup in [&root, &kubepods] {
        fs::write(cgroup.directory.join("cgroup.subtree_control"), "+memory")?;
    }
    let mut containers = Containers::start(&kubepods, UNKNOWN_UID, &[UNKNOWN_CONTAINER])?;
    containers.await_work()?;
    let windows = run_until(settings, PATIENCE, |rows| {
        pod_rows(rows).any(|usage| usage.memory_usage_bytes.is_some())
    })?;
    let rows = windows.last().context("no window")?;
    let usage = pod_rows(rows).next().context("no row of the pod")?;
    let used = usage.memory_usage_bytes.context("no memory")?;
    ensure!(used > 0 && comes_from(usage, "memory=cgroup"), "{usage:#?}");
    ensure!(
        usage
            .memory_working_set_bytes
            .is_some_and(|bytes| bytes <= used),
        "{usage:#?}"
    );
    let file = containers.pod.directory.join("memory.peak");
    if let Ok(peak) = fs::read_to_string(file) {
        let (peak, told): (i64, _) = (peak.trim().parse()?, usage.memory_peak_bytes);
        ensure!(
            told.is_some_and(|told| told > 0 && told <= peak),
            "{told:?} of {peak}"
        );
    }
    containers.end().map(drop)
}
