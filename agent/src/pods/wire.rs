//! The fields of a pod that are read, by the API's names. Everything else is passed over, and a field
//! that is not what it must be costs only itself.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Longer names, reasons and hashes are none.
const MOST_TEXT_BYTES: usize = 512;
/// Containers of a pod that are looked at.
const MOST_CONTAINERS: usize = 256;

/// A value, something else in its place, or nothing.
#[derive(Default)]
pub(super) enum Field<T> {
    #[default]
    Absent,
    Odd,
    Is(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        if raw.get() == "null" {
            return Ok(Self::Absent);
        }
        Ok(serde_json::from_str(raw.get()).map_or(Self::Odd, Self::Is))
    }
}

impl<T> Field<T> {
    /// The value; what is odd is counted and none.
    pub fn take(self, oddities: &mut u64) -> Option<T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Absent => None,
            Self::Odd => {
                *oddities += 1;
                None
            }
        }
    }
}

/// Text that is borrowed where nothing in it is escaped.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Field<Text<'a>> {
    /// The text, if it is no longer than text of its kind can be.
    pub fn text(self, oddities: &mut u64) -> Option<Cow<'a, str>> {
        let text = self.take(oddities)?.0;
        if text.len() > MOST_TEXT_BYTES {
            *oddities += 1;
            return None;
        }
        Some(text)
    }

    /// The same, to keep; empty text is none.
    pub fn owned(self, oddities: &mut u64) -> Option<String> {
        let text = self.text(oddities)?;
        (!text.is_empty()).then(|| text.into_owned())
    }
}

/// A list of which odd elements are left out.
pub(super) type List<T> = Field<Vec<Field<T>>>;

impl<T> List<T> {
    /// The elements; too many of them are cut off.
    pub fn elements(self, oddities: &mut u64) -> Vec<T> {
        let mut elements = self.take(oddities).unwrap_or_default();
        if elements.len() > MOST_CONTAINERS {
            *oddities += 1;
            elements.truncate(MOST_CONTAINERS);
        }
        elements
            .into_iter()
            .filter_map(|element| element.take(oddities))
            .collect()
    }
}

#[derive(Deserialize)]
pub(super) struct Pod<'a> {
    #[serde(borrow)]
    pub metadata: Metadata<'a>,
    #[serde(borrow, default)]
    pub spec: Field<Spec<'a>>,
    #[serde(borrow, default)]
    pub status: Field<Status<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata<'a> {
    #[serde(borrow, default)]
    pub uid: Field<Text<'a>>,
    #[serde(borrow, default)]
    pub namespace: Field<Text<'a>>,
    #[serde(borrow, default)]
    pub name: Field<Text<'a>>,
    #[serde(borrow, default)]
    pub labels: Field<Labels<'a>>,
    #[serde(borrow, default)]
    pub annotations: Field<Annotations<'a>>,
    #[serde(borrow, default)]
    pub owner_references: List<Owner<'a>>,
}

#[derive(Default, Deserialize)]
pub(super) struct Labels<'a> {
    #[serde(borrow, default, rename = "pod-template-hash")]
    pub pod_template_hash: Field<Text<'a>>,
}

#[derive(Default, Deserialize)]
pub(super) struct Annotations<'a> {
    #[serde(borrow, default, rename = "kubernetes.io/config.hash")]
    pub config_hash: Field<Text<'a>>,
    #[serde(borrow, default, rename = "kubernetes.io/config.mirror")]
    pub config_mirror: Field<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Owner<'a> {
    #[serde(borrow, default)]
    pub kind: Field<Text<'a>>,
    #[serde(borrow, default)]
    pub name: Field<Text<'a>>,
    #[serde(default)]
    pub controller: Field<bool>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec<'a> {
    #[serde(default)]
    pub host_network: Field<bool>,
    #[serde(borrow, default)]
    pub containers: List<Container<'a>>,
    #[serde(borrow, default)]
    pub init_containers: List<Container<'a>>,
    #[serde(borrow, default)]
    pub resources: Field<Resources<'a>>,
    #[serde(borrow, default)]
    pub overhead: Field<Amounts<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Container<'a> {
    #[serde(borrow, default)]
    pub restart_policy: Field<Text<'a>>,
    #[serde(borrow, default)]
    pub resources: Field<Resources<'a>>,
}

#[derive(Default, Deserialize)]
pub(super) struct Resources<'a> {
    #[serde(borrow, default)]
    pub requests: Field<Amounts<'a>>,
    #[serde(borrow, default)]
    pub limits: Field<Amounts<'a>>,
}

/// Quantities as they stand in the text: a string, or a bare number.
#[derive(Default, Deserialize)]
pub(super) struct Amounts<'a> {
    #[serde(borrow, default)]
    pub cpu: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub memory: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status<'a> {
    #[serde(borrow, default)]
    pub phase: Field<Text<'a>>,
    #[serde(borrow, default)]
    pub qos_class: Field<Text<'a>>,
    #[serde(borrow, default)]
    pub start_time: Field<Text<'a>>,
    #[serde(borrow, default)]
    pub container_statuses: List<ContainerStatus<'a>>,
    #[serde(borrow, default)]
    pub init_container_statuses: List<ContainerStatus<'a>>,
    #[serde(borrow, default)]
    pub ephemeral_container_statuses: List<ContainerStatus<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContainerStatus<'a> {
    #[serde(borrow, default)]
    pub name: Field<Text<'a>>,
    #[serde(borrow, default, rename = "containerID")]
    pub container_id: Field<Text<'a>>,
    #[serde(default)]
    pub restart_count: Field<u32>,
    #[serde(borrow, default)]
    pub last_state: Field<State<'a>>,
}

#[derive(Deserialize)]
pub(super) struct State<'a> {
    #[serde(borrow, default)]
    pub terminated: Field<Terminated<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Terminated<'a> {
    #[serde(borrow, default)]
    pub reason: Field<Text<'a>>,
    #[serde(default)]
    pub exit_code: Field<i64>,
    #[serde(borrow, default)]
    pub finished_at: Field<Text<'a>>,
}
