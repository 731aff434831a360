//! `podledger-aggregator`.

use std::{
    env,
    io::{self, Write as _},
    process::ExitCode,
    sync::Arc,
};

use aggregator::{
    behind,
    care::command::{self, CareError},
    cli::{Arguments, Command, Serve},
    config::Config,
    enrich::{self, Objects, watch::Watches},
    generate,
    ingest::{Stop, stop},
    logger, memory, serve,
    service::Ready,
    verify,
};
use anyhow::{Context as _, Result};
use clap::Parser as _;
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command {
        // It makes rows on all CPUs.
        Command::Generate(_) => memory::give_back(4),
        Command::Serve(_) | Command::Verify(_) => memory::give_back(1),
        // They end soon, and fresh memory costs them time.
        Command::Compact(_) | Command::Vacuum(_) => memory::share(1),
    }
    let (done, failure) = match &arguments.command {
        Command::Serve(options) => (
            serve(options).map(|()| ExitCode::SUCCESS),
            ExitCode::FAILURE,
        ),
        // 1 would say that the tables are wrong.
        Command::Verify(options) => (verify(options), verify::UNREADABLE.into()),
        Command::Compact(options) => (
            care(command::compact(options, environment())),
            ExitCode::FAILURE,
        ),
        Command::Vacuum(options) => (
            care(command::vacuum(options, environment())),
            ExitCode::FAILURE,
        ),
        Command::Generate(options) => (make(options), ExitCode::FAILURE),
    };
    done.unwrap_or_else(|error| {
        last_word(&error);
        failure
    })
}

/// The last word, where a log may not have begun yet.
fn last_word(error: &anyhow::Error) {
    // Nobody to tell when standard error is closed.
    drop(writeln!(io::stderr(), "podledger-aggregator: {error:#}"));
}

fn serve(options: &Serve) -> Result<()> {
    let config = Config::new(options, |name| env::var(name).ok())?;
    logger::init(config.log_level, config.debug_k8s_api);
    let runtime = Builder::new_multi_thread()
        .worker_threads(config.threads)
        .enable_all()
        .build()
        .context("starting the runtime")?;
    runtime.block_on(async {
        let objects = Objects::new(enrich::Settings::default());
        let watches = Arc::new(match &config.watch {
            Some(cluster) => Watches::new(cluster.clone(), objects.clone()),
            None => Watches::off(),
        });
        let objects = config.watch.is_some().then_some(objects);
        let watched = Arc::clone(&watches);
        let ready = Ready(Arc::new(move || watched.is_complete()));
        let start = behind::start(&config, objects, environment(), ready);
        let told = |addresses: serve::Addresses| {
            log::info!(
                "agents: https://{}, tables: {}",
                addresses.agents,
                config.store
            );
            if let Some(status) = addresses.status {
                log::info!("status: http://{status}/healthz, /health, /ready and /metrics");
            }
        };
        serve::serve(&config, watches, start, on_signals()?, told).await?;
        log::info!("everything that was taken in is committed");
        Ok(())
    })
}

/// Every variable that is text; others are nobody's setting.
fn environment() -> impl Iterator<Item = (String, String)> {
    env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// Set by the first SIGTERM or SIGINT; the second one ends the process at once.
fn on_signals() -> Result<Stop> {
    let (stopper, stopped) = stop();
    let mut terminate = signal(SignalKind::terminate()).context("handling signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("handling signals")?;
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        next().await;
        log::info!(
            "told to stop: no new requests, then a last commit; a second signal ends at once"
        );
        stopper.stop();
        next().await;
        std::process::exit(1);
    });
    Ok(stopped)
}

fn care(work: impl Future<Output = Result<(), CareError>>) -> Result<ExitCode> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("starting the runtime")?;
    runtime.block_on(work)?;
    Ok(ExitCode::SUCCESS)
}

fn verify(options: &verify::Arguments) -> Result<ExitCode> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    Ok(runtime.block_on(verify::run(options, environment())).into())
}

fn make(options: &generate::Arguments) -> Result<ExitCode> {
    generate::run(options, environment()).context("generating tables")?;
    Ok(ExitCode::SUCCESS)
}
