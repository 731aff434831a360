//! `podledger-agent run`.

use std::{
    io::{self, BufWriter, IsTerminal as _, Write as _},
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use agent::{
    cgroups,
    config::{self, Argument, Config, Mode, Output, Switch},
    host::{self, Host, output},
    imds,
    kernel::Options,
    kubelet, logger, pods,
    run::{self, OpenSpool, Schedule, Shipping},
    ship, spool,
};
use anyhow::{Context as _, Result};
use clap::Args;
use protocol::Row;

use super::{Format, say};

/// Longest duration that can be asked for.
const MOST_TIME: Duration = Duration::from_secs(365 * 24 * 3600);
/// Of the kubelet's answer: 250 pods of 2 containers take about 1.5 MB.
const MOST_SUMMARY_BYTES: usize = 8 << 20;
/// A watch that tells nothing for so long is opened anew.
const SILENCE: Duration = Duration::from_secs(120);

#[derive(Args, Debug)]
pub(crate) struct Run {
    /// Take every cgroup of this host as a workload, instead of the pods of a Kubernetes node
    #[arg(long)]
    host: bool,
    /// File of settings; its keys are in docs/configuration.md
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Length of a window; windows end at its multiples
    #[arg(long, value_name = "DURATION")]
    interval: Option<String>,
    /// What to write: of a host the table, of a node JSON, if nothing else is said
    #[arg(long, value_enum)]
    output: Option<Format>,
    /// Stop after this long; the last window is cut short
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    length: Option<Duration>,
    /// Leave out a kind of counter: network, cpu, oom, lifecycle
    #[arg(long, value_name = "KINDS")]
    without: Option<String>,
    /// Pin nothing and keep no state: counting ends with this process
    #[arg(long)]
    ephemeral: bool,
    /// Directory on a BPF file system for the kernel's maps and links
    #[arg(long, value_name = "DIR", conflicts_with = "ephemeral")]
    pins: Option<String>,
    /// Directory for the ledger's state
    #[arg(long, value_name = "DIR", conflicts_with = "ephemeral")]
    state: Option<String>,
}

impl Run {
    pub(crate) fn run(self) -> Result<()> {
        let config = load(self.config.as_deref(), &self.arguments())?;
        logger::init(config.log.level, config.log.debug_http);
        let stop = run::stop_flag().context("handling signals")?;
        let open = open_spool(&config)?;
        let mut settings = host_settings(&config);
        settings.spooled_state = open.as_ref().and_then(|open| open.state.clone());
        let mut host = Host::start(settings, say)?;
        let mut shipping = open
            .map(|open| shipping(&mut host, open, &config))
            .transpose()?;
        let deadline = self.length.map(|length| Instant::now() + length);
        let mut writer = Writer::new(config.agent.output);
        let write = |rows: &[Row]| writer.write(rows);
        match config.agent.mode {
            Mode::Host => {
                let schedule = Schedule::new(config.metrics.interval, deadline, &stop);
                Ok(run::on_host(&mut host, schedule, shipping.as_mut(), write)?)
            }
            Mode::Node => on_node(
                &mut host,
                &config,
                shipping.as_mut(),
                (deadline, &stop),
                write,
            ),
        }
    }

    /// The settings that the command line tells.
    fn arguments(&self) -> Vec<Argument<'static>> {
        let output = self.output.or_else(|| {
            let is_free = config::environment("PODLEDGER_AGENT_OUTPUT").is_none();
            (self.host && is_free).then_some(Format::Table)
        });
        let off = self.ephemeral.then(|| "off".to_owned());
        [
            ("--host", "agent.mode", self.host.then(|| "host".to_owned())),
            ("--interval", "metrics.interval", self.interval.clone()),
            (
                "--output",
                "agent.output",
                output.map(|format| format.name().to_owned()),
            ),
            ("--without", "kernel.without", self.without.clone()),
            (
                "--pins",
                "kernel.pins",
                self.pins.clone().or_else(|| off.clone()),
            ),
            ("--state", "agent.state", self.state.clone().or(off)),
        ]
        .into_iter()
        .filter_map(|(flag, key, text)| {
            Some(Argument {
                flag,
                key,
                text: text?,
            })
        })
        .collect()
    }
}

/// The settings of the file that `named` or the environment tells, of the environment and of
/// `arguments`.
pub(super) fn load(named: Option<&std::path::Path>, arguments: &[Argument<'_>]) -> Result<Config> {
    let path = config::find_file(named, &config::environment);
    let text = path.as_deref().map(config::read_file).transpose()?;
    let file = path.as_deref().zip(text.as_deref());
    Ok(Config::load_all(file, &config::environment, arguments)?)
}

/// Nothing is spooled that nobody gets.
fn open_spool(config: &Config) -> Result<Option<OpenSpool>> {
    let open = || {
        OpenSpool::open(spool::Settings {
            file: config.spool.file.clone(),
            max_bytes: max_bytes(config),
            max_age: config.spool.max_age,
        })
    };
    let is_told = config.aggregator.endpoint.is_some();
    Ok(is_told.then(open).transpose()?)
}

fn max_bytes(config: &Config) -> u64 {
    u64::from(config.spool.max_mib) << 20
}

fn shipping(host: &mut Host, open: OpenSpool, config: &Config) -> Result<Shipping> {
    let endpoint = config.aggregator.endpoint.as_deref().unwrap_or_default();
    let settings = ship::Settings::new(endpoint, &config.aggregator)?;
    Ok(Shipping::start(host, open, settings, max_bytes(config))?)
}

fn host_settings(config: &Config) -> host::Settings {
    // Without the hierarchy the host is one workload; what is missing is told at the start.
    let root = cgroups::find_root().unwrap_or_else(|| "/sys/fs/cgroup".into());
    let mut kernel = Options::new(root);
    kernel
        .sources
        .retain(|source| !config.kernel.without.contains(source));
    kernel.pins.clone_from(&config.kernel.pins);
    host::Settings {
        by_pods: config.agent.mode == Mode::Node,
        node_name: config.agent.node_name.clone(),
        cluster_name: Some(config.agent.cluster_name.clone()),
        ..host::Settings::new(kernel, config.agent.state.clone())
    }
}

fn on_node(
    host: &mut Host,
    config: &Config,
    shipping: Option<&mut Shipping>,
    until: (Option<Instant>, &Arc<AtomicBool>),
    write: impl FnMut(&[Row]) -> io::Result<()>,
) -> Result<()> {
    let settings = run::Settings {
        interval: config.metrics.interval,
        jitter_percent: config.metrics.jitter_percent,
        max_consecutive_failures: config.agent.max_consecutive_failures.into(),
        kubelet: config.kubelet.enabled.then(|| kubelet_settings(config)),
        kubernetes: pods_settings(config, host.node_name()),
        imds: config.ec2.enabled.then(|| imds_settings(config)),
        region: config.ec2.region.clone(),
        status: config.status.listen.map(|address| address.to_string()),
        per_pod_metrics: config.status.per_pod_metrics,
        push: config.agent.push_endpoint.clone(),
        debug: config.log.debug_http,
    };
    Ok(run::on_node(host, settings, shipping, until, write)?)
}

pub(super) fn kubelet_settings(config: &Config) -> kubelet::Settings {
    let kubelet = &config.kubelet;
    kubelet::Settings {
        endpoint: kubelet.endpoint.clone(),
        server_name: config.kubelet_server_name(),
        token_file: Some(kubelet.token_file.clone()),
        ca_file: Some(kubelet.ca_file.clone()),
        insecure: kubelet.insecure,
        timeout: kubelet.timeout.min(config.metrics.interval),
        max_body_bytes: MOST_SUMMARY_BYTES,
        debug: config.log.debug_http,
    }
}

pub(super) fn pods_settings(config: &Config, node_name: &str) -> Option<pods::Settings> {
    let kubernetes = &config.kubernetes;
    let is_told = || {
        kubernetes.api_server.is_some() || config::environment("KUBERNETES_SERVICE_HOST").is_some()
    };
    let is_on = match kubernetes.enabled {
        Switch::On => true,
        Switch::Off => false,
        Switch::Auto => is_told(),
    };
    is_on.then(|| pods::Settings {
        api_server: kubernetes.api_server.clone(),
        token_file: Some(kubernetes.token_file.clone()),
        ca_file: Some(kubernetes.ca_file.clone()),
        silence: SILENCE,
        debug: config.log.debug_http,
        ..pods::Settings::in_cluster(node_name)
    })
}

pub(super) fn imds_settings(config: &Config) -> imds::Settings {
    imds::Settings {
        endpoint: config.ec2.endpoint.clone(),
        token_ttl: config.ec2.token_ttl,
        force_v1: config.ec2.force_imdsv1,
        debug: config.log.debug_http,
        ..imds::Settings::default()
    }
}

/// Rows on standard output.
enum Writer {
    Table(output::Table),
    Json(BufWriter<io::Stdout>),
    None,
}

impl Writer {
    fn new(output: Output) -> Self {
        match output {
            Output::Table => Self::Table(output::Table::new(io::stdout().is_terminal())),
            Output::Json => Self::Json(BufWriter::new(io::stdout())),
            Output::None => Self::None,
        }
    }

    fn write(&mut self, rows: &[Row]) -> io::Result<()> {
        match self {
            Self::Table(table) => table.write(&mut io::stdout().lock(), rows),
            Self::Json(stdout) => {
                output::write_json(stdout, rows)?;
                stdout.flush()
            }
            Self::None => Ok(()),
        }
    }
}

/// A duration such as `30s`; a bare number counts seconds, as in older settings.
fn duration(text: &str) -> Result<Duration, String> {
    let parsed = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => humantime::parse_duration(text).map_err(|error| error.to_string())?,
    };
    if parsed > MOST_TIME {
        return Err(format!(
            "more than {}",
            humantime::format_duration(MOST_TIME)
        ));
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_numbers_are_seconds() {
        assert_eq!(duration("30"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert!(duration("400000000000years").is_err());
        assert!(duration("9999999999").is_err());
    }
}
