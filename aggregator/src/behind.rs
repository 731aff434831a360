//! The service as `serve` sees it: what takes batches, tells how it is, and commits.

use std::{io, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use protocol::{Ack, Refusal};
use tokio::{runtime::Handle, sync::oneshot, task::spawn_blocking};

use crate::{
    care::{self, Care, keeper::Keeper, turn::Turn},
    config::Config,
    enrich::{Kind, Objects},
    ingest::Taker,
    lake::{
        LakeError,
        rows::{MergeFiles, WriteSettings},
        settings::Settings as LakeSettings,
    },
    push::NotTaken,
    serve::Behind,
    service::{Ready, Service, Settings, When},
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

/// What takes batches and commits them, and all that it does beside.
pub struct Aggregator {
    service: Service,
    /// Takes care of the tables, if nobody else does.
    keeper: Option<Arc<Keeper>>,
    /// What the rows are completed with.
    objects: Option<Arc<Objects>>,
}

/// Opens the tables of `config`; `objects` complete the rows, if there are any; `environment` tells region and
/// credentials of S3. Before it is `ready`, only age makes a commit.
pub async fn start(
    config: &Config,
    objects: Option<Arc<Objects>>,
    environment: impl IntoIterator<Item = (String, String)>,
    ready: Ready,
) -> Result<Aggregator, StartError> {
    let (store, prefix) = config.store.open(environment)?;
    config
        .store
        .reach(&*store, &prefix, Patience::default())
        .await?;
    let mut write = WriteSettings::default();
    if let Some(objects) = &objects {
        write.known = objects.clone();
    }
    let lake = LakeSettings::new(Arc::new(write));
    let mut settings = Settings::new(lake);
    settings.bounds.held.bytes = config.memory;
    settings.cluster = config.cluster.as_str().into();
    settings.when = When {
        bytes: config.triggers.bytes,
        rows: config.triggers.rows as u64,
        age: config.triggers.age,
    };
    settings.ready = ready;
    let service = Service::start(store.clone(), prefix.clone(), settings).await?;
    let keeper = config.care.as_ref().map(|wanted| {
        let mut settings = care::command::settings(MergeFiles::beside());
        settings.rules.settle = wanted.settle;
        settings.days = wanted.retention_days;
        let turn = Turn::new(&prefix, service.instance());
        let care = Care::new(store, &prefix, settings);
        Arc::new(Keeper::new(care, turn, wanted.every))
    });
    Ok(Aggregator {
        service,
        keeper,
        objects,
    })
}

#[async_trait]
impl Taker for Aggregator {
    async fn take(&self, node: Option<&str>, body: Bytes) -> Result<Ack, Refusal> {
        self.service.take(node, body).await
    }

    async fn push(&self, node: Option<&str>, body: &[u8]) -> Result<(), NotTaken> {
        self.service.push(node, body)
    }

    fn missing(&self) -> Vec<String> {
        let status = self.service.status();
        let stopping = status.is_stopping.then(|| "it is stopping".to_owned());
        stopping.into_iter().chain(status.trouble).collect()
    }

    fn report(&self, page: &mut Page) {
        batches(&self.service, page);
        waiting(&self.service, page);
        lake(&self.service, page);
        if let Some(keeper) = &self.keeper {
            keeper.report(page);
        }
        if let Some(objects) = &self.objects {
            known(objects, page);
        }
    }
}

fn known(objects: &Objects, page: &mut Page) {
    let tally = objects.tally();
    let name = "podledger_aggregator_objects";
    page.head(
        name,
        "gauge",
        "Objects of the API server that are known, by kind and whether they are gone.",
    );
    for (at, kind) in Kind::ALL.iter().enumerate() {
        for (state, counts) in [("there", &tally.there), ("gone", &tally.gone)] {
            page.line(name, &[("kind", kind.name()), ("state", state)], counts[at]);
        }
    }
    page.gauge(
        "podledger_aggregator_object_text_bytes",
        "Bytes of their labels, annotations and names.",
        tally.text_bytes,
    );
    page.counter(
        "podledger_aggregator_object_oddities_total",
        "Fields of objects that were not what they must be.",
        objects.oddities(),
    );
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
impl Behind for Aggregator {
    async fn run(&self) {
        let Some(keeper) = &self.keeper else {
            return self.service.run().await;
        };
        let (end, ended) = oneshot::channel::<()>();
        let (keeper, runtime) = (Arc::clone(keeper), Handle::current());
        // On a thread of its own: whole files are read and added up, and requests are answered meanwhile.
        let keeping = spawn_blocking(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = keeper.run() => {}
                    _ = ended => {}
                }
                keeper.end().await;
            });
        });
        self.service.run().await;
        drop(end);
        if let Err(error) = keeping.await {
            log::error!("taking care of the tables: {error}");
        }
    }

    fn stop(&self) {
        self.service.stop();
    }
}
