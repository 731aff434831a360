//! `POST /metrics`, over whichever port it comes: bounded like batches, answered in the published form.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response};
use protocol::RefusalKind;
use tokio::sync::Semaphore;

use super::{
    Limits, Stop, Taker,
    body::{self, Body, NoBody},
    gate::Room,
    refused::Refused,
    router::answer,
};
use crate::{
    auth::{Authenticator, Who},
    push,
    status::{Metrics, Reason},
};

/// Pushes that are read or taken at a time. A collector comes twice a minute.
const MOST_AT_ONCE: usize = 64;
/// Of all bodies that are being read or taken.
const ALL_BODY_BYTES: usize = 32 << 20;

/// See the module.
pub struct Pushes {
    is_on: bool,
    limits: Limits,
    metrics: Arc<Metrics>,
    stop: Stop,
    slots: Semaphore,
    room: Room,
}

impl Pushes {
    /// Takes them, or tells how that is switched on.
    pub fn new(is_on: bool, limits: Limits, metrics: Arc<Metrics>, stop: Stop) -> Self {
        Self {
            is_on,
            limits,
            metrics,
            stop,
            slots: Semaphore::new(MOST_AT_ONCE),
            room: Room::new(ALL_BODY_BYTES),
        }
    }

    /// Takes one; there is no taker while the tables are being opened. Without `auth` nobody is asked for a
    /// token.
    pub(crate) async fn take(
        &self,
        taker: Option<&dyn Taker>,
        auth: Option<&Authenticator>,
        headers: &HeaderMap,
        body: &mut impl Body,
    ) -> Result<Response<Bytes>, NoBody> {
        let taken = self.try_take(taker, auth, headers, body).await;
        taken.map_err(|error| match error {
            NoBody::Refused(refused) => NoBody::Refused(refused.published()),
            broken @ NoBody::Broken(_) => broken,
        })
    }

    async fn try_take(
        &self,
        taker: Option<&dyn Taker>,
        auth: Option<&Authenticator>,
        headers: &HeaderMap,
        body: &mut impl Body,
    ) -> Result<Response<Bytes>, NoBody> {
        self.check(headers)?;
        let told = body::told(headers, self.limits.body_bytes)?;
        let Some(taker) = taker else {
            let reason = "the tables are being opened: send it again later";
            return Err(Refused::busy(Reason::Busy, reason).into());
        };
        let Ok(_slot) = self.slots.try_acquire() else {
            let reason = "as many pushes as may be are being answered: send it again later";
            return Err(Refused::busy(Reason::InFlight, reason).into());
        };
        let who = match auth {
            Some(auth) => auth.who(headers).await?,
            None => Who::Anybody,
        };
        let mut share = self.room.share();
        let whole = body::whole(body, told, &self.limits, &mut share, &self.metrics).await?;
        let taken = taker.push(who.node(), &whole).await;
        taken.map_err(Refused::from)?;
        let ok = Bytes::from_static(br#"{"status":"ok"}"#);
        Ok(answer(push::CONTENT_TYPE, ok))
    }

    fn check(&self, headers: &HeaderMap) -> Result<(), Refused> {
        if self.stop.is_set() {
            let reason = "it is stopping: send it to another aggregator, or again later";
            return Err(Refused::busy(Reason::Stopping, reason));
        }
        if !self.is_on {
            let reason = "pushes are not taken here: `--push on`, or PODLEDGER_AGGREGATOR_PUSH=on, \
                          lets whoever reaches this port push for any node";
            return Err(Refused::new(RefusalKind::Forbidden, reason));
        }
        body::check_type(headers, push::CONTENT_TYPE)
    }
}
