//! What the lake is given from outside: who encodes rows, which clock and chance it uses, how it
//! retries. Nothing else in it reads a clock or draws a number, so that a simulation can repeat a run.

use std::{fmt, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use protocol::{Table, Timestamp};

use super::{encode::Encode, random::Random, store::Retry};

/// Tells the time of day.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A place in a cycle at which a process may die. Tests and `chaos` stop there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashPoint {
    /// The files of a table are there, nothing names them.
    AfterUpload(Table),
    /// The watermark is there, no log entry names it.
    AfterWatermark(Table),
    /// The log entry is there; the next table has none yet.
    AfterLogEntry(Table),
    /// Every table is committed, no agent knows.
    BeforeAnswer,
}

/// Called at each [`CrashPoint`]; the cycle goes on when its future is ready.
pub type Hook = Arc<dyn Fn(CrashPoint) -> BoxFuture<'static, ()> + Send + Sync>;

/// Where rows are encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Offload {
    /// On a thread of its own, so that requests are answered meanwhile.
    #[default]
    Blocking,
    /// Where the commit runs: nothing depends on threads.
    Inline,
}

/// See the module.
#[derive(Clone)]
pub struct Settings {
    /// Makes files of batches.
    pub encode: Arc<dyn Encode>,
    /// Where that runs.
    pub offload: Offload,
    /// Names, ids, jitter.
    pub random: Arc<Random>,
    /// Time of day.
    pub clock: Clock,
    /// Does nothing, unless somebody tests.
    pub hook: Hook,
    /// How the store is asked again.
    pub retry: Retry,
    /// How long a sender may be idle before its watermark is forgotten. Longer than the age at which
    /// batches and gaps are refused, or old ones would be taken for new.
    pub idle: Duration,
}

impl Settings {
    /// As in production, with this encoder.
    pub fn new(encode: Arc<dyn Encode>) -> Self {
        Self {
            encode,
            offload: Offload::default(),
            random: Arc::new(Random::of_the_system()),
            clock: Arc::new(|| Timestamp::from_system(std::time::SystemTime::now())),
            hook: Arc::new(|_| Box::pin(std::future::ready(()))),
            retry: Retry::default(),
            idle: Duration::from_secs(30 * 24 * 3600),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Settings")
            .field("offload", &self.offload)
            .field("retry", &self.retry)
            .field("idle", &self.idle)
            .finish_non_exhaustive()
    }
}
