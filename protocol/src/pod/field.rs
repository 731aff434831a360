//! A field of an object as the API server writes it: one that is not what it must be costs only itself.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Longer names, reasons and hashes are none.
const MOST_TEXT_BYTES: usize = 512;
/// Elements of a list that are looked at: containers, owners, volumes of a pod.
const MOST_ELEMENTS: usize = 256;

/// A value, something else in its place, or nothing.
#[derive(Default)]
pub enum Field<T> {
    /// Nothing, or null.
    #[default]
    Absent,
    /// Something else.
    Odd,
    /// The value.
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
pub struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

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
pub type List<T> = Field<Vec<Field<T>>>;

impl<T> List<T> {
    /// The elements; too many of them are cut off.
    pub fn elements(self, oddities: &mut u64) -> Vec<T> {
        let mut elements = self.take(oddities).unwrap_or_default();
        if elements.len() > MOST_ELEMENTS {
            *oddities += 1;
            elements.truncate(MOST_ELEMENTS);
        }
        elements
            .into_iter()
            .filter_map(|element| element.take(oddities))
            .collect()
    }
}
