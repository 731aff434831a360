//! What the rows of the pods add up to, beside the truth.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use agent::kernel::Source;
use e2e::node::usages;
use protocol::{PodUsage, Row};

use crate::{
    pods::{PODS, PodTruth},
    summary::CPU_TOLERANCE,
    verdicts::Verdicts,
};

/// `cpu.stat` counts microseconds, for each container and again for their pod.
const CPU_STEP_SECONDS: f64 = 5e-6;

/// Sums over all windows.
#[derive(Debug, Default)]
pub(crate) struct PodSummary {
    windows: u64,
    rows: usize,
    pods: BTreeMap<String, Sums>,
    node_sent_bytes: i64,
}

#[derive(Debug, Default)]
struct Sums {
    rows: u64,
    cpu_seconds: f64,
    peak_cores: f64,
    sent_bytes: i64,
    running_total: Option<i64>,
    memory_bytes: Option<i64>,
    final_rows: u64,
    final_name: Option<String>,
}

impl Sums {
    fn add(&mut self, usage: &PodUsage) {
        self.rows += 1;
        self.cpu_seconds += usage.cpu_seconds.unwrap_or(0.0);
        self.peak_cores = self.peak_cores.max(usage.cpu_peak_cores.unwrap_or(0.0));
        self.sent_bytes += usage.net_tx_bytes_delta.unwrap_or(0);
        self.running_total = usage.net_tx_bytes.or(self.running_total);
        self.memory_bytes = usage.memory_usage_bytes.max(self.memory_bytes);
        if usage.is_final {
            self.final_rows += 1;
            let names = (&usage.namespace, &usage.pod_name);
            if let (Some(namespace), Some(name)) = names {
                self.final_name = Some(format!("{namespace}/{name}"));
            }
        }
    }
}

impl PodSummary {
    pub(crate) fn add(&mut self, rows: &[Row]) {
        self.windows += 1;
        self.rows += rows.len();
        for usage in usages(rows) {
            self.pods
                .entry(usage.pod_id.clone())
                .or_default()
                .add(usage);
        }
        if let Some(Row::Reconcile(balance)) = rows.last() {
            self.node_sent_bytes += balance.net_tx_bytes.total;
        }
    }

    /// Whether every pod has its last row.
    pub(crate) fn is_complete(&self) -> bool {
        let named = |sums: &&Sums| sums.final_name.is_some();
        self.pods.values().filter(named).count() >= PODS
    }

    /// Judges it.
    pub(crate) fn judge(
        &self,
        verdicts: &mut Verdicts<'_, impl Write>,
        truths: &[PodTruth],
    ) -> io::Result<()> {
        let none = Sums::default();
        let sums = |truth: &PodTruth| self.pods.get(&truth.uid).unwrap_or(&none);
        for truth in truths {
            cpu(verdicts, truth, sums(truth))?;
        }
        for truth in truths.iter().filter(|truth| truth.sent_bytes > 0) {
            self.network(verdicts, truth, sums(truth))?;
        }
        for truth in truths.iter().filter(|truth| truth.is_short) {
            let sums = sums(truth);
            verdicts.check(
                closed(truth, sums),
                Source::Lifecycle,
                &format!(
                    "final row of the short-lived pod: named {}, rows of it: {}",
                    sums.final_name.as_deref().unwrap_or("nothing"),
                    sums.rows
                ),
            )?;
        }
        let ended = truths.iter().filter(|truth| closed(truth, sums(truth)));
        let ended = ended.count();
        verdicts.check(
            ended == truths.len(),
            Source::Lifecycle,
            &format!(
                "pods with one final row under their name: {ended} of {}",
                truths.len()
            ),
        )?;
        verdicts.tell(&format!("{} windows, {} rows", self.windows, self.rows))
    }

    fn network(
        &self,
        verdicts: &mut Verdicts<'_, impl Write>,
        truth: &PodTruth,
        sums: &Sums,
    ) -> io::Result<()> {
        let (name, said, sent) = (&truth.name, sums.sent_bytes, truth.sent_bytes);
        verdicts.check(
            said == sent,
            Source::Network,
            &format!("bytes sent by {name}: rows {said}, itself {sent}"),
        )?;
        if !truth.host_network {
            return Ok(());
        }
        verdicts.check(
            sums.running_total == Some(sent),
            Source::Network,
            &format!(
                "{name} is in the node's network, and its running total is its own {}, not the node's {}",
                sums.running_total.unwrap_or(0),
                self.node_sent_bytes
            ),
        )
    }
}

fn closed(truth: &PodTruth, sums: &Sums) -> bool {
    sums.final_rows == 1 && sums.final_name.as_ref() == Some(&truth.name)
}

fn cpu(verdicts: &mut Verdicts<'_, impl Write>, truth: &PodTruth, sums: &Sums) -> io::Result<()> {
    let seconds = truth.cpu_ns as f64 / 1e9;
    let said = sums.cpu_seconds;
    let memory = sums.memory_bytes.map_or_else(String::new, |bytes| {
        format!(", memory by the kubelet {:.1} MB", bytes as f64 / 1e6)
    });
    verdicts.check(
        (said - seconds).abs() <= seconds * CPU_TOLERANCE + CPU_STEP_SECONDS,
        Source::Cpu,
        &format!(
            "CPU of {}: rows {said:.6} s, cpu.stat {seconds:.6} s, peak {:.2} cores{memory}",
            truth.name, sums.peak_cores
        ),
    )
}
