//! Objects that are not what they must be.

use super::*;

/// One of each kind of JSON, and what is near to what is read.
fn anything() -> Vec<Value> {
    let long = "x".repeat(100_000);
    vec![
        Value::Null,
        json!(true),
        json!(-7),
        json!(1e300),
        json!(""),
        json!("text"),
        json!(long),
        json!([]),
        json!([null, 7, {}, [[]]]),
        json!({}),
        json!({"": null}),
        json!({"name": {"name": []}, "kind": 5, "storage": "-1"}),
    ]
}

/// Paths of all values in a value.
fn paths(value: &Value, path: &str, all: &mut Vec<String>) {
    all.push(path.to_owned());
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                paths(value, &format!("{path}/{name}"), all);
            }
        }
        Value::Array(list) => {
            for (at, value) in list.iter().enumerate() {
                paths(value, &format!("{path}/{at}"), all);
            }
        }
        _ => {}
    }
}

/// What of the pod's facts a path has to do with.
fn hide(mut told: Told, path: &str) -> Told {
    let empty = Told::default();
    let is_of = |part: &str| path.starts_with(part) || part.starts_with(path);
    if is_of("/metadata/labels") || is_of("/metadata/ownerReferences") {
        (told.owner, told.workload) = (empty.owner, empty.workload);
    }
    if is_of("/metadata/labels") {
        told.labels = empty.labels;
    }
    if is_of("/metadata/annotations") {
        told.annotations = empty.annotations;
    }
    if is_of("/spec/nodeName") {
        told.place = empty.place;
    }
    if is_of("/spec/hostNetwork") {
        told.host_network = empty.host_network;
    }
    if is_of("/spec/containers") {
        (told.requests, told.limits) = (empty.requests, empty.limits);
    }
    if is_of("/spec/volumes") {
        told.claims = empty.claims;
        (told.claimed_bytes, told.volumes) = (empty.claimed_bytes, empty.volumes);
    }
    if is_of("/status/qosClass") {
        told.qos = empty.qos;
    }
    told
}

#[test]
fn an_odd_field_of_a_pod_costs_only_itself() {
    let (mut all, mut tried) = (Vec::new(), 0);
    paths(&pod(), "", &mut all);
    let needed = [
        "",
        "/metadata",
        "/metadata/uid",
        "/metadata/namespace",
        "/metadata/name",
    ];
    all.retain(|path| !needed.contains(&&**path));
    for path in &all {
        for odd in anything() {
            let objects = objects();
            for (kind, object) in others() {
                put(&objects, kind, &object);
            }
            let mut object = pod();
            *object.pointer_mut(path).unwrap() = odd.clone();
            put(&objects, Kind::Pods, &object);
            let told = told(&objects, POD).unwrap();
            assert_eq!(hide(told, path), hide(whole(), path), "{path}: {odd}");
            tried += 1;
        }
    }
    assert!(tried > 500, "{tried}");
}

#[test]
fn odd_fields_of_the_others_cost_only_themselves() {
    for (at, (kind, object)) in others().iter().enumerate() {
        let mut all = Vec::new();
        paths(object, "", &mut all);
        for path in &all {
            for odd in anything() {
                let objects = objects();
                put(&objects, Kind::Pods, &pod());
                for (_, (kind, object)) in others().iter().enumerate().filter(|(no, _)| *no != at) {
                    put(&objects, *kind, object);
                }
                let mut object = object.clone();
                *object.pointer_mut(path).unwrap() = odd.clone();
                // It is kept or refused, and in no case harms what the pod itself says.
                drop(objects.put(*kind, &object.to_string()));
                let mut told = told(&objects, POD).unwrap();
                let mut expected = whole();
                for told in [&mut told, &mut expected] {
                    match kind {
                        Kind::Nodes => told.place = Default::default(),
                        Kind::ReplicaSets => (told.owner, told.workload) = Default::default(),
                        _ => (told.claimed_bytes, told.volumes) = Default::default(),
                    }
                }
                assert_eq!(told, expected, "{kind:?} {path}: {odd}");
            }
        }
    }
}

#[test]
fn without_a_name_it_is_nothing() {
    let objects = objects();
    let mut nameless = pod();
    nameless["metadata"]["uid"] = json!(7);
    let odd = objects.put(Kind::Pods, &nameless.to_string()).unwrap_err();
    assert_eq!(odd.to_string(), "it has no uid");
    for kind in Kind::ALL {
        for text in [
            "",
            "null",
            "[]",
            "{",
            "{}",
            r#"{"metadata":null}"#,
            r#"{"metadata":{}}"#,
        ] {
            assert!(objects.put(kind, text).is_err(), "{kind:?} {text}");
            assert!(objects.gone(kind, text).is_err(), "{kind:?} {text}");
        }
    }
    assert_eq!(objects.tally(), Default::default());
}

#[test]
fn what_is_optional_may_be_missing() {
    let objects = objects();
    let bare = json!({"metadata": {"uid": "u", "namespace": "n", "name": "p"}});
    put(&objects, Kind::Pods, &bare);
    let expected = Told {
        name: "p".to_owned(),
        namespace: "n".to_owned(),
        workload: "Pod p".to_owned(),
        labels: Some(Vec::new()),
        annotations: Some(Vec::new()),
        claimed_bytes: Some(0),
        volumes: Some(Vec::new()),
        ..Told::default()
    };
    assert_eq!(told(&objects, "u"), Some(expected));
    assert_eq!(objects.oddities(), 0);
}

#[test]
fn long_annotations_are_left_out() {
    let objects = objects();
    let mut object = pod();
    let all = object["metadata"]["annotations"].as_object_mut().unwrap();
    let long = "x".repeat(900);
    for name in ["c", "d", "e", "f", "g", "h"] {
        all.insert(name.to_owned(), json!(long));
    }
    all.insert("too-long".to_owned(), json!("x".repeat(1_025)));
    let applied = "kubectl.kubernetes.io/last-applied-configuration";
    all.insert(applied.to_owned(), json!("{}"));
    all.insert("z".to_owned(), json!("small"));
    put(&objects, Kind::Pods, &object);
    let kept = told(&objects, POD).unwrap().annotations.unwrap();
    let names: Vec<_> = kept.iter().map(|pair| &pair[..1]).collect();
    assert_eq!(names, ["a", "b", "c", "d", "e", "f", "z"]);
}

#[test]
fn volumes_are_told_in_every_notation() {
    for (spec, id) in [
        (
            json!({"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-1"}}),
            Some("vol-1"),
        ),
        (
            json!({"awsElasticBlockStore": {"volumeID": "aws://us-east-1a/vol-1"}}),
            Some("vol-1"),
        ),
        (
            json!({"awsElasticBlockStore": {"volumeID": "aws:///vol-1"}}),
            Some("vol-1"),
        ),
        (
            json!({"awsElasticBlockStore": {"volumeID": "vol-1"}}),
            Some("vol-1"),
        ),
        (
            json!({"csi": {"driver": "efs.csi.aws.com", "volumeHandle": "vol-1"}}),
            None,
        ),
        (
            json!({"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "fs-1"}}),
            None,
        ),
        (json!({"hostPath": {"path": "/vol-1"}}), None),
    ] {
        let objects = objects();
        put(&objects, Kind::Pods, &pod());
        let scratch = "web-abc-1-scratch";
        put(&objects, Kind::Claims, &claim(scratch, "1", None));
        put(&objects, Kind::Claims, &claim("data", "1", Some("pv")));
        assert_eq!(told(&objects, POD).unwrap().volumes, None);
        let object = json!({"metadata": {"name": "pv"}, "spec": spec});
        put(&objects, Kind::Volumes, &object);
        let volumes = told(&objects, POD).unwrap().volumes.unwrap();
        assert_eq!(volumes.first().map(String::as_str), id, "{spec}");
    }
}
