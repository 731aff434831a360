//! Batches: whatever is in a frame, or is none, becomes a batch that agrees with itself or a reason.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::{Body, Limits, columns::TableData, decode};

/// Small enough for many runs a second, large enough for every check to be reached.
const LIMITS: Limits = Limits {
    message_bytes: 1 << 20,
    batch_bytes: 1 << 20,
    batches: 16,
    rows: 1000,
    text_bytes: 1000,
    list_items: 100,
    texts: 1000,
    written_bytes: 1 << 20,
    age: std::time::Duration::MAX,
    future: std::time::Duration::MAX,
};

fuzz_target!(|bytes: &[u8]| {
    let _no_frame = decode(bytes, &LIMITS);
    let Ok(frame) = zstd::bulk::compress(bytes, -5) else {
        return;
    };
    if let Ok(batch) = decode(&frame, &LIMITS)
        && let Body::Whole(tables) = batch.body
    {
        tables.iter().for_each(check);
    }
});

fn check(data: &TableData) {
    for column in &data.columns {
        let present = column.present.as_deref();
        let count = present.map_or(data.rows, |present| {
            assert_eq!(present.len(), data.rows);
            present.iter().filter(|is_there| **is_there).count()
        });
        assert_eq!(column.values.len(), count, "{:?} {}", data.table, column.id);
    }
}
