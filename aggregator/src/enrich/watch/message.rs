//! What the API server says: events, pages, refusals. Objects stay text.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::failure::Failure;
use crate::{cluster::mask, printable};

/// Both go into a path.
const MOST_VERSION_BYTES: usize = 256;
const MOST_TOKEN_BYTES: usize = 16 << 10;
/// Of the server's words.
const MOST_TOLD: usize = 300;

#[derive(Deserialize)]
pub(super) struct Event<'a> {
    #[serde(borrow)]
    pub(super) r#type: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) object: &'a RawValue,
}

#[derive(Deserialize)]
struct List<'a> {
    #[serde(borrow)]
    metadata: ListMetadata<'a>,
    /// The server may say null for none.
    #[serde(borrow, default)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListMetadata<'a> {
    resource_version: String,
    #[serde(borrow, default)]
    r#continue: Option<Cow<'a, str>>,
}

/// A page of a list.
pub(super) struct Page<'a> {
    pub(super) version: String,
    pub(super) items: Vec<&'a RawValue>,
    /// For the next page.
    pub(super) token: Option<String>,
}

/// What an object's metadata tell of a watch.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Object {
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    #[serde(rename = "resourceVersion")]
    version: Option<String>,
    annotations: Option<Annotations>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Annotations {
    #[serde(rename = "k8s.io/initial-events-end")]
    ends_list: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    code: u16,
    message: String,
}

/// How far a watch has come with this object.
pub(super) struct Progress {
    pub(super) version: Option<String>,
    /// Everything that was there has been told.
    pub(super) ends_list: bool,
}

pub(super) fn event(line: &[u8]) -> Result<Event<'_>, Failure> {
    parse(line)
}

pub(super) fn page(body: &[u8]) -> Result<Page<'_>, Failure> {
    let list: List<'_> = parse(body)?;
    let version = list.metadata.resource_version;
    if !is_version(&version) {
        return Err(Failure::Malformed("a list without a version".to_owned()));
    }
    let token = list.metadata.r#continue.filter(|token| !token.is_empty());
    if token
        .as_ref()
        .is_some_and(|token| token.len() > MOST_TOKEN_BYTES)
    {
        return Err(Failure::Malformed(
            "a list with an endless token".to_owned(),
        ));
    }
    Ok(Page {
        version,
        items: list.items.unwrap_or_default(),
        token: token.map(Cow::into_owned),
    })
}

/// What can't be read of it counts as not told.
pub(super) fn progress(object: &str) -> Progress {
    let Metadata {
        version,
        annotations,
    } = serde_json::from_str::<Object>(object)
        .unwrap_or_default()
        .metadata;
    Progress {
        version: version.filter(|version| is_version(version)),
        ends_list: annotations.is_some_and(|told| told.ends_list.as_deref() == Some("true")),
    }
}

/// What an event tells that is an error.
pub(super) fn error(object: &str, rule: &'static str) -> Failure {
    match serde_json::from_str::<Status>(object) {
        Ok(status) => Failure::of_status(status.code, told(&status.message), None, rule),
        Err(error) => Failure::Malformed(format!("an error event: {error}")),
    }
}

/// The message of a Status, or the body's beginning.
pub(super) fn refusal(body: &str) -> String {
    match serde_json::from_str::<Status>(body) {
        Ok(status) if !status.message.is_empty() => told(&status.message),
        _ => told(body),
    }
}

fn told(text: &str) -> String {
    printable(&mask::text(text), MOST_TOLD)
}

fn is_version(text: &str) -> bool {
    (1..=MOST_VERSION_BYTES).contains(&text.len())
}

fn parse<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(json).map_err(|error| Failure::Malformed(error.to_string()))
}

/// Text as part of a query.
pub(super) fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
