//! One router for every way that a request can come.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, header, request::Parts};
use protocol::{Ack, RefusalKind, exchange};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

use super::{
    Limits, Stop, Taker,
    body::{self, Body, NoBody},
    gate::Room,
    refused::Refused,
};
use crate::{
    auth::{Authenticator, Who},
    status::{Metrics, Outcome, Reason, Reporter, Way},
};

/// Bytes of a refused body that are read all the same: many clients look for an answer only when they
/// have sent everything. None of them is kept.
const MOST_DISCARDED_BYTES: usize = 16 << 20;
/// For how long.
const DISCARD_TIME: Duration = Duration::from_secs(2);

/// See the module.
pub struct Router {
    taker: Arc<dyn Taker>,
    auth: Authenticator,
    pub(super) metrics: Arc<Metrics>,
    pub(super) limits: Limits,
    pub(super) stop: Stop,
    slots: Semaphore,
    room: Room,
    /// Tells how it is.
    reporter: Option<Arc<Reporter>>,
}

/// Counts a request as being answered, until it is dropped.
struct InFlight<'a>(&'a Metrics);

impl<'a> InFlight<'a> {
    fn new(metrics: &'a Metrics) -> Self {
        metrics.in_flight.fetch_add(1, Relaxed);
        Self(metrics)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

impl Router {
    /// Before `taker`; asks `auth` who speaks.
    pub fn new(
        taker: Arc<dyn Taker>,
        auth: Authenticator,
        metrics: Arc<Metrics>,
        limits: Limits,
        stop: Stop,
    ) -> Self {
        Self {
            taker,
            auth,
            metrics,
            limits,
            stop,
            slots: Semaphore::new(limits.requests),
            room: Room::new(limits.all_body_bytes),
            reporter: None,
        }
    }

    /// Answers `/health` as well.
    pub fn with_health(mut self, reporter: Arc<Reporter>) -> Self {
        self.reporter = Some(reporter);
        self
    }

    /// The answer to a request; none when its body broke, and nobody is there to read it.
    pub(super) async fn answer(
        &self,
        way: Way,
        parts: &Parts,
        body: &mut impl Body,
    ) -> Option<Response<Bytes>> {
        let in_flight = InFlight::new(&self.metrics);
        let began = Instant::now();
        let result = self.route(parts, body).await;
        let outcomes = self.metrics.requests.of(way);
        let answer = match result {
            Ok(answer) => {
                outcomes.count(Outcome::Answered);
                Some(answer)
            }
            Err(NoBody::Refused(refused)) => {
                self.metrics.refused.count(refused.reason);
                outcomes.count(match refused.passes() {
                    true => Outcome::PutOff,
                    false => Outcome::Refused,
                });
                log::debug!("{} refused: {}", way_name(way), refused.refusal);
                discard(parts, body).await;
                Some(refused.answer())
            }
            Err(NoBody::Broken(broken)) => {
                outcomes.count(Outcome::Broken);
                log::debug!("{}: {broken}", way_name(way));
                None
            }
        };
        if parts.uri.path() == exchange::PATH {
            self.metrics.times.count(began.elapsed());
        }
        drop(in_flight);
        answer
    }

    async fn route(&self, parts: &Parts, body: &mut impl Body) -> Result<Response<Bytes>, NoBody> {
        self.check_header(&parts.headers)?;
        match (parts.uri.path(), &parts.method) {
            (exchange::PATH, &Method::POST) => self.batches(&parts.headers, body).await,
            (exchange::PATH, _) => {
                let reason = format!("{} takes POST only", exchange::PATH);
                Err(Refused::new(RefusalKind::Method, reason).into())
            }
            ("/healthz", &Method::GET | &Method::HEAD) => {
                let text = HeaderValue::from_static("text/plain; charset=utf-8");
                Ok(answer(text, Bytes::from_static(b"ok\n")))
            }
            ("/health", &Method::GET | &Method::HEAD) if let Some(reporter) = &self.reporter => {
                let json = HeaderValue::from_static("application/json");
                Ok(answer(json, reporter.health().into()))
            }
            _ => {
                let reason = format!("there is POST {} and GET /healthz only", exchange::PATH);
                Err(Refused::new(RefusalKind::NotFound, reason).into())
            }
        }
    }

    /// hyper and h3 bound the header's bytes; this bounds its lines for every way alike.
    fn check_header(&self, headers: &HeaderMap) -> Result<(), Refused> {
        let most = self.limits.header_lines;
        if headers.len() > most {
            let reason = format!("header: it has more than {most} lines");
            return Err(Refused::new(RefusalKind::TooLarge, reason));
        }
        Ok(())
    }

    async fn batches(
        &self,
        headers: &HeaderMap,
        body: &mut impl Body,
    ) -> Result<Response<Bytes>, NoBody> {
        if self.stop.is_set() {
            let reason = "it is stopping: send it to another aggregator, or again later";
            return Err(Refused::busy(Reason::Stopping, reason).into());
        }
        check_type(headers)?;
        let most = self.limits.body_bytes;
        let told = body::told(headers, most)?;
        let Ok(_slot) = self.slots.try_acquire() else {
            let reason = "as many requests as may be are being answered: send it again later";
            return Err(Refused::busy(Reason::InFlight, reason).into());
        };
        // Before the body: who is not let in takes no memory.
        let who = self.auth.who(headers).await?;
        let mut share = self.room.share();
        let reading = body::read(body, (told, most), &mut share);
        let Ok(whole) = timeout(self.limits.body_time, reading).await else {
            let reason = "body: it took too long to come";
            return Err(Refused::new(RefusalKind::TooSlow, reason).into());
        };
        let whole = whole?;
        let length = u64::try_from(whole.len()).unwrap_or(u64::MAX);
        self.metrics.received_bytes.fetch_add(length, Relaxed);
        let ack = self.take(&who, whole).await?;
        let protobuf = HeaderValue::from_static(exchange::CONTENT_TYPE);
        Ok(answer(protobuf, protocol::encode_ack(&ack).into()))
    }

    async fn take(&self, who: &Who, body: Bytes) -> Result<Ack, Refused> {
        let taking = self.taker.take(who.node(), body);
        match timeout(self.limits.take_time, taking).await {
            Ok(taken) => Ok(taken?),
            Err(_) => {
                let reason = "it took too long to take: the store may be slow; send it again later";
                Err(Refused::busy(Reason::Overdue, reason))
            }
        }
    }
}

fn way_name(way: Way) -> &'static str {
    use crate::status::Label as _;
    Way::NAMES[way.index()]
}

fn check_type(headers: &HeaderMap) -> Result<(), Refused> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let content_type = text(header::CONTENT_TYPE).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case(exchange::CONTENT_TYPE) {
        let reason = format!("content-type: it must be {}", exchange::CONTENT_TYPE);
        return Err(Refused::new(RefusalKind::MediaType, reason));
    }
    match text(header::CONTENT_ENCODING) {
        None | Some("identity") => Ok(()),
        Some(_) => {
            let reason = "content-encoding: there may be none; batches are compressed one by one";
            Err(Refused::new(RefusalKind::MediaType, reason))
        }
    }
}

/// Reads on for a while: a connection that is closed upon unread bytes may lose its answer.
async fn discard(parts: &Parts, body: &mut impl Body) {
    if parts.headers.contains_key(header::EXPECT) {
        // It waits for a word before it sends anything.
        return;
    }
    let reading = async {
        let mut left = MOST_DISCARDED_BYTES;
        while let Ok(Some(piece)) = body.next().await {
            let Some(rest) = left.checked_sub(piece.len()) else {
                return;
            };
            left = rest;
        }
    };
    // What is unread by then stays so.
    drop(timeout(DISCARD_TIME, reading).await);
}

fn answer(content_type: HeaderValue, body: Bytes) -> Response<Bytes> {
    let mut answer = Response::new(body);
    answer
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    answer
}
