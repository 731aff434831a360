//! Bodies of every kind: what is taken, and what is said of what is not.

use serde_json::{Value, json};

use super::*;

/// As `reference` publishes it.
fn published() -> Value {
    json!({
        "timestamp": "2024-01-01T00:00:00Z",
        "node_name": "worker-node-1",
        "hostname": "worker-node-1",
        "ec2_instance_id": "i-1234567890abcdef0",
        "pods": [{
            "pod_id": "pod-uid-123",
            "namespace": "default",
            "name": "my-app",
            "cpu_usage_cores": 0.5,
            "memory_usage_bytes": 1_073_741_824,
            "net_tx_bytes": 1024,
            "net_rx_bytes": 2048,
            "pod_start_time": "2024-01-01T00:00:00Z",
        }],
    })
}

fn read(body: &Value) -> Result<Payload, Vec<Problem>> {
    parse(body.to_string().as_bytes())
}

/// The published body with one value changed: what is told of it.
fn changed(pointer: &str, value: Value) -> Vec<(String, String)> {
    let mut body = published();
    match pointer.rsplit_once('/') {
        Some((parent, field)) => body.pointer_mut(parent).unwrap()[field] = value,
        None => body = value,
    }
    told(read(&body))
}

fn told(read: Result<Payload, Vec<Problem>>) -> Vec<(String, String)> {
    let problems = read.err().unwrap_or_default().into_iter();
    problems
        .map(|problem| (problem.field, problem.reason))
        .collect()
}

#[test]
fn the_published_body_is_taken() {
    let payload = read(&published()).unwrap();
    assert_eq!((payload.node(), payload.pods.len()), ("worker-node-1", 1));
    assert_eq!(payload.end().to_string(), "2024-01-01T00:00:00.000000Z");
    let pod = &payload.pods[0];
    assert_eq!(pod.pod_id.0, "pod-uid-123");
    assert_eq!(pod.cpu_usage_cores.unwrap().0, 0.5);
    assert_eq!(pod.memory_usage_bytes.unwrap().0, 1 << 30);
    assert_eq!(pod.net_tx_bytes.unwrap().0, 1_024);
    assert_eq!(pod.net_rx_bytes.unwrap().0, 2_048);
}

#[test]
fn what_may_be_absent_may_be_null() {
    let least = json!({
        "timestamp": "2024-01-01T00:00:00.123456+00:00",
        "node_name": "n",
        "pods": [{ "pod_id": "u", "namespace": "", "name": "" }],
        "later": [{ "deep": [[[]]] }],
    });
    let absent = read(&least).unwrap();
    let mut nulls = least;
    for field in ["hostname", "ec2_instance_id"] {
        nulls[field] = Value::Null;
    }
    for field in [
        "cpu_usage_cores",
        "memory_usage_bytes",
        "net_tx_bytes",
        "net_rx_bytes",
        "pod_start_time",
    ] {
        nulls["pods"][0][field] = Value::Null;
    }
    assert_eq!(read(&nulls).unwrap(), absent);
    assert_eq!(absent.pods[0].cpu_usage_cores, None);
}

#[test]
fn numbers_are_numbers_in_their_bounds() {
    let cpu = "/pods/0/cpu_usage_cores";
    let bytes = "/pods/0/net_tx_bytes";
    for (pointer, value) in [
        (cpu, json!(0)),
        (cpu, json!(-0.0)),
        (cpu, json!(1e6)),
        (bytes, json!(1.0)),
        (bytes, json!(1e18)),
        (bytes, json!(1_i64 << 60)),
    ] {
        assert_eq!(changed(pointer, value), []);
    }
    for (pointer, value, reason) in [
        (cpu, json!(-0.1), "between 0 and 1000000"),
        (cpu, json!(1e300), "between 0 and 1000000"),
        (cpu, json!(u64::MAX), "between 0 and 1000000"),
        (cpu, json!("0.5"), "it must be a number, and is a text"),
        (cpu, json!(true), "is a boolean"),
        (
            bytes,
            json!(1.5),
            "it must be a whole number, and is a number",
        ),
        (bytes, json!(-1), "between 0 and"),
        (bytes, json!(u64::MAX), "between 0 and"),
        (bytes, json!(1e300), "between 0 and"),
        (bytes, json!([1]), "is a list"),
        (bytes, json!({ "a": 1 }), "is an object"),
    ] {
        let told = changed(pointer, value.clone());
        let field = pointer.replace("/pods/0/", "pods[0].");
        assert_eq!((told.len(), &told[0].0), (1, &field), "{value}");
        assert!(told[0].1.contains(reason), "{value}: {told:?}");
    }
}

#[test]
fn names_fit_the_wire() {
    assert_eq!(changed("/node_name", json!("n".repeat(253))), []);
    for value in [
        json!(""),
        json!("n".repeat(254)),
        json!("a b"),
        json!("nöde"),
        json!("a\u{0}"),
        json!("a\n"),
        json!(7),
        Value::Null,
    ] {
        let told = changed("/node_name", value.clone());
        assert_eq!(
            (told.len(), told[0].0.as_str()),
            (1, "node_name"),
            "{value}"
        );
    }
    assert_eq!(changed("/hostname", json!("ö ".repeat(512))), []);
    assert_eq!(changed("/hostname", json!("ö".repeat(1_025))).len(), 1);
}

#[test]
fn every_problem_is_told_at_once_up_to_twenty() {
    let body = json!({
        "timestamp": "yesterday",
        "hostname": 7,
        "pods": [{}, 7, { "pod_id": null, "namespace": "a", "name": "b" }],
    });
    let fields: Vec<_> = told(read(&body))
        .into_iter()
        .map(|(field, _)| field)
        .collect();
    let expected = [
        "hostname",
        "pods[0].pod_id",
        "pods[0].namespace",
        "pods[0].name",
        "pods[1]",
        "pods[2].pod_id",
        "timestamp",
        "node_name",
    ];
    let sorted = |mut list: Vec<String>| {
        list.sort();
        list
    };
    assert_eq!(sorted(fields), sorted(expected.map(str::to_owned).to_vec()));
    let mut many = published();
    many["pods"] = (0..100).map(|_| json!({})).collect();
    assert_eq!(told(read(&many)).len(), 20);
}

#[test]
fn lists_have_a_bound() {
    let mut body = published();
    let pod = body["pods"][0].clone();
    body["pods"] = vec![pod.clone(); 5_000].into();
    assert_eq!(read(&body).unwrap().pods.len(), 5_000);
    body["pods"] = vec![pod; 5_001].into();
    let told = told(read(&body));
    assert_eq!(
        told,
        [(
            "pods".to_owned(),
            "it has 5001 items, at most 5000".to_owned()
        )]
    );
}

#[test]
fn what_is_no_such_json_is_told() {
    for (body, reason) in [
        ("", "no JSON: EOF"),
        ("{", "no JSON: EOF"),
        ("{} {}", "no JSON: trailing"),
        ("{\"timestamp\": \"\u{0}\"}", "no JSON: control"),
        ("{\"pods\": 1e999}", "no JSON: number out of range"),
        ("[]", "it must be an object, and is a list"),
        ("null", "it must be an object, and is null"),
        ("NaN", "no JSON"),
    ] {
        let told = told(parse(body.as_bytes()));
        assert_eq!(told[0].0, "body", "{body}");
        assert!(told[0].1.contains(reason), "{body}: {told:?}");
    }
    assert!(parse(b"{\"node_name\": \"\xff\"}").is_err());
    let deep = format!(
        "{{\"pods\": {}1{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert_eq!(told(parse(deep.as_bytes()))[0].0, "pods[0]");
    let unknown = format!("{{\"x\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(told(parse(unknown.as_bytes()))[0].1, "it is missing");
}

#[test]
fn a_field_is_told_once() {
    let text = published().to_string();
    let twice = text.replacen('{', r#"{"node_name": "other","#, 1);
    let expected = ("node_name".to_owned(), "it is told twice".to_owned());
    assert_eq!(told(parse(twice.as_bytes())), [expected]);
}

/// The schema is what is checked: it says of each field what the tests above find.
#[test]
fn the_schema_says_the_same() {
    let schema = schema();
    assert_eq!(
        schema["required"],
        json!(["timestamp", "node_name", "pods"])
    );
    let pod = &schema["properties"]["pods"]["items"];
    assert_eq!(schema["properties"]["pods"]["maxItems"], 5_000);
    assert_eq!(pod["required"], json!(["pod_id", "namespace", "name"]));
    assert_eq!(
        pod["properties"]["cpu_usage_cores"],
        json!({
            "type": ["number", "null"],
            "minimum": 0,
            "maximum": 1e6,
            "description": "CPU in use.",
        })
    );
    assert_eq!(pod["properties"]["pod_id"]["pattern"], "^[!-~]{1,253}$");
    assert_eq!(schema["additionalProperties"], Value::Null);
}
