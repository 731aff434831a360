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
    Limits, Pushes, Stop, Taker,
    body::{self, Body, NoBody},
    gate::Room,
    refused::Refused,
};
use crate::{
    auth::{Authenticator, Who},
    openapi::{self, Port},
    push,
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
    pushes: Arc<Pushes>,
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
        let pushes = Pushes::new(false, limits, Arc::clone(&metrics), stop.clone());
        Self {
            taker,
            auth,
            metrics,
            limits,
            stop,
            slots: Semaphore::new(limits.requests),
            room: Room::new(limits.all_body_bytes),
            pushes: Arc::new(pushes),
            reporter: None,
        }
    }

    /// Answers `/health` as it does.
    pub fn with_health(self, reporter: Arc<Reporter>) -> Self {
        Self {
            reporter: Some(reporter),
            ..self
        }
    }

    /// Takes pushes as those are taken.
    pub fn with_pushes(self, pushes: Arc<Pushes>) -> Self {
        Self { pushes, ..self }
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
        let mut answer = settle(&self.metrics, way, result, parts, body).await;
        // hyper leaves the body out over HTTP/1.1 alone.
        if let Some(answer) = answer.as_mut().filter(|_| parts.method == Method::HEAD) {
            *answer.body_mut() = Bytes::new();
        }
        if parts.uri.path() == exchange::PATH {
            self.metrics.times.count(began.elapsed());
        }
        drop(in_flight);
        answer
    }

    async fn route(&self, parts: &Parts, body: &mut impl Body) -> Result<Response<Bytes>, NoBody> {
        let path = parts.uri.path();
        let is_push = path == push::PATH;
        let fits = self.check_header(&parts.headers);
        fits.map_err(|refused| match is_push {
            true => refused.published(),
            false => refused,
        })?;
        let Some(allowed) = Port::Agents.methods(path) else {
            let reason = format!("there is {} only", Port::Agents.paths());
            return Err(Refused::new(RefusalKind::NotFound, reason).into());
        };
        if !openapi::is_among(&parts.method, allowed) {
            return Err(Refused::method(allowed).into());
        }
        match path {
            exchange::PATH => self.batches(&parts.headers, body).await,
            push::PATH => {
                let taker = Some(&*self.taker);
                let pushes = &self.pushes;
                pushes
                    .take(taker, Some(&self.auth), &parts.headers, body)
                    .await
            }
            openapi::HEALTH => Ok(answer("application/json", self.health().into())),
            openapi::PATH => Ok(answer(openapi::CONTENT_TYPE, Port::Agents.document())),
            _ => Ok(answer(
                "text/plain; charset=utf-8",
                Bytes::from_static(b"ok\n"),
            )),
        }
    }

    /// Where nobody tells, nothing is watched.
    fn health(&self) -> String {
        let reporter = self.reporter.as_ref();
        reporter.map_or_else(Reporter::health_of_none, |reporter| reporter.health())
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
        body::check_type(headers, exchange::CONTENT_TYPE)?;
        let told = body::told(headers, self.limits.body_bytes)?;
        let Ok(_slot) = self.slots.try_acquire() else {
            let reason = "as many requests as may be are being answered: send it again later";
            return Err(Refused::busy(Reason::InFlight, reason).into());
        };
        // Before the body: who is not let in takes no memory.
        let who = self.auth.who(headers).await?;
        let mut share = self.room.share();
        let whole = body::whole(body, told, &self.limits, &mut share, &self.metrics).await?;
        let ack = self.take(&who, whole).await?;
        Ok(answer(
            exchange::CONTENT_TYPE,
            protocol::encode_ack(&ack).into(),
        ))
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

/// Counts how a request ended, and makes its answer; none when its body broke.
pub(crate) async fn settle(
    metrics: &Metrics,
    way: Way,
    result: Result<Response<Bytes>, NoBody>,
    parts: &Parts,
    body: &mut impl Body,
) -> Option<Response<Bytes>> {
    let outcomes = metrics.requests.of(way);
    match result {
        Ok(answer) => {
            outcomes.count(Outcome::Answered);
            Some(answer)
        }
        Err(NoBody::Refused(refused)) => {
            metrics.refused.count(refused.reason);
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
    }
}

fn way_name(way: Way) -> &'static str {
    use crate::status::Label as _;
    Way::NAMES[way.index()]
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

pub(super) fn answer(content_type: &'static str, body: Bytes) -> Response<Bytes> {
    let mut answer = Response::new(body);
    let content_type = HeaderValue::from_static(content_type);
    answer
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    answer
}
