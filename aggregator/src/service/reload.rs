//! The ledger is read on behalf of requests: once for all who wait, and not too often, so that no flood
//! of requests becomes a flood on the store.

use protocol::{Refusal, RefusalKind};
use tokio::time::{Instant, sleep_until, timeout};

use super::{Service, check::refusal};
use crate::error_chain;

/// See the module.
#[derive(Default)]
pub(super) struct Reload {
    /// When the last one began.
    begun: Option<Instant>,
    /// When the last one began that ended well.
    good: Option<Instant>,
}

impl Service {
    /// Returns when the ledger was read from some time after `arrived` on.
    pub(super) async fn reload(&self, arrived: Instant) -> Result<(), Refusal> {
        let waited = timeout(self.settings.reload_within, self.reload_in_turn(arrived)).await;
        waited.unwrap_or_else(|_| {
            Err(refusal(
                RefusalKind::Busy,
                "the store does not answer in time; come back",
            ))
        })
    }

    async fn reload_in_turn(&self, arrived: Instant) -> Result<(), Refusal> {
        let mut reload = self.reload.lock().await;
        if reload.good.is_some_and(|begun| begun > arrived) {
            return Ok(());
        }
        if let Some(begun) = reload.begun {
            sleep_until(begun + self.settings.reload_every).await;
        }
        let begun = Instant::now();
        reload.begun = Some(begun);
        match self.lake.reload_ledger().await {
            Ok(ledger) => {
                reload.good = Some(begun);
                self.with(|state| state.intake.raise(&ledger));
                Ok(())
            }
            Err(error) => {
                let words = error_chain(&error);
                if !error.may_pass() {
                    self.suspend(words.clone());
                }
                Err(refusal(RefusalKind::Busy, words))
            }
        }
    }
}
