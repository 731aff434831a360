//! Puts the two halves of an OOM kill together: the mark, and the end of the marked process.

use std::collections::HashMap;

use crate::kernel::OomEvent;

/// Marks that wait for the end of their process. Further ones are counted and forgotten; such a
/// kill is told by its end alone.
pub const MAX_PENDING: usize = 1_024;
/// A marked process that has not ended after this long is told as it is.
pub const EXIT_PATIENCE_NS: u64 = 30_000_000_000;
/// A group kill marks all its processes at once; 1,000 of them take far less than this.
const INCIDENT_NS: u64 = 100_000_000;

/// What became of a marked process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It died of the kill.
    Killed,
    /// It was ending by itself: the kernel gave it memory to finish, and it did.
    Marked,
    /// It had not ended in time.
    NotExited,
}

/// One process of one incident, finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kill {
    /// The same for all processes that one lack of memory took: when it began, on the boot clock.
    pub incident: u64,
    /// What became of it.
    pub outcome: Outcome,
    /// When it was marked, or ended if the mark was lost, on the boot clock.
    pub at_ns: u64,
    /// The process; of one that has not ended, the marked thread.
    pub pid: u32,
    /// Its name; empty when it has not ended.
    pub comm: String,
    /// Its cgroup; 0 when it has not ended.
    pub cgroup_id: u64,
    /// Its peak resident memory.
    pub peak_rss_bytes: Option<u64>,
    /// Process whose allocation led to it; 0 when the mark was lost.
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
#[derive(Clone, Copy, Debug)]
struct Mark {
    incident: u64,
    opened_incident: bool,
    at_ns: u64,
    allocator_pid: u32,
    /// The allocator marked itself, so its process is known.
    is_allocator: bool,
}

/// An incident that further marks may belong to.
#[derive(Clone, Copy, Debug)]
struct Incident {
    id: u64,
    allocator_tid: u32,
    began_ns: u64,
    first_tid: u32,
    /// The first process ended, and was not known to be part of a group.
    is_over: bool,
}

/// Marks that wait, and finished kills.
#[derive(Debug, Default)]
pub struct OomLedger {
    pending: HashMap<u32, Mark>,
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
            OomEvent::Marked {
                tid,
                allocator_tid,
                allocator_pid,
                at_ns,
                ..
            } => {
                let (incident, opened_incident) =
                    self.incident_of_mark(tid, allocator_tid, at_ns, oom_group);
                let mark = Mark {
                    incident,
                    opened_incident,
                    at_ns,
                    allocator_pid,
                    is_allocator: tid == allocator_tid,
                };
                self.keep(tid, mark);
            }
            OomEvent::Exited {
                marked_tid,
                pid,
                comm,
                cgroup_id,
                peak_rss_bytes,
                was_killed,
                at_ns,
            } => {
                let mark = self.take_mark(marked_tid, pid);
                let incident = self.incident_of_exit(marked_tid, mark.as_ref(), at_ns, oom_group);
                self.finished.push(Kill {
                    incident,
                    outcome: if was_killed {
                        Outcome::Killed
                    } else {
                        Outcome::Marked
                    },
                    at_ns: mark.map_or(at_ns, |mark| mark.at_ns),
                    pid,
                    comm,
                    cgroup_id,
                    peak_rss_bytes: Some(peak_rss_bytes),
                    allocator_pid: mark.map_or(0, |mark| mark.allocator_pid),
                });
            }
        }
    }

    /// Finished kills since the last call, those given up at `now_ns` included.
    pub fn finish(&mut self, now_ns: u64) -> Vec<Kill> {
        let overdue = |mark: &Mark| now_ns.saturating_sub(mark.at_ns) >= EXIT_PATIENCE_NS;
        let mut given_up: Vec<(u32, Mark)> =
            self.pending.extract_if(|_, mark| overdue(mark)).collect();
        given_up.sort_by_key(|(_, mark)| mark.at_ns);
        self.finished.extend(
            given_up
                .into_iter()
                .map(|(tid, mark)| not_exited(tid, &mark)),
        );
        std::mem::take(&mut self.finished)
    }

    /// Marks that found no room.
    pub fn unmatched(&self) -> u64 {
        self.unmatched
    }

    fn keep(&mut self, tid: u32, mark: Mark) {
        if self.pending.len() >= MAX_PENDING && !self.pending.contains_key(&tid) {
            self.unmatched += 1;
            return;
        }
        // The end of an earlier task with the same number was lost.
        if let Some(lost) = self.pending.insert(tid, mark) {
            self.finished.push(not_exited(tid, &lost));
        }
    }

    /// The incident of a mark, and whether it begins with it.
    fn incident_of_mark(
        &mut self,
        tid: u32,
        allocator_tid: u32,
        at_ns: u64,
        oom_group: Option<bool>,
    ) -> (u64, bool) {
        self.incidents
            .retain(|incident| at_ns.saturating_sub(incident.began_ns) <= INCIDENT_NS);
        let known = self
            .incidents
            .iter()
            .rev()
            .find(|incident| incident.allocator_tid == allocator_tid)
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
                allocator_tid,
                began_ns: at_ns,
                first_tid: tid,
                is_over: false,
            });
        }
        (id, true)
    }

    /// The incident of a process that ended. One known not to be part of a group is its own.
    fn incident_of_exit(
        &mut self,
        tid: u32,
        mark: Option<&Mark>,
        at_ns: u64,
        oom_group: Option<bool>,
    ) -> u64 {
        let Some(mark) = mark else {
            return self.new_incident(at_ns);
        };
        if mark.opened_incident && oom_group != Some(true) {
            let first = |incident: &&mut Incident| {
                incident.id == mark.incident && incident.first_tid == tid
            };
            if let Some(incident) = self.incidents.iter_mut().find(first) {
                incident.is_over = true;
            }
        }
        if !mark.opened_incident && oom_group == Some(false) {
            return self.new_incident(mark.at_ns);
        }
        mark.incident
    }

    /// The moment itself, or just after, if another incident has taken that number.
    fn new_incident(&mut self, at_ns: u64) -> u64 {
        self.last_incident = at_ns.max(self.last_incident + 1);
        self.last_incident
    }

    /// The mark of an ended process. Other threads of it may have been marked too: the process is
    /// told once.
    fn take_mark(&mut self, marked_tid: u32, pid: u32) -> Option<Mark> {
        let mark = self
            .pending
            .remove(&marked_tid)
            .or_else(|| self.pending.remove(&pid));
        self.pending
            .retain(|tid, mark| *tid != pid && !(mark.is_allocator && mark.allocator_pid == pid));
        mark
    }
}

fn not_exited(tid: u32, mark: &Mark) -> Kill {
    Kill {
        incident: mark.incident,
        outcome: Outcome::NotExited,
        at_ns: mark.at_ns,
        pid: tid,
        comm: String::new(),
        cgroup_id: 0,
        peak_rss_bytes: None,
        allocator_pid: mark.allocator_pid,
    }
}

#[cfg(test)]
mod tests;
