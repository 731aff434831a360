//! The loop that commits: one cycle at a time, by size, rows or age; by age alone before it is ready.

use tokio::time::{Instant, timeout_at};

use super::Service;
use crate::{error_chain, lake::LakeError};

/// How much sooner than its age a batch may be committed: a part of the age.
const SOONER: u32 = 5;

impl Service {
    /// Commits until [`Service::stop`] was called and everything that was held is committed. May be
    /// dropped at any time.
    pub async fn run(&self) {
        while self.wait().await {
            if let Err(error) = self.cycle().await {
                self.fail(&error);
                let end = Instant::now() + self.settings.lake.random.jitter(self.settings.pause);
                self.rest(end).await;
            }
        }
        while self.with(|state| state.intake.held().batches) > 0 {
            if let Err(error) = self.cycle().await {
                self.fail(&error);
                return;
            }
        }
    }

    /// Takes nothing in from now on, and makes [`Service::run`] return after a last commit.
    pub fn stop(&self) {
        self.with(|state| state.is_stopping = true);
        self.wake.notify_one();
    }

    /// When something that comes now is committed at the latest.
    pub(super) fn due_from(&self, now: Instant) -> Instant {
        let age = self.settings.when.age;
        now + age - self.settings.lake.random.jitter(age / SOONER)
    }

    /// Until it is time for a cycle; false when it is time to stop.
    async fn wait(&self) -> bool {
        loop {
            let is_ready = (self.settings.ready.0)();
            let (is_stopping, due) = self.with(|state| {
                let held = state.intake.held();
                let when = &self.settings.when;
                let is_much = held.bytes >= when.bytes || held.rows >= when.rows;
                let now = (is_ready && is_much && held.batches > 0).then(Instant::now);
                (state.is_stopping, now.or(state.due))
            });
            if is_stopping {
                return false;
            }
            let woken = self.wake.notified();
            match due {
                None => woken.await,
                Some(due) if due <= Instant::now() => return true,
                Some(due) => drop(timeout_at(due, woken).await),
            }
        }
    }

    /// Until then, or until it is time to stop.
    async fn rest(&self, end: Instant) {
        loop {
            let woken = timeout_at(end, self.wake.notified()).await;
            if woken.is_err() || self.with(|state| state.is_stopping) {
                return;
            }
        }
    }

    async fn cycle(&self) -> Result<(), LakeError> {
        let begun = Instant::now();
        let (sealed, is_all) = self.with(|state| {
            let sealed = state.intake.seal();
            let is_all = sealed.batches.len() == state.intake.held().batches;
            (sealed, is_all)
        });
        let ledger = self.lake.commit(&sealed).await?;
        self.tally.cycles.add(1);
        let now = (self.settings.lake.clock)();
        self.with(|state| {
            state.intake.raise(&ledger);
            state.trouble = None;
            state.last_commit = Some(now);
            // What came during the cycle has waited since its begin; what was left behind, longer.
            state.due = match state.intake.held().batches {
                0 => None,
                _ if is_all => Some(self.due_from(begun)),
                _ => Some(begun),
            };
        });
        Ok(())
    }

    fn fail(&self, error: &LakeError) {
        self.tally.failures.add(1);
        let words = error_chain(error);
        log::error!("committing: {words}; nothing is taken in until it succeeds");
        self.suspend(words);
    }

    /// Takes nothing in until a cycle succeeds, and begins one, even if nothing is held.
    pub(super) fn suspend(&self, why: String) {
        self.with(|state| {
            state.trouble = Some(why);
            state.due = Some(Instant::now());
        });
        self.wake.notify_one();
    }
}
