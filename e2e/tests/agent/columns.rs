//! Every column of every row, over the recorded answers.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    fakes::Scene,
    harness::{Test, measured},
};
use protocol::{PodUsage, Row};
use serde_json::Value;

use e2e::node::{FakeNode, balance, comes_from, node_row, pod_rows, run_until};

pub(crate) const TESTS: &[Test] = &[
    Test {
        name: "pods_of_recorded_answers_have_every_column",
        needs: &[],
        run: every_column,
    },
    Test {
        name: "pods_have_their_first_row_at_once",
        needs: &[],
        run: first_row,
    },
];

const SUMMARY: &str = include_str!("../../data/kubelet/stats-summary.json");
const PODS: &str = include_str!("../../data/api/pods-node1.json");

/// The columns that only an aggregator can fill.
const LATER: [&str; 6] = [
    "labels",
    "annotations",
    "pvc_count",
    "total_pvc_storage_bytes",
    "pvc_names",
    "aws_volume_ids",
];
/// Those that need a cgroup, which pods of a recording don't have.
const OF_CGROUPS: [&str; 16] = [
    "cgroup_id",
    "closing",
    "cpu_peak_cores",
    "cpu_p99_cores",
    "cpu_over_request_seconds",
    "cpu_throttled_seconds",
    "cpu_throttled_periods",
    "cpu_burst_periods",
    "memory_peak_bytes",
    "net_tx_packets_delta",
    "net_rx_packets_delta",
    "io_read_bytes_delta",
    "io_write_bytes_delta",
    "cpu_seconds",
    "net_tx_bytes_delta",
    "net_rx_bytes_delta",
];

fn recorded(text: &str) -> Result<Value> {
    Ok(serde_json::from_str(text)?)
}

/// The clock of the scene stands, so that each figure is the recorded one.
fn every_column() -> Result<()> {
    let node = FakeNode::new(Scene::recorded_then()?)?;
    let windows = run_until(node.settings(), Duration::from_secs(10), |rows| {
        pod_rows(rows).any(|usage| comes_from(usage, "name=api") && usage.ec2_instance_id.is_some())
            && pod_rows(rows).any(|usage| comes_from(usage, "memory=kubelet_stale"))
    })?;
    let rows = windows.last().context("no window at all")?;
    let (summary, pods) = (recorded(SUMMARY)?, recorded(PODS)?);
    let stats = summary["pods"]
        .as_array()
        .context("no pods were recorded")?;
    ensure!(
        pod_rows(rows).count() == stats.len(),
        "{} rows for the {} pods of the summary",
        pod_rows(rows).count(),
        stats.len()
    );
    for stats in stats {
        let uid = stats["podRef"]["uid"].as_str().context("no uid")?;
        let object = pods["items"]
            .as_array()
            .and_then(|items| items.iter().find(|pod| pod["metadata"]["uid"] == uid));
        let object = object.with_context(|| format!("the API server does not have {uid}"))?;
        let usage = pod_rows(rows).find(|usage| usage.pod_id == uid);
        let usage = usage.with_context(|| format!("no row for {uid}"))?;
        check_pod(usage, stats, object).with_context(|| format!("{usage:#?}"))?;
    }
    check_node(rows, stats.len())
}

fn check_pod(usage: &PodUsage, stats: &Value, object: &Value) -> Result<()> {
    let metadata = &object["metadata"];
    same("namespace", usage.namespace.clone(), &metadata["namespace"])?;
    same("pod_name", usage.pod_name.clone(), &metadata["name"])?;
    let qos = object["status"]["qosClass"]
        .as_str()
        .unwrap_or_default()
        .to_lowercase();
    ensure!(usage.qos.as_deref() == Some(qos.as_str()), "qos");
    check_amounts(usage, stats)?;
    check_network(usage, stats, object["spec"]["hostNetwork"] == true)?;
    check_owner(usage, object)?;
    check_requests(usage, &object["spec"])?;
    check_rest(usage)
}

fn same(name: &str, found: impl Into<Value>, expected: &Value) -> Result<()> {
    let found = found.into();
    ensure!(
        found == *expected,
        "{name} is {found}, recorded is {expected}"
    );
    Ok(())
}

fn check_amounts(usage: &PodUsage, stats: &Value) -> Result<()> {
    let memory = &stats["memory"];
    same(
        "memory_usage_bytes",
        usage.memory_usage_bytes,
        &memory["usageBytes"],
    )?;
    same(
        "memory_working_set_bytes",
        usage.memory_working_set_bytes,
        &memory["workingSetBytes"],
    )?;
    same(
        "memory_rss_bytes",
        usage.memory_rss_bytes,
        &memory["rssBytes"],
    )?;
    same(
        "swap_usage_bytes",
        usage.swap_usage_bytes,
        &stats["swap"]["swapUsageBytes"],
    )?;
    let nano_cores = stats["cpu"]["usageNanoCores"].as_f64().unwrap_or(0.0);
    ensure!(
        usage
            .cpu_usage_cores
            .is_some_and(|cores| (cores - nano_cores / 1e9).abs() < 1e-9 || cores == 0.0),
        "cpu_usage_cores"
    );
    Ok(())
}

fn check_network(usage: &PodUsage, stats: &Value, is_on_host: bool) -> Result<()> {
    ensure!(usage.host_network == Some(is_on_host), "host_network");
    if is_on_host {
        ensure!(
            usage.net_tx_bytes.is_none(),
            "a hostNetwork pod carries the node's bytes"
        );
        return Ok(());
    }
    let network = &stats["network"];
    same("net_tx_bytes", usage.net_tx_bytes, &network["txBytes"])?;
    same("net_rx_bytes", usage.net_rx_bytes, &network["rxBytes"])
}

fn check_owner(usage: &PodUsage, object: &Value) -> Result<()> {
    let owner = &object["metadata"]["ownerReferences"][0];
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let (expected_owner, kind, workload) = match owner["kind"].as_str() {
        Some("ReplicaSet") => {
            let set = owner["name"].as_str().unwrap_or_default();
            let deployment = set
                .rsplit_once('-')
                .map_or(set, |(deployment, _)| deployment);
            (Some(format!("ReplicaSet/{set}")), "Deployment", deployment)
        }
        Some(kind) => {
            let owned = owner["name"].as_str().unwrap_or_default();
            (Some(format!("{kind}/{owned}")), kind, owned)
        }
        None => (None, "Pod", name),
    };
    ensure!(usage.owner == expected_owner, "owner is {:?}", usage.owner);
    ensure!(
        usage.workload_kind.as_deref() == Some(kind),
        "workload_kind"
    );
    ensure!(usage.workload.as_deref() == Some(workload), "workload");
    Ok(())
}

/// Recorded pods have whole millicores and mebibytes, and small init containers.
fn check_requests(usage: &PodUsage, spec: &Value) -> Result<()> {
    let sum = |kind: &str, resource: &str| {
        let containers = spec["containers"].as_array()?;
        let amounts: Vec<Option<i64>> = containers
            .iter()
            .map(|container| amount(container["resources"][kind][resource].as_str()?))
            .collect();
        match kind {
            "limits" => amounts.into_iter().sum::<Option<i64>>(),
            _ => amounts
                .iter()
                .any(Option::is_some)
                .then(|| amounts.iter().flatten().sum()),
        }
    };
    for (found, kind, resource) in [
        (usage.requests_cpu_millicores, "requests", "cpu"),
        (usage.requests_memory_bytes, "requests", "memory"),
        (usage.limits_cpu_millicores, "limits", "cpu"),
        (usage.limits_memory_bytes, "limits", "memory"),
    ] {
        let expected = sum(kind, resource);
        ensure!(
            found == expected,
            "{kind} of {resource}: {found:?}, recorded {expected:?}"
        );
    }
    Ok(())
}

fn amount(text: &str) -> Option<i64> {
    if let Some(milli) = text.strip_suffix('m') {
        return milli.parse().ok();
    }
    if let Some(mebi) = text.strip_suffix("Mi") {
        return Some(mebi.parse::<i64>().ok()? << 20);
    }
    text.parse::<i64>().ok().map(|cores| cores * 1000)
}

/// What is the same for all, and that nothing else is empty.
fn check_rest(usage: &PodUsage) -> Result<()> {
    ensure!(
        usage.cluster_id == "test" && usage.node_name == "node-1",
        "where"
    );
    ensure!(
        usage.timestamp == usage.window_end && usage.window_start < usage.window_end,
        "when"
    );
    ensure!(
        usage.restarts == Some(0) && usage.oom_kills == Some(0),
        "restarts, oom_kills"
    );
    ensure!(
        !usage.is_final && usage.seq > 0 && usage.lost_events == 0,
        "is_final, seq, lost_events"
    );
    ensure!(
        usage.boot_id.len() == 36 && usage.epoch.len() == 32,
        "boot_id, epoch"
    );
    for source in [
        "cpu=kubelet_stale",
        "name=api",
        "memory=kubelet_stale",
        "instance=imds",
    ] {
        ensure!(comes_from(usage, source), "{source} is not in sources");
    }
    let row = serde_json::to_value(usage)?;
    let columns = row.as_object().context("a row is an object")?;
    let may_be_empty = |name: &str| {
        LATER.contains(&name)
            || OF_CGROUPS.contains(&name)
            || name == "owner"
            || name.starts_with("requests_")
            || name.starts_with("limits_")
            || (usage.host_network == Some(true) && name.starts_with("net_"))
    };
    let empty: Vec<&String> = columns
        .iter()
        .filter(|(name, value)| value.is_null() && !may_be_empty(name))
        .map(|(name, _)| name)
        .collect();
    ensure!(empty.is_empty(), "empty columns: {empty:?}");
    for name in LATER {
        ensure!(
            columns[name].is_null(),
            "{name} is the aggregator's to fill"
        );
    }
    Ok(())
}

fn check_node(rows: &[Row], pods: usize) -> Result<()> {
    let node = node_row(rows)?;
    ensure!(
        node.pods == i64::try_from(pods).ok(),
        "pods of the node: {:?}",
        node.pods
    );
    let row = serde_json::to_value(node)?;
    let columns = row.as_object().context("a row is an object")?;
    let empty: Vec<&String> = columns
        .iter()
        .filter(|(name, value)| value.is_null() && !name.starts_with("psi_"))
        .map(|(name, _)| name)
        .collect();
    ensure!(empty.is_empty(), "empty columns of the node: {empty:?}");
    let balance = balance(rows)?;
    ensure!(
        balance.kubelet_cpu_ns.is_some(),
        "no CPU of the kubelet to reconcile with"
    );
    ensure!(
        balance.proc_cpu_ns.is_some() && balance.nic_rx_bytes.is_some(),
        "no files to reconcile with"
    );
    ensure!(balance.rows_node_usage == 1, "one row of the node");
    let usages = rows
        .iter()
        .filter(|row| matches!(row, Row::PodUsage(_)))
        .count();
    ensure!(
        balance.rows_pod_usage == i64::try_from(usages)?,
        "rows_pod_usage"
    );
    Ok(())
}

/// At once, with everything that the sources told by then; the benchmark holds it to 300 ms.
fn first_row() -> Result<()> {
    let node = FakeNode::new(Scene::of_size(110)?)?;
    let began = Instant::now();
    let mut took = Vec::new();
    let windows = run_until(node.settings(), Duration::from_secs(10), |_| {
        took.push(began.elapsed());
        took.len() >= 2
    })?;
    let first = *took.first().context("no window at all")?;
    ensure!(
        first < Duration::from_secs(2),
        "the first row came after {first:?}"
    );
    let rows = windows.last().context("no window at all")?;
    let named = pod_rows(rows).filter(|usage| usage.pod_name.is_some());
    let named = named.count();
    ensure!(
        named == 110,
        "{named} of 110 pods in the second window, after {took:?}"
    );
    measured(
        "first row of 110 pods, debug build",
        "300 ms optimised",
        &format!("{first:?}"),
    );
    Ok(())
}
