//! The loop with a real spool against an aggregator on real sockets.

mod answers;
mod ledger;
mod path;
mod places;

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{Arc, PoisonError},
    time::Duration,
};

use protocol::{Counts, Epoch, Header, Timestamp};
use tokio::sync::Notify;

use super::{Shipper, Store};
use crate::{
    health::{Health, View},
    ship::{Settings, testing::Aggregator},
    spool::{self, Entry, Spool},
};
use ledger::{Ledger, Shared, frame};

/// Longer than anything takes that is not broken.
const ENOUGH: Duration = Duration::from_secs(20);

fn epoch(number: u8) -> Epoch {
    Epoch([number; 16])
}

/// An agent's end and its aggregator.
struct Pair {
    aggregator: Aggregator,
    ledger: Shared,
    spool: Rc<RefCell<Spool>>,
    grown: Rc<Notify>,
    health: Health,
}

impl Pair {
    async fn new() -> Self {
        let ledger = Ledger::shared();
        let answering = Arc::clone(&ledger);
        let aggregator = Aggregator::start(move |seen| {
            let mut ledger = answering.lock().unwrap_or_else(PoisonError::into_inner);
            ledger.answer(seen)
        })
        .await;
        let settings = spool::Settings {
            file: aggregator.files.path().join("spool"),
            max_bytes: 1 << 30,
            max_age: Duration::from_secs(7 * 24 * 3600),
        };
        let (spool, _) = Spool::open(settings).unwrap();
        Self {
            aggregator,
            ledger,
            spool: Rc::new(RefCell::new(spool)),
            grown: Rc::default(),
            health: Health::new("aggregator"),
        }
    }

    fn shipper(&self) -> Shipper {
        self.shipper_with(|_| {})
    }

    fn shipper_with(&self, change: impl FnOnce(&mut Settings)) -> Shipper {
        let mut settings = self.aggregator.settings();
        settings.limits.pace.ask_first = Duration::from_millis(100);
        change(&mut settings);
        let queue = (Rc::clone(&self.spool), Rc::clone(&self.grown));
        let health = self.health.clone();
        Shipper::new(settings, "node-1".into(), queue, health, 1).unwrap()
    }

    /// Batches come into the spool.
    fn keep(&self, epoch: Epoch, seqs: impl IntoIterator<Item = u64>) {
        let now = Timestamp::from_system(std::time::SystemTime::now());
        let entry = |seq| Entry {
            header: Header {
                cluster: "cluster".into(),
                node: "node-1".into(),
                boot_id: "boot".into(),
                epoch,
                seq,
                previous: None,
                window_start: now,
                window_end: now,
            },
            rows: Counts::default(),
            frame: frame(epoch, seq),
        };
        let entries: Vec<Entry> = seqs.into_iter().map(entry).collect();
        self.spool.borrow_mut().keep(&entries, None).unwrap();
        self.grown.notify_one();
    }

    fn is_empty(&self) -> bool {
        self.spool.borrow().waiting().is_empty()
    }

    fn ledger(&self) -> std::sync::MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap()
    }

    fn view(&self) -> View {
        self.health.view()
    }
}

/// Until something holds.
async fn until(what: impl Fn() -> bool) {
    let holds = async {
        while !what() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(ENOUGH, holds).await.unwrap();
}

/// Runs it while something is done.
async fn with<S: Store>(shipper: &mut Shipper<S>, what: impl Future<Output = ()>) {
    tokio::select! {
        () = shipper.run() => {}
        () = what => {}
    }
}

async fn run_until(shipper: &mut Shipper, what: impl Fn() -> bool) {
    with(shipper, until(what)).await;
}
