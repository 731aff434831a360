//! What the aggregator's front counts.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use protocol::RefusalKind;

use super::label::{Counts, Pairs, label};

label! {
    /// How a request came.
    Way {
        /// HTTP/1.1 over TLS.
        Http1 = "http1",
        /// HTTP/2 over TLS.
        Http2 = "http2",
        /// HTTP/3.
        Http3 = "http3",
        /// Plain HTTP, for probes and metrics only.
        Status = "status",
    }
}

label! {
    /// How a request ended.
    Outcome {
        /// With the answer that was asked for.
        Answered = "answered",
        /// With a refusal that is the peer's to mend.
        Refused = "refused",
        /// With a refusal that passes: nothing is wrong with the request.
        PutOff = "put_off",
        /// Without an answer: the peer went away, or its body broke.
        Broken = "broken",
    }
}

label! {
    /// Why a request was refused.
    Reason {
        /// No message.
        Malformed = "malformed",
        /// A version that is not spoken.
        UnknownVersion = "unknown_version",
        /// No token, or one that is not believed.
        Unauthorized = "unauthorized",
        /// The token is another node's.
        Forbidden = "forbidden",
        /// No such path.
        NotFound = "not_found",
        /// Another method.
        Method = "method",
        /// The request took too long to come.
        TooSlow = "too_slow",
        /// An epoch that only its seq 1 can open.
        UnknownEpoch = "unknown_epoch",
        /// More than the limits allow.
        TooLarge = "too_large",
        /// Another content type or encoding.
        MediaType = "media_type",
        /// A batch that nobody will ever take.
        BadBatch = "bad_batch",
        /// Its window is too old, or in the future.
        BadTime = "bad_time",
        /// Too much of one peer.
        TooMany = "too_many",
        /// There is no room, or the store fails.
        Busy = "busy",
        /// It is stopping.
        Stopping = "stopping",
        /// As many requests as may be are being answered.
        InFlight = "in_flight",
        /// Bodies hold as much memory as they may.
        Memory = "memory",
        /// Nobody could say whether the token is good.
        NoVerdict = "no_verdict",
        /// It took too long to take.
        Overdue = "overdue",
    }
}

impl From<RefusalKind> for Reason {
    fn from(kind: RefusalKind) -> Self {
        match kind {
            RefusalKind::Malformed => Self::Malformed,
            RefusalKind::UnknownVersion => Self::UnknownVersion,
            RefusalKind::Unauthorized => Self::Unauthorized,
            RefusalKind::Forbidden => Self::Forbidden,
            RefusalKind::NotFound => Self::NotFound,
            RefusalKind::Method => Self::Method,
            RefusalKind::TooSlow => Self::TooSlow,
            RefusalKind::UnknownEpoch => Self::UnknownEpoch,
            RefusalKind::TooLarge => Self::TooLarge,
            RefusalKind::MediaType => Self::MediaType,
            RefusalKind::BadBatch => Self::BadBatch,
            RefusalKind::BadTime => Self::BadTime,
            RefusalKind::TooMany => Self::TooMany,
            RefusalKind::Busy => Self::Busy,
        }
    }
}

label! {
    /// Why a connection ended.
    Closed {
        /// The peer closed it.
        ByPeer = "by_peer",
        /// It went silent.
        Idle = "idle",
        /// A request's header, or the handshake, took too long to come.
        TooSlow = "too_slow",
        /// The peer did not read its answers.
        Unread = "unread",
        /// The handshake failed.
        Handshake = "handshake",
        /// The peer broke the rules, or the network did.
        Broken = "broken",
        /// There were as many connections as may be.
        TooMany = "too_many",
        /// The peer had as many as one may have.
        TooManyOfPeer = "too_many_of_peer",
        /// It was stopping, and nothing was left to do.
        Stopped = "stopped",
        /// It was stopping, and the time was over.
        CutOff = "cut_off",
    }
}

label! {
    /// What became of a token.
    Verdict {
        /// It was known to be good.
        KnownGood = "known_good",
        /// It was known to be bad.
        KnownBad = "known_bad",
        /// It was looked up and is good.
        Good = "good",
        /// It was looked up and is bad.
        Bad = "bad",
        /// Nobody could say.
        None = "none",
    }
}

label! {
    /// What became of a new certificate.
    Reload {
        /// It is used now.
        Used = "used",
        /// It is broken; the one before stays.
        Broken = "broken",
    }
}

/// Upper bounds of the times that answers took, in seconds.
pub(super) const BOUNDS: [f64; 8] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5];

/// See the module. Shared by everything that counts.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Requests.
    pub requests: Pairs<Way, Outcome>,
    /// Refused requests.
    pub refused: Counts<Reason>,
    /// Connections that are open.
    pub connections: Counts<Way>,
    /// Connections that ended, and those that were never let in.
    pub closed: Pairs<Way, Closed>,
    /// Clients that had to show that their address is theirs.
    pub retries: AtomicU64,
    /// Verdicts on tokens.
    pub verdicts: Counts<Verdict>,
    /// New certificates.
    pub reloads: Counts<Reload>,
    /// Bytes of request bodies.
    pub received_bytes: AtomicU64,
    /// Requests that are being answered.
    pub in_flight: AtomicU64,
    /// How long answers to batches took.
    pub times: Times,
}

/// How long something took, by size.
#[derive(Debug, Default)]
pub struct Times {
    pub(super) buckets: [AtomicU64; BOUNDS.len()],
    pub(super) micros: AtomicU64,
    pub(super) count: AtomicU64,
}

impl Times {
    /// Counts one.
    pub fn count(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        if let Some(bucket) = BOUNDS.iter().position(|bound| seconds <= *bound) {
            self.buckets[bucket].fetch_add(1, Relaxed);
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Relaxed);
        self.count.fetch_add(1, Relaxed);
    }
}
