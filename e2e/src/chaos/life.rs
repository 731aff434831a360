//! The life of a process: it may end at any await, or stand still and come back later as if nothing had
//! happened.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

use super::{
    os,
    world::{World, lock},
};

/// Ends a life, from outside or from within.
#[derive(Default)]
pub struct Fate {
    state: Mutex<State>,
    skew_us: AtomicI64,
    last: Option<Last>,
}

/// What the system does at the end of a process.
type Last = Box<dyn Fn() + Send + Sync>;

#[derive(Debug, Default)]
struct State {
    is_over: bool,
    frozen: Option<Instant>,
    waker: Option<Waker>,
}

impl Fate {
    /// Of a process at whose end this happens, before anything of its own.
    pub fn with_last(last: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            last: Some(Box::new(last)),
            ..Self::default()
        }
    }

    /// The life ends before its next step.
    pub fn end(&self) {
        if let Some(last) = &self.last {
            last();
        }
        let waker = {
            let mut state = lock(&self.state);
            state.is_over = true;
            state.waker.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }

    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        lock(&self.state).is_over
    }

    /// The process stands still for a time, and its requests go on without it.
    pub fn freeze(&self, span: Duration) {
        lock(&self.state).frozen = Some(Instant::now() + span);
    }

    /// Turns its wall clock.
    pub fn skew(&self, us: i64) {
        self.skew_us.store(us, Ordering::Relaxed);
    }

    /// By how much its wall clock is wrong.
    pub fn skew_us(&self) -> i64 {
        self.skew_us.load(Ordering::Relaxed)
    }
}

/// A future that lives until its fate, or until it was polled so many times.
pub struct Life<F> {
    inner: Option<Pin<Box<F>>>,
    fate: Arc<Fate>,
    world: Arc<World>,
    polls_left: Option<u64>,
    thaw: Option<Pin<Box<Sleep>>>,
}

impl<F: Future> Life<F> {
    /// Begins it. `polls` is how many steps it takes at most.
    pub fn new(world: &Arc<World>, fate: &Arc<Fate>, polls: Option<u64>, inner: F) -> Self {
        Self {
            inner: Some(Box::pin(inner)),
            fate: Arc::clone(fate),
            world: Arc::clone(world),
            polls_left: polls,
            thaw: None,
        }
    }

    /// Ready when the process does not stand still.
    fn awake(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let until = lock(&self.fate.state).frozen.take();
        if let Some(until) = until {
            self.thaw = Some(Box::pin(tokio::time::sleep_until(until)));
        }
        if let Some(thaw) = &mut self.thaw {
            std::task::ready!(thaw.as_mut().poll(context));
            self.thaw = None;
        }
        Poll::Ready(())
    }

    fn is_over(&mut self) -> bool {
        if self.fate.is_over() {
            return true;
        }
        match &mut self.polls_left {
            Some(left) if !self.world.is_healed() => {
                *left = left.saturating_sub(1);
                *left == 0
            }
            _ => false,
        }
    }
}

/// `None`: it ended before its future did.
impl<F: Future> Future for Life<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        lock(&this.fate.state).waker = Some(context.waker().clone());
        os::set(this.world.clocks(this.fate.skew_us()));
        if this.is_over() {
            this.fate.end();
            this.inner = None;
            return Poll::Ready(None);
        }
        std::task::ready!(this.awake(context));
        let Some(inner) = &mut this.inner else {
            return Poll::Ready(None);
        };
        let polled = inner.as_mut().poll(context);
        if this.fate.is_over() && polled.is_pending() {
            this.inner = None;
            return Poll::Ready(None);
        }
        polled.map(Some)
    }
}
