//! The server over real sockets.

use std::{cell::RefCell, future::Future, net::SocketAddr, rc::Rc, time::Duration};

use protocol::Row;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::LocalSet,
};

use super::{
    MAX_CONNECTIONS, MAX_PODS, StatusBoard,
    server::{PATIENCE, Patience, serve_with},
    testing,
};
use crate::{health::Health, kernel::Sources};

/// What a header may take where that matters.
const HEADER: Duration = Duration::from_millis(300);
const IMPATIENT: Patience = Patience {
    header: HEADER,
    life: Duration::from_secs(2),
    grace: HEADER,
};

type Board = Rc<RefCell<StatusBoard>>;

/// Runs `test` beside a server.
async fn beside<F: Future<Output = ()>>(
    board: StatusBoard,
    patience: Patience,
    test: impl FnOnce(SocketAddr, Board) -> F,
) {
    let board = Rc::new(RefCell::new(board));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let local = LocalSet::new();
    let server = local.spawn_local(serve_with(listener, Rc::clone(&board), patience));
    local.run_until(test(address, board)).await;
    server.abort();
}

/// One exchange on a connection of its own: everything the server sent.
async fn ask(address: SocketAddr, method: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// A connection that has had one answer and is kept.
async fn keep(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\nok\n") {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
    }
    stream
}

/// Whether the server ends a connection without another word.
async fn is_closed(mut stream: TcpStream) -> bool {
    // A reset is an end, too.
    let read = stream.read_to_end(&mut Vec::new()).await;
    read.is_err() || read.is_ok_and(|bytes| bytes == 0)
}

#[tokio::test]
async fn each_path_has_its_answer() {
    beside(testing::filled(), PATIENCE, async |address, _| {
        let answer = ask(address, "GET", "/healthz").await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nok\n"));
        let answer = ask(address, "GET", "/metrics?x=1").await;
        assert!(answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"));
        assert!(answer.contains("\npodledger_agent_windows_total 2\n"));
        let answer = ask(address, "GET", "/").await;
        assert!(answer.starts_with("HTTP/1.1 404 ") && answer.contains("/metrics"));
        let answer = ask(address, "POST", "/metrics").await;
        assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("allow: GET, HEAD\r\n"));
        let answer = ask(address, "HEAD", "/metrics").await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\n"));
        assert!(answer.contains("content-length: "));
        let long = "x".repeat(20_000);
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET /{long} HTTP/1.1\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut start = [0; 12];
        stream.read_exact(&mut start).await.unwrap();
        assert!([&b"HTTP/1.1 431"[..], b"HTTP/1.1 414"].contains(&&start[..]));
    })
    .await;
}

#[tokio::test]
async fn readiness_names_each_source() {
    let mut board = StatusBoard::default();
    let (kubelet, imds) = (Health::new("kubelet"), Health::new("imds"));
    imds.failed("refused", "not on EC2".to_owned());
    let healths = vec![kubelet.clone(), imds];
    board.began(
        Duration::from_secs(10),
        &Sources::none("needs root"),
        healths,
    );
    beside(board, PATIENCE, async |address, board| {
        let ready = async || {
            let answer = ask(address, "GET", "/ready").await;
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            let json: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!(json["ready"], head.starts_with("HTTP/1.1 200 "));
            json
        };
        assert_eq!(ready().await["ready"], false, "no window yet");
        board.borrow_mut().closed(&[], Duration::ZERO);
        let json = ready().await;
        assert_eq!(
            json["ready"], true,
            "imds and the kernel are not needed: {json}"
        );
        let sources = json["sources"].as_array().unwrap();
        assert_eq!(sources.len(), 6);
        let (cpu, imds) = (&sources[1], &sources[5]);
        assert_eq!(
            (&cpu["name"], &cpu["state"]),
            (&"kernel_cpu".into(), &"absent".into())
        );
        assert_eq!(cpu["message"], "needs root");
        assert!(cpu["since"].as_str().unwrap().ends_with('Z'));
        assert_eq!(
            (&imds["name"], &imds["state"]),
            (&"imds".into(), &"failing".into())
        );
        kubelet.failed("timeout", "no answer in 5 s".to_owned());
        let json = ready().await;
        assert_eq!(json["ready"], false);
        assert_eq!(json["sources"][4]["message"], "no answer in 5 s");
        kubelet.works();
        assert_eq!(ready().await["ready"], true);
        kubelet.off("switched off");
        assert_eq!(ready().await["ready"], true);
    })
    .await;
}

#[tokio::test]
async fn a_silent_loop_is_not_healthy() {
    let mut board = StatusBoard::default();
    board.began(Duration::from_secs(10), &Sources::none(""), Vec::new());
    let beat = board.last_beat;
    assert_eq!(board.hangs(beat + Duration::from_secs(29)), None);
    let late = Duration::from_secs(30);
    assert_eq!(board.hangs(beat + late), Some(late));
    board.last_beat = beat.checked_sub(late).unwrap();
    beside(board, PATIENCE, async |address, board| {
        let answer = ask(address, "GET", "/healthz").await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains("silent for 3"), "{answer}");
        board.borrow_mut().beat();
        assert!(ask(address, "GET", "/healthz").await.contains(" 200 "));
    })
    .await;
}

#[test]
fn short_intervals_leave_ten_seconds() {
    let mut board = StatusBoard::default();
    board.began(Duration::from_secs(1), &Sources::none(""), Vec::new());
    let beat = board.last_beat;
    assert_eq!(board.hangs(beat + Duration::from_millis(9_999)), None);
    assert!(board.hangs(beat + Duration::from_secs(10)).is_some());
}

#[tokio::test]
async fn slow_and_idle_clients_are_closed() {
    beside(StatusBoard::default(), IMPATIENT, async |address, _| {
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET /healthz HTTP/1.1\r\nho")
            .await
            .unwrap();
        assert!(is_closed(slow).await, "a header has its time");
        assert!(is_closed(keep(address).await).await, "and so has idleness");
    })
    .await;
}

/// Each byte in time, but the header as a whole is not.
#[tokio::test]
async fn a_trickled_header_is_no_excuse() {
    beside(StatusBoard::default(), IMPATIENT, async |address, _| {
        let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
        let trickle = async {
            writer.write_all(b"GET /healthz HTTP/1.1\r\n").await?;
            loop {
                writer.write_all(b"a: b\r\n").await?;
                tokio::time::sleep(HEADER / 10).await;
            }
        };
        let mut answer = Vec::new();
        tokio::select! {
            read = reader.read_to_end(&mut answer) => drop(read),
            end = trickle => drop::<std::io::Result<()>>(end),
        }
        assert_eq!(answer, b"");
    })
    .await;
}

/// It asks and asks, but takes no answer: without an end it would hold a place for ever.
#[tokio::test]
async fn a_client_that_never_reads_is_closed() {
    let mut board = StatusBoard::with_pods();
    let rows: Vec<_> = (0..MAX_PODS)
        .map(|number| Row::PodUsage(testing::pod(&format!("{number:036}"))))
        .collect();
    board.closed(&rows, Duration::ZERO);
    beside(board, IMPATIENT, async |address, _| {
        let mut deaf = TcpStream::connect(address).await.unwrap();
        let flood = async {
            while deaf
                .write_all(b"GET /metrics HTTP/1.1\r\n\r\n")
                .await
                .is_ok()
            {
                tokio::time::sleep(HEADER / 30).await;
            }
        };
        let closed = tokio::time::timeout(Duration::from_secs(60), flood).await;
        assert!(closed.is_ok());
    })
    .await;
}

#[tokio::test]
async fn one_connection_too_many_is_closed_at_once() {
    beside(StatusBoard::default(), PATIENCE, async |address, _| {
        let mut kept = Vec::new();
        for _ in 0..MAX_CONNECTIONS {
            kept.push(keep(address).await);
        }
        assert!(is_closed(TcpStream::connect(address).await.unwrap()).await);
        let mut last = kept.pop().unwrap();
        let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        last.write_all(request).await.unwrap();
        last.read_to_end(&mut Vec::new()).await.unwrap();
        kept.push(keep(address).await);
        assert_eq!(kept.len(), MAX_CONNECTIONS, "its place is free again");
    })
    .await;
}
