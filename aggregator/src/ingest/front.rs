//! Both sockets of the port, from the first connection to the last.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::Arc,
};

use quinn::Endpoint;
use tokio::{net::TcpListener, time::timeout};
use tokio_rustls::TlsAcceptor;

use super::{
    Router,
    gate::Gate,
    quic, tcp,
    tls::{Certificate, Files, TlsError},
};

/// Tries to find a port that is free for both, where any will do.
const TRIES: usize = 16;

/// Why the front can't open.
#[derive(Debug, thiserror::Error)]
pub enum FrontError {
    /// The address can't be listened on.
    #[error("listening on {address}, TCP and UDP: is the port in use, or the address elsewhere?")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The certificate can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// See the module.
pub struct Front {
    router: Arc<Router>,
    certificate: Arc<Certificate>,
    tcp: TcpListener,
    acceptor: TlsAcceptor,
    quic: Endpoint,
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
        let (tcp, udp) = listen_on_both(address).await.map_err(listen)?;
        let quic = quic::endpoint(udp, &certificate, &router.limits)?.map_err(listen)?;
        Ok(Self {
            certificate,
            router: Arc::new(router),
            tcp,
            acceptor,
            quic,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Serves until it is told to stop, and until the requests under way are answered or their time
    /// is over.
    pub async fn run(self) {
        let limits = self.router.limits;
        let gate = Gate::new(limits.connections, limits.connections_of_peer);
        let metrics = Arc::clone(&self.router.metrics);
        let stop = self.router.stop.clone();
        let watching = self.certificate.watch(metrics);
        let tcp = tcp::serve(
            self.tcp,
            self.acceptor,
            Arc::clone(&gate),
            Arc::clone(&self.router),
        );
        let quic = quic::serve(self.quic, gate, self.router);
        let serving = async { tokio::join!(tcp, quic) };
        let mut serving = Box::pin(serving);
        tokio::select! {
            () = watching => {}
            _ = &mut serving => return,
            () = stop.wait() => {}
        }
        if timeout(limits.drain_time, serving).await.is_err() {
            log::warn!(
                "after {} s some requests are still under way: they are cut off",
                limits.drain_time.as_secs()
            );
        }
    }
}

/// One port number for both. Port 0 is any, and may be free for one of them only.
async fn listen_on_both(address: SocketAddr) -> io::Result<(TcpListener, UdpSocket)> {
    let mut tries = TRIES;
    loop {
        let tcp = TcpListener::bind(address).await?;
        match quic::listen(tcp.local_addr()?) {
            Ok(udp) => return Ok((tcp, udp)),
            Err(error) => {
                tries -= 1;
                if address.port() != 0 || tries == 0 {
                    return Err(error);
                }
            }
        }
    }
}
