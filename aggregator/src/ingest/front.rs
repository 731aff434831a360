//! Both sockets of the port, from the first connection to the last.

use std::{net::SocketAddr, sync::Arc};

use tokio::{net::TcpListener, time::timeout};
use tokio_rustls::TlsAcceptor;

use super::{
    Router,
    gate::Gate,
    tcp,
    tls::{Certificate, Files, TlsError},
};

/// Why the front can't open.
#[derive(Debug, thiserror::Error)]
pub enum FrontError {
    /// The address can't be listened on.
    #[error("listening on {address}: is the port in use, or the address another machine's?")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The certificate can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// See the module.
pub struct Front {
    router: Arc<Router>,
    certificate: Arc<Certificate>,
    gate: Arc<Gate>,
    tcp: TcpListener,
    acceptor: TlsAcceptor,
    address: SocketAddr,
}

impl Front {
    /// Takes the port, TCP and UDP; it serves nobody before it runs.
    pub async fn open(
        address: SocketAddr,
        files: Files,
        router: Router,
    ) -> Result<Self, FrontError> {
        let certificate = Certificate::open(files)?;
        let acceptor = TlsAcceptor::from(certificate.for_tcp()?);
        let listen = |source| FrontError::Listen { address, source };
        let tcp = TcpListener::bind(address).await.map_err(listen)?;
        let address = tcp.local_addr().map_err(listen)?;
        let limits = &router.limits;
        Ok(Self {
            gate: Gate::new(limits.connections, limits.connections_of_peer),
            certificate,
            router: Arc::new(router),
            tcp,
            acceptor,
            address,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until it is told to stop, and until the requests under way are answered or their time
    /// is over.
    pub async fn run(self) {
        let metrics = Arc::clone(&self.router.metrics);
        let stop = self.router.stop.clone();
        let drain_time = self.router.limits.drain_time;
        let mut watching = Box::pin(self.certificate.watch(metrics));
        let mut serving = Box::pin(tcp::serve(self.tcp, self.acceptor, self.gate, self.router));
        tokio::select! {
            () = &mut watching => {}
            () = &mut serving => return,
            () = stop.wait() => {}
        }
        if timeout(drain_time, serving).await.is_err() {
            log::warn!(
                "after {} s some requests are still under way: they are cut off",
                drain_time.as_secs()
            );
        }
    }
}
