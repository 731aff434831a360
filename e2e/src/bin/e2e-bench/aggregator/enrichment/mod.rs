//! What it costs to complete rows with what is known of their pods, and to know it.

mod cluster;
mod memory;

use std::{fmt, path::Path, sync::Arc};

use aggregator::{
    enrich::{Objects, Settings},
    lake::rows::WriteSettings,
};
use anyhow::{Result, ensure};
use bytes::Bytes;
use serde::Serialize;

use super::{
    Args,
    full_speed::{bodies, bytes_below, take_all},
};
use crate::numbers::{median, rounded};
use cluster::Cluster;
use memory::{Memory, Store};

/// With and without, in turn.
const ROUNDS: usize = 7;

/// The figures.
#[derive(Serialize)]
pub(super) struct Enrichment {
    cpu_ns_per_row: f64,
    cpu_ns_per_enriched_row: f64,
    /// The middle one of all rounds.
    enrichment_over: f64,
    stored_bytes_per_row: f64,
    stored_bytes_per_enriched_row: f64,
    objects: Memory,
    reflector: Memory,
}

/// What one round took.
struct Round {
    ns_per_row: f64,
    bytes_per_row: f64,
}

pub(super) fn measure(args: &Args, directory: &Path) -> Result<Enrichment> {
    // First: what this process takes is no matter to the others.
    let objects = memory::elsewhere(args, Store::Objects)?;
    let reflector = memory::elsewhere(args, Store::Reflector)?;
    let known = Objects::new(Settings::default());
    memory::list(&known, &Cluster::new(args, args.plugin)?)?;
    let bodies = bodies(args);
    let plain = WriteSettings::default();
    let enriched = WriteSettings {
        known: known as Arc<_>,
        ..WriteSettings::default()
    };
    let mut rounds = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        rounds.0.push(round(args, directory, &bodies, &plain)?);
        rounds.1.push(round(args, directory, &bodies, &enriched)?);
    }
    let ratio = |(plain, enriched): (&Round, &Round)| enriched.ns_per_row / plain.ns_per_row;
    let over = rounds.0.iter().zip(&rounds.1).map(ratio).collect();
    let least = |rounds: &[Round], of: fn(&Round) -> f64| {
        rounded(rounds.iter().map(of).fold(f64::INFINITY, f64::min))
    };
    Ok(Enrichment {
        cpu_ns_per_row: least(&rounds.0, |round| round.ns_per_row),
        cpu_ns_per_enriched_row: least(&rounds.1, |round| round.ns_per_row),
        enrichment_over: rounded(median(over)),
        stored_bytes_per_row: least(&rounds.0, |round| round.bytes_per_row),
        stored_bytes_per_enriched_row: least(&rounds.1, |round| round.bytes_per_row),
        objects,
        reflector,
    })
}

/// Only what one store takes.
pub(super) fn objects(args: &Args) -> Result<impl Serialize + fmt::Display> {
    memory::here(args, Store::Objects)
}

/// The same of the other.
pub(super) fn reflector(args: &Args) -> Result<impl Serialize + fmt::Display> {
    memory::here(args, Store::Reflector)
}

fn round(args: &Args, directory: &Path, bodies: &[Bytes], write: &WriteSettings) -> Result<Round> {
    let tables = directory.join("enrichment");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let used = runtime.block_on(take_all(&tables, bodies.to_vec(), write.clone()))?;
    let (rows, bytes) = (args.nodes * args.pods, bytes_below(&tables)?);
    std::fs::remove_dir_all(&tables)?;
    Ok(Round {
        ns_per_row: used.as_secs_f64() * 1e9 / rows as f64,
        bytes_per_row: bytes as f64 / rows as f64,
    })
}

impl Enrichment {
    pub(super) fn check(&self, factor: f64) -> Result<()> {
        for (name, value, most) in [
            ("enrichment_over", self.enrichment_over, 1.2),
            ("objects.steady_mib", self.objects.steady_mib, 150.0),
            (
                "objects.relist_mib",
                self.objects.relist_mib,
                1.2 * self.objects.steady_mib,
            ),
        ] {
            ensure!(
                value <= most * factor,
                "{name} is {value}, the bound is {most} times {factor}"
            );
        }
        Ok(())
    }
}

impl fmt::Display for Enrichment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "enrichment  {} ns a row with it, {} without: {} times as much; {} bytes a row stored, {} without",
            self.cpu_ns_per_enriched_row,
            self.cpu_ns_per_row,
            self.enrichment_over,
            self.stored_bytes_per_enriched_row,
            self.stored_bytes_per_row
        )?;
        writeln!(out, "objects     {}", self.objects)?;
        write!(out, "reflector   {}", self.reflector)
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} pods in {} MiB, and {} MiB while they are listed anew",
            self.pods, self.steady_mib, self.relist_mib
        )
    }
}
