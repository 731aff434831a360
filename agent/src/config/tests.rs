//! What a whole file and environment come to.

use std::{fs, path::Path, time::Duration};

use super::*;

type Variables<'a> = &'a [(&'a str, &'a str)];

fn load(file: &str, variables: Variables<'_>) -> Result<Config, ConfigError> {
    Config::load(Some((Path::new("/x/agent.yaml"), file)), &|name| {
        variables
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| (*value).to_owned())
    })
}

fn problems(file: &str, variables: Variables<'_>) -> Vec<String> {
    match load(file, variables) {
        Ok(_) => Vec::new(),
        Err(error) => error.problems.iter().map(ToString::to_string).collect(),
    }
}

#[track_caller]
fn one_problem(file: &str, variables: Variables<'_>, parts: &[&str]) {
    let found = problems(file, variables);
    assert_eq!(found.len(), 1, "{found:?}");
    for part in parts {
        assert!(found[0].contains(part), "{part} in {found:?}");
    }
}

#[test]
fn every_default_fits_and_is_what_older_systems_have() {
    for setting in settings::SETTINGS
        .iter()
        .filter(|one| !one.default.is_empty())
    {
        let mut config = Config::default();
        assert_eq!(
            (setting.apply)(&mut config, setting.default),
            Ok(()),
            "{}",
            setting.key
        );
        assert_eq!(config, Config::default(), "{}", setting.key);
    }
    let config = load("", &[]).unwrap();
    assert_eq!(config.metrics.interval, Duration::from_secs(30));
    assert_eq!(config.metrics.jitter_percent, 20);
    assert_eq!(config.agent.max_consecutive_failures, 5);
    assert_eq!(
        config.kubelet.endpoint,
        "https://127.0.0.1:10250/stats/summary"
    );
    assert!(config.ec2.enabled && !config.ec2.force_imdsv1 && !config.log.debug_http);
    assert_eq!(config.ec2.token_ttl, Duration::from_secs(21_600));
    assert_eq!(config.agent.cluster_name, "default-cluster");
    assert_eq!(config.agent.push_endpoint, None);
    assert_eq!(config.status.listen, Some(([0, 0, 0, 0], 8080).into()));
    assert_eq!(
        config.agent.state.as_deref(),
        Some(Path::new(crate::host::state::STATE_DIRECTORY))
    );
}

#[test]
fn keys_and_variables_are_unique_and_in_a_section() {
    let mut names: Vec<&str> = settings::SETTINGS
        .iter()
        .flat_map(|setting| setting.variables.iter().copied().chain([setting.key]))
        .chain(settings::OF_THE_AGGREGATOR)
        .collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    for setting in &settings::SETTINGS {
        let section = setting.key.split('.').next().unwrap();
        assert!(settings::SECTIONS.contains(&section), "{}", setting.key);
        assert!(!setting.variables.is_empty(), "{}", setting.key);
    }
}

#[test]
fn the_environment_is_over_the_file_and_the_command_line_over_both() {
    let file = "metrics:\n  interval: 10s\n  jitter_percent: 5\n";
    let config = load(file, &[("SCRAPE_INTERVAL", "15")]).unwrap();
    assert_eq!(config.metrics.interval, Duration::from_secs(15));
    assert_eq!(config.metrics.jitter_percent, 5);
    let argument = Argument {
        flag: "--interval",
        key: "metrics.interval",
        text: "2s".to_owned(),
    };
    let file = Some((Path::new("agent.yaml"), file));
    let config = Config::load_all(file, &|_| None, std::slice::from_ref(&argument)).unwrap();
    assert_eq!(config.metrics.interval, Duration::from_secs(2));
    let wrong = Argument {
        text: "x".to_owned(),
        ..argument
    };
    let error = Config::load_all(file, &|_| None, &[wrong]).unwrap_err();
    assert_eq!(error.problems[0].origin, "--interval");
}

#[test]
fn every_variable_of_the_older_systems_works() {
    let config = load(
        "",
        &[
            ("PUSH_ENDPOINT", "http://aggregator:8080/metrics"),
            ("SCRAPE_INTERVAL", "60"),
            ("METRICS_INTERVAL", "1m"),
            ("JITTER_PERCENT", "0"),
            ("MAX_CONSECUTIVE_FAILURES", "0"),
            ("KUBELET_ENDPOINT", "https://10.0.0.1:10250/stats/summary"),
            ("ENABLE_EC2_INSTANCE_ID", "False"),
            ("EC2_METADATA_TOKEN_TTL", "60"),
            ("FORCE_IMDSV1", "yes"),
            ("DEBUG_K8S_API", "TRUE"),
            ("NODE_NAME", "ip-10-0-0-1.ec2.internal"),
            ("NODE_IP", "10.0.0.1"),
            ("CLUSTER_NAME", "prod"),
            ("LOG_LEVEL", "WARNING"),
            ("AWS_REGION", "eu-west-1"),
            (
                "AWS_EC2_METADATA_SERVICE_ENDPOINT",
                "http://[fd00:ec2::254]",
            ),
            ("S3_BUCKET", "\0 anything"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
        ],
    )
    .unwrap();
    assert_eq!(
        config.agent.push_endpoint.as_deref(),
        Some("http://aggregator:8080/metrics")
    );
    assert_eq!(config.metrics.interval, Duration::from_secs(60));
    assert_eq!(
        (
            config.metrics.jitter_percent,
            config.agent.max_consecutive_failures
        ),
        (0, 0)
    );
    assert!(!config.ec2.enabled && config.ec2.force_imdsv1 && config.log.debug_http);
    assert_eq!(config.ec2.token_ttl, Duration::from_secs(60));
    assert_eq!(config.agent.node_ip, Some([10, 0, 0, 1].into()));
    assert_eq!(config.log.level, log::LevelFilter::Warn);
    assert_eq!(config.ec2.region.as_deref(), Some("eu-west-1"));
    assert!(!format!("{config:?}").contains("secret\""));
}

#[test]
fn both_names_of_the_interval_must_agree() {
    one_problem(
        "",
        &[("SCRAPE_INTERVAL", "30"), ("METRICS_INTERVAL", "60s")],
        &["env SCRAPE_INTERVAL", "METRICS_INTERVAL", "set one of them"],
    );
    let config = load("", &[("METRICS_INTERVAL", "60s")]).unwrap();
    assert_eq!(config.metrics.interval, Duration::from_secs(60));
}

#[test]
fn an_older_agents_sections_are_read() {
    let file = "agent:\n  node_name: \"${NODE_NAME}\"\n  cluster_name: \"${CLUSTER_NAME:-c}\"\nmetrics:\n  enabled: true\n  interval: \"30s\"\n";
    let config = load(file, &[("NODE_NAME", "n1")]).unwrap();
    assert_eq!(config.agent.node_name.as_deref(), Some("n1"));
    assert_eq!(config.agent.cluster_name, "c");
    one_problem(
        "metrics:\n  enabled: false\n",
        &[],
        &["agent.yaml:2 metrics.enabled"],
    );
    one_problem(
        "logs:\n  enabled: true\n",
        &[],
        &["agent.yaml:1 logs", "no logs"],
    );
}

#[test]
fn every_problem_is_told_at_once_with_its_place() {
    let file = "\
metrics:
  interval: soon
  jitter_percent: 120
  intervall: 5s
kubelet:
  endpoint: [1, 2]
  timeout: {a: b}
agent: no
typo: {deep: {deeper: 1}}
status:
  listen: ${MISSING}
";
    let found = problems(file, &[("LOG_LEVEL", "loud"), ("NODE_IP", "300.1.1.1")]);
    let wanted = [
        (
            "agent.yaml:2 metrics.interval",
            "`soon` is not a duration; allowed: a duration",
        ),
        (
            "agent.yaml:3 metrics.jitter_percent",
            "`120` is out of range",
        ),
        (
            "agent.yaml:4 metrics.intervall",
            "did you mean `metrics.interval`?",
        ),
        ("agent.yaml:6 kubelet.endpoint", "is a list"),
        ("agent.yaml:7 kubelet.timeout", "is a section"),
        ("agent.yaml:8 agent", "should be a section"),
        ("agent.yaml:9 typo", "is no setting"),
        ("agent.yaml:11 status.listen", "MISSING is not set"),
        ("env NODE_IP", "`300.1.1.1` is not an IP address"),
        ("env LOG_LEVEL", "`loud` is no level; allowed: trace"),
    ];
    assert_eq!(found.len(), wanted.len(), "{found:#?}");
    for ((origin, what), found) in wanted.iter().zip(&found) {
        assert!(
            found.starts_with(&format!("{origin}: ")),
            "{origin}: {found}"
        );
        assert!(found.contains(what), "{what}: {found}");
    }
}

#[test]
fn scalars_are_what_was_written() {
    let config = load("agent:\n  node_name: 007\n  cluster_name: 1e3\nkernel:\n  pins: off\n  without: [cpu, oom]\nstatus: {listen: off}\nkubernetes:\n  enabled: off\n", &[]).unwrap();
    assert_eq!(config.agent.node_name.as_deref(), Some("007"));
    assert_eq!(config.agent.cluster_name, "1e3");
    assert_eq!((config.kernel.pins, config.agent.state), (None, None));
    assert_eq!(config.kernel.without, [Source::Cpu, Source::Oom]);
    assert_eq!(config.status.listen, None);
    assert_eq!(config.kubernetes.enabled, Switch::Off);
    let config = load("agent: {node_name: true, cluster_name: 0x1F}\nkernel: {without: 'cpu, oom'}\nmetrics: {interval: }\nlog:\n", &[]).unwrap();
    assert_eq!(config.agent.node_name.as_deref(), Some("true"));
    assert_eq!(config.agent.cluster_name, "0x1F");
    assert_eq!(
        config.metrics.interval,
        Duration::from_secs(30),
        "empty is not set"
    );
}

#[test]
fn contradictions_are_told() {
    one_problem(
        "kubelet:\n  timeout: 10s\n",
        &[("SCRAPE_INTERVAL", "5")],
        &["agent.yaml:2 kubelet.timeout", "longer than"],
    );
    let config = load("", &[("SCRAPE_INTERVAL", "1")]).unwrap();
    assert_eq!(
        config.kubelet.timeout,
        Duration::from_secs(1),
        "the default gives way"
    );
    one_problem(
        "agent: {mode: host}\nkubernetes: {enabled: on}\n",
        &[],
        &["mode host"],
    );
    one_problem(
        "kernel: {pins: off}\nagent: {state: /x}\n",
        &[],
        &["`kernel.pins` is off"],
    );
    one_problem(
        "status: {listen: off, per_pod_metrics: true}",
        &[],
        &["`status.listen` is off"],
    );
    one_problem(
        "log: {level: info}\nlog: {level: info}\n",
        &[],
        &["agent.yaml:2 log", "line 1 already"],
    );
}

#[test]
fn secrets_are_not_shown() {
    let secret = "eyJhbGciOi.secret";
    for (file, variables) in [
        ("", [("PODLEDGER_KUBELET_TOKEN_FILE", secret)]),
        ("kubelet:\n  token_file: eyJhbGciOi.secret\n", [("X", "")]),
        ("metrics:\n  interval: ${TOKEN}\n", [("TOKEN", secret)]),
        ("kubelet:\n  token: eyJhbGciOi.secret\n", [("X", "")]),
    ] {
        let found = problems(file, &variables);
        assert_eq!(found.len(), 1, "{file} {found:?}");
        assert!(!found[0].contains("secret"), "{found:?}");
    }
    let found = problems("", &[("PUSH_ENDPOINT", "https://user:hunter2@host/")]);
    assert!(!found[0].contains("hunter2"), "{found:?}");
}

#[test]
fn hostile_files_are_refused_in_words() {
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d]\n";
    let deep = format!("agent: {}{}", "[".repeat(1000), "]".repeat(1000));
    let deep_block: String = (0..1000)
        .map(|depth| format!("{}a:\n", " ".repeat(depth)))
        .collect();
    let wide: String = (0..50_000).map(|key| format!("k{key}: 1\n")).collect();
    let long = format!("agent: {{node_name: \"{}\"}}", "x".repeat(2 << 20));
    for file in [
        bomb,
        &deep,
        &deep_block,
        &wide,
        &long,
        "a: [",
        "\t- x: :",
        "? {a: b}\n: c",
        "- a\n- b",
        "just text",
        "%YAML 9.9\n--- {}",
        "a: b\n---\na: c\n",
        "log:\n  level: \"\u{1b}[31mred\"\n",
        "\u{feff}\u{0}",
    ] {
        let error = load(file, &[]).unwrap_err().to_string();
        assert!(error.len() < 10_000 && !error.contains('\u{1b}'), "{error}");
    }
    let long_keys: String = (0..4_900).map(|key| format!("{key:a>60}: 1\n")).collect();
    let begun = std::time::Instant::now();
    assert!(load(&long_keys, &[]).is_err());
    assert!(begun.elapsed() < Duration::from_secs(10), "takes its time");
    let many: String = (0..500).map(|key| format!("k{key}: 1\n")).collect();
    assert!(
        load(&many, &[])
            .unwrap_err()
            .to_string()
            .contains("and 450 more")
    );
}

#[test]
fn a_file_and_an_environment_are_told_together() {
    let found = problems("a: [", &[("LOG_LEVEL", "x")]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("agent.yaml:1: "), "{found:?}");
}

#[test]
fn the_kubelets_name_is_the_nodes_when_its_address_is_loopback() {
    let name = |file: &str| load(file, &[]).unwrap().kubelet_server_name();
    assert_eq!(
        name("agent: {node_ip: 10.0.0.1, node_name: n}").as_deref(),
        Some("10.0.0.1")
    );
    assert_eq!(name("agent: {node_name: n}").as_deref(), Some("n"));
    assert_eq!(name(""), None);
    assert_eq!(
        name("agent: {node_name: n}\nkubelet: {endpoint: 'https://10.0.0.2:10250/'}"),
        None
    );
    assert_eq!(
        name("agent: {node_name: n}\nkubelet: {endpoint: 'https://[::1]:10250/'}").as_deref(),
        Some("n")
    );
    assert_eq!(name("kubelet: {server_name: k}").as_deref(), Some("k"));
}

#[test]
fn the_documentation_is_what_the_table_says() {
    load(document::EXAMPLE, &[]).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    if std::env::var_os("PODLEDGER_WRITE_DOCS").is_some() {
        fs::write(&path, markdown()).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap_or_default() == markdown(),
        "docs/configuration.md is behind: PODLEDGER_WRITE_DOCS=1 cargo test -p agent --lib config"
    );
}

#[test]
fn files_are_found_and_bounded() {
    let named = |name: &str| (name == CONFIG_VARIABLE).then(|| "/of/env.yaml".to_owned());
    assert_eq!(
        find_file(Some(Path::new("/a")), &named).unwrap(),
        Path::new("/a")
    );
    assert_eq!(find_file(None, &named).unwrap(), Path::new("/of/env.yaml"));
    assert!(matches!(
        read_file(Path::new("/dev/zero")),
        Err(FileError::NotAFile(_))
    ));
    assert!(matches!(
        read_file(Path::new("/no/such")),
        Err(FileError::Read { .. })
    ));
    let place = std::env::temp_dir().join(format!("podledger-config-{}", std::process::id()));
    fs::write(&place, vec![b' '; (MAX_FILE_BYTES + 1) as usize]).unwrap();
    assert!(matches!(read_file(&place), Err(FileError::TooLong(_))));
    fs::write(&place, [0xff]).unwrap();
    assert!(matches!(read_file(&place), Err(FileError::NotText(_))));
    fs::write(&place, "log: {}").unwrap();
    assert_eq!(read_file(&place).unwrap(), "log: {}");
    fs::remove_file(&place).unwrap();
}
