//! Reads a request's body within its bounds, whichever way it comes.

use std::sync::atomic::Ordering::Relaxed;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use protocol::RefusalKind;
use tokio::time::timeout;

use super::{Limits, gate::Share, refused::Refused};
use crate::status::{Metrics, Reason};

/// Room that is made at once for a body whose length is told; more grows with what comes.
const FIRST_BYTES: usize = 64 << 10;

/// The body broke off, or its peer broke the rules.
#[derive(Debug, thiserror::Error)]
#[error("the body broke off: {0}")]
pub(crate) struct Broken(pub(super) String);

/// A body that is still coming.
pub(crate) trait Body: Send {
    /// The next piece; none at the end.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, Broken>> + Send;
}

impl Body for hyper::body::Incoming {
    async fn next(&mut self) -> Result<Option<Bytes>, Broken> {
        while let Some(frame) = self.frame().await {
            let frame = frame.map_err(|error| Broken(error.to_string()))?;
            // Trailers mean nothing here.
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }
}

/// Why there is no whole body.
#[derive(Debug)]
pub(crate) enum NoBody {
    Refused(Refused),
    Broken(Broken),
}

impl From<Refused> for NoBody {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// Refuses another type, and every encoding.
pub(super) fn check_type(headers: &HeaderMap, wanted: &str) -> Result<(), Refused> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let content_type = text(header::CONTENT_TYPE).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case(wanted) {
        let reason = format!("content-type: it must be {wanted}");
        return Err(Refused::new(RefusalKind::MediaType, reason));
    }
    match text(header::CONTENT_ENCODING) {
        None | Some("identity") => Ok(()),
        Some(_) => {
            let reason = "content-encoding: there may be none";
            Err(Refused::new(RefusalKind::MediaType, reason))
        }
    }
}

/// The whole of a body, if it comes in time. `share` keeps its room until it is dropped.
pub(super) async fn whole(
    body: &mut impl Body,
    told: Option<usize>,
    limits: &Limits,
    share: &mut Share<'_>,
    metrics: &Metrics,
) -> Result<Bytes, NoBody> {
    let reading = read(body, (told, limits.body_bytes), share);
    let Ok(whole) = timeout(limits.body_time, reading).await else {
        let reason = "body: it took too long to come";
        return Err(Refused::new(RefusalKind::TooSlow, reason).into());
    };
    let whole = whole?;
    let length = u64::try_from(whole.len()).unwrap_or(u64::MAX);
    metrics.received_bytes.fetch_add(length, Relaxed);
    Ok(whole)
}

/// The length that is told; a body that is told to be too large is refused before it comes.
pub(super) fn told(headers: &HeaderMap, most: usize) -> Result<Option<usize>, Refused> {
    let Some(length) = headers.get(header::CONTENT_LENGTH) else {
        return Ok(None);
    };
    let length = length.to_str().ok().and_then(|text| text.parse().ok());
    let Some(length) = length else {
        let reason = "content-length: it is no number that a body could have";
        return Err(Refused::new(RefusalKind::Malformed, reason));
    };
    match length <= most {
        true => Ok(Some(length)),
        false => Err(too_large(most)),
    }
}

/// The whole body.
async fn read(
    body: &mut impl Body,
    (told, most): (Option<usize>, usize),
    share: &mut Share<'_>,
) -> Result<Bytes, NoBody> {
    let mut whole = Bytes::new();
    let mut growing = BytesMut::new();
    while let Some(piece) = body.next().await.map_err(NoBody::Broken)? {
        let length = whole.len() + growing.len() + piece.len();
        if length > most {
            return Err(too_large(most).into());
        }
        if !share.grow(piece.len()) {
            let reason = "bodies of other requests take all the memory: send it again later";
            return Err(Refused::busy(Reason::Memory, reason).into());
        }
        if whole.is_empty() && growing.is_empty() {
            // Most bodies come in one piece, which needs no copy.
            whole = piece;
            continue;
        }
        if growing.is_empty() {
            growing.reserve(told.unwrap_or(0).min(FIRST_BYTES).max(length));
            growing.extend_from_slice(&std::mem::take(&mut whole));
        }
        growing.extend_from_slice(&piece);
    }
    if !growing.is_empty() {
        whole = growing.freeze();
    }
    match told {
        Some(told) if told != whole.len() => {
            let reason = format!(
                "content-length: it is {told}, but {} bytes came",
                whole.len()
            );
            Err(Refused::new(RefusalKind::Malformed, reason).into())
        }
        _ => Ok(whole),
    }
}

fn too_large(most: usize) -> Refused {
    let reason = format!("body: it is larger than {most} bytes: send fewer batches at once");
    Refused::new(RefusalKind::TooLarge, reason)
}
