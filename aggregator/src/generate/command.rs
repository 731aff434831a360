//! `generate` as a command.

use std::{
    io::{self, Write as _},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant, SystemTime},
};

use clap::Args;
use object_store::{ObjectStore, path::Path};
use protocol::{Table, Timestamp};

use super::{Cluster, Shape};
use crate::{
    intake::Sealed,
    lake::{
        Lake, LakeError,
        log::{Detail, Log, table_path},
        rows::WriteSettings,
        settings::Settings,
        store::Store,
    },
    store_url::{StoreError, StoreUrl},
};

/// Rows of `pod_usage` in a commit, as `serve` has it.
const ROWS: u64 = 200_000;
/// A commit has the windows of at most this long.
const LONGEST_US: i64 = 3_600_000_000;
/// Between two lines that say how far it is.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// Why there are no tables.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// An option.
    #[error("{0}")]
    Option(String),
    /// The URL, or the directory.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Reading what is there, or writing.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// Somebody's rows.
    #[error(
        "there is a table {0} already: rows that are made up never go beside others; name an empty place, or \
         remove what is there"
    )]
    Taken(&'static str),
    /// A thread, or the runtime.
    #[error("starting")]
    Start(#[from] io::Error),
    /// The threads that make batches are gone.
    #[error("making batches was broken off")]
    Broken,
}

/// Options of `generate`.
#[derive(Args, Clone, Debug)]
#[expect(
    clippy::doc_markdown,
    reason = "these sentences are help on a terminal, not Markdown"
)]
pub struct Arguments {
    /// Where the tables will be: s3://bucket/prefix or file:///directory, with no tables yet
    ///
    /// AWS_REGION, AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are heeded, as are
    /// web identities and instance profiles.
    #[arg(long, value_name = "URL")]
    pub out: String,
    /// Pods by day, 50 on each node: some are scaled down at night, and jobs come on top
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=500_000))]
    pub pods: u32,
    /// How long the cluster runs
    #[arg(long, value_name = "HOURS", value_parser = clap::value_parser!(u32).range(1..=8_784))]
    pub hours: u32,
    /// The same seed, start and numbers make the same rows
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// Name of the cluster
    #[arg(long, value_name = "NAME", default_value = "production")]
    pub cluster: String,
    /// Start of the first window, as 2026-11-20T00:00:00Z [default: the midnight after which all of it is past]
    #[arg(long, value_name = "TIME")]
    pub start: Option<humantime::Timestamp>,
    /// Length of a window
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    pub interval: humantime::Duration,
}

impl Arguments {
    /// What to make.
    fn shape(&self) -> Result<Shape, GenerateError> {
        let length_us = i64::from(self.hours) * 3_600_000_000;
        let interval_us = i64::try_from(self.interval.as_micros()).unwrap_or(i64::MAX);
        if !(1_000_000..=3_600_000_000).contains(&interval_us) || length_us % interval_us != 0 {
            let reason =
                "--interval: a whole number of windows must fill the hours, each of 1s to 1h";
            return Err(GenerateError::Option(reason.to_owned()));
        }
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if self.cluster.is_empty() || self.cluster.len() > 100 || !self.cluster.bytes().all(is_name)
        {
            let reason = "--cluster: up to 100 letters, digits, dots, dashes and underscores";
            return Err(GenerateError::Option(reason.to_owned()));
        }
        let start = match self.start {
            Some(start) => Timestamp::from_system(start.into()),
            None => midnight_before(length_us),
        };
        Ok(Shape {
            seed: self.seed,
            cluster: self.cluster.clone(),
            pods: self.pods as usize,
            start,
            interval_us,
            length_us,
        })
    }
}

fn midnight_before(length_us: i64) -> Timestamp {
    const DAY_US: i64 = 86_400_000_000;
    let latest = Timestamp::from_system(SystemTime::now()).plus_us(-length_us);
    latest.plus_us(-latest.unix_us.rem_euclid(DAY_US))
}

/// Makes them, and says on standard error how far it is.
pub fn run(
    arguments: &Arguments,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<(), GenerateError> {
    let shape = arguments.shape()?;
    let (store, prefix) = StoreUrl::parse(&arguments.out)?.open(environment)?;
    let mut told = Instant::now();
    let rows = fill(store, prefix, shape, |done| {
        if told.elapsed() >= BETWEEN_LINES || done.windows == done.of_windows {
            told = Instant::now();
            say(&format!(
                "{} of {} windows, {} rows of pod_usage",
                done.windows, done.of_windows, done.rows
            ));
        }
    })?;
    say(&format!("{rows} rows of pod_usage in {}", arguments.out));
    Ok(())
}

fn say(line: &str) {
    // Nobody to tell when standard error is closed.
    drop(writeln!(io::stderr(), "{line}"));
}

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Committed.
    pub windows: u64,
    /// In all.
    pub of_windows: u64,
    /// Of `pod_usage`.
    pub rows: u64,
}

/// Writes the tables of a cluster of this shape into a place that has none. How many rows of `pod_usage`
/// there are. One commit is written while the next is made.
pub fn fill(
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    shape: Shape,
    mut progress: impl FnMut(Progress),
) -> Result<u64, GenerateError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let lake = runtime.block_on(open(store, prefix))?;
    let of_windows = (shape.length_us / shape.interval_us).unsigned_abs();
    let longest = (LONGEST_US / shape.interval_us).unsigned_abs();
    let at_once = (ROWS / shape.pods.max(1) as u64).clamp(1, longest.max(1));
    let (made, commits) = mpsc::sync_channel(1);
    let maker = thread::Builder::new().name("generate".to_owned());
    maker.spawn(move || {
        let mut cluster = Cluster::new(&shape);
        let mut left = of_windows;
        while left > 0 {
            let count = at_once.min(left);
            left -= count;
            let batches = cluster.windows(count);
            // Whoever commits has given up.
            if made.send((count, batches)).is_err() {
                return;
            }
        }
    })?;
    let (mut windows, mut rows) = (0, 0);
    while windows < of_windows {
        let (count, batches) = commits.recv().map_err(|_| GenerateError::Broken)?;
        rows += batches
            .iter()
            .map(|batch| batch.rows[Table::PodUsage])
            .sum::<u64>();
        windows += count;
        runtime.block_on(lake.commit(&Sealed { batches }))?;
        progress(Progress {
            windows,
            of_windows,
            rows,
        });
    }
    Ok(rows)
}

/// The tables, made where there was none.
async fn open(store: Arc<dyn ObjectStore>, prefix: Path) -> Result<Lake, GenerateError> {
    let settings = Settings::new(Arc::new(WriteSettings::default()));
    let asked = Store::new(
        store.clone(),
        settings.retry,
        settings.random.clone(),
        Arc::default(),
    );
    for table in Table::ALL {
        let log = Log::new(asked.clone(), &table_path(&prefix, table), Detail::Heads);
        if log.read(None).await?.is_some() {
            return Err(GenerateError::Taken(table.name()));
        }
    }
    Ok(Lake::open(store, prefix, settings).await?)
}
