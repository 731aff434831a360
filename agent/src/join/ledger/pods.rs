//! Which cgroup belongs to which pod, and what the pods' rows are at the end of a window.

use std::{collections::HashMap, sync::Arc};

use protocol::{Closing, Event, EventKind, Row, Timestamp};

use super::{super::pod_rows, Ledger};
use crate::{
    cgroups::{PodPath, pod_paths},
    join::{
        known::Known,
        node::Tally,
        pod::{Identity, NamedBy, Pod, PodGroup},
        rows::Window,
        sample::{Mark, Since},
    },
    kubelet::PodStats,
    pods::Restart,
};

/// Pods that are kept in mind after their last row. The kubelet forgets a pod within minutes; while it
/// is silent, or is not asked at all, nobody says when that was.
pub(super) const MOST_CLOSED: usize = 1_000;

/// Uid of a pod and what its cgroups hold.
pub(super) type Groups = HashMap<Arc<str>, PodGroup>;

/// The rows of all pods.
pub(super) struct PodRows {
    pub(super) rows: Vec<Row>,
    pub(super) tally: Tally,
}

impl Ledger {
    /// Gives a cgroup its path, and to its pod if it has one.
    pub(super) fn name(&mut self, id: u64, path: String) {
        // A pod inside a container of another pod: the outer one is this node's until somebody
        // says otherwise.
        let found = self.by_pods.then(|| pod_paths(&path).next()).flatten();
        let uid = found.map(|found| self.belongs(id, &found, path.len()));
        if let Some(account) = self.accounts.get_mut(&id) {
            account.path = Some(path);
            account.pod = uid;
        }
    }

    fn belongs(&mut self, id: u64, found: &PodPath<'_>, path_bytes: usize) -> Arc<str> {
        let known = self.pods.get_key_value(found.uid.as_ref());
        let uid = known.map_or_else(|| Arc::from(found.uid.as_ref()), |(uid, _)| Arc::clone(uid));
        let pod = self.pods.entry(Arc::clone(&uid)).or_default();
        pod.has_cgroups = true;
        if found.pod_end == path_bytes {
            pod.cgroup_id = Some(id);
        }
        pod.qos = Some(found.qos.name().to_owned());
        self.unlinked.push(id);
        uid
    }

    /// A pod whose own cgroup is seen from its birth has read and written nothing.
    pub(super) fn begin_io(&mut self, id: u64) {
        let uid = self
            .accounts
            .get(&id)
            .and_then(|account| account.pod.as_ref());
        if let Some(pod) = uid.and_then(|uid| self.pods.get_mut(uid))
            && pod.cgroup_id == Some(id)
        {
            pod.io = Some((0, 0));
        }
    }

    /// Cgroups whose windows are to be charged to another, their pod's: cgroup and pod's cgroup.
    pub fn take_links(&mut self) -> Vec<(u64, u64)> {
        let mut links = Vec::new();
        let waiting = std::mem::take(&mut self.unlinked);
        for id in waiting {
            let uid = self
                .accounts
                .get(&id)
                .and_then(|account| account.pod.as_ref());
            let Some(pod) = uid.and_then(|uid| self.pods.get(uid)) else {
                continue;
            };
            match pod.cgroup_id {
                Some(owner) if owner != id => links.push((id, owner)),
                Some(_) => {}
                // The pod's own cgroup is not known yet.
                None => self.unlinked.push(id),
            }
        }
        links
    }

    /// Own cgroups of pods that exist, with their paths.
    pub fn pod_cgroups(&self) -> impl Iterator<Item = (u64, &str)> {
        self.pods.values().filter_map(|pod| {
            let id = pod.cgroup_id?;
            Some((id, self.path(id)?))
        })
    }

    /// Takes note that a container was started again.
    pub fn on_restart(&mut self, restart: Restart, at: Timestamp) {
        let uid = self.uid_of(&restart.uid);
        if let Some(pod) = uid.and_then(|uid| self.pods.get_mut(&uid)) {
            pod.restarts += restart.count;
        }
        let message = restart.message();
        let event = Event {
            pod_id: Some(restart.uid),
            namespace: Some(restart.namespace),
            pod_name: Some(restart.name),
            container: Some(restart.container),
            reason: restart.reason,
            exit_code: restart.exit_code,
            ..self.event(
                EventKind::Restart,
                restart.finished_at.unwrap_or(at),
                message,
            )
        };
        self.events.push(event);
    }

    /// The ledger's key of a pod with this uid in the API.
    fn uid_of(&self, uid: &str) -> Option<Arc<str>> {
        let is_it = |pod: &Pod| pod.identity.as_ref().is_some_and(|found| found.uid == uid);
        let by_key = self.pods.get_key_value(uid).map(|(key, _)| key);
        let found = by_key.or_else(|| {
            self.pods
                .iter()
                .find(|(_, pod)| is_it(pod))
                .map(|(key, _)| key)
        });
        found.cloned()
    }

    /// Brings in the pods that only the kubelet tells of, and everybody's names.
    pub(super) fn meet(&mut self, known: &Known<'_>, stats: &HashMap<&str, &PodStats>) {
        if !self.by_pods {
            return;
        }
        self.untangle(known);
        if known.sample.is_some() {
            self.closed.retain(|uid| stats.contains_key(&**uid));
        }
        for uid in stats.keys() {
            if !self.closed.contains(*uid) && !self.pods.contains_key(*uid) {
                self.pods.insert(Arc::from(*uid), Pod::default());
            }
        }
        for (uid, pod) in &mut self.pods {
            if let Some(facts) = known.pods.and_then(|pods| pods.find(uid)) {
                pod.name(facts.into(), NamedBy::Api);
            } else if let Some(stats) = stats.get(&**uid) {
                pod.name(from_kubelet(uid, stats), NamedBy::Kubelet);
            }
        }
    }

    /// Where a path names several pods, one inside the other, the outermost that the API server
    /// knows on this node is the one.
    fn untangle(&mut self, known: &Known<'_>) {
        let Some(pods) = known.pods else { return };
        let mut moves = Vec::new();
        for (id, account) in &self.accounts {
            let (Some(path), Some(now)) = (&account.path, &account.pod) else {
                continue;
            };
            if pods.find(now).is_some() {
                continue;
            }
            if pod_paths(path)
                .skip(1)
                .any(|inner| pods.find(&inner.uid).is_some())
            {
                moves.push((*id, path.clone()));
            }
        }
        for (id, path) in moves {
            let inner = pod_paths(&path).find(|inner| pods.find(&inner.uid).is_some());
            let uid = inner.map(|inner| self.belongs(id, &inner, path.len()));
            if let Some(account) = self.accounts.get_mut(&id) {
                account.pod = uid.or(account.pod.take());
            }
        }
    }

    /// The rows of every pod, and the end of those that got their last one.
    pub(super) fn pod_rows(
        &mut self,
        window: &Window<'_>,
        known: &Known<'_>,
        (stats, mut groups): (&HashMap<&str, &PodStats>, Groups),
    ) -> PodRows {
        let (mut rows, mut tally) = (Vec::new(), Tally::default());
        for (uid, pod) in &mut self.pods {
            let stats = stats.get(&**uid).copied();
            let group = groups
                .remove(uid)
                .unwrap_or_else(|| without_cgroups(uid, pod, stats, known));
            let since = sample(pod, stats, window);
            tally.kubelet_cpu_ns += since.cpu_ns.unwrap_or(0);
            let [tx_bytes, _, rx_bytes, _] = group.unreported.traffic();
            pod.traffic = [pod.traffic[0] + tx_bytes, pod.traffic[1] + rx_bytes];
            let files = pod.cgroup_id.and_then(|id| known.files.get(&id));
            let Some(closing) = pod.row(&group) else {
                continue;
            };
            let parts = pod_rows::Parts {
                uid,
                pod,
                group: &group,
                stats,
                since,
                files,
                closing,
            };
            rows.extend(pod_rows::rows(window, known, &parts));
            tally.pods += 1;
            pod.io = files.and_then(pod_rows::io_bytes).or(pod.io);
            pod.restarts = 0;
            pod.closing = closing;
        }
        PodRows { rows, tally }
    }

    /// Lets go of the pods that got their last row.
    pub(super) fn drop_closed(&mut self) {
        let closed = &mut self.closed;
        if closed.len() >= MOST_CLOSED {
            closed.clear();
        }
        self.pods.retain(|uid, pod| {
            let is_over = pod.closing == Some(Closing::Final);
            if is_over {
                closed.insert(Arc::clone(uid));
            }
            !is_over
        });
    }

    /// Gives events of pods the pods' names.
    pub(super) fn name_event(&self, event: &mut Event) {
        let pod = event.pod_id.as_deref().and_then(|uid| self.pods.get(uid));
        let Some(identity) = pod.and_then(|pod| pod.identity.as_ref()) else {
            return;
        };
        event.pod_id = Some(identity.uid.clone());
        event.namespace = Some(identity.namespace.clone());
        event.pod_name = Some(identity.name.clone());
        let container = event
            .container
            .as_ref()
            .and_then(|id| identity.containers.get(id));
        event.container = container.cloned().or(event.container.take());
    }
}

/// A pod without cgroups lives as long as the kubelet tells of it, or, between two starts of its
/// only container, the API server.
fn without_cgroups(uid: &str, pod: &Pod, stats: Option<&PodStats>, known: &Known<'_>) -> PodGroup {
    let lives = || known.pods.is_some_and(|pods| pods.is_live(uid));
    PodGroup {
        alive: !pod.has_cgroups && (stats.is_some() || known.sample.is_none() || lives()),
        ..PodGroup::default()
    }
}

/// What the kubelet's newest sample says beyond the one before.
fn sample(pod: &mut Pod, stats: Option<&PodStats>, window: &Window<'_>) -> Since {
    let Some(stats) = stats else {
        return Since::default();
    };
    let mark = Mark::of_pod(stats);
    // Before the window a pod of this window used nothing. One of the future started while the
    // clock was ahead, who knows when.
    let window = window.start..=window.end;
    let young = stats.start_time.filter(|start| window.contains(start));
    let before = pod.mark.or_else(|| young.map(Mark::at_start));
    let since = before.map(|before| mark.since(&before)).unwrap_or_default();
    pod.mark.get_or_insert(mark).advance(&mark);
    since
}

fn from_kubelet(uid: &str, stats: &PodStats) -> Identity {
    Identity {
        uid: uid.to_owned(),
        namespace: stats.namespace.clone(),
        name: stats.name.clone(),
        ..Identity::default()
    }
}
