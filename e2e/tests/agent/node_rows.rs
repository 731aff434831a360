//! The node's own row against the kernel's files.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    fakes::Scene,
    harness::{Test, measured},
};

use e2e::node::{FakeNode, balance, node_row, run_until};

pub(crate) const TESTS: &[Test] = &[Test {
    name: "pods_node_rows_are_what_the_nodes_files_say",
    needs: &[],
    run: node_rows,
}];

fn busy_seconds() -> Result<f64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().context("an empty /proc/stat")?;
    let ticks: Vec<f64> = line
        .split_whitespace()
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    // user, nice, system, irq and softirq, in hundredths of a second.
    Ok([0, 1, 2, 5, 6]
        .iter()
        .filter_map(|field| ticks.get(*field))
        .sum::<f64>()
        / 100.0)
}

fn node_rows() -> Result<()> {
    let node = FakeNode::new(Scene::of_size(2)?)?;
    let mut count = 0;
    let mut settings = node.settings();
    settings.interval = Duration::from_secs(1);
    let mut marks = Vec::new();
    let windows = run_until(settings, Duration::from_secs(30), |_| {
        count += 1;
        marks.extend(busy_seconds());
        count >= 5
    })?;
    let told: f64 = windows
        .iter()
        .skip(1)
        .filter_map(|rows| {
            let node = node_row(rows).ok()?;
            Some(node.cpu_user_seconds? + node.cpu_system_seconds?)
        })
        .sum();
    let truth = marks.last().context("no mark")? - marks.first().context("no mark")?;
    measured(
        "CPU of the node against /proc/stat",
        "5 % + 0.1 s",
        &format!("{told:.2} of {truth:.2} s"),
    );
    ensure!(
        (told - truth).abs() <= truth * 0.05 + 0.1,
        "{told} s in rows, {truth} s in /proc/stat"
    );
    let rows = windows.last().context("no window")?;
    let (node, balance) = (node_row(rows)?, balance(rows)?);
    ensure!(node.cpus.is_some_and(|cpus| cpus > 0), "no CPUs");
    ensure!(
        node.memory_available_bytes.is_some_and(|bytes| bytes > 0)
            && node.memory_available_bytes < node.memory_total_bytes,
        "{node:#?}"
    );
    let proc_ns = balance
        .proc_cpu_ns
        .context("no CPU of /proc/stat in the reconcile row")?;
    ensure!(
        proc_ns >= 0 && balance.kubelet_cpu_ns.is_some(),
        "{balance:#?}"
    );
    Ok(())
}
