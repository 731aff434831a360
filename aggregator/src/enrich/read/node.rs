//! Where a node is.

use std::borrow::Cow;

use protocol::pod::{Field, Text, instance_of_aws};
use serde::Deserialize;

use super::{Odd, from_json, metadata::needed};

#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
    #[serde(borrow, default)]
    spec: Field<Spec<'a>>,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow, default)]
    name: Field<Text<'a>>,
    #[serde(borrow, default)]
    labels: Field<Labels<'a>>,
}

#[derive(Default, Deserialize)]
struct Labels<'a> {
    #[serde(borrow, default, rename = "topology.kubernetes.io/zone")]
    zone: Field<Text<'a>>,
    #[serde(borrow, default, rename = "topology.kubernetes.io/region")]
    region: Field<Text<'a>>,
    #[serde(borrow, default, rename = "node.kubernetes.io/instance-type")]
    instance_type: Field<Text<'a>>,
}

#[derive(Deserialize)]
struct Spec<'a> {
    #[serde(borrow, default, rename = "providerID")]
    provider_id: Field<Text<'a>>,
}

/// A node.
#[derive(Debug, PartialEq, Eq)]
pub struct Node<'a> {
    /// Name.
    pub name: Cow<'a, str>,
    /// Availability zone.
    pub zone: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// EC2 instance type.
    pub instance_type: Option<String>,
    /// EC2 instance.
    pub instance_id: Option<String>,
}

/// Reads one.
pub fn node<'a>(object: &'a str, oddities: &mut u64) -> Result<Node<'a>, Odd> {
    let Object { metadata, spec } = from_json(object)?;
    let labels = metadata.labels.take(oddities).unwrap_or_default();
    let spec = spec.take(oddities);
    let provider_id = spec.and_then(|spec| spec.provider_id.text(oddities));
    let instance = provider_id.as_deref().and_then(instance_of_aws);
    let zone = labels.zone.owned(oddities);
    Ok(Node {
        name: needed(metadata.name, "name", oddities)?,
        zone: zone.or_else(|| instance?.0.map(str::to_owned)),
        region: labels.region.owned(oddities),
        instance_type: labels.instance_type.owned(oddities),
        instance_id: instance.map(|(_, id)| id.to_owned()),
    })
}
