//! Answers and their bodies.

use serde_json::{Map, Value, json};

use crate::push;

/// An answer with a JSON body of that schema.
pub(super) fn json(description: &str, schema: &str) -> Value {
    content(
        description,
        "application/json",
        &json!({ "$ref": format!("#/components/schemas/{schema}") }),
    )
}

/// An answer with a body of that type.
pub(super) fn content(description: &str, content_type: &str, schema: &Value) -> Value {
    json!({ "description": description, "content": { content_type: { "schema": schema } } })
}

/// An answer with a header.
pub(super) fn with_header(mut answer: Value, name: &str, schema: &Value) -> Value {
    answer["headers"][name] = json!({ "required": true, "schema": schema });
    answer
}

/// What is told to whoever may come again.
pub(super) fn busy(description: &str, schema: &str) -> Value {
    let seconds = json!({ "type": "integer", "minimum": 1 });
    with_header(json(description, schema), "Retry-After", &seconds)
}

/// What is told to whoever has no good token.
pub(super) fn unauthorized(schema: &str) -> Value {
    let bearer = json!({ "type": "string", "const": "Bearer" });
    let answer = json("No token, or one that is not believed.", schema);
    with_header(answer, "WWW-Authenticate", &bearer)
}

/// Bodies that have a name.
pub(super) fn schemas() -> Value {
    let text = json!({ "type": "string" });
    let object = |properties: Value, required: &[&str]| {
        json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    };
    let problem = object(
        json!({ "field": text, "reason": text }),
        &["field", "reason"],
    );
    let mut schemas = Map::new();
    schemas.insert("Push".to_owned(), push::schema());
    let ok = object(json!({ "status": { "const": "ok" } }), &["status"]);
    schemas.insert("Taken".to_owned(), ok);
    let errors = json!({
        "status": { "const": "error" },
        "errors": { "type": "array", "items": problem, "minItems": 1, "maxItems": 20 },
    });
    schemas.insert("Errors".to_owned(), object(errors, &["status", "errors"]));
    let boolean = json!({ "type": "boolean" });
    let kinds = ["nodes", "pods", "pvcs", "pvs"];
    let watchers = kinds.map(|kind| (kind.to_owned(), boolean.clone()));
    let health = json!({
        "status": { "enum": ["healthy", "unhealthy"] },
        "debug_k8s_api": boolean,
        "watchers_initialized": object(Value::Object(watchers.into_iter().collect()), &kinds),
        "all_watchers_ready": boolean,
    });
    let all = [
        "status",
        "debug_k8s_api",
        "watchers_initialized",
        "all_watchers_ready",
    ];
    schemas.insert("Health".to_owned(), object(health, &all));
    let readiness = json!({
        "ready": { "type": "boolean" },
        "missing": { "type": "array", "items": text },
    });
    schemas.insert(
        "Readiness".to_owned(),
        object(readiness, &["ready", "missing"]),
    );
    let refusal = json!({
        "kind": text,
        "reason": text,
        "epoch": { "type": "string", "pattern": "^[0-9a-f]{32}$" },
        "seq": { "type": "integer" },
        "index": { "type": "integer" },
    });
    schemas.insert("Refusal".to_owned(), object(refusal, &["kind", "reason"]));
    schemas.into()
}
