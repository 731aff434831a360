//! A pod in one hour, summed up from its windows.

use std::{collections::HashMap, ops::Range};

use arrow_array::RecordBatch;

use super::cells::{Booleans, Doubles, Ints, Lists, Longs, Texts, Times};

/// Of `pod_usage`, what an hour is made of.
pub const COLUMNS: &[&str] = &[
    "cluster_id",
    "node_name",
    "ec2_instance_id",
    "pod_id",
    "namespace",
    "owner",
    "cpu_usage_cores",
    "requests_cpu_millicores",
    "requests_memory_bytes",
    "limits_cpu_millicores",
    "limits_memory_bytes",
    "labels",
    "pvc_count",
    "total_pvc_storage_bytes",
    "window_start",
    "window_end",
    "host_network",
    "qos",
    "workload_kind",
    "workload",
    "zone",
    "region",
    "instance_type",
    "cpu_seconds",
    "cpu_peak_cores",
    "cpu_p99_cores",
    "cpu_over_request_seconds",
    "cpu_throttled_seconds",
    "memory_working_set_bytes",
    "memory_peak_bytes",
    "oom_kills",
    "restarts",
    "net_tx_bytes_delta",
    "net_rx_bytes_delta",
    "io_read_bytes_delta",
    "io_write_bytes_delta",
    "pod_name",
];

/// See the module. What none of its windows tells is absent.
#[derive(Clone, Debug, Default)]
pub struct Hour {
    pub cluster_id: String,
    pub node_name: String,
    pub pod_id: String,
    pub windows: i64,
    /// Length of all its windows.
    pub us: i64,
    pub cpu_seconds: Option<f64>,
    pub cpu_peak_cores: Option<f64>,
    pub cpu_p99_cores: Option<f64>,
    pub cpu_over_request_seconds: Option<f64>,
    pub cpu_throttled_seconds: Option<f64>,
    /// Sum over the windows that tell it, and how many do.
    pub working_set: (f64, u32),
    pub memory_peak_bytes: Option<i64>,
    pub oom_kills: Option<i64>,
    pub restarts: Option<i64>,
    pub net_tx_bytes: Option<i64>,
    pub net_rx_bytes: Option<i64>,
    pub io_read_bytes: Option<i64>,
    pub io_write_bytes: Option<i64>,
    pub last: Last,
    /// By class, from `pod_network`.
    pub classes: Classes,
    /// The end of the last window so far.
    end: i64,
}

/// What the last window that tells it says.
#[derive(Clone, Debug, Default)]
pub struct Last {
    pub ec2_instance_id: Option<String>,
    pub instance_type: Option<String>,
    pub zone: Option<String>,
    pub region: Option<String>,
    pub namespace: Option<String>,
    pub owner: Option<String>,
    pub workload_kind: Option<String>,
    pub workload: Option<String>,
    pub pod_name: Option<String>,
    pub qos: Option<String>,
    pub host_network: Option<bool>,
    pub requests_cpu_millicores: Option<i64>,
    pub requests_memory_bytes: Option<i64>,
    pub limits_cpu_millicores: Option<i64>,
    pub limits_memory_bytes: Option<i64>,
    pub pvc_count: Option<i32>,
    pub total_pvc_storage_bytes: Option<i64>,
    pub labels: Option<Vec<String>>,
}

/// Bytes by class of the other end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Classes {
    pub internet: [i64; 2],
    pub cross_zone: [i64; 2],
    /// Some row tells of this pod.
    pub is_told: bool,
}

/// Names a pod on a node.
pub type Key = (String, String);

/// The pods of some batches, by node and id.
#[derive(Default)]
pub struct Hours {
    numbers: HashMap<Key, usize>,
    pub list: Vec<Hour>,
}

impl Hours {
    /// Adds those rows of a batch whose windows end in this time, its begin not included.
    pub fn add(&mut self, batch: &RecordBatch, time: &Range<i64>) {
        let columns = Columns::new(batch);
        let mut last = None;
        for row in 0..batch.num_rows() {
            let (Some(start), Some(end)) = (columns.start.at(row), columns.end.at(row)) else {
                continue;
            };
            if end <= time.start || end > time.end {
                continue;
            }
            let place = (columns.node.place(row), columns.pod.place(row));
            let number = match last {
                Some((known, number)) if known == place => number,
                _ => self.number(&columns, row),
            };
            last = Some((place, number));
            if let Some(hour) = self.list.get_mut(number) {
                hour.add(&columns, row, start..end);
            }
        }
    }

    fn number(&mut self, columns: &Columns<'_>, row: usize) -> usize {
        let text = |texts: &Texts<'_>| texts.at(row).unwrap_or_default().to_owned();
        let key = (text(&columns.node), text(&columns.pod));
        let next = self.list.len();
        let number = *self.numbers.entry(key).or_insert(next);
        if number == next {
            self.list.push(Hour {
                cluster_id: text(&columns.cluster),
                node_name: text(&columns.node),
                pod_id: text(&columns.pod),
                ..Hour::default()
            });
        }
        number
    }
}

impl Classes {
    /// The number, if anything is told of the pod.
    pub fn told(self, bytes: i64) -> Option<i64> {
        self.is_told.then_some(bytes)
    }
}

impl Hour {
    /// What rows are sorted by.
    pub fn key(&self) -> (Option<&str>, Option<&str>, &str, &str) {
        let Last {
            namespace,
            pod_name,
            ..
        } = &self.last;
        (
            namespace.as_deref(),
            pod_name.as_deref(),
            &self.pod_id,
            &self.node_name,
        )
    }

    fn add(&mut self, columns: &Columns<'_>, row: usize, window: Range<i64>) {
        self.windows += 1;
        // What came after the closing row of a window is of that window.
        if window.end != self.end {
            self.us += window.end - window.start;
        }
        // Older collectors tell the mean alone.
        let mean = || Some(columns.mean.at(row)? * (window.end - window.start) as f64 / 1e6);
        sum(&mut self.cpu_seconds, columns.cpu.at(row).or_else(mean));
        most(&mut self.cpu_peak_cores, columns.peak.at(row), f64::max);
        most(&mut self.cpu_p99_cores, columns.p99.at(row), f64::max);
        sum(&mut self.cpu_over_request_seconds, columns.over.at(row));
        sum(&mut self.cpu_throttled_seconds, columns.throttled.at(row));
        if let Some(bytes) = columns.working_set.at(row) {
            self.working_set.0 += bytes as f64;
            self.working_set.1 += 1;
        }
        most(
            &mut self.memory_peak_bytes,
            columns.memory_peak.at(row),
            i64::max,
        );
        sum(&mut self.oom_kills, columns.oom_kills.at(row));
        sum(&mut self.restarts, columns.restarts.at(row));
        sum(&mut self.net_tx_bytes, columns.tx.at(row));
        sum(&mut self.net_rx_bytes, columns.rx.at(row));
        sum(&mut self.io_read_bytes, columns.read.at(row));
        sum(&mut self.io_write_bytes, columns.written.at(row));
        self.last.take(columns, row, window.end >= self.end);
        self.end = self.end.max(window.end);
    }
}

impl Last {
    fn take(&mut self, columns: &Columns<'_>, row: usize, is_newer: bool) {
        for (slot, column) in [
            (&mut self.ec2_instance_id, &columns.instance),
            (&mut self.instance_type, &columns.instance_type),
            (&mut self.zone, &columns.zone),
            (&mut self.region, &columns.region),
            (&mut self.namespace, &columns.namespace),
            (&mut self.owner, &columns.owner),
            (&mut self.workload_kind, &columns.workload_kind),
            (&mut self.workload, &columns.workload),
            (&mut self.pod_name, &columns.name),
            (&mut self.qos, &columns.qos),
        ] {
            let told = column.at(row);
            if told.is_some() && (slot.is_none() || is_newer && slot.as_deref() != told) {
                *slot = told.map(str::to_owned);
            }
        }
        for (slot, column) in [
            (&mut self.requests_cpu_millicores, &columns.requests_cpu),
            (&mut self.requests_memory_bytes, &columns.requests_memory),
            (&mut self.limits_cpu_millicores, &columns.limits_cpu),
            (&mut self.limits_memory_bytes, &columns.limits_memory),
            (&mut self.total_pvc_storage_bytes, &columns.storage),
        ] {
            newer(slot, column.at(row), is_newer);
        }
        newer(
            &mut self.host_network,
            columns.host_network.at(row),
            is_newer,
        );
        newer(&mut self.pvc_count, columns.claims.at(row), is_newer);
        // They hardly ever change, and cost much to compare.
        if self.labels.is_none() {
            self.labels = columns.labels.at(row);
        }
    }
}

fn newer<T>(slot: &mut Option<T>, told: Option<T>, is_newer: bool) {
    if told.is_some() && (slot.is_none() || is_newer) {
        *slot = told;
    }
}

fn sum<T: std::ops::Add<Output = T> + Copy>(slot: &mut Option<T>, told: Option<T>) {
    *slot = match (*slot, told) {
        (Some(sum), Some(more)) => Some(sum + more),
        (sum, more) => sum.or(more),
    };
}

fn most<T: Copy>(slot: &mut Option<T>, told: Option<T>, most: fn(T, T) -> T) {
    *slot = match (*slot, told) {
        (Some(before), Some(now)) => Some(most(before, now)),
        (before, now) => before.or(now),
    };
}

struct Columns<'a> {
    cluster: Texts<'a>,
    node: Texts<'a>,
    pod: Texts<'a>,
    start: Times<'a>,
    end: Times<'a>,
    cpu: Doubles<'a>,
    mean: Doubles<'a>,
    peak: Doubles<'a>,
    p99: Doubles<'a>,
    over: Doubles<'a>,
    throttled: Doubles<'a>,
    working_set: Longs<'a>,
    memory_peak: Longs<'a>,
    oom_kills: Longs<'a>,
    restarts: Longs<'a>,
    tx: Longs<'a>,
    rx: Longs<'a>,
    read: Longs<'a>,
    written: Longs<'a>,
    instance: Texts<'a>,
    instance_type: Texts<'a>,
    zone: Texts<'a>,
    region: Texts<'a>,
    namespace: Texts<'a>,
    owner: Texts<'a>,
    workload_kind: Texts<'a>,
    workload: Texts<'a>,
    name: Texts<'a>,
    qos: Texts<'a>,
    host_network: Booleans<'a>,
    requests_cpu: Longs<'a>,
    requests_memory: Longs<'a>,
    limits_cpu: Longs<'a>,
    limits_memory: Longs<'a>,
    claims: Ints<'a>,
    storage: Longs<'a>,
    labels: Lists<'a>,
}

impl<'a> Columns<'a> {
    fn new(batch: &'a RecordBatch) -> Self {
        Self {
            cluster: Texts::new(batch, "cluster_id"),
            node: Texts::new(batch, "node_name"),
            pod: Texts::new(batch, "pod_id"),
            start: Times::new(batch, "window_start"),
            end: Times::new(batch, "window_end"),
            cpu: Doubles::new(batch, "cpu_seconds"),
            mean: Doubles::new(batch, "cpu_usage_cores"),
            peak: Doubles::new(batch, "cpu_peak_cores"),
            p99: Doubles::new(batch, "cpu_p99_cores"),
            over: Doubles::new(batch, "cpu_over_request_seconds"),
            throttled: Doubles::new(batch, "cpu_throttled_seconds"),
            working_set: Longs::new(batch, "memory_working_set_bytes"),
            memory_peak: Longs::new(batch, "memory_peak_bytes"),
            oom_kills: Longs::new(batch, "oom_kills"),
            restarts: Longs::new(batch, "restarts"),
            tx: Longs::new(batch, "net_tx_bytes_delta"),
            rx: Longs::new(batch, "net_rx_bytes_delta"),
            read: Longs::new(batch, "io_read_bytes_delta"),
            written: Longs::new(batch, "io_write_bytes_delta"),
            instance: Texts::new(batch, "ec2_instance_id"),
            instance_type: Texts::new(batch, "instance_type"),
            zone: Texts::new(batch, "zone"),
            region: Texts::new(batch, "region"),
            namespace: Texts::new(batch, "namespace"),
            owner: Texts::new(batch, "owner"),
            workload_kind: Texts::new(batch, "workload_kind"),
            workload: Texts::new(batch, "workload"),
            name: Texts::new(batch, "pod_name"),
            qos: Texts::new(batch, "qos"),
            host_network: Booleans::new(batch, "host_network"),
            requests_cpu: Longs::new(batch, "requests_cpu_millicores"),
            requests_memory: Longs::new(batch, "requests_memory_bytes"),
            limits_cpu: Longs::new(batch, "limits_cpu_millicores"),
            limits_memory: Longs::new(batch, "limits_memory_bytes"),
            claims: Ints::new(batch, "pvc_count"),
            storage: Longs::new(batch, "total_pvc_storage_bytes"),
            labels: Lists::new(batch, "labels"),
        }
    }
}
