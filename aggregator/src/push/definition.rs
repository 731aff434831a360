//! What a body may hold is defined by types: reading one, telling all that is wrong with it, and its JSON
//! schema are made of the same ones. Nothing is kept of what no type asks for, so that a body takes little more
//! memory than its rows.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Value, json};

use super::{Problem, time};

/// Problems that are told at once.
pub(super) const MOST_PROBLEMS: usize = 20;
/// Bytes of a name; the wire has the same bound.
const MOST_NAME: usize = 253;
/// Characters of a text that is not kept.
const MOST_TEXT: usize = 1_024;
/// More than any node has.
const MOST_CORES: f64 = 1e6;
/// An exbibyte, which a double tells from its neighbours.
const MOST_BYTES: i64 = 1 << 60;
/// Items of a list.
const MOST_ITEMS: usize = 5_000;

/// All that is wrong with a body, up to a bound.
#[derive(Debug, Default)]
pub(super) struct Problems {
    pub(super) list: Vec<Problem>,
}

impl Problems {
    fn add(&mut self, at: &At<'_>, reason: impl Into<String>) {
        if self.list.len() < MOST_PROBLEMS {
            self.list.push(Problem::new(at.to_string(), reason));
        }
    }

    fn kept<T>(&mut self, at: &At<'_>, read: Result<T, String>) -> Option<T> {
        read.map_err(|reason| self.add(at, reason)).ok()
    }
}

/// Where in a body.
pub(super) enum At<'a> {
    Body,
    Field(&'a At<'a>, &'static str),
    Item(&'a At<'a>, usize),
}

impl fmt::Display for At<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body => out.write_str("body"),
            Self::Field(Self::Body, name) => out.write_str(name),
            Self::Field(of, name) => write!(out, "{of}.{name}"),
            Self::Item(of, index) => write!(out, "{of}[{index}]"),
        }
    }
}

/// What stands somewhere, as far as it is looked at.
pub(super) enum Found<'a> {
    Null,
    Boolean,
    Long(i64),
    /// Beyond that.
    Huge,
    Double(f64),
    Text(&'a str),
    List,
    Object,
}

impl Found<'_> {
    /// Why it can't be this.
    pub(super) fn is_no(&self, wanted: &str) -> String {
        let found = match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Long(_) | Self::Huge | Self::Double(_) => "a number",
            Self::Text(_) => "a text",
            Self::List => "a list",
            Self::Object => "an object",
        };
        format!("it must be {wanted}, and is {found}")
    }
}

/// A part of a body.
pub(super) trait Part: Sized {
    /// As a JSON schema.
    fn schema() -> Value;

    /// What stands for one that is not there; none if it must be.
    fn absent() -> Option<Self> {
        None
    }

    /// Of what is neither a list nor an object, unless those are wrong.
    fn scalar(found: &Found<'_>) -> Result<Self, String>;

    fn list<'de, A: SeqAccess<'de>>(
        mut list: A,
        at: &At<'_>,
        problems: &mut Problems,
    ) -> Result<Option<Self>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(problems.kept(at, Self::scalar(&Found::List)))
    }

    fn object<'de, A: MapAccess<'de>>(
        mut object: A,
        at: &At<'_>,
        problems: &mut Problems,
    ) -> Result<Option<Self>, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(problems.kept(at, Self::scalar(&Found::Object)))
    }
}

/// Reads a part, whatever stands there.
pub(super) struct Reader<'a, T> {
    at: &'a At<'a>,
    problems: &'a mut Problems,
    part: PhantomData<T>,
}

impl<'a, T: Part> Reader<'a, T> {
    pub(super) fn new(at: &'a At<'a>, problems: &'a mut Problems) -> Self {
        Self {
            at,
            problems,
            part: PhantomData,
        }
    }

    fn scalar<E>(self, found: &Found<'_>) -> Result<Option<T>, E> {
        Ok(self.problems.kept(self.at, T::scalar(found)))
    }
}

impl<'de, T: Part> DeserializeSeed<'de> for Reader<'_, T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Option<T>, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de, T: Part> Visitor<'de> for Reader<'_, T> {
    type Value = Option<T>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Option<T>, E> {
        self.scalar(&Found::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Option<T>, E> {
        self.scalar(&Found::Boolean)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Option<T>, E> {
        self.scalar(&Found::Long(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Option<T>, E> {
        self.scalar(&i64::try_from(number).map_or(Found::Huge, Found::Long))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Option<T>, E> {
        self.scalar(&Found::Double(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Option<T>, E> {
        self.scalar(&Found::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Option<T>, A::Error> {
        T::list(list, self.at, self.problems)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Option<T>, A::Error> {
        T::object(object, self.at, self.problems)
    }
}

/// May be null or absent.
impl<T: Part> Part for Option<T> {
    fn schema() -> Value {
        let mut schema = T::schema();
        let kind = schema["type"].take();
        schema["type"] = json!([kind, "null"]);
        schema
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn scalar(found: &Found<'_>) -> Result<Self, String> {
        match found {
            Found::Null => Ok(None),
            found => T::scalar(found).map(Some),
        }
    }
}

impl<T: Part> Part for Vec<T> {
    fn schema() -> Value {
        json!({"type": "array", "maxItems": MOST_ITEMS, "items": T::schema()})
    }

    fn scalar(found: &Found<'_>) -> Result<Self, String> {
        Err(found.is_no("a list"))
    }

    fn list<'de, A: SeqAccess<'de>>(
        mut list: A,
        at: &At<'_>,
        problems: &mut Problems,
    ) -> Result<Option<Self>, A::Error> {
        let (mut items, mut count) = (Self::new(), 0);
        while count < MOST_ITEMS {
            let at = At::Item(at, count);
            let Some(item) = list.next_element_seed(Reader::<T>::new(&at, problems))? else {
                return Ok((items.len() == count).then_some(items));
            };
            items.extend(item);
            count += 1;
        }
        let mut more = 0_usize;
        while list.next_element::<IgnoredAny>()?.is_some() {
            more += 1;
        }
        if more > 0 {
            problems.add(
                at,
                format!("it has {} items, at most {MOST_ITEMS}", count + more),
            );
        }
        Ok((more == 0 && items.len() == count).then_some(items))
    }
}

/// A name as Kubernetes has them: at least so many characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name<const LEAST: usize>(pub String);

impl<const LEAST: usize> Part for Name<LEAST> {
    fn schema() -> Value {
        json!({"type": "string", "pattern": format!("^[!-~]{{{LEAST},{MOST_NAME}}}$")})
    }

    fn scalar(found: &Found<'_>) -> Result<Self, String> {
        let Found::Text(text) = found else {
            return Err(found.is_no("a text"));
        };
        let is_name = text.bytes().all(|byte| byte.is_ascii_graphic());
        match is_name && (LEAST..=MOST_NAME).contains(&text.len()) {
            true => Ok(Self((*text).to_owned())),
            false => Err(format!(
                "it must have {LEAST} to {MOST_NAME} characters, all of them visible ASCII"
            )),
        }
    }
}

/// A text that has no column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unkept;

impl Part for Unkept {
    fn schema() -> Value {
        json!({"type": "string", "maxLength": MOST_TEXT})
    }

    fn scalar(found: &Found<'_>) -> Result<Self, String> {
        match found {
            Found::Text(text) if text.chars().count() <= MOST_TEXT => Ok(Self),
            Found::Text(_) => Err(format!("it must have at most {MOST_TEXT} characters")),
            found => Err(found.is_no("a text")),
        }
    }
}

/// A point in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Time(pub protocol::Timestamp);

impl Part for Time {
    fn schema() -> Value {
        json!({"type": "string", "format": "date-time"})
    }

    fn scalar(found: &Found<'_>) -> Result<Self, String> {
        let Found::Text(text) = found else {
            return Err(found.is_no("a text"));
        };
        let advice = "it is no time: write 2024-01-01T00:00:00Z";
        time::parse(text).map(Self).ok_or_else(|| advice.to_owned())
    }
}

/// Cores, or parts of one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cores(pub f64);

impl Part for Cores {
    fn schema() -> Value {
        json!({"type": "number", "minimum": 0, "maximum": MOST_CORES})
    }

    fn scalar(found: &Found<'_>) -> Result<Self, String> {
        let cores = match found {
            Found::Double(double) => *double,
            Found::Long(long) => *long as f64,
            Found::Huge => f64::INFINITY,
            found => return Err(found.is_no("a number")),
        };
        match (0.0..=MOST_CORES).contains(&cores) {
            // There is a zero below zero.
            true => Ok(Self(cores.abs())),
            false => Err(format!("it must be between 0 and {MOST_CORES}")),
        }
    }
}

/// Bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes(pub i64);

impl Part for Bytes {
    fn schema() -> Value {
        json!({"type": "integer", "minimum": 0, "maximum": MOST_BYTES})
    }

    fn scalar(found: &Found<'_>) -> Result<Self, String> {
        let bytes = match found {
            Found::Long(long) => Some(*long),
            // To JSON schema 1.0 is an integer. Beyond 64 bits the cast saturates, and is out of bounds.
            Found::Double(double) if double.fract() == 0.0 => Some(*double as i64),
            Found::Huge => None,
            found => return Err(found.is_no("a whole number")),
        };
        let bytes = bytes.filter(|bytes| (0..=MOST_BYTES).contains(bytes));
        bytes
            .map(Self)
            .ok_or_else(|| format!("it must be between 0 and {MOST_BYTES}"))
    }
}

/// The name of a field.
pub(super) type Key<'de> = Cow<'de, str>;

/// Defines an object: its struct, how it is read, and its schema. Fields that it does not name may be there.
macro_rules! object {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $($(#[doc = $doc:literal])+ pub $field:ident: $type:ty,)+
        }
    ) => {
        $(#[$meta])*
        pub struct $name {
            $($(#[doc = $doc])+ pub $field: $type,)+
        }

        impl $crate::push::definition::Part for $name {
            fn schema() -> serde_json::Value {
                use $crate::push::definition::Part;
                let mut properties = serde_json::Map::new();
                let mut required: Vec<&str> = Vec::new();
                $(
                    let mut field = <$type as Part>::schema();
                    field["description"] = concat!($($doc),+).trim_ascii().into();
                    properties.insert(stringify!($field).to_owned(), field);
                    if <$type as Part>::absent().is_none() {
                        required.push(stringify!($field));
                    }
                )+
                serde_json::json!({
                    "type": "object",
                    "required": required,
                    "properties": properties,
                })
            }

            fn scalar(found: &$crate::push::definition::Found<'_>) -> Result<Self, String> {
                Err(found.is_no("an object"))
            }

            fn object<'de, A: serde::de::MapAccess<'de>>(
                mut object: A,
                at: &$crate::push::definition::At<'_>,
                problems: &mut $crate::push::definition::Problems,
            ) -> Result<Option<Self>, A::Error> {
                use $crate::push::definition::{At, Field, Key};
                $(let mut $field = Field::<$type>::default();)+
                while let Some(key) = object.next_key::<Key<'de>>()? {
                    match key.as_ref() {
                        $(
                            stringify!($field) => {
                                let at = At::Field(at, stringify!($field));
                                $field.read(&mut object, &at, problems)?;
                            }
                        )+
                        _ => drop(object.next_value::<serde::de::IgnoredAny>()?),
                    }
                }
                $(let $field = $field.end(&At::Field(at, stringify!($field)), problems);)+
                Ok((|| Some(Self { $($field: $field?,)+ }))())
            }
        }
    };
}

pub(super) use object;

/// A field of an object while that is read.
#[derive(Default)]
pub(super) enum Field<T> {
    #[default]
    Absent,
    Read(Option<T>),
}

impl<T: Part> Field<T> {
    pub(super) fn read<'de, A: MapAccess<'de>>(
        &mut self,
        object: &mut A,
        at: &At<'_>,
        problems: &mut Problems,
    ) -> Result<(), A::Error> {
        if let Self::Read(_) = self {
            problems.add(at, "it is told twice");
        }
        *self = Self::Read(object.next_value_seed(Reader::<T>::new(at, problems))?);
        Ok(())
    }

    pub(super) fn end(self, at: &At<'_>, problems: &mut Problems) -> Option<T> {
        match self {
            Self::Read(value) => value,
            Self::Absent => {
                let absent = T::absent();
                if absent.is_none() {
                    problems.add(at, "it is missing");
                }
                absent
            }
        }
    }
}
