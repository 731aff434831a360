//! Heads and refusals, as recorded.

use hyper::header::{HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::json;

use crate::fakes::body::Content;
use crate::fakes::recorded;

const HEADERS: &[(&str, &str)] = &[
    ("audit-id", "13d371fb-e136-43cf-bf2a-aa6da5ff4d72"),
    ("cache-control", "no-cache, private"),
    (
        "x-kubernetes-pf-flowschema-uid",
        "bc4982dd-f505-4cf2-bad2-2fbd52d38684",
    ),
    (
        "x-kubernetes-pf-prioritylevel-uid",
        "e99d0c87-62b0-4f34-a4e6-cc3528548e8e",
    ),
];

pub(super) fn answer(
    status: StatusCode,
    content_type: &'static str,
    content: Content,
) -> Response<Content> {
    let mut response = Response::new(content);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    headers.insert("content-type", HeaderValue::from_static(content_type));
    response
}

/// Small ones have a length.
pub(super) fn json(status: StatusCode, text: impl Into<String>) -> Response<Content> {
    answer(status, "application/json", Content::whole(text.into()))
}

/// Objects and lists come without one.
pub(super) fn chunked(status: StatusCode, text: String) -> Response<Content> {
    answer(status, "application/json", Content::chunked(text + "\n"))
}

pub(super) fn text(status: StatusCode, text: &'static str) -> Response<Content> {
    answer(status, "text/plain; charset=utf-8", Content::whole(text))
}

pub(super) fn unauthorized() -> Response<Content> {
    json(StatusCode::UNAUTHORIZED, recorded::UNAUTHORIZED)
}

/// What priority and fairness says, which is no Status object.
pub(super) fn too_many(seconds: u32) -> Response<Content> {
    let said = "Too many requests, please try again later.\n";
    let mut response = text(StatusCode::TOO_MANY_REQUESTS, said);
    response
        .headers_mut()
        .insert("retry-after", HeaderValue::from(seconds));
    response
}

pub(super) fn forbidden(verb: &str, resource: &str, name: Option<&str>) -> Response<Content> {
    let group = match resource {
        "tokenreviews" => "authentication.k8s.io",
        "replicasets" => "apps",
        "jobs" => "batch",
        _ => "",
    };
    let kind = if group.is_empty() {
        resource.to_owned()
    } else {
        format!("{resource}.{group}")
    };
    let named = name.map_or_else(String::new, |name| format!(" \"{name}\""));
    let message = format!(
        "{kind}{named} is forbidden: User \"system:serviceaccount:demo:agent\" cannot {verb} resource \"{resource}\" in API group \"{group}\" at the cluster scope"
    );
    let details = match name {
        Some(name) => json!({ "name": name, "kind": resource }),
        None => json!({ "kind": resource }),
    };
    failure(StatusCode::FORBIDDEN, &message, "Forbidden", Some(details))
}

pub(super) fn not_found(resource: &str, name: &str) -> Response<Content> {
    let details = json!({ "name": name, "kind": resource });
    let message = format!("{resource} \"{name}\" not found");
    failure(StatusCode::NOT_FOUND, &message, "NotFound", Some(details))
}

pub(super) fn bad_request(message: &str) -> Response<Content> {
    failure(StatusCode::BAD_REQUEST, message, "BadRequest", None)
}

/// What a server without streaming lists says.
pub(super) fn no_streaming() -> Response<Content> {
    let message = "ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled";
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    failure(status, message, "Invalid", None)
}

pub(super) fn internal_error() -> Response<Content> {
    let message = "Internal error occurred: etcdserver: request timed out";
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    failure(status, message, "InternalError", None)
}

pub(super) fn version_too_large(asked: u64, current: u64) -> Response<Content> {
    let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
    let details = json!({
        "causes": [{ "reason": "ResourceVersionTooLarge", "message": "Too large resource version" }],
        "retryAfterSeconds": 1,
    });
    let mut response = failure(
        StatusCode::GATEWAY_TIMEOUT,
        &message,
        "Timeout",
        Some(details),
    );
    response
        .headers_mut()
        .insert("retry-after", HeaderValue::from(1));
    response
}

fn failure(
    status: StatusCode,
    message: &str,
    reason: &str,
    details: Option<serde_json::Value>,
) -> Response<Content> {
    json(
        status,
        object(status.as_u16(), message, reason, details).to_string(),
    )
}

/// A Status object.
pub(super) fn object(
    code: u16,
    message: &str,
    reason: &str,
    details: Option<serde_json::Value>,
) -> serde_json::Value {
    let mut status = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
    });
    if let Some(details) = details {
        status["details"] = details;
    }
    status["code"] = json!(code);
    status
}
