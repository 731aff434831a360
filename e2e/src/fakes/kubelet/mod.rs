//! A kubelet: `/stats/summary` over TLS for whoever has the right token, and what it says to the others.

mod faults;
mod summary;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use anyhow::Result;
use hyper::{Method, Response, StatusCode};

pub use faults::KubeletFault;

use super::access::{Access, Caller};
use super::body::Content;
use super::certificates::Shown;
use super::faults::{Faults, Times};
use super::journal::Journal;
use super::locked;
use super::scene::Scene;
use super::server::{Answers, Asked, Reply, Server};

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// A kubelet; it ends when dropped.
pub struct Kubelet {
    server: Server,
    faults: Faults<KubeletFault>,
}

struct Node {
    scene: Scene,
    access: Access,
    faults: Faults<KubeletFault>,
    /// Since when the samples don't move any more.
    stale_since: Mutex<Option<SystemTime>>,
}

impl Kubelet {
    /// Serves the scene at a free port.
    pub fn start(scene: &Scene, access: &Access) -> Result<Self> {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), scene, access)
    }

    /// The same at an address, as a kubelet that was started again.
    pub fn start_at(address: SocketAddr, scene: &Scene, access: &Access) -> Result<Self> {
        let faults = Faults::new();
        let node = Node {
            scene: scene.clone(),
            access: access.clone(),
            faults: faults.clone(),
            stale_since: Mutex::new(None),
        };
        Ok(Self {
            server: Server::start(address, Some(access.clone()), Arc::new(node))?,
            faults,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// What `KUBELET_ENDPOINT` is set to.
    pub fn url(&self) -> String {
        format!("https://{}/stats/summary", self.server.address)
    }

    /// Misbehaves from the next request on. A certificate goes wrong for connections that begin, so the
    /// others are cut.
    pub fn fail(&self, fault: KubeletFault, times: Times) {
        let cuts = fault.shown().is_some();
        self.faults.add(fault, times);
        if cuts {
            self.server.close_connections();
        }
    }

    /// Behaves again.
    pub fn heal(&self) {
        self.faults.clear();
    }

    /// Cuts every connection, whatever is under way on it.
    pub fn close_connections(&self) {
        self.server.close_connections();
    }

    /// What it was asked.
    pub fn journal(&self) -> &Journal {
        &self.server.journal
    }
}

impl Answers for Node {
    fn shown(&self) -> Shown {
        let fault = self.faults.take(|fault| fault.shown().is_some());
        fault.and_then(KubeletFault::shown).unwrap_or(Shown::Good)
    }

    fn answer(&self, asked: &Asked) -> Reply {
        let fault = self.faults.take(|fault| fault.shown().is_none());
        match fault {
            Some(KubeletFault::Hang) => return Reply::Hang,
            Some(KubeletFault::Reset) => return Reply::Reset,
            Some(KubeletFault::Unauthorized) => return Reply::Answer(unauthorized()),
            Some(KubeletFault::Forbidden) => return Reply::Answer(forbidden("stats")),
            _ => {}
        }
        let refused = match self.access.caller(asked.header("authorization")) {
            Caller::Nobody => Some(unauthorized()),
            Caller::WithoutRights => Some(forbidden(subresources(asked.uri.path()))),
            Caller::Agent => None,
        };
        if let Some(refused) = refused {
            return Reply::Answer(refused);
        }
        match (asked.method.clone(), asked.uri.path()) {
            (Method::GET | Method::POST, "/stats/summary" | "/stats/summary/") => {
                self.summary(asked, fault)
            }
            // An agent has the rights that it needs and no more.
            (_, "/pods" | "/healthz" | "/configz" | "/runningpods/") => {
                Reply::Answer(forbidden(subresources(asked.uri.path())))
            }
            _ => Reply::Answer(not_found()),
        }
    }
}

impl Node {
    fn summary(&self, asked: &Asked, fault: Option<KubeletFault>) -> Reply {
        let query = asked.uri.query().unwrap_or_default();
        let cpu_and_memory = query
            .split('&')
            .any(|pair| pair == "only_cpu_and_memory=true");
        let now = {
            let mut since = locked(&self.stale_since);
            let now = self.scene.now();
            if fault == Some(KubeletFault::Stale) {
                *since.get_or_insert(now)
            } else {
                *since = None;
                now
            }
        };
        let summary = self
            .scene
            .read(|state| summary::of(state, now, cpu_and_memory));
        faults::reply(summary, fault)
    }
}

fn answer(status: StatusCode, content_type: &'static str, content: Content) -> Response<Content> {
    let mut response = Response::new(content);
    *response.status_mut() = status;
    let value = hyper::header::HeaderValue::from_static(content_type);
    response.headers_mut().insert("content-type", value);
    response
}

fn unauthorized() -> Response<Content> {
    answer(
        StatusCode::UNAUTHORIZED,
        TEXT,
        Content::whole("Unauthorized"),
    )
}

fn forbidden(subresources: &str) -> Response<Content> {
    let text = format!(
        "Forbidden (user=system:serviceaccount:demo:agent, verb=get, resource=nodes, subresource(s)=[{subresources}])"
    );
    answer(StatusCode::FORBIDDEN, TEXT, Content::whole(text))
}

fn not_found() -> Response<Content> {
    let mut response = answer(
        StatusCode::NOT_FOUND,
        TEXT,
        Content::whole("404 page not found\n"),
    );
    let value = hyper::header::HeaderValue::from_static("nosniff");
    response
        .headers_mut()
        .insert("x-content-type-options", value);
    response
}

/// What a real kubelet asks the authorizer about, in the words of its refusal.
fn subresources(path: &str) -> &'static str {
    match path {
        "/pods" | "/runningpods/" => "pods proxy",
        "/healthz" => "healthz proxy",
        "/configz" => "configz proxy",
        path if path.starts_with("/stats") => "stats",
        path if path.starts_with("/metrics") => "metrics",
        _ => "proxy",
    }
}
