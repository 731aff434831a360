//! The one table of settings: what the loader reads, the hints name and the documentation lists.

use std::time::Duration;

use super::{Config, parse};
use crate::kernel::PIN_DIRECTORY;

/// One setting.
pub(super) struct Setting {
    /// Section and key.
    pub(super) key: &'static str,
    /// Its variables; the first one is the one to use.
    pub(super) variables: &'static [&'static str],
    /// Its default as one would write it; empty when it is not set.
    pub(super) default: &'static str,
    /// What may be written.
    pub(super) allowed: &'static str,
    /// What it is for.
    pub(super) about: &'static str,
    /// Whether a wrong value may be somebody's secret in the wrong place.
    pub(super) is_secret: bool,
    /// Puts a text's value in its place.
    pub(super) apply: Apply,
}

type Apply = fn(&mut Config, &str) -> Result<(), String>;

/// Shortest window: what comes out must stay small beside what is measured.
pub(super) const MIN_INTERVAL: Duration = Duration::from_millis(100);
const MAX_INTERVAL: Duration = Duration::from_secs(24 * 3600);
const MIN_TIMEOUT: Duration = Duration::from_millis(10);
const MAX_TIMEOUT: Duration = Duration::from_secs(60);
const MIN_TTL: Duration = Duration::from_secs(1);
const MAX_TTL: Duration = Duration::from_secs(21_600);

const MIN_WAIT: Duration = Duration::from_secs(60);
/// An aggregator refuses windows that are a day older.
const MAX_WAIT: Duration = Duration::from_secs(7 * 24 * 3600);

const FLAG: &str = "true or false";
const URL: &str = "a URL with http or https and without a user name";
const FILE: &str = "an absolute path";
const FILE_OR_OFF: &str = "an absolute path, or off";

/// Names of the sections.
pub(super) const SECTIONS: [&str; 10] = [
    "agent",
    "aggregator",
    "spool",
    "metrics",
    "kubelet",
    "kubernetes",
    "ec2",
    "status",
    "kernel",
    "log",
];

/// Keys of older agents' files that mean nothing here, and what to do about them.
pub(super) const RETIRED: [(&str, &str); 4] = [
    (
        "logs",
        "podledger collects no logs: remove the section `logs`",
    ),
    (
        "metrics.sources",
        "the kubelet's address is `kubelet.endpoint`: remove `metrics.sources`",
    ),
    (
        "metrics.output",
        "standard output is `agent.output`, an aggregator `aggregator.endpoint`: remove `metrics.output`",
    ),
    (
        "performance",
        "the agent runs on one thread with bounds of its own: remove the section `performance`",
    ),
];

/// Variables that belong to the aggregator. Older systems set them for both.
pub(super) const OF_THE_AGGREGATOR: [&str; 5] = [
    "S3_BUCKET",
    "S3_PREFIX",
    "AWS_ENDPOINT_URL",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
];

const fn setting(
    key: &'static str,
    variables: &'static [&'static str],
    (default, allowed): (&'static str, &'static str),
    about: &'static str,
    apply: Apply,
) -> Setting {
    Setting {
        key,
        variables,
        default,
        allowed,
        about,
        is_secret: false,
        apply,
    }
}

/// A path at which people put the secret itself by mistake.
const fn token_file(
    key: &'static str,
    variables: &'static [&'static str],
    about: &'static str,
    apply: Apply,
) -> Setting {
    let default = "/var/run/secrets/kubernetes.io/serviceaccount/token";
    Setting {
        is_secret: true,
        ..setting(key, variables, (default, FILE), about, apply)
    }
}

fn put<T>(place: &mut T, parsed: Result<T, String>) -> Result<(), String> {
    *place = parsed?;
    Ok(())
}

/// All settings, by section.
pub(super) static SETTINGS: [Setting; 42] = [
    setting(
        "agent.mode",
        &["PODLEDGER_AGENT_MODE"],
        ("node", "node or host"),
        "What the workloads are: the pods of a Kubernetes node, or every cgroup of a plain host.",
        |config, text| put(&mut config.agent.mode, parse::mode(text)),
    ),
    setting(
        "agent.node_name",
        &["NODE_NAME"],
        ("", "a name of at most 253 characters without blanks"),
        "Name of this node, from the field `spec.nodeName`. Without one the host's name is taken.",
        |config, text| put(&mut config.agent.node_name, parse::name(text).map(Some)),
    ),
    setting(
        "agent.node_ip",
        &["NODE_IP"],
        ("", "an IP address"),
        "Address of this node, from the field `status.hostIP`. The kubelet's certificate is checked against it.",
        |config, text| put(&mut config.agent.node_ip, parse::ip(text).map(Some)),
    ),
    setting(
        "agent.cluster_name",
        &["CLUSTER_NAME"],
        ("", "a name of at most 253 characters without blanks"),
        "Name of the cluster, in every row. Without one `default-cluster`, and `local` in mode host.",
        |config, text| put(&mut config.agent.cluster_name, parse::name(text)),
    ),
    setting(
        "agent.output",
        &["PODLEDGER_AGENT_OUTPUT"],
        ("json", "table, json or none"),
        "What the rows are written as, to standard output.",
        |config, text| put(&mut config.agent.output, parse::output(text)),
    ),
    setting(
        "agent.state",
        &["PODLEDGER_AGENT_STATE"],
        ("/run/podledger", FILE_OR_OFF),
        "Directory of the ledger's state: what rows told before, so that the next agent goes on there.",
        |config, text| put(&mut config.agent.state, parse::path_or_off(text)),
    ),
    setting(
        "agent.max_consecutive_failures",
        &["MAX_CONSECUTIVE_FAILURES"],
        ("5", "a whole number; 0 for never"),
        "Failed windows in a row after which the process ends. The kernel goes on counting meanwhile.",
        |config, text| {
            let number = parse::number(text, 0, u32::MAX);
            put(&mut config.agent.max_consecutive_failures, number)
        },
    ),
    setting(
        "agent.push_endpoint",
        &["PUSH_ENDPOINT"],
        ("", URL),
        "An older aggregator's `POST /metrics` that gets the pods of every window.",
        |config, text| put(&mut config.agent.push_endpoint, parse::url(text).map(Some)),
    ),
    setting(
        "aggregator.endpoint",
        &["PODLEDGER_AGGREGATOR_ENDPOINT"],
        ("", URL),
        "The aggregator that gets every row, once: `https://HOST:PORT`. Where the name has several addresses, as that of a headless service has, nodes spread over them evenly, and go to the next when one fails; the name is looked up every 30 s. Without an endpoint nothing is spooled and nothing sent.",
        |config, text| {
            let url = parse::url(text).and_then(parse::https_only);
            put(&mut config.aggregator.endpoint, url.map(Some))
        },
    ),
    setting(
        "aggregator.transport",
        &["PODLEDGER_AGGREGATOR_TRANSPORT"],
        ("auto", "auto, http3 or http1"),
        "HTTP/3, HTTP/1.1, or HTTP/3 with HTTP/1.1 while UDP does not get through.",
        |config, text| put(&mut config.aggregator.transport, parse::transport(text)),
    ),
    setting(
        "aggregator.ca_file",
        &["PODLEDGER_AGGREGATOR_CA_FILE"],
        ("/etc/podledger/tls/ca.crt", FILE),
        "The CAs that the aggregator's certificate is verified against. Read again when it changes.",
        |config, text| put(&mut config.aggregator.ca_file, parse::path(text)),
    ),
    setting(
        "aggregator.server_name",
        &["PODLEDGER_AGGREGATOR_SERVER_NAME"],
        ("", "a host's name or an IP address"),
        "The name that the aggregator's certificate must be for. Without one the endpoint's host.",
        |config, text| {
            put(
                &mut config.aggregator.server_name,
                parse::name(text).map(Some),
            )
        },
    ),
    setting(
        "aggregator.insecure",
        &["PODLEDGER_AGGREGATOR_INSECURE"],
        ("false", FLAG),
        "Believe every certificate. Whoever answers at the endpoint then gets token and rows.",
        |config, text| put(&mut config.aggregator.insecure, parse::flag(text)),
    ),
    Setting {
        default: "/var/run/secrets/podledger/token",
        ..token_file(
            "aggregator.token_file",
            &["PODLEDGER_AGGREGATOR_TOKEN_FILE"],
            "The token that is shown to the aggregator: projected, with the audience `podledger`. Read again when it changes. Where there is no such file none is shown.",
            |config, text| put(&mut config.aggregator.token_file, parse::path(text)),
        )
    },
    setting(
        "spool.file",
        &["PODLEDGER_SPOOL_FILE"],
        ("/var/lib/podledger/spool.redb", FILE),
        "The queue of batches that no table has yet. On a disk that outlives the pod.",
        |config, text| put(&mut config.spool.file, parse::path(text)),
    ),
    setting(
        "spool.max_mib",
        &["PODLEDGER_SPOOL_MAX_MIB"],
        ("256", "a whole number from 1 to 65536"),
        "What may wait in it. Beyond that the oldest batch becomes a gap that says what went.",
        |config, text| put(&mut config.spool.max_mib, parse::number(text, 1, 65_536)),
    ),
    setting(
        "spool.max_age",
        &["PODLEDGER_SPOOL_MAX_AGE"],
        ("7days", "a duration from 1m to 7days"),
        "How long a batch may wait in it.",
        |config, text| {
            let age = parse::duration(text, MIN_WAIT, MAX_WAIT);
            put(&mut config.spool.max_age, age)
        },
    ),
    setting(
        "metrics.interval",
        &["SCRAPE_INTERVAL", "METRICS_INTERVAL"],
        (
            "30s",
            "a duration such as 30s, or seconds; from 100ms to 1day",
        ),
        "Length of a window. Windows end at its multiples, on all nodes at once.",
        |config, text| {
            let interval = parse::duration(text, MIN_INTERVAL, MAX_INTERVAL);
            put(&mut config.metrics.interval, interval)
        },
    ),
    setting(
        "metrics.jitter_percent",
        &["JITTER_PERCENT"],
        ("20", "a whole number from 0 to 100"),
        "Share of the interval, before a window's end, over which nodes spread their questions to their kubelets. The ends of windows are not moved.",
        |config, text| {
            put(
                &mut config.metrics.jitter_percent,
                parse::number(text, 0, 100),
            )
        },
    ),
    // Of the older agent: true is what it always does.
    setting(
        "metrics.enabled",
        &["PODLEDGER_METRICS_ENABLED"],
        ("true", "true"),
        "Of older files; rows are all that this agent makes.",
        |_, text| match parse::flag(text)? {
            true => Ok(()),
            false => Err("rows are all that this agent makes".to_owned()),
        },
    ),
    setting(
        "kubelet.enabled",
        &["PODLEDGER_KUBELET_ENABLED"],
        ("true", FLAG),
        "Whether the kubelet is asked. Never in mode host.",
        |config, text| put(&mut config.kubelet.enabled, parse::flag(text)),
    ),
    setting(
        "kubelet.endpoint",
        &["KUBELET_ENDPOINT"],
        ("https://127.0.0.1:10250/stats/summary", URL),
        "Address of the kubelet's summary.",
        |config, text| put(&mut config.kubelet.endpoint, parse::url(text)),
    ),
    setting(
        "kubelet.server_name",
        &["PODLEDGER_KUBELET_SERVER_NAME"],
        ("", "a host's name or an IP address"),
        "The name that the kubelet's certificate must be for. Without one the endpoint's host, and for a loopback address `agent.node_ip`, else `agent.node_name`.",
        |config, text| put(&mut config.kubelet.server_name, parse::name(text).map(Some)),
    ),
    setting(
        "kubelet.ca_file",
        &["PODLEDGER_KUBELET_CA_FILE"],
        ("/var/run/secrets/kubernetes.io/serviceaccount/ca.crt", FILE),
        "The CAs that the kubelet's certificate is verified against. Read again when it changes.",
        |config, text| put(&mut config.kubelet.ca_file, parse::path(text)),
    ),
    token_file(
        "kubelet.token_file",
        &["PODLEDGER_KUBELET_TOKEN_FILE"],
        "The token that is shown to the kubelet. Read again when it changes.",
        |config, text| put(&mut config.kubelet.token_file, parse::path(text)),
    ),
    setting(
        "kubelet.insecure",
        &["PODLEDGER_KUBELET_INSECURE"],
        ("false", FLAG),
        "Believe every certificate. Whoever answers at the endpoint then gets the token.",
        |config, text| put(&mut config.kubelet.insecure, parse::flag(text)),
    ),
    setting(
        "kubelet.timeout",
        &["PODLEDGER_KUBELET_TIMEOUT"],
        ("5s", "a duration from 10ms to 1m, at most the interval"),
        "How long the kubelet may take for an answer. At most the interval.",
        |config, text| {
            let timeout = parse::duration(text, MIN_TIMEOUT, MAX_TIMEOUT);
            put(&mut config.kubelet.timeout, timeout)
        },
    ),
    setting(
        "kubernetes.enabled",
        &["PODLEDGER_KUBERNETES_ENABLED"],
        ("auto", "auto, on or off"),
        "Whether this node's pods are watched. With auto where the API server's address is known, and never in mode host.",
        |config, text| put(&mut config.kubernetes.enabled, parse::switch(text)),
    ),
    setting(
        "kubernetes.api_server",
        &["PODLEDGER_KUBERNETES_API_SERVER"],
        ("", URL),
        "Address of the API server. Without one that of `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT`.",
        |config, text| {
            put(
                &mut config.kubernetes.api_server,
                parse::url(text).map(Some),
            )
        },
    ),
    setting(
        "kubernetes.ca_file",
        &["PODLEDGER_KUBERNETES_CA_FILE"],
        ("/var/run/secrets/kubernetes.io/serviceaccount/ca.crt", FILE),
        "The CAs that the API server's certificate is verified against.",
        |config, text| put(&mut config.kubernetes.ca_file, parse::path(text)),
    ),
    token_file(
        "kubernetes.token_file",
        &["PODLEDGER_KUBERNETES_TOKEN_FILE"],
        "The token that is shown to the API server. Read again when it changes.",
        |config, text| put(&mut config.kubernetes.token_file, parse::path(text)),
    ),
    setting(
        "ec2.enabled",
        &["ENABLE_EC2_INSTANCE_ID"],
        ("true", FLAG),
        "Whether the instance's metadata is asked. Never in mode host.",
        |config, text| put(&mut config.ec2.enabled, parse::flag(text)),
    ),
    setting(
        "ec2.token_ttl",
        &["EC2_METADATA_TOKEN_TTL"],
        ("21600", "seconds or a duration, from 1 to 21600 seconds"),
        "How long a session token of the metadata service (IMDSv2) shall serve.",
        |config, text| {
            put(
                &mut config.ec2.token_ttl,
                parse::duration(text, MIN_TTL, MAX_TTL),
            )
        },
    ),
    setting(
        "ec2.force_imdsv1",
        &["FORCE_IMDSV1"],
        ("false", FLAG),
        "Ask the metadata service without tokens (IMDSv1), and never try with one.",
        |config, text| put(&mut config.ec2.force_imdsv1, parse::flag(text)),
    ),
    setting(
        "ec2.endpoint",
        &["AWS_EC2_METADATA_SERVICE_ENDPOINT"],
        ("http://169.254.169.254", URL),
        "Address of the metadata service.",
        |config, text| put(&mut config.ec2.endpoint, parse::url(text)),
    ),
    setting(
        "ec2.region",
        &["AWS_REGION"],
        ("", "a name of at most 253 characters without blanks"),
        "Region in the rows when neither the metadata nor the node's labels tell.",
        |config, text| put(&mut config.ec2.region, parse::name(text).map(Some)),
    ),
    setting(
        "status.listen",
        &["PODLEDGER_STATUS_LISTEN"],
        ("0.0.0.0:8080", "an IP address with a port, :PORT, or off"),
        "Where `/healthz`, `/ready` and `/metrics` are served.",
        |config, text| put(&mut config.status.listen, parse::listen(text)),
    ),
    setting(
        "status.per_pod_metrics",
        &["PODLEDGER_STATUS_PER_POD_METRICS"],
        ("false", FLAG),
        "Whether `/metrics` has series for each pod.",
        |config, text| put(&mut config.status.per_pod_metrics, parse::flag(text)),
    ),
    setting(
        "kernel.pins",
        &["PODLEDGER_KERNEL_PINS"],
        (PIN_DIRECTORY, FILE_OR_OFF),
        "Directory on a BPF file system for the kernel's maps and links. When off, nothing outlives the process, the state neither.",
        |config, text| put(&mut config.kernel.pins, parse::path_or_off(text)),
    ),
    setting(
        "kernel.without",
        &["PODLEDGER_KERNEL_WITHOUT"],
        ("", "a list of network, cpu, oom, lifecycle"),
        "Kinds of kernel counters to leave out.",
        |config, text| put(&mut config.kernel.without, parse::sources(text)),
    ),
    setting(
        "log.level",
        &["LOG_LEVEL"],
        ("info", "trace, debug, info, warn (or warning), error"),
        "The least important lines that are written.",
        |config, text| put(&mut config.log.level, parse::level(text)),
    ),
    setting(
        "log.debug_http",
        &["DEBUG_K8S_API"],
        ("false", FLAG),
        "Log every HTTP exchange with a summary of the answer. Tokens are masked.",
        |config, text| put(&mut config.log.debug_http, parse::flag(text)),
    ),
];

/// The setting of a key.
pub(super) fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}
