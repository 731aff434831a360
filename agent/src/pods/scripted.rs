//! An API server for tests that answers by script.

use std::{
    collections::VecDeque,
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Response,
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// How an answer goes on after its text.
#[derive(Clone, Copy)]
pub(super) enum Then {
    End,
    Cut,
    Silence,
}

#[derive(Clone)]
pub(super) struct Step {
    pub status: u16,
    pub retry_after: Option<u64>,
    pub text: String,
    pub then: Then,
}

pub(super) fn answer(status: u16, text: impl Into<String>, then: Then) -> Step {
    Step {
        status,
        retry_after: None,
        text: text.into(),
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

pub(super) fn list(version: &str, uids: &[&str]) -> Step {
    page(version, uids, "")
}

pub(super) fn page(version: &str, uids: &[&str], token: &str) -> Step {
    let pods: Vec<String> = uids.iter().map(|uid| pod(uid, version)).collect();
    ok(format!(
        r#"{{"kind":"PodList","metadata":{{"resourceVersion":"{version}","continue":"{token}"}},"items":[{}]}}"#,
        pods.join(",")
    ))
}

fn pod(uid: &str, version: &str) -> String {
    format!(
        r#"{{"metadata":{{"uid":"{uid}","namespace":"n","name":"pod-{uid}","resourceVersion":"{version}"}}}}"#
    )
}

pub(super) fn event(kind: &str, uid: &str, version: &str) -> String {
    format!("{{\"type\":\"{kind}\",\"object\":{}}}\n", pod(uid, version))
}

type Answer = Response<UnsyncBoxBody<Bytes, io::Error>>;

impl Step {
    fn answer(self) -> Answer {
        let begin = stream::iter([Ok(Frame::data(Bytes::from(self.text)))]);
        let body = match self.then {
            Then::End => StreamBody::new(begin).boxed_unsync(),
            Then::Cut => {
                // In a turn of its own, so that what comes before it is on its way.
                let cut = stream::once(async {
                    tokio::task::yield_now().await;
                    Err(io::Error::other("cut"))
                });
                StreamBody::new(begin.chain(cut)).boxed_unsync()
            }
            Then::Silence => StreamBody::new(begin.chain(stream::pending())).boxed_unsync(),
        };
        let mut answer = Response::builder().status(self.status);
        if let Some(seconds) = self.retry_after {
            answer = answer.header("retry-after", seconds);
        }
        answer.body(body).unwrap()
    }
}

/// A server that answers by script, and with open, silent watches after it.
pub(super) struct Script {
    pub address: SocketAddr,
    /// Path, and what was shown as token.
    seen: Arc<Mutex<Vec<(String, String)>>>,
    task: JoinHandle<()>,
}

impl Drop for Script {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Script {
    pub async fn start(tls: Option<TlsAcceptor>, steps: impl IntoIterator<Item = Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let steps: Arc<Mutex<VecDeque<Step>>> = Arc::new(Mutex::new(steps.into_iter().collect()));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                let (steps, log, tls) = (Arc::clone(&steps), Arc::clone(&log), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(tcp, steps, log).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(tcp).await {
                                serve(stream, steps, log).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            address,
            seen,
            task,
        }
    }

    pub fn paths(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter().map(|(path, _)| path.clone()).collect()
    }

    pub fn tokens(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter().map(|(_, token)| token.clone()).collect()
    }
}

async fn serve<S>(
    stream: S,
    steps: Arc<Mutex<VecDeque<Step>>>,
    log: Arc<Mutex<Vec<(String, String)>>>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let token = request.headers().get("authorization");
        let token = token.map_or("", |token| token.to_str().unwrap()).to_owned();
        log.lock().unwrap().push((request.uri().to_string(), token));
        let step = steps.lock().unwrap().pop_front();
        async move { Ok::<_, Infallible>(step.unwrap_or_else(|| open("")).answer()) }
    });
    // Clients of tests may go at any time.
    let _gone = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
