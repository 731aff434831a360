//! The loop of windows: waits for records and for the end of a window, on one thread.

use std::{
    future::{Future, poll_fn},
    io,
    os::fd::OwnedFd,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::{Duration, Instant, SystemTime},
};

use tokio::{io::unix::AsyncFd, time::sleep_until};

use crate::{
    host::{Host, HostError},
    kernel::sys,
};

/// Longest wait between two looks at the stop flag and at records that wake nobody.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Shortest time between two looks: a storm of births is taken in by portions.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// When windows end.
pub struct Schedule {
    /// Length of a window; windows end at its multiples on the wall clock.
    pub interval: Duration,
    /// When the last one is cut short.
    pub deadline: Option<Instant>,
    /// Cuts it short as well.
    pub stop: Arc<AtomicBool>,
    /// The first window ends when this does.
    pub first: Option<Pin<Box<dyn Future<Output = ()>>>>,
    /// Called whenever the loop comes round.
    pub beat: Option<Box<dyn Fn()>>,
}

impl Schedule {
    /// Windows of this length until `deadline` or `stop`.
    pub fn new(interval: Duration, deadline: Option<Instant>, stop: &Arc<AtomicBool>) -> Self {
        Self {
            interval,
            deadline,
            stop: Arc::clone(stop),
            first: None,
            beat: None,
        }
    }

    fn is_over(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
            || self.is_stopped()
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Ends window after window. `end` closes the window, writes its rows and keeps them.
pub async fn windows<E: From<HostError>>(
    host: &mut Host,
    mut schedule: Schedule,
    mut end: impl FnMut(&mut Host) -> Result<(), E>,
) -> Result<(), E> {
    let mut rings = host
        .record_fds()
        .and_then(Rings::watch)
        .map_err(HostError::Records)?;
    loop {
        let boundary = next_boundary(schedule.interval);
        let close_at = schedule
            .deadline
            .map_or(boundary, |deadline| deadline.min(boundary));
        wait(host, &mut rings, &mut schedule, close_at).await?;
        end(host)?;
        if schedule.is_over() {
            return Ok(());
        }
    }
}

async fn wait(
    host: &mut Host,
    rings: &mut Rings,
    schedule: &mut Schedule,
    close_at: Instant,
) -> Result<(), HostError> {
    let mut first = schedule.first.take();
    let mut looked: Option<Instant> = None;
    loop {
        if let Some(beat) = &schedule.beat {
            beat();
        }
        let now = Instant::now();
        if now >= close_at || schedule.is_stopped() {
            return Ok(());
        }
        let records = async {
            if let Some(looked) = looked {
                sleep_until((looked + LOOK_AGAIN).into()).await;
            }
            rings.ready().await;
        };
        tokio::select! {
            () = records => looked = Some(Instant::now()),
            () = sleep_until(close_at.min(now + LOOK_EVERY).into()) => looked = None,
            () = ended(&mut first) => return host.take_events(),
        }
        host.take_events()?;
        if host.is_crowded() {
            return Ok(());
        }
    }
}

async fn ended(first: &mut Option<Pin<Box<dyn Future<Output = ()>>>>) {
    match first {
        Some(first) => first.as_mut().await,
        None => std::future::pending().await,
    }
}

/// The kernel's rings, as this thread waits for them.
struct Rings(Vec<AsyncFd<OwnedFd>>);

impl Rings {
    fn watch(fds: Vec<OwnedFd>) -> io::Result<Self> {
        let watched = fds.into_iter().map(sys::watch_readable);
        Ok(Self(watched.collect::<io::Result<_>>()?))
    }

    /// Ends when a ring woke its reader.
    async fn ready(&mut self) {
        poll_fn(|context| {
            for ring in &self.0 {
                if let Poll::Ready(Ok(mut guard)) = ring.poll_read_ready(context) {
                    guard.clear_ready();
                    return Poll::Ready(());
                }
            }
            Poll::Pending
        })
        .await;
    }
}

/// The next multiple of `interval` on the wall clock, so that windows of all nodes end together.
pub(super) fn next_boundary(interval: Duration) -> Instant {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let past_ns = since.as_nanos() % interval.as_nanos().max(1);
    let past = Duration::from_nanos(u64::try_from(past_ns).unwrap_or(0));
    Instant::now() + interval.saturating_sub(past)
}

/// A flag that SIGINT and SIGTERM set; a second signal ends the process at once.
pub fn stop_flag() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}
