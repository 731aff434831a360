//! HTTP/3 over QUIC over UDP.

mod conversation;
mod settings;
mod streams;

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use quinn::{Endpoint, EndpointConfig, Incoming, TokioRuntime, VarInt};
use socket2::SockRef;
use tokio::{task::JoinSet, time::timeout};

use super::{
    Limits, Router,
    gate::{Gate, Place},
    tcp::Counted,
    tls::{Certificate, TlsError},
};
use crate::status::{Closed, Way};

/// Packets that came and were not looked at yet. Where all nodes come back at once the usual 208 KiB lose
/// thousands of them, and with each loss its node waits twice as long.
const RECEIVE_BUFFER: usize = 4 << 20;

/// Takes the port.
pub(super) fn listen(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    // The kernel gives as much of it as `net.core.rmem_max` allows, and says nothing.
    SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER)?;
    Ok(socket)
}

/// Speaks QUIC on a socket.
pub(super) fn endpoint(
    socket: UdpSocket,
    certificate: &Arc<Certificate>,
    limits: &Limits,
) -> Result<io::Result<Endpoint>, TlsError> {
    let config = settings::server(certificate, limits)?;
    let runtime = Arc::new(TokioRuntime);
    let own = EndpointConfig::default();
    Ok(Endpoint::new(own, Some(config), socket, runtime))
}

/// Handshakes under way.
#[derive(Clone, Debug, Default)]
struct Handshakes(Arc<AtomicUsize>);

/// One of them.
struct Handshake(Handshakes);

impl Handshakes {
    fn count(&self) -> usize {
        self.0.load(Relaxed)
    }

    fn begin(&self) -> Handshake {
        self.0.fetch_add(1, Relaxed);
        Handshake(self.clone())
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
    }
}

/// Serves until it is told to stop; then what is under way ends. Dropped, it cuts everything off.
pub(super) async fn serve(endpoint: Endpoint, gate: Arc<Gate>, router: Arc<Router>) {
    let mut connections = JoinSet::new();
    let handshakes = Handshakes::default();
    loop {
        let incoming = tokio::select! {
            incoming = endpoint.accept() => incoming,
            () = router.stop.wait() => break,
        };
        while connections.try_join_next().is_some() {}
        let Some(incoming) = incoming else { break };
        if let Some((incoming, place)) = let_in(incoming, &handshakes, &gate, &router) {
            let handshake = handshakes.begin();
            // Boxed, because it needs room that a connection then does without.
            let shaking = Box::pin(shake(incoming, Arc::clone(&router)));
            connections.spawn(converse(shaking, place, handshake, Arc::clone(&router)));
        }
    }
    // Who comes now is turned away.
    endpoint.set_server_config(None);
    while connections.join_next().await.is_some() {}
    // What was said last is on its way.
    endpoint.close(VarInt::from_u32(0), b"");
    endpoint.wait_idle().await;
}

/// Decides on one packet, before any state is made for its sender.
fn let_in(
    incoming: Incoming,
    handshakes: &Handshakes,
    gate: &Arc<Gate>,
    router: &Router,
) -> Option<(Incoming, Place)> {
    let (limits, metrics) = (&router.limits, &router.metrics);
    let closed = metrics.closed.of(Way::Http3);
    let pending = handshakes.count();
    if pending >= limits.handshakes {
        closed.count(Closed::TooMany);
        // It is sent again when nobody answers. Refused, an agent would take to HTTP/1.1, and the copies that are
        // on their way already would begin handshakes that nobody ends.
        incoming.ignore();
        return None;
    }
    let is_checked = incoming.remote_address_validated();
    if !is_checked && pending >= limits.unchecked_handshakes {
        metrics.retries.fetch_add(1, Relaxed);
        // It can't fail for an address that is not checked yet.
        drop(incoming.retry());
        return None;
    }
    match gate.enter(incoming.remote_address().ip()) {
        Ok(place) => Some((incoming, place)),
        Err(why) => {
            closed.count(why);
            incoming.refuse();
            None
        }
    }
}

async fn converse(
    shaking: impl Future<Output = Option<quinn::Connection>>,
    place: Place,
    handshake: Handshake,
    router: Arc<Router>,
) {
    let Some(connection) = shaking.await else {
        return;
    };
    drop(handshake);
    let counted = Counted::new(Arc::clone(&router), Way::Http3);
    let end = conversation::hold(connection, router).await;
    counted.end(end);
    drop(place);
}

async fn shake(incoming: Incoming, router: Arc<Router>) -> Option<quinn::Connection> {
    let closed = router.metrics.closed.of(Way::Http3);
    let peer = incoming.remote_address();
    let shaken = async { incoming.accept()?.await };
    match timeout(router.limits.handshake_time, shaken).await {
        Ok(Ok(connection)) => return Some(connection),
        Ok(Err(error)) => {
            log::debug!("{peer}: the QUIC handshake: {error}");
            closed.count(Closed::Handshake);
        }
        Err(_) => closed.count(Closed::TooSlow),
    }
    None
}
