//! Rows a second and core from request bodies to committed Parquet files, everything in this process.

use std::{fmt, path::Path, sync::Arc, time::Duration};

use aggregator::{
    lake::{rows::WriteSettings, settings::Settings as LakeSettings},
    service::{Service, Settings},
    store_url::StoreUrl,
};
use anyhow::{Result, ensure};
use bytes::Bytes;
use futures_util::future::try_join_all;
use protocol::RefusalKind;
use serde::Serialize;

use super::{Args, clients::Client, sustained::memory};
use crate::numbers::{Of, cpu_time, mib, rounded};

/// Bodies that are offered at a time.
const TOGETHER: usize = 512;

/// What was done and what it took.
#[derive(Serialize)]
pub(super) struct FullSpeed {
    pub(super) rows_per_core_second: f64,
    wire_bytes_per_row: f64,
    stored_bytes_per_row: f64,
    full_speed_mib: f64,
}

impl FullSpeed {
    pub(super) fn check(&self, factor: f64) -> Result<()> {
        let (bytes, most) = (self.wire_bytes_per_row, 60.0);
        ensure!(
            bytes <= most * factor,
            "wire_bytes_per_row is {bytes}, the bound is {most} times {factor}"
        );
        let least = 600_000.0 / factor;
        ensure!(
            self.rows_per_core_second >= least,
            "rows_per_core_second is {}, the bound is {least}",
            self.rows_per_core_second
        );
        Ok(())
    }
}

impl fmt::Display for FullSpeed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "full speed  {:.0} rows a second and core, from bodies to committed Parquet, in {} MiB beside the bodies",
            self.rows_per_core_second, self.full_speed_mib
        )?;
        write!(
            out,
            "size        {} bytes a pod-row on the wire, {} in all files",
            self.wire_bytes_per_row, self.stored_bytes_per_row
        )
    }
}

/// Bodies of all nodes for one window, made before anything is measured.
pub(super) fn bodies(args: &Args) -> Vec<Bytes> {
    let token: Arc<str> = "".into();
    (0..args.nodes)
        .map(|number| Client::new(number, args.pods, args.interval, Arc::clone(&token)).body())
        .collect()
}

pub(super) fn measure(args: &Args, directory: &Path) -> Result<FullSpeed> {
    let bodies = bodies(args);
    let sent: usize = bodies.iter().map(Bytes::len).sum();
    let rows = args.nodes * args.pods;
    let tables = directory.join("full-speed");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let process = std::process::id();
    // From here on the greatest size is the one of now.
    std::fs::write("/proc/self/clear_refs", "5")?;
    let before = memory(process, "VmRSS:")?;
    let used = runtime.block_on(take_all(&tables, bodies, WriteSettings::default()))?;
    let most = memory(process, "VmHWM:")?;
    let stored = bytes_below(&tables)?;
    Ok(FullSpeed {
        rows_per_core_second: (rows as f64 / used.as_secs_f64()).round(),
        wire_bytes_per_row: rounded(sent as f64 / rows as f64),
        stored_bytes_per_row: rounded(stored as f64 / rows as f64),
        full_speed_mib: rounded(mib(most.saturating_sub(before))),
    })
}

pub(super) async fn take_all(
    tables: &Path,
    bodies: Vec<Bytes>,
    write: WriteSettings,
) -> Result<Duration> {
    let url = format!("file://{}", tables.display());
    let (store, prefix) = StoreUrl::parse(&url)?.open([])?;
    let lake = LakeSettings::new(Arc::new(write));
    let service = Service::start(store, prefix, Settings::new(lake)).await?;
    let before = cpu_time(Of::Process);
    let take = async {
        // A first batch waits until the ledger is read; those that come together share one reading.
        for together in bodies.chunks(TOGETHER) {
            try_join_all(together.iter().map(|body| taken(&service, body))).await?;
        }
        service.stop();
        Ok(())
    };
    let (taken, ()) = tokio::join!(take, service.run());
    taken.map(|()| cpu_time(Of::Process) - before)
}

/// Offers a body until it is taken: where there is no room, a commit makes some.
async fn taken(service: &Service, body: &Bytes) -> Result<()> {
    while let Err(refusal) = service.take(None, body.clone()).await {
        ensure!(refusal.kind == RefusalKind::Busy, "{refusal}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

pub(super) fn bytes_below(directory: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            sum += bytes_below(&entry.path())?;
        } else if entry
            .path()
            .extension()
            .is_some_and(|kind| kind == "parquet")
        {
            sum += entry.metadata()?.len();
        }
    }
    Ok(sum)
}
