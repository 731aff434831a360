//! The settings: one YAML file, the environment over it, the command line over both, and every
//! problem of all three told at once. Pure but for [`read_file`] and [`environment`].

mod document;
mod expand;
mod file;
mod hint;
mod load;
mod parse;
mod problem;
mod settings;
#[cfg(test)]
mod tests;
mod yaml;

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

pub use document::markdown;
pub use file::{
    CONFIG_VARIABLE, DEFAULT_FILE, FileError, MAX_FILE_BYTES, environment, find_file, read_file,
};
pub use load::Argument;
pub use problem::{ConfigError, Problem};

use crate::kernel::Source;

/// What the workloads are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The pods of a Kubernetes node.
    Node,
    /// Every cgroup of a plain host.
    Host,
}

/// What the rows are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// A table for people, redrawn on a terminal.
    Table,
    /// One JSON object for each row, one a line.
    Json,
    /// Nothing is written.
    None,
}

/// How the aggregator is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// HTTP/3, and HTTP/1.1 while UDP does not get through.
    Auto,
    /// HTTP/3 alone.
    Http3,
    /// HTTP/1.1 alone.
    Http1,
}

/// Whether something that may be missing is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// When its files are there.
    Auto,
    /// Always: what is missing is a failure to be told.
    On,
    /// Never.
    Off,
}

/// All settings of the agent. Defaults are those of the table in `settings.rs`.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Section `agent`.
    pub agent: Agent,
    /// Section `aggregator`.
    pub aggregator: Aggregator,
    /// Section `spool`.
    pub spool: Spool,
    /// Section `metrics`.
    pub metrics: Metrics,
    /// Section `kubelet`.
    pub kubelet: Kubelet,
    /// Section `kubernetes`.
    pub kubernetes: Kubernetes,
    /// Section `ec2`.
    pub ec2: Ec2,
    /// Section `status`.
    pub status: Status,
    /// Section `kernel`.
    pub kernel: Kernel,
    /// Section `log`.
    pub log: Log,
}

/// The agent itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Agent {
    /// Pods of a node, or cgroups of a host.
    pub mode: Mode,
    /// Name of this node; the host's name when none is given.
    pub node_name: Option<String>,
    /// Address of this node.
    pub node_ip: Option<IpAddr>,
    /// Name of the cluster, in every row; `default-cluster`, or `local` on a plain host.
    pub cluster_name: String,
    /// What goes to standard output.
    pub output: Output,
    /// Where the ledger's state is kept; nowhere when counting ends with the process.
    pub state: Option<PathBuf>,
    /// Failed windows in a row that end the process; never when 0.
    pub max_consecutive_failures: u32,
    /// An older aggregator's `POST /metrics` that gets every window.
    pub push_endpoint: Option<String>,
}

/// Who gets the rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregator {
    /// Its address; nobody's when nothing is spooled and sent.
    pub endpoint: Option<String>,
    /// How it is reached.
    pub transport: Transport,
    /// CAs to believe.
    pub ca_file: PathBuf,
    /// The name that its certificate is for, if not the endpoint's host.
    pub server_name: Option<String>,
    /// Believe every certificate.
    pub insecure: bool,
    /// The token for it.
    pub token_file: PathBuf,
}

/// What waits for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Spool {
    /// Where.
    pub file: PathBuf,
    /// How much.
    pub max_mib: u32,
    /// How long.
    pub max_age: Duration,
}

/// When rows are made.
#[derive(Clone, Debug, PartialEq)]
pub struct Metrics {
    /// Length of a window; windows end at its multiples.
    pub interval: Duration,
    /// Share of the interval, in percent, over which the nodes' first readings are spread.
    pub jitter_percent: u32,
}

/// Where the kubelet is and how it is believed.
#[derive(Clone, Debug, PartialEq)]
pub struct Kubelet {
    /// Whether it is asked.
    pub enabled: bool,
    /// Address of its summary.
    pub endpoint: String,
    /// The name that its certificate is for; see [`Config::kubelet_server_name`].
    pub server_name: Option<String>,
    /// CAs to believe.
    pub ca_file: PathBuf,
    /// The service account's token.
    pub token_file: PathBuf,
    /// Believe every certificate.
    pub insecure: bool,
    /// For an answer as a whole; never longer than the interval.
    pub timeout: Duration,
}

/// The API server.
#[derive(Clone, Debug, PartialEq)]
pub struct Kubernetes {
    /// Whether this node's pods are watched.
    pub enabled: Switch,
    /// Its address; from the variables that every pod has when none is given.
    pub api_server: Option<String>,
    /// CAs to believe.
    pub ca_file: PathBuf,
    /// The service account's token.
    pub token_file: PathBuf,
}

/// The instance's metadata.
#[derive(Clone, Debug, PartialEq)]
pub struct Ec2 {
    /// Whether it is asked.
    pub enabled: bool,
    /// Address of the metadata service.
    pub endpoint: String,
    /// How long a session token shall serve.
    pub token_ttl: Duration,
    /// Ask without tokens.
    pub force_imdsv1: bool,
    /// Region of the rows when the metadata does not tell.
    pub region: Option<String>,
}

/// The status server.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// Where it listens; nowhere when off.
    pub listen: Option<SocketAddr>,
    /// Whether `/metrics` has series for each pod.
    pub per_pod_metrics: bool,
}

/// The kernel's counters.
#[derive(Clone, Debug, PartialEq)]
pub struct Kernel {
    /// Where maps and links are pinned; nowhere when counting ends with the process.
    pub pins: Option<PathBuf>,
    /// Kinds of counters to leave out.
    pub without: Vec<Source>,
}

/// The log.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// The least important lines that are written.
    pub level: log::LevelFilter,
    /// Log each HTTP exchange, secrets masked.
    pub debug_http: bool,
}

impl Config {
    /// The settings of a file (its path for messages, and its text) and of the environment.
    pub fn load(
        file: Option<(&Path, &str)>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        Self::load_all(file, environment, &[])
    }

    /// The same, with what the command line says over both.
    pub fn load_all(
        file: Option<(&Path, &str)>,
        environment: &dyn Fn(&str) -> Option<String>,
        arguments: &[Argument<'_>],
    ) -> Result<Self, ConfigError> {
        load::load(file, environment, arguments)
    }

    /// The name that the kubelet's certificate must be for, when it is not the endpoint's host. A
    /// kubelet's certificate names the node and its addresses, but never 127.0.0.1.
    pub fn kubelet_server_name(&self) -> Option<String> {
        if self.kubelet.server_name.is_some() {
            return self.kubelet.server_name.clone();
        }
        let endpoint: hyper::Uri = self.kubelet.endpoint.parse().ok()?;
        let host = endpoint.host()?.trim_matches(['[', ']']);
        let is_loopback = host == "localhost"
            || host
                .parse()
                .is_ok_and(|address: IpAddr| address.is_loopback());
        is_loopback
            .then(|| self.agent.node_ip.map(|address| address.to_string()))
            .flatten()
            .or_else(|| self.agent.node_name.clone().filter(|_| is_loopback))
    }
}

impl Default for Config {
    fn default() -> Self {
        load::defaults()
    }
}
