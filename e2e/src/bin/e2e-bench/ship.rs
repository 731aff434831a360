//! `e2e-bench ship`: what an agent's side of the way costs: encoding, spooling and sending a window, and the
//! size of the spool when nobody takes anything.

use std::{
    cell::RefCell,
    fmt,
    path::{Path, PathBuf},
    rc::Rc,
    time::{Duration, SystemTime},
};

use agent::{
    config::Config,
    health::Health,
    ship::{Settings, Shipper},
    spool::{self, Entry, Spool},
};
use aggregator::generate::FakeAgent;
use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use e2e::stack::{Daemon, Place, free_port};
use protocol::{Counts, Timestamp, encode_rows};
use serde::Serialize;
use tokio::sync::Notify;

use crate::numbers::{Of, cpu_time, median, mib, rounded};

const INTERVAL_US: i64 = 30_000_000;
const DAY: Duration = Duration::from_secs(24 * 3600);
const ROOM: u64 = 256 << 20;
const PATIENCE: Duration = Duration::from_secs(10);

/// What to print.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print the numbers as JSON
    #[arg(long)]
    json: bool,
    /// Pods of the node
    #[arg(long, default_value_t = 250)]
    pods: usize,
    /// Windows that are sent, and windows that wait
    #[arg(long, default_value_t = 120)]
    windows: u64,
    /// Fail where a number is beyond its bound by more than this factor, for example 1.25
    #[arg(long, value_name = "FACTOR")]
    check: Option<f64>,
    /// The aggregator
    #[arg(long, value_name = "FILE", env = "PODLEDGER_AGGREGATOR")]
    aggregator: PathBuf,
}

/// The figures.
#[derive(Serialize)]
struct Figures {
    encode_ms: f64,
    spool_ms: f64,
    send_ms: f64,
    cpu_ms_per_batch: f64,
    wire_bytes_per_row: f64,
    spool_file_mib: f64,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let directory = std::env::temp_dir().join(format!("podledger-ship-{}", std::process::id()));
    let figures = measure(args, &directory);
    std::fs::remove_dir_all(&directory)?;
    let figures = figures?;
    crate::print(&if args.json {
        serde_json::to_string(&figures)?
    } else {
        figures.to_string()
    })?;
    args.check.map_or(Ok(()), |factor| figures.check(factor))
}

fn measure(args: &Args, directory: &Path) -> Result<Figures> {
    let place = Place::make(directory)?;
    let port = free_port()?;
    let url = format!("file://{}", place.file("tables").display());
    let mut daemon = Daemon::start(
        place.aggregator(&args.aggregator, &url, port),
        &place.file("aggregator.log"),
    )?;
    daemon.await_port(port)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let sent = tokio::task::LocalSet::new().block_on(&runtime, send(args, &place, port));
    let (mut figures, bytes) = sent.with_context(|| daemon.last_words())?;
    figures.wire_bytes_per_row = rounded(bytes as f64 / args.pods as f64);
    figures.spool_file_mib = rounded(mib(waiting(args, &place.file("waiting"))?));
    Ok(figures)
}

/// A spool in this directory.
fn open(directory: &Path) -> Result<Spool> {
    let settings = spool::Settings {
        file: directory.join("spool.redb"),
        max_bytes: ROOM,
        max_age: DAY,
    };
    Ok(Spool::open(settings)?.0)
}

fn entry(agent: &mut FakeAgent, seq: u64) -> (Entry, Duration) {
    let now = Timestamp::from_system(SystemTime::now());
    let rows = agent.rows(now);
    let mut counts = Counts::default();
    rows.iter().for_each(|row| counts[row.table()] += 1);
    let header = agent.header(seq, now, None);
    let before = cpu_time(Of::Process);
    let frame = Bytes::from(encode_rows(&header, &rows));
    let used = cpu_time(Of::Process) - before;
    let entry = Entry {
        header,
        rows: counts,
        frame,
    };
    (entry, used)
}

/// Medians of what each step takes, and the size of a batch.
async fn send(args: &Args, place: &Place, port: u16) -> Result<(Figures, usize)> {
    let mut agent = FakeAgent::new(1, args.pods, INTERVAL_US);
    let spool = Rc::new(RefCell::new(open(&place.file("sent"))?));
    let grown = Rc::new(Notify::new());
    let mut config = Config::default();
    config.aggregator.ca_file = place.file("ca.crt");
    config.aggregator.token_file = place.file("token");
    let settings = Settings::new(&format!("https://localhost:{port}"), &config.aggregator)?;
    let mut shipper = Shipper::new(
        settings,
        agent.name.clone(),
        (Rc::clone(&spool), Rc::clone(&grown)),
        Health::new("aggregator"),
        1,
    )?;
    let tally = shipper.tally();
    let (mut encoding, mut spooling, mut sending) = (Vec::new(), Vec::new(), Vec::new());
    let mut bytes = 0;
    for seq in 1..=args.windows {
        let (entry, used) = entry(&mut agent, seq);
        if seq == 1 {
            spool.borrow_mut().begin(&entry.header)?;
        }
        bytes = entry.frame.len();
        encoding.push(used.as_secs_f64() * 1e3);
        let before = cpu_time(Of::Process);
        spool.borrow_mut().keep(&[entry], Some(b"state"))?;
        spooling.push((cpu_time(Of::Process) - before).as_secs_f64() * 1e3);
        let before = cpu_time(Of::Process);
        grown.notify_one();
        let answered = async {
            while tally.counts().batches < seq {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::select! {
            () = shipper.run() => {}
            done = tokio::time::timeout(PATIENCE, answered) => done.context("a batch was not answered")?,
        }
        sending.push((cpu_time(Of::Process) - before).as_secs_f64() * 1e3);
    }
    let [encode, spool, send] = [encoding, spooling, sending].map(median);
    let figures = Figures {
        encode_ms: rounded(encode),
        spool_ms: rounded(spool),
        send_ms: rounded(send),
        cpu_ms_per_batch: rounded(encode + spool + send),
        wire_bytes_per_row: f64::NAN,
        spool_file_mib: f64::NAN,
    };
    Ok((figures, bytes))
}

/// Size of the file when all windows wait in it.
fn waiting(args: &Args, directory: &Path) -> Result<u64> {
    let mut agent = FakeAgent::new(2, args.pods, INTERVAL_US);
    let mut spool = open(directory)?;
    for seq in 1..=args.windows {
        let (entry, _) = entry(&mut agent, seq);
        if seq == 1 {
            spool.begin(&entry.header)?;
        }
        spool.keep(&[entry], Some(b"state"))?;
    }
    Ok(std::fs::metadata(directory.join("spool.redb"))?.len())
}

impl Figures {
    fn check(&self, factor: f64) -> Result<()> {
        for (name, value, bound) in [
            ("cpu_ms_per_batch", self.cpu_ms_per_batch, 3.0),
            ("wire_bytes_per_row", self.wire_bytes_per_row, 60.0),
            ("spool_file_mib", self.spool_file_mib, 64.0),
        ] {
            ensure!(
                value <= bound * factor,
                "{name} is {value}, the bound is {bound} times {factor}"
            );
        }
        Ok(())
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "a batch  {} ms CPU: {} to encode, {} to spool, {} to send and be answered",
            self.cpu_ms_per_batch, self.encode_ms, self.spool_ms, self.send_ms
        )?;
        write!(
            out,
            "size     {} bytes a pod-row; the spool's file {} MiB when nobody takes anything",
            self.wire_bytes_per_row, self.spool_file_mib
        )
    }
}
