//! In which form objects are told: whole, or their metadata only.

use serde_json::{Value, json};

use crate::fakes::Resource;

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub(super) resource: Resource,
    is_metadata: bool,
}

impl Form {
    /// As the Accept header says.
    pub(super) fn of(resource: Resource, accept: Option<&str>) -> Self {
        let is_metadata = accept.is_some_and(|accept| accept.contains("as=PartialObjectMetadata"));
        Self {
            resource,
            is_metadata,
        }
    }

    /// An item of a list.
    pub(super) fn item(self, object: Value) -> Value {
        match self.is_metadata {
            true => metadata(&object),
            false => object,
        }
    }

    /// The kind of a list, and its version.
    pub(super) fn list(self) -> (String, &'static str) {
        match self.is_metadata {
            true => ("PartialObjectMetadataList".to_owned(), "meta.k8s.io/v1"),
            false => (
                format!("{}List", self.resource.kind()),
                self.resource.api_version(),
            ),
        }
    }

    /// An object that comes alone.
    pub(super) fn single(self, object: &str) -> String {
        match self.is_metadata {
            true => metadata(&serde_json::from_str(object).unwrap_or_default()).to_string(),
            false => with_kind(self.resource, object),
        }
    }
}

fn metadata(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": object["metadata"],
    })
}

/// Items of a list don't tell what they are; single objects do.
pub(super) fn with_kind(resource: Resource, object: &str) -> String {
    let fields = object.strip_prefix('{').unwrap_or_default();
    let (kind, version) = (resource.kind(), resource.api_version());
    format!("{{\"kind\":\"{kind}\",\"apiVersion\":\"{version}\",{fields}")
}
