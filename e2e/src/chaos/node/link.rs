//! An agent's sending: the delivery machine of the agent, driven over the simulated network.

use std::{
    cell::RefCell,
    future::Future,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    rc::Rc,
    time::Duration,
};

use agent::{
    ship::{
        delivery::{Action, Delivery, Effect, Outgoing, Pace, Trouble},
        spread::{Spread, Timing, Verdict},
    },
    spool::{Spool, SpoolError},
};
use bytes::Bytes;
use protocol::Epoch;
use tokio::time::Instant;

use super::Node;
use crate::chaos::network::Reply;

/// Nothing is looked at for longer than this: a window may have come.
const LOOK: Duration = Duration::from_secs(5);

/// Of an aggregator's pod, as the names tell it.
fn address(door: usize) -> SocketAddr {
    let number = u8::try_from(door).unwrap_or(u8::MAX);
    ([10, 0, 0, number], 8443).into()
}

fn door(address: SocketAddr) -> usize {
    match address.ip() {
        IpAddr::V4(address) => usize::from(address.octets()[3]),
        IpAddr::V6(_) => 0,
    }
}

/// See the module.
pub struct Link {
    node: Rc<Node>,
    spool: Rc<RefCell<Spool>>,
    delivery: Delivery,
    door: usize,
    /// Where the number of aggregators changes: who decides the door.
    spread: Option<Spread>,
    begin: Instant,
    under_way: Option<Pin<Box<dyn Future<Output = Reply>>>>,
}

impl Link {
    /// To any aggregator.
    pub fn new(node: &Rc<Node>, spool: &Rc<RefCell<Spool>>) -> Self {
        let seed = node.world.draw(crate::chaos::random::Random::draw);
        let mut link = Self {
            node: Rc::clone(node),
            spool: Rc::clone(spool),
            delivery: Delivery::new(Pace::default(), seed),
            door: 0,
            spread: (node.world.profile.scales)
                .then(|| Spread::new(&node.name, Timing::default(), seed)),
            begin: Instant::now(),
            under_way: None,
        };
        link.wander();
        link
    }

    /// To another aggregator, or the same anew.
    fn wander(&mut self) {
        if self.spread.is_some() {
            return;
        }
        let doors = self.node.network.doors() as u64;
        let door = self.node.world.draw(|random| random.below(doors));
        self.door = usize::try_from(door).unwrap_or(0);
        self.delivery.on_disconnect();
        self.under_way = None;
    }

    fn now(&self) -> Duration {
        self.begin.elapsed()
    }

    /// Looks up what the names say, and goes where that leads.
    fn look_around(&mut self) {
        let now = self.now();
        let Some(spread) = &mut self.spread else {
            return;
        };
        if spread.lookup_at().is_some_and(|at| at <= now) {
            spread.on_lookup_begun();
            let names = self.node.network.names();
            let found: Vec<SocketAddr> = names.into_iter().map(address).collect();
            spread.on_lookup(now, &found);
        }
        spread.on_time(now);
        self.follow();
    }

    /// Whether another aggregator may be tried at once.
    fn leaves(&mut self) -> bool {
        let now = self.now();
        let verdict = self.spread.as_mut().map(|spread| spread.on_failure(now));
        self.follow();
        verdict == Some(Verdict::Turn)
    }

    fn follow(&mut self) {
        let at = self.spread.as_ref().and_then(Spread::at).map(door);
        if let Some(door) = at.filter(|door| *door != self.door) {
            self.node.note(format_args!("goes to aggregator {door}"));
            self.door = door;
            self.delivery.on_disconnect();
        }
    }

    /// One step: sends, waits, or takes what came. May be dropped at any await and called again.
    pub async fn turn(&mut self) {
        if self.under_way.is_none() {
            self.look_around();
            self.decide().await;
            return;
        }
        let Some(under_way) = &mut self.under_way else {
            return;
        };
        let reply = under_way.await;
        self.under_way = None;
        self.take(reply);
        if self
            .node
            .world
            .chance(self.node.world.profile.network.wander)
        {
            self.wander();
        }
    }

    async fn decide(&mut self) {
        let action = self.delivery.next(self.now(), &*self.spool.borrow());
        match action {
            Ok(Action::Send(outgoing)) => self.send(&outgoing),
            Ok(Action::WaitUntil(until)) => {
                let until = self.begin + until;
                tokio::time::sleep_until(until.min(Instant::now() + LOOK)).await;
            }
            Ok(Action::Idle) => tokio::time::sleep(LOOK).await,
            Err(error) => {
                self.node
                    .note(format_args!("can't read its spool: {error}"));
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }

    fn send(&mut self, outgoing: &Outgoing) {
        let first = outgoing.batches.first().map(|part| (part.epoch, part.seq));
        let (count, asks) = (outgoing.batches.len(), outgoing.asks.len());
        let door = self.door;
        self.node.note(format_args!(
            "sends {count} from {first:?} and {asks} questions to aggregator {door}"
        ));
        let body = Bytes::from(protocol::encode_message(&outgoing.message(&self.node.name)));
        let node = Rc::clone(&self.node);
        self.under_way = Some(Box::pin(async move {
            let name = node.name.clone();
            node.network.exchange(node.index, name, door, body).await
        }));
    }

    fn take(&mut self, reply: Reply) {
        let now = self.now();
        match reply {
            Reply::Answer(ack) => {
                self.node
                    .note(format_args!("is answered {:?}", ack.answers));
                if let Some(spread) = &mut self.spread {
                    spread.on_answer();
                }
                let effects = self
                    .delivery
                    .on_answer(now, &ack, &mut *self.spool.borrow_mut());
                match effects {
                    Ok(effects) => self.apply(effects),
                    Err(error) => self
                        .node
                        .note(format_args!("can't take the answer: {error}")),
                }
            }
            Reply::Refused(refusal, retry_after) => {
                self.node.note(format_args!("is refused: {refusal:?}"));
                let effects = self.delivery.on_refusal(now, &refusal, retry_after);
                self.apply(effects);
            }
            Reply::Failed => {
                self.node.note(format_args!("gets no answer"));
                if !self.leaves() {
                    self.delivery.on_failure(now, None);
                    self.wander();
                }
            }
        }
    }

    fn apply(&self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Delete { epoch, up_to } => self.delete(epoch, up_to),
                Effect::GiveUp {
                    epoch,
                    seq,
                    message,
                } => self.give_up(epoch, seq, &message),
                Effect::Tell(Trouble::GapRefused { .. }) => {}
                Effect::Tell(trouble) => {
                    let name = &self.node.name;
                    self.node
                        .world
                        .problem(format!("{name} is in trouble: {trouble}"));
                }
            }
        }
    }

    fn delete(&self, epoch: Epoch, up_to: u64) {
        match self.spool.borrow_mut().committed(epoch, up_to) {
            Ok(()) => self.node.known(|node| {
                let deleted = node.deleted.entry(epoch).or_default();
                *deleted = up_to.max(*deleted);
                node.waiting
                    .retain(|name, _| name.epoch != epoch || name.seq > up_to);
            }),
            Err(error) => self.node.note(format_args!("can't delete: {error}")),
        }
    }

    fn give_up(&self, epoch: Epoch, seq: u64, message: &str) {
        let reason = protocol::GapReason::Refused;
        let given_up: Result<(), SpoolError> =
            self.spool.borrow_mut().give_up(epoch, seq, reason, message);
        match given_up {
            Ok(()) => self.node.note(format_args!("gives up {epoch} {seq}")),
            Err(error) => self.node.note(format_args!("can't give up: {error}")),
        }
    }
}
