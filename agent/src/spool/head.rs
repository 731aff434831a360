//! What is kept beside a batch's frame: enough to put a gap in its place, and to know its frame.

use protocol::{Counts, Epoch, GapReason, Header, Previous, Table, Timestamp};
use serde::{Deserialize, Serialize};

/// See the module. JSON, so that a later version can add to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    cluster: String,
    node: String,
    boot_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<(Epoch, u64)>,
    start_us: i64,
    /// End of the window.
    pub(super) end_us: i64,
    /// By table, in their order; empty for a gap.
    rows: Vec<u64>,
    /// It is a gap.
    pub(super) gap: bool,
    /// Bytes of the frame.
    pub(super) bytes: u32,
    /// Checksum of the frame.
    sum: u32,
}

impl Head {
    /// Of a batch and its frame.
    pub(super) fn whole(header: &Header, rows: &Counts, frame: &[u8]) -> Self {
        let rows = Table::ALL.map(|table| rows[table]).to_vec();
        Self::new(header, rows, frame)
    }

    /// Of a gap and its frame.
    pub(super) fn gap(header: &Header, frame: &[u8]) -> Self {
        Self {
            gap: true,
            ..Self::new(header, Vec::new(), frame)
        }
    }

    fn new(header: &Header, rows: Vec<u64>, frame: &[u8]) -> Self {
        Self {
            cluster: header.cluster.clone(),
            node: header.node.clone(),
            boot_id: header.boot_id.clone(),
            previous: header
                .previous
                .map(|previous| (previous.epoch, previous.last)),
            start_us: header.window_start.unix_us,
            end_us: header.window_end.unix_us,
            rows,
            gap: false,
            bytes: u32::try_from(frame.len()).unwrap_or(u32::MAX),
            sum: crc32fast::hash(frame),
        }
    }

    /// Whether this is the frame that belongs to it.
    pub(super) fn fits(&self, frame: &[u8]) -> bool {
        frame.len() == self.bytes as usize && crc32fast::hash(frame) == self.sum
    }

    /// The batch's header.
    pub(super) fn header(&self, epoch: Epoch, seq: u64) -> Header {
        Header {
            cluster: self.cluster.clone(),
            node: self.node.clone(),
            boot_id: self.boot_id.clone(),
            epoch,
            seq,
            previous: self.previous.map(|(epoch, last)| Previous { epoch, last }),
            window_start: Timestamp {
                unix_us: self.start_us,
            },
            window_end: Timestamp {
                unix_us: self.end_us,
            },
        }
    }

    /// Rows that a gap in its place tells as lost.
    pub(super) fn rows(&self) -> Counts {
        let mut rows = Counts::default();
        for (table, count) in Table::ALL.into_iter().zip(&self.rows) {
            rows[table] = *count;
        }
        rows
    }

    /// Its bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        // Only a map whose keys are no texts fails, and there is no map.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads them.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes)
            .map_err(|error| format!("the head of a batch makes no sense: {error}"))
    }
}

/// A gap's frame and its head.
pub(super) fn gap(
    header: &Header,
    reason: GapReason,
    message: &str,
    rows_lost: Counts,
) -> (Head, Vec<u8>) {
    /// Characters of a message that go into a gap: it comes from outside, and gaps are many.
    const MESSAGE: usize = 500;
    let message = message.chars().take(MESSAGE).collect();
    let frame = protocol::encode_gap(
        header,
        &protocol::Gap {
            reason,
            message,
            rows_lost,
        },
    );
    (Head::gap(header, &frame), frame)
}
