//! The service as `serve` sees it: what takes batches, tells how it is, and commits.

use std::{io, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use protocol::{Ack, Refusal};

use crate::{
    config::Config,
    ingest::Taker,
    lake::{LakeError, rows::WriteSettings, settings::Settings as LakeSettings},
    push::NotTaken,
    serve::Behind,
    service::{Service, Settings, When},
    status::Page,
    store_url::{Patience, StoreError},
};

/// Why the tables can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The URL, or the directory.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is there.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// Asking the tables was broken off.
    #[error("starting")]
    Runtime(#[from] io::Error),
}

/// Opens the tables of `config`; `environment` tells region and credentials of S3.
pub async fn start(
    config: &Config,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Service, StartError> {
    let (store, prefix) = config.store.open(environment)?;
    config
        .store
        .reach(&*store, &prefix, Patience::default())
        .await?;
    let lake = LakeSettings::new(Arc::new(WriteSettings::default()));
    let mut settings = Settings::new(lake);
    settings.bounds.held.bytes = config.memory;
    settings.cluster = config.cluster.as_str().into();
    settings.when = When {
        bytes: config.triggers.bytes,
        rows: config.triggers.rows as u64,
        age: config.triggers.age,
    };
    Ok(Service::start(store, prefix, settings).await?)
}

#[async_trait]
impl Taker for Service {
    async fn take(&self, node: Option<&str>, body: Bytes) -> Result<Ack, Refusal> {
        Self::take(self, node, body).await
    }

    async fn push(&self, node: Option<&str>, body: &[u8]) -> Result<(), NotTaken> {
        Self::push(self, node, body)
    }

    fn missing(&self) -> Vec<String> {
        let status = self.status();
        let stopping = status.is_stopping.then(|| "it is stopping".to_owned());
        stopping.into_iter().chain(status.trouble).collect()
    }

    fn report(&self, page: &mut Page) {
        batches(self, page);
        waiting(self, page);
        lake(self, page);
    }
}

fn waiting(service: &Service, page: &mut Page) {
    let status = service.status();
    let held = status.held;
    page.gauge(
        "podledger_aggregator_held_batches",
        "Batches that wait for their commit.",
        held.batches,
    );
    page.gauge(
        "podledger_aggregator_held_bytes",
        "Bytes of those.",
        held.bytes,
    );
    page.gauge(
        "podledger_aggregator_held_rows",
        "Rows of those.",
        held.rows,
    );
    page.gauge(
        "podledger_aggregator_senders",
        "Starts of agents that the ledger knows.",
        status.senders,
    );
    if let Some(last) = status.last_commit {
        page.gauge(
            "podledger_aggregator_last_commit_timestamp_seconds",
            "When everything that was held was last committed.",
            last.unix_us as f64 / 1e6,
        );
    }
}

fn lake(service: &Service, page: &mut Page) {
    let counters = service.lake().counters();
    for (name, help, counter) in [
        (
            "committed_rows",
            "Rows in committed files, all tables together.",
            &counters.rows,
        ),
        (
            "committed_bytes",
            "Bytes of committed files.",
            &counters.bytes,
        ),
        (
            "log_entries",
            "Log entries put, over all tables.",
            &counters.entries,
        ),
        (
            "conflicts",
            "Log entries whose place was taken, or whose outcome was not known.",
            &counters.conflicts,
        ),
        (
            "orphans",
            "Files that no log entry names; vacuum removes them.",
            &counters.orphans,
        ),
        (
            "store_retries",
            "Requests to the store that were made again.",
            &counters.retries,
        ),
        (
            "rebuilt_watermarks",
            "Watermarks that were not there and were made anew from the rows of their table.",
            &counters.rebuilt,
        ),
        (
            "log_reloads",
            "Readings of a table's log.",
            &counters.reloads,
        ),
    ] {
        page.counter(
            &format!("podledger_aggregator_{name}_total"),
            help,
            counter.get(),
        );
    }
}

fn batches(service: &Service, page: &mut Page) {
    let tally = service.tally();
    let name = "podledger_aggregator_received_batches_total";
    page.head(
        name,
        "counter",
        "Batches that came, by what became of them.",
    );
    for (outcome, counter) in [
        ("taken", &tally.taken),
        ("known", &tally.known),
        ("ahead", &tally.ahead),
        ("no_room", &tally.full),
    ] {
        page.line(name, &[("outcome", outcome)], counter.get());
    }
    let name = "podledger_aggregator_pushes_total";
    page.head(name, "counter", "Pushes that came, by what became of them.");
    for (outcome, counter) in [("taken", &tally.pushed), ("known", &tally.pushed_again)] {
        page.line(name, &[("outcome", outcome)], counter.get());
    }
    let name = "podledger_aggregator_commits_total";
    page.head(name, "counter", "Commit cycles, by outcome.");
    for (outcome, counter) in [("committed", &tally.cycles), ("failed", &tally.failures)] {
        page.line(name, &[("outcome", outcome)], counter.get());
    }
}

#[async_trait]
impl Behind for Service {
    async fn run(&self) {
        Self::run(self).await;
    }

    fn stop(&self) {
        Self::stop(self);
    }
}
