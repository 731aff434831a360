//! An API server that answers by script, each kind its own.

use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    io,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{Request, Response};
use http_body_util::{BodyExt as _, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::{config::Cluster, enrich::Kind, ingest::testing::Place};

/// How an answer goes on after its text.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Then {
    End,
    Cut,
    Silence,
    /// No answer at all.
    Hang,
}

#[derive(Clone)]
pub(super) struct Step {
    pub(super) status: u16,
    pub(super) retry_after: Option<u64>,
    /// Sent piece by piece.
    pub(super) pieces: Vec<Bytes>,
    pub(super) then: Then,
}

pub(super) fn answer(status: u16, text: impl Into<String>, then: Then) -> Step {
    Step {
        status,
        retry_after: None,
        pieces: vec![Bytes::from(text.into())],
        then,
    }
}

pub(super) fn ok(text: impl Into<String>) -> Step {
    answer(200, text, Then::End)
}

/// A watch that stays open.
pub(super) fn open(text: impl Into<String>) -> Step {
    answer(200, text, Then::Silence)
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) path: String,
    pub(super) accept: String,
    pub(super) token: String,
    /// Its number.
    pub(super) connection: usize,
}

#[derive(Default)]
struct Shared {
    steps: Mutex<BTreeMap<Kind, VecDeque<Step>>>,
    asked: Mutex<Vec<Asked>>,
}

impl Shared {
    fn next(&self, kind: Kind) -> Step {
        let mut steps = self.steps.lock().unwrap();
        let step = steps.get_mut(&kind).and_then(VecDeque::pop_front);
        step.unwrap_or_else(|| open(""))
    }
}

pub(super) struct Script {
    pub(super) place: Place,
    port: u16,
    shared: Arc<Shared>,
    _serving: JoinSet<()>,
}

impl Script {
    pub(super) async fn start() -> Self {
        let place = Place::new();
        place.certificate();
        place.write("token", "pod-token\n");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (shared, acceptor) = (Arc::<Shared>::default(), acceptor(&place));
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, acceptor, Arc::clone(&shared)));
        Self {
            place,
            port,
            shared,
            _serving: serving,
        }
    }

    pub(super) fn cluster(&self) -> Cluster {
        Cluster {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            token: self.place.0.join("token"),
            ca: self.place.0.join("tls.crt"),
        }
    }

    /// What is answered next; after that, open and silent watches.
    pub(super) fn say(&self, kind: Kind, steps: impl IntoIterator<Item = Step>) {
        let mut all = self.shared.steps.lock().unwrap();
        all.entry(kind).or_default().extend(steps);
    }

    pub(super) fn asked(&self, kind: Kind) -> Vec<Asked> {
        let asked = self.shared.asked.lock().unwrap();
        let of_kind = asked.iter().filter(|asked| kind_of(&asked.path) == kind);
        of_kind.cloned().collect()
    }
}

fn kind_of(path: &str) -> Kind {
    let resource = path.split('?').next().unwrap();
    let is_it = |kind: &Kind| kind.path().split('?').next() == Some(resource);
    Kind::ALL.into_iter().find(is_it).unwrap()
}

fn acceptor(place: &Place) -> TlsAcceptor {
    let read = |name: &str| std::fs::read(place.0.join(name)).unwrap();
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

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    for number in 0.. {
        let (stream, _) = listener.accept().await.unwrap();
        let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
        connections.spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let service = service_fn(|request| tell(&shared, number, request));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // Clients of tests may go at any time.
            drop(connection.await);
        });
    }
}

type Body = UnsyncBoxBody<Bytes, io::Error>;

async fn tell(
    shared: &Shared,
    connection: usize,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let header = |name| request.headers()[name].to_str().unwrap().to_owned();
    let asked = Asked {
        path: request.uri().to_string(),
        accept: header("accept"),
        token: header("authorization"),
        connection,
    };
    let kind = kind_of(&asked.path);
    shared.asked.lock().unwrap().push(asked);
    let step = shared.next(kind);
    if step.then == Then::Hang {
        std::future::pending::<()>().await;
    }
    let begin = stream::iter(step.pieces).map(|piece| Ok(Frame::data(piece)));
    let body = match step.then {
        Then::Cut => {
            // In a turn of its own, so that what comes before it is on its way.
            let cut = stream::once(async {
                tokio::task::yield_now().await;
                Err(io::Error::other("cut"))
            });
            StreamBody::new(begin.chain(cut)).boxed_unsync()
        }
        Then::Silence => StreamBody::new(begin.chain(stream::pending())).boxed_unsync(),
        Then::End | Then::Hang => StreamBody::new(begin).boxed_unsync(),
    };
    let mut answer = Response::builder().status(step.status);
    if let Some(seconds) = step.retry_after {
        answer = answer.header("retry-after", seconds);
    }
    Ok(answer.body(body).unwrap())
}
