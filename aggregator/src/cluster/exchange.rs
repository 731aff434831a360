//! What is said to the API server and by it, for `DEBUG_K8S_API`. Every line has the words `K8S API`,
//! none a token.

use std::time::Duration;

use http::{Method, Response};
use hyper::body::Incoming;

use super::{ApiError, connect::Sender, mask};

/// Most of an object that is shown; a line of the log holds little more.
const MOST_SHOWN_BYTES: usize = 12 << 10;

/// Where these lines are said to come from: `DEBUG_K8S_API` alone shows them.
pub(crate) const TARGET: &str = "aggregator::cluster::exchange";

/// Whether anybody reads it.
fn is_shown() -> bool {
    log::log_enabled!(target: TARGET, log::Level::Debug)
}

/// A request leaves. Of a body only its size is told: reviews hold tokens.
pub(super) fn request(method: &Method, path: &str, accept: &str, body_bytes: usize) {
    log::debug!(
        target: TARGET,
        "K8S API request: {method} {path}, accept: {accept}, authorization: {}, {body_bytes} bytes",
        mask::HIDDEN
    );
}

/// The header of its answer has come, or nothing has.
pub(super) fn response(
    method: &Method,
    path: &str,
    took: Duration,
    answered: &Result<(Sender, Response<Incoming>), ApiError>,
) {
    let took = took.as_millis();
    match answered {
        Ok((_, response)) => log::debug!(
            target: TARGET,
            "K8S API response: {method} {path} -> {} in {took} ms",
            response.status()
        ),
        Err(error) => log::debug!(
            target: TARGET,
            "K8S API response: {method} {path} -> none after {took} ms: {}",
            mask::text(&crate::error_chain(error))
        ),
    }
}

/// An event of a watch, or an item of a list.
pub(crate) fn event(kind: &str, event: &str, object: &str) {
    if is_shown() {
        let object = mask::object(object, MOST_SHOWN_BYTES);
        log::debug!(target: TARGET, "K8S API event: {event} {kind} {object}");
    }
}

/// What became of an object.
pub(crate) fn cache(kind: &str, what: &str) {
    log::debug!(target: TARGET, "K8S API cache: {what} {kind}");
}

/// The body of a refusal: a Status, which quotes nothing, or what something in between says.
pub(crate) fn refusal(path: &str, body: &str) {
    if is_shown() {
        let body = mask::object(body, MOST_SHOWN_BYTES);
        log::debug!(target: TARGET, "K8S API refusal: {path} {body}");
    }
}
