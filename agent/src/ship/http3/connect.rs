//! Opens a connection, from a socket of its own. One that was used before may be tied, somewhere on the
//! way, to an aggregator that is gone.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use quinn::{ConnectionError, Endpoint, IdleTimeout, TransportConfig, VarInt};
use tokio::time::timeout;

use super::{Connection, Target};
use crate::{
    http::HttpError,
    ship::{Settings, ShipError},
};

/// What the other side may have on its way to us.
pub(super) const RECEIVE_WINDOW: u32 = 512 * 1024;
const STREAM_RECEIVE_WINDOW: u32 = 256 * 1024;
const SEND_WINDOW: u64 = 4 << 20;
/// Streams that an HTTP/3 server opens: control, two of QPACK, and what it tries out.
const SERVER_STREAMS: u32 = 8;
/// First guess of the round trip. A lost first packet is sent again within the patience, three times.
const INITIAL_RTT: Duration = Duration::from_millis(100);
const MOST_HEADER_BYTES: u64 = 16 * 1024;
/// TLS alerts as codes of QUIC begin here.
const CRYPTO_CODES: u64 = 0x100;

pub(super) async fn connect(target: &Target) -> Result<Connection, ShipError> {
    let patience = target.settings.limits.patience;
    let opened = timeout(patience, open(target)).await;
    let (endpoint, quic) = opened.unwrap_or_else(|_| Err(target.silent()))?;
    let mut builder = h3::client::builder();
    builder.max_field_section_size(MOST_HEADER_BYTES);
    let speak = builder.build(h3_quinn::Connection::new(quic.clone()));
    let (mut connection, sender) = timeout(patience, speak)
        .await
        .map_err(|_| target.silent())?
        .map_err(|error| target.broken(&error.to_string()))?;
    let driver = tokio::spawn(async move {
        // Its error reaches the request that it concerns.
        let _reported_there = connection.wait_idle().await;
    });
    Ok(Connection {
        endpoint,
        quic,
        sender,
        driver,
    })
}

async fn open(target: &Target) -> Result<(Endpoint, quinn::Connection), ShipError> {
    let address = target.address;
    let local: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket =
        Endpoint::client(local).map_err(|error| HttpError::connect(target.endpoint(), &error))?;
    let mut config = quinn::ClientConfig::new(Arc::clone(&target.trust.config) as Arc<_>);
    config.transport_config(Arc::new(transport(&target.settings)));
    let connecting = socket
        .connect_with(config, address, target.settings.name())
        .map_err(|error| HttpError::Connect {
            endpoint: target.endpoint().to_string(),
            reason: error.to_string(),
        })?;
    let quic = connecting.await.map_err(|error| refused(target, &error))?;
    Ok((socket, quic))
}

fn transport(settings: &Settings) -> TransportConfig {
    let limits = &settings.limits;
    let mut config = TransportConfig::default();
    config
        .initial_rtt(INITIAL_RTT)
        .keep_alive_interval(Some(limits.keep_alive))
        .max_idle_timeout(IdleTimeout::try_from(limits.idle_timeout).ok())
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(SERVER_STREAMS))
        .receive_window(VarInt::from_u32(RECEIVE_WINDOW))
        .stream_receive_window(VarInt::from_u32(STREAM_RECEIVE_WINDOW))
        .send_window(SEND_WINDOW)
        .datagram_receive_buffer_size(None);
    config
}

fn refused(target: &Target, error: &ConnectionError) -> ShipError {
    let reason = match (target.trust.distrust(), error) {
        (Some(reason), _) => reason,
        (None, ConnectionError::TransportError(error)) if is_of_tls(error.code) => {
            error.to_string()
        }
        (None, ConnectionError::ConnectionClosed(close)) if is_of_tls(close.error_code) => {
            format!("it ended the handshake: {close}")
        }
        _ => return target.broken(&error.to_string()),
    };
    ShipError::Http(HttpError::tls(target.endpoint(), reason))
}

fn is_of_tls(code: quinn::TransportErrorCode) -> bool {
    u64::from(code) >= CRYPTO_CODES
}
