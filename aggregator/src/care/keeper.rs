//! The care that a serving aggregator takes beside its work.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::time::{Instant, sleep};

use super::{Care, turn::Turn};
use crate::{error_chain, lake::LakeError, status::Page};

/// Between two vacuums.
const VACUUM_EVERY: Duration = Duration::from_secs(24 * 3600);
/// The first vacuum of a process comes after this time, so that none that starts again and again puts a fence
/// each time.
const FIRST_VACUUM: Duration = Duration::from_secs(3600);

/// See the module.
pub struct Keeper {
    care: Care,
    turn: Turn,
    /// Between two rounds.
    every: Duration,
}

impl Keeper {
    /// Takes care so often.
    pub fn new(care: Care, turn: Turn, every: Duration) -> Self {
        Self { care, turn, every }
    }

    /// For ever, whenever it is this one's turn. May be dropped at any time.
    pub async fn run(&self) {
        let mut vacuum = Instant::now() + FIRST_VACUUM;
        loop {
            sleep(self.care.settings.random.jitter(self.every)).await;
            if let Err(error) = self.round(&mut vacuum).await {
                self.care.tally.failures.add(1);
                log::error!("taking care of the tables: {}", error_chain(&error));
            }
        }
    }

    async fn round(&self, vacuum: &mut Instant) -> Result<(), LakeError> {
        let is_ours = self.care.is_our_turn(&self.turn, self.every * 3).await?;
        self.care.tally.is_at_it.store(is_ours, Ordering::Relaxed);
        if !is_ours {
            return Ok(());
        }
        let round = self.care.round().await;
        if *vacuum <= Instant::now() {
            // Also if it fails, or it would be tried again each round.
            *vacuum = Instant::now() + VACUUM_EVERY;
            let gone = self.care.vacuum(false).await?;
            log::info!(
                "vacuum: {} files, {} bytes that no table names",
                gone.files,
                gone.bytes
            );
        }
        round.map(drop)
    }

    /// The last thing that it does.
    pub async fn end(&self) {
        self.care.give_up(&self.turn).await;
    }

    /// Metrics.
    pub fn report(&self, page: &mut Page) {
        let tally = self.care.tally();
        let is_at_it = tally.is_at_it.load(Ordering::Relaxed);
        page.gauge(
            "podledger_aggregator_care_active",
            "1 if it is this one of several aggregators that takes care of the tables.",
            u8::from(is_at_it),
        );
        for (name, help, counter) in [
            ("rounds", "Rounds of care that ended well.", &tally.rounds),
            ("failures", "Rounds of care that did not.", &tally.failures),
            (
                "merged_files",
                "Files that were replaced by larger ones.",
                &tally.merged_files,
            ),
            (
                "merged_rows",
                "Rows that were written again for it.",
                &tally.merged_rows,
            ),
            (
                "merges_given_up",
                "Merges whose files had gone when they were done.",
                &tally.given_up,
            ),
            ("hours", "Hours of pod_usage_hourly made.", &tally.hours),
            (
                "expired_files",
                "Files of days that were taken out for their age.",
                &tally.expired_files,
            ),
            (
                "vacuumed_files",
                "Files deleted that no table named.",
                &tally.vacuumed_files,
            ),
            ("checkpoints", "Checkpoints of logs.", &tally.checkpoints),
            (
                "cleaned",
                "Log entries and watermarks deleted.",
                &tally.cleaned,
            ),
        ] {
            page.counter(
                &format!("podledger_aggregator_care_{name}_total"),
                help,
                counter.get(),
            );
        }
    }
}
