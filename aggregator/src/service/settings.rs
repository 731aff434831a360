//! How much is held, how often it is committed, and what is refused.

use std::{fmt, sync::Arc, time::Duration};

use protocol::Limits;

use crate::{intake::Bounds, lake::settings::Settings as LakeSettings};

/// The name of a cluster that has none; agents have the same.
pub const CLUSTER: &str = "default-cluster";

/// Whichever comes first. What is held is then committed.
#[derive(Clone, Copy, Debug)]
pub struct When {
    /// Bytes held.
    pub bytes: usize,
    /// Rows held.
    pub rows: u64,
    /// Time since the first batch came. Each time a little less, by chance, so that aggregators that
    /// were started together don't commit together.
    pub age: Duration,
}

impl Default for When {
    fn default() -> Self {
        Self {
            bytes: 32 << 20,
            rows: 200_000,
            age: Duration::from_secs(30),
        }
    }
}

/// Whether what is known of pods is whole. Until it is, rows wait for their age, however many they are:
/// those that came before their metadata get it meanwhile.
#[derive(Clone)]
pub struct Ready(pub Arc<dyn Fn() -> bool + Send + Sync>);

impl Default for Ready {
    /// Always.
    fn default() -> Self {
        Self(Arc::new(|| true))
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Ready({})", (self.0)())
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Of the tables.
    pub lake: LakeSettings,
    /// Of what is taken in.
    pub limits: Limits,
    /// Of what is held.
    pub bounds: Bounds,
    /// When it is committed.
    pub when: When,
    /// Before it is so, only age makes a commit.
    pub ready: Ready,
    /// Cluster of what is pushed, which names none.
    pub cluster: Arc<str>,
    /// The ledger is read at most this often on behalf of requests.
    pub reload_every: Duration,
    /// A request waits for that for so long.
    pub reload_within: Duration,
    /// Pause after a cycle that failed for a reason that does not pass by itself.
    pub pause: Duration,
}

impl Settings {
    /// The defaults.
    pub fn new(lake: LakeSettings) -> Self {
        Self {
            lake,
            limits: Limits::default(),
            bounds: Bounds::default(),
            when: When::default(),
            ready: Ready::default(),
            cluster: CLUSTER.into(),
            reload_every: Duration::from_millis(250),
            reload_within: Duration::from_secs(5),
            pause: Duration::from_secs(10),
        }
    }
}
