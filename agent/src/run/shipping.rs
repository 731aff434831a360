//! Spool and shipper as one: what is kept by the keeper is sent while the windows go on, and what is left
//! is tried once more at the end.

use std::{cell::RefCell, rc::Rc, time::Duration};

use protocol::Row;
use tokio::sync::Notify;

use super::{RunError, keeper::Keeper};
use crate::{
    health::Health,
    host::{Host, HostError},
    ship::{self, Shipper},
    spool::{self, Found, Spool},
    status::Figures,
};

/// For what waits at the end.
const FAREWELL: Duration = Duration::from_secs(5);

/// An open spool, before the host starts that it belongs to.
pub struct OpenSpool {
    spool: Spool,
    /// What the host needs to go on: [`crate::host::Settings::spooled_state`].
    pub state: Option<Vec<u8>>,
}

impl OpenSpool {
    /// Opens the spool; one that can't be read is set aside, and told.
    pub fn open(settings: spool::Settings) -> Result<Self, RunError> {
        let file = settings.file.clone();
        let failed = |source| RunError::Spool {
            file: file.clone(),
            source,
        };
        let (spool, found) = Spool::open(settings).map_err(failed)?;
        if let Found::Lost { aside, reason } = found {
            log::error!(
                "spool: {} can't be read: {reason}; it lies at {} now, and a gap tells of it",
                file.display(),
                aside.display()
            );
        }
        let state = spool.state().map_err(failed)?;
        Ok(Self { spool, state })
    }
}

/// See the module.
pub struct Shipping {
    spool: Rc<RefCell<Spool>>,
    keeper: Keeper,
    shipper: Shipper,
    healths: [Health; 2],
    max_bytes: u64,
}

impl Shipping {
    /// Begins an epoch of the spool for the host's rows.
    pub fn start(
        host: &mut Host,
        open: OpenSpool,
        settings: ship::Settings,
        max_bytes: u64,
    ) -> Result<Self, RunError> {
        let healths = [Health::new("spool"), Health::new("aggregator")];
        let (spool, grown) = (Rc::new(RefCell::new(open.spool)), Rc::new(Notify::new()));
        let keeper = Keeper::start(
            host,
            Rc::clone(&spool),
            Rc::clone(&grown),
            healths[0].clone(),
        )
        .map_err(RunError::Begin)?;
        let shipper = Shipper::new(
            settings,
            host.node_name().to_owned(),
            (Rc::clone(&spool), grown),
            healths[1].clone(),
            rand::random(),
        )?;
        Ok(Self {
            spool,
            keeper,
            shipper,
            healths,
            max_bytes,
        })
    }

    /// Of the spool and of the aggregator.
    pub(super) fn healths(&self) -> Vec<Health> {
        self.healths.to_vec()
    }

    /// What the metrics tell of it.
    pub(super) fn figures(&self) -> Figures {
        Figures::new(self.shipper.tally(), Rc::clone(&self.spool), self.max_bytes)
    }
}

/// Runs `windows` and ships what it keeps; without anybody to ship to it only runs.
pub(super) async fn beside<T>(
    shipping: Option<&mut Shipping>,
    windows: impl AsyncFnOnce(Option<&mut Keeper>) -> T,
) -> T {
    let Some(shipping) = shipping else {
        return windows(None).await;
    };
    let shipper = &mut shipping.shipper;
    let done = tokio::select! {
        done = windows(Some(&mut shipping.keeper)) => done,
        () = shipper.run() => unreachable_end().await,
    };
    shipper.drain(FAREWELL).await;
    done
}

/// A shipper runs for ever.
async fn unreachable_end<T>() -> T {
    std::future::pending().await
}

/// The rows of a window are kept, or, where nothing is shipped, the state that follows from them is.
pub(super) fn keep(
    keeper: Option<&mut Keeper>,
    host: &mut Host,
    rows: Vec<Row>,
) -> Result<(), HostError> {
    match keeper {
        Some(keeper) => keeper.keep(host, rows),
        None => {
            host.save();
            Ok(())
        }
    }
}
