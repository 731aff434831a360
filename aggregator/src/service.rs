//! The aggregator without its sockets: requests in, answers out, and the loop that commits.

mod check;
mod cycle;
mod push;
mod reload;
mod settings;
mod status;
mod take;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

use object_store::{ObjectStore, path::Path};
use protocol::Epoch;
use tokio::{sync::Notify, time::Instant};

use crate::{
    intake::Intake,
    lake::{Lake, LakeError},
    push::Senders,
};
use reload::Reload;

pub use settings::{CLUSTER, Ready, Settings, When};
pub use status::{Status, Tally};

/// See the module. Whoever makes one calls [`Service::run`] beside it: nothing is committed otherwise.
/// Dropping both, at any time, is a crash that loses nothing.
pub struct Service {
    lake: Lake,
    settings: Settings,
    /// Drawn at every start.
    instance: Epoch,
    state: Mutex<State>,
    reload: tokio::sync::Mutex<Reload>,
    /// Of pushes. Taken before `state`, never after it.
    senders: Mutex<Senders>,
    /// Something came, or it is time to stop.
    wake: Notify,
    tally: Tally,
}

#[derive(Default)]
struct State {
    intake: Intake,
    /// When what is held is committed at the latest; none while nothing is held.
    due: Option<Instant>,
    is_stopping: bool,
    /// Why nothing is taken in, though it is not stopping.
    trouble: Option<String>,
    last_commit: Option<protocol::Timestamp>,
}

impl Service {
    /// Reads the tables, or makes them. Fails if they can't be written safely.
    pub async fn start(
        store: Arc<dyn ObjectStore>,
        prefix: Path,
        settings: Settings,
    ) -> Result<Self, LakeError> {
        let lake = Lake::open(store, prefix, settings.lake.clone()).await?;
        let mut intake = Intake::new(settings.bounds);
        intake.raise(&lake.ledger());
        let state = State {
            intake,
            ..State::default()
        };
        Ok(Self {
            lake,
            instance: settings.lake.random.id(),
            settings,
            state: Mutex::new(state),
            reload: tokio::sync::Mutex::default(),
            senders: Mutex::default(),
            wake: Notify::new(),
            tally: Tally::default(),
        })
    }

    /// Names this start of this aggregator.
    pub fn instance(&self) -> Epoch {
        self.instance
    }

    /// The tables.
    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
