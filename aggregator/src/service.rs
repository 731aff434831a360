//! The aggregator without its sockets: requests in, answers out, and the loop that commits.

use bytes::Bytes;
use protocol::{Ack, Refusal};

/// See the module.
pub struct Service {}

impl Service {
    /// Takes one request of a peer whose node is already known to be `node`; `None` when anybody may
    /// speak for any node.
    pub async fn take(&self, node: Option<&str>, body: Bytes) -> Result<Ack, Refusal> {
        let _ = (node, body);
        unimplemented!()
    }
}
