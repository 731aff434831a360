//! The program as people run it.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use serde_json::Value;

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_podledger-agent"));
    command.args(arguments);
    command
}

fn agent(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Works with and without privileges: what can't be counted is told, the rows come all the same.
#[test]
fn json_output_is_one_row_a_line_and_ends_with_the_balance() {
    let output = agent(&[
        "run",
        "--host",
        "--ephemeral",
        "--output",
        "json",
        "--interval",
        "200ms",
        "--for",
        "500ms",
    ]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let rows: Vec<Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(rows.len() >= 2, "{rows:?}");
    assert_eq!(rows.last().unwrap()["table"], "reconcile");
    let known = BTreeSet::from(["pod_usage", "pod_network", "events", "reconcile"]);
    assert!(
        rows.iter()
            .all(|row| known.contains(row["table"].as_str().unwrap())),
        "{rows:?}"
    );
    let windows: Vec<_> = rows
        .iter()
        .filter(|row| row["table"] == "reconcile")
        .collect();
    for pair in windows.windows(2) {
        assert_eq!(
            pair[0]["window_end"], pair[1]["window_start"],
            "windows must meet"
        );
        assert_eq!(
            pair[0]["seq"].as_u64().unwrap() + 1,
            pair[1]["seq"].as_u64().unwrap()
        );
    }
}

#[test]
fn mistakes_are_told_with_the_way_out() {
    let output = agent(&["run", "--host", "--interval", "1ms"]);
    assert!(!output.status.success());
    assert!(
        text(&output.stderr).contains("from 100ms"),
        "{}",
        text(&output.stderr)
    );
    let output = agent(&["run", "--host", "--without", "disk"]);
    assert!(!output.status.success());
    assert!(
        text(&output.stderr).contains("network, cpu, oom"),
        "{}",
        text(&output.stderr)
    );
    let output = command(&["run"])
        .env("SCRAPE_INTERVAL", "often")
        .env("JITTER_PERCENT", "900")
        .env("EC2_METADATA_TOKEN_TTL", "0")
        .output()
        .unwrap();
    assert!(!output.status.success());
    for variable in [
        "SCRAPE_INTERVAL",
        "JITTER_PERCENT",
        "EC2_METADATA_TOKEN_TTL",
    ] {
        assert!(
            text(&output.stderr).contains(variable),
            "{variable}: {}",
            text(&output.stderr)
        );
    }
}

/// A node where nobody answers: its own row comes all the same, and what is missing is said.
#[test]
fn a_node_without_a_kubelet_has_rows() {
    let output = command(&[
        "run",
        "--ephemeral",
        "--interval",
        "200ms",
        "--for",
        "700ms",
    ])
    .env("KUBELET_ENDPOINT", "https://127.0.0.1:1/stats/summary")
    .env("ENABLE_EC2_INSTANCE_ID", "false")
    .env("PODLEDGER_STATUS_LISTEN", "off")
    .env("MAX_CONSECUTIVE_FAILURES", "0")
    .env("NODE_NAME", "a-node")
    .output()
    .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let node = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|row| row["table"] == "node_usage");
    assert_eq!(node.unwrap()["node_name"], "a-node");
    assert!(
        text(&output.stderr).contains("kubelet"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn uninstalling_nothing_says_so() {
    let nowhere: PathBuf =
        std::env::temp_dir().join(format!("podledger-none-{}", std::process::id()));
    let nowhere = nowhere.to_str().unwrap();
    let output = agent(&["uninstall", "--pins", nowhere, "--state", nowhere]);
    assert!(output.status.success());
    assert!(text(&output.stderr).contains("nothing was installed"));
    assert!(
        fs::metadata(nowhere).is_err(),
        "it made what it should have removed"
    );
}
