//! Asks the API server about tokens, and remembers what it said.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::StatusCode;
use protocol::RefusalKind;
use tokio::time::Instant;

use super::{
    Who,
    cache::{Cache, Finding},
    expiry::Expiry,
    review::{self, Rules},
    token::Token,
};
use crate::{
    cluster::{Api, ApiError},
    config::Reviews,
    ingest::Refused,
    printable,
    status::{Metrics, Reason, Verdict},
};

/// Tokens whose verdict is remembered.
const MOST_KNOWN: usize = 10_000;
/// How long a good token is believed without asking again, at most.
const GOOD_LIFE: Duration = Duration::from_secs(300);
/// The same of one that tells no end.
const UNTOLD_LIFE: Duration = Duration::from_secs(60);
/// How long a bad one is refused without asking again.
const BAD_LIFE: Duration = Duration::from_secs(10);

/// See the module.
pub struct Kubernetes {
    api: Api,
    rules: Rules,
    cache: Cache,
    metrics: Arc<Metrics>,
}

impl fmt::Debug for Kubernetes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Kubernetes")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

impl Kubernetes {
    /// Asks that API server; nothing is asked before the first token comes.
    pub fn new(reviews: Reviews, metrics: Arc<Metrics>) -> Self {
        let rules = Rules {
            audience: reviews.audience,
            user: reviews.user,
        };
        Self {
            api: Api::new(reviews.cluster),
            rules,
            cache: Cache::new(MOST_KNOWN),
            metrics,
        }
    }

    /// Whose token it is.
    pub(super) async fn who(&self, token: &Token<'_>) -> Result<Who, Refused> {
        let life = life(token)?;
        let find = self.find(token, life);
        let (found, was_known) = self.cache.get(token.digest(), find).await;
        self.metrics.verdicts.count(match (&found, was_known) {
            (Ok(Ok(_)), true) => Verdict::KnownGood,
            (Ok(Err(_)), true) => Verdict::KnownBad,
            (Ok(Ok(_)), false) => Verdict::Good,
            (Ok(Err(_)), false) => Verdict::Bad,
            (Err(_), _) => Verdict::None,
        });
        found?
    }

    async fn find(&self, token: &Token<'_>, life: Duration) -> Finding {
        let began = Instant::now();
        let found = self.ask(token).await;
        let took = began.elapsed().as_millis();
        match found {
            Ok(Ok(who)) => {
                log::debug!(
                    "K8S API: TokenReview in {took} ms: {}",
                    who.node().unwrap_or("any node")
                );
                Ok((Ok(who), life))
            }
            Ok(Err(refused)) => {
                log::debug!("K8S API: TokenReview in {took} ms: {}", refused.refusal);
                Ok((Err(refused), BAD_LIFE))
            }
            Err(reason) => {
                log::warn!("TokenReview after {took} ms: {reason}");
                let told = "authorization: the cluster does not tell whether the token is good: \
                    send it again later";
                Err(Refused::busy(Reason::NoVerdict, told))
            }
        }
    }

    async fn ask(&self, token: &Token<'_>) -> Result<Result<Who, Refused>, String> {
        let question = self
            .rules
            .question(token)
            .map_err(|error| error.to_string())?;
        let asked = self.api.post(review::PATH, question).await;
        let told = |error: ApiError| crate::error_chain(&error);
        let (status, body) = asked.map_err(told)?;
        match status {
            StatusCode::OK | StatusCode::CREATED => {
                let verdict = self.rules.verdict(&body);
                verdict.map_err(|error| format!("the answer is no TokenReview: {error}"))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(format!(
                "the API server answered {status}: bind the aggregator's service account to the \
                cluster role system:auth-delegator"
            )),
            other => {
                let text = printable(&String::from_utf8_lossy(&body), 200);
                // An answer may quote what was asked.
                let text = text.replace(token.secret(), "***");
                Err(format!("the API server answered {other}: {text}"))
            }
        }
    }
}

/// How long a token may be believed. What can't be good costs no question.
fn life(token: &Token<'_>) -> Result<Duration, Refused> {
    let refused = |reason| Err(Refused::new(RefusalKind::Unauthorized, reason));
    match Expiry::of(token, SystemTime::now()) {
        Expiry::NoJwt => refused("authorization: this is no service account's token"),
        Expiry::In(Duration::ZERO) => refused("authorization: the token has expired: read it anew"),
        Expiry::In(left) => Ok(left.min(GOOD_LIFE)),
        Expiry::Untold => Ok(UNTOLD_LIFE),
    }
}

#[cfg(test)]
mod tests;
