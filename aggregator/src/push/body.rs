//! The body of a push: the published payload.

use serde::de::DeserializeSeed as _;
use serde_json::Value;

use super::{
    Problem,
    definition::{At, Bytes, Cores, Name, Part as _, Problems, Reader, Time, Unkept, object},
};

object! {
    /// What a collector saw on its node.
    #[derive(Clone, Debug, PartialEq)]
    pub struct Payload {
        /// When the collector looked: the end of the rows' window. A time without a zone is in UTC.
        pub timestamp: Time,
        /// The node.
        pub node_name: Name<1>,
        /// The node's own name for itself; not kept.
        pub hostname: Option<Unkept>,
        /// Its EC2 instance.
        pub ec2_instance_id: Option<Name<0>>,
        /// Its pods.
        pub pods: Vec<Pod>,
    }
}

object! {
    /// A pod.
    #[derive(Clone, Debug, PartialEq)]
    pub struct Pod {
        /// Its uid.
        pub pod_id: Name<1>,
        /// Its namespace.
        pub namespace: Name<0>,
        /// Its name.
        pub name: Name<0>,
        /// CPU in use.
        pub cpu_usage_cores: Option<Cores>,
        /// Memory in use.
        pub memory_usage_bytes: Option<Bytes>,
        /// Running total of bytes sent.
        pub net_tx_bytes: Option<Bytes>,
        /// Running total of bytes received.
        pub net_rx_bytes: Option<Bytes>,
        /// When it was started; not kept.
        pub pod_start_time: Option<Unkept>,
    }
}

/// Its JSON schema.
pub fn schema() -> Value {
    Payload::schema()
}

/// Reads one, or tells all that is wrong with it, up to a bound.
pub fn parse(body: &[u8]) -> Result<Payload, Vec<Problem>> {
    let mut problems = Problems::default();
    let mut from = serde_json::Deserializer::from_slice(body);
    let read = Reader::<Payload>::new(&At::Body, &mut problems).deserialize(&mut from);
    let read = read.and_then(|payload| from.end().map(|()| payload));
    let mut list = problems.list;
    match read {
        Ok(Some(payload)) if list.is_empty() => Ok(payload),
        Ok(_) => Err(list),
        Err(error) => {
            list.insert(0, Problem::new("body", format!("it is no JSON: {error}")));
            list.truncate(super::definition::MOST_PROBLEMS);
            Err(list)
        }
    }
}
