//! Requests in, answers out: faults first, then one request of a key at a time, then the library.

use std::convert::Infallible;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, IF_NONE_MATCH};
use hyper::{Method, Request, Response, StatusCode, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpResponse};
use s3s_fs::FileSystem;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, RwLock, watch};

use super::faults::{Fault, Faults, Rules};
use super::{ACCESS_KEY, SECRET_KEY};

/// Of a request: parts of an upload are 16 MiB at most.
const BODY_BYTES: usize = 256 << 20;
/// Where faults are read and set.
const CONTROL: &str = "/_faults";
/// Keys share so many locks.
const LOCKS: usize = 64;

pub(super) struct Server {
    service: S3Service,
    faults: Faults,
    /// The library looks for the object, and puts it some steps later: two conditional puts of one
    /// key at once would both succeed.
    keys: [Mutex<()>; LOCKS],
    /// Its listing fails when a file is deleted below it.
    deleting: RwLock<()>,
}

impl Server {
    pub(super) fn new(folder: &Path, faults: Faults) -> Result<Self> {
        let files = FileSystem::new(folder)
            .map_err(|error| anyhow::anyhow!("{error:?}"))
            .with_context(|| format!("opening {} as an S3 store", folder.display()))?;
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        Ok(Self {
            service: builder.build(),
            faults,
            keys: std::array::from_fn(|_| Mutex::new(())),
            deleting: RwLock::new(()),
        })
    }

    fn lock_of(&self, path: &str) -> &Mutex<()> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(path);
        let index = usize::try_from(hash % LOCKS as u64).unwrap_or(0);
        &self.keys[index]
    }

    /// Runs to its end even if whoever asked is gone by then.
    async fn perform(self: &Arc<Self>, request: Request<Bytes>) -> io::Result<HttpResponse> {
        let server = Arc::clone(self);
        let done = tokio::spawn(async move { server.locked(request).await });
        done.await.map_err(io::Error::other)?
    }

    async fn locked(&self, request: Request<Bytes>) -> io::Result<HttpResponse> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let is_deletion = method == Method::DELETE || method == Method::POST;
        let is_read = method == Method::GET || method == Method::HEAD;
        let _deleting = match is_deletion {
            true => (Some(self.deleting.write().await), None),
            false => (None, Some(self.deleting.read().await)),
        };
        let _key = match is_read {
            true => None,
            false => Some(self.lock_of(&path).lock().await),
        };
        let response = self.service.call(request.map(Body::from)).await;
        let response = response.map_err(|error| io::Error::other(format!("{error:?}")))?;
        if response.status() == StatusCode::PRECONDITION_FAILED {
            self.faults.refused();
        }
        Ok(response)
    }

    async fn answer(self: &Arc<Self>, request: Request<Incoming>) -> io::Result<HttpResponse> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, BODY_BYTES).collect().await;
        let request = Request::from_parts(head, body.map_err(io::Error::other)?.to_bytes());
        if request.uri().path() == CONTROL {
            return self.control(&request);
        }
        let is_conditional = request.headers().contains_key(IF_NONE_MATCH);
        let path = request.uri().path_and_query();
        let path = path.map_or("", |path| path.as_str());
        let fate = self.faults.draw(request.method(), path, is_conditional);
        match fate.fault {
            None => {
                tokio::time::sleep(fate.delay).await;
                self.perform(request).await
            }
            Some(Fault::Status(status)) => refusal(status),
            Some(Fault::Silent) => never().await,
            Some(Fault::DoneError) => {
                drop(self.perform(request).await?);
                refusal(500)
            }
            Some(Fault::DoneSilent) => {
                drop(self.perform(request).await?);
                never().await
            }
            Some(Fault::Late) => {
                let server = Arc::clone(self);
                drop(tokio::spawn(async move {
                    tokio::time::sleep(fate.delay).await;
                    server.perform(request).await
                }));
                refusal(500)
            }
        }
    }

    /// `PUT` sets the faults, anything else only tells; both answer what is in force and what happened.
    fn control(&self, request: &Request<Bytes>) -> io::Result<HttpResponse> {
        if request.method() == Method::PUT {
            let rules: Rules = match serde_json::from_slice(request.body()) {
                Ok(rules) => rules,
                Err(error) => return response(400, "text/plain", error.to_string()),
            };
            self.faults.set(rules);
        }
        let told = serde_json::json!({
            "rules": self.faults.rules(),
            "counts": self.faults.counts(),
        });
        response(200, "application/json", told.to_string())
    }
}

async fn never() -> io::Result<HttpResponse> {
    match std::future::pending::<Infallible>().await {}
}

fn refusal(status: u16) -> io::Result<HttpResponse> {
    let code = match status {
        409 => "ConditionalRequestConflict",
        429 => "TooManyRequests",
        503 => "SlowDown",
        _ => "InternalError",
    };
    let body = format!("<Error><Code>{code}</Code><Message>on purpose</Message></Error>");
    response(status, "application/xml", body)
}

fn response(status: u16, kind: &str, body: String) -> io::Result<HttpResponse> {
    let response = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, kind)
        .body(Body::from(body));
    response.map_err(io::Error::other)
}

pub(super) async fn accept(
    server: Arc<Server>,
    listener: TcpListener,
    mut closed: watch::Receiver<()>,
) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    drop(tokio::spawn(connection(Arc::clone(&server), stream)));
                }
            }
            _ = closed.changed() => return,
        }
    }
}

async fn connection(server: Arc<Server>, stream: TcpStream) {
    drop(stream.set_nodelay(true));
    let service = service_fn(|request| {
        let server = Arc::clone(&server);
        async move { server.answer(request).await }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // How a connection ended is the client's business, or the fault that a test asked for.
    drop(connection.await);
}
