//! All sources with their states, and whether they let the agent be ready.

use std::time::SystemTime;

use protocol::Timestamp;
use serde::Serialize;

use super::board::StatusBoard;
use crate::{
    health::{Condition, Health},
    kernel::{Source, SourceState, Sources},
};

/// Sources that only add to the rows, or take them away: no reason to hold back a rollout.
const OPTIONAL: [&str; 2] = ["imds", "push"];

/// What a source does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Starting,
    Working,
    Failing,
    Off,
    Absent,
}

/// A source as the server tells it.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    pub(super) name: &'static str,
    pub(super) state: State,
    #[serde(serialize_with = "as_timestamp")]
    pub(super) since: SystemTime,
    pub(super) message: Option<String>,
}

/// The answer to `/ready`.
#[derive(Debug, Serialize)]
pub(super) struct Readiness {
    pub(super) ready: bool,
    sources: Vec<Told>,
}

impl Readiness {
    /// By what the board says now.
    pub(super) fn of(board: &StatusBoard) -> Self {
        let sources = all(board);
        let fails =
            |source: &Told| source.state == State::Failing && !OPTIONAL.contains(&source.name);
        Self {
            ready: board.windows > 0 && !sources.iter().any(fails),
            sources,
        }
    }
}

/// Those of the kernel first.
pub(super) fn all(board: &StatusBoard) -> Vec<Told> {
    let kernel = board.kernel.iter().flat_map(Sources::iter);
    let kernel = kernel.map(|(source, state)| of_kernel(source, state, board.began));
    let others = board.healths.iter().map(of_health);
    kernel.chain(others).collect()
}

/// The kernel's sources are settled before the loop begins. One that can't run is told, but the
/// agent does its work without it.
fn of_kernel(source: Source, state: &SourceState, since: SystemTime) -> Told {
    let (state, message) = match state {
        SourceState::Active => (State::Working, None),
        SourceState::Off => (State::Off, None),
        SourceState::Absent(reason) => (State::Absent, Some(reason.clone())),
    };
    let name = match source {
        Source::Network => "kernel_network",
        Source::Cpu => "kernel_cpu",
        Source::Oom => "kernel_oom",
        Source::Lifecycle => "kernel_lifecycle",
    };
    Told {
        name,
        state,
        since,
        message,
    }
}

fn of_health(health: &Health) -> Told {
    let view = health.view();
    let (state, message) = match view.condition {
        Condition::Starting => (State::Starting, None),
        Condition::Working => (State::Working, None),
        Condition::Failing(message) => (State::Failing, Some(message)),
        Condition::Off(reason) => (State::Off, Some(reason)),
    };
    Told {
        name: view.name,
        state,
        since: view.since,
        message,
    }
}

fn as_timestamp<S: serde::Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    Timestamp::from_system(*time).serialize(serializer)
}
