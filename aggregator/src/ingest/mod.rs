//! The aggregator's front: one router behind HTTP/3, HTTP/2 and HTTP/1.1, all of them over TLS and
//! on one port number. It bounds what peers may have before anything of theirs is parsed.

mod body;
mod front;
mod gate;

mod limits;
mod pulse;
mod pushes;
mod quic;

mod refused;
mod router;
mod stop;
mod tcp;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod tls;

use async_trait::async_trait;
use bytes::Bytes;
use protocol::{Ack, Refusal, RefusalKind};

use crate::{push::NotTaken, status::Page};

pub use front::{Front, FrontError};
pub use limits::Limits;
pub use pushes::Pushes;
pub use refused::Refused;
pub use router::Router;
pub(crate) use router::settle;
pub use stop::{Stop, Stopper, stop};
pub(crate) use tcp::BrokeOff;
pub use tls::{Files, TlsError};

/// What stands behind the router.
#[async_trait]
pub trait Taker: Send + Sync + 'static {
    /// Takes one request of a peer whose node is already known to be `node`; `None` when anybody may
    /// speak for any node. It may be dropped at any point: its peer went away, or its time is over.
    async fn take(&self, node: Option<&str>, body: Bytes) -> Result<Ack, Refusal>;

    /// Takes what a collector pushed, of a peer of which the same is known.
    async fn push(&self, node: Option<&str>, body: &[u8]) -> Result<(), NotTaken> {
        let _ = (node, body);
        let reason = "nothing is pushed to this one";
        Err(NotTaken::new(RefusalKind::Busy, "request", reason))
    }

    /// What it lacks to take batches, in words; nothing when it is ready.
    fn missing(&self) -> Vec<String> {
        Vec::new()
    }

    /// Adds metrics of its own.
    fn report(&self, page: &mut Page) {
        let _ = page;
    }
}
