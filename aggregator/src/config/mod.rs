//! The settings of `serve`: options, their variables, and the variables of the older systems. All
//! problems are found in one run.

mod care;
mod parse;
mod problems;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use crate::{
    cli::Serve,
    ingest::{Files, Limits},
    service::CLUSTER,
    store_url::StoreUrl,
};

pub use care::Care;
pub use problems::{Problem, Problems};

/// Where a pod finds its own token and the cluster's CA.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// The older system's bucket and prefix.
const BUCKET: &str = "k8s-usage-data";
const PREFIX: &str = "k8s-metrics/";
/// Least room for batches: two of the largest messages.
const LEAST_MEMORY: usize = 16 << 20;

/// When what waits is committed: whichever comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Triggers {
    /// The oldest has waited for so long.
    pub age: Duration,
    /// So many rows wait.
    pub rows: usize,
    /// So many bytes wait.
    pub bytes: usize,
}

/// Who may write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Whoever the API server vouches for.
    Kubernetes(Reviews),
    /// Whoever has a token of this file.
    TokenFile(PathBuf),
    /// Anybody.
    None,
}

/// How the API server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Host of the API server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// File of the token that asks.
    pub token: PathBuf,
    /// File of the CA that vouches for the API server.
    pub ca: PathBuf,
}

/// How the API server is asked about tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reviews {
    /// Who is asked.
    pub cluster: Cluster,
    /// Audience that an agent's token must be for.
    pub audience: String,
    /// The one service account of agents, as the API server names its user.
    pub user: Option<String>,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the tables are.
    pub store: StoreUrl,
    /// When to commit.
    pub triggers: Triggers,
    /// Most bytes of batches that wait.
    pub memory: usize,
    /// How the tables are taken care of; none if others do it.
    pub care: Option<Care>,
    /// For agents.
    pub listen: SocketAddr,
    /// For probes and metrics.
    pub status_listen: Option<SocketAddr>,
    /// Certificate and key.
    pub files: Files,
    /// Who may write.
    pub auth: Auth,
    /// Whose pods, nodes and volumes are watched; none where nothing is.
    pub watch: Option<Cluster>,
    /// Whether what older collectors push is taken.
    pub push: bool,
    /// Name of the cluster.
    pub cluster: String,
    /// What peers may have.
    pub limits: Limits,
    /// Of the runtime.
    pub threads: usize,
    /// Least weight of what is logged.
    pub log_level: log::LevelFilter,
    /// Exchanges with the API server are logged.
    pub debug_k8s_api: bool,
}

impl Config {
    /// The settings that `options` and the variables of the older systems tell.
    pub fn new(
        options: &Serve,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let found = Reader {
            options,
            environment: &environment,
            problems: &mut problems,
        }
        .config();
        match found {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(problems),
        }
    }
}

struct Reader<'a> {
    options: &'a Serve,
    environment: &'a dyn Fn(&str) -> Option<String>,
    problems: &'a mut Problems,
}

impl Reader<'_> {
    fn config(&mut self) -> Option<Config> {
        let options = self.options;
        let (store, triggers, memory) = (self.store(), self.triggers(), self.memory());
        let listen = self.address("--listen", &options.listen, "0.0.0.0:8443");
        let status_listen = match options.status_listen.as_deref() {
            Some("off") => Some(None),
            _ => self
                .address("--status-listen", &options.status_listen, "0.0.0.0:8888")
                .map(Some),
        };
        let (files, auth, limits) = (self.files(), self.auth(), self.limits());
        let watch = self.watch();
        let (push, cluster) = (self.push(auth.as_ref()), self.cluster_name());
        let threads = self.value("--threads", &options.threads, "2", |text| {
            parse::count(text, (1, 64))
        });
        let log_level = self.value("--log-level", &options.log_level, "info", parse::level);
        let debug = &options.debug_k8s_api;
        let debug_k8s_api = self.value("--debug-k8s-api", debug, "false", parse::switch);
        let care = self.care();
        Some(Config {
            store: store?,
            triggers: triggers?,
            memory: memory?,
            care: care?,
            listen: listen?,
            status_listen: status_listen?,
            files: files?,
            auth: auth?,
            watch: watch?,
            push: push?,
            cluster: cluster?,
            limits: limits?,
            threads: threads?,
            log_level: log_level?,
            debug_k8s_api: debug_k8s_api?,
        })
    }

    fn store(&mut self) -> Option<StoreUrl> {
        let environment = self.environment;
        let (name, parsed) = match given(&self.options.store) {
            Some(url) => ("--store", StoreUrl::parse(url)),
            None => match self.bucket() {
                Some(bucket) => {
                    let prefix = environment("S3_PREFIX").filter(|prefix| !prefix.is_empty());
                    let prefix = prefix.as_deref().unwrap_or(PREFIX);
                    ("S3_BUCKET and S3_PREFIX", StoreUrl::s3(&bucket, prefix))
                }
                None => {
                    let advice =
                        "say where the tables are: s3://bucket/prefix or file:///directory";
                    self.problems.add("--store", advice);
                    return None;
                }
            },
        };
        self.kept(name, parsed.map_err(|error| crate::error_chain(&error)))
    }

    /// The older system's default is somebody's bucket, all over the world: it is taken on an endpoint of one's
    /// own alone.
    fn bucket(&self) -> Option<String> {
        let told = |name| (self.environment)(name).filter(|text| !text.is_empty());
        let default = || told("AWS_ENDPOINT_URL").map(|_| BUCKET.to_owned());
        told("S3_BUCKET").or_else(default)
    }

    fn triggers(&mut self) -> Option<Triggers> {
        let options = self.options;
        let age = self.value("--commit-age", &options.commit_age, "30s", |text| {
            parse::duration(text, Duration::from_secs(1))
        });
        let rows = self.value("--commit-rows", &options.commit_rows, "200000", |text| {
            parse::count(text, (1, 100_000_000))
        });
        let bytes = self.value("--commit-bytes", &options.commit_bytes, "32MiB", |text| {
            parse::bytes(text, 1)
        });
        Some(Triggers {
            age: age?,
            rows: rows?,
            bytes: bytes?,
        })
    }

    fn memory(&mut self) -> Option<usize> {
        self.value("--memory", &self.options.memory, "96MiB", |text| {
            parse::bytes(text, LEAST_MEMORY)
        })
    }

    fn files(&mut self) -> Option<Files> {
        let advice = "name a PEM file; agents come over TLS only";
        let certificate = self.path("--tls-cert", &self.options.tls_cert, advice);
        let key = self.path("--tls-key", &self.options.tls_key, advice);
        Some(Files {
            certificate: certificate?,
            key: key?,
        })
    }

    fn limits(&mut self) -> Option<Limits> {
        let options = self.options;
        let mut limits = Limits::default();
        let count = |text: &str| parse::count(text, (1, 1_000_000));
        for (name, option, limit) in [
            (
                "--max-connections",
                &options.max_connections,
                &mut limits.connections,
            ),
            (
                "--max-connections-per-peer",
                &options.max_connections_per_peer,
                &mut limits.connections_of_peer,
            ),
            (
                "--max-requests",
                &options.max_requests,
                &mut limits.requests,
            ),
        ] {
            let default = limit.to_string();
            *limit = self.value(name, option, &default, count).unwrap_or(*limit);
        }
        limits.drain_time = self.value("--drain-time", &options.drain_time, "20s", |text| {
            parse::duration(text, Duration::ZERO)
        })?;
        Some(limits)
    }

    fn auth(&mut self) -> Option<Auth> {
        match given(&self.options.auth) {
            Some("kubernetes") => self.reviews(),
            None if self.is_in_cluster() => self.reviews(),
            Some("token-file") => {
                let advice = "name the file of tokens that --auth token-file needs";
                self.path("--auth-tokens", &self.options.auth_tokens, advice)
                    .map(Auth::TokenFile)
            }
            Some("none") => Some(Auth::None),
            told => {
                let what = match told {
                    Some(_) => "nobody knows this mode",
                    None => "this is no pod of a cluster",
                };
                let advice = "write kubernetes, token-file, or none, which lets anybody write";
                self.problems.add("--auth", format!("{what}: {advice}"));
                None
            }
        }
    }

    /// By itself only where anybody may write anyway.
    fn push(&mut self, auth: Option<&Auth>) -> Option<bool> {
        let by_itself = matches!(auth, Some(Auth::None));
        self.value("--push", &self.options.push, "auto", |text| match text {
            "auto" => Ok(by_itself),
            "on" => Ok(true),
            "off" => Ok(false),
            _ => Err("write auto, on or off".to_owned()),
        })
    }

    fn cluster_name(&mut self) -> Option<String> {
        self.value("--cluster", &self.options.cluster, CLUSTER, parse::name)
    }

    fn watch(&mut self) -> Option<Option<Cluster>> {
        match given(&self.options.watch) {
            Some("off") => Some(None),
            Some("on") => self.cluster("--watch", "on").map(Some),
            None | Some("auto") if self.is_in_cluster() => {
                self.cluster("--watch", "auto").map(Some)
            }
            None | Some("auto") => Some(None),
            Some(_) => {
                self.problems.add("--watch", "write auto, on or off");
                None
            }
        }
    }

    fn is_in_cluster(&self) -> bool {
        (self.environment)("KUBERNETES_SERVICE_HOST").is_some()
    }

    /// The API server of this pod, which this `choice` of an option needs.
    fn cluster(&mut self, name: &'static str, choice: &str) -> Option<Cluster> {
        let environment = self.environment;
        let host = environment("KUBERNETES_SERVICE_HOST");
        if host.is_none() {
            let reason =
                format!("{choice} needs a pod of a cluster: KUBERNETES_SERVICE_HOST is not set");
            self.problems.add(name, reason);
        }
        let port = environment("KUBERNETES_SERVICE_PORT");
        let port = self.value("KUBERNETES_SERVICE_PORT", &port, "443", |text| {
            text.parse().map_err(|_| "it is no port".to_owned())
        });
        let file = |name: &str| PathBuf::from(SERVICE_ACCOUNT).join(name);
        Some(Cluster {
            host: host?,
            port: port?,
            token: file("token"),
            ca: file("ca.crt"),
        })
    }

    fn reviews(&mut self) -> Option<Auth> {
        let cluster = self.cluster("--auth", "kubernetes");
        let account = given(&self.options.agent_service_account);
        let user = account.map(|account| match account.split_once('/') {
            Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
                Ok(format!("system:serviceaccount:{namespace}:{name}"))
            }
            _ => Err("write namespace/name".to_owned()),
        });
        let user = self.kept("--agent-service-account", user.transpose());
        Some(Auth::Kubernetes(Reviews {
            cluster: cluster?,
            audience: given(&self.options.audience)
                .unwrap_or("podledger")
                .to_owned(),
            user: user?,
        }))
    }

    fn address(
        &mut self,
        name: &'static str,
        option: &Option<String>,
        default: &str,
    ) -> Option<SocketAddr> {
        self.value(name, option, default, |text| {
            text.parse()
                .map_err(|_| "it is no address with a port, as 0.0.0.0:8443".to_owned())
        })
    }

    fn path(
        &mut self,
        name: &'static str,
        option: &Option<String>,
        advice: &str,
    ) -> Option<PathBuf> {
        let path = given(option).map(PathBuf::from);
        if path.is_none() {
            self.problems.add(name, advice);
        }
        path
    }

    fn value<T>(
        &mut self,
        name: &'static str,
        option: &Option<String>,
        default: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = given(option).unwrap_or(default);
        let parsed = parse(text).map_err(|reason| format!("`{text}`: {reason}"));
        self.kept(name, parsed)
    }

    fn kept<T>(&mut self, name: &'static str, parsed: Result<T, String>) -> Option<T> {
        parsed
            .map_err(|reason| self.problems.add(name, reason))
            .ok()
    }
}

/// An empty variable is as good as none: charts write those.
fn given(option: &Option<String>) -> Option<&str> {
    option
        .as_deref()
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
