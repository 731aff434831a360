//! Names, labels and owners: what all kinds of objects have.

use std::{borrow::Cow, fmt};

use protocol::pod::{Controller, Field, List, Owner, Text, controller};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{Odd, from_json, lacks};

/// Labels or annotations of an object that are looked at.
const MOST_PAIRS: usize = 1_024;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata<'a> {
    #[serde(borrow, default)]
    pub uid: Field<Text<'a>>,
    #[serde(borrow, default)]
    pub namespace: Field<Text<'a>>,
    #[serde(borrow, default)]
    pub name: Field<Text<'a>>,
    #[serde(borrow, default)]
    pub labels: Field<Pairs<'a>>,
    #[serde(borrow, default)]
    pub annotations: Field<Pairs<'a>>,
    #[serde(borrow, default)]
    pub owner_references: List<Owner<'a>>,
}

/// An object of which only this is read.
#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
}

/// Keys and values of a map of texts, without what is no text.
#[derive(Default)]
pub struct Pairs<'a> {
    pub list: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// How many were left out.
    pub oddities: u64,
}

/// Text of any length, borrowed where nothing in it is escaped.
#[derive(Deserialize)]
#[serde(transparent)]
struct Long<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Map)
    }
}

struct Map;

impl<'de> Visitor<'de> for Map {
    type Value = Pairs<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a map of texts")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut pairs = Pairs::default();
        while let Some((Long(key), value)) = map.next_entry::<Long<'de>, &'de RawValue>()? {
            match serde_json::from_str::<Long<'de>>(value.get()) {
                Ok(Long(value)) if pairs.list.len() < MOST_PAIRS => pairs.list.push((key, value)),
                _ => pairs.oddities += 1,
            }
        }
        Ok(pairs)
    }
}

/// The pairs by their keys; what was left out is counted.
pub fn sorted<'a>(
    field: Field<Pairs<'a>>,
    oddities: &mut u64,
) -> Vec<(Cow<'a, str>, Cow<'a, str>)> {
    let mut pairs = field.take(oddities).unwrap_or_default();
    *oddities += pairs.oddities;
    pairs.list.sort_unstable();
    pairs.list
}

/// A `ReplicaSet` or a `Job`: whose it is.
#[derive(Debug, PartialEq, Eq)]
pub struct Owned<'a> {
    /// Its own.
    pub uid: Cow<'a, str>,
    /// Who made it.
    pub controller: Option<Controller>,
}

/// Reads one.
pub fn owned<'a>(object: &'a str, oddities: &mut u64) -> Result<Owned<'a>, Odd> {
    let metadata = from_json::<Object<'a>>(object)?.metadata;
    Ok(Owned {
        uid: needed(metadata.uid, "uid", oddities)?,
        controller: controller(metadata.owner_references, oddities),
    })
}

/// A text that an object must have.
pub fn needed<'a>(
    field: Field<Text<'a>>,
    name: &str,
    oddities: &mut u64,
) -> Result<Cow<'a, str>, Odd> {
    let text = field.text(oddities).filter(|text| !text.is_empty());
    text.ok_or_else(|| lacks(name))
}
