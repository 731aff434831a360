//! An agent's windows on their way into its spool. As the agent's own keeper: a window that could not be
//! kept waits in memory, and the state in the spool stays where it is.

use std::{cell::RefCell, collections::VecDeque, rc::Rc, sync::Arc};

use agent::spool::{Beginning, Entry, Spool, SpoolError};
use bytes::Bytes;
use protocol::{Epoch, Gap, GapReason, Header, Previous, Timestamp};

use super::{Node, window::Window};
use crate::chaos::{
    life::Fate,
    truth::{Content, Name},
};

/// Windows whose rows wait in memory while the disk fails; of older ones only their numbers.
const MOST_WAITING: usize = 4;

/// See the module.
pub struct Keeper {
    node: Rc<Node>,
    life: Arc<Fate>,
    spool: Rc<RefCell<Spool>>,
    epoch: Epoch,
    next_seq: u64,
    previous: Option<Previous>,
    waiting: VecDeque<Window>,
    /// Units up to here are in windows.
    baseline: u64,
}

impl Keeper {
    /// Begins an epoch, and goes on from the spool's state.
    pub fn start(
        node: &Rc<Node>,
        life: &Arc<Fate>,
        spool: &Rc<RefCell<Spool>>,
    ) -> Result<Self, SpoolError> {
        let mut keeper = Self {
            node: Rc::clone(node),
            life: Arc::clone(life),
            spool: Rc::clone(spool),
            epoch: Epoch::default(),
            next_seq: 1,
            previous: None,
            waiting: VecDeque::new(),
            baseline: 0,
        };
        let state = spool.borrow().state()?;
        keeper.begin()?;
        keeper.baseline = keeper.resumed(state.as_deref());
        Ok(keeper)
    }

    /// From where units are counted: without a state, from now on.
    fn resumed(&self, state: Option<&[u8]>) -> u64 {
        let stored = state.and_then(|bytes| Some(u64::from_le_bytes(bytes.try_into().ok()?)));
        if let Some(state) = stored {
            self.node.known(|node| node.resolve(state));
        }
        stored.unwrap_or_else(|| {
            let now = self.node.truth.counter(self.node.index);
            let is_allowed = self.node.known(|node| {
                node.excused.push((node.told, now));
                node.told = now;
                node.may_be_stateless
            });
            if !is_allowed {
                let name = &self.node.name;
                self.node
                    .world
                    .problem(format!("the spool of {name} forgot its state"));
            }
            now
        })
    }

    fn begin(&mut self) -> Result<(), SpoolError> {
        let mut bytes = [0; 16];
        self.node.world.draw(|random| {
            for part in bytes.chunks_mut(8) {
                part.copy_from_slice(&random.draw().to_le_bytes());
            }
        });
        let epoch = Epoch(bytes);
        let now = self.now();
        self.epoch = epoch;
        self.previous = None;
        let header = self.header(1, (now, now));
        let Beginning { next_seq, previous } = self.spool.borrow_mut().begin(&header)?;
        (self.next_seq, self.previous) = (next_seq, previous);
        self.node.note(format_args!(
            "begins {epoch} at {next_seq}, after {previous:?}"
        ));
        self.node.known(|node| {
            if let Some(Previous { epoch, .. }) = previous
                && !node.epochs.contains(&epoch)
            {
                // A start that died in the middle: all that it kept is the gap of a lost spool.
                node.lose();
                node.epochs.push(epoch);
                node.keep_gap(Name { epoch, seq: 1 });
            }
            if next_seq > 1 {
                node.lose();
            }
            node.epochs.push(epoch);
            if next_seq > 1 {
                node.keep_gap(Name { epoch, seq: 1 });
            }
        });
        Ok(())
    }

    /// By this agent's clock.
    pub fn now(&self) -> Timestamp {
        let wall = self.node.world.clocks(self.life.skew_us()).wall;
        Timestamp {
            unix_us: i64::try_from(wall.as_micros()).unwrap_or(i64::MAX),
        }
    }

    fn header(&self, seq: u64, (start, end): (Timestamp, Timestamp)) -> Header {
        Header {
            cluster: "chaos".to_owned(),
            node: self.node.name.clone(),
            boot_id: "boot".to_owned(),
            epoch: self.epoch,
            seq,
            previous: self.previous.filter(|_| seq == 1),
            window_start: start,
            window_end: end,
        }
    }

    /// Closes a window and keeps it, with those that wait since earlier tries.
    pub fn close(&mut self) {
        let node = Rc::clone(&self.node);
        let units = (self.baseline, node.truth.counter(node.index));
        if units.0 < units.1 {
            let end = self.now();
            let start =
                end.plus_us(-i64::try_from(node.world.profile.window_ms).unwrap_or(0) * 1_000);
            let window = node
                .world
                .draw(|random| Window::new(random, units, (start, end)));
            self.waiting.push_back(window);
            self.baseline = units.1;
        }
        self.save_memory();
        if !self.waiting.is_empty() {
            self.keep();
        }
        let is_drained = self.waiting.is_empty() && self.spool.borrow().waiting().is_empty();
        node.known(|known| known.is_drained = is_drained && known.told == units.1);
    }

    fn save_memory(&mut self) {
        let whole = self.waiting.iter().filter(|window| !window.rows.is_empty());
        if whole.count() > MOST_WAITING
            && let Some(oldest) = self
                .waiting
                .iter_mut()
                .find(|window| !window.rows.is_empty())
        {
            oldest.rows.clear();
        }
    }

    fn keep(&mut self) {
        let seqs = self.next_seq..;
        let entries = seqs.zip(&self.waiting);
        let entries: Vec<_> = entries
            .map(|(seq, window)| self.entry(seq, window))
            .collect();
        let kept = self
            .spool
            .borrow_mut()
            .keep(&entries, Some(&self.baseline.to_le_bytes()));
        match kept {
            Ok(()) => self.kept(),
            Err(error) => {
                self.node.note(format_args!("can't keep: {error}"));
                let contents = self.contents();
                self.node.known(|node| node.perhaps.push(contents));
                match error {
                    SpoolError::Lost { .. } => self.lost(),
                    SpoolError::Order { next, .. } if self.have_landed(next) => {
                        self.keep_the_rest();
                    }
                    SpoolError::Order { .. } => {
                        let name = &self.node.name;
                        self.node
                            .world
                            .problem(format!("{name} can't go on: {error}"));
                    }
                    _ => {}
                }
            }
        }
    }

    fn keep_the_rest(&mut self) {
        if !self.waiting.is_empty() {
            self.keep();
        }
    }

    /// As the agent's own keeper does: a write that failed may have been done all the same.
    fn have_landed(&mut self, next: u64) -> bool {
        let landed = usize::try_from(next.saturating_sub(self.next_seq)).unwrap_or(usize::MAX);
        let have = landed > 0 && landed <= self.waiting.len();
        if have {
            self.node.known(|node| node.land(landed));
            self.waiting.drain(..landed);
            self.next_seq = next;
        }
        have
    }

    /// The spool put its file aside and made a new one.
    fn lost(&mut self) {
        self.node.known(crate::chaos::truth::Node::lose);
        if let Err(error) = self.begin() {
            self.node.note(format_args!("can't begin: {error}"));
        }
    }

    fn kept(&mut self) {
        let count = self.waiting.len();
        self.node
            .note(format_args!("keeps {count} from {}", self.next_seq));
        let contents = self.contents();
        self.node.known(|node| {
            node.perhaps.clear();
            contents
                .into_iter()
                .for_each(|(name, content)| node.keep(name, content));
        });
        self.next_seq += count as u64;
        self.waiting.clear();
    }

    /// Of the batches that wait in memory.
    fn contents(&self) -> Vec<(Name, Content)> {
        let epoch = self.epoch;
        let names = (self.next_seq..).map(|seq| Name { epoch, seq });
        let contents = self.waiting.iter().map(|window| Content {
            units: window.units,
            rows: window.counts,
            is_gap: window.rows.is_empty(),
        });
        names.zip(contents).collect()
    }

    fn entry(&self, seq: u64, window: &Window) -> Entry {
        let header = self.header(seq, window.times);
        let frame = if window.rows.is_empty() {
            let gap = Gap {
                reason: GapReason::SpoolFull,
                message: "the spool could not be written for too long".to_owned(),
                rows_lost: window.counts,
            };
            protocol::encode_gap(&header, &gap)
        } else {
            protocol::encode_rows(&header, &window.rows)
        };
        Entry {
            header,
            rows: window.counts,
            frame: Bytes::from(frame),
        }
    }
}
