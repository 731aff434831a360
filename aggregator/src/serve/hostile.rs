//! What is wrong with a request, on a real socket, before real tables: refused with a reason that names the
//! field, counted, and nothing of it stored.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::SystemTime};

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use protocol::{
    Epoch, Header, Message, NodeUsage, PodUsage, Reconcile, RefusalKind, Row, Timestamp,
    encode_message, encode_rows,
};
use rustls::pki_types::ServerName;
use tokio::{net::TcpStream, sync::oneshot};
use tokio_rustls::TlsConnector;

use crate::{
    behind,
    cli::Serve,
    config::Config,
    enrich::watch::Watches,
    ingest::{
        stop,
        testing::{Place, client_config, post, refusal},
    },
    serve::{Addresses, serve},
    service::Ready,
};

const NODE: &str = "node-a";

fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}

fn header() -> Header {
    Header {
        cluster: "production".to_owned(),
        node: NODE.to_owned(),
        boot_id: "boot".to_owned(),
        epoch: Epoch([7; 16]),
        seq: 1,
        previous: None,
        window_start: now().plus_us(-30_000_000),
        window_end: now(),
    }
}

fn usage() -> PodUsage {
    PodUsage {
        pod_id: "pod".to_owned(),
        cpu_usage_cores: Some(0.25),
        timestamp: now(),
        window_start: now().plus_us(-30_000_000),
        window_end: now(),
        ..PodUsage::default()
    }
}

fn of_the_node() -> Row {
    Row::NodeUsage(NodeUsage {
        timestamp: now(),
        window_start: now().plus_us(-30_000_000),
        window_end: now(),
        ..NodeUsage::default()
    })
}

/// A row of a pod, so many of its node, and the one that counts them.
fn rows_and(usage: PodUsage, of_node: usize) -> Vec<Row> {
    let mut rows = vec![Row::PodUsage(usage)];
    rows.extend((0..of_node).map(|_| of_the_node()));
    rows.push(Row::Reconcile(Reconcile {
        timestamp: now(),
        window_start: now().plus_us(-30_000_000),
        window_end: now(),
        rows_pod_usage: 1,
        rows_node_usage: of_node as i64,
        ..Reconcile::default()
    }));
    rows
}

fn rows(usage: PodUsage) -> Vec<Row> {
    rows_and(usage, 0)
}

fn body(batches: Vec<Bytes>) -> Bytes {
    let message = Message {
        node: NODE.to_owned(),
        batches,
        asks: Vec::new(),
    };
    encode_message(&message).into()
}

fn one(header: &Header, rows: &[Row]) -> Bytes {
    body(vec![encode_rows(header, rows).into()])
}

/// A good batch with other bytes in the place of some of its content.
fn spoilt(find: &[u8], replace: &[u8]) -> Bytes {
    let frame = encode_rows(&header(), &rows(usage()));
    let mut content = zstd::decode_all(frame.as_slice()).unwrap();
    let at = content.windows(find.len()).position(|part| part == find);
    let at = at.unwrap();
    content[at..at + find.len()].copy_from_slice(replace);
    body(vec![packed(&content)])
}

fn packed(content: &[u8]) -> Bytes {
    zstd::bulk::compress(content, 1).unwrap().into()
}

fn year(year: i64) -> Header {
    let window_end = Timestamp {
        unix_us: (year - 1970) * 31_556_952_000_000,
    };
    Header {
        window_start: window_end.plus_us(-1),
        window_end,
        ..header()
    }
}

/// What is wrong, the request, and what must come back: status and kind, and a part of the reason.
type Case = (&'static str, Bytes, (u16, RefusalKind), &'static str);

const BAD: (u16, RefusalKind) = (422, RefusalKind::BadBatch);
const BAD_TIME: (u16, RefusalKind) = (422, RefusalKind::BadTime);
const FORBIDDEN: (u16, RefusalKind) = (403, RefusalKind::Forbidden);
const MALFORMED: (u16, RefusalKind) = (400, RefusalKind::Malformed);
const TOO_LARGE: (u16, RefusalKind) = (413, RefusalKind::TooLarge);
const UNKNOWN_EPOCH: (u16, RefusalKind) = (409, RefusalKind::UnknownEpoch);
const UNKNOWN_VERSION: (u16, RefusalKind) = (400, RefusalKind::UnknownVersion);

fn bad_messages() -> Vec<Case> {
    let empty = |node: &str| {
        let node = node.to_owned();
        encode_message(&Message {
            node,
            ..Message::default()
        })
    };
    let mut next_version = empty(NODE);
    assert_eq!(next_version[..2], [8, 1]);
    next_version[1] = 2;
    let (next, other) = (next_version.into(), empty("node-b").into());
    let (text, batch) = (
        Bytes::from_static(b"{\"pods\": []}"),
        Bytes::from_static(b"rows"),
    );
    let bomb = packed(&vec![0; 256 << 20]);
    vec![
        ("no protobuf", text, MALFORMED, "message"),
        ("nothing", Bytes::new(), MALFORMED, "message"),
        ("no zstd", body(vec![batch]), BAD, "batch"),
        ("a zip bomb", body(vec![bomb]), BAD, "batch"),
        ("9 MiB", vec![0; 9 << 20].into(), TOO_LARGE, "body"),
        ("another node's message", other, FORBIDDEN, "node"),
        ("the next version", next, UNKNOWN_VERSION, "version 2"),
    ]
}

fn bad_batches() -> Vec<Case> {
    let with = |change: &dyn Fn(&mut Header)| {
        let mut header = header();
        change(&mut header);
        one(&header, &rows(usage()))
    };
    let not_a_number = PodUsage {
        cpu_usage_cores: Some(f64::NAN),
        ..usage()
    };
    let nan = one(&header(), &rows(not_a_number));
    let million = one(&header(), &rows_and(usage(), 1_000_000));
    let first = with(&|header| header.seq = 0);
    let ahead = with(&|header| header.seq = 5);
    let other = with(&|header| "node-b".clone_into(&mut header.node));
    let next = spoilt(&[8, 1, 18], &[8, 2, 18]);
    let old = one(&year(1970), &rows(usage()));
    let future = one(&year(2100), &rows(usage()));
    let text = spoilt(b"production", b"produ\xfftion");
    vec![
        ("seq 0", first, BAD, "header.seq"),
        ("not its first", ahead, UNKNOWN_EPOCH, "header.epoch"),
        ("another node's batch", other, FORBIDDEN, "header.node"),
        ("the next version", next, UNKNOWN_VERSION, "version 2"),
        ("a million rows", million, BAD, "rows"),
        ("NaN", nan, BAD, "pod_usage.cpu_usage_cores"),
        ("1970", old, BAD, "header.window"),
        ("2100", future, BAD_TIME, "header.window"),
        ("invalid UTF-8", text, BAD, "header.cluster"),
    ]
}

struct Client {
    sender: SendRequest<Full<Bytes>>,
    status: SocketAddr,
}

impl Client {
    async fn new(ca: &str, addresses: Addresses) -> Self {
        let config = client_config(ca, b"http/1.1");
        let stream = TcpStream::connect(addresses.agents).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .unwrap();
        let client = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (sender, driver) = client.unwrap();
        tokio::spawn(driver);
        Self {
            sender,
            status: addresses.status.unwrap(),
        }
    }

    async fn send(&mut self, body: Bytes) -> http::Response<Bytes> {
        let mut request = post(body);
        let token = "Bearer secret".try_into().unwrap();
        request.headers_mut().insert(header::AUTHORIZATION, token);
        self.sender.ready().await.unwrap();
        let answer = self
            .sender
            .send_request(request.map(Full::new))
            .await
            .unwrap();
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        http::Response::from_parts(parts, body)
    }

    /// Figures above 0, without those that only pass by.
    async fn figures(&self) -> BTreeMap<String, f64> {
        let stream = TcpStream::connect(self.status).await.unwrap();
        let client = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, driver) = client.unwrap();
        tokio::spawn(driver);
        let request = Request::get("/metrics").header(header::HOST, "x");
        let request = request.body(Full::<Bytes>::default()).unwrap();
        let body = sender.send_request(request).await.unwrap().into_body();
        let page = body.collect().await.unwrap().to_bytes();
        let page = String::from_utf8(page.to_vec()).unwrap();
        let lines = page.lines().filter(|line| !line.starts_with('#'));
        let lines = lines.filter_map(|line| line.rsplit_once(' '));
        lines
            .map(|(name, figure)| (name.to_owned(), figure.parse().unwrap()))
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_is_refused_by_name_and_nothing_is_stored() {
    let place = Place::new();
    let ca = place.certificate();
    let files = place.files();
    let tokens = place.write("tokens", format!("secret {NODE}\n"));
    let tables = place.0.join("tables");
    let options = Serve {
        store: Some(format!("file://{}", tables.display())),
        listen: Some("127.0.0.1:0".to_owned()),
        status_listen: Some("127.0.0.1:0".to_owned()),
        tls_cert: Some(files.certificate.display().to_string()),
        tls_key: Some(files.key.display().to_string()),
        auth: Some("token-file".to_owned()),
        auth_tokens: Some(tokens.display().to_string()),
        ..Serve::default()
    };
    let config = Config::new(&options, |_| None).unwrap();
    let (tell, told) = oneshot::channel();
    let (stopper, stopped) = stop();
    let running = tokio::spawn(async move {
        let watches = Arc::new(Watches::off());
        let start = behind::start(&config, None, [], Ready::default());
        serve(&config, watches, start, stopped, |addresses| {
            tell.send(addresses).unwrap();
        })
        .await
    });
    // Made before the connection, which is not kept for long without a request.
    let cases: Vec<Case> = bad_messages().into_iter().chain(bad_batches()).collect();
    let mut client = Client::new(&ca, told.await.unwrap()).await;

    let mut counted: BTreeMap<String, u64> = BTreeMap::new();
    for (what, body, (status, kind), reason) in cases {
        let came = refusal(&Ok(client.send(body).await));
        assert_eq!((came.0, came.1), (status, kind), "{what}: {came:?}");
        assert!(came.2.contains(reason), "{what}: {came:?}");
        let label = serde_json::to_value(kind).unwrap();
        let label = label.as_str().unwrap().replace('-', "_");
        *counted.entry(label).or_default() += 1;
    }
    let figures = client.figures().await;
    for (reason, count) in counted {
        let name = format!("podledger_aggregator_refused_total{{reason=\"{reason}\"}}");
        assert_eq!(
            figures.get(&name),
            Some(&(count as f64)),
            "{name}: {figures:#?}"
        );
    }
    assert_eq!(figures["podledger_aggregator_held_batches"], 0.0);

    let good = one(&header(), &rows(usage()));
    for _ in 0..2 {
        let answer = client.send(good.clone()).await;
        assert_eq!(answer.status(), 200, "{answer:?}");
    }
    let second = Header { seq: 2, ..header() };
    let second_rows = rows_and(usage(), 1);
    assert_eq!(client.send(one(&second, &second_rows)).await.status(), 200);
    // Its seq has gone back: an answer, and nothing more.
    assert_eq!(client.send(good).await.status(), 200);
    drop(client);
    stopper.stop();
    running.await.unwrap().unwrap();
    assert_eq!(
        committed(&tables),
        [("node_usage", 1), ("pod_usage", 2), ("reconcile", 2)].into()
    );
}

/// Rows by table, as the statistics in the logs tell.
fn committed(tables: &std::path::Path) -> BTreeMap<&'static str, u64> {
    let mut rows = BTreeMap::new();
    for table in protocol::Table::ALL {
        let log = tables.join(table.name()).join("_delta_log");
        for entry in std::fs::read_dir(log).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(path).unwrap_or_default();
            for line in text.lines() {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                if let Some(stats) = line["add"]["stats"].as_str() {
                    let stats: serde_json::Value = serde_json::from_str(stats).unwrap();
                    *rows.entry(table.name()).or_default() += stats["numRecords"].as_u64().unwrap();
                }
            }
        }
    }
    rows
}
