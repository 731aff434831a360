//! The commands and their options. Every option is also a variable of the environment; what is wrong
//! with them is told all at once.

use clap::{Args, Parser, Subcommand};

/// Takes the batches of the agents and commits each of them once to tables that query engines read.
#[derive(Debug, Parser)]
#[command(name = "podledger-aggregator", version)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Take batches and commit them until it is told to stop
    Serve(Box<Serve>),
    /// Prove that the tables hold every batch once, or show where they do not
    Verify(crate::verify::Arguments),
    /// Merge small files into large ones, make the table of hours, and clean the logs, once
    Compact(crate::care::command::Compact),
    /// Delete files that no table names any more
    Vacuum(crate::care::command::Vacuum),
    /// Write tables of a cluster that is not there, for demonstrations and measurements
    Generate(crate::generate::Arguments),
}

/// Options of `serve`, as they were written.
#[derive(Args, Clone, Debug, Default)]
#[expect(
    clippy::doc_markdown,
    reason = "these sentences are help on a terminal, not Markdown"
)]
pub struct Serve {
    /// Where the tables are: s3://bucket/prefix, file:///directory, or memory: for tests
    ///
    /// Without it, S3_BUCKET and S3_PREFIX [default: k8s-metrics/] tell. AWS_REGION [default: us-east-1], AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and
    /// AWS_SECRET_ACCESS_KEY are heeded, as are web identities and instance profiles.
    #[arg(
        long,
        value_name = "URL",
        env = "PODLEDGER_AGGREGATOR_STORE",
        help_heading = "Tables"
    )]
    pub store: Option<String>,
    /// Commit what has waited for this long [default: 30s]
    #[arg(
        long,
        value_name = "DURATION",
        env = "PODLEDGER_AGGREGATOR_COMMIT_AGE",
        help_heading = "Tables"
    )]
    pub commit_age: Option<String>,
    /// Commit when so many rows wait [default: 200000]
    #[arg(
        long,
        value_name = "ROWS",
        env = "PODLEDGER_AGGREGATOR_COMMIT_ROWS",
        help_heading = "Tables"
    )]
    pub commit_rows: Option<String>,
    /// Commit when so many bytes of batches wait [default: 32MiB]
    #[arg(
        long,
        value_name = "BYTES",
        env = "PODLEDGER_AGGREGATOR_COMMIT_BYTES",
        help_heading = "Tables"
    )]
    pub commit_bytes: Option<String>,
    /// Most bytes of batches that wait; beyond, agents are told to come back [default: 96MiB]
    #[arg(
        long,
        value_name = "BYTES",
        env = "PODLEDGER_AGGREGATOR_MEMORY",
        help_heading = "Tables"
    )]
    pub memory: Option<String>,

    /// Merge small files, make pod_usage_hourly, clean logs, vacuum: on, or off if others do it [default: on]
    ///
    /// Of several aggregators one does it at a time.
    #[arg(
        long,
        value_name = "CHOICE",
        env = "PODLEDGER_AGGREGATOR_CARE",
        help_heading = "Care for the tables"
    )]
    pub care: Option<String>,
    /// Look so often whether there is something to do [default: 5m]
    #[arg(
        long,
        value_name = "DURATION",
        env = "PODLEDGER_AGGREGATOR_CARE_EVERY",
        help_heading = "Care for the tables"
    )]
    pub care_every: Option<String>,
    /// Merge an hour, or a day, so long after its end: rows of it may still come [default: 15m]
    #[arg(
        long,
        value_name = "DURATION",
        env = "PODLEDGER_AGGREGATOR_CARE_SETTLE",
        help_heading = "Care for the tables"
    )]
    pub care_settle: Option<String>,
    /// Take out rows of days that are older than so many days; the ledger stays [default: none]
    #[arg(
        long,
        value_name = "DAYS",
        env = "PODLEDGER_AGGREGATOR_RETENTION_DAYS",
        help_heading = "Care for the tables"
    )]
    pub retention_days: Option<String>,

    /// Address for agents: HTTP/3 on UDP, HTTP/2 and HTTP/1.1 on TCP [default: 0.0.0.0:8443]
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "PODLEDGER_AGGREGATOR_LISTEN",
        help_heading = "Agents"
    )]
    pub listen: Option<String>,
    /// Certificate and those between it and its CA, PEM; read again when it changes
    #[arg(
        long,
        value_name = "FILE",
        env = "PODLEDGER_AGGREGATOR_TLS_CERT",
        help_heading = "Agents"
    )]
    pub tls_cert: Option<String>,
    /// Private key of the certificate, PEM
    #[arg(
        long,
        value_name = "FILE",
        env = "PODLEDGER_AGGREGATOR_TLS_KEY",
        help_heading = "Agents"
    )]
    pub tls_key: Option<String>,
    /// Who may write: kubernetes, token-file, or none (anybody!) [default: kubernetes, in a cluster]
    #[arg(
        long,
        value_name = "MODE",
        env = "PODLEDGER_AGGREGATOR_AUTH",
        help_heading = "Agents"
    )]
    pub auth: Option<String>,
    /// For token-file: lines of `TOKEN NODE`, or `TOKEN *` for any node; read again when it changes
    #[arg(
        long,
        value_name = "FILE",
        env = "PODLEDGER_AGGREGATOR_AUTH_TOKENS",
        help_heading = "Agents"
    )]
    pub auth_tokens: Option<String>,
    /// For kubernetes: the one service account that agents have, as namespace/name [default: any]
    #[arg(
        long,
        value_name = "NAME",
        env = "PODLEDGER_AGGREGATOR_AGENT_SERVICE_ACCOUNT",
        help_heading = "Agents"
    )]
    pub agent_service_account: Option<String>,
    /// For kubernetes: audience of the agents' tokens [default: podledger]
    #[arg(
        long,
        value_name = "NAME",
        env = "PODLEDGER_AGGREGATOR_AUDIENCE",
        help_heading = "Agents"
    )]
    pub audience: Option<String>,
    /// Most connections at a time [default: 8192]
    #[arg(
        long,
        value_name = "COUNT",
        env = "PODLEDGER_AGGREGATOR_MAX_CONNECTIONS",
        help_heading = "Agents"
    )]
    pub max_connections: Option<String>,
    /// Most connections of one address [default: 64]
    #[arg(
        long,
        value_name = "COUNT",
        env = "PODLEDGER_AGGREGATOR_MAX_CONNECTIONS_PER_PEER",
        help_heading = "Agents"
    )]
    pub max_connections_per_peer: Option<String>,
    /// Most requests that are answered at a time [default: 256]
    #[arg(
        long,
        value_name = "COUNT",
        env = "PODLEDGER_AGGREGATOR_MAX_REQUESTS",
        help_heading = "Agents"
    )]
    pub max_requests: Option<String>,
    /// For requests under way when it is told to stop [default: 20s]
    #[arg(
        long,
        value_name = "DURATION",
        env = "PODLEDGER_AGGREGATOR_DRAIN_TIME",
        help_heading = "Agents"
    )]
    pub drain_time: Option<String>,

    /// Watch pods, nodes and volumes, so that rows tell of labels and volumes: auto, on, off [default: auto]
    ///
    /// auto is on in a pod of a cluster.
    #[arg(long, value_name = "CHOICE", env = "PODLEDGER_AGGREGATOR_WATCH")]
    pub watch: Option<String>,
    /// Take what older collectors push to POST /metrics: on (from anybody!), off, or auto, which is on
    /// with `--auth none` only [default: auto]
    #[arg(
        long,
        value_name = "MODE",
        env = "PODLEDGER_AGGREGATOR_PUSH",
        help_heading = "Older collectors"
    )]
    pub push: Option<String>,
    /// Name of the cluster, for rows whose sender names none [default: default-cluster]
    #[arg(
        long,
        value_name = "NAME",
        env = "CLUSTER_NAME",
        help_heading = "Older collectors"
    )]
    pub cluster: Option<String>,

    /// Address for probes and Prometheus, plain HTTP; `off` for none [default: 0.0.0.0:8888]
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "PODLEDGER_AGGREGATOR_STATUS_LISTEN"
    )]
    pub status_listen: Option<String>,
    /// Threads that answer and commit [default: 2]
    #[arg(long, value_name = "COUNT", env = "PODLEDGER_AGGREGATOR_THREADS")]
    pub threads: Option<String>,
    /// Least weight of what is logged: error, warn, info, debug, trace [default: info]
    #[arg(long, value_name = "LEVEL", env = "LOG_LEVEL")]
    pub log_level: Option<String>,
    /// Log each exchange with the API server and each event of a watch, secrets masked [default: false]
    #[arg(long, value_name = "BOOL", env = "DEBUG_K8S_API", num_args = 0..=1, default_missing_value = "true")]
    pub debug_k8s_api: Option<String>,
}

#[cfg(test)]
mod reference;

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_commands_hold_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn help_tells_every_default() {
        let mut command = Arguments::command();
        let serve = command.find_subcommand_mut("serve").unwrap();
        let help = serve.render_help().to_string();
        for word in [
            "s3://bucket/prefix",
            "0.0.0.0:8443",
            "0.0.0.0:8888",
            "anybody!",
            "30s",
        ] {
            assert!(help.contains(word), "{word} is missing in\n{help}");
        }
    }
}
