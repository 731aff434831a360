//! Reading JSON where one wrong value must not cost the others: values are taken as they stand in the
//! text, and whoever wants one says what it must be.

use std::{borrow::Cow, fmt, marker::PhantomData};

use protocol::Timestamp;
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::value::RawValue;

use crate::http::mask;

/// A value that was not looked at yet; none for null and for no value.
pub(super) type Raw<'a> = Option<&'a RawValue>;

const MOST_SHOWN_BYTES: usize = 40;

/// An object, or something else in its place.
#[derive(Default)]
pub(super) enum Part<T> {
    /// Nothing, or null.
    #[default]
    Absent,
    /// Something that is no object.
    Odd,
    /// The object.
    Is(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Part<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PartVisitor(PhantomData))
    }
}

struct PartVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for PartVisitor<T> {
    type Value = Part<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Part<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Part::Is)
    }

    fn visit_unit<E>(self) -> Result<Part<T>, E> {
        Ok(Part::Absent)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Part<T>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Part::Odd)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Part<T>, E> {
        Ok(Part::Odd)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Part<T>, E> {
        Ok(Part::Odd)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Part<T>, E> {
        Ok(Part::Odd)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Part<T>, E> {
        Ok(Part::Odd)
    }

    fn visit_str<E>(self, _: &str) -> Result<Part<T>, E> {
        Ok(Part::Odd)
    }
}

/// Counts what was odd and remembers the first of it.
#[derive(Default)]
pub(super) struct Oddities {
    pub count: u64,
    pub first: Option<String>,
    /// Which entry is being read.
    pub at: Option<usize>,
}

impl Oddities {
    /// Something at `path` is odd.
    pub fn note(&mut self, path: &str, what: impl fmt::Display) {
        self.count += 1;
        if self.first.is_none() {
            self.first = Some(match self.at {
                Some(index) => format!("pods[{index}]{path} {what}"),
                None => format!("node{path} {what}"),
            });
        }
    }

    /// Notes a value that can't be used.
    pub fn value(&mut self, path: [&str; 2], raw: &RawValue) {
        let shown = mask::body(raw.get().as_bytes(), MOST_SHOWN_BYTES);
        self.note(&path.concat(), format_args!("is {shown}"));
    }

    /// A count: whole, not negative, not too large.
    pub fn count(&mut self, path: [&str; 2], raw: Raw<'_>) -> Option<u64> {
        let raw = raw?;
        let count = whole_number(raw.get());
        if count.is_none() {
            self.value(path, raw);
        }
        count
    }

    /// A point in time.
    pub fn time(&mut self, path: [&str; 2], raw: Raw<'_>) -> Option<Timestamp> {
        let raw = raw?;
        let time = string(raw).and_then(|text| humantime::parse_rfc3339(&text).ok());
        if time.is_none() {
            self.value(path, raw);
        }
        time.map(Timestamp::from_system)
    }

    /// An object.
    pub fn part<T>(&mut self, path: &str, part: Part<T>) -> Option<T> {
        match part {
            Part::Is(part) => Some(part),
            Part::Absent => None,
            Part::Odd => {
                self.note(path, "is no object");
                None
            }
        }
    }
}

/// Digits only: what has a sign, a point or an exponent is no count.
fn whole_number(text: &str) -> Option<u64> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits.then(|| text.parse().ok())?
}

/// A string, borrowed where nothing in it is escaped.
pub(super) fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    let text = raw.get();
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str(text).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}
