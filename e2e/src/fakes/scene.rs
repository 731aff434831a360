//! The node that kubelet and API server tell of: its pods, its clock, and what changed in which order.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use hyper::body::Bytes;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::pod::{Pod, Template, node_of, phase_of};
use super::{Resource, locked, recorded, times};

/// How many changes a watch may be behind; the real watch cache has such a bound too.
const EVENTS: usize = 1000;
/// How far cAdvisor's samples are apart.
const SAMPLE_PERIOD: Duration = Duration::from_secs(10);

/// A node and its pods; clones are the same scene.
#[derive(Clone)]
pub struct Scene(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// The version of the newest change, to wake watches.
    changed: watch::Sender<u64>,
}

pub(super) struct State {
    pub(super) node_name: String,
    pub(super) node_stats: Value,
    pub(super) node_object: Value,
    pub(super) pods: Vec<Pod>,
    /// Objects of other kinds.
    others: Vec<(Resource, Value)>,
    pub(super) psi: bool,
    pub(super) swap: bool,
    pub(super) sample_period: Duration,
    pub(super) version: u64,
    /// A watch may begin at this version or later.
    pub(super) oldest_version: u64,
    pub(super) events: VecDeque<Event>,
    /// Until its clock moves on, every sample is as it was recorded, late ones too.
    pub(super) began: SystemTime,
    clock: Clock,
}

/// One change of one object.
#[derive(Clone)]
pub(super) struct Event {
    pub(super) resource: Resource,
    pub(super) version: u64,
    /// As JSON; the last one if it was deleted.
    pub(super) object: Bytes,
    /// What selectors ask of it, before and after.
    pub(super) before: Presence,
    pub(super) after: Presence,
}

/// Whether an object is there, and for a pod on which node and in which phase.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Presence {
    Absent,
    There {
        node: Option<String>,
        phase: Option<String>,
    },
}

impl Presence {
    fn of(object: Option<&Value>) -> Self {
        let there = |object: &Value| Self::There {
            node: node_of(object).map(str::to_owned),
            phase: phase_of(object).map(str::to_owned),
        };
        object.map_or(Self::Absent, there)
    }
}

#[derive(Clone, Copy)]
enum Clock {
    System,
    Stands(SystemTime),
}

impl State {
    pub(super) fn now(&self) -> SystemTime {
        match self.clock {
            Clock::System => SystemTime::now(),
            Clock::Stands(at) => at,
        }
    }

    fn take_object(&mut self, resource: Resource, metadata: &Value) -> Option<Value> {
        let name = |metadata: &Value| (metadata["namespace"].clone(), metadata["name"].clone());
        let at = self.others.iter().position(|(of, object)| {
            *of == resource && name(&object["metadata"]) == name(metadata)
        });
        at.map(|at| self.others.remove(at).1)
    }

    /// All objects of a kind.
    pub(super) fn objects(&self, resource: Resource) -> Vec<&Value> {
        match resource {
            Resource::Nodes => vec![&self.node_object],
            Resource::Pods => {
                let objects = self.pods.iter().filter_map(|pod| pod.object.as_ref());
                objects.collect()
            }
            _ => {
                let others = self.others.iter().filter(|(of, _)| *of == resource);
                others.map(|(_, object)| object).collect()
            }
        }
    }

    fn next_version(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    /// Gives the object its version, and tells watches.
    fn note(
        &mut self,
        resource: Resource,
        before: Presence,
        object: Option<&mut Value>,
        last: Option<Value>,
    ) {
        let after = Presence::of(object.as_deref());
        let version = self.next_version();
        let text = match (object, last) {
            (Some(object), _) => {
                object["metadata"]["resourceVersion"] = version.to_string().into();
                object.to_string()
            }
            (None, Some(mut last)) => {
                last["metadata"]["resourceVersion"] = version.to_string().into();
                last.to_string()
            }
            (None, None) => return,
        };
        self.events.push_back(Event {
            resource,
            version,
            object: text.into(),
            before,
            after,
        });
        if self.events.len() > EVENTS {
            let oldest = self.events.pop_front();
            self.oldest_version = oldest.map_or(self.version, |event| event.version);
        }
    }
}

impl Scene {
    /// The recorded node with all its pods, moved to now; it then lives on, every counter growing.
    pub fn recorded() -> Result<Self> {
        let scene = Self::empty(Clock::System)?;
        for pod in recorded_pods()? {
            scene.add(pod);
        }
        Ok(scene)
    }

    /// The recorded node at the moment when it was recorded, where its clock stands.
    pub fn recorded_then() -> Result<Self> {
        let at = times::parse(recorded::SUMMARY_AT).context("a recorded time is none")?;
        let at = UNIX_EPOCH + Duration::from_secs(at.unsigned_abs());
        let scene = Self::empty(Clock::Stands(at))?;
        let pods = recorded_pods()?;
        scene.change(|state| {
            state.version = recorded::PODS_VERSION;
            state.oldest_version = state.version;
            state.pods = pods;
        });
        Ok(scene)
    }

    /// The recorded node with so many pods of two containers, copies of a recorded one.
    pub fn of_size(pods: usize) -> Result<Self> {
        let scene = Self::empty(Clock::System)?;
        let original = Pod::original(Template::Web)?;
        for number in 0..pods {
            let namespace = format!("team-{}", number % 10);
            let name = format!("web-768c4ccb68-{number:05}");
            let mut pod = original.clone().renamed(&namespace, &name)?;
            pod.spread_samples();
            scene.add(pod);
        }
        Ok(scene)
    }

    fn empty(clock: Clock) -> Result<Self> {
        let mut state = State {
            node_name: "node-1".to_owned(),
            node_stats: recorded::node_stats()?,
            node_object: recorded::node_object()?,
            pods: Vec::new(),
            others: recorded::others()?,
            psi: true,
            swap: true,
            sample_period: SAMPLE_PERIOD,
            version: recorded::PODS_VERSION - 100,
            oldest_version: recorded::PODS_VERSION - 100,
            events: VecDeque::new(),
            began: match clock {
                Clock::System => SystemTime::now(),
                Clock::Stands(at) => at,
            },
            clock,
        };
        let by = age_of_recording(&state);
        times::map(&mut state.node_stats, &|time| time + by);
        times::map(&mut state.node_object, &|time| time + by);
        Ok(Self(Arc::new(Shared {
            state: Mutex::new(state),
            changed: watch::channel(0).0,
        })))
    }

    /// Adds a pod whose times are the recorded ones: they are moved to the scene's.
    pub fn add(&self, mut pod: Pod) {
        self.change(|state| {
            let by = age_of_recording(state);
            pod.move_times(&|time| time + by);
            state.note(Resource::Pods, Presence::Absent, pod.object.as_mut(), None);
            state.pods.push(pod);
        });
    }

    /// Adds a pod that begins now, all its counters at zero.
    pub fn add_fresh(&self, mut pod: Pod) {
        self.change(|state| {
            let now = times::seconds(state.now());
            pod.move_times(&|_| now);
            if let Some(stats) = &mut pod.stats {
                reset_counters(stats);
            }
            state.note(Resource::Pods, Presence::Absent, pod.object.as_mut(), None);
            state.pods.push(pod);
        });
    }

    /// Takes a pod away, from the kubelet and the API server at once; whether it was there.
    pub fn remove(&self, uid: &str) -> bool {
        self.change(|state| {
            let at = state.pods.iter().position(|pod| pod.uid == uid);
            let Some(pod) = at.map(|at| state.pods.remove(at)) else {
                return false;
            };
            if let Some(object) = pod.object {
                let before = Presence::of(Some(&object));
                state.note(Resource::Pods, before, None, Some(object));
            }
            true
        })
    }

    /// Changes a pod; whether it was there. Taking its `stats` or its `object` away makes only the kubelet
    /// or only the API server forget it.
    pub fn update(&self, uid: &str, change: impl FnOnce(&mut Pod)) -> bool {
        self.change(|state| {
            let Some(at) = state.pods.iter().position(|pod| pod.uid == uid) else {
                return false;
            };
            let mut pod = state.pods.remove(at);
            let old = pod.object.clone();
            change(&mut pod);
            if pod.object != old {
                let before = Presence::of(old.as_ref());
                state.note(Resource::Pods, before, pod.object.as_mut(), old);
            }
            state.pods.insert(at, pod);
            true
        })
    }

    /// The pods as they were put in.
    pub fn pods(&self) -> Vec<Pod> {
        self.read(|state| state.pods.clone())
    }

    /// The node's name.
    pub fn node_name(&self) -> String {
        self.read(|state| state.node_name.clone())
    }

    /// Changes the node's object, such as its labels or its `providerID`.
    pub fn update_node(&self, change: impl FnOnce(&mut Value)) {
        self.change(|state| {
            let mut node = state.node_object.take();
            let before = Presence::of(Some(&node));
            change(&mut node);
            state.note(Resource::Nodes, before, Some(&mut node), None);
            state.node_object = node;
        });
    }

    /// Puts an object in, or another in its place: neither a node nor a pod.
    pub fn put_object(&self, resource: Resource, mut object: Value) {
        self.change(|state| {
            let before = Presence::of(state.take_object(resource, &object["metadata"]).as_ref());
            state.note(resource, before, Some(&mut object), None);
            state.others.push((resource, object));
        });
    }

    /// Takes an object out; whether it was there.
    pub fn remove_object(&self, resource: Resource, namespace: Option<&str>, name: &str) -> bool {
        let metadata = json!({ "namespace": namespace, "name": name });
        self.change(|state| {
            let Some(object) = state.take_object(resource, &metadata) else {
                return false;
            };
            let before = Presence::of(Some(&object));
            state.note(resource, before, None, Some(object));
            true
        })
    }

    /// The objects of a kind, as they are now.
    pub fn objects(&self, resource: Resource) -> Vec<Value> {
        self.read(|state| state.objects(resource).into_iter().cloned().collect())
    }

    /// The scene's clock.
    pub fn now(&self) -> SystemTime {
        self.read(State::now)
    }

    /// The clock stands from now on.
    pub fn freeze(&self) {
        self.change(|state| state.clock = Clock::Stands(state.now()));
    }

    /// Moves a clock that stands.
    pub fn advance(&self, by: Duration) {
        self.change(|state| state.clock = Clock::Stands(state.now() + by));
    }

    /// Whether the kubelet tells pressure, as it does since 1.34 on kernels that measure it.
    pub fn set_psi(&self, psi: bool) {
        self.change(|state| state.psi = psi);
    }

    /// Whether the kubelet tells swap.
    pub fn set_swap(&self, swap: bool) {
        self.change(|state| state.swap = swap);
    }

    /// How far the kubelet's samples are apart; whole seconds.
    pub fn set_sample_period(&self, period: Duration) {
        self.change(|state| state.sample_period = period.max(Duration::from_secs(1)));
    }

    /// Forgets what changed, as etcd does: whoever watches from an older version is told that it expired.
    pub fn compact(&self) {
        self.change(|state| {
            state.next_version();
            state.oldest_version = state.version;
            state.events.clear();
        });
    }

    pub(super) fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&locked(&self.0.state))
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = locked(&self.0.state);
        let result = change(&mut state);
        self.0.changed.send_replace(state.version);
        result
    }
}

fn recorded_pods() -> Result<Vec<Pod>> {
    recorded::pods()?.into_iter().map(Pod::recorded).collect()
}

/// What is added to recorded times, so that the recording was made now.
fn age_of_recording(state: &State) -> i64 {
    let at = times::parse(recorded::SUMMARY_AT).unwrap_or_default();
    times::seconds(state.now()) - at
}

fn reset_counters(value: &mut Value) {
    const COUNTERS: &[&str] = &[
        "usageCoreNanoSeconds",
        "rxBytes",
        "txBytes",
        "pageFaults",
        "majorPageFaults",
        "total",
    ];
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if COUNTERS.contains(&key.as_str()) {
                    *value = json!(0);
                } else {
                    reset_counters(value);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(reset_counters),
        _ => {}
    }
}
