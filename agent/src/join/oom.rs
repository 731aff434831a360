//! Puts the two halves of an OOM kill together: the mark, and the end of the marked process.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::kernel::{OomEvent, OomMark};

/// Marks that wait for the end of their process. Further ones are counted and forgotten: such a
/// process is told when it ends, and only then.
pub const MAX_PENDING: usize = 1_024;
/// A marked process that has not ended after this long is told as it is.
pub const EXIT_PATIENCE_NS: u64 = 30_000_000_000;
/// A group kill marks all its processes at once; 1,000 of them take far less than this.
const INCIDENT_NS: u64 = 100_000_000;

/// What became of a marked process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It died of the kill.
    Killed,
    /// It was ending by itself: the kernel gave it memory to finish, and it did.
    Marked,
    /// It had not ended in time.
    NotExited,
}

/// One process of one incident, finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kill {
    /// The same for all processes that one lack of memory took: when it began, on the boot clock.
    pub incident: u64,
    /// What became of it.
    pub outcome: Outcome,
    /// When it was marked, on the boot clock.
    pub at_ns: u64,
    /// The process; of one that has not ended, the marked thread.
    pub pid: u32,
    /// Its name; empty when it has not ended.
    pub comm: String,
    /// Its cgroup; 0 when it has not ended.
    pub cgroup_id: u64,
    /// Its peak resident memory.
    pub peak_rss_bytes: Option<u64>,
    /// Process whose allocation led to it.
    pub allocator_pid: u32,
}

impl Kill {
    /// Whether the kernel ended it.
    pub fn is_kill(&self) -> bool {
        self.outcome == Outcome::Killed
    }

    /// The outcome as rows tell it.
    pub fn outcome_name(&self) -> &'static str {
        match self.outcome {
            Outcome::Killed => "killed",
            Outcome::Marked => "marked",
            Outcome::NotExited => "not_exited",
        }
    }

    /// In words.
    pub fn message(&self) -> String {
        let (pid, comm) = (self.pid, &self.comm);
        let peak_kib = self.peak_rss_bytes.unwrap_or_default() / 1024;
        match self.outcome {
            Outcome::Killed => format!(
                "the kernel killed process {pid} ({comm}) for lack of memory; it had used up to \
                 {peak_kib} KiB"
            ),
            Outcome::Marked => format!(
                "process {pid} ({comm}) ended by itself when the kernel chose it for lack of memory"
            ),
            Outcome::NotExited => format!(
                "the kernel chose task {pid} for lack of memory, but it has not ended: look for \
                 processes in state D"
            ),
        }
    }
}

/// A mark, waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Pending {
    mark: OomMark,
    incident: u64,
    opened_incident: bool,
}

/// An incident that further marks may belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Incident {
    id: u64,
    allocator_tid: u32,
    began_ns: u64,
    /// The first process ended, and was not known to be part of a group.
    is_over: bool,
}

/// Marks that wait, and finished kills.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OomLedger {
    pending: HashMap<u32, Pending>,
    /// Marks whose process was told to have ended before them.
    ended_early: Vec<OomMark>,
    incidents: Vec<Incident>,
    finished: Vec<Kill>,
    last_incident: u64,
    unmatched: u64,
}

impl OomLedger {
    /// Takes in a record of the kernel.
    pub fn on_event(&mut self, event: OomEvent) {
        self.on_event_in(event, None);
    }

    /// The same, with `memory.oom.group` of the victim's cgroup where it is known. Known, it decides
    /// whether processes marked one after the other are one incident; unknown, they are one if the
    /// same thread's allocation led to them at once and before the first of them had ended.
    pub fn on_event_in(&mut self, event: OomEvent, oom_group: Option<bool>) {
        match event {
            OomEvent::Marked(mark) => self.on_mark(mark, oom_group),
            OomEvent::Exited {
                mark,
                pid,
                comm,
                cgroup_id,
                peak_rss_bytes,
                was_killed,
                ..
            } => {
                let pending = self.take(&mark, pid, oom_group);
                let incident = self.incident_of_exit(&pending, oom_group);
                self.finished.push(Kill {
                    incident,
                    outcome: if was_killed {
                        Outcome::Killed
                    } else {
                        Outcome::Marked
                    },
                    at_ns: mark.at_ns,
                    pid,
                    comm,
                    cgroup_id,
                    peak_rss_bytes: Some(peak_rss_bytes),
                    allocator_pid: mark.allocator_pid,
                });
            }
        }
    }

    /// Finished kills since the last call, those given up at `now_ns` included.
    pub fn finish(&mut self, now_ns: u64) -> Vec<Kill> {
        let is_overdue = |mark: &OomMark| now_ns.saturating_sub(mark.at_ns) >= EXIT_PATIENCE_NS;
        self.ended_early.retain(|mark| !is_overdue(mark));
        let overdue = self
            .pending
            .extract_if(|_, pending| is_overdue(&pending.mark));
        let mut given_up: Vec<Pending> = overdue.map(|(_, pending)| pending).collect();
        given_up.sort_by_key(|pending| pending.mark.at_ns);
        self.finished.extend(given_up.iter().map(not_exited));
        std::mem::take(&mut self.finished)
    }

    /// Marks that found no room since the last call.
    pub fn take_unmatched(&mut self) -> u64 {
        std::mem::take(&mut self.unmatched)
    }

    fn on_mark(&mut self, mark: OomMark, oom_group: Option<bool>) {
        if let Some(known) = self.ended_early.iter().position(|early| *early == mark) {
            self.ended_early.swap_remove(known);
            return;
        }
        if self.pending.len() >= MAX_PENDING && !self.pending.contains_key(&mark.tid) {
            self.unmatched += 1;
            return;
        }
        let pending = self.begin(mark, oom_group);
        // The end of an earlier task with the same number was lost.
        if let Some(lost) = self.pending.insert(mark.tid, pending) {
            self.finished.push(not_exited(&lost));
        }
    }

    /// What waited for the end of a process. Other threads of it may have been marked too: the
    /// process is told once.
    fn take(&mut self, mark: &OomMark, pid: u32, oom_group: Option<bool>) -> Pending {
        let waiting = self.pending.get(&mark.tid).copied();
        let waiting = waiting.filter(|waiting| waiting.mark == *mark);
        self.pending.retain(|_, other| {
            let marked_itself = other.mark.tid == other.mark.allocator_tid;
            let is_of_process = marked_itself && other.mark.allocator_pid == pid;
            other.mark != *mark && other.mark.tid != pid && !is_of_process
        });
        waiting.unwrap_or_else(|| {
            if self.ended_early.len() < MAX_PENDING {
                self.ended_early.push(*mark);
            }
            self.begin(*mark, oom_group)
        })
    }

    fn begin(&mut self, mark: OomMark, oom_group: Option<bool>) -> Pending {
        let (incident, opened_incident) = self.incident_of_mark(&mark, oom_group);
        Pending {
            mark,
            incident,
            opened_incident,
        }
    }

    /// The incident of a mark, and whether it begins with it.
    fn incident_of_mark(&mut self, mark: &OomMark, oom_group: Option<bool>) -> (u64, bool) {
        let at_ns = mark.at_ns;
        self.incidents
            .retain(|incident| at_ns.saturating_sub(incident.began_ns) <= INCIDENT_NS);
        let known = self
            .incidents
            .iter()
            .rev()
            .find(|incident| incident.allocator_tid == mark.allocator_tid)
            .filter(|incident| match oom_group {
                Some(is_group) => is_group,
                None => !incident.is_over,
            });
        if let Some(incident) = known {
            return (incident.id, false);
        }
        let id = self.new_incident(at_ns);
        // Without room, later marks of this allocator begin incidents of their own.
        if self.incidents.len() < MAX_PENDING {
            self.incidents.push(Incident {
                id,
                allocator_tid: mark.allocator_tid,
                began_ns: at_ns,
                is_over: false,
            });
        }
        (id, true)
    }

    /// The incident of a process that ended. One known not to be part of a group is its own.
    fn incident_of_exit(&mut self, ended: &Pending, oom_group: Option<bool>) -> u64 {
        if ended.opened_incident && oom_group != Some(true) {
            let mut incidents = self.incidents.iter_mut();
            if let Some(incident) = incidents.find(|incident| incident.id == ended.incident) {
                incident.is_over = true;
            }
        }
        if !ended.opened_incident && oom_group == Some(false) {
            return self.new_incident(ended.mark.at_ns);
        }
        ended.incident
    }

    /// The moment itself, or just after, if another incident has taken that number.
    fn new_incident(&mut self, at_ns: u64) -> u64 {
        self.last_incident = at_ns.max(self.last_incident + 1);
        self.last_incident
    }
}

fn not_exited(pending: &Pending) -> Kill {
    Kill {
        incident: pending.incident,
        outcome: Outcome::NotExited,
        at_ns: pending.mark.at_ns,
        pid: pending.mark.tid,
        comm: String::new(),
        cgroup_id: 0,
        peak_rss_bytes: None,
        allocator_pid: pending.mark.allocator_pid,
    }
}

#[cfg(test)]
mod tests;
