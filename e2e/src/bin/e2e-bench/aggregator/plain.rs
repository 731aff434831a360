//! The same rows through an aggregator as older documents describe it: JSON by POST, Python, pyarrow.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};

use aggregator::generate::FakeAgent;
use anyhow::{Context as _, Result, ensure};
use protocol::{Kind, Row, Table, Timestamp};
use serde_json::{Value, json};

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
    let columns = directory.join("columns.json");
    std::fs::write(&columns, columns_of_all().to_string())?;
    let mut child = Command::new(python)
        .arg(script)
        .args([&tables, &columns])
        .stdout(Stdio::piped())
        .spawn()
        .context("starting the plain aggregator")?;
    let output = child.stdout.take().context("no output")?;
    let _server = Server(child);
    let mut port = String::new();
    BufReader::new(output).read_line(&mut port)?;
    let mut connection = TcpStream::connect(("127.0.0.1", port.trim().parse()?))?;
    // A twentieth of the nodes: nothing there depends on their number.
    for number in 0..args.nodes.div_ceil(20) {
        let body = payload(number, args)?;
        let (status, _) = exchange(&mut connection, "POST /metrics", &body)?;
        ensure!(status == 200, "the plain aggregator answers {status}");
    }
    let (_, answer) = exchange(&mut connection, "GET /cpu", b"")?;
    let answer: Value = serde_json::from_slice(&answer)?;
    let figure = |name: &str| answer[name].as_f64().with_context(|| format!("no {name}"));
    Ok(figure("pods")? / figure("cpu_seconds")?)
}

/// Table to column to kind.
fn columns_of_all() -> Value {
    let kind = |kind| match kind {
        Kind::Long => "long",
        Kind::Int => "int",
        Kind::Double => "double",
        Kind::Boolean => "boolean",
        Kind::Text => "text",
        Kind::Texts => "texts",
        Kind::Time | Kind::TimeText => "time",
    };
    let tables = Table::ALL.map(|table| {
        let columns = table.columns().iter();
        let columns = columns.map(|column| (column.name.to_owned(), kind(column.kind).into()));
        (table.name().to_owned(), Value::Object(columns.collect()))
    });
    Value::Object(tables.into_iter().collect())
}

/// A window of one node: the rows that its batch has.
fn payload(number: usize, args: &Args) -> Result<Vec<u8>> {
    let interval_us = i64::try_from(args.interval.as_micros())?;
    let mut agent = FakeAgent::new(number as u64, args.pods, interval_us);
    let now = Timestamp::from_system(std::time::SystemTime::now());
    let mut rows: BTreeMap<&str, Vec<Row>> = BTreeMap::new();
    for row in agent.rows(now) {
        rows.entry(row.table().name()).or_default().push(row);
    }
    let payload = json!({
        "timestamp": now.to_string(),
        "node_name": agent.name,
        "rows": rows,
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
