//! What of a message may be held. All of it is checked before any of it is taken.

use std::time::Duration;

use bytes::Bytes;
use protocol::{
    Batch, Body, Counts, Header, Invalid, InvalidKind, Limits, Message, Refusal, RefusalKind,
    Table, Timestamp,
};

use crate::held::{Held, Sender};

/// Batches that are decoded before others get their turn.
const AT_ONCE: usize = 16;

/// Refuses a message as a whole.
pub(super) fn refusal(kind: RefusalKind, reason: impl Into<String>) -> Refusal {
    Refusal {
        kind,
        reason: reason.into(),
        epoch: None,
        seq: None,
        index: None,
    }
}

/// What is wrong with a message, as its sender is told.
pub(super) fn bad_message(invalid: &Invalid) -> Refusal {
    let kind = match invalid.kind {
        InvalidKind::Malformed | InvalidKind::BadValue => RefusalKind::Malformed,
        InvalidKind::TooLarge => RefusalKind::TooLarge,
        InvalidKind::UnknownVersion => RefusalKind::UnknownVersion,
    };
    refusal(kind, invalid.to_string())
}

/// The batches of a message of this node, decoded and checked.
pub(super) async fn batches(
    message: &Message,
    limits: &Limits,
    now: Timestamp,
) -> Result<Vec<Held>, Refusal> {
    let mut held = Vec::with_capacity(message.batches.len());
    for (index, frame) in message.batches.iter().enumerate() {
        if index % AT_ONCE == AT_ONCE - 1 {
            tokio::task::yield_now().await;
        }
        let batch = protocol::decode(frame, limits).map_err(|error| bad_batch(&error, index))?;
        held.push(
            checked(batch, frame, message, limits, now).map_err(|mut refusal| {
                refusal.index = Some(index);
                refusal
            })?,
        );
    }
    Ok(held)
}

fn checked(
    batch: Batch,
    frame: &Bytes,
    message: &Message,
    limits: &Limits,
    now: Timestamp,
) -> Result<Held, Refusal> {
    let header = &batch.header;
    if header.node != message.node {
        let reason = format!("header.node: {} speaks for {}", message.node, header.node);
        return Err(of(header, RefusalKind::Forbidden, reason));
    }
    // A gap may be of any time: it stands for what was refused, perhaps for its time, and without it
    // nothing after it could be taken.
    if let Body::Whole(_) = &batch.body
        && let Some(reason) = bad_time(header.window_end, limits, now)
    {
        let reason = format!("header.window_end: {reason}");
        return Err(of(header, RefusalKind::BadTime, reason));
    }
    Ok(hold(batch, frame.clone()))
}

/// A batch of this process itself, checked as those of others are: what can't be decoded could not be
/// committed.
pub(super) fn own(frame: &Bytes, limits: &Limits) -> Result<Held, Invalid> {
    let batch = protocol::decode(frame, limits)?;
    Ok(hold(batch, frame.clone()))
}

fn hold(batch: Batch, frame: Bytes) -> Held {
    let header = batch.header;
    let mut rows = Counts::default();
    let gap = match batch.body {
        Body::Whole(tables) => {
            for table in tables {
                rows[table.table] += u64::try_from(table.rows).unwrap_or(u64::MAX);
            }
            None
        }
        Body::Gap(gap) => {
            rows[Table::Reconcile] = 1;
            Some(gap)
        }
    };
    Held {
        sender: Sender {
            node: header.node.into(),
            epoch: header.epoch,
        },
        cluster: header.cluster.into(),
        seq: header.seq,
        previous: header.previous,
        window_end: header.window_end,
        rows,
        gap,
        frame,
    }
}

pub(super) fn bad_time(end: Timestamp, limits: &Limits, now: Timestamp) -> Option<String> {
    let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
    if end < now.plus_us(-micros(limits.age)) {
        let age = humantime::format_duration(limits.age);
        return Some(format!("{end} is more than {age} ago, at {now}"));
    }
    if end > now.plus_us(micros(limits.future)) {
        let future = humantime::format_duration(limits.future);
        return Some(format!("{end} is more than {future} ahead, at {now}"));
    }
    None
}

fn of(header: &Header, kind: RefusalKind, reason: String) -> Refusal {
    Refusal {
        epoch: Some(header.epoch),
        seq: Some(header.seq),
        ..refusal(kind, reason)
    }
}

/// A batch of a version that is not spoken here is not refused for ever: a newer aggregator takes it.
fn bad_batch(invalid: &Invalid, index: usize) -> Refusal {
    let kind = match invalid.kind {
        InvalidKind::UnknownVersion => RefusalKind::UnknownVersion,
        InvalidKind::Malformed | InvalidKind::TooLarge | InvalidKind::BadValue => {
            RefusalKind::BadBatch
        }
    };
    Refusal {
        index: Some(index),
        ..refusal(kind, invalid.to_string())
    }
}
