//! What peers may have of this process: before anything of theirs is parsed.

use std::time::Duration;

/// See the module. The defaults serve 5,000 nodes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of a request's body.
    pub body_bytes: usize,
    /// Of all bodies that are being read or taken.
    pub all_body_bytes: usize,
    /// Of a request's header, names included.
    pub header_bytes: usize,
    /// Lines of a request's header.
    pub header_lines: usize,
    /// Connections, all together.
    pub connections: usize,
    /// Connections of one address; of IPv6, of one /64 network.
    pub connections_of_peer: usize,
    /// Requests of one connection at a time.
    pub streams: u32,
    /// Requests that are being answered at a time.
    pub requests: usize,
    /// Handshakes under way from which on a client must show that its address is its own.
    pub unchecked_handshakes: usize,
    /// Handshakes under way at most.
    pub handshakes: usize,
    /// For a handshake.
    pub handshake_time: Duration,
    /// For a request's header to arrive.
    pub header_time: Duration,
    /// For a request's body to arrive.
    pub body_time: Duration,
    /// For a request to be taken.
    pub take_time: Duration,
    /// For a peer to read what was answered.
    pub write_time: Duration,
    /// Silence of a connection; more than the agents' longest usual window.
    pub idle_time: Duration,
    /// For requests under way when it stops.
    pub drain_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: protocol::Limits::default().message_bytes,
            all_body_bytes: 64 << 20,
            header_bytes: 16 << 10,
            header_lines: 48,
            connections: 8_192,
            connections_of_peer: 64,
            streams: 4,
            requests: 256,
            unchecked_handshakes: 64,
            handshakes: 1_024,
            handshake_time: Duration::from_secs(10),
            header_time: Duration::from_secs(10),
            body_time: Duration::from_secs(20),
            take_time: Duration::from_secs(30),
            write_time: Duration::from_secs(20),
            idle_time: Duration::from_secs(90),
            drain_time: Duration::from_secs(20),
        }
    }
}
