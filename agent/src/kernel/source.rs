//! The four kinds of counters, the programs that make them up, and whether each one runs.

use std::fmt;

/// A kind of counter that can run without the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// Bytes and packets by cgroup.
    Network,
    /// CPU time and its windows by cgroup.
    Cpu,
    /// OOM kills.
    Oom,
    /// Birth and death of cgroups.
    Lifecycle,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Network, Self::Cpu, Self::Oom, Self::Lifecycle];

    /// The name in rows and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Cpu => "cpu",
            Self::Oom => "oom",
            Self::Lifecycle => "lifecycle",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// How a program is attached.
#[derive(Clone, Copy, Debug)]
pub(super) enum Hook {
    /// `cgroup_skb` at the root of the hierarchy.
    Packets(aya::programs::CgroupSkbAttachType),
    /// A tracepoint with typed arguments.
    BtfTracepoint(&'static str),
    /// A tracepoint with raw arguments.
    RawTracepoint(&'static str),
}

/// One program of the object.
#[derive(Clone, Copy, Debug)]
pub struct ProgramSpec {
    /// Name in the object and of its pinned link.
    pub name: &'static str,
    /// What it counts for.
    pub source: Source,
    pub(super) hook: Hook,
}

const fn program(name: &'static str, source: Source, hook: Hook) -> ProgramSpec {
    ProgramSpec { name, source, hook }
}

/// All programs, in the order in which they are attached: births before what can be charged to them.
pub const PROGRAMS: [ProgramSpec; 8] = [
    program(
        "cgroup_born",
        Source::Lifecycle,
        Hook::BtfTracepoint("cgroup_mkdir"),
    ),
    program(
        "cgroup_removed",
        Source::Lifecycle,
        Hook::BtfTracepoint("cgroup_rmdir"),
    ),
    program(
        "cgroup_released",
        Source::Lifecycle,
        Hook::BtfTracepoint("cgroup_release"),
    ),
    program(
        "oom_exit",
        Source::Oom,
        Hook::BtfTracepoint("sched_process_exit"),
    ),
    program("oom_mark", Source::Oom, Hook::RawTracepoint("mark_victim")),
    program(
        "cpu_runtime",
        Source::Cpu,
        Hook::BtfTracepoint("sched_stat_runtime"),
    ),
    program(
        "network_egress",
        Source::Network,
        Hook::Packets(aya::programs::CgroupSkbAttachType::Egress),
    ),
    program(
        "network_ingress",
        Source::Network,
        Hook::Packets(aya::programs::CgroupSkbAttachType::Ingress),
    ),
];

/// Whether a source runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceState {
    /// Its programs are attached.
    Active,
    /// It was not asked for.
    Off,
    /// It can't run; the text says what is missing.
    Absent(String),
}

/// The state of every source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources([SourceState; 4]);

impl Sources {
    /// Those asked for are active until something shows that they can't be.
    pub(crate) fn asked(sources: &[Source]) -> Self {
        Self(Source::ALL.map(|source| {
            if sources.contains(&source) {
                SourceState::Active
            } else {
                SourceState::Off
            }
        }))
    }

    /// No source runs, for one reason.
    pub fn none(reason: &str) -> Self {
        Self(Source::ALL.map(|_| SourceState::Absent(reason.to_owned())))
    }

    /// The state of one.
    pub fn state(&self, source: Source) -> &SourceState {
        &self.0[source as usize]
    }

    /// Whether one counts.
    pub fn is_active(&self, source: Source) -> bool {
        self.state(source) == &SourceState::Active
    }

    /// Marks one as absent, keeping the first reason.
    pub(super) fn lose(&mut self, source: Source, reason: String) {
        if self.is_active(source) {
            self.0[source as usize] = SourceState::Absent(reason);
        }
    }

    /// Each source and its state.
    pub fn iter(&self) -> impl Iterator<Item = (Source, &SourceState)> {
        Source::ALL.into_iter().zip(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_source_keeps_its_first_reason() {
        let mut sources = Sources::asked(&[Source::Cpu]);
        sources.lose(Source::Cpu, "first".into());
        sources.lose(Source::Cpu, "second".into());
        assert_eq!(
            sources.state(Source::Cpu),
            &SourceState::Absent("first".into())
        );
        assert_eq!(sources.state(Source::Oom), &SourceState::Off);
    }
}
