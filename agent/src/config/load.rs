//! Defaults, then the file, the environment and the command line, each over the one before.

use std::{collections::BTreeMap, path::Path, time::Duration};

use super::{
    Agent, Aggregator, Config, ConfigError, Ec2, Kernel, Kubelet, Kubernetes, Log, MAX_FILE_BYTES,
    Metrics, Mode, Output, Problem, Spool, Status, Switch, Transport, expand, hint,
    problem::{MOST_PROBLEMS, shown},
    settings::{self, SECTIONS, SETTINGS, Setting},
    yaml::{self, Node, Value},
};

/// A setting on the command line.
#[derive(Clone, Debug)]
pub struct Argument<'a> {
    /// As it was typed: `--interval`.
    pub flag: &'a str,
    /// The setting's key: `metrics.interval`.
    pub key: &'a str,
    /// Its text.
    pub text: String,
}

/// What has been read until now.
struct Loader<'a> {
    config: Config,
    environment: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<Problem>,
    /// Where each setting that someone set was set last.
    origins: BTreeMap<&'static str, String>,
}

pub(super) fn load(
    file: Option<(&Path, &str)>,
    environment: &dyn Fn(&str) -> Option<String>,
    arguments: &[Argument<'_>],
) -> Result<Config, ConfigError> {
    let mut loader = Loader {
        config: defaults(),
        environment,
        problems: Vec::new(),
        origins: BTreeMap::new(),
    };
    if let Some((path, text)) = file {
        loader.read_file(path, text);
    }
    for setting in &SETTINGS {
        loader.read_variables(setting);
    }
    for argument in arguments {
        loader.read_argument(argument);
    }
    loader.finish()
}

impl Loader<'_> {
    fn read_file(&mut self, path: &Path, text: &str) {
        let name = path
            .file_name()
            .map_or_else(|| "file".into(), std::ffi::OsStr::to_string_lossy);
        if text.len() as u64 > MAX_FILE_BYTES {
            self.tell(&name, "is too long", "at most 1 MiB");
            return;
        }
        if text.trim().is_empty() {
            return;
        }
        match yaml::parse(text) {
            Ok(root) => File {
                loader: self,
                name: &name,
                source: text,
            }
            .read_root(&root),
            Err(broken) => {
                let origin = match broken.line {
                    Some(line) => format!("{name}:{line}"),
                    None => name.into_owned(),
                };
                let what = shown(&broken.what).trim_matches('`').to_owned();
                self.tell(&origin, &what, "");
            }
        }
    }

    fn read_variables(&mut self, setting: &'static Setting) {
        let mut before: Option<(&str, Config)> = None;
        for variable in setting.variables.iter().rev() {
            let Some(text) = (self.environment)(variable).filter(|text| !text.trim().is_empty())
            else {
                continue;
            };
            let origin = format!("env {variable}");
            if !self.put(setting, origin.clone(), text.trim(), None) {
                continue;
            }
            match &before {
                Some((other, config)) if *config != self.config => self.tell(
                    &origin,
                    &format!("says something else than {other}, which is another name of the same setting"),
                    "set one of them",
                ),
                _ => before = Some((variable, self.config.clone())),
            }
        }
    }

    fn read_argument(&mut self, argument: &Argument<'_>) {
        match settings::find(argument.key) {
            Some(setting) => {
                self.put(
                    setting,
                    argument.flag.to_owned(),
                    argument.text.trim(),
                    None,
                );
            }
            None => self.tell(argument.flag, "is no setting", &hint::for_key(argument.key)),
        }
    }

    /// Applies a text and tells whether it fits. `written` is how it stood in the file: what a variable
    /// holds may be a secret, and is not shown.
    fn put(
        &mut self,
        setting: &'static Setting,
        origin: String,
        text: &str,
        written: Option<&str>,
    ) -> bool {
        match (setting.apply)(&mut self.config, text) {
            Ok(()) => {
                self.origins.insert(setting.key, origin);
                true
            }
            Err(what) => {
                // A password in a URL, or a token where its file's path should be.
                let is_secret = setting.is_secret || text.contains(['@', '?']);
                let what = if is_secret {
                    format!("the value {what}")
                } else {
                    format!("{} {what}", shown(written.unwrap_or(text)))
                };
                self.tell(&origin, &what, &format!("allowed: {}", setting.allowed));
                false
            }
        }
    }

    fn tell(&mut self, origin: &str, what: &str, allowed: &str) {
        self.problems.push(Problem {
            origin: origin.to_owned(),
            what: what.to_owned(),
            allowed: allowed.to_owned(),
        });
    }

    fn finish(mut self) -> Result<Config, ConfigError> {
        self.tell_contradictions();
        if !self.problems.is_empty() {
            return Err(ConfigError {
                problems: self.problems,
            });
        }
        let mut config = self.config;
        config.kubelet.timeout = config.kubelet.timeout.min(config.metrics.interval);
        if config.kernel.pins.is_none() {
            config.agent.state = None;
        }
        if config.agent.cluster_name.is_empty() {
            let name = match config.agent.mode {
                Mode::Node => "default-cluster",
                Mode::Host => "local",
            };
            name.clone_into(&mut config.agent.cluster_name);
        }
        Ok(config)
    }

    /// What someone set and something else that they set makes senseless.
    fn tell_contradictions(&mut self) {
        let config = &self.config;
        let origin = |key: &str| self.origins.get(key).cloned();
        let mut found = Vec::new();
        if let Some(at) = origin("kubelet.timeout")
            && config.kubelet.timeout > config.metrics.interval
        {
            found.push((
                at,
                "is longer than `metrics.interval`",
                "at most the interval",
            ));
        }
        if let Some(at) = origin("kubernetes.enabled")
            && (config.agent.mode, config.kubernetes.enabled) == (Mode::Host, Switch::On)
        {
            found.push((
                at,
                "wants pods in mode host, which knows none",
                "`agent.mode: node`, or off",
            ));
        }
        if let Some(at) = origin("agent.state")
            && config.agent.state.is_some()
            && config.kernel.pins.is_none()
        {
            found.push((
                at,
                "keeps a state of counters that end with the process, as `kernel.pins` is off",
                "`agent.state: off`, or a directory for the pins",
            ));
        }
        if let Some(at) = origin("status.per_pod_metrics")
            && config.status.per_pod_metrics
            && config.status.listen.is_none()
        {
            found.push((
                at,
                "wants series that nobody serves, as `status.listen` is off",
                "false, or an address to listen on",
            ));
        }
        for (at, what, allowed) in found {
            self.tell(&at, what, allowed);
        }
    }
}

/// The file while it is read.
struct File<'a, 'b> {
    loader: &'a mut Loader<'b>,
    name: &'a str,
    source: &'a str,
}

impl File<'_, '_> {
    fn read_root(&mut self, root: &Node) {
        match &root.value {
            Value::Null => {}
            Value::Section(entries) => self.read_section("", entries),
            _ => self.loader.tell(
                self.name,
                "is no file of settings",
                &format!("sections are {}", SECTIONS.join(", ")),
            ),
        }
    }

    fn read_section(&mut self, section: &str, entries: &[(serde_saphyr::Spanned<String>, Node)]) {
        for (index, (key, node)) in entries.iter().enumerate() {
            let path = match section {
                "" => key.value.clone(),
                _ => format!("{section}.{}", key.value),
            };
            let origin = self.origin(key.referenced.line(), &path);
            let repeated = entries[..index]
                .iter()
                .find(|(earlier, _)| earlier.value == key.value);
            if let Some((earlier, _)) = repeated {
                let what = format!("stands in line {} already", earlier.referenced.line());
                self.loader.tell(&origin, &what, "write it once");
            }
            self.read_entry(&path, &origin, node);
        }
    }

    fn read_entry(&mut self, path: &str, origin: &str, node: &Node) {
        if let Some(setting) = settings::find(path) {
            self.read_value(setting, origin, node);
        } else if !SECTIONS.contains(&path) {
            // Nobody sees the hints of the rest, and each one takes its time.
            let hint = match self.loader.problems.len() < MOST_PROBLEMS {
                true => hint::for_key(path),
                false => String::new(),
            };
            self.loader.tell(origin, "is no setting", &hint);
        } else {
            match &node.value {
                Value::Null => {}
                Value::Section(entries) => self.read_section(path, entries),
                _ => self.loader.tell(
                    origin,
                    "is a value, but should be a section with keys in it",
                    "",
                ),
            }
        }
    }

    fn read_value(&mut self, setting: &'static Setting, origin: &str, node: &Node) {
        let written = match &node.value {
            Value::Section(_) => Err("is a section, but should be one value"),
            Value::List(items) if is_list(setting) => items
                .iter()
                .map(|item| yaml::text(item, self.source))
                .collect::<Option<Vec<_>>>()
                .map(|items| items.join(","))
                .ok_or("has a list or section in it, but should be a list of words"),
            Value::List(_) => Err("is a list, but should be one value"),
            _ => Ok(yaml::text(node, self.source).unwrap_or_default()),
        };
        let written = match written {
            Ok(written) => written,
            Err(what) => {
                let allowed = format!("allowed: {}", setting.allowed);
                return self.loader.tell(origin, what, &allowed);
            }
        };
        match expand::expand(&written, self.loader.environment) {
            // Like an empty variable: not set.
            Ok(text) if text.trim().is_empty() => {}
            Ok(text) => {
                self.loader
                    .put(setting, origin.to_owned(), text.trim(), Some(&written));
            }
            Err(what) => self.loader.tell(origin, &what, ""),
        }
    }

    /// A key as a message shows it. Nobody knows how long or strange it is.
    fn origin(&self, line: u64, path: &str) -> String {
        let path = shown(path);
        format!("{}:{line} {}", self.name, path.trim_matches('`'))
    }
}

fn is_list(setting: &Setting) -> bool {
    setting.allowed.starts_with("a list")
}

fn unset_aggregator() -> Aggregator {
    Aggregator {
        endpoint: None,
        transport: Transport::Auto,
        ca_file: "".into(),
        server_name: None,
        insecure: false,
        token_file: "".into(),
    }
}

/// What is set when nobody sets anything.
pub(super) fn defaults() -> Config {
    let mut config = Config {
        agent: Agent {
            mode: Mode::Node,
            node_name: None,
            node_ip: None,
            cluster_name: String::new(),
            output: Output::None,
            state: None,
            max_consecutive_failures: 0,
            push_endpoint: None,
        },
        aggregator: unset_aggregator(),
        spool: Spool {
            file: "".into(),
            max_mib: 0,
            max_age: Duration::ZERO,
        },
        metrics: Metrics {
            interval: Duration::ZERO,
            jitter_percent: 0,
        },
        kubelet: Kubelet {
            enabled: false,
            endpoint: String::new(),
            server_name: None,
            ca_file: "".into(),
            token_file: "".into(),
            insecure: false,
            timeout: Duration::ZERO,
        },
        kubernetes: Kubernetes {
            enabled: Switch::Auto,
            api_server: None,
            ca_file: "".into(),
            token_file: "".into(),
        },
        ec2: Ec2 {
            enabled: false,
            endpoint: String::new(),
            token_ttl: Duration::ZERO,
            force_imdsv1: false,
            region: None,
        },
        status: Status {
            listen: None,
            per_pod_metrics: false,
        },
        kernel: Kernel {
            pins: None,
            without: Vec::new(),
        },
        log: Log {
            level: log::LevelFilter::Off,
            debug_http: false,
        },
    };
    // The table is the one place of defaults; a test sees to it that each of them fits.
    for setting in SETTINGS
        .iter()
        .filter(|setting| !setting.default.is_empty())
    {
        let applied = (setting.apply)(&mut config, setting.default);
        debug_assert_eq!(applied, Ok(()), "{}", setting.key);
    }
    config
}
