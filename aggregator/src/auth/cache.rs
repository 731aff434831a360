//! Remembers verdicts on tokens by their SHA-256, for a bounded time and a bounded number of tokens.
//! Of many who ask for the same token at once, one finds out.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{Who, token::Digest};
use crate::ingest::Refused;

/// What is remembered of a token.
pub(super) type Verdict = Result<Who, Refused>;

/// A verdict, or why there is none. The latter is never remembered as a refusal.
pub(super) type Finding = Result<(Verdict, Duration), Refused>;

/// See the module.
#[derive(Debug)]
pub(super) struct Cache {
    most: usize,
    slots: Mutex<HashMap<Digest, Arc<Slot>>>,
}

/// One token. Whoever finds out holds the lock meanwhile.
#[derive(Debug, Default)]
struct Slot(tokio::sync::Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    verdict: Option<(Verdict, Instant)>,
    failed: Option<(Refused, Instant)>,
}

impl Known {
    fn verdict(&self, now: Instant) -> Option<&Verdict> {
        let (verdict, until) = self.verdict.as_ref()?;
        (now < *until).then_some(verdict)
    }
}

impl Cache {
    /// Of at most so many tokens.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            slots: Mutex::default(),
        }
    }

    /// The verdict on a token, and whether it was known; found out by `find` where it is not.
    pub(super) async fn get(
        &self,
        digest: Digest,
        find: impl Future<Output = Finding>,
    ) -> (Result<Verdict, Refused>, bool) {
        let asked = Instant::now();
        let slot = self.slot(digest, asked);
        let mut known = slot.0.lock().await;
        if let Some(verdict) = known.verdict(Instant::now()) {
            return (Ok(verdict.clone()), true);
        }
        // Who waited for one that failed fails with it, rather than one after the other.
        if let Some((refused, at)) = known.failed.as_ref().filter(|(_, at)| *at > asked) {
            log::trace!("failed {} ms ago", at.elapsed().as_millis());
            return (Err(refused.clone()), false);
        }
        match find.await {
            Ok((verdict, life)) => {
                known.failed = None;
                known.verdict = Some((verdict.clone(), Instant::now() + life));
                (Ok(verdict), false)
            }
            Err(refused) => {
                known.failed = Some((refused.clone(), Instant::now()));
                (Err(refused), false)
            }
        }
    }

    fn slot(&self, digest: Digest, now: Instant) -> Arc<Slot> {
        let mut slots = self.slots();
        if !slots.contains_key(&digest) && slots.len() >= self.most {
            make_room(&mut slots, now, self.most);
        }
        Arc::clone(slots.entry(digest).or_default())
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<Digest, Arc<Slot>>> {
        // Each change leaves it whole.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets what is over; then what ends soonest, which is bad tokens first. A slot that somebody
/// waits for lives on with them.
fn make_room(slots: &mut HashMap<Digest, Arc<Slot>>, now: Instant, most: usize) {
    let end = |slot: &Slot| match slot.0.try_lock() {
        Ok(known) => known.verdict.as_ref().map(|(_, until)| *until),
        // Somebody finds out right now.
        Err(_) => Some(now + Duration::from_secs(1)),
    };
    slots.retain(|_, slot| end(slot).is_some_and(|until| until > now));
    // Not one by one: that would be a walk over all for each new token.
    let room = most / 16 + 1;
    let surplus = (slots.len() + room).saturating_sub(most);
    if surplus == 0 {
        return;
    }
    let mut ends: Vec<_> = slots
        .iter()
        .map(|(digest, slot)| (end(slot), *digest))
        .collect();
    ends.sort_unstable_by_key(|(end, _)| *end);
    for (_, digest) in ends.iter().take(surplus) {
        slots.remove(digest);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use protocol::RefusalKind;
    use tokio::time::advance;

    use super::*;
    use crate::auth::token::Token;

    const LIFE: Duration = Duration::from_secs(10);

    fn digest(text: &str) -> Digest {
        Token::new(text).unwrap().digest()
    }

    fn good() -> Verdict {
        Ok(Who::Node("node-1".into()))
    }

    fn busy() -> Refused {
        Refused::new(RefusalKind::Busy, "the API server does not answer")
    }

    #[tokio::test(start_paused = true)]
    async fn a_verdict_is_known_for_its_life() {
        let cache = Cache::new(9);
        let asked = Cell::new(0);
        let find = |verdict: Verdict| {
            asked.set(asked.get() + 1);
            async move { Ok((verdict, LIFE)) }
        };
        let bad = Err(Refused::new(RefusalKind::Unauthorized, "bad"));
        for verdict in [good(), bad] {
            let digest = digest(&format!("{}", asked.get()));
            for (known, passed) in [(false, 9), (true, 1), (false, 0)] {
                let find = async { find(verdict.clone()).await };
                let found = cache.get(digest, find).await;
                assert_eq!(found, (Ok(verdict.clone()), known));
                advance(Duration::from_secs(passed)).await;
            }
        }
        assert_eq!(asked.get(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn many_at_once_ask_once() {
        let cache = Cache::new(9);
        let asked = Cell::new(0);
        let get = || {
            cache.get(digest("a"), async {
                asked.set(asked.get() + 1);
                tokio::time::sleep(LIFE).await;
                Ok((good(), LIFE))
            })
        };
        let (a, b, c) = tokio::join!(get(), get(), get());
        assert_eq!((a.1, b.1, c.1), (false, true, true));
        assert_eq!(asked.get(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_shared_by_who_waits_and_then_forgotten() {
        let cache = Cache::new(9);
        let asked = Cell::new(0);
        let get = || {
            cache.get(digest("a"), async {
                asked.set(asked.get() + 1);
                tokio::time::sleep(LIFE).await;
                Err(busy())
            })
        };
        let (a, b, c) = tokio::join!(get(), get(), get());
        assert_eq!((a.0, b.0, c.0), (Err(busy()), Err(busy()), Err(busy())));
        assert_eq!(asked.get(), 1);
        advance(Duration::from_millis(1)).await;
        let found = cache.get(digest("a"), async { Ok((good(), LIFE)) }).await;
        assert_eq!(found, (Ok(good()), false));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_goes_away_leaves_it_to_the_next() {
        let cache = Cache::new(9);
        let never = cache.get(digest("a"), std::future::pending());
        assert!(tokio::time::timeout(LIFE, never).await.is_err());
        let found = cache.get(digest("a"), async { Ok((good(), LIFE)) }).await;
        assert_eq!(found.0, Ok(good()));
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_are_bounded_and_bad_ones_go_first() {
        let cache = Cache::new(64);
        let life = |seconds| Duration::from_secs(seconds);
        for number in 0..32 {
            let find = async { Ok((good(), life(300))) };
            cache
                .get(digest(&format!("good{number}")), find)
                .await
                .0
                .unwrap()
                .unwrap();
        }
        for number in 0..1_000 {
            let bad = Err(Refused::new(RefusalKind::Unauthorized, "bad"));
            let find = async { Ok((bad, life(10))) };
            drop(cache.get(digest(&format!("bad{number}")), find).await);
            assert!(cache.slots().len() <= 64);
        }
        for number in 0..32 {
            let digest = digest(&format!("good{number}"));
            let (_, known) = cache.get(digest, std::future::pending()).await;
            assert!(known, "{number}");
        }
    }
}
