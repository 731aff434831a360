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

/// A recorded pod with a name, a uid and an annotation of its own, and labels that four have.
fn pod(recorded: &mut Value, number: usize) -> String {
    let metadata = &mut recorded["metadata"];
    metadata["uid"] = json!(format!("22c90f3f-8233-4cf3-bbe0-{number:012x}"));
    metadata["name"] = json!(format!("web-768c4ccb68-{number:05}"));
    metadata["labels"]["version"] = json!(format!("1.{}", number / 4));
    metadata["annotations"]["example.com/id"] = json!(format!("{number:064}"));
    recorded.to_string()
}

#[test]
fn ten_thousand_pods_take_less_than_ten_mebibytes() {
    let is_web = |line: &&str| line.contains("web-768c4ccb68-mk5g4");
    let line = RECORDED.lines().find(is_web).unwrap();
    let mut recorded: Value = serde_json::from_str(line).unwrap();
    let objects = Objects::new(Settings::default());
    objects.put(Kind::Pods, &pod(&mut recorded, 0)).unwrap();
    let before = resident_kib().unwrap();
    for turn in 1..=2 {
        objects.begin(Kind::Pods);
        for number in 0..PODS {
            objects
                .put(Kind::Pods, &pod(&mut recorded, number))
                .unwrap();
        }
        objects.end(Kind::Pods);
        let kib = resident_kib().unwrap().saturating_sub(before);
        // That it takes anything at all is what makes this a measurement.
        let bounds = 1_024..10 * 1_024;
        assert!(bounds.contains(&kib), "{kib} KiB after list {turn}");
    }
    assert_eq!(objects.tally().there[Kind::Pods as usize], PODS);
}
