//! What an answer leads to: in the machine, in the spool, in the health.

use std::{fmt::Display, time::SystemTime};

use protocol::{Refusal, decode_ack};

use super::{Answered, Shipper, Store};
use crate::{
    http::mask,
    ship::{ShipError, Way, delivery::Effect},
};

/// Of what goes into a gap.
const MOST_MESSAGE_BYTES: usize = 500;
const OK: u16 = 200;

impl<S: Store> Shipper<S> {
    pub(super) fn take(&mut self, way: Way, answered: &Answered) {
        if answered.status == OK {
            self.take_ack(way, answered);
        } else {
            self.take_refusal(way, answered);
        }
    }

    fn take_ack(&mut self, way: Way, answered: &Answered) {
        let now = self.now();
        let ack = match decode_ack(&answered.body) {
            Ok(ack) => ack,
            Err(invalid) => {
                let error = ShipError::Answer {
                    endpoint: self.endpoint(),
                    reason: invalid.to_string(),
                };
                self.tally.request(way, error.kind());
                self.delivery.on_failure(now, answered.retry_after);
                self.health.failed(error.kind(), error.to_string());
                return;
            }
        };
        self.tally.request(way, "ok");
        self.spread.on_answer();
        self.waits = 0;
        let spool = std::rc::Rc::clone(&self.spool);
        let effects = self.delivery.on_answer(now, &ack, &mut *spool.borrow_mut());
        match effects {
            Ok(effects) => {
                if self.apply(effects) {
                    self.health.works();
                }
            }
            Err(error) => self.spool_failed("read the table's id from", &error),
        }
    }

    fn take_refusal(&mut self, way: Way, answered: &Answered) {
        let now = self.now();
        let status = answered.status;
        let Ok(refusal) = serde_json::from_slice::<Refusal>(&answered.body) else {
            let error = ShipError::Status {
                endpoint: self.endpoint(),
                status,
            };
            self.tally.request(way, error.kind());
            self.delivery.on_failure(now, answered.retry_after);
            self.health.failed(error.kind(), error.to_string());
            return self.leave_if_it_lasts(&error);
        };
        let error = ShipError::refused(&self.endpoint(), status, &refusal);
        self.tally.request(way, error.kind());
        let effects = self
            .delivery
            .on_refusal(now, &refusal, answered.retry_after);
        let is_given_up = matches!(effects[..], [Effect::GiveUp { .. }]);
        self.apply(effects);
        if !is_given_up {
            self.health.failed(error.kind(), error.to_string());
        }
        self.leave_if_it_lasts(&error);
    }

    /// Whether all went well.
    fn apply(&mut self, effects: Vec<Effect>) -> bool {
        let mut is_well = true;
        for effect in effects {
            is_well &= match effect {
                Effect::Delete { epoch, up_to } => {
                    self.tally.lock().last_committed = Some(SystemTime::now());
                    let result = self.spool.borrow_mut().committed(epoch, up_to);
                    self.stored("delete what is committed from", result)
                }
                Effect::GiveUp {
                    epoch,
                    seq,
                    message,
                } => {
                    let message = mask::body(message.as_bytes(), MOST_MESSAGE_BYTES);
                    self.tally.lock().given_up += 1;
                    self.health.noticed(
                        "given_up",
                        &format!("batch {seq} of epoch {epoch} is refused for ever, a gap takes its place: {message}"),
                    );
                    let result = self.spool.borrow_mut().give_up(epoch, seq, &message);
                    self.stored("put a gap into", result)
                }
                Effect::Tell(trouble) => {
                    self.health.failed(trouble.kind(), trouble.to_string());
                    false
                }
            };
        }
        is_well
    }

    fn stored(&self, what: &str, result: Result<(), S::Error>) -> bool {
        match result {
            Ok(()) => true,
            Err(error) => {
                self.spool_failed(what, &error);
                false
            }
        }
    }

    fn spool_failed(&self, what: &str, error: &impl Display) {
        self.health
            .failed("spool", format!("cannot {what} the spool: {error}"));
    }

    fn endpoint(&self) -> String {
        self.link.settings().endpoint.to_string()
    }
}
