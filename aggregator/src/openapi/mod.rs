//! `GET /openapi.json`: every path of a port, with all answers that come from it. The routers go by the same
//! list of paths and methods, and what is pushed by the same schema.

mod answers;
mod operations;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use bytes::Bytes;
use http::Method;
use protocol::exchange;
use serde_json::{Map, Value, json};

use crate::push;
use answers::schemas;

/// Where the document is.
pub const PATH: &str = "/openapi.json";
/// What it is.
pub const CONTENT_TYPE: &str = "application/json";

/// The probes' paths and that of watchers.
pub const HEALTHZ: &str = "/healthz";
/// The older system's.
pub const HEALTH: &str = "/health";
/// See [`HEALTHZ`].
pub const READY: &str = "/ready";

/// Which port is described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// Of agents, with TLS.
    Agents,
    /// Of probes, Prometheus and older collectors, without.
    Status,
}

/// Methods of a path, as `Allow` tells them.
const READ: &str = "GET, HEAD";
const WRITE: &str = "POST";
const BOTH: &str = "GET, HEAD, POST";

impl Port {
    /// Its paths and their methods.
    pub(crate) const fn routes(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Agents => &[
                (exchange::PATH, WRITE),
                (push::PATH, WRITE),
                (HEALTHZ, READ),
                (HEALTH, READ),
                (PATH, READ),
            ],
            Self::Status => &[
                (push::PATH, BOTH),
                (HEALTHZ, READ),
                (HEALTH, READ),
                (READY, READ),
                (PATH, READ),
            ],
        }
    }

    /// Methods of a path, if it is one.
    pub(crate) fn methods(self, path: &str) -> Option<&'static str> {
        let route = self.routes().iter().find(|(known, _)| *known == path);
        route.map(|(_, methods)| *methods)
    }

    /// Every path, for people.
    pub(crate) fn paths(self) -> String {
        let routes = self.routes().iter();
        let told: Vec<String> = routes
            .map(|(path, methods)| format!("{} {path}", methods.replace("GET, HEAD", "GET")))
            .collect();
        told.join(", ")
    }

    /// The document.
    pub(crate) fn document(self) -> Bytes {
        static AGENTS: LazyLock<Bytes> = LazyLock::new(|| made(Port::Agents));
        static STATUS: LazyLock<Bytes> = LazyLock::new(|| made(Port::Status));
        match self {
            Self::Agents => AGENTS.clone(),
            Self::Status => STATUS.clone(),
        }
    }
}

/// One of the methods that `Allow` tells.
pub(crate) fn is_among(method: &Method, methods: &str) -> bool {
    methods.split(", ").any(|known| known == method.as_str())
}

fn made(port: Port) -> Bytes {
    document(port).to_string().into()
}

/// The document of a port.
pub fn document(port: Port) -> Value {
    let mut paths = Map::new();
    for (path, methods) in port.routes() {
        let mut operations = Map::new();
        // HEAD is GET without a body; nobody describes it.
        for method in methods.split(", ").filter(|method| *method != "HEAD") {
            let operation = operations::of(port, path, method);
            operations.insert(method.to_ascii_lowercase(), operation);
        }
        paths.insert((*path).to_owned(), operations.into());
    }
    let mut components = json!({ "schemas": schemas() });
    if port == Port::Agents {
        components["securitySchemes"] = json!({
            "token": {
                "type": "http",
                "scheme": "bearer",
                "description": "Unless `--auth none` is set.",
            },
        });
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "podledger-aggregator",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            "description": match port {
                Port::Agents => "The port of agents: HTTP/3, HTTP/2 and HTTP/1.1 over TLS.",
                Port::Status => "The port of probes, Prometheus and older collectors: plain HTTP/1.1.",
            },
        },
        "paths": paths,
        "components": components,
    })
}
