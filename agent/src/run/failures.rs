//! When failures end the process, as older settings ask: an orchestrator shows restarts, and nothing
//! is lost meanwhile.

use crate::health::{Condition, Health};

/// The last words of an agent that gave up.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{source_name} failed {failures} times in a row, which is MAX_CONSECUTIVE_FAILURES; the last time: {message}. \
     Ending, so that the failure is seen as a restart. The kernel programs stay attached and go on counting: \
     the next start continues where the last row ended"
)]
pub struct GaveUp {
    source_name: &'static str,
    failures: u64,
    message: String,
}

/// Whether one of `sources` has failed `most` times in a row; 0 never gives up.
pub(super) fn check(most: u64, sources: &[&Health]) -> Result<(), GaveUp> {
    for source in sources {
        let view = source.view();
        if most > 0 && view.consecutive_failures >= most {
            let message = match view.condition {
                Condition::Failing(message) => message,
                Condition::Starting | Condition::Working | Condition::Off(_) => String::new(),
            };
            return Err(GaveUp {
                source_name: view.name,
                failures: view.consecutive_failures,
                message,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_gives_up_after_that_many_in_a_row_and_says_why() {
        let health = Health::new("kubelet");
        health.failed("timeout", "no answer in 10s".into());
        assert_eq!(check(2, &[&health]), Ok(()));
        health.works();
        health.failed("timeout", "no answer in 10s".into());
        assert_eq!(check(2, &[&health]), Ok(()));
        health.failed("connect", "refused".into());
        let last_word = check(2, &[&health]).unwrap_err().to_string();
        assert!(
            last_word.contains("kubelet failed 2 times") && last_word.contains("refused"),
            "{last_word}"
        );
        assert_eq!(check(0, &[&health]), Ok(()), "0 never gives up");
    }
}
