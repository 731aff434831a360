//! Which address of the host is talked to: looks it up, and follows what `spread` decides.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::{task::JoinError, time::timeout};

use super::{Shipper, Store, finished};
use crate::{
    error_chain,
    http::HttpError,
    ship::{ShipError, spread::Verdict},
};

/// Refusals in a row that asked for a wait. The first wait is granted; when it was not enough, others may
/// have room.
const MOST_WAITS: u32 = 2;

type Found = Result<io::Result<Vec<SocketAddr>>, JoinError>;

impl<S: Store> Shipper<S> {
    /// Sees to what is due, without waiting for anything.
    pub(super) async fn look_around(&mut self) {
        if self
            .lookup
            .as_ref()
            .is_some_and(tokio::task::JoinHandle::is_finished)
        {
            let found = finished(&mut self.lookup).await;
            self.end_lookup(found);
        }
        if self.spread.lookup_at().is_some_and(|at| at <= self.now()) {
            self.begin_lookup();
        }
        let before = self.spread.at();
        self.spread.on_time(self.now());
        self.follow(before, "it is better placed");
    }

    /// Looks the host up, unless an address is known already.
    pub(super) async fn find(&mut self) -> Result<(), ShipError> {
        if self.spread.at().is_some() {
            return Ok(());
        }
        if self.lookup.is_none() {
            self.begin_lookup();
        }
        let found = finished(&mut self.lookup).await;
        let error = match &found {
            Ok(Err(error)) => error_chain(error),
            Ok(Ok(_)) => "its name has no address".to_owned(),
            Err(error) => error_chain(error),
        };
        self.end_lookup(found);
        match self.spread.at() {
            Some(_) => Ok(()),
            None => Err(ShipError::Http(HttpError::Connect {
                endpoint: self.link.settings().endpoint.to_string(),
                reason: error,
            })),
        }
    }

    fn begin_lookup(&mut self) {
        self.spread.on_lookup_begun();
        let settings = self.link.settings();
        let (endpoint, patience) = (&settings.endpoint, settings.limits.connect_timeout);
        let addresses = Arc::clone(&settings.lookup).addresses(&endpoint.host, endpoint.port);
        self.lookup = Some(tokio::spawn(async move {
            let late = |_| io::Error::new(io::ErrorKind::TimedOut, "DNS does not answer");
            timeout(patience, addresses).await.map_err(late)?
        }));
    }

    pub(super) fn end_lookup(&mut self, found: Found) {
        self.lookup = None;
        let found = found.unwrap_or_else(|error| Err(io::Error::other(error)));
        if let Err(error) = &found {
            let host = &self.link.settings().endpoint.host;
            log::debug!("aggregator: looking up {host}: {}", error_chain(error));
        }
        let before = self.spread.at();
        self.spread
            .on_lookup(self.now(), &found.unwrap_or_default());
        self.follow(before, "it was looked up");
    }

    /// Counts a failure of the address, and says whether another one may be tried at once.
    pub(super) fn leaves(&mut self, error: &ShipError) -> bool {
        let before = self.spread.at();
        if before.is_none() || !error.is_of_the_address() {
            return false;
        }
        self.waits = 0;
        let verdict = self.spread.on_failure(self.now());
        self.follow(before, "the last one failed");
        verdict == Verdict::Turn
    }

    /// Leaves an aggregator that has no room for longer than it said. Whatever wait it asked for is kept:
    /// the others may have no more room.
    pub(super) fn leave_if_it_lasts(&mut self, error: &ShipError) {
        if error.is_of_the_address() {
            self.waits += 1;
        }
        if self.waits >= MOST_WAITS {
            self.leaves(error);
        }
    }

    /// What was learned of one address says nothing of another.
    fn follow(&mut self, before: Option<SocketAddr>, why: &str) {
        let Some(address) = self.spread.at().filter(|at| Some(*at) != before) else {
            return;
        };
        self.link.go_to(address);
        self.ways.on_move();
        self.probe.take().inspect(tokio::task::JoinHandle::abort);
        self.delivery.on_disconnect();
        match before {
            Some(_) => {
                self.tally.lock().moves += 1;
                log::info!("aggregator: at {address} from now on: {why}");
            }
            None => log::debug!("aggregator: at {address}"),
        }
    }
}
