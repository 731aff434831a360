//! What the rows of the demo add up to, beside the truth.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
};

use agent::kernel::Source;
use protocol::{EventKind, Row};

use crate::{loads::Truth, verdicts::Verdicts};

/// CPU of a workload may differ this much from its `cpu.stat`, read at another instant.
pub(crate) const CPU_TOLERANCE: f64 = 0.001;

/// Sums over all windows.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    windows: u64,
    rows: usize,
    cpu_seconds: BTreeMap<String, f64>,
    peak_cores: BTreeMap<String, f64>,
    ended: BTreeSet<String>,
    killed: BTreeSet<String>,
    cpu_total: i64,
    cpu_rows: i64,
    cpu_unattributed: i64,
}

impl Summary {
    pub(crate) fn add(&mut self, rows: &[Row]) {
        self.windows += 1;
        self.rows += rows.len();
        rows.iter().for_each(|row| self.add_row(row));
    }

    fn add_row(&mut self, row: &Row) {
        match row {
            Row::PodUsage(usage) => {
                let cpu = self.cpu_seconds.entry(usage.pod_id.clone()).or_default();
                *cpu += usage.cpu_seconds.unwrap_or(0.0);
                let peak = self.peak_cores.entry(usage.pod_id.clone()).or_default();
                *peak = peak.max(usage.cpu_peak_cores.unwrap_or(0.0));
                if usage.is_final {
                    self.ended.insert(usage.pod_id.clone());
                }
            }
            Row::Events(event) if event.kind == EventKind::OomKill => {
                self.killed.extend(event.pod_id.clone());
            }
            Row::Reconcile(balance) => {
                self.cpu_total += balance.cpu_ns.total;
                self.cpu_rows += balance.cpu_ns.rows;
                self.cpu_unattributed += balance.cpu_ns.unattributed;
            }
            Row::NodeUsage(_) | Row::Events(_) | Row::PodNetwork(_) => {}
        }
    }

    fn closed<'a>(&self, paths: &'a [String]) -> impl Iterator<Item = &'a String> {
        paths.iter().filter(|path| self.ended.contains(*path))
    }

    /// Whether every workload that is gone has its last row.
    pub(crate) fn is_complete(&self, truth: &Truth) -> bool {
        let long = truth.cpu.iter().map(|(path, _)| path);
        self.closed(&truth.blinks).count() == truth.blinks.len()
            && long.into_iter().all(|path| self.ended.contains(path))
            && truth.killed.iter().all(|path| self.killed.contains(path))
    }

    /// Judges it.
    pub(crate) fn judge(
        &self,
        verdicts: &mut Verdicts<'_, impl Write>,
        truth: &Truth,
    ) -> io::Result<()> {
        for (path, truth_ns) in &truth.cpu {
            let said = self.cpu_seconds.get(path).copied().unwrap_or(0.0);
            let true_seconds = *truth_ns as f64 / 1e9;
            verdicts.check(
                (said - true_seconds).abs() <= true_seconds * CPU_TOLERANCE,
                Source::Cpu,
                &format!(
                    "CPU of {path}: rows {said:.6} s, cpu.stat {true_seconds:.6} s, peak {:.2} cores",
                    self.peak_cores.get(path).copied().unwrap_or(0.0)
                ),
            )?;
        }
        let closed = self.closed(&truth.blinks).count();
        verdicts.check(
            closed == truth.blinks.len(),
            Source::Lifecycle,
            &format!(
                "short-lived workloads with their closing row: {closed} of {}",
                truth.blinks.len()
            ),
        )?;
        let killed = truth.killed.iter();
        let told = killed.filter(|path| self.killed.contains(*path)).count();
        verdicts.check(
            told == truth.killed.len(),
            Source::Oom,
            &format!("OOM kills told: {told} of {}", truth.killed.len()),
        )?;
        let missing = self.cpu_total - self.cpu_rows - self.cpu_unattributed;
        verdicts.check(
            missing.abs() <= self.cpu_total / 1000,
            Source::Cpu,
            &format!(
                "CPU of the host {:.3} s = rows {:.3} s + unattributed {:.3} s + in flight {:.6} s",
                self.cpu_total as f64 / 1e9,
                self.cpu_rows as f64 / 1e9,
                self.cpu_unattributed as f64 / 1e9,
                missing as f64 / 1e9
            ),
        )?;
        verdicts.tell(&format!("{} windows, {} rows", self.windows, self.rows))
    }
}
