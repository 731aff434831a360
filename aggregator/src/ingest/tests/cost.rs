//! What a connection that waits for its next batch costs the aggregator. The clients live in a
//! process of their own, which is this test again.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use tokio::task::JoinSet;

use crate::{
    ingest::testing::{Client, Stage, client_config, h3_client, post},
    status::Way,
};

const CONNECTIONS: usize = 500;
/// Of these, 30 KiB are quinn's and rustls' own: 6.7 KiB the state of a connection, 6.5 KiB a queue of
/// events, 5 KiB keys.
const MOST_BYTES: usize = 42 << 10;
/// Tells the child where to connect to.
const ADDRESS: &str = "PODLEDGER_COST_ADDRESS";
const CA: &str = "PODLEDGER_COST_CA";
/// What the child says then.
const CONNECTED: &str = "all are connected";

/// Resident memory without what is mapped from files.
fn anonymous_bytes() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse::<usize>().unwrap() << 10
}

/// To standard output itself, which the parent reads.
fn say(line: &str) {
    writeln!(std::io::stdout(), "{line}").unwrap();
}

#[tokio::test]
#[ignore = "it measures; run it alone, built for release"]
async fn a_waiting_connection_is_small() {
    if let Ok(address) = std::env::var(ADDRESS) {
        return be_the_clients(&address).await;
    }
    let stage = Stage::new(|limits| {
        limits.connections_of_peer = 2 * CONNECTIONS;
        limits.unchecked_handshakes = 1_000;
    })
    .await;
    stage.fake.forgets.store(true, SeqCst);
    // What every process pays once.
    let mut first = stage.client(Way::Http3).await;
    first.send(post(vec![1; 16 << 10])).await.unwrap();
    let before = anonymous_bytes();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture"])
        .arg("ingest::tests::cost::a_waiting_connection_is_small")
        .env(ADDRESS, stage.address.to_string())
        .env(CA, stage.place.0.join("tls.crt"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // It goes on reading, so that the child can go on writing.
    let (ready, is_ready) = tokio::sync::oneshot::channel();
    let reading = tokio::task::spawn_blocking(move || {
        let found = lines
            .by_ref()
            .map_while(Result::ok)
            .any(|line| line.contains(CONNECTED));
        ready.send(found).unwrap();
        lines.count()
    });
    assert!(is_ready.await.unwrap());
    // Tasks and packets that are on their way come to rest.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let open = stage.metrics.connections.get(Way::Http3);
    let each = (anonymous_bytes() - before) / CONNECTIONS;
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    reading.await.unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(open, u64::try_from(CONNECTIONS + 1).unwrap());
    say(&format!(
        "{each} bytes for each of {CONNECTIONS} connections"
    ));
    assert!(each <= MOST_BYTES, "{each} bytes for each connection");
}

async fn be_the_clients(address: &str) {
    let ca = fs::read_to_string(std::env::var(CA).unwrap()).unwrap();
    let config = client_config(&ca, b"h3");
    let tls = quinn::crypto::rustls::QuicClientConfig::try_from(config).unwrap();
    let config = quinn::ClientConfig::new(Arc::new(tls));
    let mut endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    endpoint.set_default_client_config(config);
    let address = address.parse().unwrap();
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS / 50 {
        let mut connecting = JoinSet::new();
        for _ in 0..50 {
            let endpoint = endpoint.clone();
            connecting.spawn(async move {
                let quic = endpoint
                    .connect(address, "localhost")
                    .unwrap()
                    .await
                    .unwrap();
                let mut client = Client::Http3(h3_client(quic).await);
                // As much as a node of 110 pods sends.
                let answer = client.send(post(vec![1; 8 << 10])).await.unwrap();
                assert_eq!(answer.status(), 200);
                client
            });
        }
        clients.extend(connecting.join_all().await);
    }
    say(CONNECTED);
    let waiting = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
    waiting.await.unwrap().unwrap();
    drop(clients);
}
