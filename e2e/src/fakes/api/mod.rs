//! An API server: objects to list and to watch, token reviews, and its ways to refuse.

mod lists;
mod objects;
mod query;
mod reviews;
mod route;
mod status;
mod watch;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use hyper::{Response, StatusCode};
use tokio::sync::broadcast;

use super::access::{Access, Caller};
use super::body::Content;
use super::faults::{Faults, Times};
use super::journal::Journal;
use super::pod::Pod;
use super::scene::Scene;
use super::server::{Answers, Asked, Reply, Server};
use super::{Resource, locked, recorded};
use lists::Continues;
use objects::Form;
use query::Query;
use route::Route;

/// How it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// HTTP, no token asked for.
    Plain,
    /// HTTPS with the certificate of the [`Access`], and its token.
    Tls,
}

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiFault {
    /// A list answers 410.
    ExpiredList,
    /// A watch answers 200 and then an ERROR event with 410.
    ExpiredWatch,
    /// 429 with so many seconds in `Retry-After`.
    TooManyRequests(u32),
    /// 500
    InternalError,
    /// 401, whatever the token.
    Unauthorized,
    /// 403, whatever the rights.
    Forbidden,
    /// The connection ends in the middle of a list, or of a watch's first line.
    Cut,
    /// A watch whose head comes and then nothing, not even a bookmark.
    Silent,
    /// A line of a watch that is no JSON.
    Garbage,
    /// Nothing, ever.
    Hang,
    /// A TCP reset instead of an answer.
    Reset,
    /// A list that has its first pod twice, the second time under another name.
    DuplicateUids,
    /// A list that never ends.
    Endless,
    /// A watch that should begin with all that is there is refused: an older server.
    NoStreaming,
    /// Such a watch is answered as a plain one: an even older server.
    PlainWatch,
}

impl ApiFault {
    fn applies(self, route: &Route, is_watch: bool) -> bool {
        let objects = matches!(route, Route::Objects { .. });
        let pods = matches!(
            route,
            Route::Objects {
                resource: Resource::Pods,
                ..
            }
        );
        match self {
            Self::NoStreaming | Self::PlainWatch => objects && is_watch,
            Self::ExpiredList | Self::DuplicateUids | Self::Endless => pods && !is_watch,
            Self::ExpiredWatch | Self::Silent | Self::Garbage => pods && is_watch,
            Self::Cut => pods,
            _ => true,
        }
    }
}

/// What happens to all watches that are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// An ERROR event with 410.
    Expired,
    /// An ERROR event with 500.
    InternalError,
    /// The connection ends in the middle of a line.
    CutMidLine,
    /// The regular end, as after the timeout.
    End,
    /// Nothing comes any more, and the connection stays.
    Silence,
}

/// An API server; it ends when dropped.
pub struct ApiServer {
    server: Server,
    cluster: Arc<Cluster>,
    scene: Scene,
    security: Security,
}

struct Cluster {
    scene: Scene,
    access: Access,
    security: Security,
    faults: Faults<ApiFault>,
    disturb: broadcast::Sender<Disturbance>,
    state: Mutex<State>,
}

struct State {
    /// Verbs and resources; none for everything.
    rights: Option<Vec<(String, String)>>,
    asked: Vec<(String, String)>,
    bookmark_every: Duration,
    continues: Continues,
}

impl ApiServer {
    /// Serves the scene at a free port.
    pub fn start(scene: &Scene, access: &Access, security: Security) -> Result<Self> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::start_at(any, scene, access, security)
    }

    /// The same at an address, as a server that was started again.
    pub fn start_at(
        address: SocketAddr,
        scene: &Scene,
        access: &Access,
        security: Security,
    ) -> Result<Self> {
        let cluster = Arc::new(Cluster {
            scene: scene.clone(),
            access: access.clone(),
            security,
            faults: Faults::new(),
            disturb: broadcast::channel(16).0,
            state: Mutex::new(State {
                rights: None,
                asked: Vec::new(),
                bookmark_every: Duration::from_secs(60),
                continues: Continues::default(),
            }),
        });
        let tls = (security == Security::Tls).then(|| access.clone());
        Ok(Self {
            server: Server::start(address, tls, Arc::clone(&cluster))?,
            cluster,
            scene: scene.clone(),
            security,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// For a client's configuration.
    pub fn url(&self) -> String {
        let scheme = match self.security {
            Security::Plain => "http",
            Security::Tls => "https",
        };
        format!("{scheme}://{}", self.server.address)
    }

    /// A pod appears, and the kubelet counts it.
    pub fn add_pod(&self, pod: Pod) {
        self.scene.add_fresh(pod);
    }

    /// A pod is deleted; the kubelet forgets it too. Whether it was there.
    pub fn delete_pod(&self, uid: &str) -> bool {
        self.scene.remove(uid)
    }

    /// A pod changes; whether it was there.
    pub fn update_pod(&self, uid: &str, change: impl FnOnce(&mut Pod)) -> bool {
        self.scene.update(uid, change)
    }

    /// Misbehaves from the next request on that the fault applies to.
    pub fn fail(&self, fault: ApiFault, times: Times) {
        self.cluster.faults.add(fault, times);
    }

    /// Behaves again.
    pub fn heal(&self) {
        self.cluster.faults.clear();
    }

    /// Disturbs the watches that are open now; how many there were.
    pub fn disturb(&self, disturbance: Disturbance) -> usize {
        self.cluster.disturb.send(disturbance).unwrap_or(0)
    }

    /// How many watches are open.
    pub fn watches(&self) -> usize {
        self.cluster.disturb.receiver_count()
    }

    /// From now on the agent may do only this, for example `("list", "pods")`.
    pub fn allow_only(&self, rights: &[(&str, &str)]) {
        let owned = |(verb, resource): &(&str, &str)| ((*verb).to_owned(), (*resource).to_owned());
        locked(&self.cluster.state).rights = Some(rights.iter().map(owned).collect());
    }

    /// Verbs and resources of all requests so far, each once.
    pub fn asked(&self) -> Vec<(String, String)> {
        locked(&self.cluster.state).asked.clone()
    }

    /// How often a watch gets a bookmark; a minute if not told otherwise.
    pub fn set_bookmark_interval(&self, every: Duration) {
        locked(&self.cluster.state).bookmark_every = every.max(Duration::from_millis(1));
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

impl Answers for Cluster {
    fn answer(&self, asked: &Asked) -> Reply {
        let query = Query::of(&asked.uri);
        let is_watch = query.is_true("watch");
        let route = Route::of(asked.uri.path());
        let fault = self.faults.take(|fault| fault.applies(&route, is_watch));
        match fault {
            Some(ApiFault::Hang) => return Reply::Hang,
            Some(ApiFault::Reset) => return Reply::Reset,
            _ => {}
        }
        let refused = self.refused(asked, &route, is_watch, fault);
        if let Some(refused) = refused {
            return Reply::Answer(refused);
        }
        Reply::Answer(match route {
            Route::Version => status::json(StatusCode::OK, recorded::VERSION),
            Route::Health => status::text(StatusCode::OK, "ok"),
            Route::Objects {
                resource,
                namespace,
            } => {
                let form = Form::of(resource, asked.header("accept"));
                match is_watch {
                    true => self.watch(form, namespace, &query, fault),
                    false => self.list(form, namespace, &query, fault),
                }
            }
            Route::Pod { namespace, name } => self.pod(namespace, name),
            Route::Node { name } => self.node(name),
            Route::TokenReviews => reviews::token(&self.scene, &self.access, &asked.body),
            Route::AccessReviews => reviews::access(&asked.body, |verb, resource| {
                self.is_allowed(verb, resource)
            }),
            Route::Unknown => status::text(StatusCode::NOT_FOUND, "404 page not found\n"),
        })
    }
}

impl Cluster {
    fn refused(
        &self,
        asked: &Asked,
        route: &Route,
        is_watch: bool,
        fault: Option<ApiFault>,
    ) -> Option<Response<Content>> {
        let right = route.right(&asked.method, is_watch);
        if let Some((verb, resource)) = right {
            let mut state = locked(&self.state);
            let right = (verb.to_owned(), resource.to_owned());
            if !state.asked.contains(&right) {
                state.asked.push(right);
            }
        }
        match fault {
            Some(ApiFault::TooManyRequests(seconds)) => return Some(status::too_many(seconds)),
            Some(ApiFault::InternalError) => return Some(status::internal_error()),
            Some(ApiFault::Unauthorized) => return Some(status::unauthorized()),
            Some(ApiFault::ExpiredList) => {
                return Some(status::json(StatusCode::GONE, recorded::EXPIRED_LIST));
            }
            _ => {}
        }
        let caller = self.access.caller(asked.header("authorization"));
        let is_agent = self.security == Security::Plain || caller == Caller::Agent;
        if !is_agent && caller == Caller::Nobody {
            return Some(status::unauthorized());
        }
        let (verb, resource) = right?;
        let allowed = is_agent && fault != Some(ApiFault::Forbidden);
        let allowed = allowed && self.is_allowed(verb, resource);
        (!allowed).then(|| status::forbidden(verb, resource, route.name()))
    }

    fn is_allowed(&self, verb: &str, resource: &str) -> bool {
        let state = locked(&self.state);
        let Some(rights) = &state.rights else {
            return true;
        };
        rights
            .iter()
            .any(|right| (right.0.as_str(), right.1.as_str()) == (verb, resource))
    }

    fn pod(&self, namespace: &str, name: &str) -> Response<Content> {
        let found = self.scene.read(|state| {
            let objects = state.pods.iter().filter_map(|pod| pod.object.as_ref());
            let is_it = |metadata: &serde_json::Value| {
                metadata["namespace"] == namespace && metadata["name"] == name
            };
            let mut objects = objects.filter(|object| is_it(&object["metadata"]));
            objects
                .next()
                .map(|object| objects::with_kind(Resource::Pods, &object.to_string()))
        });
        found.map_or_else(
            || status::not_found("pods", name),
            |object| status::chunked(StatusCode::OK, object),
        )
    }

    fn node(&self, name: &str) -> Response<Content> {
        let node = self.scene.read(|state| {
            let node = || objects::with_kind(Resource::Nodes, &state.node_object.to_string());
            (state.node_name == name).then(node)
        });
        node.map_or_else(
            || status::not_found("nodes", name),
            |node| status::chunked(StatusCode::OK, node),
        )
    }
}
