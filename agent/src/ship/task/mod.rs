//! Joins the machines with the spool, the ways and the clock: the loop that ships.

mod outcome;
mod place;
mod store;
#[cfg(test)]
mod tests;

use std::{cell::RefCell, io, net::SocketAddr, rc::Rc, time::Duration};

use bytes::Bytes;
use protocol::encode_message;
use tokio::{
    sync::Notify,
    task::{JoinError, JoinHandle},
    time::{Instant, sleep_until, timeout},
};

use super::{
    Settings, ShipError, Way,
    delivery::{Action, Delivery, Outgoing},
    exchange::{Answered, Failure},
    http3::Connection,
    link::Link,
    spread::Spread,
    tally::Tally,
    ways::{Verdict, Ways},
};
use crate::{error_chain, health::Health, http::HttpError, spool::Spool};

pub use store::Store;

/// Turns from way to way for one message. Both were tried by then.
const MOST_TURNS: u32 = 2;

type Probe = JoinHandle<Result<Connection, ShipError>>;
type LookUp = JoinHandle<io::Result<Vec<SocketAddr>>>;

/// See the module.
pub struct Shipper<S = Spool> {
    node: String,
    spool: Rc<RefCell<S>>,
    /// Told when batches came.
    grown: Rc<Notify>,
    health: Health,
    tally: Tally,
    delivery: Delivery,
    ways: Ways,
    spread: Spread,
    link: Link,
    probe: Option<Probe>,
    lookup: Option<LookUp>,
    /// Refusals in a row that asked for a wait.
    waits: u32,
    begun: Instant,
}

impl<S: Store> Shipper<S> {
    /// Nothing is read or connected yet. Equal seeds give equal waits.
    pub fn new(
        settings: Settings,
        node: String,
        (spool, grown): (Rc<RefCell<S>>, Rc<Notify>),
        health: Health,
        seed: u64,
    ) -> Result<Self, HttpError> {
        if settings.insecure {
            log::warn!(
                "the aggregator's certificate is NOT verified: whoever answers at {} gets the \
                 agent's token and rows",
                settings.endpoint
            );
        }
        let timing = settings.limits.spread;
        let spread = match settings.address() {
            Some(address) => Spread::fixed(&node, address),
            None => Spread::new(&node, timing, seed),
        };
        Ok(Self {
            node,
            spool,
            grown,
            health,
            tally: Tally::default(),
            delivery: Delivery::new(settings.limits.pace, seed),
            ways: Ways::new(settings.transport, settings.limits.probes, seed),
            spread,
            link: Link::new(settings)?,
            probe: None,
            lookup: None,
            waits: 0,
            begun: Instant::now(),
        })
    }

    /// What it has done so far; copies go on counting.
    pub fn tally(&self) -> Tally {
        self.tally.clone()
    }

    /// Ships what comes, for ever. It may be dropped at any time, and then be told to run again or to
    /// drain.
    pub async fn run(&mut self) {
        // What was on its way when a former run was dropped has no answer.
        self.delivery.abandon();
        loop {
            self.look_around().await;
            match self.next() {
                Some(Action::Send(outgoing)) => self.send(&outgoing).await,
                Some(Action::WaitUntil(at)) => self.wait(Some(at)).await,
                Some(Action::Idle) => self.wait(None).await,
                // The machine waits before it reads again.
                None => {}
            }
        }
    }

    /// One last try to send what waits, before the process ends.
    pub async fn drain(&mut self, within: Duration) {
        self.delivery.abandon();
        self.delivery.hurry();
        if timeout(within, self.send_the_rest()).await.is_err() {
            log::warn!(
                "aggregator: {} batches wait in the spool for the next start; sending them took longer than {within:?}",
                self.tally.counts().waiting
            );
        }
        self.link.farewell().await;
    }

    async fn send_the_rest(&mut self) {
        while let Some(Action::Send(outgoing)) = self.next() {
            if outgoing.batches.is_empty() {
                // All is received. What is not committed yet is sent again by the next start.
                return;
            }
            self.send(&outgoing).await;
        }
    }

    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    fn next(&mut self) -> Option<Action> {
        let spool = self.spool.borrow();
        let waiting = spool.waiting();
        {
            let mut counts = self.tally.lock();
            counts.waiting = waiting.iter().map(|one| one.last + 1 - one.first).sum();
            counts.waiting_epochs = waiting.len() as u64;
            counts.way = Some(self.ways.way().name());
            counts.address = self.spread.at();
        }
        match self.delivery.next(self.begun.elapsed(), &*spool) {
            Ok(action) => Some(action),
            Err(error) => {
                self.health
                    .failed("spool", format!("cannot read the spool: {error}"));
                None
            }
        }
    }

    /// Until something may have changed.
    async fn wait(&mut self, until: Option<Duration>) {
        let probe_at = self.ways.probe_at().filter(|_| self.probe.is_none());
        let (lookup_at, move_at) = (self.spread.lookup_at(), self.spread.move_at());
        let begun = self.begun;
        let at = |at: Option<Duration>| async move {
            match at {
                Some(at) => sleep_until(begun + at).await,
                None => std::future::pending().await,
            }
        };
        let probed = finished(&mut self.probe);
        let looked_up = finished(&mut self.lookup);
        tokio::select! {
            () = self.grown.notified() => {}
            () = at(until) => {}
            // Both are seen to before anything else is done.
            () = at(lookup_at) => {}
            () = at(move_at) => {}
            () = at(probe_at) => self.begin_probe(),
            result = probed => {
                self.probe = None;
                if let Ok(result) = result {
                    self.end_probe(result);
                }
            }
            result = looked_up => self.end_lookup(result),
        }
    }

    fn begin_probe(&mut self) {
        match self.link.probe() {
            Ok(probe) => {
                self.ways.on_probe_begun();
                self.probe = Some(probe);
            }
            Err(error) => self.end_probe(Err(error)),
        }
    }

    fn end_probe(&mut self, result: Result<Connection, ShipError>) {
        let before = self.ways.way();
        let outcome = result.as_ref().map_or_else(ShipError::kind, |_| "ok");
        self.tally.probe(outcome);
        self.ways.on_probe(self.now(), result.is_ok());
        match result {
            Ok(connection) => {
                self.link.adopt(connection);
                log::info!("aggregator: HTTP/3 gets through again");
                self.tell_turn(before);
            }
            Err(error) => log::debug!("aggregator: probe of HTTP/3: {}", error_chain(&error)),
        }
    }

    fn tell_turn(&self, before: Way) {
        let after = self.ways.way();
        if before != after {
            self.tally.lock().turns += 1;
            log::info!("aggregator: on {} from now on", after.name());
        }
    }

    async fn send(&mut self, outgoing: &Outgoing) {
        if let Err(error) = self.find().await {
            return self.give_up_try(&error);
        }
        let body = Bytes::from(encode_message(&outgoing.message(&self.node)));
        let mut turns = 0;
        loop {
            let way = self.ways.way();
            let sent_at = Instant::now();
            let result = self.link.post(way, body.clone()).await;
            if let Some(trouble) = self.link.trouble() {
                self.health.noticed(trouble.kind(), &trouble.to_string());
            }
            match result {
                Ok(answered) => {
                    let before = self.ways.way();
                    self.ways.on_success(self.now(), way);
                    self.tell_turn(before);
                    let (batches, bytes) = (outgoing.batches.len(), outgoing.bytes());
                    self.tally.answered(sent_at.elapsed(), batches, bytes);
                    return self.take(way, &answered);
                }
                Err(failure) if self.turns(way, &failure) && turns < MOST_TURNS => turns += 1,
                Err(failure) => return self.give_up_try(&failure.error),
            }
        }
    }

    /// Counts a failure, and says whether another way may be tried at once.
    fn turns(&mut self, way: Way, failure: &Failure) -> bool {
        self.tally.request(way, failure.error.kind());
        if !failure.is_of_the_way {
            return false;
        }
        let before = self.ways.way();
        let verdict = self.ways.on_failure(self.now(), way);
        if verdict == Verdict::Turn {
            self.health.noticed(
                failure.error.kind(),
                &format!("{}: {}", way.name(), error_chain(&failure.error)),
            );
        }
        self.tell_turn(before);
        verdict == Verdict::Turn
    }

    fn give_up_try(&mut self, error: &ShipError) {
        self.delivery.on_disconnect();
        if self.leaves(error) {
            self.health.noticed(error.kind(), &error_chain(error));
            return;
        }
        self.delivery.on_failure(self.now(), None);
        self.health.failed(error.kind(), error_chain(error));
    }
}

/// What a task came to; never where there is none.
async fn finished<T>(task: &mut Option<JoinHandle<T>>) -> Result<T, JoinError> {
    match task {
        Some(task) => task.await,
        None => std::future::pending().await,
    }
}
