//! The agent's spool on a disk that fails: whatever `keep` said is kept is there, with its state, in
//! order; what it refused is not there; and nothing is there in part.

use std::time::Duration;

use agent::spool::{Beginning, Bounds, Entry, Found, Spool, SpoolError};
use bytes::Bytes;
use protocol::{Counts, Epoch, Header, Previous, Timestamp};

use rand::RngCore as _;

use super::*;

const BOUNDS: Bounds = Bounds {
    max_bytes: u64::MAX,
    max_age: Duration::from_secs(604_800),
};

/// A batch as it must come back.
type Kept = (Epoch, u64, Bytes);

/// What a spool must hold.
#[derive(Clone, Default)]
struct Truth {
    batches: Vec<Kept>,
    state: Option<Vec<u8>>,
    last: Option<(Epoch, u64)>,
    /// All that were ever kept.
    ever: Vec<Kept>,
}

/// Agents that start, count and die on one disk.
struct Life {
    disk: Disk,
    random: StdRng,
    truth: Truth,
    /// What a `keep` without an answer may have added.
    perhaps: Option<Truth>,
    epoch: Epoch,
    next: u64,
}

impl Life {
    fn new(seed: u64) -> Self {
        Self {
            disk: Disk::new(seed),
            random: StdRng::seed_from_u64(seed ^ 0x5eed),
            truth: Truth::default(),
            perhaps: None,
            epoch: Epoch::default(),
            next: 1,
        }
    }

    /// A start: what is there is judged, then an epoch begins.
    fn start(&mut self) -> Spool {
        self.disk.set_mood(Mood::Works);
        let (mut spool, found) = Spool::open_on(self.disk.place(), BOUNDS).unwrap();
        assert!(!matches!(found, Found::Lost { .. }), "{found:?}");
        self.judge(&spool);
        self.begin(&mut spool);
        spool
    }

    fn begin(&mut self, spool: &mut Spool) -> Beginning {
        self.epoch = Epoch(self.random.random());
        let beginning = spool.begin(&self.header(1)).unwrap();
        let last = self.truth.last.filter(|_| beginning.next_seq == 1);
        let previous = last.map(|(epoch, last)| Previous { epoch, last });
        assert_eq!(beginning.previous, previous);
        self.next = beginning.next_seq;
        beginning
    }

    fn judge(&mut self, spool: &Spool) {
        let found = contents(spool);
        let state = spool.state().unwrap();
        if let Some(perhaps) = self.perhaps.take()
            && state == perhaps.state
        {
            self.truth = perhaps;
        }
        assert_eq!(state, self.truth.state);
        // What was deleted may be there again.
        let there: Vec<_> = found
            .iter()
            .filter(|kept| self.truth.batches.contains(kept))
            .collect();
        assert!(
            there.into_iter().eq(&self.truth.batches),
            "something is missing, or was changed"
        );
        assert!(
            found.iter().all(|kept| self.truth.ever.contains(kept)),
            "something was never kept"
        );
        assert!(
            found.is_sorted_by_key(|kept| self.truth.ever.iter().position(|ever| ever == kept))
        );
        self.truth.batches = found;
    }

    fn header(&self, seq: u64) -> Header {
        Header {
            cluster: "c".to_owned(),
            node: "n".to_owned(),
            boot_id: "b".to_owned(),
            epoch: self.epoch,
            seq,
            previous: None,
            window_start: Timestamp::default(),
            window_end: Timestamp { unix_us: 1 },
        }
    }

    fn noise(&mut self, len: usize) -> Vec<u8> {
        let mut noise = vec![0; len];
        self.random.fill_bytes(&mut noise);
        noise
    }

    /// One to three batches of some size, and what the spool must hold with them.
    fn draw(&mut self) -> (Vec<Entry>, Vec<u8>, Truth) {
        let mut truth = self.truth.clone();
        let mut entries = Vec::new();
        for seq in (self.next..).take(self.random.random_range(1..=3)) {
            let len = self.random.random_range(0..30_000);
            let frame = Bytes::from(self.noise(len));
            truth.batches.push((self.epoch, seq, frame.clone()));
            truth.ever.push((self.epoch, seq, frame.clone()));
            truth.last = Some((self.epoch, seq));
            entries.push(Entry {
                header: self.header(seq),
                rows: Counts::default(),
                frame,
            });
        }
        let len = self.random.random_range(16..20_000);
        let state = self.noise(len);
        truth.state = Some(state.clone());
        (entries, state, truth)
    }

    /// Keeps some; false if the agent died meanwhile.
    fn keep(&mut self, spool: &mut Spool) -> bool {
        let (entries, state, truth) = self.draw();
        match spool.keep(&entries, Some(&state)) {
            Ok(()) => {
                self.truth = truth;
                self.next += entries.len() as u64;
                true
            }
            Err(error) => {
                assert!(self.disk.is_dead(), "{error}");
                self.perhaps = Some(truth);
                false
            }
        }
    }

    fn commit(&mut self, spool: &mut Spool) {
        let waiting = spool.waiting();
        let Some(oldest) = waiting.first() else {
            return;
        };
        let seq = self.random.random_range(oldest.first..=oldest.last);
        spool.committed(oldest.epoch, seq).unwrap();
        self.truth
            .batches
            .retain(|kept| kept.0 != oldest.epoch || kept.1 > seq);
        assert_eq!(contents(spool), self.truth.batches);
    }
}

fn contents(spool: &Spool) -> Vec<Kept> {
    let mut batches = Vec::new();
    for waiting in spool.waiting() {
        let read = spool
            .read(waiting.epoch, waiting.first, usize::MAX)
            .unwrap();
        assert_eq!(read.last().map(|(seq, _)| *seq), Some(waiting.last));
        batches.extend(
            read.into_iter()
                .map(|(seq, frame)| (waiting.epoch, seq, frame)),
        );
    }
    batches
}

/// Several lives, each of which ends at any operation.
fn lives(seed: u64, end: impl Fn(&Disk)) {
    let mut life = Life::new(seed);
    for _ in 0..6 {
        let mut spool = life.start();
        let operations = life.random.random_range(0..250);
        life.disk.set_mood(Mood::Dies(operations));
        while life.keep(&mut spool) {
            if life.random.random_bool(0.3) && !life.disk.is_dead() {
                let mood = life.disk.lock().mood;
                life.disk.set_mood(Mood::Works);
                life.commit(&mut spool);
                life.disk.set_mood(mood);
            }
        }
        end(&life.disk);
        drop(spool);
    }
    drop(life.start());
}

#[test]
fn a_loss_of_power_takes_nothing_that_was_kept() {
    for seed in 0..40 {
        lives(seed, Disk::lose_power);
    }
}

#[test]
fn a_killed_agent_loses_nothing_that_was_kept() {
    for seed in 0..20 {
        lives(seed, Disk::kill);
    }
}

#[test]
fn power_is_lost_during_the_start_too() {
    for seed in 0..15 {
        let mut life = Life::new(seed);
        let mut spool = life.start();
        (0..3).for_each(|_| assert!(life.keep(&mut spool)));
        life.disk.lose_power();
        drop(spool);
        for operations in 0..30 {
            life.disk.set_mood(Mood::Dies(operations));
            drop(Spool::open_on(life.disk.place(), BOUNDS));
            life.disk.lose_power();
        }
        drop(life.start());
    }
}

#[test]
fn a_full_disk_changes_nothing_and_the_same_can_be_tried_again() {
    for seed in 0..20 {
        let mut life = Life::new(seed);
        let mut spool = life.start();
        for _ in 0..4 {
            assert!(life.keep(&mut spool));
            let (entries, state, truth) = life.draw();
            let left = life.random.random_range(0..12);
            life.disk.set_mood(Mood::Full(left));
            let kept = spool.keep(&entries, Some(&state));
            life.disk.set_mood(Mood::Works);
            if let Err(error) = kept {
                assert!(matches!(error, SpoolError::Write(_)), "{error}");
                assert!(spool.meters().failed_writes > 0);
                if spool.state().is_ok() {
                    assert_eq!(contents(&spool), life.truth.batches);
                    assert_eq!(spool.state().unwrap(), life.truth.state);
                }
                spool.keep(&entries, Some(&state)).unwrap();
            }
            life.next += entries.len() as u64;
            life.truth = truth;
            assert_eq!(contents(&spool), life.truth.batches);
        }
        assert_eq!(life.disk.put_aside(), 0);
        life.disk.lose_power();
        drop(spool);
        drop(life.start());
    }
}

#[test]
fn after_a_failed_sync_the_file_is_put_aside_and_a_new_epoch_says_so() {
    let mut lost = 0;
    for seed in 0..20 {
        let mut life = Life::new(seed);
        let mut spool = life.start();
        assert!(life.keep(&mut spool));
        let (entries, state, _) = life.draw();
        let left = life.random.random_range(0..3);
        life.disk.set_mood(Mood::SyncFails(left));
        let kept = spool.keep(&entries, Some(&state));
        life.disk.set_mood(Mood::Works);
        let Err(error) = kept else { continue };
        // A disk that syncs nothing can't hold a new spool either: then it is told with the next try.
        assert!(matches!(error, SpoolError::Write(_)), "{error}");
        let error = spool.keep(&entries, Some(&state)).unwrap_err();
        assert!(matches!(error, SpoolError::Lost { .. }), "{error}");
        lost += 1;
        assert_eq!(life.disk.put_aside(), 1);
        life.truth = Truth::default();
        assert_eq!(
            life.begin(&mut spool),
            Beginning {
                next_seq: 2,
                previous: None
            }
        );
        let (_, _, gap) = contents(&spool).remove(0);
        life.truth.batches = vec![(life.epoch, 1, gap)];
        life.truth.ever.clone_from(&life.truth.batches);
        assert!(life.keep(&mut spool));
        life.disk.lose_power();
        drop(spool);
        drop(life.start());
    }
    assert!(lost > 10, "{lost}");
}

#[test]
fn rot_is_harmless_or_told() {
    let mut told = 0;
    for seed in 0..60 {
        let mut life = Life::new(seed);
        let mut spool = life.start();
        (0..3).for_each(|_| assert!(life.keep(&mut spool)));
        life.disk.kill();
        drop(spool);
        life.disk.rot(1);
        life.disk.set_mood(Mood::Works);
        let (mut spool, found) = Spool::open_on(life.disk.place(), BOUNDS).unwrap();
        if matches!(found, Found::Lost { .. }) {
            assert_eq!(life.begin(&mut spool).next_seq, 2);
            told += 1;
        } else {
            life.judge(&spool);
        }
    }
    assert!(told > 6, "{told}");
}

#[test]
fn the_same_seed_is_the_same_run() {
    let run = || {
        let mut life = Life::new(7);
        let mut spool = life.start();
        for _ in 0..20 {
            assert!(life.keep(&mut spool));
            life.commit(&mut spool);
        }
        life.disk.operations()
    };
    assert_eq!(run(), run());
}
