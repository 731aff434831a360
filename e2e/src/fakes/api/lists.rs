//! Lists: selected, in pages.

use std::collections::BTreeMap;

use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::objects::Form;
use super::query::Query;
use super::{ApiFault, Cluster, status};
use crate::fakes::body::Content;
use crate::fakes::pod::{node_of, phase_of};
use crate::fakes::{Resource, locked, recorded};

/// Which objects are asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Selector {
    pub(super) node: Option<String>,
    pub(super) namespace: Option<String>,
    without_phases: Vec<String>,
}

impl Selector {
    /// The message of the refusal for what the fake, or a real server, does not know.
    pub(super) fn of(
        resource: Resource,
        namespace: Option<&str>,
        query: &Query,
    ) -> Result<Self, String> {
        let mut selector = Self {
            namespace: namespace.map(str::to_owned),
            ..Self::default()
        };
        let text = query.get("fieldSelector").unwrap_or_default();
        for term in text.split(',').filter(|term| !term.is_empty()) {
            match (resource, term.split_once('=')) {
                (Resource::Pods, Some(("spec.nodeName", node))) => {
                    selector.node = Some(node.trim_start_matches('=').to_owned());
                }
                (Resource::Pods, Some(("status.phase!", phase))) => {
                    selector.without_phases.push(phase.to_owned());
                }
                _ => {
                    let (version, name) = (resource.api_version(), resource.name());
                    return Err(format!(
                        "Unable to find \"/{version}, Resource={name}\" that match label selector \"\", field selector \"{text}\": field label not supported: {term}"
                    ));
                }
            }
        }
        Ok(selector)
    }

    pub(super) fn takes(&self, object: &Value) -> bool {
        let namespace = object["metadata"]["namespace"].as_str();
        self.takes_namespace(namespace) && self.takes_fields(node_of(object), phase_of(object))
    }

    pub(super) fn takes_fields(&self, node: Option<&str>, phase: Option<&str>) -> bool {
        let takes_node = self.node.is_none() || self.node.as_deref() == node;
        takes_node
            && !self
                .without_phases
                .iter()
                .any(|one| Some(one.as_str()) == phase)
    }

    fn takes_namespace(&self, namespace: Option<&str>) -> bool {
        self.namespace.is_none() || self.namespace.as_deref() == namespace
    }
}

/// Pages that were begun: what a token stands for.
#[derive(Debug, Default)]
pub(super) struct Continues(BTreeMap<String, (u64, String)>);

struct Page {
    version: u64,
    items: Vec<Value>,
    next: Option<String>,
}

impl Cluster {
    pub(super) fn list(
        &self,
        form: Form,
        namespace: Option<&str>,
        query: &Query,
        fault: Option<ApiFault>,
    ) -> Response<Content> {
        let selector = match Selector::of(form.resource, namespace, query) {
            Ok(selector) => selector,
            Err(message) => return status::bad_request(&message),
        };
        let asked = query.number("resourceVersion");
        let current = self.scene.read(|state| state.version);
        if let Some(asked) = asked.filter(|asked| *asked > current) {
            return status::version_too_large(asked, current);
        }
        let start = match query.get("continue") {
            None => None,
            Some(token) => match locked(&self.state).continues.0.get(token) {
                Some(start) => Some(start.clone()),
                None => return status::json(StatusCode::GONE, recorded::EXPIRED_CONTINUE),
            },
        };
        // From the cache, which has no pages.
        let from_cache = asked == Some(0);
        let limit = query
            .number("limit")
            .filter(|limit| *limit > 0 && !from_cache);
        let mut page = self.page(form, &selector, start, limit);
        if fault == Some(ApiFault::DuplicateUids)
            && let Some(mut second) = page.items.first().cloned()
        {
            second["metadata"]["name"] = json!("another-of-that-uid");
            page.items.push(second);
        }
        self.page_answer(form, page, fault)
    }

    fn page_answer(&self, form: Form, page: Page, fault: Option<ApiFault>) -> Response<Content> {
        let mut metadata = json!({ "resourceVersion": page.version.to_string() });
        if let Some(next) = page.next {
            let token = token(page.version, &next);
            metadata["continue"] = json!(token);
            let mut state = locked(&self.state);
            state.continues.0.insert(token, (page.version, next));
        }
        let first = page.items.first().map(Value::to_string);
        let (kind, version) = form.list();
        let list = json!({
            "kind": kind,
            "apiVersion": version,
            "metadata": metadata,
            "items": page.items,
        });
        let text = list.to_string();
        let json = |content| status::answer(StatusCode::OK, "application/json", content);
        match fault {
            Some(ApiFault::Cut) => json(Content::cut(text.as_bytes()[..text.len() / 2].to_vec())),
            Some(ApiFault::Endless) => {
                let item = format!(",{}", first.unwrap_or_else(|| "{}".to_owned()));
                let head = text.trim_end_matches("]}").to_owned();
                json(Content::endless(head, item.repeat(16)))
            }
            _ => status::chunked(StatusCode::OK, text),
        }
    }

    fn page(
        &self,
        form: Form,
        selector: &Selector,
        start: Option<(u64, String)>,
        limit: Option<u64>,
    ) -> Page {
        let limit = limit.map_or(usize::MAX, |limit| {
            usize::try_from(limit).unwrap_or(usize::MAX)
        });
        self.scene.read(|state| {
            let objects = state.objects(form.resource).into_iter();
            let objects = objects.filter(|object| selector.takes(object));
            let mut sorted: BTreeMap<String, &Value> =
                objects.map(|object| (key(object), object)).collect();
            let (version, after) = start.unwrap_or((state.version, String::new()));
            sorted.retain(|key, _| *key > after);
            let mut keys = sorted.keys();
            let last = limit.checked_sub(1).and_then(|at| keys.nth(at)).cloned();
            let next = last.filter(|_| keys.next().is_some());
            let items = sorted.into_values().take(limit).cloned();
            let items = items.map(|item| form.item(item)).collect();
            Page {
                version,
                items,
                next,
            }
        })
    }
}

/// The order of lists.
pub(super) fn key(object: &Value) -> String {
    let part = |key: &str| object["metadata"][key].as_str().unwrap_or_default();
    format!("{}/{}", part("namespace"), part("name"))
}

/// As etcd's paging has it, in base64.
fn token(version: u64, key: &str) -> String {
    let start = format!("{key}\u{0}");
    let text = json!({ "v": "meta.k8s.io/v1", "rv": version, "start": start }).to_string();
    base64url(text.as_bytes())
}

fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut group = [0; 3];
        group[..chunk.len()].copy_from_slice(chunk);
        let [a, b, c] = group.map(usize::from);
        let sextets = [
            a >> 2,
            (a << 4 | b >> 4) & 63,
            (b << 2 | c >> 6) & 63,
            c & 63,
        ];
        let digits = sextets.iter().take(chunk.len() + 1);
        text.extend(digits.map(|sextet| char::from(DIGITS[*sextet])));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_as_recorded() {
        let recorded =
            "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MTE1OCwic3RhcnQiOiIvZGVmYXVsdC9wMVx1MDAwMCJ9";
        assert_eq!(token(1158, "/default/p1"), recorded);
    }
}
