//! The health of the sources outside of the kernel: one place where a failure becomes a log line, a
//! counter and a state, so that the three can't drift apart.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

/// What a source does at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing was tried yet.
    Starting,
    /// The newest try succeeded.
    Working,
    /// The newest try failed, and why.
    Failing(String),
    /// It is not asked, and why.
    Off(String),
}

/// A source as the status server and `check` show it.
#[derive(Clone, Debug)]
pub struct View {
    /// Name of the source.
    pub name: &'static str,
    /// What it does.
    pub condition: Condition,
    /// Since when.
    pub since: SystemTime,
    /// Tries that succeeded.
    pub successes: u64,
    /// Tries that failed, by kind.
    pub failures: BTreeMap<&'static str, u64>,
    /// Failures since the last success.
    pub consecutive_failures: u64,
}

/// One source's health; copies share it.
#[derive(Clone, Debug)]
pub struct Health(Arc<Mutex<View>>);

impl Health {
    /// Of a source that was not tried yet.
    pub fn new(name: &'static str) -> Self {
        Self(Arc::new(Mutex::new(View {
            name,
            condition: Condition::Starting,
            since: SystemTime::now(),
            successes: 0,
            failures: BTreeMap::new(),
            consecutive_failures: 0,
        })))
    }

    /// A try succeeded.
    pub fn works(&self) {
        let mut view = self.lock();
        view.successes += 1;
        let failed = std::mem::take(&mut view.consecutive_failures);
        if failed > 0 {
            log::info!("{}: works again after {failed} failures", view.name);
        }
        turn(&mut view, Condition::Working);
    }

    /// A try failed. Says so in the log when that is news.
    pub fn failed(&self, kind: &'static str, message: String) {
        let mut view = self.lock();
        *view.failures.entry(kind).or_default() += 1;
        view.consecutive_failures += 1;
        if view.condition != Condition::Failing(message.clone()) {
            log::warn!("{}: {message}", view.name);
        }
        turn(&mut view, Condition::Failing(message));
    }

    /// Something was wrong with part of an answer; the rest was used.
    pub fn noticed(&self, kind: &'static str, message: &str) {
        let mut view = self.lock();
        *view.failures.entry(kind).or_default() += 1;
        log::warn!("{}: {message}", view.name);
    }

    /// It will not be asked.
    pub fn off(&self, reason: &str) {
        let mut view = self.lock();
        log::info!("{}: off, {reason}", view.name);
        turn(&mut view, Condition::Off(reason.to_owned()));
    }

    /// How it is now.
    pub fn view(&self) -> View {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, View> {
        // Nothing panics while it is held, and a view is whole at every instant.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn turn(view: &mut View, condition: Condition) {
    if std::mem::discriminant(&view.condition) != std::mem::discriminant(&condition) {
        view.since = SystemTime::now();
    }
    view.condition = condition;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_counted_by_kind_until_it_works_again() {
        let health = Health::new("kubelet");
        assert_eq!(health.view().condition, Condition::Starting);
        health.failed("timeout", "no answer".into());
        health.failed("unauthorized", "refused".into());
        let view = health.view();
        assert_eq!(view.condition, Condition::Failing("refused".into()));
        assert_eq!(
            (view.consecutive_failures, view.failures["timeout"]),
            (2, 1)
        );
        health.works();
        let view = health.view();
        assert_eq!((view.consecutive_failures, view.successes), (0, 1));
        assert_eq!(view.failures["unauthorized"], 1, "counters only grow");
    }
}
