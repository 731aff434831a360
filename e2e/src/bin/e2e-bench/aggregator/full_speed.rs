//! Rows a second and core from request bodies to committed Parquet files, everything in this process.

use std::{sync::Arc, time::Duration};

use aggregator::service::Service;
use anyhow::{Result, ensure};
use bytes::Bytes;

use super::{Args, clients::Client};
use crate::numbers::{Of, cpu_time};

/// What was done and what it took.
pub(super) struct FullSpeed {
    pub(super) rows_per_core_second: f64,
    pub(super) wire_bytes_per_row: f64,
    pub(super) stored_bytes_per_row: f64,
}

/// Bodies of all nodes for one window, made before anything is measured.
fn bodies(args: &Args) -> Vec<Bytes> {
    let token: Arc<str> = "".into();
    (0..args.nodes)
        .map(|number| Client::new(number, args.pods, args.interval, Arc::clone(&token)).body())
        .collect()
}

pub(super) fn measure(args: &Args, directory: &std::path::Path) -> Result<FullSpeed> {
    let bodies = bodies(args);
    let sent: usize = bodies.iter().map(Bytes::len).sum();
    let rows = args.nodes * args.pods;
    let tables = directory.join("full-speed");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let used = runtime.block_on(take_all(&tables, bodies, rows))?;
    let stored = bytes_below(&tables.join("pod_usage"))?;
    Ok(FullSpeed {
        rows_per_core_second: rows as f64 / used.as_secs_f64(),
        wire_bytes_per_row: sent as f64 / rows as f64,
        stored_bytes_per_row: stored as f64 / rows as f64,
    })
}

async fn take_all(tables: &std::path::Path, bodies: Vec<Bytes>, rows: usize) -> Result<Duration> {
    let url = format!("file://{}", tables.display());
    let service = Service::start_at(&url).await?;
    let before = cpu_time(Of::Process);
    let mut waiting = 0;
    for body in bodies {
        service.take(None, body).await?;
        waiting += 1;
        if waiting == COMMIT_BATCHES {
            service.commit().await?;
            waiting = 0;
        }
    }
    service.commit().await?;
    let used = cpu_time(Of::Process) - before;
    ensure!(rows > 0, "no rows");
    Ok(used)
}

/// Some 200,000 rows of 110 pods.
const COMMIT_BATCHES: usize = 1_818;

fn bytes_below(directory: &std::path::Path) -> Result<u64> {
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
