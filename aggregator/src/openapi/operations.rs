//! What each path does.

use protocol::exchange;
use serde_json::{Value, json};

use super::{
    HEALTH, HEALTHZ, PATH, Port, READY,
    answers::{busy, content, json, unauthorized},
};
use crate::push;

/// What a method does on a path of a port.
pub(super) fn of(port: Port, path: &str, method: &str) -> Value {
    match (path, method) {
        (exchange::PATH, _) => batches(),
        (push::PATH, "POST") => pushed(port),
        (push::PATH, _) => metrics(),
        (READY, _) => ready(),
        (PATH, _) => document(),
        (HEALTHZ, _) => healthz(),
        (HEALTH, _) => health(),
        _ => Value::Null,
    }
}

fn healthz() -> Value {
    let text = json!({ "type": "string", "const": "ok\n" });
    json!({
        "operationId": "healthz",
        "summary": "Whether it answers at all",
        "responses": { "200": content("It does.", "text/plain", &text) },
    })
}

fn health() -> Value {
    json!({
        "operationId": "health",
        "summary": "How it is, and whether the first lists of the watches are whole",
        "responses": { "200": json("It tells, whatever it is.", "Health") },
    })
}

fn ready() -> Value {
    json!({
        "operationId": "ready",
        "summary": "Whether it takes batches",
        "responses": {
            "200": json("It does.", "Readiness"),
            "503": json("It does not, and says why.", "Readiness"),
        },
    })
}

fn document() -> Value {
    json!({
        "operationId": "openapi",
        "summary": "This document",
        "responses": {
            "200": content("It.", super::CONTENT_TYPE, &json!({ "type": "object" })),
        },
    })
}

fn metrics() -> Value {
    let page = json!({ "type": "string" });
    json!({
        "operationId": "metrics",
        "summary": "Metrics for Prometheus",
        "responses": { "200": content("A page.", "text/plain", &page) },
    })
}

fn pushed(port: Port) -> Value {
    let mut operation = json!({
        "operationId": "push",
        "summary": "Take what a collector saw on its node",
        "description": "Fields that the schema does not name are accepted and ignored. The same push of a node \
            again, told by its timestamp, is answered and not taken twice, as long as this aggregator remembers \
            it. What was answered is committed within the commit age; until then it is in memory alone.",
        "requestBody": {
            "required": true,
            "content": {
                push::CONTENT_TYPE: { "schema": { "$ref": "#/components/schemas/Push" } },
            },
        },
        "responses": {
            "200": json("It is taken, or was before.", "Taken"),
            "400": json("What is wrong with it, field by field.", "Errors"),
            "403": json("Pushes are not taken here, or not of this node.", "Errors"),
            "408": json("It took too long to come.", "Errors"),
            "413": json("It is too large.", "Errors"),
            "415": json("It is of another type.", "Errors"),
            "503": busy("It can't be taken now.", "Errors"),
        },
    });
    if port == Port::Agents {
        operation["security"] = json!([{ "token": [] }]);
        operation["responses"]["401"] = unauthorized("Errors");
    }
    operation
}

fn batches() -> Value {
    let binary = json!({});
    let told = [
        (
            "400",
            "It is no message, or of a version that is not spoken.",
        ),
        ("403", "The token is another node's."),
        ("408", "It took too long to come."),
        (
            "409",
            "Nothing is known of its epoch, and it does not begin with the first batch.",
        ),
        ("413", "It is too large."),
        ("415", "It is of another type."),
        ("422", "One batch will never be taken."),
    ];
    let mut responses = json!({
        "200": content("How far each epoch is.", exchange::CONTENT_TYPE, &binary),
        "401": unauthorized("Refusal"),
        "503": busy("It can't be taken now.", "Refusal"),
    });
    for (status, description) in told {
        responses[status] = json(description, "Refusal");
    }
    json!({
        "operationId": "batches",
        "summary": "Take batches of an agent, each once",
        "description": "Protocol buffers, as `protocol/proto/podledger.proto` defines them.",
        "security": [{ "token": [] }],
        "requestBody": {
            "required": true,
            "content": { exchange::CONTENT_TYPE: { "schema": binary } },
        },
        "responses": responses,
    })
}
