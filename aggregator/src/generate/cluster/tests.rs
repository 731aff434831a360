//! A cluster that is made up holds what a real one does.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{
    Body, Limits, Table, Timestamp,
    columns::{TableData, Values},
    decode,
};

use super::{Cluster, Shape};
use crate::held::Held;

/// A morning.
const START: Timestamp = Timestamp {
    unix_us: 1_767_250_800_000_000,
};
const MINUTE_US: i64 = 60_000_000;

fn shape(seed: u64) -> Shape {
    Shape {
        seed,
        cluster: "c".to_owned(),
        pods: 140,
        start: START,
        interval_us: MINUTE_US / 2,
        length_us: 30 * MINUTE_US,
    }
}

fn frames(cluster: &mut Cluster, windows: u64) -> Vec<(String, u64, Vec<u8>)> {
    let batches = cluster.windows(windows).into_iter();
    let name = |held: Held| (held.sender.node.to_string(), held.seq, held.frame.to_vec());
    batches.map(name).collect()
}

#[test]
fn the_same_seed_makes_the_same_rows_on_any_number_of_threads() {
    let mut whole = Cluster::new(&shape(7));
    let mut parts = Cluster::new(&shape(7));
    (whole.threads, parts.threads) = (3, 1);
    let mut in_parts = [4, 1, 5]
        .map(|windows| frames(&mut parts, windows))
        .concat();
    in_parts.sort();
    let mut at_once = frames(&mut whole, 10);
    at_once.sort();
    assert_eq!(whole.nodes(), 3);
    assert_eq!(at_once.len(), 30);
    assert!(at_once == in_parts, "rows differ");
    assert!(at_once != frames(&mut Cluster::new(&shape(8)), 10));
}

/// Columns of `pod_usage` by name, `None` where a row has no value.
struct Usage(BTreeMap<&'static str, Vec<Option<f64>>>, Vec<String>);

impl Usage {
    fn new(data: &TableData) -> Self {
        let (mut numbers, mut pods) = (BTreeMap::new(), Vec::new());
        for column in Table::PodUsage.columns() {
            let Some(sent) = data.columns.iter().find(|sent| sent.id == column.id) else {
                numbers.insert(column.name, vec![None; data.rows]);
                continue;
            };
            let present = sent.present.clone().unwrap_or(vec![true; data.rows]);
            let mut values: Box<dyn Iterator<Item = f64>> = match &sent.values {
                Values::Longs(values) => Box::new(values.iter().map(|value| *value as f64)),
                Values::Doubles(values) => Box::new(values.iter().copied()),
                Values::Booleans(values) => Box::new(values.iter().map(|value| f64::from(*value))),
                Values::Texts(texts, all) => {
                    if column.name == "pod_id" {
                        pods = texts
                            .iter()
                            .map(|text| all.get(*text).unwrap().to_owned())
                            .collect();
                    }
                    continue;
                }
                Values::Lists(..) => continue,
            };
            let rows = present
                .iter()
                .map(|is_there| is_there.then(|| values.next().unwrap()));
            numbers.insert(column.name, rows.collect());
        }
        Self(numbers, pods)
    }

    fn at(&self, column: &str, row: usize) -> Option<f64> {
        self.0[column][row]
    }
}

fn usages(windows: u64) -> Vec<Usage> {
    let batches = Cluster::new(&shape(1)).windows(windows).into_iter();
    let usage = |held: Held| {
        let batch = decode(&held.frame, &Limits::default()).unwrap();
        let Body::Whole(tables) = batch.body else {
            panic!("a gap");
        };
        let data = tables.iter().find(|data| data.table == Table::PodUsage);
        Usage::new(data.unwrap())
    };
    batches.map(usage).collect()
}

/// What any reader takes for granted.
#[test]
fn figures_of_a_row_fit_each_other() {
    let mut throttled_below_its_limit = 0;
    for usage in usages(60) {
        for row in 0..usage.1.len() {
            let figure = |column| usage.at(column, row);
            let (mean, peak) = (
                figure("cpu_usage_cores").unwrap(),
                figure("cpu_peak_cores").unwrap(),
            );
            assert!(mean <= peak && figure("cpu_p99_cores").unwrap() <= peak);
            let throttled = figure("cpu_throttled_seconds").unwrap();
            match figure("limits_cpu_millicores") {
                Some(limit) => {
                    assert!(peak <= limit / 1e3 + 1e-3, "{peak} of {limit}");
                    throttled_below_its_limit += u32::from(throttled > 0.0 && mean < limit / 2e3);
                }
                None => assert!(throttled == 0.0),
            }
            let length = figure("window_end").unwrap() - figure("window_start").unwrap();
            assert!(figure("cpu_over_request_seconds").unwrap_or(0.0) <= length / 1e6);
            let in_use = figure("memory_usage_bytes").unwrap_or(0.0);
            assert!(in_use <= figure("memory_peak_bytes").unwrap_or(0.0));
            assert!(in_use <= figure("limits_memory_bytes").unwrap_or(f64::MAX));
            assert!(figure("memory_rss_bytes") <= figure("memory_working_set_bytes"));
        }
    }
    assert!(
        throttled_below_its_limit > 10,
        "{throttled_below_its_limit}"
    );
}

/// The running totals are those of the windows.
#[test]
fn counters_go_on_where_they_were() {
    let mut before = BTreeMap::new();
    let mut went_on = 0;
    for usage in usages(60) {
        for (row, pod) in usage.1.iter().enumerate() {
            let total = usage.at("net_tx_bytes", row).unwrap();
            let delta = usage.at("net_tx_bytes_delta", row).unwrap();
            // A service is on every node.
            if !pod.starts_with('/')
                && let Some(last) = before.insert(pod.clone(), total)
            {
                assert!(total == last + delta, "{pod}");
                went_on += 1;
            }
        }
    }
    assert!(went_on > 5_000, "{went_on}");
}

#[test]
fn pods_come_and_go_and_nothing_follows_their_last_row() {
    let (mut rows, mut ended) = (BTreeMap::<String, u32>::new(), BTreeSet::new());
    let mut in_first = BTreeSet::new();
    for (number, usage) in usages(60).into_iter().enumerate() {
        for (row, pod) in usage.1.iter().enumerate() {
            assert!(!ended.contains(pod), "a row of {pod} after its last");
            *rows.entry(pod.clone()).or_default() += 1;
            if usage.at("is_final", row) == Some(1.0) {
                ended.insert(pod.clone());
            }
            // Batches are by node, sixty each.
            if number % 60 == 0 {
                in_first.insert(pod.clone());
            }
        }
    }
    let short = ended
        .iter()
        .filter(|pod| rows[*pod] <= 2 && !in_first.contains(*pod))
        .count();
    let all_the_time = rows.values().filter(|rows| **rows == 60).count();
    assert!(short >= 5, "{short} lived for less than a minute");
    assert!(all_the_time >= 80, "{all_the_time} lived all the time");
}
