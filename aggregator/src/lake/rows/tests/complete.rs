//! Rows come back completed, each once, and nothing else about them is another.

use std::sync::Arc;

use protocol::Table;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use super::{
    super::{Input, Inputs, build, complete::complete},
    random,
    value::{Row, Value, expected, read},
};
use crate::enrich::{Keep as _, Kind, Objects, Settings};

/// A pod that has everything, one that has nothing, and what the first has to do with.
const OBJECTS: [(Kind, &str); 6] = [
    (
        Kind::Pods,
        r#"{"metadata":{"uid":"a","namespace":"shop","name":"db-0","labels":{"x":"1","app":"db"},"annotations":{"note":"yes"},
        "ownerReferences":[{"kind":"ReplicaSet","name":"db-1","uid":"rs","controller":true}]},
        "spec":{"nodeName":"node","hostNetwork":true,"containers":[{"resources":{"limits":{"cpu":"2","memory":"1Ki"}}}],
        "volumes":[{"persistentVolumeClaim":{"claimName":"data"}}]},"status":{"qosClass":"Guaranteed"}}"#,
    ),
    (
        Kind::Pods,
        r#"{"metadata":{"uid":"12345678","namespace":"bare","name":"alone"}}"#,
    ),
    (
        Kind::Nodes,
        r#"{"metadata":{"name":"node","labels":{"topology.kubernetes.io/region":"r","node.kubernetes.io/instance-type":"t"}},
        "spec":{"providerID":"aws:///z/i-1"}}"#,
    ),
    (
        Kind::Claims,
        r#"{"metadata":{"namespace":"shop","name":"data"},"spec":{"resources":{"requests":{"storage":"7"}},"volumeName":"pv"}}"#,
    ),
    (
        Kind::Volumes,
        r#"{"metadata":{"name":"pv"},"spec":{"awsElasticBlockStore":{"volumeID":"aws://z/vol-1"}}}"#,
    ),
    (
        Kind::ReplicaSets,
        r#"{"metadata":{"uid":"rs","ownerReferences":[{"kind":"Deployment","name":"db","controller":true}]}}"#,
    ),
];

/// Told anew by the aggregator, whatever the agent said.
const ALWAYS: [&str; 3] = ["owner", "workload_kind", "workload"];

fn objects() -> Arc<Objects> {
    let objects = Objects::new(Settings::default());
    for (kind, object) in OBJECTS {
        objects.put(kind, object).unwrap();
    }
    objects
}

/// What is known of a column of the pod.
fn known(pod: &str, column: &str) -> Option<Value> {
    let text = |text: &str| Value::Text(text.to_owned());
    let list = |texts: &[&str]| Value::Texts(texts.iter().map(|text| (*text).to_owned()).collect());
    let value = match (pod, column) {
        ("a", "namespace") => text("shop"),
        ("a", "pod_name") => text("db-0"),
        ("a", "owner") => text("Deployment/db"),
        ("a", "workload_kind") => text("Deployment"),
        ("a", "workload") => text("db"),
        ("a", "qos") => text("guaranteed"),
        ("a", "ec2_instance_id") => text("i-1"),
        ("a", "instance_type") => text("t"),
        ("a", "zone") => text("z"),
        ("a", "region") => text("r"),
        ("a", "requests_cpu_millicores" | "limits_cpu_millicores") => Value::Long(2_000),
        ("a", "requests_memory_bytes" | "limits_memory_bytes") => Value::Long(1_024),
        ("a", "pvc_count") => Value::Long(1),
        ("a", "total_pvc_storage_bytes") => Value::Long(7),
        ("a", "labels") => list(&["app=db", "x=1"]),
        ("a", "annotations") => list(&["note=yes"]),
        ("a", "pvc_names") => list(&["data"]),
        ("a", "aws_volume_ids") => list(&["vol-1"]),
        ("a", "host_network") => Value::Boolean(true),
        ("12345678", "namespace") => text("bare"),
        ("12345678", "pod_name" | "workload") => text("alone"),
        ("12345678", "workload_kind") => text("Pod"),
        ("12345678", "labels" | "annotations" | "pvc_names" | "aws_volume_ids") => list(&[]),
        ("12345678", "pvc_count" | "total_pvc_storage_bytes") => Value::Long(0),
        ("12345678", "host_network") => Value::Boolean(false),
        _ => return None,
    };
    Some(value)
}

/// The row as it should come back.
fn completed(table: Table, row: &Row) -> Row {
    let columns = table.columns();
    let pod = columns.iter().position(|column| column.name == "pod_id");
    let (Some(pod), Table::PodUsage | Table::PodNetwork) = (pod, table) else {
        return row.clone();
    };
    let Value::Text(pod) = &row[pod] else {
        panic!("a row without a pod");
    };
    let value = |(value, name): (&Value, &str)| {
        let is_asked = *value == Value::Absent || ALWAYS.contains(&name);
        let known = known(pod, name).filter(|_| is_asked);
        known.unwrap_or_else(|| value.clone())
    };
    let names = columns.iter().map(|column| column.name);
    row.iter().zip(names).map(value).collect()
}

fn sorted(rows: impl Iterator<Item = Row>) -> Vec<String> {
    let mut texts: Vec<String> = rows.map(|row| format!("{row:?}")).collect();
    texts.sort();
    texts
}

#[test]
fn random_rows_come_back_completed_one_for_one() {
    let (objects, mut filled) = (objects(), 0);
    for seed in 0..24 {
        let mut rng = StdRng::seed_from_u64(seed);
        for table in Table::ALL {
            let batches: Vec<Input> = (0..rng.random_range(1..6))
                .map(|_| {
                    let rows = rng.random_range(1..60);
                    random::input(&mut rng, table, rows, 3)
                })
                .collect();
            let before = expected(table, &batches);
            let mut inputs = Inputs::new(table, 0);
            for batch in batches {
                inputs.push(batch).unwrap();
            }
            complete(&mut inputs, &*objects);
            assert_eq!(inputs.rows, before.len());
            let (bytes, _) = build(inputs).unwrap();
            let found = read(&bytes);
            assert_eq!(found.len(), before.len(), "one in, one out");
            let wanted = before.iter().map(|row| completed(table, row));
            filled += before
                .iter()
                .filter(|row| completed(table, row) != **row)
                .count();
            let (found, wanted) = (sorted(found.into_iter()), sorted(wanted));
            for (found, wanted) in found.iter().zip(&wanted) {
                assert_eq!(found, wanted, "in {}", table.name());
            }
        }
    }
    assert!(filled > 500, "{filled}");
}
