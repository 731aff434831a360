//! What a collector pushes becomes the next batch of its node's sender here, and is held like any other.

use std::sync::PoisonError;

use protocol::{Refusal, RefusalKind, Timestamp};
use tokio::time::Instant;

use super::{Service, check};
use crate::{
    held::Held,
    intake::Offered,
    push::{self, NotTaken, Payload, Place, Problem, Turn},
};

impl Service {
    /// Takes a push of a peer whose node is already known to be `node`; `None` when anybody may speak for
    /// any node.
    pub fn push(&self, node: Option<&str>, body: &[u8]) -> Result<(), NotTaken> {
        let is_open = self.with(|state| state.open());
        is_open.map_err(|refusal| busy(&refusal.reason))?;
        let payload = push::parse(body).map_err(malformed)?;
        if let Some(node) = node.filter(|node| *node != payload.node()) {
            let reason = format!("{node} may not speak for {}", payload.node());
            return Err(NotTaken::new(RefusalKind::Forbidden, "node_name", reason));
        }
        let now = (self.settings.lake.clock)();
        if let Some(reason) = check::bad_time(payload.end(), &self.settings.limits, now) {
            return Err(malformed(vec![Problem::new("timestamp", reason)]));
        }
        self.push_in_turn(&payload, now)
    }

    /// One at a time: the batches of a node have an order.
    fn push_in_turn(&self, payload: &Payload, now: Timestamp) -> Result<(), NotTaken> {
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        let (node, end) = (payload.node(), payload.end());
        let turn = senders.turn(node, end, now, || self.settings.lake.random.id());
        let next = match turn {
            Turn::Next(next) => next,
            Turn::Known => {
                self.tally.pushed_again.add(1);
                return Ok(());
            }
            Turn::Full => return Err(busy("as many nodes push as may; come back")),
        };
        let cluster = &self.settings.cluster;
        let place = Place {
            cluster,
            next: &next,
        };
        let frame = push::frame(payload, &place);
        let batch = check::own(&frame, &self.settings.limits)
            .map_err(|invalid| malformed(vec![Problem::new("body", invalid.to_string())]))?;
        match self.offer_own(batch)? {
            Offered::Taken => {
                self.tally.pushed.add(1);
                senders.took(node, &next, end, now);
                Ok(())
            }
            Offered::Full => {
                self.tally.full.add(1);
                Err(busy(
                    "as much is held as may be, until it is committed; come back",
                ))
            }
            // Its watermark is no longer kept.
            Offered::Known | Offered::Ahead => {
                senders.forget(node);
                Err(busy("nothing is known of this node any more; come back"))
            }
        }
    }

    /// Nobody else has batches of these epochs: the ledger need not be asked for them.
    fn offer_own(&self, batch: Held) -> Result<Offered, NotTaken> {
        let offered = self.with(|state| {
            state.open()?;
            let offered = state.intake.offer(batch);
            if state.due.is_none() && state.intake.held().batches > 0 {
                state.due = Some(self.due_from(Instant::now()));
            }
            Ok(offered)
        });
        self.wake.notify_one();
        offered.map_err(|refusal: Refusal| busy(&refusal.reason))
    }
}

fn busy(reason: &str) -> NotTaken {
    NotTaken::new(RefusalKind::Busy, "request", reason)
}

fn malformed(problems: Vec<Problem>) -> NotTaken {
    NotTaken {
        kind: RefusalKind::Malformed,
        problems,
    }
}
