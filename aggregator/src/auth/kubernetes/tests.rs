//! With an API server that answers what real ones answered.

use std::{
    convert::Infallible,
    net::Ipv4Addr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use protocol::RefusalKind;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::{auth::Authenticator, config::Cluster, ingest::testing::Place};

const OK: &str = include_str!("../testdata/tokenreview-ok.json");
const BAD: &str = include_str!("../testdata/tokenreview-bad.json");
/// {"exp":99999999999}
const LONG: &str = "e30.eyJleHAiOjk5OTk5OTk5OTk5fQ.";
/// {"exp":1000}
const OVER: &str = "e30.eyJleHAiOjEwMDB9.x";

struct Server {
    place: Place,
    port: u16,
    answer: Mutex<(u16, String)>,
    asked: AtomicUsize,
    connections: AtomicUsize,
    last: Mutex<(String, String)>,
    closes: std::sync::atomic::AtomicBool,
}

impl Server {
    async fn start() -> Arc<Self> {
        let place = Place::new();
        place.certificate();
        place.write("token", "pod-token\n");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let server = Arc::new(Self {
            port: listener.local_addr().unwrap().port(),
            place,
            answer: Mutex::new((201, OK.to_owned())),
            asked: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            last: Mutex::default(),
            closes: false.into(),
        });
        let acceptor = server.acceptor();
        tokio::spawn(Arc::clone(&server).serve(listener, acceptor));
        server
    }

    fn acceptor(&self) -> TlsAcceptor {
        let read = |name: &str| std::fs::read(self.place.0.join(name)).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(&read("tls.crt")).unwrap()],
                PrivateKeyDer::from_pem_slice(&read("tls.key")).unwrap(),
            );
        TlsAcceptor::from(Arc::new(config.unwrap()))
    }

    async fn serve(self: Arc<Self>, listener: TcpListener, acceptor: TlsAcceptor) {
        while let Ok((stream, _)) = listener.accept().await {
            self.connections.fetch_add(1, SeqCst);
            let (server, acceptor) = (Arc::clone(&self), acceptor.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let service = service_fn(|request| server.answer(request));
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                drop(connection.await);
            });
        }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        self.asked.fetch_add(1, SeqCst);
        assert_eq!(request.uri().path(), review::PATH);
        let bearer = request.headers()[header::AUTHORIZATION]
            .to_str()
            .unwrap()
            .to_owned();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        *self.last.lock().unwrap() = (bearer, body);
        let (status, text) = self.answer.lock().unwrap().clone();
        let mut response = Response::builder().status(status);
        if self.closes.load(SeqCst) {
            response = response.header(header::CONNECTION, "close");
        }
        Ok(response.body(Full::new(text.into())).unwrap())
    }

    fn say(&self, status: u16, text: &str) {
        *self.answer.lock().unwrap() = (status, text.to_owned());
    }

    fn asked(&self) -> usize {
        self.asked.load(SeqCst)
    }

    fn client(&self) -> (Authenticator, Arc<Metrics>) {
        let metrics = Arc::new(Metrics::default());
        let cluster = Cluster {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            token: self.place.0.join("token"),
            ca: self.place.0.join("tls.crt"),
        };
        let reviews = Reviews {
            cluster,
            audience: "podledger".to_owned(),
            user: None,
        };
        let kubernetes = Kubernetes::new(reviews, Arc::clone(&metrics));
        (Authenticator::Kubernetes(Box::new(kubernetes)), metrics)
    }
}

async fn who(auth: &Authenticator, token: &str) -> Result<Who, Refused> {
    let mut headers = http::HeaderMap::new();
    headers.insert(
        header::AUTHORIZATION,
        format!("Bearer {token}").parse().unwrap(),
    );
    auth.who(&headers).await
}

#[tokio::test]
async fn a_good_token_is_asked_for_once() {
    let server = Server::start().await;
    let (auth, metrics) = server.client();
    let token = format!("{LONG}x");
    for _ in 0..3 {
        assert_eq!(who(&auth, &token).await.unwrap().node(), Some("node-1"));
    }
    assert_eq!(server.asked(), 1);
    let (bearer, body) = server.last.lock().unwrap().clone();
    assert_eq!(bearer, "Bearer pod-token");
    assert!(body.contains(&token) && body.contains("podledger"));
    assert_eq!(metrics.verdicts.get(Verdict::Good), 1);
    assert_eq!(metrics.verdicts.get(Verdict::KnownGood), 2);
    who(&auth, &format!("{LONG}y")).await.unwrap();
    assert_eq!((server.asked(), server.connections.load(SeqCst)), (2, 1));
}

#[tokio::test]
async fn a_bad_token_is_refused_and_remembered() {
    let server = Server::start().await;
    server.say(201, BAD);
    let (auth, metrics) = server.client();
    for _ in 0..2 {
        let refused = who(&auth, &format!("{LONG}x")).await.unwrap_err();
        assert_eq!(refused.refusal.kind, RefusalKind::Unauthorized);
    }
    assert_eq!(server.asked(), 1);
    assert_eq!(metrics.verdicts.get(Verdict::KnownBad), 1);
}

#[tokio::test]
async fn what_can_t_be_good_costs_no_question() {
    let server = Server::start().await;
    let (auth, _) = server.client();
    for token in ["secret", OVER, "a.b.c"] {
        let refused = who(&auth, token).await.unwrap_err();
        assert_eq!(refused.refusal.kind, RefusalKind::Unauthorized);
        assert!(!refused.refusal.reason.contains(token));
    }
    assert_eq!(server.asked(), 0);
}

#[tokio::test]
async fn a_failing_api_server_is_no_refusal() {
    let server = Server::start().await;
    let (auth, metrics) = server.client();
    let token = format!("{LONG}x");
    for (status, text) in [
        (500, "{}"),
        (429, ""),
        (403, "{}"),
        (401, ""),
        (201, "no JSON"),
    ] {
        server.say(status, text);
        let refused = who(&auth, &token).await.unwrap_err();
        assert_eq!(refused.refusal.kind, RefusalKind::Busy, "{status}");
        assert_eq!(refused.reason, Reason::NoVerdict);
    }
    server.say(201, OK);
    assert_eq!(who(&auth, &token).await.unwrap().node(), Some("node-1"));
    assert_eq!(server.asked(), 6);
    assert_eq!(metrics.verdicts.get(Verdict::None), 5);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_no_refusal() {
    let server = Server::start().await;
    let (auth, _) = server.client();
    // Another CA than the server's.
    let real = std::fs::read(server.place.0.join("tls.crt")).unwrap();
    server.place.certificate();
    let refused = who(&auth, &format!("{LONG}x")).await.unwrap_err();
    assert_eq!(refused.refusal.kind, RefusalKind::Busy);
    assert_eq!(server.asked(), 0, "nobody else gets a token");
    server.place.write("tls.crt", real);
    assert!(
        who(&auth, &format!("{LONG}x")).await.is_ok(),
        "the CA is read anew"
    );
}

#[tokio::test]
async fn own_tokens_rotate_and_connections_end() {
    let server = Server::start().await;
    server.closes.store(true, SeqCst);
    let (auth, _) = server.client();
    for number in 0..3 {
        server.place.write("token", format!("pod-token-{number}"));
        who(&auth, &format!("{LONG}{number}")).await.unwrap();
        let bearer = server.last.lock().unwrap().0.clone();
        assert_eq!(bearer, format!("Bearer pod-token-{number}"));
    }
    assert_eq!(server.connections.load(SeqCst), 3);
}

#[tokio::test]
async fn many_tokens_at_once_share_few_connections() {
    let server = Server::start().await;
    let (auth, _) = server.client();
    let auth = Arc::new(auth);
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..200 {
        let auth = Arc::clone(&auth);
        // Each comes twice.
        let token = format!("{LONG}{}", number / 2);
        asking.spawn(async move { who(&auth, &token).await.unwrap() });
    }
    assert_eq!(asking.join_all().await.len(), 200);
    assert_eq!(server.asked(), 100);
    assert!(server.connections.load(SeqCst) <= 16);
}
