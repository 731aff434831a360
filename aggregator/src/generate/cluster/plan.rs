//! Which workloads a cluster has: few large and many small ones, in namespaces of which the first are the
//! largest. Sizes are those that people ask for, which is seldom what they need.

use std::collections::HashSet;

use rand::{Rng as _, rngs::StdRng};

use super::{
    Shape,
    random::{between, pick, stream},
    workload::{Kind, Size, Template, Times, Work, Workload},
};
use crate::generate::agent::names;

const MIB: f64 = (1 << 20) as f64;
const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;

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
/// So many of a hundred pods are of a StatefulSet.
const STORE_PODS: usize = 8;
/// One workload that runs jobs for so many pods.
const PODS_OF_A_CRON_JOB: usize = 40;

/// All workloads; the replicas of Deployments and StatefulSets are as many as pods are wanted beside
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

struct Plan<'a> {
    shape: &'a Shape,
    rng: StdRng,
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

    /// Half of the pods do next to nothing, and few do much.
    fn work(&mut self) -> Work {
        let rng = &mut self.rng;
        let cores = match rng.random_range(0..100) {
            0..50 => between(rng, 0.0005, 0.008),
            50..88 => between(rng, 0.008, 0.12),
            _ => between(rng, 0.12, 0.8),
        };
        let beyond = if rng.random_ratio(1, 3) {
            rng.random_range(0.05..0.8)
        } else {
            0.0
        };
        Work {
            cores,
            day: rng.random_range(0.0..0.8),
            bursts: if rng.random_ratio(1, 4) {
                rng.random_range(0.01..0.25)
            } else {
                0.002
            },
            burst_cores: between(rng, 0.3, 4.0).max(2.0 * cores),
            packets: between(rng, 200.0, 6_000.0),
            traffic: [
                rng.random_range(0.2..1.0),
                rng.random_range(0.2..1.5),
                if rng.random_ratio(1, 10) { 0.2 } else { 0.0 },
                beyond,
                if rng.random_ratio(1, 8) { 0.5 } else { 0.0 },
            ],
            is_probed: rng.random_ratio(4, 5),
            memory_bytes: (between(rng, 24.0, 700.0) * MIB) as i64,
            leak_bytes: 0,
            writes: if rng.random_ratio(1, 5) { 3e5 } else { 0.0 },
        }
    }

    /// Steps that people write, most often far above what is needed and sometimes below.
    fn size(&mut self, work: &Work) -> Size {
        const STEPS: [i64; 10] = [10, 25, 50, 100, 200, 250, 500, 1_000, 2_000, 4_000];
        let rng = &mut self.rng;
        if rng.random_ratio(1, 25) {
            return Size::default();
        }
        let wanted = work.cores * 1e3 * between(rng, 0.6, 12.0);
        let step = |wanted: f64| STEPS.iter().copied().find(|step| *step as f64 >= wanted);
        let cpu = step(wanted).unwrap_or(4_000);
        let power = |bytes: f64| 1_i64 << (bytes.log2().ceil() as i64).clamp(25, 34);
        let memory = power(work.memory_bytes as f64 * between(rng, 0.7, 3.0));
        let fits = power(work.memory_bytes as f64 * 1.6);
        if rng.random_ratio(1, 12) {
            let memory = memory.max(fits);
            return Size {
                requests_cpu_millicores: Some(cpu),
                requests_memory_bytes: Some(memory),
                limits_cpu_millicores: Some(cpu),
                limits_memory_bytes: Some(memory),
            };
        }
        let has_limit = rng.random_ratio(2, 5);
        Size {
            requests_cpu_millicores: Some(cpu),
            requests_memory_bytes: Some(memory),
            limits_cpu_millicores: has_limit.then_some((cpu * pick(rng, &[1, 2, 4])).max(100)),
            limits_memory_bytes: Some(memory.max(fits)),
        }
    }

    /// Reaches its limit within hours, again and again.
    fn leak(&mut self, workload: &mut Workload) {
        let limit = workload.size.limits_memory_bytes.unwrap_or(1 << 30);
        workload.size.limits_memory_bytes = Some(limit);
        let room = (limit - workload.work.memory_bytes).max(limit / 8) as f64;
        workload.work.leak_bytes = (room / self.rng.random_range(1.5..7.0)) as i64;
    }

    /// Of which the first is old, and each further one a rollout: so many on each day.
    fn templates(&mut self, workload: &mut Workload, rollouts: i64) {
        let start_us = self.shape.start.unix_us;
        let days = (self.shape.length_us + DAY_US - 1) / DAY_US;
        let mut times: Vec<i64> = (0..rollouts * days)
            .map(|number| start_us + number % days * DAY_US + self.rng.random_range(0..DAY_US))
            .collect();
        times.push(i64::MIN);
        times.sort_unstable();
        for (number, from_us) in times.into_iter().enumerate() {
            let hash = names::template_hash(&mut self.rng);
            let template = Template {
                from_us,
                labels: labels(workload, &hash, number),
                annotations: self.annotations(workload),
                hash,
            };
            workload.templates.push(template);
        }
    }

    fn annotations(&mut self, workload: &Workload) -> Vec<String> {
        let checksum = self.rng.random::<u128>();
        let mut annotations = vec![
            format!(
                "checksum/config={checksum:032x}{:032x}",
                checksum.rotate_left(41)
            ),
            format!("kubectl.kubernetes.io/default-container={}", workload.name),
        ];
        if workload.work.is_probed {
            annotations.push("prometheus.io/port=8080".to_owned());
            annotations.push("prometheus.io/scrape=true".to_owned());
        }
        annotations
    }
}

/// As Helm charts and controllers write them, by name.
fn labels(workload: &Workload, hash: &str, number: usize) -> Vec<String> {
    let Workload {
        namespace, name, ..
    } = workload;
    let team = namespace
        .split_once("-staging")
        .map_or(namespace.as_str(), |(team, _)| team);
    let environment = if namespace.contains('-') {
        "staging"
    } else {
        "production"
    };
    let own = match workload.kind {
        Kind::Deployment => format!("pod-template-hash={hash}"),
        Kind::CronJob => format!("batch.kubernetes.io/cronjob={name}"),
        _ => format!("controller-revision-hash={name}-{hash}"),
    };
    let mut labels = vec![
        format!("app.kubernetes.io/instance={namespace}"),
        "app.kubernetes.io/managed-by=Helm".to_owned(),
        format!("app.kubernetes.io/name={name}"),
        format!("app.kubernetes.io/version=1.{}.{number}", name.len()),
        format!("environment={environment}"),
        own,
        format!("team={team}"),
    ];
    labels.sort_unstable();
    labels
}
