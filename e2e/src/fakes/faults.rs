//! Which of the next requests go wrong, and how.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::locked;

/// For how many requests a fault stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// For the next so many that it applies to.
    Next(u64),
    /// Until all faults are taken away.
    Always,
}

/// Faults in the order in which they were asked for.
#[derive(Debug)]
pub(super) struct Faults<F>(Arc<Mutex<VecDeque<(F, Times)>>>);

impl<F> Clone for Faults<F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<F: Clone> Faults<F> {
    pub(super) fn new() -> Self {
        Self(Arc::default())
    }

    pub(super) fn add(&self, fault: F, times: Times) {
        if times != Times::Next(0) {
            locked(&self.0).push_back((fault, times));
        }
    }

    pub(super) fn clear(&self) {
        locked(&self.0).clear();
    }

    /// The first that applies, and one time less of it.
    pub(super) fn take(&self, applies: impl Fn(&F) -> bool) -> Option<F> {
        let mut faults = locked(&self.0);
        let at = faults.iter().position(|(fault, _)| applies(fault))?;
        let (fault, times) = faults.get_mut(at)?;
        let fault = fault.clone();
        match times {
            Times::Next(1) => drop(faults.remove(at)),
            Times::Next(more) => *more -= 1,
            Times::Always => {}
        }
        Some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_in_order_and_only_where_they_apply() {
        let faults = Faults::new();
        faults.add("list", Times::Next(2));
        faults.add("watch", Times::Always);
        let mut taken: Vec<_> = (0..3).map(|_| faults.take(|_| true)).collect();
        taken.push(faults.take(|fault| *fault == "list"));
        assert_eq!(taken, [Some("list"), Some("list"), Some("watch"), None]);
    }
}
