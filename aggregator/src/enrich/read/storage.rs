//! Claims, and the volumes behind them.

use std::borrow::Cow;

use protocol::pod::{Field, Text, Unit, read_quantity};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Odd, from_json,
    metadata::{Metadata, needed},
};

/// The driver whose handles are ids of EBS volumes.
const EBS_DRIVER: &str = "ebs.csi.aws.com";

#[derive(Deserialize)]
struct Object<'a, S> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
    #[serde(default = "absent")]
    spec: Field<S>,
}

const fn absent<S>() -> Field<S> {
    Field::Absent
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClaimSpec<'a> {
    #[serde(borrow, default)]
    resources: Field<Resources<'a>>,
    #[serde(borrow, default)]
    volume_name: Field<Text<'a>>,
}

#[derive(Deserialize)]
struct Resources<'a> {
    #[serde(borrow, default)]
    requests: Field<Amounts<'a>>,
}

#[derive(Deserialize)]
struct Amounts<'a> {
    #[serde(borrow, default)]
    storage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VolumeSpec<'a> {
    #[serde(borrow, default)]
    csi: Field<Csi<'a>>,
    #[serde(borrow, default)]
    aws_elastic_block_store: Field<InTree<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Csi<'a> {
    #[serde(borrow, default)]
    driver: Field<Text<'a>>,
    #[serde(borrow, default)]
    volume_handle: Field<Text<'a>>,
}

#[derive(Deserialize)]
struct InTree<'a> {
    #[serde(borrow, default, rename = "volumeID")]
    volume_id: Field<Text<'a>>,
}

/// A claim.
#[derive(Debug, PartialEq, Eq)]
pub struct Claim<'a> {
    /// Namespace and name.
    pub key: String,
    /// Storage that it asks for.
    pub bytes: Option<i64>,
    /// The volume that it has, once it has one.
    pub volume: Option<Cow<'a, str>>,
}

/// A volume.
#[derive(Debug, PartialEq, Eq)]
pub struct Volume<'a> {
    /// Name.
    pub name: Cow<'a, str>,
    /// EBS volume, if it is one.
    pub aws_id: Option<String>,
}

/// Reads a claim.
pub fn claim<'a>(object: &'a str, oddities: &mut u64) -> Result<Claim<'a>, Odd> {
    let Object { metadata, spec } = from_json::<Object<'a, ClaimSpec<'a>>>(object)?;
    let namespace = needed(metadata.namespace, "namespace", oddities)?;
    let name = needed(metadata.name, "name", oddities)?;
    let (mut bytes, mut volume) = (None, None);
    if let Some(spec) = spec.take(oddities) {
        let resources = spec.resources.take(oddities);
        let requests = resources.and_then(|resources| resources.requests.take(oddities));
        bytes =
            requests.and_then(|requests| read_quantity(requests.storage, Unit::Bytes, oddities));
        let name = spec.volume_name.text(oddities);
        volume = name.filter(|name| !name.is_empty());
    }
    let key = format!("{namespace}/{name}");
    Ok(Claim { key, bytes, volume })
}

/// Reads a volume.
pub fn volume<'a>(object: &'a str, oddities: &mut u64) -> Result<Volume<'a>, Odd> {
    let Object { metadata, spec } = from_json::<Object<'a, VolumeSpec<'a>>>(object)?;
    let name = needed(metadata.name, "name", oddities)?;
    let spec = spec.take(oddities);
    let aws_id = spec.and_then(|spec| {
        let csi = spec.csi.take(oddities).and_then(|csi| {
            let driver = csi.driver.text(oddities);
            let handle = csi.volume_handle.text(oddities);
            handle.filter(|_| driver.as_deref() == Some(EBS_DRIVER))
        });
        let in_tree = spec.aws_elastic_block_store.take(oddities);
        let id = csi.or_else(|| in_tree?.volume_id.text(oddities))?;
        // In-tree: `aws://us-east-1a/vol-0abc`, or the id alone.
        let id = id.rsplit('/').next()?;
        id.starts_with("vol-").then(|| id.to_owned())
    });
    Ok(Volume { name, aws_id })
}
