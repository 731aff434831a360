//! What a test looks at: a server by script, watches, and what they told.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
use tokio::task::JoinHandle;

use super::scripted::{Script, Step, ok};
use crate::enrich::{
    Keep, Kind, Odd,
    watch::{Followed, Times, Watches, backoff::Pace, failure::Reason},
};

/// By name: the version, and whether the list under way has told it.
type Objects = BTreeMap<String, (String, bool)>;

/// Keeps names and versions; a list forgets what it does not tell.
#[derive(Default)]
pub(super) struct Kept {
    objects: Mutex<BTreeMap<Kind, Objects>>,
    pub(super) puts: Mutex<Vec<String>>,
}

impl Kept {
    fn with<T>(&self, kind: Kind, change: impl FnOnce(&mut Objects) -> T) -> T {
        change(self.objects.lock().unwrap().entry(kind).or_default())
    }
}

fn name_of(object: &str) -> Result<(String, String), Odd> {
    let object: Value = serde_json::from_str(object).map_err(|error| Odd(error.to_string()))?;
    let text = |key: &str| object["metadata"][key].as_str().map(str::to_owned);
    let name = text("name").ok_or(Odd("an object without a name".to_owned()))?;
    Ok((name, text("resourceVersion").unwrap_or_default()))
}

impl Keep for Kept {
    fn begin(&self, kind: Kind) {
        self.with(kind, |objects| {
            objects.values_mut().for_each(|object| object.1 = false);
        });
    }

    fn put(&self, kind: Kind, object: &str) -> Result<(), Odd> {
        let (name, version) = name_of(object)?;
        self.with(kind, |objects| objects.insert(name, (version, true)));
        self.puts.lock().unwrap().push(object.to_owned());
        Ok(())
    }

    fn gone(&self, kind: Kind, object: &str) -> Result<(), Odd> {
        let (name, _) = name_of(object)?;
        self.with(kind, |objects| objects.remove(&name));
        Ok(())
    }

    fn end(&self, kind: Kind) {
        self.with(kind, |objects| objects.retain(|_, object| object.1));
    }
}

pub(super) struct Run {
    pub(super) server: Script,
    pub(super) watches: Arc<Watches>,
    pub(super) kept: Arc<Kept>,
    task: JoinHandle<()>,
}

impl Drop for Run {
    fn drop(&mut self) {
        self.task.abort();
    }
}

const TIMES: Times = Times {
    pace: Pace {
        first: Duration::from_millis(4),
        longest: Duration::from_millis(20),
    },
    silence: Duration::from_secs(20),
    listing: Duration::from_secs(20),
};

impl Run {
    pub(super) fn start(server: Script) -> Self {
        Self::start_with(server, |_| {})
    }

    pub(super) fn start_with(server: Script, change: impl FnOnce(&mut Times)) -> Self {
        let kept = Arc::<Kept>::default();
        let mut times = TIMES;
        change(&mut times);
        let watches = Arc::new(Watches::of(Some(Followed {
            cluster: server.cluster(),
            keep: kept.clone(),
            times,
        })));
        let running = Arc::clone(&watches);
        Self {
            server,
            watches,
            kept,
            task: tokio::spawn(async move { running.run().await }),
        }
    }

    /// The names that are kept.
    pub(super) fn has(&self, kind: Kind, names: &[&str]) -> bool {
        self.kept
            .with(kind, |objects| objects.keys().eq(names.iter()))
    }

    pub(super) fn count(&self, kind: Kind) -> usize {
        self.kept.with(kind, |objects| objects.len())
    }

    pub(super) fn asked(&self, kind: Kind) -> usize {
        self.server.asked(kind).len()
    }

    pub(super) fn path(&self, kind: Kind, number: usize) -> String {
        self.server.asked(kind)[number].path.clone()
    }

    pub(super) fn failures(&self, kind: Kind, reason: Reason) -> u64 {
        self.watches.state(kind).failures.get(reason)
    }

    /// All failures of a kind.
    pub(super) fn all_failures(&self, kind: Kind) -> u64 {
        let each = self.watches.state(kind).failures.each();
        each.map(|(_, count)| count).sum()
    }

    /// Waits for what must come.
    pub(super) async fn until(&self, mut is_so: impl FnMut(&Self) -> bool) {
        for _ in 0..2_000 {
            if is_so(self) {
                return;
            }
            assert!(!self.task.is_finished(), "it never ends");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let asked = Kind::ALL.map(|kind| self.server.asked(kind));
        panic!("it never came: {:?} {asked:?}", self.watches.states);
    }
}

/// A server whose pods are told by these steps.
pub(super) async fn pods(steps: impl IntoIterator<Item = Step>) -> Run {
    let server = Script::start().await;
    server.say(Kind::Pods, steps);
    Run::start(server)
}

fn object(name: &str, version: &str) -> String {
    format!(r#"{{"metadata":{{"name":"{name}","resourceVersion":"{version}"}}}}"#)
}

pub(super) fn event(kind: &str, name: &str, version: &str) -> String {
    format!(
        "{{\"type\":\"{kind}\",\"object\":{}}}\n",
        object(name, version)
    )
}

pub(super) fn bookmark(version: &str, ends_list: bool) -> String {
    let annotations = match ends_list {
        true => r#","annotations":{"k8s.io/initial-events-end":"true"}"#,
        false => "",
    };
    format!(
        "{{\"type\":\"BOOKMARK\",\"object\":{{\"metadata\":{{\"resourceVersion\":\"{version}\"{annotations}}}}}}}\n"
    )
}

/// What a streaming list begins with.
pub(super) fn streamed(version: &str, names: &[&str]) -> String {
    let added = names.iter().map(|name| event("ADDED", name, "1"));
    added.collect::<String>() + &bookmark(version, true)
}

pub(super) fn page(version: &str, names: &[&str], token: &str) -> Step {
    let items: Vec<String> = names.iter().map(|name| object(name, "1")).collect();
    ok(format!(
        r#"{{"kind":"PodList","metadata":{{"resourceVersion":"{version}","continue":"{token}"}},"items":[{}]}}"#,
        items.join(",")
    ))
}
