//! The summary at a moment: the recorded one, its samples taken later and its counters grown.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};

use crate::fakes::pod::{Growth, Pod};
use crate::fakes::scene::State;
use crate::fakes::times;

/// The keys that stay with `only_cpu_and_memory`.
const CPU_AND_MEMORY: &[&str] = &[
    "nodeName",
    "systemContainers",
    "podRef",
    "name",
    "startTime",
    "containers",
    "cpu",
    "memory",
    "swap",
];

/// What the kubelet would answer.
pub(super) fn of(state: &State, now: SystemTime, only_cpu_and_memory: bool) -> Value {
    let view = View {
        now: times::seconds(now),
        began: times::seconds(state.began),
        period: state.sample_period,
        psi: state.psi,
        swap: state.swap,
        only_cpu_and_memory,
    };
    let node = view.grown(&state.node_stats, Growth::default());
    let pods = state.pods.iter();
    let pods: Vec<Value> = pods.filter_map(|pod| view.pod(pod)).collect();
    json!({ "node": node, "pods": pods })
}

struct View {
    now: i64,
    began: i64,
    period: Duration,
    psi: bool,
    swap: bool,
    only_cpu_and_memory: bool,
}

impl View {
    fn pod(&self, pod: &Pod) -> Option<Value> {
        let stats = pod.stats.as_ref()?;
        Some(self.grown(stats, pod.growth))
    }

    /// A node, a pod or a container.
    fn grown(&self, stats: &Value, growth: Growth) -> Value {
        let mut stats = stats.clone();
        if let Some(fields) = stats.as_object_mut() {
            self.trim(fields);
            for (key, value) in fields {
                self.part(key, value, growth);
            }
        }
        stats
    }

    fn trim(&self, fields: &mut Map<String, Value>) {
        fields.retain(|key, _| match key.as_str() {
            "swap" => self.swap,
            // Pressure is all that it tells.
            "io" => self.psi && !self.only_cpu_and_memory,
            key => !self.only_cpu_and_memory || CPU_AND_MEMORY.contains(&key),
        });
    }

    fn part(&self, key: &str, value: &mut Value, growth: Growth) {
        match value {
            Value::Array(items) if key == "containers" || key == "systemContainers" => {
                for item in items {
                    *item = self.grown(item, growth);
                }
            }
            Value::Array(items) => items
                .iter_mut()
                .for_each(|item| self.sample(key, item, growth)),
            Value::Object(fields) if key == "runtime" => {
                for value in fields.values_mut() {
                    self.sample(key, value, growth);
                }
            }
            Value::Object(_) => self.sample(key, value, growth),
            _ => {}
        }
    }

    /// A part with a time of its own.
    fn sample(&self, key: &str, sample: &mut Value, growth: Growth) {
        let Some(taken) = sample["time"].as_str().and_then(times::parse) else {
            return;
        };
        let elapsed = self.elapsed(key, taken);
        if let Some(fields) = sample.as_object_mut() {
            fields["time"] = times::format(taken + elapsed).into();
            if !self.psi {
                drop(fields.shift_remove("psi"));
            }
        }
        let elapsed = elapsed.unsigned_abs();
        if elapsed > 0 {
            grow(sample, elapsed, growth);
        }
    }

    /// Until the newest sample; a whole number of periods.
    fn elapsed(&self, key: &str, taken: i64) -> i64 {
        if self.now <= self.began {
            return 0;
        }
        let period = match key {
            // Taken when they are asked for.
            "logs" | "ephemeral-storage" | "rlimit" => 1,
            "volume" => 60,
            _ => i64::try_from(self.period.as_secs()).unwrap_or(i64::MAX),
        };
        (self.now - taken).max(0) / period * period
    }
}

fn grow(sample: &mut Value, seconds: u64, growth: Growth) {
    let nano_cores = sample["usageNanoCores"].as_u64().unwrap_or(0);
    add(sample.get_mut("usageCoreNanoSeconds"), nano_cores * seconds);
    add(sample.get_mut("pageFaults"), growth.page_faults * seconds);
    add(sample.get_mut("rxBytes"), growth.rx_bytes * seconds);
    add(sample.get_mut("txBytes"), growth.tx_bytes * seconds);
    for interface in sample
        .get_mut("interfaces")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        // A pod has one; what the node's second one counts is not what this is about.
        if interface["name"] == "eth0" {
            add(interface.get_mut("rxBytes"), growth.rx_bytes * seconds);
            add(interface.get_mut("txBytes"), growth.tx_bytes * seconds);
        }
    }
    for kind in ["full", "some"] {
        let total = sample.get_mut("psi").and_then(|psi| psi.get_mut(kind));
        let total = total.and_then(|psi| psi.get_mut("total"));
        if let Some(total) = total.filter(|total| total.as_u64() != Some(0)) {
            add(Some(total), growth.pressure_us * seconds);
        }
    }
}

fn add(counter: Option<&mut Value>, by: u64) {
    if let Some(counter) = counter
        && let Some(old) = counter.as_u64()
    {
        *counter = old.saturating_add(by).into();
    }
}
