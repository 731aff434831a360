//! Questions to the API server; a few connections are kept between them.

use std::{
    error::Error as _,
    io,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

use super::{
    Answer, ApiError,
    connect::{Sender, Trust, read},
    exchange,
};
use crate::config::Cluster;

/// Posts at a time, more wait; and connections that are kept.
const MOST_CONNECTIONS: usize = 16;
/// Of a post: for a place, the connection, the question and the answer.
const POST_TIME: Duration = Duration::from_secs(5);
/// Largest answer to a post.
const MOST_POST_ANSWER: usize = 1 << 20;
/// Of a get: up to the answer's header.
const GET_TIME: Duration = Duration::from_secs(30);
/// Of these, for a connection.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// Largest token.
const MOST_TOKEN: u64 = 64 << 10;

const JSON: &str = "application/json";
const AGENT: &str = concat!("podledger-aggregator/", env!("CARGO_PKG_VERSION"));

/// See the module.
pub(crate) struct Api {
    cluster: Cluster,
    trust: Trust,
    places: Semaphore,
    kept: Mutex<Vec<Sender>>,
}

/// What is asked. It may be asked twice: neither a review nor a list changes anything.
struct Question<'a> {
    method: Method,
    path: &'a str,
    accept: &'static str,
    body: Bytes,
}

impl Api {
    /// Nothing is connected before the first question.
    pub(crate) fn new(cluster: Cluster) -> Self {
        Self {
            cluster,
            trust: Trust::default(),
            places: Semaphore::new(MOST_CONNECTIONS),
            kept: Mutex::default(),
        }
    }

    /// Posts JSON; the whole answer.
    pub(crate) async fn post(
        &self,
        path: &str,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Bytes), ApiError> {
        let question = Question {
            method: Method::POST,
            path,
            accept: JSON,
            body: body.into(),
        };
        let exchange = async {
            // It is never closed.
            let _place = self.places.acquire().await;
            let answer = self.told(&question).await?;
            let status = answer.status;
            let whole = answer.whole(MOST_POST_ANSWER, POST_TIME).await?;
            Ok((status, whole.into()))
        };
        self.within(POST_TIME, exchange).await
    }

    /// Asks for `path`, to be answered as `accept` says. The answer's body is read by whoever asks.
    pub(crate) async fn get(
        &self,
        path: &str,
        accept: &'static str,
    ) -> Result<Answer<'_>, ApiError> {
        let question = Question {
            method: Method::GET,
            path,
            accept,
            body: Bytes::new(),
        };
        self.within(GET_TIME, self.told(&question)).await
    }

    async fn within<T>(
        &self,
        time: Duration,
        exchange: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<T, ApiError> {
        timeout(time, exchange).await.unwrap_or_else(|_| {
            // What is kept goes to the same silent end.
            self.kept().clear();
            Err(ApiError::Time(time))
        })
    }

    async fn told(&self, question: &Question<'_>) -> Result<Answer<'_>, ApiError> {
        let begun = Instant::now();
        exchange::request(
            &question.method,
            question.path,
            question.accept,
            question.body.len(),
        );
        let answered = self.exchange(question).await;
        exchange::response(&question.method, question.path, begun.elapsed(), &answered);
        let (sender, response) = answered?;
        Ok(Answer::new(self, sender, response))
    }

    async fn exchange(
        &self,
        question: &Question<'_>,
    ) -> Result<(Sender, Response<Incoming>), ApiError> {
        while let Some(mut sender) = self.take_kept() {
            if sender.ready().await.is_err() {
                continue;
            }
            match self.ask(sender, question).await {
                // It was closed while it was kept.
                Err(ApiError::Broken(error)) if was_closed(&error) => {}
                result => return result,
            }
        }
        let connecting = timeout(CONNECT_TIME, self.trust.connect(&self.cluster)).await;
        let sender = connecting.unwrap_or(Err(ApiError::Time(CONNECT_TIME)))?;
        self.ask(sender, question).await
    }

    async fn ask(
        &self,
        mut sender: Sender,
        question: &Question<'_>,
    ) -> Result<(Sender, Response<Incoming>), ApiError> {
        let request = self.request(question)?;
        let response = sender.send_request(request).await;
        Ok((sender, response.map_err(ApiError::Broken)?))
    }

    fn request(&self, question: &Question<'_>) -> Result<Request<Full<Bytes>>, ApiError> {
        let bad = |reason: &str| ApiError::Question(reason.to_owned());
        // Read each time: it is small, in memory, and rotates.
        let token = read("token", &self.cluster.token, MOST_TOKEN)?;
        let mut bearer = b"Bearer ".to_vec();
        bearer.extend_from_slice(token.trim_ascii());
        let mut bearer = HeaderValue::from_bytes(&bearer)
            .map_err(|_| bad("this pod's token is not one word"))?;
        bearer.set_sensitive(true);
        let mut request = Request::builder()
            .method(&question.method)
            .uri(question.path)
            .header(header::HOST, authority(&self.cluster))
            .header(header::USER_AGENT, AGENT)
            .header(header::AUTHORIZATION, bearer)
            .header(header::ACCEPT, question.accept);
        if question.method == Method::POST {
            request = request.header(header::CONTENT_TYPE, JSON);
        }
        request
            .body(Full::new(question.body.clone()))
            .map_err(|error| bad(&error.to_string()))
    }

    fn take_kept(&self) -> Option<Sender> {
        self.kept().pop()
    }

    /// For the next question.
    pub(super) fn keep(&self, sender: Sender) {
        let mut kept = self.kept();
        if kept.len() < MOST_CONNECTIONS {
            kept.push(sender);
        }
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Sender>> {
        // Each change leaves it whole.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn authority(cluster: &Cluster) -> String {
    match cluster.host.contains(':') {
        true => format!("[{}]:{}", cluster.host, cluster.port),
        false => format!("{}:{}", cluster.host, cluster.port),
    }
}

fn was_closed(error: &hyper::Error) -> bool {
    let is_io = |error: &(dyn std::error::Error + 'static)| error.is::<io::Error>();
    error.is_canceled()
        || error.is_closed()
        || error.is_incomplete_message()
        || error.source().is_some_and(is_io)
}
