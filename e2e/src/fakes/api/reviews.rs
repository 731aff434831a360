//! Answers to reviews: whose token is this, and may I do that.

use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::status;
use crate::fakes::access::{Access, Caller};
use crate::fakes::body::Content;
use crate::fakes::recorded;
use crate::fakes::scene::Scene;

/// The audience that recorded tokens were made for.
const AUDIENCE: &str = "podledger";

pub(super) fn token(scene: &Scene, access: &Access, body: &[u8]) -> Response<Content> {
    let Ok(asked) = serde_json::from_slice::<Value>(body) else {
        return status::bad_request("the object provided is unrecognized");
    };
    let token = asked["spec"]["token"].as_str().unwrap_or_default();
    let audiences = &asked["spec"]["audiences"];
    let fits = match audiences.as_array() {
        Some(audiences) if !audiences.is_empty() => audiences.iter().any(|one| one == AUDIENCE),
        _ => true,
    };
    let known = access.caller(Some(&format!("Bearer {token}"))) == Caller::Agent;
    let text = match (known, fits) {
        (true, true) => recorded::REVIEW_OK,
        (true, false) => recorded::REVIEW_AUDIENCE,
        (false, _) => recorded::REVIEW_BAD,
    };
    let Ok(mut review) = recorded::tree(text) else {
        return status::internal_error();
    };
    review["spec"] = asked["spec"].clone();
    if known && fits {
        let node_name = json!([scene.node_name()]);
        review["status"]["user"]["extra"]["authentication.kubernetes.io/node-name"] = node_name;
    }
    status::chunked(StatusCode::CREATED, review.to_string())
}

pub(super) fn access(body: &[u8], is_allowed: impl Fn(&str, &str) -> bool) -> Response<Content> {
    let Ok(mut review) = serde_json::from_slice::<Value>(body) else {
        return status::bad_request("the object provided is unrecognized");
    };
    let attributes = &review["spec"]["resourceAttributes"];
    let text = |key: &str| attributes[key].as_str().unwrap_or_default();
    let allowed = is_allowed(text("verb"), text("resource"));
    review["status"] = json!({ "allowed": allowed });
    status::chunked(StatusCode::CREATED, review.to_string())
}
