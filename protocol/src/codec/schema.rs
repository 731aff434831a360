//! The messages of version 1 as `proto/podledger.proto` describes them, for writing. They are read by
//! [`super::read`], which allocates nothing for what it refuses; a test reads with the `.proto` what
//! is written here.

use prost::Message;

/// How the numbers of a column are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As they are.
    Plain = 0,
    /// Zigzag: 0, -1, 1, -2 ...
    Zigzag = 1,
    /// Each the zigzag difference to the one before, the first to 0.
    Delta = 2,
    /// Each is to be taken from the value of another column.
    Below = 3,
}

/// A batch.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Batch {
    /// Of the wire.
    #[prost(uint32, tag = "1")]
    pub(crate) version: u32,
    /// Which batch.
    #[prost(message, optional, tag = "2")]
    pub(crate) header: Option<Header>,
    /// Only of a gap.
    #[prost(message, optional, tag = "3")]
    pub(crate) gap: Option<Gap>,
    /// How many texts are random UUIDs; columns refer to them by number.
    #[prost(uint32, tag = "4")]
    pub(crate) uuids: u32,
    /// Runs of numbers, each where whoever reads needs it.
    #[prost(bytes = "vec", tag = "5")]
    pub(crate) bits: Vec<u8>,
    /// What else columns refer to by number.
    #[prost(message, optional, tag = "6")]
    pub(crate) texts: Option<Texts>,
    /// By their numbers.
    #[prost(message, repeated, tag = "7")]
    pub(crate) tables: Vec<Table>,
}

/// Which batch.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Header {
    #[prost(string, tag = "1")]
    pub(crate) cluster: String,
    #[prost(string, tag = "2")]
    pub(crate) node: String,
    #[prost(string, tag = "3")]
    pub(crate) boot_id: String,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) epoch: Vec<u8>,
    #[prost(uint64, tag = "5")]
    pub(crate) seq: u64,
    #[prost(message, optional, tag = "6")]
    pub(crate) previous: Option<Previous>,
    #[prost(int64, tag = "7")]
    pub(crate) window_start: i64,
    #[prost(int64, tag = "8")]
    pub(crate) window_end: i64,
}

/// The epoch before.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Previous {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) epoch: Vec<u8>,
    #[prost(uint64, tag = "2")]
    pub(crate) last: u64,
}

/// In the place of rows.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Gap {
    #[prost(uint32, tag = "1")]
    pub(crate) reason: u32,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
    #[prost(uint64, repeated, tag = "3")]
    pub(crate) rows_lost: Vec<u64>,
}

/// Every text of a batch once, UUIDs apart.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Texts {
    /// Texts that are told in full but for what they share with the one before.
    #[prost(uint32, tag = "1")]
    pub(crate) told: u32,
    /// Those that are another and a hash.
    #[prost(uint32, tag = "2")]
    pub(crate) hashed: u32,
    /// Those that are another and a random suffix.
    #[prost(uint32, tag = "3")]
    pub(crate) suffixed: u32,
    /// Those that are two others, one after the other.
    #[prost(uint32, tag = "4")]
    pub(crate) joined: u32,
    /// What the first ones do not share, one after the other.
    #[prost(bytes = "vec", tag = "5")]
    pub(crate) utf8: Vec<u8>,
    /// How many texts each list has.
    #[prost(uint32, repeated, tag = "6")]
    pub(crate) list_lengths: Vec<u32>,
    /// Numbers of the texts of all lists.
    #[prost(uint32, repeated, tag = "7")]
    pub(crate) items: Vec<u32>,
}

/// Rows of one table.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Table {
    #[prost(uint32, tag = "1")]
    pub(crate) table: u32,
    #[prost(uint32, tag = "2")]
    pub(crate) rows: u32,
    /// Columns that are one number in every row.
    #[prost(uint32, tag = "3")]
    pub(crate) constants: u32,
    /// Columns that are a number in every row, told by nothing but a run.
    #[prost(uint32, tag = "4")]
    pub(crate) runs: u32,
    /// All others.
    #[prost(message, repeated, tag = "5")]
    pub(crate) columns: Vec<Column>,
}

/// One column.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Column {
    #[prost(uint32, tag = "1")]
    pub(crate) id: u32,
    /// Bit i % 8 of byte i / 8 says whether row i has a value.
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) present: Vec<u8>,
    #[prost(uint32, tag = "3")]
    pub(crate) form: u32,
    /// What each number is multiplied by, if not by 1.
    #[prost(uint64, tag = "4")]
    pub(crate) factor: u64,
    /// What each number is divided by, as a power of ten.
    #[prost(uint32, tag = "5")]
    pub(crate) scale: u32,
    #[prost(uint64, repeated, tag = "6")]
    pub(crate) numbers: Vec<u64>,
    #[prost(double, repeated, tag = "7")]
    pub(crate) doubles: Vec<f64>,
    /// Each value is that of this column, divided.
    #[prost(uint32, tag = "8")]
    pub(crate) dividend: u32,
    #[prost(double, tag = "9")]
    pub(crate) divisor: f64,
    /// Each value is the sum of this column of `pod_network` over the rows of the pod.
    #[prost(uint32, tag = "10")]
    pub(crate) sum_of: u32,
    /// Each value is that of this column of `pod_usage` in the row of the pod.
    #[prost(uint32, tag = "11")]
    pub(crate) of_pod: u32,
}

/// A request.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Request {
    #[prost(uint32, tag = "1")]
    pub(crate) version: u32,
    #[prost(string, tag = "2")]
    pub(crate) node: String,
    #[prost(bytes = "bytes", repeated, tag = "3")]
    pub(crate) batches: Vec<bytes::Bytes>,
    #[prost(bytes = "vec", repeated, tag = "4")]
    pub(crate) asks: Vec<Vec<u8>>,
}

/// An answer to a request.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Ack {
    #[prost(uint32, tag = "1")]
    pub(crate) version: u32,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) instance: Vec<u8>,
    #[prost(string, tag = "3")]
    pub(crate) table_id: String,
    #[prost(message, repeated, tag = "4")]
    pub(crate) answers: Vec<Answer>,
}

/// Of one epoch.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Answer {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) epoch: Vec<u8>,
    #[prost(uint64, tag = "2")]
    pub(crate) received: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) committed: u64,
    #[prost(uint64, optional, tag = "4")]
    pub(crate) expect: Option<u64>,
}

/// [`crate::GapReason::SpoolFull`] in [`Gap::reason`].
pub(crate) const REASON_SPOOL_FULL: u32 = 1;
/// [`crate::GapReason::SpoolAge`].
pub(crate) const REASON_SPOOL_AGE: u32 = 2;
/// [`crate::GapReason::SpoolLost`].
pub(crate) const REASON_SPOOL_LOST: u32 = 3;
/// [`crate::GapReason::Refused`].
pub(crate) const REASON_REFUSED: u32 = 4;
