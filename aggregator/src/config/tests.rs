//! What settings become, and what is told of those that are wrong.

use super::*;

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn complete() -> Serve {
    Serve {
        store: some("file:///var/lib/podledger"),
        tls_cert: some("/tls/tls.crt"),
        tls_key: some("/tls/tls.key"),
        auth: some("none"),
        ..Serve::default()
    }
}

fn config(options: &Serve, environment: &[(&str, &str)]) -> Result<Config, Problems> {
    Config::new(options, |name| {
        let found = environment.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

fn problems(options: &Serve, environment: &[(&str, &str)]) -> Vec<(&'static str, String)> {
    let problems = config(options, environment).unwrap_err();
    let each = problems.0.into_iter();
    each.map(|problem| (problem.name, problem.reason)).collect()
}

#[test]
fn defaults() {
    let config = config(&complete(), &[]).unwrap();
    assert_eq!(config.listen.to_string(), "0.0.0.0:8443");
    assert_eq!(config.status_listen.unwrap().to_string(), "0.0.0.0:8888");
    let triggers = Triggers {
        age: Duration::from_secs(30),
        rows: 200_000,
        bytes: 32 << 20,
    };
    assert_eq!(config.triggers, triggers);
    assert_eq!((config.threads, config.memory), (2, 96 << 20));
    assert_eq!(config.limits.connections, 8_192);
    assert_eq!(config.auth, Auth::None);
    assert_eq!(config.cluster, "default-cluster");
    assert!(!config.debug_k8s_api);
}

#[test]
fn everything_missing_is_told_at_once() {
    let found = problems(&Serve::default(), &[]);
    let names: Vec<_> = found.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["--store", "--tls-cert", "--tls-key", "--auth"]);
    let text = config(&Serve::default(), &[]).unwrap_err().to_string();
    assert!(
        text.starts_with("4 settings are wrong:\n  --store: say where"),
        "{text}"
    );
    assert!(text.contains("none, which lets anybody write"));
}

#[test]
fn everything_wrong_is_told_at_once() {
    let options = Serve {
        store: some("ftp://x"),
        listen: some("8443"),
        status_listen: some("x"),
        commit_age: some("soon"),
        commit_rows: some("0"),
        commit_bytes: some("many"),
        memory: some("1MiB"),
        auth: some("all"),
        threads: some("0"),
        log_level: some("loud"),
        debug_k8s_api: some("maybe"),
        max_requests: some("-1"),
        ..complete()
    };
    assert_eq!(problems(&options, &[]).len(), 12);
}

#[test]
fn the_older_system_s_bucket() {
    let options = Serve {
        store: some(" "),
        ..complete()
    };
    let environment = [("S3_BUCKET", "usage"), ("S3_PREFIX", "metrics/")];
    let found = config(&options, &environment).unwrap();
    assert_eq!(found.store.to_string(), "s3://usage/metrics");
    for (environment, expected) in [
        (
            [("S3_BUCKET", "usage"), ("S3_PREFIX", "")],
            "s3://usage/k8s-metrics",
        ),
        ([("S3_BUCKET", "usage"), ("S3_PREFIX", "/")], "s3://usage/"),
        (
            [("S3_BUCKET", ""), ("AWS_ENDPOINT_URL", "http://minio:9000")],
            "s3://k8s-usage-data/k8s-metrics",
        ),
    ] {
        let found = config(&options, &environment).unwrap();
        assert_eq!(found.store.to_string(), expected);
    }
    let found = problems(&options, &[("S3_BUCKET", ""), ("AWS_ENDPOINT_URL", "")]);
    assert_eq!(found[0].0, "--store", "no bucket of somebody else");
    let found = config(&complete(), &environment).unwrap();
    assert_eq!(found.store.to_string(), "file:///var/lib/podledger");
}

#[test]
fn pushes_are_taken_by_themselves_where_anybody_may_write() {
    for (auth, push, expected) in [
        ("none", None, true),
        ("none", some("off"), false),
        ("none", some("auto"), true),
        ("token-file", None, false),
        ("token-file", some("on"), true),
    ] {
        let options = Serve {
            auth: some(auth),
            auth_tokens: some("/tokens"),
            push: push.clone(),
            ..complete()
        };
        assert_eq!(
            config(&options, &[]).unwrap().push,
            expected,
            "{auth} {push:?}"
        );
    }
    let options = Serve {
        push: some("maybe"),
        cluster: some("a b"),
        ..complete()
    };
    let found = problems(&options, &[]);
    let names: Vec<_> = found.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["--push", "--cluster"]);
}

#[test]
fn in_a_cluster_the_api_server_is_asked() {
    let mut options = Serve {
        auth: None,
        agent_service_account: some("podledger/agent"),
        ..complete()
    };
    let environment = [
        ("KUBERNETES_SERVICE_HOST", "10.96.0.1"),
        ("KUBERNETES_SERVICE_PORT", "6443"),
    ];
    let found = config(&options, &environment).unwrap();
    let Auth::Kubernetes(reviews) = found.auth else {
        panic!("another mode");
    };
    let cluster = &reviews.cluster;
    assert_eq!((cluster.host.as_str(), cluster.port), ("10.96.0.1", 6_443));
    assert_eq!(found.watch.as_ref(), Some(cluster));
    assert_eq!(reviews.audience, "podledger");
    assert_eq!(
        reviews.user.as_deref(),
        Some("system:serviceaccount:podledger:agent")
    );
    options.agent_service_account = some("agent");
    options.auth = some("kubernetes");
    let found = problems(&options, &[]);
    let names: Vec<_> = found.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["--auth", "--agent-service-account"]);
}

#[test]
fn watches_are_for_clusters_and_can_be_switched_off() {
    let in_cluster = [("KUBERNETES_SERVICE_HOST", "10.96.0.1")];
    for (choice, environment, is_on) in [
        (None, &in_cluster[..], true),
        (Some("auto"), &in_cluster, true),
        (Some("on"), &in_cluster, true),
        (Some("off"), &in_cluster, false),
        (None, &[], false),
        (Some("auto"), &[], false),
    ] {
        let options = Serve {
            watch: choice.map(str::to_owned),
            ..complete()
        };
        let found = config(&options, environment).unwrap();
        assert_eq!(found.watch.is_some(), is_on, "{choice:?} {environment:?}");
    }
    for choice in ["on", "perhaps"] {
        let options = Serve {
            watch: some(choice),
            ..complete()
        };
        assert_eq!(problems(&options, &[])[0].0, "--watch");
    }
}

#[test]
fn a_file_of_tokens_must_be_named() {
    let mut options = Serve {
        auth: some("token-file"),
        ..complete()
    };
    assert_eq!(problems(&options, &[])[0].0, "--auth-tokens");
    options.auth_tokens = some("/tokens");
    assert_eq!(
        config(&options, &[]).unwrap().auth,
        Auth::TokenFile("/tokens".into())
    );
    options.status_listen = some("off");
    assert_eq!(config(&options, &[]).unwrap().status_listen, None);
}
