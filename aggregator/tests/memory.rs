//! What the store of objects takes: the only test of its process, whose memory it measures.

use std::fs;

use aggregator::enrich::{Keep as _, Kind, Objects, Settings};
use serde_json::{Value, json};

const PODS: usize = 10_000;
const RECORDED: &str = include_str!("data/api/pods.jsonl");

fn resident_kib() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// A recorded pod in which a name, a uid, a label and an annotation are marked.
fn marked() -> String {
    let is_web = |line: &&str| line.contains("web-768c4ccb68-mk5g4");
    let line = RECORDED.lines().find(is_web).unwrap_or_default();
    let mut pod: Value = serde_json::from_str(line).unwrap_or_default();
    let metadata = &mut pod["metadata"];
    metadata["managedFields"] = json!([]);
    metadata["uid"] = json!("22c90f3f-8233-4cf3-bbe0-@own");
    metadata["name"] = json!("web-768c4ccb68-@own");
    metadata["labels"]["version"] = json!("1.@shared");
    metadata["annotations"]["example.com/id"] = json!("0123456789abcdef0123456789abcdef-@own");
    pod.to_string()
}

/// One of its kind; four have a label in common.
fn pod(marked: &str, number: usize) -> String {
    let own = marked.replace("@own", &format!("{number:012x}"));
    own.replace("@shared", &(number / 4).to_string())
}

#[test]
fn ten_thousand_pods_take_less_than_ten_mebibytes() {
    let marked = marked();
    let objects = Objects::new(Settings::default());
    objects.put(Kind::Pods, &pod(&marked, 0)).unwrap();
    let before = resident_kib().unwrap();
    for turn in 1..=2 {
        objects.begin(Kind::Pods);
        for number in 0..PODS {
            objects.put(Kind::Pods, &pod(&marked, number)).unwrap();
        }
        objects.end(Kind::Pods);
        let kib = resident_kib().unwrap().saturating_sub(before);
        // That it takes anything at all is what makes this a measurement.
        let bounds = 1_024..10 * 1_024;
        assert!(bounds.contains(&kib), "{kib} KiB after list {turn}");
    }
    assert_eq!(objects.tally().there[Kind::Pods as usize], PODS);
}
