//! The network between agents and aggregators: it loses, delays, repeats and reorders, and now and then
//! it is cut. What stands before an aggregator's door, the check of tokens, is here as well.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use protocol::{Ack, Body, Limits, Refusal, RefusalKind};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::world::{World, lock};

/// Bodies of old requests that may come once more.
const OLD: usize = 32;
/// An agent waits this long for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A request at the door of an aggregator.
#[derive(Debug)]
pub struct Request {
    /// The node whose token came with it.
    pub node: String,
    /// The message.
    pub body: Bytes,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Result<Bytes, Refusal>>,
}

/// What comes of a request.
#[derive(Debug)]
pub enum Reply {
    /// An answer.
    Answer(Ack),
    /// A refusal, and the wait it asks for.
    Refused(Refusal, Option<Duration>),
    /// Nothing: no connection, or no answer in time.
    Failed,
}

/// See the module.
#[derive(Debug)]
pub struct Network {
    world: Arc<World>,
    doors: Vec<Mutex<Option<mpsc::UnboundedSender<Request>>>>,
    cut: Mutex<BTreeMap<(usize, usize), Instant>>,
    unbelieved: Mutex<BTreeMap<usize, Instant>>,
    /// Doors that a look-up tells.
    names: Mutex<Vec<usize>>,
    old: Mutex<VecDeque<(String, Bytes)>>,
}

impl Network {
    /// To so many aggregators.
    pub fn new(world: &Arc<World>, aggregators: usize) -> Arc<Self> {
        Arc::new(Self {
            world: Arc::clone(world),
            doors: (0..aggregators).map(|_| Mutex::default()).collect(),
            cut: Mutex::default(),
            unbelieved: Mutex::default(),
            names: Mutex::new(vec![0]),
            old: Mutex::default(),
        })
    }

    /// How many aggregators there may be.
    pub fn doors(&self) -> usize {
        self.doors.len()
    }

    /// An aggregator is there now; requests come out of here.
    pub fn open(&self, door: usize) -> mpsc::UnboundedReceiver<Request> {
        let (sender, receiver) = mpsc::unbounded_channel();
        *lock(&self.doors[door]) = Some(sender);
        receiver
    }

    /// Nobody is behind that door any more.
    pub fn close(&self, door: usize) {
        *lock(&self.doors[door]) = None;
    }

    /// Look-ups tell these doors from now on.
    pub fn name(&self, doors: Vec<usize>) {
        *lock(&self.names) = doors;
    }

    /// What a look-up tells; nothing where it fails.
    pub fn names(&self) -> Vec<usize> {
        match self.world.chance(self.world.profile.network.lose_request) {
            true => Vec::new(),
            false => lock(&self.names).clone(),
        }
    }

    /// Nothing passes between these two for a time.
    pub fn cut(&self, node: usize, door: usize, span: Duration) {
        lock(&self.cut).insert((node, door), Instant::now() + span);
    }

    /// This node's token is not believed for a time.
    pub fn unbelieve(&self, node: usize, span: Duration) {
        lock(&self.unbelieved).insert(node, Instant::now() + span);
    }

    /// Sends a message and waits for what comes of it.
    pub async fn exchange(&self, node: usize, name: String, door: usize, body: Bytes) -> Reply {
        let (world, chances) = (&self.world, &self.world.profile.network);
        world.linger(chances.slowness).await;
        if self.is_cut(node, door) || world.chance(chances.lose_request) {
            tokio::time::sleep(PATIENCE).await;
            return Reply::Failed;
        }
        if let Some(refused) = self.refused(node, door, &body) {
            world.linger(chances.slowness).await;
            return refused;
        }
        self.repeat(&name, &body);
        let Some(answered) = self.knock(door, name, body) else {
            return Reply::Failed;
        };
        let Ok(Ok(answer)) = tokio::time::timeout(PATIENCE, answered).await else {
            return Reply::Failed;
        };
        world.linger(chances.slowness).await;
        if self.is_cut(node, door) || world.chance(chances.lose_answer) {
            tokio::time::sleep(PATIENCE).await;
            return Reply::Failed;
        }
        match answer {
            Ok(body) => self.decoded(&body),
            Err(refusal) => Reply::Refused(refusal, self.retry_after()),
        }
    }

    fn decoded(&self, body: &[u8]) -> Reply {
        match protocol::decode_ack(body) {
            Ok(ack) => Reply::Answer(ack),
            Err(error) => {
                self.world
                    .problem(format!("an answer can't be read: {error}"));
                Reply::Failed
            }
        }
    }

    fn knock(
        &self,
        door: usize,
        node: String,
        body: Bytes,
    ) -> Option<oneshot::Receiver<Result<Bytes, Refusal>>> {
        let (answer, answered) = oneshot::channel();
        let request = Request { node, body, answer };
        let door = lock(&self.doors[door]);
        door.as_ref()?.send(request).ok()?;
        Some(answered)
    }

    fn is_cut(&self, node: usize, door: usize) -> bool {
        let until = lock(&self.cut).get(&(node, door)).copied();
        until.is_some_and(|until| Instant::now() < until) && !self.world.is_healed()
    }

    fn retry_after(&self) -> Option<Duration> {
        self.world.draw(|random| match random.below(3) {
            0 => None,
            1 => Some(Duration::from_secs(1)),
            _ => Some(Duration::from_secs(random.magnitude(1, 60))),
        })
    }

    /// What the door says instead of the aggregator.
    fn refused(&self, node: usize, door: usize, body: &Bytes) -> Option<Reply> {
        let until = lock(&self.unbelieved).get(&node).copied();
        let is_believed = until.is_none_or(|until| Instant::now() >= until);
        if !is_believed && !self.world.is_healed() {
            let refusal = refusal(RefusalKind::Unauthorized, "the token is not believed");
            return Some(Reply::Refused(refusal, None));
        }
        if self.world.chance(self.world.profile.network.busy) {
            let kinds = [
                RefusalKind::Busy,
                RefusalKind::TooMany,
                RefusalKind::TooSlow,
            ];
            let kind = self.world.draw(|random| random.pick(&kinds).copied());
            let refusal = refusal(kind.unwrap_or(RefusalKind::Busy), "no room");
            return Some(Reply::Refused(refusal, self.retry_after()));
        }
        self.never_taken(door, body)
    }

    /// Some whole batches are never taken; by one aggregator alone, where their number says so.
    fn never_taken(&self, door: usize, body: &Bytes) -> Option<Reply> {
        let chance = self.world.profile.refused;
        if chance == 0 {
            return None;
        }
        let limits = Limits::default();
        let message = protocol::decode_message(body.clone(), &limits).ok()?;
        for frame in &message.batches {
            let sum = frame.iter().fold(0_u64, |sum, byte| {
                (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
            });
            let is_refused = sum % 10_000 < u64::from(chance);
            let is_by_all = sum % 2 == 0;
            if !is_refused || !(is_by_all || door == 0) {
                continue;
            }
            let batch = protocol::decode(frame, &limits).ok()?;
            if matches!(batch.body, Body::Gap(_)) {
                continue;
            }
            let refusal = Refusal {
                epoch: Some(batch.header.epoch),
                seq: Some(batch.header.seq),
                ..refusal(RefusalKind::BadBatch, "never to be taken")
            };
            return Some(Reply::Refused(refusal, None));
        }
        None
    }

    /// A copy comes later, here or elsewhere; or one of an old request.
    fn repeat(&self, name: &str, body: &Bytes) {
        let chance = self.world.profile.network.repeat;
        let mut old = lock(&self.old);
        if chance > 0 {
            old.push_back((name.to_owned(), body.clone()));
            if old.len() > OLD {
                old.pop_front();
            }
        }
        if !self.world.chance(chance) {
            return;
        }
        let place = self.world.draw(|random| random.below(old.len() as u64));
        let Some((node, body)) = old.get(usize::try_from(place).unwrap_or(0)).cloned() else {
            return;
        };
        let door = self
            .world
            .draw(|random| random.below(self.doors.len() as u64));
        let door = lock(&self.doors[usize::try_from(door).unwrap_or(0)]).clone();
        let world = Arc::clone(&self.world);
        tokio::spawn(async move {
            let most = world.draw(|random| random.magnitude(1, 60_000));
            world.linger(most).await;
            let (answer, _answered) = oneshot::channel();
            if let Some(door) = door {
                // Nobody may be behind that door any more.
                drop(door.send(Request { node, body, answer }));
            }
        });
    }
}

fn refusal(kind: RefusalKind, reason: &str) -> Refusal {
    Refusal {
        kind,
        reason: reason.to_owned(),
        epoch: None,
        seq: None,
        index: None,
    }
}
