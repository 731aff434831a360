//! This node's pods by uid, those that are gone for a while too, and how often their containers were
//! started again.

use std::collections::{HashMap, VecDeque};

use protocol::Timestamp;

use super::facts::{ContainerFacts, PodFacts};

const MOST_PODS: usize = 2_000;
const MOST_TOMBSTONES: usize = 2_000;
const MOST_RESTARTS: usize = 4_000;
/// Windows after the one of its removal in which a pod is still found: its last rows come later.
const TOMBSTONE_WINDOWS: u8 = 2;

/// The pods that are known.
#[derive(Debug, Default)]
pub struct PodStore {
    pods: HashMap<String, Known>,
    /// Uids by config hash.
    static_pods: HashMap<String, String>,
    /// Oldest first.
    tombstones: VecDeque<Tombstone>,
    /// Grows with each list that begins; tells what the newest one named.
    list: u64,
    is_listing: bool,
    /// A list was complete: what comes first after it is new on the node.
    was_listed: bool,
    restarts: Vec<Restart>,
    oddities: u64,
}

#[derive(Debug)]
struct Known {
    facts: PodFacts,
    list: u64,
}

#[derive(Debug)]
struct Tombstone {
    facts: PodFacts,
    windows: u8,
}

/// A container that was started again since the last look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restart {
    /// Uid of the pod.
    pub uid: String,
    /// Namespace of the pod.
    pub namespace: String,
    /// Name of the pod.
    pub name: String,
    /// Name of the container.
    pub container: String,
    /// Why it had ended.
    pub reason: Option<String>,
    /// How it had ended.
    pub exit_code: Option<i64>,
    /// When it had ended.
    pub finished_at: Option<Timestamp>,
    /// How often.
    pub count: u64,
}

impl Restart {
    /// For people.
    pub fn message(&self) -> String {
        let mut message = format!("container {} started again", self.container);
        if self.count > 1 {
            message.push_str(&format!(" {} times", self.count));
        }
        let exit_code = self.exit_code.map(|code| format!("exit code {code}"));
        let why: Vec<String> = exit_code.into_iter().chain(self.reason.clone()).collect();
        if !why.is_empty() {
            message.push_str(&format!(" ({})", why.join(", ")));
        }
        message
    }
}

impl PodStore {
    /// A list of all pods follows. One that began before and did not end counts for nothing.
    pub fn begin_list(&mut self) {
        self.list += 1;
        self.is_listing = true;
    }

    /// The list is complete: pods that it did not name are gone.
    pub fn end_list(&mut self) {
        if !std::mem::take(&mut self.is_listing) {
            return;
        }
        self.was_listed = true;
        let gone: Vec<String> = self
            .pods
            .iter()
            .filter(|(_, known)| known.list != self.list)
            .map(|(uid, _)| uid.clone())
            .collect();
        for uid in gone {
            self.remove(&uid);
        }
    }

    /// A pod is new, or changed. Of two with one uid in a list, the first stays.
    pub fn apply(&mut self, facts: PodFacts) {
        let known = self.pods.get(&facts.uid);
        if self.is_listing && known.is_some_and(|known| known.list == self.list) {
            self.oddities += 1;
            return;
        }
        if known.is_none() && self.pods.len() >= MOST_PODS {
            self.oddities += 1;
            return;
        }
        // One that comes back, say after a list that missed it, goes on where it was.
        let revived = self.take_tombstone(&facts.uid);
        let before = match self.pods.get(&facts.uid) {
            Some(known) => Some(&known.facts),
            None => revived.as_ref(),
        };
        if before.is_some() || self.was_listed {
            let restarts = restarts_since(before, &facts);
            self.note_restarts(restarts);
        }
        self.insert(facts);
    }

    /// A pod is gone.
    pub fn remove(&mut self, uid: &str) {
        let Some(known) = self.pods.remove(uid) else {
            return;
        };
        self.forget_config_hash(&known.facts);
        if self.tombstones.len() >= MOST_TOMBSTONES {
            self.tombstones.pop_front();
        }
        self.tombstones.push_back(Tombstone {
            facts: known.facts,
            windows: 0,
        });
    }

    /// A pod by its uid or its config hash, whether it is still there or was until lately.
    pub fn find(&self, uid: &str) -> Option<&PodFacts> {
        self.find_known(uid).or_else(|| self.find_tombstone(uid))
    }

    /// It is there and has not ended.
    pub fn is_live(&self, uid: &str) -> bool {
        self.find_known(uid).is_some_and(|facts| !facts.is_terminal)
    }

    /// Pods that are there, ended ones too.
    pub fn len(&self) -> usize {
        self.pods.len()
    }

    /// No pod is there.
    pub fn is_empty(&self) -> bool {
        self.pods.is_empty()
    }

    /// A window ended: pods that are gone for long are forgotten.
    pub fn end_window(&mut self) {
        for tombstone in &mut self.tombstones {
            tombstone.windows = tombstone.windows.saturating_add(1);
        }
        self.tombstones
            .retain(|tombstone| tombstone.windows <= TOMBSTONE_WINDOWS);
    }

    /// Containers that were started again since the last call.
    pub fn take_restarts(&mut self) -> Vec<Restart> {
        std::mem::take(&mut self.restarts)
    }

    /// Pods and restarts that were refused since the last call.
    pub fn take_oddities(&mut self) -> u64 {
        std::mem::take(&mut self.oddities)
    }

    fn find_known(&self, uid: &str) -> Option<&PodFacts> {
        let by_uid = self.pods.get(uid);
        let known = by_uid.or_else(|| self.pods.get(self.static_pods.get(uid)?));
        known.map(|known| &known.facts)
    }

    fn find_tombstone(&self, uid: &str) -> Option<&PodFacts> {
        let has_it =
            |facts: &&PodFacts| facts.uid == uid || facts.config_hash.as_deref() == Some(uid);
        let newest_first = self.tombstones.iter().rev();
        newest_first.map(|tombstone| &tombstone.facts).find(has_it)
    }

    fn take_tombstone(&mut self, uid: &str) -> Option<PodFacts> {
        let index = self
            .tombstones
            .iter()
            .position(|tombstone| tombstone.facts.uid == uid)?;
        self.tombstones
            .remove(index)
            .map(|tombstone| tombstone.facts)
    }

    fn insert(&mut self, facts: PodFacts) {
        let uid = facts.uid.clone();
        let config_hash = facts.config_hash.clone();
        let list = self.list;
        if let Some(old) = self.pods.insert(uid.clone(), Known { facts, list })
            && old.facts.config_hash != config_hash
        {
            self.forget_config_hash(&old.facts);
        }
        if let Some(hash) = config_hash {
            // A mirror pod is made anew under the same hash: the newest is meant.
            self.static_pods.insert(hash, uid);
        }
    }

    fn forget_config_hash(&mut self, facts: &PodFacts) {
        if let Some(hash) = &facts.config_hash
            && self.static_pods.get(hash) == Some(&facts.uid)
        {
            self.static_pods.remove(hash);
        }
    }

    fn note_restarts(&mut self, restarts: Vec<Restart>) {
        for new in restarts {
            let is_same = |old: &&mut Restart| old.uid == new.uid && old.container == new.container;
            if let Some(old) = self.restarts.iter_mut().find(is_same) {
                let count = old.count.saturating_add(new.count);
                *old = Restart { count, ..new };
            } else if self.restarts.len() < MOST_RESTARTS {
                self.restarts.push(new);
            } else {
                self.oddities += 1;
            }
        }
    }
}

/// Containers whose count grew; one that was not there before counts from zero.
fn restarts_since(before: Option<&PodFacts>, now: &PodFacts) -> Vec<Restart> {
    let count_before = |container: &ContainerFacts| {
        let containers = &before?.containers;
        let old = containers.iter().find(|old| old.name == container.name)?;
        Some(old.restart_count)
    };
    let grown = now.containers.iter().filter_map(|container| {
        let before = count_before(container).unwrap_or(0);
        let count = container.restart_count.checked_sub(before)?;
        (count > 0).then(|| restart(now, container, count))
    });
    grown.collect()
}

fn restart(pod: &PodFacts, container: &ContainerFacts, count: u32) -> Restart {
    let end = container.last_end.clone().unwrap_or_default();
    Restart {
        uid: pod.uid.clone(),
        namespace: pod.namespace.clone(),
        name: pod.name.clone(),
        container: container.name.clone(),
        reason: end.reason,
        exit_code: end.exit_code,
        finished_at: end.finished_at,
        count: u64::from(count),
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
