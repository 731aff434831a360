//! The start: the kernel side, what an earlier agent left, and a line for everything that is missing.

use super::{
    Host, HostError, Settings, identity, now,
    state::{Counters, State, Stored},
};
use crate::{
    cgroups,
    kernel::{Kernel, KernelError, PinError, Source, SourceState, Sources, needs},
};

impl Host {
    /// Goes on where the last agent's rows ended, or tells the gap.
    pub(super) fn take_over(&mut self, say: &mut impl FnMut(&str)) -> Result<(), HostError> {
        let Some(kernel) = &mut self.kernel else {
            return Ok(());
        };
        if let Some(gap) = kernel.gap() {
            say(&format!("gap: {}", gap.reason));
            self.ledger.on_gap(gap.reason.clone(), now());
        }
        let Some(directory) = &self.settings.state else {
            return Ok(());
        };
        let by_files = matches!(self.sources.state(Source::Cpu), SourceState::Absent(_));
        let counters = Counters {
            boot_id: identity::boot_id(),
            incarnation: kernel.incarnation(),
            cpu_by_files: by_files,
        };
        let state = match State::open(directory, counters) {
            Ok(state) => state,
            Err(error) => {
                say(&crate::error_chain(&error));
                return Ok(());
            }
        };
        let gap = match state.load(self.settings.spooled_state.take().as_deref()) {
            Stored::Fits {
                last,
                baseline,
                oom,
            } => {
                (self.last, self.oom) = (last, *oom);
                for id in self.ledger.resume(*baseline) {
                    kernel.remove_account(id)?;
                }
                if by_files {
                    // Files are read from a mark of this process's own.
                    self.ledger.begin_cpu_anew();
                }
                None
            }
            Stored::OtherCounters => {
                Some("the counters of the last row are gone, with what came since")
            }
            Stored::Nothing if kernel.took_over() => {
                Some("an earlier agent's counters go on, but what its rows told is not known")
            }
            Stored::Nothing => None,
        };
        if let Some(reason) = gap {
            say(&format!("gap: {reason}"));
            self.ledger.on_gap(reason.to_owned(), now());
            if kernel.took_over() {
                let snapshot = kernel.read()?;
                self.ledger.skip_to(&snapshot);
            }
        }
        self.state = Some(state);
        Ok(())
    }
}

/// Starts the kernel side. Where nothing can be pinned it counts for as long as this process lives,
/// and where nothing can be counted the reason is every source's.
pub(super) fn start_kernel(
    settings: &mut Settings,
    say: &mut impl FnMut(&str),
) -> Result<(Option<Kernel>, Sources), HostError> {
    let mut started = Kernel::start(&settings.kernel);
    if let Err(KernelError::Pins(error @ PinError::NoBpfFs { .. })) = &started {
        say(&format!(
            "nothing outlives this process: {}",
            crate::error_chain(error)
        ));
        (settings.kernel.pins, settings.state) = (None, None);
        started = Kernel::start(&settings.kernel);
    }
    match started {
        Ok(kernel) => {
            let sources = kernel.sources().clone();
            Ok((Some(kernel), sources))
        }
        Err(error @ KernelError::Pins(PinError::Busy(_))) => Err(error.into()),
        Err(error) => Ok((None, Sources::none(&crate::error_chain(&error)))),
    }
}

/// A line for each source that can't run, and for each need that is not met.
pub(super) fn tell_absent(sources: &Sources, settings: &Settings, say: &mut impl FnMut(&str)) {
    if sources
        .iter()
        .any(|(_, state)| matches!(state, SourceState::Absent(_)))
    {
        let root =
            Some(settings.kernel.cgroup_root.as_path()).filter(|_| cgroups::find_root().is_some());
        for need in needs::check(root) {
            if let Err(fix) = need.found {
                say(&format!("{}: {fix}", need.name));
            }
        }
    }
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for (source, state) in sources.iter() {
        let SourceState::Absent(reason) = state else {
            continue;
        };
        match reasons.iter_mut().find(|(known, _)| known == reason) {
            Some((_, names)) => names.push(source.name()),
            None => reasons.push((reason, vec![source.name()])),
        }
    }
    for (reason, names) in reasons {
        say(&format!("no counters of {}: {reason}", names.join(", ")));
    }
}
