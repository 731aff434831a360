//! A node at random, and a model of it that counts along.

use super::{pod_scene::told, tests::*, *};
use crate::{
    kubelet::{Cpu, Memory, Network, PodStats, Psi, Sample, Summary},
    pods::{PodFacts, PodStore},
};

pub(super) const HOUR: i64 = 3_600;
pub(super) const NIGHT: i64 = 8 * HOUR;
pub(super) const SERVICE: u64 = 7;

/// Xorshift: the same walk each time.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        from.get(self.below(from.len())).copied()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Alive,
    Removed,
    /// Removed, and closed by the host because it was quiet.
    Quiet,
    Gone,
}

pub(super) struct Group {
    pub(super) pod: Option<usize>,
    pub(super) path: String,
    pub(super) stage: Stage,
}

#[derive(Default)]
pub(super) struct ModelPod {
    pub(super) uid: String,
    pub(super) own: u64,
    pub(super) ended: Option<u64>,
    pub(super) by_kubelet: bool,
    /// CPU time and packets: what its cgroups used, and what its rows told.
    pub(super) used: [u64; 2],
    pub(super) told: [u64; 2],
    pub(super) rows: u32,
    pub(super) finals: u32,
    /// For whoever must find out why.
    pub(super) story: Vec<String>,
}

pub(super) struct World {
    pub(super) random: Random,
    /// Some records never arrive.
    pub(super) is_lossy: bool,
    pub(super) lost: bool,
    pub(super) ledger: Ledger,
    pub(super) store: PodStore,
    pub(super) groups: BTreeMap<u64, Group>,
    pub(super) pods: Vec<ModelPod>,
    /// The kernel's accounts: CPU time and packets.
    pub(super) kernel: BTreeMap<u64, [u64; 2]>,
    pub(super) totals: [u64; 2],
    pub(super) sample: Option<Sample>,
    pub(super) boot: u64,
    pub(super) wall: i64,
    pub(super) window: u64,
    pub(super) next_id: u64,
    pub(super) last_end: Timestamp,
}

impl World {
    pub(super) fn new(seed: u64, is_lossy: bool) -> Self {
        let mut world = Self {
            random: Random(seed),
            is_lossy,
            lost: false,
            ledger: ledger(),
            store: PodStore::default(),
            groups: BTreeMap::new(),
            pods: Vec::new(),
            kernel: BTreeMap::new(),
            totals: [0; 2],
            sample: None,
            boot: 0,
            wall: 0,
            window: 0,
            next_id: 100,
            last_end: at(0),
        };
        world.ledger.by_pods();
        world.bear(SERVICE, None, "/system.slice/kubelet.service".into());
        world
    }

    pub(super) fn tell(&mut self, kind: CgroupEventKind, id: u64) -> bool {
        if self.is_lossy && self.random.chance(5) {
            self.lost = true;
            return false;
        }
        self.write(id, &format!("{kind:?}"));
        let mut event = told(kind, id, &self.groups[&id].path);
        event.at_ns = self.boot * SECOND;
        self.ledger.on_cgroup(event);
        true
    }

    pub(super) fn bear(&mut self, id: u64, pod: Option<usize>, path: String) {
        let stage = Stage::Alive;
        self.groups.insert(id, Group { pod, path, stage });
        self.tell(CgroupEventKind::Born, id);
    }

    pub(super) fn write(&mut self, id: u64, what: &str) {
        let line = format!("window {}, {id}: {what}", self.window);
        if let Some(pod) = self.groups.get(&id).and_then(|group| group.pod) {
            self.pods[pod].story.push(line);
        }
    }

    pub(super) fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub(super) fn bear_pod(&mut self) {
        let (number, own) = (self.pods.len(), self.new_id());
        let uid = format!("{number:08x}-8233-4cf3-bbe0-4a885e58f3d9");
        let path = format!(
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{}.slice",
            uid.replace('-', "_")
        );
        self.pods.push(ModelPod {
            uid,
            own,
            ..ModelPod::default()
        });
        self.bear(own, Some(number), path);
        for _ in 0..self.random.below(3) {
            self.bear_container(number);
        }
    }

    pub(super) fn bear_container(&mut self, pod: usize) {
        let id = self.new_id();
        let path = &self.groups[&self.pods[pod].own].path;
        let path = format!("{path}/cri-containerd-{id:064x}.scope");
        self.bear(id, Some(pod), path);
    }

    pub(super) fn at_stage(&self, stages: &[Stage]) -> Vec<u64> {
        let is = |group: &Group| stages.contains(&group.stage);
        let groups = self.groups.iter();
        groups
            .filter(|(_, group)| is(group))
            .map(|(id, _)| *id)
            .collect()
    }

    pub(super) fn living_pods(&self) -> Vec<usize> {
        let pods = 0..self.pods.len();
        pods.filter(|pod| self.pods[*pod].ended.is_none()).collect()
    }

    pub(super) fn remove(&mut self, id: u64) {
        if let Some(group) = self
            .groups
            .get_mut(&id)
            .filter(|group| group.stage == Stage::Alive)
        {
            group.stage = Stage::Removed;
            self.tell(CgroupEventKind::Removed, id);
        }
    }

    pub(super) fn end_pod(&mut self, pod: usize) {
        self.pods[pod].ended = Some(self.window);
        let own = self.pods[pod].own;
        let mut ids: Vec<u64> = self.groups.keys().copied().collect();
        ids.retain(|id| self.groups[id].pod == Some(pod) && *id != own);
        // Children first.
        ids.push(own);
        ids.into_iter().for_each(|id| self.remove(id));
    }

    pub(super) fn release(&mut self, id: u64) {
        if let Some(group) = self.groups.get_mut(&id) {
            group.stage = Stage::Gone;
        }
        if self.tell(CgroupEventKind::Released, id) {
            self.take_account(id);
        }
    }

    /// What the host does with the account of a cgroup that is over.
    pub(super) fn take_account(&mut self, id: u64) {
        let [run_ns, packets] = self.kernel.remove(&id).unwrap_or_default();
        self.write(id, &format!("{run_ns} ns and {packets} packets at last"));
        let counted = snapshot(0, run_ns, packets);
        let cpu = (run_ns > 0).then(|| counted.cpu[&ID]);
        self.ledger.on_released(id, cpu, &counted.network[&ID]);
    }

    pub(super) fn charge(&mut self) {
        // Queued packets follow a removal.
        let Some(id) = self
            .random
            .pick(&self.at_stage(&[Stage::Alive, Stage::Removed]))
        else {
            return;
        };
        let group = &self.groups[&id];
        let run_ns = match group.stage {
            Stage::Alive => self.random.next() % SECOND,
            _ => 0,
        };
        let used = [run_ns, self.random.next() % 50];
        let account = self.kernel.entry(id).or_default();
        for (i, used) in used.into_iter().enumerate() {
            account[i] += used;
            self.totals[i] += used;
            if let Some(pod) = group.pod {
                self.pods[pod].used[i] += used;
            }
        }
    }

    pub(super) fn happen(&mut self) {
        match self.random.below(12) {
            0 => self.bear_pod(),
            1 => {
                if let Some(pod) = self.random.pick(&self.living_pods()) {
                    self.bear_container(pod);
                }
            }
            2 => {
                let mut ids = self.at_stage(&[Stage::Alive]);
                ids.retain(|id| *id != SERVICE && self.pods.iter().all(|pod| pod.own != *id));
                if let Some(id) = self.random.pick(&ids) {
                    self.remove(id);
                }
            }
            3 => {
                if let Some(pod) = self.random.pick(&self.living_pods()) {
                    self.end_pod(pod);
                }
            }
            4 | 5 => {
                if let Some(id) = self
                    .random
                    .pick(&self.at_stage(&[Stage::Removed, Stage::Quiet]))
                {
                    self.release(id);
                }
            }
            6 => self.hear_from_api(),
            _ => self.charge(),
        }
    }

    /// The API server tells late, early, again, or of the end before it comes.
    pub(super) fn hear_from_api(&mut self) {
        let number = self.random.below(self.pods.len());
        let Some(pod) = self.pods.get(number) else {
            return;
        };
        if self.random.chance(30) {
            return self.store.remove(&pod.uid);
        }
        self.store.apply(PodFacts {
            uid: pod.uid.clone(),
            namespace: "demo".into(),
            name: format!("web-{number}"),
            is_terminal: pod.ended.is_some(),
            ..PodFacts::default()
        });
    }

    /// Ten seconds, mostly.
    pub(super) fn pass_time(&mut self) {
        let (seconds, jump) = match self.random.below(20) {
            0 => (10, HOUR),
            1 => (10, -HOUR),
            2 => (10, -1),
            3 => (NIGHT, 0),
            4 => (0, 0),
            _ => (10, 0),
        };
        self.boot += seconds.unsigned_abs();
        self.wall += seconds + jump;
        self.window += 1;
    }

    /// A new agent goes on where this one was.
    pub(super) fn restart(&mut self) {
        let kept = serde_json::to_vec(&self.ledger.baseline()).unwrap();
        self.ledger = ledger();
        self.ledger.by_pods();
        self.ledger.resume(serde_json::from_slice(&kept).unwrap());
        self.list();
    }

    pub(super) fn list(&mut self) {
        let one = |id: &u64| Cgroup {
            id: *id,
            path: self.groups[id].path.clone(),
        };
        let listing: Vec<Cgroup> = self.at_stage(&[Stage::Alive]).iter().map(one).collect();
        self.ledger.on_listing(&listing, self.boot * SECOND);
    }

    /// The kubelet: a new sample, the same again, or none.
    pub(super) fn scrape(&mut self) -> Option<Sample> {
        if self.random.chance(20) {
            return None;
        }
        if self.random.chance(20) {
            return self.sample.clone();
        }
        let mut summary = Summary::default();
        for number in 0..self.pods.len() {
            let is_new = self.random.chance(50);
            let pod = &mut self.pods[number];
            pod.by_kubelet = match pod.ended {
                None => pod.by_kubelet || is_new,
                // It goes on for a while about pods that ended.
                Some(window) => pod.by_kubelet && window + 2 > self.window,
            };
            if pod.by_kubelet {
                let old = self.sample.iter().flat_map(|sample| &sample.summary.pods);
                let old = old.into_iter().find(|old| old.uid == pod.uid).cloned();
                let fresh = stats(pod, at(self.wall));
                summary.pods.push(old.filter(|_| !is_new).unwrap_or(fresh));
            }
        }
        self.sample = Some(Sample {
            summary,
            taken_at_ns: self.boot * SECOND,
            round_trip: std::time::Duration::ZERO,
            bytes: 0,
        });
        self.sample.clone()
    }
}

pub(super) fn stats(pod: &ModelPod, time: Timestamp) -> PodStats {
    PodStats {
        uid: pod.uid.clone(),
        namespace: "demo".into(),
        name: "web".into(),
        start_time: Some(time),
        cpu: Some(Cpu {
            time,
            usage_core_ns: pod.used[0],
            usage_nano_cores: None,
        }),
        memory: Some(Memory {
            time,
            usage_bytes: Some(4096),
            ..Memory::default()
        }),
        network: Some(Network {
            time,
            tx_bytes: Some(pod.used[1] * 100),
            rx_bytes: Some(0),
        }),
        psi: Some(Psi {
            cpu_some_us: Some(pod.used[0] / 1_000),
            ..Psi::default()
        }),
        ..PodStats::default()
    }
}
