//! The agent's own figures. One thread writes and reads them, so that a cell is all the sharing it
//! takes. What is kept does not grow with time.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::{Duration, Instant, SystemTime},
};

use protocol::{PodUsage, Reconcile, Row, Timestamp};

use super::Figures;
use crate::{
    health::Health,
    kernel::{ProgramCost, Sources},
};

/// Most pods that have series of their own.
pub const MAX_PODS: usize = 2_000;
/// Most kinds of losses; the rest is told as one.
const MAX_LOSSES: usize = 64;
/// The kind that takes the rest.
const OTHER_LOSSES: &str = "other";
/// Windows without a row after which a pod loses its series, final row or not.
const ABSENT_WINDOWS: u64 = 30;
/// Least time without a beat that means the loop hangs.
const LEAST_PATIENCE: Duration = Duration::from_secs(10);

/// Upper bounds of the times that closing a window takes, in seconds.
pub(super) const CLOSE_BUCKETS: [f64; 9] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0];

/// The tables, in the order of [`StatusBoard::rows`].
pub(super) const TABLES: [&str; 5] = [
    "pod_usage",
    "pod_network",
    "node_usage",
    "events",
    "reconcile",
];

/// What the agent knows of itself. The main loop writes, the status server reads.
#[derive(Debug)]
pub struct StatusBoard {
    interval: Duration,
    pub(super) last_beat: Instant,
    per_pod: bool,
    pub(super) began: SystemTime,
    pub(super) kernel: Option<Sources>,
    pub(super) healths: Vec<Health>,
    pub(super) shipping: Option<Figures>,
    pub(super) windows: u64,
    pub(super) rows: [u64; TABLES.len()],
    pub(super) close: CloseTimes,
    pub(super) losses: BTreeMap<String, u64>,
    pub(super) unattributed: Unattributed,
    pub(super) pods: Option<u64>,
    pub(super) last_window_end: Option<Timestamp>,
    pub(super) kubelet: Option<KubeletCost>,
    pub(super) programs: Vec<ProgramCost>,
    pub(super) map_bytes: Option<u64>,
    by_uid: HashMap<String, PodFigures>,
}

/// How long windows took to close.
#[derive(Debug, Default)]
pub(super) struct CloseTimes {
    /// Windows by bucket, each counted once; those above the last bound are in none.
    pub(super) buckets: [u64; CLOSE_BUCKETS.len()],
    pub(super) total: Duration,
}

/// What no row could take, since the start.
#[derive(Debug, Default)]
pub(super) struct Unattributed {
    pub(super) cpu_ns: u64,
    pub(super) tx_bytes: u64,
    pub(super) rx_bytes: u64,
}

/// The newest scrape of the kubelet.
#[derive(Debug)]
pub(super) struct KubeletCost {
    pub(super) round_trip: Duration,
    pub(super) bytes: usize,
}

/// A pod's own series. Totals begin at its first row.
#[derive(Debug, Default)]
pub(super) struct PodFigures {
    pub(super) namespace: Box<str>,
    pub(super) name: Box<str>,
    pub(super) cpu_seconds: Option<f64>,
    pub(super) tx_bytes: Option<u64>,
    pub(super) rx_bytes: Option<u64>,
    pub(super) working_set_bytes: Option<u64>,
    pub(super) oom_kills: Option<u64>,
    seen: u64,
}

impl Default for StatusBoard {
    fn default() -> Self {
        Self {
            interval: Duration::ZERO,
            last_beat: Instant::now(),
            per_pod: false,
            began: SystemTime::now(),
            kernel: None,
            healths: Vec::new(),
            shipping: None,
            windows: 0,
            rows: [0; TABLES.len()],
            close: CloseTimes::default(),
            losses: BTreeMap::new(),
            unattributed: Unattributed::default(),
            pods: None,
            last_window_end: None,
            kubelet: None,
            programs: Vec::new(),
            map_bytes: None,
            by_uid: HashMap::new(),
        }
    }
}

impl StatusBoard {
    /// A board that keeps series for each pod, too.
    pub fn with_pods() -> Self {
        Self {
            per_pod: true,
            ..Self::default()
        }
    }

    /// The loop begins, with these sources.
    pub fn began(&mut self, interval: Duration, kernel: &Sources, healths: Vec<Health>) {
        self.interval = interval;
        self.kernel = Some(kernel.clone());
        self.healths = healths;
        // Two of one name would make the page of metrics unreadable.
        let mut names = HashSet::new();
        self.healths
            .retain(|health| names.insert(health.view().name));
        self.began = SystemTime::now();
        self.beat();
    }

    /// Rows are spooled and sent.
    pub fn ships(&mut self, figures: Figures) {
        self.shipping = Some(figures);
    }

    /// The loop is alive.
    pub fn beat(&mut self) {
        self.last_beat = Instant::now();
    }

    /// A window is closed with these rows.
    pub fn closed(&mut self, rows: &[Row], took: Duration) {
        self.windows += 1;
        self.close.count(took);
        let mut named = 0;
        let mut told = None;
        for row in rows {
            self.rows[table(row)] += 1;
            match row {
                Row::PodUsage(usage) => {
                    named += u64::from(usage.pod_name.is_some() && usage.closing.is_none());
                    self.pod(usage);
                }
                Row::NodeUsage(node) => {
                    told = node.pods.map(natural);
                    self.last_window_end = Some(node.window_end);
                }
                Row::Reconcile(balance) => self.balance(balance),
                Row::PodNetwork(_) | Row::Events(_) => {}
            }
        }
        self.pods = Some(told.unwrap_or(named));
        let windows = self.windows;
        self.by_uid
            .retain(|_, pod| windows.saturating_sub(pod.seen) < ABSENT_WINDOWS);
    }

    /// The kubelet answered.
    pub fn kubelet(&mut self, round_trip: Duration, bytes: usize) {
        self.kubelet = Some(KubeletCost { round_trip, bytes });
    }

    /// What the kernel side costs. 0 bytes of maps mean that nobody could tell.
    pub fn bpf(&mut self, programs: Vec<ProgramCost>, map_bytes: u64) {
        self.programs = programs;
        self.map_bytes = (map_bytes > 0).then_some(map_bytes);
    }

    /// How long ago the loop last showed that it lives, where that is too long.
    pub(super) fn hangs(&self, now: Instant) -> Option<Duration> {
        let silence = now.saturating_duration_since(self.last_beat);
        (silence >= self.interval.saturating_mul(3).max(LEAST_PATIENCE)).then_some(silence)
    }

    /// Each pod with series of its own: its uid and its figures.
    pub(super) fn by_uid(&self) -> impl Iterator<Item = (&str, &PodFigures)> {
        self.by_uid.iter().map(|(uid, pod)| (uid.as_str(), pod))
    }

    fn balance(&mut self, balance: &Reconcile) {
        self.last_window_end = Some(balance.window_end);
        let sums = &mut self.unattributed;
        add(&mut sums.cpu_ns, balance.cpu_ns.unattributed);
        add(&mut sums.tx_bytes, balance.net_tx_bytes.unattributed);
        add(&mut sums.rx_bytes, balance.net_rx_bytes.unattributed);
        for loss in &balance.losses {
            let Some((name, Ok(count))) = loss
                .split_once('=')
                .map(|(name, count)| (name, count.parse::<u64>()))
            else {
                continue;
            };
            self.lost(name, count);
        }
    }

    fn lost(&mut self, name: &str, count: u64) {
        let has_room = self.losses.len() < MAX_LOSSES;
        let name = match self.losses.contains_key(name) || has_room {
            true => name,
            false => OTHER_LOSSES,
        };
        match self.losses.get_mut(name) {
            Some(sum) => *sum = sum.saturating_add(count),
            None => {
                self.losses.insert(name.to_owned(), count);
            }
        }
    }

    fn pod(&mut self, usage: &PodUsage) {
        if !self.per_pod {
            return;
        }
        if usage.is_final {
            self.by_uid.remove(&usage.pod_id);
            return;
        }
        let (Some(namespace), Some(name)) = (&usage.namespace, &usage.pod_name) else {
            return;
        };
        if !self.by_uid.contains_key(&usage.pod_id) {
            if self.by_uid.len() >= MAX_PODS {
                return;
            }
            let fresh = PodFigures {
                namespace: namespace.as_str().into(),
                name: name.as_str().into(),
                ..PodFigures::default()
            };
            self.by_uid.insert(usage.pod_id.clone(), fresh);
        }
        if let Some(pod) = self.by_uid.get_mut(&usage.pod_id) {
            pod.seen = self.windows;
            pod.take(usage);
        }
    }
}

impl CloseTimes {
    fn count(&mut self, took: Duration) {
        self.total = self.total.saturating_add(took);
        let seconds = took.as_secs_f64();
        if let Some(bucket) = CLOSE_BUCKETS.iter().position(|bound| seconds <= *bound) {
            self.buckets[bucket] += 1;
        }
    }
}

impl PodFigures {
    fn take(&mut self, usage: &PodUsage) {
        if let Some(seconds) = usage.cpu_seconds.filter(|seconds| seconds.is_finite()) {
            *self.cpu_seconds.get_or_insert(0.0) += seconds.max(0.0);
        }
        for (sum, delta) in [
            (&mut self.tx_bytes, usage.net_tx_bytes_delta),
            (&mut self.rx_bytes, usage.net_rx_bytes_delta),
            (&mut self.oom_kills, usage.oom_kills),
        ] {
            if let Some(delta) = delta {
                add(sum.get_or_insert(0), delta);
            }
        }
        self.working_set_bytes = usage.memory_working_set_bytes.map(natural);
    }
}

fn table(row: &Row) -> usize {
    match row {
        Row::PodUsage(_) => 0,
        Row::PodNetwork(_) => 1,
        Row::NodeUsage(_) => 2,
        Row::Events(_) => 3,
        Row::Reconcile(_) => 4,
    }
}

/// Adds what is more than nothing: a counter never falls.
fn add(sum: &mut u64, delta: i64) {
    *sum = sum.saturating_add(natural(delta));
}

fn natural(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
