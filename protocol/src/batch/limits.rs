//! What a reader takes in at most. Checked before anything is allocated for it.

use std::time::Duration;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of a whole message.
    pub message_bytes: usize,
    /// Of one batch, decompressed.
    pub batch_bytes: usize,
    /// Batches in one message.
    pub batches: usize,
    /// Rows in one batch, all tables together.
    pub rows: usize,
    /// Of one text.
    pub text_bytes: usize,
    /// Texts in one list.
    pub list_items: usize,
    /// Different texts in one batch, and items of its different lists.
    pub texts: usize,
    /// Texts of all rows of a batch, as if each was written out: one text on the wire can stand in
    /// every row.
    pub written_bytes: usize,
    /// Age of a window; older ones are refused for ever.
    pub age: Duration,
    /// Time by which a window may end in the reader's future.
    pub future: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 8 << 20,
            batch_bytes: 16 << 20,
            batches: 1_024,
            rows: 100_000,
            text_bytes: 64 << 10,
            list_items: 4_096,
            texts: 1 << 18,
            written_bytes: 64 << 20,
            age: Duration::from_secs(8 * 24 * 3600),
            future: Duration::from_secs(24 * 3600),
        }
    }
}
