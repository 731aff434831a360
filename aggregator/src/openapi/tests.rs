//! The document and the routers say the same.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, header};
use serde_json::Value;

use super::*;
use crate::{
    ingest::testing::{Client, Stage},
    status::Way,
};

const METHODS: [&str; 8] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE",
];

fn request(method: &str, path: &str) -> Request<Bytes> {
    Request::builder()
        .method(method)
        .uri(format!("https://localhost{path}"))
        .header(header::HOST, "localhost")
        .body(Bytes::new())
        .unwrap()
}

/// Every path of a document with every method: what is described is there, and nothing else is.
async fn assert_agrees(port: Port, mut ask: impl AsyncFnMut(Request<Bytes>) -> Response<Bytes>) {
    let document = ask(request("GET", PATH)).await;
    assert_eq!(document.headers()[header::CONTENT_TYPE], "application/json");
    let served: Value = serde_json::from_slice(document.body()).unwrap();
    assert_eq!(served, super::document(port));
    let paths = served["paths"].as_object().unwrap();
    assert!(paths.len() >= 4);
    for (path, operations) in paths {
        for method in METHODS {
            let described = match method {
                "HEAD" => &operations["get"],
                method => &operations[method.to_ascii_lowercase()],
            };
            let answer = ask(request(method, path)).await;
            let status = answer.status().as_u16();
            let case = format!("{method} {path}: {status}");
            if described.is_null() {
                assert_eq!(status, 405, "{case}");
                assert_eq!(
                    answer.headers()[header::ALLOW],
                    *port.methods(path).unwrap()
                );
                continue;
            }
            let told = &described["responses"][status.to_string()];
            assert!(told.is_object(), "{case}");
            let content_type = answer.headers()[header::CONTENT_TYPE].to_str().unwrap();
            let essence = content_type.split(';').next().unwrap();
            assert!(
                told["content"][essence].is_object(),
                "{case}: {content_type}"
            );
        }
    }
    assert_eq!(ask(request("GET", "/other")).await.status(), 404);
}

#[tokio::test]
async fn agents_port() {
    let stage = Stage::new(|_| ()).await;
    for way in [Way::Http1, Way::Http2, Way::Http3] {
        let mut client = stage.client(way).await;
        assert_agrees(Port::Agents, async |request| {
            client.send(request).await.unwrap()
        })
        .await;
    }
}

#[tokio::test]
async fn status_port() {
    let stage = Stage::new(|_| ()).await;
    let address = stage.status(false).await;
    let mut client = Client::plain(address).await;
    assert_agrees(Port::Status, async |request| {
        client.send(request).await.unwrap()
    })
    .await;
    assert!(Arc::strong_count(&stage.metrics) > 1);
}

/// Whatever a reference names is there, and every operation has a name of its own.
#[test]
fn documents_hold_together() {
    for port in [Port::Agents, Port::Status] {
        let document = document(port);
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
        let mut names: Vec<&str> = text.split("\"operationId\":\"").skip(1).collect();
        names
            .iter_mut()
            .for_each(|name| *name = name.split('"').next().unwrap());
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(!text.contains("null}") && document["paths"][PATH]["get"].is_object());
    }
}
