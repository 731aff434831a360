//! Tells each window to an aggregator that takes the published JSON by POST (`PUSH_ENDPOINT`). At
//! most once: what could not be told is counted and gone; the rows themselves go their own way.

use std::time::Duration;

use hyper::header::{CONTENT_TYPE, HeaderValue};
use protocol::{Closing, PodUsage, Row};
use serde::Serialize;
use tokio::sync::mpsc;

use crate::{
    health::Health,
    http::{self, Client, Endpoint, HttpError, Request},
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_secs(10);
const MOST_ANSWER_BYTES: usize = 64 * 1024;

/// Windows that may wait.
pub(super) const MOST_WAITING: usize = 4;

/// A window as it is published.
#[derive(Debug, Serialize)]
pub(super) struct Payload {
    timestamp: String,
    node_name: String,
    hostname: String,
    ec2_instance_id: Option<String>,
    pods: Vec<PodPayload>,
}

#[derive(Debug, Serialize)]
struct PodPayload {
    pod_id: String,
    namespace: String,
    name: String,
    cpu_usage_cores: f64,
    memory_usage_bytes: i64,
    net_tx_bytes: i64,
    net_rx_bytes: i64,
    pod_start_time: Option<String>,
}

/// The published form of a window: pods with a name, closing rows left out but for the first.
pub(super) fn payload(
    rows: &[Row],
    start_time: impl Fn(&str) -> Option<String>,
) -> Option<Payload> {
    let usages: Vec<&PodUsage> = rows.iter().filter_map(named).collect();
    let first = *usages.first()?;
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Some(Payload {
        timestamp: first.timestamp.to_string(),
        node_name: first.node_name.clone(),
        hostname: hostname.trim().to_owned(),
        ec2_instance_id: first.ec2_instance_id.clone(),
        pods: usages
            .into_iter()
            .map(|usage| PodPayload {
                pod_id: usage.pod_id.clone(),
                namespace: usage.namespace.clone().unwrap_or_default(),
                name: usage.pod_name.clone().unwrap_or_default(),
                cpu_usage_cores: usage.cpu_usage_cores.unwrap_or(0.0),
                memory_usage_bytes: usage.memory_usage_bytes.unwrap_or(0),
                net_tx_bytes: usage.net_tx_bytes.unwrap_or(0),
                net_rx_bytes: usage.net_rx_bytes.unwrap_or(0),
                pod_start_time: start_time(&usage.pod_id),
            })
            .collect(),
    })
}

fn named(row: &Row) -> Option<&PodUsage> {
    match row {
        Row::PodUsage(usage) if usage.pod_name.is_some() => {
            Some(usage).filter(|usage| !matches!(usage.closing, Some(Closing::Supplement)))
        }
        _ => None,
    }
}

/// A client of the aggregator at `url`.
pub(super) fn client(url: &str, debug: bool) -> Result<Client, HttpError> {
    Client::new(http::Settings {
        endpoint: Endpoint::parse(url)?,
        server_name: None,
        insecure: false,
        connect_timeout: CONNECT_TIMEOUT,
        total_timeout: TIMEOUT,
        most_body_bytes: MOST_ANSWER_BYTES,
        debug,
    })
}

/// Sends what comes, one window after the other.
pub(super) async fn push(mut client: Client, mut windows: mpsc::Receiver<Payload>, health: Health) {
    while let Some(payload) = windows.recv().await {
        let pods = payload.pods.len();
        let body = match serde_json::to_vec(&payload) {
            Ok(body) => body,
            Err(error) => {
                health.failed("json", error.to_string());
                continue;
            }
        };
        let path = client.endpoint().path.clone();
        let json = HeaderValue::from_static("application/json");
        match client
            .send(Request::post(&path, body).header(CONTENT_TYPE, json))
            .await
        {
            Ok(answer) if answer.status.is_success() => {
                health.works();
                log::debug!("Pushed {pods} pod metrics");
            }
            Ok(answer) => health.failed(
                "status",
                format!(
                    "the aggregator at PUSH_ENDPOINT answered {}: see its log for the reason",
                    answer.status
                ),
            ),
            Err(error) => health.failed(error.kind(), crate::error_chain(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::Timestamp;
    use serde_json::{Value, json};

    use super::*;
    use crate::http::testing::{Server, reply};

    fn window() -> Payload {
        let row = |name: Option<&str>, closing| {
            Row::PodUsage(PodUsage {
                timestamp: Timestamp { unix_us: 0 },
                node_name: "node-1".into(),
                ec2_instance_id: Some("i-1".into()),
                pod_id: "uid-1".into(),
                namespace: Some("default".into()),
                pod_name: name.map(str::to_owned),
                cpu_usage_cores: Some(0.5),
                memory_usage_bytes: Some(1024),
                net_tx_bytes: Some(7),
                closing,
                ..PodUsage::default()
            })
        };
        let rows = [
            row(None, None),
            row(Some("web"), None),
            row(Some("web"), Some(Closing::Supplement)),
        ];
        payload(&rows, |_| Some("2024-01-01T00:00:00Z".into())).unwrap()
    }

    #[tokio::test]
    async fn a_window_is_posted_in_the_published_form_and_refusals_are_counted() {
        let server =
            Server::http(|seen| reply(if seen.path == "/metrics" { 200 } else { 500 }, "")).await;
        let health = Health::new("push");
        for path in ["metrics", "other"] {
            let url = format!("http://{}/{path}", server.address);
            let (sender, receiver) = mpsc::channel(MOST_WAITING);
            sender.try_send(window()).unwrap();
            drop(sender);
            push(client(&url, false).unwrap(), receiver, health.clone()).await;
        }
        let seen = &server.seen()[0];
        assert_eq!(
            (seen.method.as_str(), seen.path.as_str()),
            ("POST", "/metrics")
        );
        let mut body: Value = serde_json::from_slice(&seen.body).unwrap();
        assert!(body["hostname"].take().is_string());
        let expected = json!({
            "timestamp": "1970-01-01T00:00:00.000000Z",
            "node_name": "node-1",
            "hostname": null,
            "ec2_instance_id": "i-1",
            "pods": [{
                "pod_id": "uid-1",
                "namespace": "default",
                "name": "web",
                "cpu_usage_cores": 0.5,
                "memory_usage_bytes": 1024,
                "net_tx_bytes": 7,
                "net_rx_bytes": 0,
                "pod_start_time": "2024-01-01T00:00:00Z",
            }],
        });
        assert_eq!(body, expected);
        let view = health.view();
        assert_eq!((view.successes, view.failures["status"]), (1, 1));
    }
}
