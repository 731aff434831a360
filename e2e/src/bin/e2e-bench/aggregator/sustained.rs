//! A real aggregator under the load of a whole cluster, then a storm of all its nodes coming back at once.

use std::{
    fmt,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use e2e::stack::{Daemon, Place, free_port};
use serde::Serialize;
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, sleep_until, timeout},
};

use super::{
    Args,
    clients::{Client, Dialer, Sent},
};
use crate::numbers::{mib, rounded};

/// Handshakes at a time while the load is built up: that is not what is measured.
const AT_ONCE: usize = 64;
const STOP_PATIENCE: Duration = Duration::from_secs(60);
/// For all nodes to be back.
const STORM_PATIENCE: Duration = Duration::from_secs(120);
/// Before a node tries again.
const STORM_PAUSE: Duration = Duration::from_millis(500);

/// What was measured.
#[derive(Serialize)]
pub(super) struct Sustained {
    sustained_rows_per_second: f64,
    sustained_cores: f64,
    sustained_rss_mib: f64,
    kib_per_connection: f64,
    received_ms_p50: f64,
    received_ms_p99: f64,
    storm_seconds: f64,
}

impl Sustained {
    pub(super) fn check(&self, factor: f64) -> Result<()> {
        let most = [
            ("sustained_cores", self.sustained_cores, 0.2),
            ("sustained_rss_mib", self.sustained_rss_mib, 256.0),
            ("received_ms_p99", self.received_ms_p99, 50.0),
            ("kib_per_connection", self.kib_per_connection, 20.0),
            ("storm_seconds", self.storm_seconds, 30.0),
        ];
        for (name, value, bound) in most {
            ensure!(
                value <= bound * factor,
                "{name} is {value}, the bound is {bound} times {factor}"
            );
        }
        Ok(())
    }
}

impl fmt::Display for Sustained {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "sustained   {} rows a second on {} cores, in at most {} MiB, received after {} ms (99th percentile {} ms)",
            self.sustained_rows_per_second,
            self.sustained_cores,
            self.sustained_rss_mib,
            self.received_ms_p50,
            self.received_ms_p99
        )?;
        write!(
            out,
            "connections {} KiB each; all of them back after {} s",
            self.kib_per_connection, self.storm_seconds
        )
    }
}

pub(super) fn measure(args: &Args, directory: &Path) -> Result<Sustained> {
    under(args, directory, async |place, port, process| {
        load(args, place, port, process).await
    })
}

/// Does something to an aggregator that takes all the nodes.
pub(super) fn under<T>(
    args: &Args,
    directory: &Path,
    measure: impl AsyncFnOnce(&Place, u16, u32) -> Result<T>,
) -> Result<T> {
    let aggregator = args.aggregator.as_deref().context("no aggregator")?;
    let place = Place::make(directory)?;
    let port = free_port()?;
    let url = format!("file://{}", place.file("sustained").display());
    let mut command = place.aggregator(aggregator, &url, port);
    // All of them come from one address here.
    let most = (2 * args.nodes).to_string();
    command.args([
        "--max-connections",
        &most,
        "--max-connections-per-peer",
        &most,
    ]);
    let mut daemon = Daemon::start(command, &place.file("aggregator.log"))?;
    daemon.await_port(port)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let measured = runtime.block_on(measure(&place, port, daemon.id()));
    let measured = measured.with_context(|| daemon.last_words())?;
    let status = daemon.stop(STOP_PATIENCE)?;
    ensure!(
        status.success(),
        "the aggregator ended with {status}: {}",
        daemon.last_words()
    );
    Ok(measured)
}

async fn load(args: &Args, place: &Place, port: u16, process: u32) -> Result<Sustained> {
    let token: Arc<str> = std::fs::read_to_string(place.file("token"))?.into();
    let dialer = Arc::new(Dialer::new(&place.file("ca.crt"), port)?);
    let empty = memory(process, "VmRSS:")?;
    let clients = connect(clients(args, &token), &dialer).await?;
    let connected = memory(process, "VmRSS:")?;
    // The first window of each opens its epoch, which waits for a look at the ledger: once in a life.
    let (clients, _) = send(clients, args.interval, 1).await?;
    let (began, before) = (Instant::now(), cpu(process)?);
    let (clients, sent) = send(clients, args.interval, args.windows).await?;
    let cores = (cpu(process)? - before).as_secs_f64() / began.elapsed().as_secs_f64();
    let most = memory(process, "VmHWM:")?;
    let (_, storm_seconds) = storm(clients, &dialer).await?;
    let mut took: Vec<f64> = sent
        .iter()
        .map(|sent| sent.took.as_secs_f64() * 1e3)
        .collect();
    took.sort_by(f64::total_cmp);
    let rank = |percent| took.get(took.len() * percent / 100).copied();
    Ok(Sustained {
        sustained_rows_per_second: rounded(
            (args.nodes * args.pods) as f64 / args.interval.as_secs_f64(),
        ),
        sustained_cores: rounded(cores),
        sustained_rss_mib: rounded(mib(most)),
        kib_per_connection: rounded(kib_each(empty, connected, args.nodes)),
        received_ms_p50: rank(50).map_or(f64::NAN, rounded),
        received_ms_p99: rank(99).map_or(f64::NAN, rounded),
        storm_seconds: rounded(storm_seconds),
    })
}

/// All nodes, not connected yet.
pub(super) fn clients(args: &Args, token: &Arc<str>) -> Vec<Client> {
    let client = |number| Client::new(number, args.pods, args.interval, Arc::clone(token));
    (0..args.nodes).map(client).collect()
}

/// What one of them has of a growth.
pub(super) fn kib_each(before: u64, after: u64, nodes: usize) -> f64 {
    after.saturating_sub(before) as f64 / 1024.0 / nodes as f64
}

pub(super) async fn connect(clients: Vec<Client>, dialer: &Arc<Dialer>) -> Result<Vec<Client>> {
    let (mut tasks, places) = (JoinSet::new(), Arc::new(Semaphore::new(AT_ONCE)));
    for mut client in clients {
        let (dialer, places) = (Arc::clone(dialer), Arc::clone(&places));
        tasks.spawn(async move {
            let _place = places.acquire().await?;
            client.connect(&dialer).await.map(|()| client)
        });
    }
    let mut connected = Vec::new();
    while let Some(client) = tasks.join_next().await {
        connected.push(client??);
    }
    Ok(connected)
}

/// Every node sends its windows, the nodes spread over the interval.
async fn send(
    clients: Vec<Client>,
    interval: Duration,
    windows: u32,
) -> Result<(Vec<Client>, Vec<Sent>)> {
    let (mut tasks, began) = (JoinSet::new(), Instant::now());
    let nodes = clients.len();
    for (number, mut client) in clients.into_iter().enumerate() {
        let share = number as f64 / nodes as f64;
        tasks.spawn(async move {
            let mut sent = Vec::new();
            for window in 0..windows {
                let due = began + interval.mul_f64(share) + interval * window;
                sleep_until(due.into()).await;
                sent.push(client.send().await?);
            }
            anyhow::Ok((client, sent))
        });
    }
    let (mut clients, mut all) = (Vec::new(), Vec::new());
    while let Some(done) = tasks.join_next().await {
        let (client, sent) = done??;
        clients.push(client);
        all.extend(sent);
    }
    Ok((clients, all))
}

/// All of them lose their connection and come back at once; until the last one is answered.
pub(super) async fn storm(
    mut clients: Vec<Client>,
    dialer: &Arc<Dialer>,
) -> Result<(Vec<Client>, f64)> {
    clients.iter_mut().for_each(Client::hang_up);
    let (mut tasks, began) = (JoinSet::new(), Instant::now());
    for client in clients {
        let back = come_back(client, Arc::clone(dialer));
        tasks.spawn(timeout(STORM_PATIENCE, back));
    }
    let mut back = Vec::new();
    while let Some(answered) = tasks.join_next().await {
        back.push(answered?.context("not all of them come back")?);
    }
    Ok((back, began.elapsed().as_secs_f64()))
}

/// An aggregator under a storm may refuse for a moment, or give up a handshake that takes too long.
async fn come_back(mut client: Client, dialer: Arc<Dialer>) -> Client {
    while client.connect(&dialer).await.is_err() || client.ask().await.is_err() {
        sleep(STORM_PAUSE).await;
    }
    client
}

/// CPU time of all threads of a process.
pub(super) fn cpu(process: u32) -> Result<Duration> {
    let mut sum = 0;
    for task in std::fs::read_dir(format!("/proc/{process}/task"))? {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        sum += text
            .split(' ')
            .next()
            .context("an empty schedstat")?
            .parse::<u64>()?;
    }
    Ok(Duration::from_nanos(sum))
}

/// A size as a process's status tells it.
pub(super) fn memory(process: u32, name: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.with_context(|| format!("no {name}"))?.parse::<u64>()? * 1024)
}
