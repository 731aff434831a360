//! `podledger-aggregator serve`, from its settings to its last commit.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use async_trait::async_trait;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    auth::{Authenticator, FileError, Kubernetes, TokenFile},
    config::{Auth, Config},
    enrich::watch::Watches,
    ingest::{Front, FrontError, Pushes, Router, Stop, Taker, TlsError},
    status::{self, Metrics, Reporter},
};

/// What takes batches and commits them.
#[async_trait]
pub trait Behind: Taker {
    /// Commits until it is told to stop, and then once more.
    async fn run(&self);

    /// Takes nothing in from now on, and makes [`Behind::run`] end.
    fn stop(&self);
}

/// Why it can't serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError<E> {
    /// The port of the agents.
    #[error(transparent)]
    Front(#[from] FrontError),
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The tokens.
    #[error(transparent)]
    Tokens(#[from] FileError),
    /// The address of the status listener.
    #[error("listening on {address} for probes and metrics: is the port in use?")]
    Status {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What commits can't start.
    #[error("opening the tables")]
    Behind(#[source] E),
}

/// Where it listens, once it does.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// For agents.
    pub agents: SocketAddr,
    /// For probes and metrics.
    pub status: Option<SocketAddr>,
}

/// Serves until `stop` is set and everything that was taken in is committed. `start` opens the tables;
/// until then probes are answered, agents are not. `watches` run beside it. `told` hears where it listens.
pub async fn serve<B, E>(
    config: &Config,
    watches: Arc<Watches>,
    start: impl Future<Output = Result<B, E>>,
    stop: Stop,
    told: impl FnOnce(Addresses),
) -> Result<(), ServeError<E>>
where
    B: Behind,
    E: std::error::Error + 'static,
{
    let metrics = Arc::new(Metrics::default());
    let auth = authenticator(&config.auth, &metrics)?;
    config.files.check()?;
    let limits = config.limits;
    let pushes = Pushes::new(config.push, limits, Arc::clone(&metrics), stop.clone());
    let pushes = Arc::new(pushes);
    warn_of_pushes(config);
    let reporter = Arc::new(Reporter {
        metrics: Arc::clone(&metrics),
        taker: OnceLock::new(),
        pushes: Arc::clone(&pushes),
        stop: stop.clone(),
        watches: Arc::clone(&watches),
        debug_k8s_api: config.debug_k8s_api,
    });
    let (status, _serving_status) = match config.status_listen {
        None => (None, None),
        Some(address) => {
            let served = serve_status(address, Arc::clone(&reporter)).await;
            let (address, task) =
                served.map_err(|source| ServeError::Status { address, source })?;
            (Some(address), Some(Aborted(task)))
        }
    };
    let _watching = Aborted(tokio::spawn(async move { watches.run().await }));
    let behind = tokio::select! {
        started = start => Arc::new(started.map_err(ServeError::Behind)?),
        () = stop.wait() => return Ok(()),
    };
    let taker: Arc<dyn Taker> = behind.clone();
    // It is set here alone.
    drop(reporter.taker.set(Arc::clone(&taker)));
    let router = Router::new(taker, auth, metrics, limits, stop)
        .with_pushes(pushes)
        .with_health(Arc::clone(&reporter));
    let front = Front::open(config.listen, config.files.clone(), router).await?;
    told(Addresses {
        agents: front.address().unwrap_or(config.listen),
        status,
    });
    let answering = async {
        front.run().await;
        log::info!("all requests are answered; the last commit follows");
        behind.stop();
    };
    tokio::join!(answering, behind.run());
    Ok(())
}

/// A task that ends with whoever holds it.
struct Aborted(JoinHandle<()>);

impl Drop for Aborted {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn serve_status(
    address: SocketAddr,
    reporter: Arc<Reporter>,
) -> io::Result<(SocketAddr, JoinHandle<()>)> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok((address, tokio::spawn(status::serve(listener, reporter))))
}

/// The plain port asks nobody for a token, as the older aggregator's did not.
fn warn_of_pushes(config: &Config) {
    if let (true, Some(address)) = (config.push, config.status_listen) {
        log::warn!(
            "--push: whoever reaches {address} may push rows of any node; let network policies keep others away"
        );
    }
}

fn authenticator(auth: &Auth, metrics: &Arc<Metrics>) -> Result<Authenticator, FileError> {
    Ok(match auth {
        Auth::None => {
            log::warn!(
                "--auth none: whoever reaches the port may write any node's rows; \
                use kubernetes or token-file wherever others can reach it"
            );
            Authenticator::None
        }
        Auth::TokenFile(path) => Authenticator::TokenFile(TokenFile::open(path)?),
        Auth::Kubernetes(reviews) => {
            let asked = Kubernetes::new(reviews.clone(), Arc::clone(metrics));
            Authenticator::Kubernetes(Box::new(asked))
        }
    })
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
