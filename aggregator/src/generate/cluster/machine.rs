//! A node's machine, and what the node tells of itself.

use protocol::{NodeUsage, PodUsage, Reconcile};
use rand::{Rng as _, rngs::StdRng};

const GIB: i64 = 1 << 30;
/// Type, CPUs, GiB.
const TYPES: [(&str, i64, i64); 3] = [
    ("m6i.4xlarge", 16, 64),
    ("m7g.4xlarge", 16, 64),
    ("r6i.4xlarge", 16, 128),
];
const ZONES: [(&str, &str); 3] = [
    ("eu-central-1a", "euc1-az2"),
    ("eu-central-1b", "euc1-az3"),
    ("eu-central-1c", "euc1-az1"),
];
const REGION: &str = "eu-central-1";
/// Memory of what is no pod.
const SYSTEM: i64 = 900 << 20;
/// What a node is made of.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub number: u64,
    pub name: String,
    instance: String,
    kind: (&'static str, i64, i64),
    zone: (&'static str, &'static str),
    is_spot: bool,
}

impl Machine {
    /// Of this number.
    pub fn new(number: u64) -> Self {
        let [second, third, fourth] = [number / 62_500, number / 250 % 250, number % 250 + 4];
        Self {
            number,
            name: format!("ip-10-{second}-{third}-{fourth}.{REGION}.compute.internal"),
            instance: format!("i-0{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            kind: TYPES[(number / 3 % 3) as usize],
            zone: ZONES[(number % 3) as usize],
            is_spot: number % 4 == 3,
        }
    }

    /// How many CPUs it has.
    pub fn cpus(&self) -> i64 {
        self.kind.1
    }

    /// What every row of a pod tells of it.
    pub fn fill(&self, usage: &mut PodUsage) {
        usage.ec2_instance_id = Some(self.instance.clone());
        usage.instance_type = Some(self.kind.0.to_owned());
        usage.zone = Some(self.zone.0.to_owned());
        usage.region = Some(REGION.to_owned());
    }

    /// What the node tells of itself in a window whose rows say this.
    pub fn tell(&self, usage: &mut NodeUsage, rng: &mut StdRng, told: &Reconcile) {
        usage.ec2_instance_id = Some(self.instance.clone());
        usage.instance_type = Some(self.kind.0.to_owned());
        usage.zone = Some(self.zone.0.to_owned());
        usage.zone_id = Some(self.zone.1.to_owned());
        usage.region = Some(REGION.to_owned());
        let capacity = if self.is_spot { "spot" } else { "on-demand" };
        usage.capacity_type = Some(capacity.to_owned());
        usage.kernel_version = Some("6.12.46-66.121.amzn2023.x86_64".to_owned());
        usage.nics = Some(vec!["ens5".to_owned()]);
        usage.sources = ["node=proc", "instance=imds", "memory_working_set=kubelet"]
            .map(str::to_owned)
            .into();
        self.cpu(usage, rng, told);
        self.memory(usage);
        // Loopback and the node itself are on no wire.
        usage.nic_tx_bytes = Some(told.net_tx_bytes.total / 100 * 98);
        usage.nic_tx_packets = Some(told.net_tx_packets.total);
        usage.nic_tx_dropped = Some(0);
        usage.nic_rx_bytes = Some(told.net_rx_bytes.total / 100 * 98);
        usage.nic_rx_packets = Some(told.net_rx_packets.total);
        usage.nic_rx_dropped = Some(0);
    }

    /// In ticks of a hundredth of a second.
    fn cpu(&self, usage: &mut NodeUsage, rng: &mut StdRng, told: &Reconcile) {
        let cpus = self.cpus();
        let seconds = (usage.window_end.unix_us - usage.window_start.unix_us) as f64 / 1e6;
        let busy = told.cpu_ns.total as f64 / 1e9;
        let system = hundredths(busy * rng.random_range(0.2..0.35));
        let user = hundredths(busy - system).max(0.0);
        let idle = hundredths((cpus as f64 * seconds - busy).max(0.0));
        let load = busy / seconds * rng.random_range(0.9..1.4);
        usage.cpus = Some(cpus);
        usage.cpu_usage_cores = Some((user + system) / seconds);
        usage.cpu_user_seconds = Some(user);
        usage.cpu_system_seconds = Some(system);
        usage.cpu_idle_seconds = Some(idle);
        usage.cpu_iowait_seconds = Some(hundredths(idle * 0.001));
        usage.cpu_steal_seconds = Some(0.0);
        usage.load_1 = Some(hundredths(load));
        usage.load_5 = Some(hundredths(load * 0.97));
        usage.load_15 = Some(hundredths(load * 0.95));
        usage.psi_cpu_some_seconds = Some((load * 0.02 * 1e6).round() / 1e6);
        usage.psi_memory_some_seconds = Some(0.0);
        usage.psi_memory_full_seconds = Some(0.0);
        usage.psi_io_some_seconds = Some(0.0);
        usage.psi_io_full_seconds = Some(0.0);
    }

    /// That of the pods, and of what is no pod.
    fn memory(&self, usage: &mut NodeUsage) {
        let total = self.kind.2 * GIB / 100 * 97;
        let working_set = SYSTEM + usage.memory_working_set_bytes.unwrap_or(0);
        usage.memory_total_bytes = Some(total);
        usage.memory_working_set_bytes = Some(working_set);
        usage.memory_available_bytes = Some((total - working_set).max(0));
        usage.swap_total_bytes = Some(0);
        usage.swap_usage_bytes = Some(0);
    }
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
