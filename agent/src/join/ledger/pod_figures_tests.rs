//! Which cgroups are a pod's, and whose figures its rows carry.

use super::{pod_scene::*, tests::*, *};
use crate::{imds::Instance, kernel::CgroupEventKind};

#[test]
fn a_pod_is_one_row_with_what_all_its_containers_used() {
    let mut ledger = with_pod();
    let store = store(false);
    let known = Known {
        pods: Some(&store),
        ..Known::default()
    };
    let snapshot = counted(
        1,
        &[(FIRST, SECOND / 2, 3), (SECOND_CONTAINER, SECOND / 4, 4)],
    );
    let rows = close_with(&mut ledger, &snapshot, &known);
    let row = only(&rows);
    assert_eq!(
        (row.pod_id.as_str(), row.namespace.as_deref()),
        (UID, Some("demo"))
    );
    assert_eq!(
        (row.pod_name.as_deref(), row.qos.as_deref()),
        (Some("web-1"), Some("burstable"))
    );
    assert_eq!(
        (row.cpu_seconds, row.cpu_usage_cores),
        (Some(0.75), Some(0.75))
    );
    assert_eq!(row.net_tx_packets_delta, Some(7));
    assert_eq!(row.cgroup_id, Some(OWN.cast_signed()));
    let balance = reconcile(&rows);
    assert_eq!(
        (balance.cpu_ns.total, balance.cpu_ns.in_flight),
        (750_000_000, 0)
    );
    // Idle: still one row.
    let rows = close_with(&mut ledger, &counted(2, &[(FIRST, SECOND / 2, 3)]), &known);
    assert_eq!(
        (only(&rows).cpu_seconds, only(&rows).closing),
        (Some(0.0), None)
    );
}

#[test]
fn windows_of_containers_are_their_pods() {
    let mut ledger = with_pod();
    assert_eq!(ledger.take_links(), [(FIRST, OWN), (SECOND_CONTAINER, OWN)]);
    assert_eq!(ledger.take_links(), []);
    // A container is seen before its pod's own cgroup.
    ledger.on_cgroup(told(
        CgroupEventKind::Born,
        9,
        "/kubepods/pod33c90f3f-8233-4cf3-bbe0-4a885e58f3d9/x",
    ));
    assert_eq!(ledger.take_links(), []);
    ledger.on_cgroup(told(
        CgroupEventKind::Born,
        8,
        "/kubepods/pod33c90f3f-8233-4cf3-bbe0-4a885e58f3d9",
    ));
    assert_eq!(ledger.take_links(), [(9, 8)]);
}

#[test]
fn a_pod_that_nobody_told_of_gets_its_row_by_uid() {
    let mut ledger = with_pod();
    let rows = close_with(
        &mut ledger,
        &counted(1, &[(FIRST, 1, 1)]),
        &Known::default(),
    );
    let row = only(&rows);
    assert_eq!((row.pod_id.as_str(), row.pod_name.as_deref()), (UID, None));
    assert!(
        row.sources.contains(&"name=path".to_owned()),
        "{:?}",
        row.sources
    );
}

#[test]
fn a_pod_with_the_hosts_network_never_carries_the_nodes_figures() {
    let mut ledger = with_pod();
    let (store, sample) = (store(true), sample(1, 5, 999_999, 1));
    let known = Known {
        pods: Some(&store),
        sample: Some(&sample),
        ..Known::default()
    };
    let rows = close_with(&mut ledger, &counted(1, &[(FIRST, 1, 3)]), &known);
    let row = only(&rows);
    assert_eq!(
        (row.net_tx_bytes, row.net_tx_bytes_delta),
        (Some(300), Some(300))
    );
    assert_eq!(row.host_network, Some(true));
    // Without the kernel there is nothing to say at all.
    let nothing = Sources::none("no kernel");
    let rows = close_from(&mut ledger, &counted(2, &[]), &known, &nothing);
    assert_eq!(
        (only(&rows).net_tx_bytes, only(&rows).net_tx_bytes_delta),
        (None, None)
    );
}

#[test]
fn without_the_kernel_the_kubelet_fills_in() {
    let mut ledger = ledger();
    ledger.by_pods();
    let store = store(false);
    let off = Sources::none("no kernel");
    let first = sample(0, SECOND, 1_000, 4096);
    let known = Known {
        pods: Some(&store),
        sample: Some(&first),
        ..Known::default()
    };
    let rows = close_from(&mut ledger, &counted(1, &[]), &known, &off);
    let row = only(&rows);
    assert_eq!(
        (row.memory_usage_bytes, row.net_tx_bytes),
        (Some(4096), Some(1_000))
    );
    assert_eq!(
        (row.cpu_seconds, row.cpu_usage_cores),
        (None, Some(0.25)),
        "one sample is no difference"
    );
    let second = sample(10, 3 * SECOND, 1_500, 4096);
    let known = Known {
        sample: Some(&second),
        ..known
    };
    let rows = close_from(&mut ledger, &counted(11, &[]), &known, &off);
    let row = only(&rows);
    assert_eq!(
        (row.cpu_seconds, row.cpu_usage_cores),
        (Some(2.0), Some(0.2))
    );
    assert_eq!(
        (row.net_tx_bytes_delta, row.net_tx_packets_delta),
        (Some(500), None)
    );
    for source in [
        "cpu=kubelet",
        "network=kubelet",
        "memory=kubelet",
        "name=api",
    ] {
        assert!(
            row.sources.contains(&source.to_owned()),
            "{source} in {:?}",
            row.sources
        );
    }
    assert_eq!(
        reconcile(&rows).cpu_ns.rows,
        0,
        "the kernel counted nothing of it"
    );
}

#[test]
fn a_repeated_sample_is_marked_and_adds_nothing() {
    let mut ledger = ledger();
    ledger.by_pods();
    let store = store(false);
    let off = Sources::none("no kernel");
    let same = sample(0, SECOND, 1_000, 4096);
    let known = Known {
        pods: Some(&store),
        sample: Some(&same),
        ..Known::default()
    };
    close_from(&mut ledger, &counted(1, &[]), &known, &off);
    let rows = close_from(&mut ledger, &counted(2, &[]), &known, &off);
    let row = only(&rows);
    assert_eq!(
        (row.cpu_seconds, row.net_tx_bytes_delta),
        (Some(0.0), Some(0))
    );
    assert!(
        row.sources.contains(&"memory=kubelet_stale".to_owned()),
        "{:?}",
        row.sources
    );
}

#[test]
fn a_pod_inside_a_pod_is_the_one_that_this_cluster_knows() {
    let inner = format!(
        "{}/kubepods/burstable/pod{UID}",
        container("c").replace("22c90f3f", "99c90f3f")
    );
    let mut ledger = ledger();
    ledger.by_pods();
    ledger.on_cgroup(told(CgroupEventKind::Born, 7, &inner));
    let store = store(false);
    let known = Known {
        pods: Some(&store),
        ..Known::default()
    };
    let rows = close_with(&mut ledger, &counted(1, &[(7, SECOND, 0)]), &known);
    let inner_row = usages(&rows)
        .into_iter()
        .find(|row| row.pod_id == UID)
        .cloned();
    assert_eq!(
        inner_row.and_then(|row| row.cpu_seconds),
        Some(1.0),
        "{rows:#?}"
    );
}

#[test]
fn services_of_the_host_stay_rows_beside_the_pods() {
    let mut ledger = with_pod();
    ledger.on_cgroup(told(
        CgroupEventKind::Born,
        5,
        "/system.slice/kubelet.service",
    ));
    let rows = close_with(
        &mut ledger,
        &counted(1, &[(FIRST, 1, 0), (5, SECOND, 0)]),
        &Known::default(),
    );
    let names: Vec<&str> = usages(&rows)
        .iter()
        .map(|row| row.pod_id.as_str())
        .collect();
    assert_eq!(names, ["/system.slice/kubelet.service", UID]);
    assert_eq!(node(&rows).pods, Some(1));
}

#[test]
fn the_instance_is_on_every_row_of_the_node() {
    let mut ledger = with_pod();
    let instance = Instance {
        instance_id: Some("i-1".into()),
        zone: Some("us-east-1a".into()),
        ..Instance::default()
    };
    let known = Known {
        instance: Some((&instance, "imds")),
        ..Known::default()
    };
    let rows = close_with(&mut ledger, &counted(1, &[(FIRST, 1, 0)]), &known);
    assert_eq!(only(&rows).ec2_instance_id.as_deref(), Some("i-1"));
    assert_eq!(node(&rows).zone.as_deref(), Some("us-east-1a"));
}
