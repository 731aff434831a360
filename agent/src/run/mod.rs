//! The agent of a node: the kernel's counters joined with what the kubelet, the API server and the
//! instance's metadata know. Everything runs on one thread, and none of those can hold up a window.

mod failures;
mod keeper;
mod kubelet;
mod node;
mod push;
mod shipping;
mod windows;

use std::{
    io,
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use protocol::Row;
use tokio::task::LocalSet;

pub use self::{
    failures::GaveUp,
    shipping::{OpenSpool, Shipping},
    windows::{Schedule, stop_flag},
};
use crate::{
    host::{Host, HostError},
    http::HttpError,
    imds,
    join::Known,
    pods,
    spool::SpoolError,
};

/// Whom the agent of a node asks and tells; what is absent is not.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Length of a window.
    pub interval: Duration,
    /// Of a window, at most, from the kubelet's answer to its end.
    pub jitter_percent: u32,
    /// Failures in a row that end the process; 0 never does.
    pub max_consecutive_failures: u64,
    /// The kubelet.
    pub kubelet: Option<crate::kubelet::Settings>,
    /// The API server.
    pub kubernetes: Option<pods::Settings>,
    /// The instance metadata service.
    pub imds: Option<imds::Settings>,
    /// The region where nobody else tells it.
    pub region: Option<String>,
    /// Where the status server listens.
    pub status: Option<String>,
    /// Show each pod on the status server.
    pub per_pod_metrics: bool,
    /// URL of an aggregator that takes the published JSON.
    pub push: Option<String>,
    /// Log what is exchanged with it.
    pub debug: bool,
}

/// Why the agent of a node ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The kernel side or the output.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A source failed too often.
    #[error(transparent)]
    GaveUp(#[from] GaveUp),
    /// The runtime could not be made.
    #[error("starting the agent's runtime")]
    Runtime(#[source] io::Error),
    /// The status server can't listen.
    #[error(
        "listening on {address} for /healthz, /ready and /metrics: \
         choose another address with PODLEDGER_STATUS_LISTEN, or `off`"
    )]
    Listen {
        /// Where.
        address: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The spool can't be opened.
    #[error(
        "opening the spool {file}: it needs a directory that outlives the agent; PODLEDGER_SPOOL_FILE names another"
    )]
    Spool {
        /// Where.
        file: PathBuf,
        /// Why not.
        #[source]
        source: SpoolError,
    },
    /// The spool can't be written at the start.
    #[error("beginning in the spool")]
    Begin(#[source] SpoolError),
    /// An address can't be used.
    #[error(transparent)]
    Http(#[from] HttpError),
}

/// Runs until `deadline`, `stop` or too many failures.
pub fn on_node(
    host: &mut Host,
    settings: Settings,
    shipping: Option<&mut Shipping>,
    (deadline, stop): (Option<Instant>, &Arc<AtomicBool>),
    mut write: impl FnMut(&[Row]) -> io::Result<()>,
) -> Result<(), RunError> {
    let mut schedule = Schedule::new(settings.interval, deadline, stop);
    on_this_thread(async {
        let figures = shipping
            .as_ref()
            .map(|shipping| (shipping.figures(), shipping.healths()));
        let mut node = node::Node::start(settings, host, figures).await?;
        schedule.first = Some(Box::pin(node.first_answers()));
        schedule.beat = Some(node.beat());
        shipping::beside(shipping, async |mut keeper| {
            windows::windows(host, schedule, |host| {
                let rows = node.end(host, &mut write)?;
                Ok(shipping::keep(keeper.as_deref_mut(), host, rows)?)
            })
            .await
        })
        .await
    })
}

/// Runs the agent of a plain host.
pub fn on_host(
    host: &mut Host,
    schedule: Schedule,
    shipping: Option<&mut Shipping>,
    mut write: impl FnMut(&[Row]) -> io::Result<()>,
) -> Result<(), RunError> {
    on_this_thread(shipping::beside(shipping, async |mut keeper| {
        windows::windows(host, schedule, |host| {
            let rows = host.close_window(Known::default())?;
            write(&rows).map_err(HostError::Output)?;
            Ok(shipping::keep(keeper.as_deref_mut(), host, rows)?)
        })
        .await
    }))
}

fn on_this_thread(run: impl Future<Output = Result<(), RunError>>) -> Result<(), RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(RunError::Runtime)?;
    LocalSet::new().block_on(&runtime, run)
}
