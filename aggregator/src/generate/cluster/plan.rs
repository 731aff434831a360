//! Which workloads a cluster has: few large and many small ones, in namespaces of which the first are the
//! largest. Sizes are those that people ask for, which is seldom what they need.

use std::collections::HashSet;

use rand::{Rng as _, rngs::StdRng};

use super::{
    Shape,
    random::{between, pick, stream},
    workload::{Kind, Size, Times, Work, Workload},
};

/// Bytes of a MiB.
pub(super) const MIB: f64 = (1 << 20) as f64;
/// Length of a day.
pub(super) const DAY_US: i64 = 86_400_000_000;

const TEAMS: [&str; 24] = [
    "checkout",
    "payments",
    "search",
    "catalog",
    "identity",
    "shipping",
    "analytics",
    "pricing",
    "inventory",
    "reviews",
    "notifications",
    "billing",
    "ads",
    "recommendations",
    "media",
    "fraud",
    "loyalty",
    "support",
    "partners",
    "warehouse",
    "mobile",
    "ml-serving",
    "data-platform",
    "edge",
];
const SERVICES: [&str; 24] = [
    "api",
    "worker",
    "frontend",
    "cache",
    "scheduler",
    "gateway",
    "importer",
    "mailer",
    "indexer",
    "proxy",
    "exporter",
    "ingest",
    "query",
    "sync",
    "webhooks",
    "renderer",
    "sessions",
    "tokens",
    "events",
    "reports",
    "quotes",
    "rules",
    "feed",
    "admin",
];
const STORES: [&str; 5] = ["postgres", "redis", "kafka", "opensearch", "rabbitmq"];
const JOBS: [&str; 8] = [
    "cleanup",
    "backup",
    "report",
    "sync-prices",
    "rotate-keys",
    "reindex",
    "export",
    "heartbeat",
];
/// On each node: name, cores, MiB, and whether it shares the node's network.
const DAEMONS: [(&str, f64, f64, bool); 5] = [
    ("aws-node", 0.006, 60.0, true),
    ("kube-proxy", 0.001, 25.0, true),
    ("ebs-csi-node", 0.001, 45.0, false),
    ("podledger-agent", 0.012, 40.0, true),
    ("fluent-bit", 0.02, 70.0, false),
];
/// Services of the node: name, cores, MiB.
const HOST: [(&str, f64, f64); 2] = [("kubelet", 0.06, 110.0), ("containerd", 0.03, 90.0)];
/// So many of a hundred pods are of a stateful set.
const STORE_PODS: usize = 8;
/// One workload that runs jobs for so many pods.
const PODS_OF_A_CRON_JOB: usize = 40;

/// All workloads; the replicas of deployments and stateful sets are as many as pods are wanted beside
/// those that every node has.
pub(super) fn workloads(shape: &Shape) -> Vec<Workload> {
    let mut plan = Plan {
        shape,
        rng: stream(shape.seed, "plan", 0),
        taken: HashSet::new(),
    };
    let mut workloads: Vec<Workload> = DAEMONS.iter().map(|daemon| plan.daemon(daemon)).collect();
    workloads.extend(HOST.iter().map(|host| plan.host(host)));
    let nodes = super::deal::count(shape.pods);
    let pods = shape.pods.saturating_sub(nodes * DAEMONS.len());
    let stores = pods * STORE_PODS / 100;
    plan.fill(&mut workloads, stores, Plan::store);
    plan.fill(&mut workloads, pods - stores, Plan::deployment);
    let jobs = shape.pods.div_ceil(PODS_OF_A_CRON_JOB);
    workloads.extend((0..jobs).map(|_| plan.job()));
    workloads
}

pub(super) struct Plan<'a> {
    pub(super) shape: &'a Shape,
    pub(super) rng: StdRng,
    /// Names that are given.
    taken: HashSet<(String, String)>,
}

impl Plan<'_> {
    /// As many as it takes for so many pods.
    fn fill(
        &mut self,
        workloads: &mut Vec<Workload>,
        mut pods: usize,
        one: fn(&mut Self) -> Workload,
    ) {
        while pods > 0 {
            let mut workload = one(self);
            workload.replicas = workload.replicas.min(pods);
            pods -= workload.replicas;
            workloads.push(workload);
        }
    }

    /// A team's, the first teams' far more often than the last ones'.
    fn namespace(&mut self) -> String {
        let teams = (self.shape.pods / 25).clamp(4, 3 * TEAMS.len()) as f64;
        let team = (teams.powf(self.rng.random::<f64>()) - 1.0) as usize;
        let name = TEAMS[team % TEAMS.len()];
        match team / TEAMS.len() {
            0 => name.to_owned(),
            1 => format!("{name}-staging"),
            _ => format!("{name}-preview"),
        }
    }

    /// A name that is not taken in a team's namespace.
    fn name(&mut self, of: &[&str]) -> (String, String) {
        let namespace = self.namespace();
        let service = pick(&mut self.rng, of);
        let mut name = (namespace, service.to_owned());
        let mut number = 2;
        while !self.taken.insert(name.clone()) {
            name.1 = format!("{service}-{number}");
            number += 1;
        }
        name
    }

    fn blank(&mut self, kind: Kind, (namespace, name): (String, String)) -> Workload {
        Workload {
            kind,
            namespace,
            name,
            replicas: 1,
            host_network: false,
            size: Size::default(),
            work: Work::default(),
            templates: Vec::new(),
            times: Times::Always,
            volume_bytes: None,
        }
    }

    fn daemon(&mut self, (name, cores, mib, host_network): &(&str, f64, f64, bool)) -> Workload {
        let name = ("kube-system".to_owned(), (*name).to_owned());
        let mut workload = self.blank(Kind::DaemonSet, name);
        workload.host_network = *host_network;
        workload.work = Work {
            cores: *cores,
            day: 0.2,
            packets: 1_500.0,
            traffic: [0.3, 0.6, 0.0, 0.0, 0.1],
            is_probed: true,
            memory_bytes: (mib * MIB) as i64,
            writes: 50_000.0,
            ..Work::default()
        };
        workload.size = Size {
            requests_cpu_millicores: Some(if *cores > 0.005 { 50 } else { 10 }),
            requests_memory_bytes: Some(64 << 20),
            limits_cpu_millicores: None,
            limits_memory_bytes: Some(256 << 20),
        };
        self.templates(&mut workload, 1);
        workload
    }

    fn host(&mut self, (name, cores, mib): &(&str, f64, f64)) -> Workload {
        let mut workload = self.blank(Kind::Service, (String::new(), (*name).to_owned()));
        workload.work = Work {
            cores: *cores,
            day: 0.1,
            packets: 800.0,
            traffic: [0.4, 0.6, 0.0, 0.0, 0.0],
            memory_bytes: (mib * MIB) as i64,
            writes: 200_000.0,
            ..Work::default()
        };
        workload
    }

    fn store(&mut self) -> Workload {
        let name = self.name(&STORES);
        let mut workload = self.blank(Kind::StatefulSet, name);
        workload.replicas = pick(&mut self.rng, &[1, 3, 3, 3, 5]);
        workload.work = self.work();
        workload.work.cores = workload.work.cores.max(0.02);
        workload.work.writes = 4e6;
        workload.work.memory_bytes *= 4;
        workload.size = self.size(&workload.work);
        workload.volume_bytes = Some(pick(&mut self.rng, &[10_i64, 20, 50, 100, 500]) << 30);
        self.templates(&mut workload, 0);
        workload
    }

    fn deployment(&mut self) -> Workload {
        let name = self.name(&SERVICES);
        let mut workload = self.blank(Kind::Deployment, name);
        workload.replicas = pick(&mut self.rng, &[1, 1, 2, 2, 2, 3, 3, 3, 4, 6, 8, 12, 24]);
        workload.work = self.work();
        workload.size = self.size(&workload.work);
        if self.rng.random_ratio(1, 40) {
            self.leak(&mut workload);
        }
        let rollouts = pick(&mut self.rng, &[0, 0, 0, 1, 1, 3]);
        self.templates(&mut workload, rollouts);
        if workload.replicas > 4 && self.rng.random_ratio(1, 4) {
            workload.times =
                Times::Hours(self.rng.random_range(5..8), self.rng.random_range(19..22));
        }
        workload
    }

    fn job(&mut self) -> Workload {
        let name = self.name(&JOBS);
        let mut workload = self.blank(Kind::CronJob, name);
        let minutes = pick(&mut self.rng, &[1_i64, 2, 5, 10, 15, 30, 60]);
        let period_us = minutes * 60_000_000;
        let is_quick = minutes < 5 || self.rng.random();
        let (shortest, longest) = if is_quick { (2.0, 50.0) } else { (60.0, 900.0) };
        workload.times = Times::Every {
            period_us,
            offset_us: self.rng.random_range(0..period_us / 1_000_000) * 1_000_000,
            shortest_us: shortest * 1e6,
            longest_us: f64::min(longest * 1e6, period_us as f64 * 0.9),
        };
        workload.work = Work {
            cores: between(&mut self.rng, 0.05, 1.5),
            day: 0.0,
            bursts: 0.3,
            burst_cores: between(&mut self.rng, 0.5, 3.0),
            packets: between(&mut self.rng, 50.0, 3_000.0),
            traffic: [0.3, 0.3, 0.0, self.rng.random_range(0.0..1.0), 0.0],
            is_probed: false,
            memory_bytes: (between(&mut self.rng, 30.0, 400.0) * MIB) as i64,
            writes: 1e6,
            ..Work::default()
        };
        workload.size = self.size(&workload.work);
        self.templates(&mut workload, 0);
        workload
    }
}
