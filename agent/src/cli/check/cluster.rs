//! Checks of the kubelet and the API server, with the agent's own credentials.

use std::{fs::File, io, io::Read as _, path::Path, time::Duration};

use agent::{
    config::{Config, Mode, Switch},
    health::{Condition, Health},
    http::{
        self, Answer, Client, Endpoint, HeaderName, HeaderValue, HttpError, Request, StatusCode,
    },
    kubelet::{self, Kubelet},
    pods::{self, ApiError},
};
use tokio::time::timeout;

use super::{
    super::run::{kubelet_settings, pods_settings},
    report::Line,
    wait,
};

/// What is asked of the API server.
pub(super) const API: [&str; 2] = ["API server", "node object"];
/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(4);
/// Of a summary, or of one object.
const MOST_BODY_BYTES: usize = 16 * 1024 * 1024;
const MOST_FILE_BYTES: u64 = 1024 * 1024;

pub(super) fn kubelet(config: &Config) -> Vec<Line> {
    const NAME: &str = "kubelet";
    if config.agent.mode == Mode::Host {
        return vec![Line::skip(NAME, "a plain host has none")];
    }
    if !config.kubelet.enabled {
        return vec![Line::skip(NAME, "kubelet.enabled is false")];
    }
    let health = Health::new(NAME);
    let mut settings = kubelet_settings(config);
    settings.timeout = settings.timeout.min(PATIENCE);
    let fix = "see kubelet.* in docs/configuration.md";
    let line = match Kubelet::new(settings, health.clone()) {
        Ok(mut kubelet) => match wait(async move { kubelet.scrape().await }) {
            Ok(Some(sample)) => answered(config, &sample),
            _ => match health.view().condition {
                Condition::Failing(message) => Line::fail_told(NAME, &message, "; ", fix),
                _ => Line::fail(NAME, "it could not be asked", fix),
            },
        },
        Err(error) => Line::fail(NAME, error.to_string(), fix),
    };
    vec![line]
}

fn answered(config: &Config, sample: &kubelet::Sample) -> Line {
    const NAME: &str = "kubelet";
    let summary = &sample.summary;
    let theirs = summary.node.node_name.as_deref();
    if let (Some(ours), Some(theirs)) = (config.agent.node_name.as_deref(), theirs)
        && ours != theirs
    {
        return Line::fail(
            NAME,
            format!("it serves the node {theirs}, and the agent is told to be {ours}"),
            "set NODE_NAME from the field spec.nodeName",
        );
    }
    let insecure = match config.kubelet.insecure {
        true => "; its certificate is NOT verified",
        false => "",
    };
    let found = format!(
        "{} pods of {} in {} ms{insecure}",
        summary.pods.len(),
        theirs.unwrap_or("a node without a name"),
        sample.round_trip.as_millis(),
    );
    Line::pass(NAME, found)
}

pub(super) fn api(config: &Config) -> Vec<Line> {
    let skip = |why: &str| API.iter().map(|name| Line::skip(name, why)).collect();
    if config.agent.mode == Mode::Host {
        return skip("a plain host has none");
    }
    let url = match (config.kubernetes.enabled, api_server(config)) {
        (Switch::Off, _) => return skip("kubernetes.enabled is off"),
        (Switch::Auto, None) => {
            return skip("KUBERNETES_SERVICE_HOST is not set: this is no pod");
        }
        (Switch::On, None) => {
            let fix = "run in a pod, or set kubernetes.api_server";
            return fail_both("its address is not known", fix);
        }
        (_, Some(url)) => url,
    };
    match wait(ask_api(config, &url)) {
        Ok(lines) => lines,
        Err(error) => fail_both(&error.to_string(), "see the message"),
    }
}

fn fail_both(found: &str, fix: &str) -> Vec<Line> {
    vec![
        Line::fail(API[0], found, fix),
        Line::skip(API[1], "the API server comes first"),
    ]
}

fn api_server(config: &Config) -> Option<String> {
    if config.kubernetes.api_server.is_some() {
        return config.kubernetes.api_server.clone();
    }
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let host = set("KUBERNETES_SERVICE_HOST")?;
    let port = set("KUBERNETES_SERVICE_PORT").unwrap_or_else(|| "443".to_owned());
    match host.contains(':') {
        true => Some(format!("https://[{host}]:{port}")),
        false => Some(format!("https://{host}:{port}")),
    }
}

async fn ask_api(config: &Config, url: &str) -> Vec<Line> {
    let (mut client, authorization) = match api_client(config, url) {
        Ok(made) => made,
        Err((found, fix)) => return fail_both(&found, fix),
    };
    let node = config.agent.node_name.as_deref();
    let selector = match node {
        Some(node) => format!("fieldSelector=spec.nodeName%3D{}&", encoded(node)),
        None => String::new(),
    };
    let path = format!("/api/v1/pods?{selector}limit=1");
    let listed = match get(&mut client, &path, authorization.as_ref()).await {
        Ok(answer) => answer,
        Err(error) => {
            let fix = "see kubernetes.* in docs/configuration.md";
            let line = Line::fail_told(API[0], &error.to_string(), "; ", fix);
            return vec![line, Line::skip(API[1], "the API server comes first")];
        }
    };
    let rule = "resources: [\"pods\"], verbs: [\"get\", \"list\", \"watch\"]";
    let pods = judge(API[0], &listed, rule, "pods may be listed");
    let Some(node) = node else {
        return vec![pods, Line::skip(API[1], "NODE_NAME is not set")];
    };
    vec![pods, node_object(config, node).await]
}

/// As the agent asks for it, which is by another client.
async fn node_object(config: &Config, node: &str) -> Line {
    let Some(settings) = pods_settings(config, node) else {
        return Line::skip(API[1], "kubernetes.enabled is off");
    };
    match timeout(PATIENCE, pods::instance_of_node(&settings)).await {
        Ok(Ok(_)) => Line::pass(API[1], node),
        Ok(Err(ApiError::Status { status: 404, .. })) => Line::fail(
            API[1],
            format!("the cluster has no node {node}"),
            "set NODE_NAME from the field spec.nodeName",
        ),
        Ok(Err(error)) => Line::fail(
            API[1],
            error.to_string(),
            "add to the agent's ClusterRole: apiGroups: [\"\"], resources: [\"nodes\"], verbs: [\"get\"]",
        ),
        Err(_) => Line::fail(API[1], "no answer in time", "see the API server's load"),
    }
}

fn judge(name: &'static str, answer: &Answer, rule: &str, good: &str) -> Line {
    match answer.status {
        StatusCode::OK => Line::pass(name, good),
        StatusCode::UNAUTHORIZED => Line::fail(
            name,
            "it does not know the agent's token (401)",
            "mount this cluster's service-account token at kubernetes.token_file",
        ),
        StatusCode::FORBIDDEN => Line::fail(
            name,
            "it forbids what the agent asks for (403)",
            format!("add to the agent's ClusterRole: apiGroups: [\"\"], {rule}"),
        ),
        status => Line::fail(
            name,
            format!("it answers {status}"),
            "see whether kubernetes.api_server is one, and its log",
        ),
    }
}

type Unusable = (String, &'static str);

fn api_client(config: &Config, url: &str) -> Result<(Client, Option<HeaderValue>), Unusable> {
    let bad = |error: HttpError| (error.to_string(), "set kubernetes.api_server to its URL");
    let endpoint = Endpoint::parse(url).map_err(bad)?;
    let is_https = endpoint.https;
    let mut client = Client::new(http::Settings {
        endpoint,
        server_name: None,
        insecure: false,
        connect_timeout: PATIENCE,
        total_timeout: PATIENCE,
        most_body_bytes: MOST_BODY_BYTES,
        debug: config.log.debug_http,
    })
    .map_err(bad)?;
    if !is_https {
        // A token is not shown to everybody on the way.
        return Ok((client, None));
    }
    let fix = "mount the service account, or set kubernetes.ca_file and kubernetes.token_file";
    let unreadable = |path: &Path, error: &io::Error| (format!("{}: {error}", path.display()), fix);
    let (ca, token) = (&config.kubernetes.ca_file, &config.kubernetes.token_file);
    let pem = read(ca).map_err(|error| unreadable(ca, &error))?;
    client
        .set_ca(&pem)
        .map_err(|error| (format!("{}: {error}", ca.display()), fix))?;
    let content = read(token).map_err(|error| unreadable(token, &error))?;
    let mut header = HeaderValue::from_bytes(&[b"Bearer ", content.trim_ascii()].concat())
        .map_err(|_| (format!("{} holds no token", token.display()), fix))?;
    header.set_sensitive(true);
    Ok((client, Some(header)))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?
        .take(MOST_FILE_BYTES)
        .read_to_end(&mut content)?;
    Ok(content)
}

async fn get(
    client: &mut Client,
    path: &str,
    authorization: Option<&HeaderValue>,
) -> Result<Answer, HttpError> {
    let mut request = Request::get(path);
    if let Some(authorization) = authorization {
        request = request.header(
            HeaderName::from_static("authorization"),
            authorization.clone(),
        );
    }
    client.send(request).await
}

/// Text as part of a path or query.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::{
        super::{report::Verdict, testing::serve},
        *,
    };

    fn at(url: String) -> Config {
        let mut config = Config::default();
        config.kubernetes.api_server = Some(url);
        config.agent.node_name = Some("n1".to_owned());
        config
    }

    #[test]
    fn what_the_api_server_refuses_comes_with_the_rule() {
        let url = serve(|path| {
            match path.starts_with("/api/v1/pods?fieldSelector=spec.nodeName%3Dn1&") {
                true => (403, "{}"),
                false => (404, "{}"),
            }
        });
        let lines = api(&at(url));
        assert_eq!(lines[0].verdict, Verdict::Fail);
        assert!(
            lines[0].fix.as_deref().unwrap().contains("ClusterRole"),
            "{lines:?}"
        );
        assert!(lines[1].found.contains("no node n1"), "{lines:?}");
    }

    #[test]
    fn a_good_api_server_passes() {
        let lines = api(&at(serve(|_| {
            (
                200,
                r#"{"kind":"Node","apiVersion":"v1","metadata":{"name":"n1"}}"#,
            )
        })));
        assert!(
            lines.iter().all(|line| line.verdict == Verdict::Pass),
            "{lines:?}"
        );
    }

    #[test]
    fn without_an_api_server_both_lines_are_told() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let lines = api(&at(format!("http://{address}")));
        assert_eq!(
            (lines[0].verdict, lines[1].verdict),
            (Verdict::Fail, Verdict::Skip)
        );
        let mut config = Config::default();
        config.kubernetes.enabled = Switch::Off;
        assert_eq!(api(&config).len(), API.len());
        assert_eq!(api(&config)[0].verdict, Verdict::Skip);
    }

    #[test]
    fn a_kubelet_of_another_node_fails() {
        let mut config = at(String::new());
        config.kubelet.endpoint = serve(|_| (200, r#"{"node":{"nodeName":"n2"},"pods":[]}"#));
        let line = &kubelet(&config)[0];
        assert!(line.found.contains("serves the node n2"), "{line:?}");
        config.agent.node_name = None;
        let line = &kubelet(&config)[0];
        assert_eq!(line.verdict, Verdict::Pass, "{line:?}");
        config.kubelet.endpoint = serve(|_| (403, "no"));
        let line = &kubelet(&config)[0];
        assert!(line.found.contains("403"), "{line:?}");
        config.agent.mode = Mode::Host;
        assert_eq!(kubelet(&config)[0].verdict, Verdict::Skip);
    }
}
