//! Summaries as kubelets tell them, and as they must not be.

use protocol::Timestamp;
use serde_json::{Value, json};

use super::{Summary, SummaryError};

const RECORDED: &[u8] = include_bytes!("../../tests/data/kubelet/stats-summary.json");
const CPU_AND_MEMORY: &[u8] = include_bytes!("../../tests/data/kubelet/stats-summary-cpumem.json");
const WITH_OOM: &[u8] = include_bytes!("../../tests/data/kubelet/summary-with-oom.json");
const WITH_STATIC: &[u8] = include_bytes!("../../tests/data/kubelet/summary-with-static-pod.json");

fn parse(json: &Value) -> Summary {
    Summary::parse(json.to_string().as_bytes()).unwrap()
}

fn recorded() -> Value {
    serde_json::from_slice(RECORDED).unwrap()
}

#[test]
fn every_figure_of_a_recorded_pod_is_read() {
    let summary = Summary::parse(RECORDED).unwrap();
    assert_eq!((summary.pods.len(), summary.oddities), (5, 0));
    let pod = &summary.pods[0];
    assert_eq!(pod.uid, "22c90f3f-8233-4cf3-bbe0-4a885e58f3d9");
    assert_eq!(
        (pod.namespace.as_str(), pod.name.as_str()),
        ("demo", "web-768c4ccb68-mk5g4")
    );
    assert_eq!(
        pod.start_time.unwrap().to_string(),
        "2026-11-21T00:41:04.000000Z"
    );
    let cpu = pod.cpu.unwrap();
    assert_eq!(cpu.time.to_string(), "2026-11-21T00:42:06.000000Z");
    assert_eq!(
        (cpu.usage_core_ns, cpu.usage_nano_cores),
        (1_679_336_000, Some(5_947_163))
    );
    assert!(!pod.is_cpu_summed);
    let memory = pod.memory.unwrap();
    assert_eq!(memory.usage_bytes, Some(1_036_288));
    assert_eq!(memory.working_set_bytes, Some(1_036_288));
    assert_eq!(memory.rss_bytes, Some(212_992));
    assert_eq!(pod.swap_usage_bytes, Some(0));
    let psi = pod.psi.unwrap();
    assert_eq!(
        (psi.cpu_some_us, psi.cpu_full_us),
        (Some(1_713_691), Some(1_311_277))
    );
    assert_eq!((psi.memory_some_us, psi.io_full_us), (Some(0), Some(0)));
    let host = &summary.pods[1];
    let network = host.network.unwrap();
    assert_eq!(network.time.to_string(), "2026-11-21T00:42:17.000000Z");
    assert_eq!(
        (network.tx_bytes, network.rx_bytes),
        (Some(880_648), Some(1_746_494))
    );
    assert_eq!(host.ephemeral_storage_used_bytes, Some(45_056));
}

#[test]
fn the_node_is_read_too() {
    let node = Summary::parse(RECORDED).unwrap().node;
    assert_eq!(node.node_name.as_deref(), Some("node-1"));
    assert_eq!(
        node.start_time.unwrap().to_string(),
        "2026-11-21T00:28:22.000000Z"
    );
    assert_eq!(node.cpu.unwrap().usage_core_ns, 314_372_000_000);
    assert_eq!(node.memory.unwrap().working_set_bytes, Some(292_675_584));
    assert_eq!(node.network.unwrap().rx_bytes, Some(1_720_173));
    assert_eq!(node.swap_usage_bytes, Some(0));
    let psi = node.psi.unwrap();
    assert_eq!(
        (psi.cpu_some_us, psi.io_some_us),
        (Some(126_312_042), Some(1_944_120))
    );
}

#[test]
fn other_recorded_summaries_are_read_without_oddities() {
    for bytes in [CPU_AND_MEMORY, WITH_OOM, WITH_STATIC] {
        let summary = Summary::parse(bytes).unwrap();
        assert_eq!((summary.pods.len(), summary.first_oddity), (5, None));
        assert!(
            summary
                .pods
                .iter()
                .all(|pod| pod.cpu.is_some() && pod.memory.is_some())
        );
    }
    let summary = Summary::parse(CPU_AND_MEMORY).unwrap();
    assert_eq!(summary.pods[0].network, None);
    assert_eq!(summary.pods[0].ephemeral_storage_used_bytes, None);
    let summary = Summary::parse(WITH_STATIC).unwrap();
    assert_eq!(summary.pods[1].uid, "3b6f592f3e4ffc4b400a5d43d66cecf1");
}

#[test]
fn an_old_kubelet_gives_what_it_has() {
    let mut json = recorded();
    let pod = &mut json["pods"][0];
    for missing in ["swap", "io", "network", "ephemeral-storage", "startTime"] {
        pod.as_object_mut().unwrap().remove(missing);
    }
    pod["cpu"].as_object_mut().unwrap().remove("psi");
    pod["memory"].as_object_mut().unwrap().remove("psi");
    pod["memory"]["rssBytes"] = Value::Null;
    let summary = parse(&json);
    let pod = &summary.pods[0];
    assert_eq!(
        (pod.swap_usage_bytes, pod.psi, pod.network),
        (None, None, None)
    );
    assert_eq!((pod.memory.unwrap().rss_bytes, summary.oddities), (None, 0));
}

#[test]
fn a_pod_without_figures_gets_the_sum_of_its_containers() {
    let mut json = recorded();
    let pod = &mut json["pods"][0];
    pod.as_object_mut().unwrap().remove("cpu");
    pod.as_object_mut().unwrap().remove("memory");
    let containers = pod["containers"].as_array().unwrap().clone();
    let sum = |part: &str, field: &str| -> u64 {
        containers
            .iter()
            .map(|one| one[part][field].as_u64().unwrap())
            .sum()
    };
    let newest = containers
        .iter()
        .map(|one| one["cpu"]["time"].as_str().unwrap())
        .max();
    let summary = parse(&json);
    let (cpu, memory) = (
        summary.pods[0].cpu.unwrap(),
        summary.pods[0].memory.unwrap(),
    );
    assert!(summary.pods[0].is_cpu_summed && containers.len() == 2);
    assert_eq!(cpu.usage_core_ns, sum("cpu", "usageCoreNanoSeconds"));
    assert_eq!(cpu.time.to_string()[..19], newest.unwrap()[..19]);
    assert_eq!(
        memory.working_set_bytes,
        Some(sum("memory", "workingSetBytes"))
    );
    json["pods"][0]["containers"] = json!([{}, {"cpu": null}, 5, {"cpu": "x"}]);
    let summary = parse(&json);
    assert_eq!((summary.pods[0].cpu, summary.oddities), (None, 2));
    json["pods"][0]["containers"] = json!(7);
    assert_eq!(parse(&json).oddities, 1);
}

/// Replaces one text of a recorded answer: JSON values would not hold what is wrong.
fn with_bytes(value: &str) -> Summary {
    let text = String::from_utf8(RECORDED.to_vec()).unwrap();
    let old = "\"usageBytes\": 1036288";
    assert_eq!(text.matches(old).count(), 1);
    let text = text.replace(old, &format!("\"usageBytes\": {value}"));
    Summary::parse(text.as_bytes()).unwrap()
}

#[test]
fn a_wrong_number_costs_only_itself() {
    let whole = Summary::parse(RECORDED).unwrap();
    for wrong in [
        "-1",
        "1.5",
        "1e3",
        "18446744073709551616",
        "1e400",
        "\"12\"",
        "true",
        "[1,[2]]",
        "{\"a\":1}",
    ] {
        let mut summary = with_bytes(wrong);
        let memory = summary.pods[0].memory.as_mut().unwrap();
        assert_eq!((memory.usage_bytes, summary.oddities), (None, 1), "{wrong}");
        let told = summary.first_oddity.take().unwrap();
        let shown = format!("pods[0].memory.usageBytes is {wrong}");
        assert_eq!(told, shown);
        memory.usage_bytes = Some(1_036_288);
        summary.oddities = 0;
        assert_eq!(summary, whole, "{wrong}: nothing else changed");
    }
    let most = with_bytes("18446744073709551615");
    assert_eq!(most.pods[0].memory.unwrap().usage_bytes, Some(u64::MAX));
    assert_eq!(with_bytes("null").oddities, 0);
}

#[test]
fn a_wrong_part_costs_only_itself() {
    for wrong in [
        json!(5),
        json!(-5),
        json!(0.5),
        json!("x"),
        json!([1]),
        json!(true),
    ] {
        let mut json = recorded();
        json["pods"][0]["cpu"] = wrong.clone();
        json["pods"][1]["cpu"]["psi"] = wrong.clone();
        json["pods"][2]["cpu"]["time"] = wrong.clone();
        json["node"]["memory"] = wrong;
        let summary = parse(&json);
        assert_eq!((summary.pods.len(), summary.oddities), (5, 4));
        assert_eq!((summary.pods[0].cpu, summary.pods[2].cpu), (None, None));
        assert!(summary.pods[0].memory.is_some() && summary.pods[1].cpu.is_some());
        assert!(summary.node.memory.is_none() && summary.node.cpu.is_some());
    }
}

#[test]
fn a_wrong_entry_is_left_out_and_told() {
    let fine = recorded()["pods"][1].clone();
    let mut wrong = vec![json!(1), json!(null), json!("pod"), json!([]), json!({})];
    for (field, value) in [
        ("uid", json!("")),
        ("uid", json!(null)),
        ("uid", json!(5)),
        ("uid", json!("u".repeat(1_000))),
        ("name", json!("a\nb")),
        ("namespace", json!({})),
    ] {
        let mut pod = fine.clone();
        pod["podRef"][field] = value;
        wrong.push(pod);
    }
    wrong.push(json!({"podRef": ["name", "namespace", "uid"]}));
    for pod in wrong {
        let mut json = recorded();
        json["pods"][1] = pod.clone();
        let summary = parse(&json);
        assert_eq!((summary.pods.len(), summary.oddities), (4, 1), "{pod}");
        assert!(summary.first_oddity.unwrap().starts_with("pods[1]"));
    }
}

#[test]
fn of_two_entries_with_one_uid_the_first_counts() {
    let mut json = recorded();
    json["pods"][3]["podRef"]["uid"] = json["pods"][0]["podRef"]["uid"].clone();
    let summary = parse(&json);
    assert_eq!((summary.pods.len(), summary.oddities), (4, 1));
    assert_eq!(summary.pods[0].name, "web-768c4ccb68-mk5g4");
    let told = summary.first_oddity.unwrap();
    assert!(
        told.starts_with("pods[3].podRef.uid is there twice"),
        "{told}"
    );
}

/// What serde itself would give up on: a number too large for any type, a key that is there twice.
#[test]
fn an_entry_that_can_not_be_read_at_all_spoils_no_other() {
    let text = String::from_utf8(RECORDED.to_vec()).unwrap();
    let huge = format!(
        "\"pods\": [1e999, {{\"cpu\": 1e999}}, {}",
        text.split_once("\"pods\": [").unwrap().1
    );
    let twice = "{\"podRef\": {}, \"podRef\": {}}";
    for (json, pods, oddities) in [
        (format!("{{{huge}"), 5, 2),
        (
            text.replace("\"pods\": [", &format!("\"pods\": [{twice},")),
            5,
            1,
        ),
        (
            text.replacen("\"node\": {", "\"node\": {\"cpu\": 1e999,", 1),
            5,
            1,
        ),
        ("{\"node\": {}, \"pods\": {}}".to_owned(), 0, 1),
        ("{\"node\": 7, \"pods\": []}".to_owned(), 0, 1),
        (
            format!(
                "{{\"pods\": [{}1{}]}}",
                "[".repeat(5_000),
                "]".repeat(5_000)
            ),
            0,
            1,
        ),
    ] {
        let summary = Summary::parse(json.as_bytes()).unwrap();
        assert_eq!(
            (summary.pods.len(), summary.oddities),
            (pods, oddities),
            "{json:.80}"
        );
    }
}

#[test]
fn no_pods_are_no_oddity() {
    for json in [
        "{\"node\":{\"nodeName\":\"n\"},\"pods\":null}",
        "{\"node\":{},\"pods\":[]}",
    ] {
        let summary = Summary::parse(json.as_bytes()).unwrap();
        assert_eq!((summary.pods.len(), summary.oddities), (0, 0));
    }
}

#[test]
fn what_is_no_summary_is_told_plainly() {
    let deep = "[".repeat(200_000);
    for (bytes, words) in [
        (&b""[..], "at byte 0"),
        (
            b"<!DOCTYPE html>\n<html>",
            "begins with \"<!DOCTYPE html>\\n<html>\"",
        ),
        (&RECORDED[..2_000], "no JSON: at byte"),
        (b"{\"node\":{},\"pods\":[]} x", "at byte 22"),
        (
            b"{\"node\":\n{\"nodeName\": \"\xff\"}}",
            "at byte 23: not UTF-8",
        ),
        (deep.as_bytes(), "no JSON"),
        (b"[]", "it is no object"),
        (b"\"Bearer abcdef\"", "begins with \"\"Bearer ***\""),
        (
            b"{\"kind\":\"Status\",\"code\":403}",
            "neither node nor pods",
        ),
    ] {
        let error = Summary::parse(bytes).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert!(error.len() < 400, "{error}");
    }
}

#[test]
fn no_cut_of_a_summary_is_taken_for_a_whole_one() {
    let text = String::from_utf8(RECORDED.to_vec()).unwrap();
    let end = text.trim_end().len();
    for cut in (0..end).step_by(97) {
        let error = Summary::parse(&RECORDED[..cut]).unwrap_err();
        assert!(
            matches!(error, SummaryError::NotJson { .. }),
            "{cut}: {error}"
        );
    }
}

#[test]
fn more_than_a_node_can_have_is_refused() {
    let pods: Vec<Value> = (0..5_001)
        .map(|n| json!({"podRef": {"uid": n.to_string(), "name": "a", "namespace": "b"}}))
        .collect();
    let error = Summary::parse(json!({"pods": pods}).to_string().as_bytes()).unwrap_err();
    assert_eq!(error, SummaryError::TooManyPods { pods: 5_001 });
    assert_eq!(parse(&json!({"pods": pods[1..]})).pods.len(), 5_000);
    let error = Summary::parse(&vec![b' '; 64 * 1_024 * 1_024 + 1]).unwrap_err();
    assert!(matches!(error, SummaryError::TooLarge { .. }));
}

#[test]
fn times_that_are_none_are_odd() {
    for wrong in [
        "0001-01-01T00:00:00Z",
        "yesterday",
        "",
        "2026-13-01T00:00:00Z",
        "é",
    ] {
        let mut json = recorded();
        json["pods"][0]["memory"]["time"] = json!(wrong);
        let summary = parse(&json);
        assert_eq!(
            (summary.pods[0].memory, summary.oddities),
            (None, 1),
            "{wrong}"
        );
    }
    let mut json = recorded();
    json["pods"][0]["memory"]["time"] = json!("9999-12-31T23:59:59Z");
    let far = parse(&json).pods[0].memory.unwrap().time;
    assert!(far > Timestamp { unix_us: 1 << 57 });
}
