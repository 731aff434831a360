//! A pod.

use std::borrow::Cow;

use protocol::pod::{Controller, Demand, Field, List, Spec, Text, config_hash, controller};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Odd, from_json,
    metadata::{Metadata, needed, sorted},
};

/// Left out: the object itself once more, as somebody's `kubectl apply` wrote it.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// A label or annotation that is longer is left out: a part of a value is a wrong value.
const MOST_PAIR_BYTES: usize = 1_024;
/// And those beyond this in all, the last by their keys.
const MOST_BYTES: usize = 4_096;

#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
    /// Read twice: by the rules that agents have, and for the rest.
    #[serde(borrow, default)]
    spec: Option<&'a RawValue>,
    #[serde(borrow, default)]
    status: Field<Status<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    #[serde(borrow, default)]
    qos_class: Field<Text<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Placed<'a> {
    #[serde(borrow, default)]
    node_name: Field<Text<'a>>,
    #[serde(borrow, default)]
    volumes: List<Volume<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Volume<'a> {
    #[serde(borrow, default)]
    name: Field<Text<'a>>,
    #[serde(borrow, default)]
    persistent_volume_claim: Field<ClaimOf<'a>>,
    #[serde(borrow, default)]
    ephemeral: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClaimOf<'a> {
    #[serde(borrow, default)]
    claim_name: Field<Text<'a>>,
}

/// See the module.
#[derive(Debug, PartialEq, Eq)]
pub struct Pod<'a> {
    /// Uid.
    pub uid: Cow<'a, str>,
    /// Namespace.
    pub namespace: Cow<'a, str>,
    /// Name.
    pub name: Cow<'a, str>,
    /// Of static pods: the uid in cgroup paths.
    pub config_hash: Option<String>,
    /// Who made it.
    pub controller: Option<Controller>,
    /// Of a `ReplicaSet`'s pod: what the `ReplicaSet`'s name ends with.
    pub template_hash: Option<String>,
    /// As key=value, by their keys, within bounds.
    pub labels: Vec<String>,
    /// Likewise.
    pub annotations: Vec<String>,
    /// guaranteed, burstable or besteffort.
    pub qos: Option<String>,
    /// What it asks for.
    pub demand: Demand,
    /// Where it runs.
    pub node: Option<Cow<'a, str>>,
    /// Names of its claims, each once.
    pub claims: Vec<String>,
}

/// Reads one.
pub fn pod<'a>(object: &'a str, oddities: &mut u64) -> Result<Pod<'a>, Odd> {
    let Object {
        metadata,
        spec,
        status,
    } = from_json(object)?;
    let name = needed(metadata.name, "name", oddities)?;
    let labels = sorted(metadata.labels, oddities);
    let annotations = sorted(metadata.annotations, oddities);
    let controller = controller(metadata.owner_references, oddities);
    let annotation = |name: &str| value(&annotations, name);
    let (hash, mirror) = (
        annotation("kubernetes.io/config.hash"),
        annotation("kubernetes.io/config.mirror"),
    );
    let placed: Placed<'_> = part(spec, oddities);
    let qos = status
        .take(oddities)
        .and_then(|status| status.qos_class.owned(oddities));
    Ok(Pod {
        uid: needed(metadata.uid, "uid", oddities)?,
        namespace: needed(metadata.namespace, "namespace", oddities)?,
        config_hash: config_hash(controller.as_ref(), hash, mirror),
        controller,
        template_hash: value(&labels, "pod-template-hash"),
        labels: bounded(&labels),
        annotations: bounded(&annotations),
        qos: qos.map(|qos| qos.to_ascii_lowercase()),
        demand: part::<Spec<'_>>(spec, &mut 0).demand(oddities),
        node: placed
            .node_name
            .text(oddities)
            .filter(|node| !node.is_empty()),
        claims: claims(placed.volumes, &name, oddities),
        name,
    })
}

/// The spec as something that is read of it.
fn part<'a, T: Default + Deserialize<'a>>(spec: Option<&'a RawValue>, oddities: &mut u64) -> T {
    let field = spec.map_or(Ok(Field::Absent), |spec| serde_json::from_str(spec.get()));
    field
        .unwrap_or(Field::Odd)
        .take(oddities)
        .unwrap_or_default()
}

type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

fn value(pairs: &[Pair<'_>], name: &str) -> Option<String> {
    let (_, value) = pairs.iter().find(|(key, _)| key == name)?;
    let is_one = !value.is_empty() && value.len() <= MOST_PAIR_BYTES;
    is_one.then(|| value.to_string())
}

fn joined((key, value): &Pair<'_>) -> String {
    format!("{key}={value}")
}

fn bounded(pairs: &[Pair<'_>]) -> Vec<String> {
    let mut rest = MOST_BYTES;
    let kept = pairs.iter().filter(|(key, value)| {
        let bytes = key.len() + 1 + value.len();
        let fits = key != LAST_APPLIED && bytes <= MOST_PAIR_BYTES && bytes <= rest;
        rest -= if fits { bytes } else { 0 };
        fits
    });
    kept.map(joined).collect()
}

/// Names of claims: those that it names, and those that are made for it alone.
fn claims(volumes: List<Volume<'_>>, pod: &str, oddities: &mut u64) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for volume in volumes.elements(oddities) {
        let claim = volume.persistent_volume_claim.take(oddities);
        let own = volume.ephemeral.filter(|own| own.get() != "null");
        let name = match (claim, own) {
            (Some(claim), _) => claim.claim_name.owned(oddities),
            (None, Some(_)) => volume
                .name
                .text(oddities)
                .map(|name| format!("{pod}-{name}")),
            (None, None) => None,
        };
        names.extend(name.filter(|name| !names.contains(name)));
    }
    names
}
