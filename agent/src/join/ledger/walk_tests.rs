//! A long walk at random through what can happen on a node, beside a model of it that counts along:
//! after each window and at the end, the rows must say what the model says.

use std::collections::BTreeSet;

use protocol::{Closing, PodUsage, Row};

use super::{tests::*, walk_world::*, *};

impl World {
    /// Ends the window as the host does.
    fn close(&mut self) {
        for id in self.ledger.quiet(self.boot * SECOND) {
            self.take_account(id);
            if let Some(group) = self
                .groups
                .get_mut(&id)
                .filter(|group| group.stage != Stage::Gone)
            {
                group.stage = Stage::Quiet;
            }
        }
        let mut read = Snapshot {
            at_ns: self.boot * SECOND,
            ..Snapshot::default()
        };
        for (id, [run_ns, packets]) in &self.kernel {
            let one = snapshot(0, *run_ns, *packets);
            read.cpu.insert(*id, one.cpu[&ID]);
            read.network.insert(*id, one.network[&ID]);
        }
        read.cpu_totals.run_ns = self.totals[0];
        read.network_totals.total = snapshot(0, 0, self.totals[1]).network_totals.total;
        self.ledger.observe(&read);
        if std::mem::take(&mut self.lost) || self.ledger.has_nameless() {
            self.list();
        }
        let sample = self.scrape();
        let known = Known {
            pods: Some(&self.store),
            sample: sample.as_ref(),
            ..Known::default()
        };
        let rows = self.ledger.close(&Reading {
            now: at(self.wall),
            snapshot: &read,
            stats: &HashMap::new(),
            sources: &sources(),
            losses: &[],
            known: &known,
        });
        self.store.end_window();
        self.check(&rows);
    }

    fn check(&mut self, rows: &[Row]) {
        let told = reconcile(rows);
        assert_eq!(told.window_start, self.last_end, "windows meet");
        assert!(told.window_end >= told.window_start);
        self.last_end = told.window_end;
        let mut sums = [0; 2];
        let mut seen = BTreeSet::new();
        for usage in usages(rows) {
            assert_eq!(
                (usage.window_start, usage.window_end),
                (told.window_start, told.window_end)
            );
            assert_not_negative(usage);
            let is_counted = !usage.sources.contains(&"cpu=kubelet".to_owned());
            let used = [
                usage
                    .cpu_seconds
                    .filter(|_| is_counted)
                    .map_or(0, |s| (s * 1e9).round() as u64),
                usage.net_tx_packets_delta.unwrap_or(0).unsigned_abs(),
            ];
            add(&mut sums, used);
            let is_pod = usage
                .sources
                .iter()
                .any(|source| source.starts_with("name="));
            assert!(
                !is_pod || seen.insert(usage.pod_id.clone()),
                "two rows: {usage:#?}"
            );
            self.note(usage, used, is_pod);
        }
        for (balance, sum) in [told.cpu_ns, told.net_tx_packets].into_iter().zip(sums) {
            assert_eq!(balance.rows.unsigned_abs(), sum, "{told:#?}");
            assert_eq!(
                (balance.total, balance.in_flight),
                (balance.rows, 0),
                "{told:#?}"
            );
        }
    }

    fn note(&mut self, usage: &PodUsage, used: [u64; 2], is_pod: bool) {
        let id = usage.cgroup_id.map(i64::cast_unsigned);
        let pod = match is_pod {
            true => self.pods.iter_mut().find(|pod| pod.uid == usage.pod_id),
            false => {
                let pod = id.and_then(|id| self.groups.get(&id)?.pod);
                assert!(
                    pod.is_none() || self.is_lossy,
                    "a container's own row: {usage:#?}"
                );
                pod.map(|pod| &mut self.pods[pod])
            }
        };
        let Some(pod) = pod else {
            assert_eq!(id, Some(SERVICE), "{usage:#?}");
            return;
        };
        add(&mut pod.told, used);
        if is_pod {
            let row = format!(
                "window {}: {:?} row of {used:?}",
                self.window, usage.closing
            );
            pod.story.push(row);
            // Figures of a life that nobody told of until its pod was over.
            let is_late = self.is_lossy && used != [0; 2];
            let is_over = pod.finals > 0 && !is_late;
            assert!(!is_over, "a row after the last one: {:#?}", pod.story);
            pod.rows += 1;
            pod.finals |= u32::from(usage.closing == Some(Closing::Final));
            assert_eq!(usage.is_final, usage.closing == Some(Closing::Final));
        }
    }

    /// Everything ends.
    fn finish(&mut self) {
        for pod in self.living_pods() {
            self.end_pod(pod);
        }
        for id in self.at_stage(&[Stage::Removed, Stage::Quiet]) {
            self.release(id);
        }
        for pod in &self.pods {
            self.store.remove(&pod.uid);
        }
        // Long enough for what the kernel never told to be closed.
        for _ in 0..20 {
            self.boot += 601;
            self.wall += 601;
            self.window += 1;
            self.close();
        }
    }
}

fn add(sums: &mut [u64; 2], figures: [u64; 2]) {
    for (sum, figure) in sums.iter_mut().zip(figures) {
        *sum += figure;
    }
}

fn assert_not_negative(usage: &PodUsage) {
    let counts = [
        usage.net_tx_bytes,
        usage.net_tx_bytes_delta,
        usage.net_tx_packets_delta,
        usage.net_rx_bytes_delta,
        usage.net_rx_packets_delta,
        usage.restarts,
        usage.oom_kills,
    ];
    assert!(
        counts.into_iter().flatten().all(|count| count >= 0),
        "{usage:#?}"
    );
    let figures = [
        usage.cpu_seconds,
        usage.cpu_usage_cores,
        usage.cpu_peak_cores,
        usage.psi_cpu_some_seconds,
    ];
    assert!(
        figures.into_iter().flatten().all(|figure| figure >= 0.0),
        "{usage:#?}"
    );
}

fn walk(seed: u64, is_lossy: bool) {
    let mut world = World::new(seed, is_lossy);
    for _ in 0..300 {
        for _ in 0..world.random.below(8) {
            world.happen();
        }
        world.pass_time();
        if world.random.chance(5) {
            world.restart();
        }
        world.close();
    }
    world.finish();
    for pod in &world.pods {
        assert_eq!(
            pod.told,
            pod.used,
            "seed {seed}: {} of {}",
            pod.uid,
            world.pods.len()
        );
        // A life that nobody told of at all has no name, and no last row.
        let last_rows = u32::from(pod.rows > 0 || !is_lossy);
        assert_eq!(pod.finals, last_rows, "seed {seed}: {:#?}", pod.story);
    }
    let left: Vec<_> = world.ledger.accounts.keys().collect();
    assert_eq!(left, [&SERVICE], "seed {seed}");
    assert!(
        world.ledger.pods.is_empty() && world.ledger.closed.is_empty(),
        "seed {seed}"
    );
}

#[test]
fn rows_say_what_happened() {
    (1..=4).for_each(|seed| walk(seed_of(seed), false));
}

#[test]
fn records_that_never_arrive_cost_names_but_no_figures() {
    (1..=4).for_each(|seed| walk(seed_of(seed), true));
}

fn seed_of(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1
}
