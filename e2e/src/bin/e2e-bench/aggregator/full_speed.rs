//! Rows a second and core from request bodies to committed Parquet files, everything in this process.

use std::{path::Path, sync::Arc, time::Duration};

use aggregator::{
    lake::{rows::WriteSettings, settings::Settings as LakeSettings},
    service::{Service, Settings},
    store_url::StoreUrl,
};
use anyhow::{Result, ensure};
use bytes::Bytes;
use futures_util::future::try_join_all;
use protocol::RefusalKind;

use super::{Args, clients::Client};
use crate::numbers::{Of, cpu_time};

/// Bodies that are offered at a time.
const TOGETHER: usize = 512;

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

pub(super) fn measure(args: &Args, directory: &Path) -> Result<FullSpeed> {
    let bodies = bodies(args);
    let sent: usize = bodies.iter().map(Bytes::len).sum();
    let rows = args.nodes * args.pods;
    let tables = directory.join("full-speed");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let used = runtime.block_on(take_all(&tables, bodies))?;
    let stored = bytes_below(&tables.join("pod_usage"))?;
    Ok(FullSpeed {
        rows_per_core_second: rows as f64 / used.as_secs_f64(),
        wire_bytes_per_row: sent as f64 / rows as f64,
        stored_bytes_per_row: stored as f64 / rows as f64,
    })
}

async fn take_all(tables: &Path, bodies: Vec<Bytes>) -> Result<Duration> {
    let url = format!("file://{}", tables.display());
    let (store, prefix) = StoreUrl::parse(&url)?.open([])?;
    let lake = LakeSettings::new(Arc::new(WriteSettings::default()));
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

fn bytes_below(directory: &Path) -> Result<u64> {
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
