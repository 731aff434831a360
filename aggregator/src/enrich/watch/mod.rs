//! Follows the API server: for each kind of object a list, then its changes, for good. Each kind is on
//! its own; one that fails or is forbidden holds up no other.

mod backoff;
mod failure;
mod message;
mod resource;
mod state;
#[cfg(test)]
mod tests;
mod watcher;

use std::{sync::Arc, time::Duration};

use tokio::{task::JoinSet, time::Instant};

use self::{backoff::Pace, state::State, watcher::Watcher};
use super::{Keep, Kind};
use crate::{cluster::Api, config::Cluster, status::Page};

/// How long commits are put off for the first lists, at most: a cluster that does not answer must not
/// slow them for good.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long is waited for what.
#[derive(Clone, Copy, Debug)]
struct Times {
    /// Between failures.
    pace: Pace,
    /// A watch that tells nothing for so long is given up: bookmarks come every minute.
    silence: Duration,
    /// The same while it lists, and for each piece of a page.
    listing: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            pace: Pace::default(),
            silence: Duration::from_secs(150),
            listing: Duration::from_secs(30),
        }
    }
}

struct Followed {
    cluster: Cluster,
    keep: Arc<dyn Keep>,
    times: Times,
}

/// The watches of all kinds, and how they are.
pub struct Watches {
    states: [Arc<State>; Kind::ALL.len()],
    begun: Instant,
    /// None where nothing is watched.
    followed: Option<Followed>,
}

impl Watches {
    /// For a host without a cluster: nothing is watched.
    pub fn off() -> Self {
        Self::of(None)
    }

    /// Of this cluster; what they tell goes to `keep`. Nothing is asked before [`Watches::run`].
    pub fn new(cluster: Cluster, keep: Arc<dyn Keep>) -> Self {
        let times = Times::default();
        Self::of(Some(Followed {
            cluster,
            keep,
            times,
        }))
    }

    fn of(followed: Option<Followed>) -> Self {
        Self {
            states: std::array::from_fn(|_| Arc::default()),
            begun: Instant::now(),
            followed,
        }
    }

    /// Follows the cluster until it is dropped.
    pub async fn run(&self) {
        let Some(followed) = &self.followed else {
            return;
        };
        let api = Arc::new(Api::new(followed.cluster.clone()));
        let mut following = JoinSet::new();
        for kind in Kind::ALL {
            let (api, keep) = (Arc::clone(&api), Arc::clone(&followed.keep));
            let state = Arc::clone(self.state(kind));
            following.spawn(Watcher::new(kind, api, keep, state, followed.times).run());
        }
        // They never end.
        while following.join_next().await.is_some() {}
    }

    /// The first list of this kind is whole.
    pub fn is_listed(&self, kind: Kind) -> bool {
        self.state(kind).is_listed()
    }

    /// Nothing more is to be waited for before rows are committed: every first list is whole, can't be
    /// had, or has had its time.
    pub fn is_complete(&self) -> bool {
        self.followed.is_none()
            || self.begun.elapsed() >= PATIENCE
            || self.states.iter().all(|state| state.is_settled())
    }

    /// Adds the metrics of all kinds.
    pub fn report(&self, page: &mut Page) {
        if self.followed.is_some() {
            state::report(page, |kind| self.state(kind));
        }
    }

    fn state(&self, kind: Kind) -> &Arc<State> {
        &self.states[kind as usize]
    }
}
