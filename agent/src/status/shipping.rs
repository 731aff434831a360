//! Spool and shipper on the page of metrics.

use std::{cell::RefCell, fmt, rc::Rc};

use super::{page::Page, words};
use crate::{
    ship::{DURATION_BUCKETS, Tally},
    spool::Spool,
};

/// What the metrics tell of spool and shipper; always as they are now.
#[derive(Clone)]
pub struct Figures {
    tally: Tally,
    spool: Rc<RefCell<Spool>>,
    max_bytes: u64,
}

impl fmt::Debug for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Figures").finish_non_exhaustive()
    }
}

impl Figures {
    /// Of a shipper's tally and of a spool that may hold so much.
    pub fn new(tally: Tally, spool: Rc<RefCell<Spool>>, max_bytes: u64) -> Self {
        Self {
            tally,
            spool,
            max_bytes,
        }
    }

    pub(super) fn render(&self, page: &mut Page) {
        self.sent(page);
        self.kept(page);
    }

    fn sent(&self, page: &mut Page) {
        let counts = self.tally.counts();
        if !counts.requests.is_empty() {
            page.head(&words::SENT_MESSAGES);
        }
        for ((way, outcome), count) in &counts.requests {
            page.sample(&words::SENT_MESSAGES, "", &[way, outcome], count);
        }
        page.single(&words::SENT_BATCHES, Some(counts.batches));
        page.single(&words::SENT_BYTES, Some(counts.bytes));
        let word = &words::SEND_DURATION;
        page.head(word);
        let mut sum = 0;
        for (bound, count) in DURATION_BUCKETS.iter().zip(counts.durations.buckets) {
            sum += count;
            page.sample(word, "_bucket", &[&bound.to_string()], sum);
        }
        page.sample(word, "_bucket", &["+Inf"], counts.durations.count);
        page.sample(word, "_sum", &[], counts.durations.total.as_secs_f64());
        page.sample(word, "_count", &[], counts.durations.count);
        let way = counts.way.map(|way| [way]);
        page.family(&words::WAY, way.iter().map(|way| (&way[..], 1)));
        page.single(&words::WAY_TURNS, Some(counts.turns));
        let address = counts.address.map(|address| address.to_string());
        let labels = address.as_deref().map(|address| [address]);
        page.family(&words::ADDRESS, labels.iter().map(|one| (&one[..], 1)));
        page.single(&words::MOVES, Some(counts.moves));
        let committed = counts.last_committed.map(super::metrics::unix_seconds);
        page.single(&words::LAST_COMMITTED, committed);
    }

    fn kept(&self, page: &mut Page) {
        let meters = self.spool.borrow().meters();
        page.single(&words::BUFFER_SIZE, Some(meters.bytes));
        page.single(&words::BUFFER_CAPACITY, Some(self.max_bytes));
        page.single(&words::SPOOL_BATCHES, Some(meters.batches));
        let oldest = meters.oldest.map(|end| end.unix_us as f64 / 1e6);
        page.single(&words::SPOOL_OLDEST, oldest);
        let gaps: [(&[&str], u64); 4] = [
            (&["spool_full"], meters.gaps.full),
            (&["spool_age"], meters.gaps.age),
            (&["spool_lost"], meters.gaps.lost),
            (&["refused"], meters.gaps.refused),
        ];
        page.family(&words::SPOOL_GAPS, gaps);
        page.single(&words::SPOOL_FAILED_WRITES, Some(meters.failed_writes));
        page.single(&words::SPOOLS_LOST, Some(meters.lost_spools));
    }
}
