//! Puts each window into the spool, together with the state that follows from it, before anything of
//! it is sent. While the spool can't be written, windows wait here, few of them: the state stays where it
//! is, so that whoever starts after a kill tells them from there.

use std::{cell::RefCell, collections::VecDeque, rc::Rc};

use bytes::Bytes;
use protocol::{
    Counts, Epoch, Gap, GapReason, Header, Previous, Row, Table, Timestamp, encode_gap, encode_rows,
};
use tokio::sync::Notify;

use crate::{
    error_chain,
    health::Health,
    host::{Host, HostError, identity, state::LastBatch},
    spool::{Beginning, Entry, Spool, SpoolError},
};

/// Windows whose rows wait in memory while the disk is full; of older ones only their numbers.
const MOST_WAITING_ROWS: usize = 8;

/// A window that is closed, but in no spool yet.
struct Window {
    start: Timestamp,
    end: Timestamp,
    counts: Counts,
    /// None once memory had to be saved.
    rows: Option<Vec<Row>>,
}

/// See the module.
pub(super) struct Keeper {
    spool: Rc<RefCell<Spool>>,
    /// Told when batches came.
    grown: Rc<Notify>,
    health: Health,
    epoch: Epoch,
    /// Seq of the first window that waits.
    next_seq: u64,
    /// To be told by seq 1.
    previous: Option<Previous>,
    waiting: VecDeque<Window>,
}

impl Keeper {
    /// Begins an epoch in the spool; the host's rows are of it from now on.
    pub(super) fn start(
        host: &mut Host,
        spool: Rc<RefCell<Spool>>,
        grown: Rc<Notify>,
        health: Health,
    ) -> Result<Self, SpoolError> {
        let mut keeper = Self {
            spool,
            grown,
            health,
            epoch: Epoch::default(),
            next_seq: 1,
            previous: None,
            waiting: VecDeque::new(),
        };
        keeper.begin(host)?;
        Ok(keeper)
    }

    fn begin(&mut self, host: &mut Host) -> Result<(), SpoolError> {
        self.epoch = identity::epoch();
        let now = Timestamp::from_system(std::time::SystemTime::now());
        let header = self.header(host, 1, (now, now));
        let Beginning { next_seq, previous } = self.spool.borrow_mut().begin(&header)?;
        (self.next_seq, self.previous) = (next_seq, previous);
        host.begin_epoch(self.epoch, next_seq + self.waiting.len() as u64);
        Ok(())
    }

    fn header(&self, host: &Host, seq: u64, window: (Timestamp, Timestamp)) -> Header {
        let origin = host.origin();
        Header {
            cluster: origin.cluster_id.clone(),
            node: origin.node_name.clone(),
            boot_id: origin.boot_id.clone(),
            epoch: self.epoch,
            seq,
            previous: self.previous.filter(|_| seq == 1),
            window_start: window.0,
            window_end: window.1,
        }
    }

    /// Keeps the window that `rows` are of, and those that wait since earlier tries.
    pub(super) fn keep(&mut self, host: &mut Host, rows: Vec<Row>) -> Result<(), HostError> {
        self.waiting.push_back(Window::of(rows));
        let rows_wait = self.waiting.iter().filter(|window| window.rows.is_some());
        if rows_wait.count() > MOST_WAITING_ROWS {
            let oldest = self.waiting.iter_mut().find(|window| window.rows.is_some());
            oldest.into_iter().for_each(|window| window.rows = None);
        }
        match self.try_to_keep(host) {
            Ok(last) => {
                self.health.works();
                self.waiting.clear();
                self.next_seq = last.seq + 1;
                host.kept(last)?;
                self.grown.notify_one();
            }
            Err(error) => {
                host.hold();
                self.health.failed("spool", error_chain(&error));
                if matches!(error, SpoolError::Lost { .. })
                    && let Err(error) = self.begin(host)
                {
                    self.health.failed("spool", error_chain(&error));
                }
            }
        }
        Ok(())
    }

    fn try_to_keep(&self, host: &Host) -> Result<LastBatch, SpoolError> {
        let seqs = self.next_seq..;
        let entries: Vec<Entry> = seqs
            .zip(&self.waiting)
            .map(|(seq, window)| self.entry(host, seq, window))
            .collect();
        let last = LastBatch {
            epoch: self.epoch,
            seq: self.next_seq + self.waiting.len() as u64 - 1,
        };
        let state = host.state(last);
        self.spool.borrow_mut().keep(&entries, state.as_deref())?;
        Ok(last)
    }

    fn entry(&self, host: &Host, seq: u64, window: &Window) -> Entry {
        let header = self.header(host, seq, (window.start, window.end));
        let frame = match &window.rows {
            Some(rows) => encode_rows(&header, rows),
            None => encode_gap(
                &header,
                &Gap {
                    reason: GapReason::SpoolFull,
                    message: "the spool could not be written for too long".to_owned(),
                    rows_lost: window.counts,
                },
            ),
        };
        Entry {
            header,
            rows: window.counts,
            frame: Bytes::from(frame),
        }
    }
}

impl Window {
    /// Names that are alike stand beside each other: that makes batches smaller.
    fn of(mut rows: Vec<Row>) -> Self {
        rows.sort_by(|left, right| place(left).cmp(&place(right)));
        let mut window = Self {
            start: Timestamp::default(),
            end: Timestamp::default(),
            counts: Counts::default(),
            rows: None,
        };
        for row in &rows {
            window.counts[row.table()] += 1;
            if let Row::Reconcile(reconcile) = row {
                (window.start, window.end) = (reconcile.window_start, reconcile.window_end);
            }
        }
        // A gap has a row of `reconcile` too: that one is not lost.
        window.counts[Table::Reconcile] = 0;
        window.rows = Some(rows);
        window
    }
}

fn place(row: &Row) -> (Table, Option<&str>, Option<&str>) {
    let (namespace, name) = match row {
        Row::PodUsage(usage) => (&usage.namespace, &usage.pod_name),
        Row::PodNetwork(network) => (&network.namespace, &network.pod_name),
        Row::NodeUsage(_) | Row::Events(_) | Row::Reconcile(_) => (&None, &None),
    };
    (row.table(), namespace.as_deref(), name.as_deref())
}
