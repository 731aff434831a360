//! What agent and aggregator say to each other: `POST /v1/batches`, protobuf both ways; refusals are
//! JSON, so that people can read them.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::Epoch;

/// Where batches are sent.
pub const PATH: &str = "/v1/batches";
/// Of requests and answers.
pub const CONTENT_TYPE: &str = "application/x-protobuf";

/// A request: batches in the order of their seqs, oldest epoch first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The node that all of it is of.
    pub node: String,
    /// Encoded batches, each a zstd frame of its own: the bytes that are in the spool.
    pub batches: Vec<Bytes>,
    /// Epochs whose position is asked for besides those of the batches.
    pub asks: Vec<Epoch>,
}

/// A whole answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ack {
    /// Drawn at every start of an aggregator.
    pub instance: Epoch,
    /// Id of the table `reconcile`.
    pub table_id: String,
    /// One for each epoch that was sent or asked for.
    pub answers: Vec<Answer>,
}

/// How far an aggregator is with one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Which.
    pub epoch: Epoch,
    /// In its memory or committed; only paces.
    pub received: u64,
    /// In every table.
    pub committed: u64,
    /// The one that it needs next, where a later one came.
    pub expect: Option<u64>,
}

/// Why a request was refused; the body of every answer but 200.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// What kind, as it is counted.
    pub kind: RefusalKind,
    /// For people; names the field.
    pub reason: String,
    /// Epoch of the batch that is refused, where it is a batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// Its seq.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// Its place in the message, where its epoch can't be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
}

/// Kinds of refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalKind {
    /// 400: no message.
    Malformed,
    /// 400: a version that is not spoken.
    UnknownVersion,
    /// 401: no token, or one that is not believed.
    Unauthorized,
    /// 403: the token is another node's.
    Forbidden,
    /// 404: no such path.
    NotFound,
    /// 405.
    Method,
    /// 408: the request took too long to come.
    TooSlow,
    /// 409: an epoch that only its seq 1 can open.
    UnknownEpoch,
    /// 413: more than the limits allow.
    TooLarge,
    /// 415: another content type.
    MediaType,
    /// 422: one batch will never be taken; epoch, seq or index name it.
    BadBatch,
    /// 422: its window is too old, or far in the future.
    BadTime,
    /// 429: too many requests or connections of one peer.
    TooMany,
    /// 503: no room, the store fails, or it is stopping.
    Busy,
}

impl RefusalKind {
    /// The status that goes with it.
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed | Self::UnknownVersion => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Method => 405,
            Self::TooSlow => 408,
            Self::UnknownEpoch => 409,
            Self::TooLarge => 413,
            Self::MediaType => 415,
            Self::BadBatch | Self::BadTime => 422,
            Self::TooMany => 429,
            Self::Busy => 503,
        }
    }

    /// The batch that it names will never be taken, by nobody: a gap takes its place.
    pub const fn is_for_ever(self) -> bool {
        matches!(self, Self::BadBatch | Self::BadTime)
    }
}
