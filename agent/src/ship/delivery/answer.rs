//! What answers and refusals change.

use std::time::Duration;

use protocol::{Ack, Answer, Epoch, Refusal, RefusalKind};

use super::{Delivery, Effect, InFlight, Queue, Trouble};
use crate::spool::Waiting;

impl Delivery {
    /// An aggregator answered. Where nothing is on its way any more, the answer came too late to tell
    /// what is received; what is committed stays so.
    pub fn on_answer<Q: Queue>(
        &mut self,
        now: Duration,
        ack: &Ack,
        queue: &mut Q,
    ) -> Result<Vec<Effect>, Q::Error> {
        let waiting = queue.waiting();
        let sent = self.in_flight.take();
        let mut effects = Vec::new();
        if let Some(sent) = &sent {
            self.note_received(ack, &waiting, &mut effects);
            self.note_stall(sent, ack);
        }
        let is_our_table = match table_trouble(ack, queue) {
            Ok(None) => true,
            Ok(Some(trouble)) => {
                effects.push(Effect::Tell(trouble));
                false
            }
            Err(error) => {
                self.clockwork.back_off(now, None);
                return Err(error);
            }
        };
        let committed = effects.len();
        if is_our_table {
            effects.extend(ack.answers.iter().filter_map(|one| deletion(one, &waiting)));
        }
        if let Some(sent) = sent {
            self.pace_after(now, &sent, effects.len() > committed);
        }
        Ok(effects)
    }

    /// An aggregator refused what was sent. `retry_after` is what it asked for.
    pub fn on_refusal(
        &mut self,
        now: Duration,
        refusal: &Refusal,
        retry_after: Option<Duration>,
    ) -> Vec<Effect> {
        let Some(sent) = self.in_flight.take() else {
            return Vec::new();
        };
        if !refusal.kind.is_for_ever() {
            self.note_refusal(refusal, &sent);
            self.clockwork.back_off(now, retry_after);
            return Vec::new();
        }
        let Some((epoch, seq)) = named(refusal, &sent.batches) else {
            self.clockwork.back_off(now, retry_after);
            return vec![Effect::Tell(Trouble::NotNamed {
                kind: refusal.kind,
                reason: refusal.reason.clone(),
            })];
        };
        let mut effects = vec![Effect::GiveUp {
            epoch,
            seq,
            message: refusal.reason.clone(),
        }];
        if !self.refused.insert((epoch, seq)) {
            self.clockwork.back_off(now, retry_after);
            effects.push(Effect::Tell(Trouble::GapRefused {
                epoch,
                seq,
                reason: refusal.reason.clone(),
            }));
        }
        effects
    }

    fn note_refusal(&mut self, refusal: &Refusal, sent: &InFlight) {
        match refusal.kind {
            RefusalKind::TooLarge if sent.batches.len() > 1 => {
                self.most_batches = sent.batches.len() / 2;
                self.most_bytes = sent.bytes / 2;
            }
            // It knows nothing of what it told before.
            RefusalKind::UnknownEpoch => self.peer.received.clear(),
            _ => {}
        }
    }

    fn note_received(&mut self, ack: &Ack, waiting: &[Waiting], effects: &mut Vec<Effect>) {
        if self.peer.instance != Some(ack.instance) {
            self.peer.received.clear();
            let former = self.peer.instance.replace(ack.instance);
            if former.is_some() {
                // It may have other limits.
                self.most_bytes = self.clockwork.pace().message_bytes;
                self.most_batches = self.clockwork.pace().message_batches;
            }
        }
        for answer in &ack.answers {
            let Some(found) = waiting.iter().find(|one| one.epoch == answer.epoch) else {
                continue;
            };
            let expected = answer.expect.map(|expect| expect.saturating_sub(1));
            let received = expected.unwrap_or(answer.received);
            self.peer.received.insert(answer.epoch, received);
            if let Some(expect) = answer.expect.filter(|expect| *expect < found.first) {
                effects.push(Effect::Tell(Trouble::NeedsDeleted {
                    epoch: answer.epoch,
                    expect,
                    first: found.first,
                }));
            }
        }
    }

    fn note_stall(&mut self, sent: &InFlight, ack: &Ack) {
        let Some((epoch, first)) = sent.batches.first() else {
            return;
        };
        let answer = ack.answers.iter().find(|answer| answer.epoch == *epoch);
        let is_received = answer.is_some_and(|answer| answer.received >= *first);
        self.stalls = if is_received { 0 } else { self.stalls + 1 };
    }

    fn pace_after(&mut self, now: Duration, sent: &InFlight, has_news: bool) {
        if self.stalls > 1 {
            // The first time it may have rewound. Again and again would be a loop at full speed.
            self.clockwork.back_off(now, None);
            return;
        }
        if sent.batches.is_empty() && !has_news {
            self.clockwork.asked_in_vain();
        }
        self.clockwork.answered(now, has_news);
    }
}

fn table_trouble<Q: Queue>(ack: &Ack, queue: &mut Q) -> Result<Option<Trouble>, Q::Error> {
    if ack.table_id.is_empty() {
        return Ok(Some(Trouble::NoTable));
    }
    let first = queue.table_id(&ack.table_id)?;
    Ok((first != ack.table_id).then(|| Trouble::OtherTable {
        first,
        seen: ack.table_id.clone(),
    }))
}

/// Only what waits can be deleted, and only what is committed of that very epoch.
fn deletion(answer: &Answer, waiting: &[Waiting]) -> Option<Effect> {
    let found = waiting.iter().find(|one| one.epoch == answer.epoch)?;
    (answer.committed >= found.first).then(|| Effect::Delete {
        epoch: answer.epoch,
        up_to: answer.committed.min(found.last),
    })
}

/// The batch of the message that is refused. One that was not in it is none of the refusal's business.
fn named(refusal: &Refusal, sent: &[(Epoch, u64)]) -> Option<(Epoch, u64)> {
    match (refusal.epoch, refusal.seq, refusal.index) {
        (Some(epoch), Some(seq), _) => sent.iter().find(|one| **one == (epoch, seq)).copied(),
        (_, _, Some(index)) => sent.get(index).copied(),
        _ => None,
    }
}
