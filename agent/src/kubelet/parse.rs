//! From the kubelet's bytes to a [`Summary`]: in one pass as long as nothing is in a wrong place, and
//! otherwise once more, entry by entry.

use std::{collections::HashSet, fmt};

use serde::{
    Deserialize,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::{
    convert,
    lenient::{Oddities, Part, Raw},
    summary::{MOST_BYTES, MOST_PODS, NodeStats, PodStats, Summary, SummaryError},
    wire,
};
use crate::http::mask;

const MOST_SHOWN_BYTES: usize = 60;
const MOST_REASON_BYTES: usize = 200;

impl Summary {
    /// Reads an answer. One wrong value costs that value, one wrong entry that entry.
    pub fn parse(bytes: &[u8]) -> Result<Self, SummaryError> {
        if bytes.len() > MOST_BYTES {
            return Err(SummaryError::TooLarge { bytes: bytes.len() });
        }
        let not_json = |offset, reason: &str| SummaryError::NotJson {
            offset,
            reason: mask::body(reason.as_bytes(), MOST_REASON_BYTES),
            begin: begin(bytes),
        };
        let text = std::str::from_utf8(bytes)
            .map_err(|error| not_json(error.valid_up_to(), "not UTF-8"))?;
        let reader = Reader::read(text, false)
            .or_else(|_| Reader::read(text, true))
            .map_err(|error| not_json(offset(text, &error), &error.to_string()))?;
        reader.finish().map_err(|error| match error {
            Unfit::TooManyPods(pods) => SummaryError::TooManyPods { pods },
            Unfit::NotASummary(reason) => SummaryError::NotASummary {
                reason,
                begin: begin(bytes),
            },
        })
    }
}

fn begin(bytes: &[u8]) -> String {
    mask::body(bytes, MOST_SHOWN_BYTES)
}

/// Where serde's line and column are: they count from 1, the column in bytes.
fn offset(text: &str, error: &serde_json::Error) -> usize {
    let lines = text.split_inclusive('\n');
    let before: usize = lines
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum();
    (before + error.column().saturating_sub(1)).min(text.len())
}

enum Unfit {
    TooManyPods(usize),
    NotASummary(&'static str),
}

/// Takes a summary in, part by part.
#[derive(Default)]
struct Reader {
    /// Each entry by itself: slower, but none can spoil another.
    is_careful: bool,
    is_object: bool,
    has_node: bool,
    has_pods: bool,
    node: NodeStats,
    pods: Vec<PodStats>,
    uids: HashSet<String>,
    entries: usize,
    odd: Oddities,
}

impl Reader {
    fn read(text: &str, is_careful: bool) -> Result<Self, serde_json::Error> {
        let mut reader = Self {
            is_careful,
            ..Self::default()
        };
        if text.trim_start().starts_with('{') {
            reader.is_object = true;
            let mut json = serde_json::Deserializer::from_str(text);
            serde::Deserializer::deserialize_map(&mut json, Top(&mut reader))?;
            json.end()?;
        } else {
            serde_json::from_str::<IgnoredAny>(text)?;
        }
        Ok(reader)
    }

    fn finish(self) -> Result<Summary, Unfit> {
        if !self.is_object {
            return Err(Unfit::NotASummary("it is no object"));
        }
        if !self.has_node && !self.has_pods {
            return Err(Unfit::NotASummary("it has neither node nor pods"));
        }
        if self.entries > MOST_PODS {
            return Err(Unfit::TooManyPods(self.entries));
        }
        Ok(Summary {
            node: self.node,
            pods: self.pods,
            oddities: self.odd.count,
            first_oddity: self.odd.first,
        })
    }

    fn take_node(&mut self, node: Part<wire::Node<'_>>) {
        self.odd.at = None;
        if let Some(node) = self.odd.part("", node) {
            self.has_node = true;
            self.node = convert::node(node, &mut self.odd);
        }
    }

    fn take_pod(&mut self, pod: Part<wire::Pod<'_>>) {
        self.odd.at = Some(self.entries);
        self.entries += 1;
        if self.entries > MOST_PODS {
            return;
        }
        let pod = match pod {
            Part::Absent => Part::Odd,
            pod => pod,
        };
        let Some(pod) = self.odd.part("", pod) else {
            return;
        };
        let Some(pod) = convert::pod(pod, &mut self.odd) else {
            return;
        };
        if self.uids.insert(pod.uid.clone()) {
            self.pods.push(pod);
        } else {
            let uid = mask::body(pod.uid.as_bytes(), MOST_SHOWN_BYTES);
            self.odd
                .note(".podRef.uid", format_args!("is there twice: {uid}"));
        }
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Key {
    Node,
    Pods,
    #[serde(other)]
    Other,
}

struct Top<'r>(&'r mut Reader);

impl<'de> Visitor<'de> for Top<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a summary")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key()? {
            match key {
                Key::Other => drop(map.next_value::<IgnoredAny>()?),
                Key::Node if self.0.is_careful => {
                    let node = map.next_value::<Raw<'de>>()?;
                    self.0.take_node(alone(node));
                }
                Key::Node => {
                    let node = map.next_value()?;
                    self.0.take_node(node);
                }
                Key::Pods if self.0.is_careful => {
                    let pods = map.next_value::<Raw<'de>>()?;
                    take_list(self.0, pods);
                }
                Key::Pods => map.next_value_seed(Pods(&mut *self.0))?,
            }
        }
        Ok(())
    }
}

/// Reads an entry that may be anything.
fn alone<'a, T: Deserialize<'a>>(raw: Raw<'a>) -> Part<T> {
    raw.map_or(Part::Absent, |raw| {
        serde_json::from_str(raw.get()).unwrap_or(Part::Odd)
    })
}

fn take_list(reader: &mut Reader, pods: Raw<'_>) {
    let Some(pods) = pods else {
        // The kubelet's word for an empty list.
        reader.has_pods = true;
        return;
    };
    let mut json = serde_json::Deserializer::from_str(pods.get());
    // As raw values are JSON already, only something else than a list can fail.
    if Pods(&mut *reader).deserialize(&mut json).is_err() {
        reader.odd.at = None;
        reader.odd.note("'s pods", "are no list");
    }
}

struct Pods<'r>(&'r mut Reader);

impl<'de> DeserializeSeed<'de> for Pods<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Pods<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of pods")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.0.has_pods = true;
        loop {
            let pod = if self.0.is_careful {
                seq.next_element::<Raw<'de>>()?.map(alone)
            } else {
                seq.next_element()?
            };
            match pod {
                Some(pod) => self.0.take_pod(pod),
                None => return Ok(()),
            }
        }
    }
}
