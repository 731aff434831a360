//! Why bytes are no batch that may be taken in.

/// The kind, as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum InvalidKind {
    /// No zstd frame, no protobuf, or one that contradicts itself.
    Malformed,
    /// More bytes, rows, columns or depth than may be.
    TooLarge,
    /// A version that this build does not speak.
    UnknownVersion,
    /// A value that a column can't hold: NaN, invalid UTF-8, a date of 1970.
    BadValue,
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct Invalid {
    /// The kind.
    pub kind: InvalidKind,
    /// The field, as `pod_usage.cpu_seconds[17]` or `header.seq`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}
