//! One request: checked as a whole, then held batch by batch.

use std::collections::BTreeSet;

use bytes::Bytes;
use protocol::{Ack, Epoch, Message, Refusal, RefusalKind};
use tokio::time::Instant;

use super::{
    Service, State,
    check::{self, refusal},
};
use crate::{held::Held, intake::Offered};

/// How holding the batches of a request went.
enum Holding {
    /// The ledger must be read before more can be said.
    NeedsReload,
    /// These epochs lack something before what came.
    Lacking(BTreeSet<Epoch>),
}

impl Service {
    /// Takes one request of a peer whose node is already known to be `node`; `None` when anybody may
    /// speak for any node. May be dropped at any time.
    pub async fn take(&self, node: Option<&str>, body: Bytes) -> Result<Ack, Refusal> {
        let arrived = Instant::now();
        self.with(|state| state.open())?;
        let limits = &self.settings.limits;
        let message = protocol::decode_message(body, limits);
        let message = message.map_err(|error| check::bad_message(&error))?;
        if let Some(node) = node.filter(|node| *node != message.node) {
            let reason = format!("node: {node} may not speak for {}", message.node);
            return Err(refusal(RefusalKind::Forbidden, reason));
        }
        let now = (self.settings.lake.clock)();
        let batches = check::batches(&message, limits, now).await?;
        let lacking = match self.hold(&batches, false)? {
            Holding::Lacking(lacking) => lacking,
            Holding::NeedsReload => {
                self.reload(arrived).await?;
                match self.hold(&batches, true)? {
                    Holding::Lacking(lacking) => lacking,
                    Holding::NeedsReload => BTreeSet::new(),
                }
            }
        };
        Ok(self.ack(&message, &batches, &lacking))
    }

    /// Offers all; those of an epoch that nobody knows only after a look at the ledger, and only from its
    /// first on. What was taken stays, even if the request is sent back: its sender sends it again.
    fn hold(&self, batches: &[Held], is_fresh: bool) -> Result<Holding, Refusal> {
        let holding = self.with(|state| {
            state.open()?;
            if let Some(first) = state.first_unknown(batches) {
                if !is_fresh {
                    return Ok(Holding::NeedsReload);
                }
                if first.seq != 1 {
                    return Err(unknown_epoch(first));
                }
            }
            let offered = self.offer(state, batches, is_fresh);
            if state.due.is_none() && state.intake.held().batches > 0 {
                state.due = Some(self.due_from(Instant::now()));
            }
            let lacking = offered?;
            match lacking.is_empty() || is_fresh {
                true => Ok(Holding::Lacking(lacking)),
                false => Ok(Holding::NeedsReload),
            }
        });
        self.wake.notify_one();
        holding
    }

    fn offer(
        &self,
        state: &mut State,
        batches: &[Held],
        is_fresh: bool,
    ) -> Result<BTreeSet<Epoch>, Refusal> {
        let mut lacking = BTreeSet::new();
        for batch in batches {
            match state.intake.offer(batch.clone()) {
                Offered::Taken => self.tally.taken.add(1),
                // The second time, these are the ones of the first.
                Offered::Known => self.tally.known.add(u64::from(!is_fresh)),
                Offered::Ahead => {
                    self.tally.ahead.add(u64::from(is_fresh));
                    lacking.insert(batch.sender.epoch);
                }
                Offered::Full => {
                    self.tally.full.add(1);
                    let reason = "as much is held as may be, until it is committed; come back";
                    return Err(refusal(RefusalKind::Busy, reason));
                }
            }
        }
        Ok(lacking)
    }

    fn ack(&self, message: &Message, batches: &[Held], lacking: &BTreeSet<Epoch>) -> Ack {
        let epochs = batches.iter().map(|batch| batch.sender.epoch);
        let mut told = BTreeSet::new();
        let epochs = epochs.chain(message.asks.iter().copied());
        let answers = self.with(|state| {
            let answer = |epoch| {
                let mut answer = state.intake.answer(&message.node, epoch);
                answer.expect = lacking.contains(&epoch).then_some(answer.received + 1);
                answer
            };
            let epochs = epochs.filter(|epoch| told.insert(*epoch));
            epochs.map(answer).collect()
        });
        Ack {
            instance: self.instance,
            table_id: self.lake.table_id().to_owned(),
            answers,
        }
    }
}

impl State {
    pub(super) fn open(&self) -> Result<(), Refusal> {
        let why = match &self.trouble {
            _ if self.is_stopping => "it is stopping",
            Some(trouble) => trouble,
            None => return Ok(()),
        };
        Err(refusal(RefusalKind::Busy, why))
    }

    /// The first batch of the first epoch of which nothing is held or committed.
    fn first_unknown<'a>(&self, batches: &'a [Held]) -> Option<&'a Held> {
        let mut seen = BTreeSet::new();
        let mut firsts = batches
            .iter()
            .filter(|batch| seen.insert(batch.sender.epoch));
        firsts.find(|batch| !self.intake.knows(&batch.sender))
    }
}

fn unknown_epoch(first: &Held) -> Refusal {
    let (seq, epoch) = (first.seq, first.sender.epoch);
    let reason =
        format!("header.epoch: nothing of {epoch} is known here, and {seq} is not its first");
    Refusal {
        epoch: Some(epoch),
        seq: Some(seq),
        ..refusal(RefusalKind::UnknownEpoch, reason)
    }
}
