//! One pod, from its birth to its last row.

use std::sync::Arc;

use protocol::{Closing, Event, PodNetwork, PodUsage, Timestamp};
use rand::{Rng as _, rngs::StdRng};

use super::{
    Shape,
    cpu::{self, Wanted},
    events::{self, End},
    machine::Machine,
    memory::Memory,
    network::Traffic,
    random::normal,
    slot::{Life, Slot},
    workload::{Kind, Workload},
};
use crate::generate::agent::{names, node, pod};

const DAY_US: f64 = 86_400e6;
/// The quietest hour of the day.
const QUIET: f64 = 3.0 / 24.0;
/// Windows between two kills of a child that the container outlives, where memory is short.
const CHILDREN: u32 = 400;
/// Windows between two failures of a container that starts again.
const FAILURES: u32 = 60_000;

/// See the module. Its row is made anew from that of the window before.
#[derive(Debug)]
pub(super) struct Pod {
    pub usage: PodUsage,
    pub being: Being,
}

/// What a pod is besides its row.
#[derive(Debug)]
pub(super) struct Being {
    pub workload: Arc<Workload>,
    life: Life,
    /// How its work differs from that of its siblings, and from that of the window before.
    own: f64,
    drift: f64,
    memory: Memory,
    traffic: Traffic,
}

impl Pod {
    /// The pod that takes this slot now.
    pub fn new(
        rng: &mut StdRng,
        machine: &Machine,
        slot: &Slot,
        life: Life,
        shape: &Shape,
    ) -> Self {
        let workload = slot.workload.clone();
        let is_old = life.start_us < shape.start.unix_us;
        let total = |rng: &mut StdRng| {
            let before = if is_old {
                rng.random_range(20.0..34.0_f64).exp2() as i64
            } else {
                0
            };
            Some(before)
        };
        let mut usage = PodUsage {
            net_tx_bytes: total(rng),
            net_rx_bytes: total(rng),
            oom_kills: Some(0),
            workload_kind: Some(workload.kind.name().to_owned()),
            workload: Some(workload.name.clone()),
            cgroup_id: Some(rng.random_range(4_000..2_000_000)),
            ..PodUsage::default()
        };
        machine.fill(&mut usage);
        match workload.kind {
            Kind::Service => serve(&mut usage, &workload),
            _ => name(&mut usage, rng, slot, life),
        }
        let work = &workload.work;
        let limit = workload.size.limits_memory_bytes;
        let memory = Memory::new(rng, (work.memory_bytes, work.leak_bytes), limit, is_old);
        let being = Being {
            life,
            own: (0.25 * normal(rng)).exp(),
            drift: 0.0,
            memory,
            traffic: Traffic::new(rng, work),
            workload,
        };
        Self { usage, being }
    }

    /// What pods are sorted by.
    pub fn place(&self) -> (Option<&str>, Option<&str>) {
        let usage = &self.usage;
        (usage.namespace.as_deref(), usage.pod_name.as_deref())
    }

    /// One window: its rows of traffic, and what happened.
    pub fn live(
        &mut self,
        rng: &mut StdRng,
        (start, end): (Timestamp, Timestamp),
        cpus: f64,
    ) -> (Vec<PodNetwork>, Vec<Event>) {
        let Self { usage, being } = self;
        let life = being.life;
        (usage.timestamp, usage.window_start, usage.window_end) = (end, start, end);
        let is_last = life.end_us <= end.unix_us;
        usage.is_final = is_last;
        usage.closing = is_last.then_some(Closing::Final);
        let alive_us = life.end_us.min(end.unix_us) - life.start_us.max(start.unix_us);
        let alive = alive_us.max(1_000) as f64 / 1e6;
        let length = (end.unix_us - start.unix_us) as f64 / 1e6;
        let wanted = being.want(rng, start);
        cpu::fill(usage, rng, wanted, (alive, length), cpus);
        let traffic = being.traffic.live(usage, rng, alive);
        if being.workload.kind == Kind::Service {
            return (traffic, Vec::new());
        }
        pod::pressure(usage, rng);
        let written = usage.cpu_seconds.unwrap_or_default() * being.workload.work.writes;
        usage.io_read_bytes_delta = Some(0);
        usage.io_write_bytes_delta = Some(written as i64 / pod::PAGE * pod::PAGE);
        (traffic, being.remember(usage, rng, alive))
    }
}

impl Being {
    /// How much it would do.
    fn want(&mut self, rng: &mut StdRng, at: Timestamp) -> Wanted {
        let work = &self.workload.work;
        let turn = (at.unix_us as f64 / DAY_US - QUIET).fract() * std::f64::consts::TAU;
        let of_day = 1.0 - work.day * turn.cos();
        self.drift = 0.9 * self.drift + 0.12 * normal(rng);
        let level = work.cores * self.own * of_day * self.drift.exp();
        Wanted::draw(rng, work, level)
    }

    /// Its memory, and what comes of a want of it.
    fn remember(&mut self, usage: &mut PodUsage, rng: &mut StdRng, alive: f64) -> Vec<Event> {
        let is_busy = usage.cpu_usage_cores.unwrap_or_default() > 0.02;
        let is_too_much = self.memory.live(rng, alive, is_busy);
        let name = &self.workload.name;
        let resident_bytes = self.memory.resident_bytes();
        let is_short = self.workload.work.leak_bytes > 0;
        let events = if is_too_much {
            let kill = events::kill(usage, rng, name, resident_bytes);
            self.memory.start_again();
            vec![kill, events::restart(usage, name, End::Killed)]
        } else if is_short && rng.random_ratio(1, CHILDREN) {
            vec![events::kill(usage, rng, "worker", resident_bytes / 3)]
        } else if rng.random_ratio(1, FAILURES) {
            self.memory.start_again();
            vec![events::restart(usage, name, End::Failed)]
        } else {
            Vec::new()
        };
        let count = |kind| events.iter().filter(|event| event.kind == kind).count() as i64;
        usage.oom_kills = Some(count(protocol::EventKind::OomKill));
        usage.restarts = Some(count(protocol::EventKind::Restart));
        self.memory.fill(usage);
        events
    }
}

/// A service of the node has a path and no name.
fn serve(usage: &mut PodUsage, workload: &Workload) {
    let path = format!("/system.slice/{}.service", workload.name);
    usage.workload = Some(path.clone());
    usage.pod_id = path;
    usage.sources = node::SOURCES
        .map(|source| format!("{source}=kernel"))
        .into();
}

fn name(usage: &mut PodUsage, rng: &mut StdRng, slot: &Slot, life: Life) {
    let workload = &*slot.workload;
    let Workload { name, size, .. } = workload;
    let template = &workload.templates[life.template];
    let (owner, pod) = match workload.kind {
        Kind::Deployment => {
            let replica_set = format!("{name}-{}", template.hash);
            let pod = format!("{replica_set}-{}", names::suffix(rng));
            (format!("ReplicaSet/{replica_set}"), pod)
        }
        Kind::StatefulSet => (
            format!("StatefulSet/{name}"),
            format!("{name}-{}", slot.ordinal),
        ),
        Kind::CronJob => {
            let job = format!("{name}-{}", life.start_us / 60_000_000);
            let pod = format!("{job}-{}", names::suffix(rng));
            (format!("Job/{job}"), pod)
        }
        kind => (
            format!("{}/{name}", kind.name()),
            format!("{name}-{}", names::suffix(rng)),
        ),
    };
    usage.pod_id = names::uid(rng);
    usage.namespace = Some(workload.namespace.clone());
    usage.owner = Some(owner);
    usage.requests_cpu_millicores = size.requests_cpu_millicores;
    usage.requests_memory_bytes = size.requests_memory_bytes;
    usage.limits_cpu_millicores = size.limits_cpu_millicores;
    usage.limits_memory_bytes = size.limits_memory_bytes;
    usage.labels = Some(template.labels.clone());
    usage.annotations = Some(template.annotations.clone());
    usage.host_network = Some(workload.host_network);
    usage.qos = Some(workload.qos().to_owned());
    usage.restarts = Some(0);
    usage.sources = pod::SOURCES.map(str::to_owned).into();
    usage.swap_usage_bytes = Some(0);
    let claims = workload.volume_bytes.map(|_| format!("data-{pod}"));
    let volumes = claims
        .iter()
        .map(|_| format!("vol-0{:016x}", rng.random::<u64>()))
        .collect();
    usage.pvc_count = Some(i32::from(claims.is_some()));
    usage.total_pvc_storage_bytes = Some(workload.volume_bytes.unwrap_or(0));
    usage.pvc_names = Some(claims.into_iter().collect());
    usage.aws_volume_ids = Some(volumes);
    usage.pod_name = Some(pod);
}
