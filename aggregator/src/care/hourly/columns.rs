//! Columns of `pod_usage_hourly`: name, meaning, and where the value comes from, in one place.

use std::sync::{Arc, LazyLock};

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
    builder::{ListBuilder, StringBuilder},
};
use arrow_schema::ArrowError;
use protocol::{Column, Kind};

use super::hour::Hour;
use crate::lake::schema;

/// A pod's hour and when it began, in microseconds.
pub struct Row<'a> {
    pub hour: &'a Hour,
    pub start: i64,
}

/// Where a column's values come from.
enum From {
    Text(fn(&Hour) -> Option<&str>),
    Texts(fn(&Hour) -> Option<&[String]>),
    Long(fn(&Hour) -> Option<i64>),
    Int(fn(&Hour) -> Option<i32>),
    Double(fn(&Hour) -> Option<f64>),
    Boolean(fn(&Hour) -> Option<bool>),
    /// The begin of the hour.
    Start,
}

impl From {
    fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Texts(_) => Kind::Texts,
            Self::Long(_) => Kind::Long,
            Self::Int(_) => Kind::Int,
            Self::Double(_) => Kind::Double,
            Self::Boolean(_) => Kind::Boolean,
            Self::Start => Kind::Time,
        }
    }
}

/// Windows that cover this much of an hour are all of it: their lengths differ by little.
const WHOLE_US: i64 = 3_564_000_000;

/// Name, source, meaning. The first three always have a value.
const COLUMNS: [(&str, From, &str); 42] = {
    use From::{Boolean, Double, Int, Long, Start, Text, Texts};
    [
        (
            "hour",
            Start,
            "Begin of the hour, UTC. It has the windows that end after it, up to the begin of the next.",
        ),
        ("node_name", Text(|hour| Some(&hour.node_name)), "Node."),
        (
            "pod_id",
            Text(|hour| Some(&hour.pod_id)),
            "Pod uid; on a plain host the path of the cgroup.",
        ),
        (
            "cluster_id",
            Text(|hour| Some(&hour.cluster_id)),
            "Cluster.",
        ),
        (
            "ec2_instance_id",
            Text(|hour| hour.last.ec2_instance_id.as_deref()),
            "EC2 instance: `resource_id` of AWS cost reports ends with it.",
        ),
        (
            "instance_type",
            Text(|hour| hour.last.instance_type.as_deref()),
            "EC2 instance type.",
        ),
        (
            "zone",
            Text(|hour| hour.last.zone.as_deref()),
            "Availability zone.",
        ),
        (
            "region",
            Text(|hour| hour.last.region.as_deref()),
            "Region.",
        ),
        (
            "namespace",
            Text(|hour| hour.last.namespace.as_deref()),
            "Namespace.",
        ),
        (
            "owner",
            Text(|hour| hour.last.owner.as_deref()),
            "Owner reference.",
        ),
        (
            "workload_kind",
            Text(|hour| hour.last.workload_kind.as_deref()),
            "Kind of the workload.",
        ),
        (
            "workload",
            Text(|hour| hour.last.workload.as_deref()),
            "Name of the workload.",
        ),
        (
            "pod_name",
            Text(|hour| hour.last.pod_name.as_deref()),
            "Name of the pod.",
        ),
        (
            "qos",
            Text(|hour| hour.last.qos.as_deref()),
            "Quality-of-service class.",
        ),
        (
            "host_network",
            Boolean(|hour| hour.last.host_network),
            "Shares the node's network namespace.",
        ),
        (
            "windows",
            Long(|hour| Some(hour.windows)),
            "Rows of `pod_usage` that it was made of.",
        ),
        (
            "seconds",
            Double(|hour| Some(hour.us as f64 / 1e6)),
            "Length of its windows, in seconds: how long the pod was there.",
        ),
        (
            "is_complete",
            Boolean(|hour| Some(hour.us >= WHOLE_US)),
            "Its windows cover the whole hour. False for a pod that began or ended in it, and where windows are missing.",
        ),
        (
            "cpu_seconds",
            Double(|hour| hour.cpu_seconds),
            "CPU time used, in seconds; where windows tell their mean alone, the mean by their length.",
        ),
        (
            "cpu_peak_cores",
            Double(|hour| hour.cpu_peak_cores),
            "Highest mean over 100 ms, in cores.",
        ),
        (
            "cpu_p99_cores",
            Double(|hour| hour.cpu_p99_cores),
            "Highest of its windows' 99th percentiles of the means over 100 ms, in cores.",
        ),
        (
            "cpu_over_request_seconds",
            Double(|hour| hour.cpu_over_request_seconds),
            "Time in which 100 ms means exceeded the request, in seconds.",
        ),
        (
            "cpu_throttled_seconds",
            Double(|hour| hour.cpu_throttled_seconds),
            "Time throttled by the quota, in seconds.",
        ),
        (
            "memory_working_set_bytes_avg",
            Double(|hour| average(hour.working_set)),
            "Mean of its windows' working sets, in bytes.",
        ),
        (
            "memory_peak_bytes",
            Long(|hour| hour.memory_peak_bytes),
            "Highest memory use of its cgroup up to the end of the hour, in bytes.",
        ),
        (
            "requests_cpu_millicores",
            Long(|hour| hour.last.requests_cpu_millicores),
            "CPU requested, in thousandths of a core.",
        ),
        (
            "requests_memory_bytes",
            Long(|hour| hour.last.requests_memory_bytes),
            "Memory requested, in bytes.",
        ),
        (
            "limits_cpu_millicores",
            Long(|hour| hour.last.limits_cpu_millicores),
            "CPU limit, in thousandths of a core.",
        ),
        (
            "limits_memory_bytes",
            Long(|hour| hour.last.limits_memory_bytes),
            "Memory limit, in bytes.",
        ),
        (
            "net_tx_bytes",
            Long(|hour| hour.net_tx_bytes),
            "Bytes sent.",
        ),
        (
            "net_rx_bytes",
            Long(|hour| hour.net_rx_bytes),
            "Bytes received.",
        ),
        (
            "net_tx_bytes_internet",
            Long(|hour| hour.classes.told(hour.classes.internet[0])),
            "Bytes sent to the internet.",
        ),
        (
            "net_rx_bytes_internet",
            Long(|hour| hour.classes.told(hour.classes.internet[1])),
            "Bytes received from the internet.",
        ),
        (
            "net_tx_bytes_cross_zone",
            Long(|hour| hour.classes.told(hour.classes.cross_zone[0])),
            "Bytes sent to another zone.",
        ),
        (
            "net_rx_bytes_cross_zone",
            Long(|hour| hour.classes.told(hour.classes.cross_zone[1])),
            "Bytes received from another zone.",
        ),
        (
            "io_read_bytes",
            Long(|hour| hour.io_read_bytes),
            "Bytes read from block devices.",
        ),
        (
            "io_write_bytes",
            Long(|hour| hour.io_write_bytes),
            "Bytes written to block devices.",
        ),
        (
            "oom_kills",
            Long(|hour| hour.oom_kills),
            "Processes killed for want of memory.",
        ),
        (
            "restarts",
            Long(|hour| hour.restarts),
            "Container restarts.",
        ),
        (
            "pvc_count",
            Int(|hour| hour.last.pvc_count),
            "Volume claims mounted.",
        ),
        (
            "total_pvc_storage_bytes",
            Long(|hour| hour.last.total_pvc_storage_bytes),
            "Storage claimed, in bytes.",
        ),
        (
            "labels",
            Texts(|hour| hour.last.labels.as_deref()),
            "Labels as key=value.",
        ),
    ]
};

fn average((sum, count): (f64, u32)) -> Option<f64> {
    (count > 0).then(|| sum / f64::from(count))
}

/// Of the table, in order.
pub fn columns() -> &'static [Column] {
    static LIST: LazyLock<Vec<Column>> = LazyLock::new(|| {
        let column = |(id, (name, from, doc)): (u32, &(&'static str, From, &'static str))| Column {
            id,
            name,
            kind: from.kind(),
            is_nullable: id > 3,
            doc,
            is_of_header: false,
            is_of_ledger: false,
        };
        (1..).zip(&COLUMNS).map(column).collect()
    });
    &LIST
}

/// The rows as a file has them.
pub fn batch(rows: &[Row<'_>]) -> Result<RecordBatch, ArrowError> {
    let arrays = COLUMNS.iter().map(|(_, from, _)| array(from, rows));
    RecordBatch::try_new(schema::arrow(columns()), arrays.collect())
}

fn array(from: &From, rows: &[Row<'_>]) -> ArrayRef {
    let hours = rows.iter().map(|row| row.hour);
    match from {
        From::Text(get) => Arc::new(hours.map(get).collect::<StringArray>()),
        From::Long(get) => Arc::new(hours.map(get).collect::<Int64Array>()),
        From::Int(get) => Arc::new(hours.map(get).collect::<Int32Array>()),
        From::Double(get) => Arc::new(hours.map(get).collect::<Float64Array>()),
        From::Boolean(get) => Arc::new(hours.map(get).collect::<BooleanArray>()),
        From::Texts(get) => {
            let mut lists = ListBuilder::new(StringBuilder::new()).with_field(schema::list_item());
            for list in hours.map(get) {
                for text in list.into_iter().flatten() {
                    lists.values().append_value(text);
                }
                lists.append(list.is_some());
            }
            Arc::new(lists.finish())
        }
        From::Start => {
            let starts = rows.iter().map(|row| row.start).collect::<Vec<_>>();
            Arc::new(TimestampMicrosecondArray::from(starts).with_timezone("UTC"))
        }
    }
}
