//! The same rows through an aggregator as older documents describe it: JSON by POST, Python, pyarrow.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use e2e::batches::FakeAgent;
use protocol::{Row, Timestamp};
use serde_json::json;

use super::Args;

/// Ended when dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if it has ended.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Rows a second and core.
pub(super) fn measure(args: &Args, python: &Path, script: &Path, directory: &Path) -> Result<f64> {
    let tables = directory.join("plain");
    std::fs::create_dir_all(&tables)?;
    let mut child = Command::new(python)
        .arg(script)
        .arg(&tables)
        .stdout(Stdio::piped())
        .spawn()
        .context("starting the plain aggregator")?;
    let output = child.stdout.take().context("no output")?;
    let _server = Server(child);
    let mut port = String::new();
    BufReader::new(output).read_line(&mut port)?;
    let mut connection = TcpStream::connect(("127.0.0.1", port.trim().parse()?))?;
    // A tenth of the nodes: nothing there depends on their number.
    for number in 0..args.nodes.div_ceil(10) {
        let body = payload(number, args)?;
        let (status, _) = exchange(&mut connection, "POST /metrics", &body)?;
        ensure!(status == 200, "the plain aggregator answers {status}");
    }
    let (_, answer) = exchange(&mut connection, "GET /cpu", b"")?;
    let answer: serde_json::Value = serde_json::from_slice(&answer)?;
    let figure = |name: &str| answer[name].as_f64().with_context(|| format!("no {name}"));
    Ok(figure("rows")? / figure("cpu_seconds")?)
}

fn payload(number: usize, args: &Args) -> Result<Vec<u8>> {
    let interval_us = i64::try_from(args.interval.as_micros())?;
    let mut agent = FakeAgent::new(number as u64, args.pods, interval_us);
    let now = Timestamp::from_system(std::time::SystemTime::now());
    let pods = agent.rows(now).into_iter().filter_map(|row| match row {
        Row::PodUsage(usage) => Some(json!({
            "pod_id": usage.pod_id,
            "namespace": usage.namespace,
            "name": usage.pod_name,
            "cpu_usage_cores": usage.cpu_usage_cores,
            "memory_usage_bytes": usage.memory_usage_bytes,
            "net_tx_bytes": usage.net_tx_bytes,
            "net_rx_bytes": usage.net_rx_bytes,
            "pod_start_time": "2026-01-01T00:00:00Z",
        })),
        _ => None,
    });
    let pods: Vec<_> = pods.collect();
    let payload = json!({
        "timestamp": now.to_string(),
        "node_name": agent.name,
        "hostname": agent.name,
        "ec2_instance_id": "i-0123456789abcdef0",
        "pods": pods,
    });
    Ok(serde_json::to_vec(&payload)?)
}

fn exchange(connection: &mut TcpStream, what: &str, body: &[u8]) -> Result<(u16, Vec<u8>)> {
    let head = format!(
        "{what} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    connection.write_all(head.as_bytes())?;
    connection.write_all(body)?;
    let mut answer = BufReader::new(connection);
    let (mut line, mut status, mut length) = (String::new(), 0, 0);
    loop {
        line.clear();
        answer.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(rest) = line.strip_prefix("http/1.1 ") {
            status = rest.split(' ').next().unwrap_or_default().parse()?;
        } else if let Some(rest) = line.strip_prefix("content-length:") {
            length = rest.trim().parse()?;
        } else if line.is_empty() {
            break;
        }
    }
    let mut content = vec![0; length];
    answer.read_exact(&mut content)?;
    Ok((status, content))
}
