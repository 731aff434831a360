//! How QUIC is spoken: a connection that waits for its next batch costs little, and no peer can make
//! it cost much.

use std::{sync::Arc, time::Duration};

use quinn::{IdleTimeout, ServerConfig, TransportConfig, VarInt, crypto::rustls::QuicServerConfig};

use crate::ingest::{
    Limits,
    tls::{Certificate, TlsError},
};

/// What a peer may send of one request before it is read.
const STREAM_WINDOW: u32 = 64 << 10;
/// And of all of a connection's requests.
const CONNECTION_WINDOW: u32 = 128 << 10;
/// What may be on its way to a peer; answers are small.
const SEND_WINDOW: u64 = 32 << 10;
/// The control stream, two of QPACK, and one that means nothing, as some clients open.
const UNI_STREAMS: u32 = 4;
/// Of handshake messages that come before their turn.
const CRYPTO_BUFFER: usize = 8 << 10;
/// Packets of one client that come before it is let in or turned away.
const INCOMING_BYTES: u64 = 16 << 10;
/// And of all of them.
const ALL_INCOMING_BYTES: u64 = 4 << 20;
/// For a client to come back with the word that shows its address.
const RETRY_TIME: Duration = Duration::from_secs(10);

pub(super) fn server(
    certificate: &Arc<Certificate>,
    limits: &Limits,
) -> Result<ServerConfig, TlsError> {
    let tls = QuicServerConfig::try_from(Arc::new(certificate.for_quic()?));
    let tls = tls
        .map_err(|error| TlsError::Setup(rustls::Error::General(format!("QUIC needs {error}"))))?;
    let mut config = ServerConfig::with_crypto(Arc::new(tls));
    config
        .transport_config(Arc::new(transport(limits)))
        .max_incoming(limits.handshakes)
        .incoming_buffer_size(INCOMING_BYTES)
        .incoming_buffer_size_total(ALL_INCOMING_BYTES)
        .retry_token_lifetime(RETRY_TIME);
    config.validation_token.sent(0);
    Ok(config)
}

fn transport(limits: &Limits) -> TransportConfig {
    let idle = u64::try_from(limits.idle_time.as_millis()).unwrap_or(u64::MAX);
    let idle = VarInt::from_u64(idle).unwrap_or(VarInt::MAX);
    let mut transport = TransportConfig::default();
    transport
        .max_idle_timeout(Some(IdleTimeout::from(idle)))
        .max_concurrent_bidi_streams(VarInt::from_u32(limits.streams))
        .max_concurrent_uni_streams(VarInt::from_u32(UNI_STREAMS))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW))
        .send_window(SEND_WINDOW)
        .crypto_buffer_size(CRYPTO_BUFFER)
        .datagram_receive_buffer_size(None)
        .datagram_send_buffer_size(0)
        // Answers fit into one packet; probing for larger ones would only cost.
        .mtu_discovery_config(None);
    transport
}
