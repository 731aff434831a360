//! Tells a network that swallows UDP from an aggregator that takes its time: the latter acknowledges
//! what it gets. That its packets come is not enough: where ours alone are swallowed it sends its last answer
//! again and again, for seconds.

use std::time::Duration;

use quinn::VarInt;
use tokio::time::{Instant, sleep};

use super::connect::RECEIVE_WINDOW;

/// Looks within the patience.
const LOOKS: u32 = 6;

/// Ends when nothing of ours was acknowledged for as long as `patience`, though that was asked for. Each
/// acknowledgement moves the round trip's smoothed nanoseconds.
pub(super) async fn lasts(quic: &quinn::Connection, patience: Duration) {
    let mut heard = quic.rtt();
    let mut since = Instant::now();
    let mut is_asked = false;
    loop {
        sleep(patience / LOOKS).await;
        let now_heard = quic.rtt();
        if now_heard != heard {
            (heard, since, is_asked) = (now_heard, Instant::now(), false);
        } else if since.elapsed() >= patience {
            return;
        } else if !is_asked && since.elapsed() >= patience / 3 {
            ask(quic);
            is_asked = true;
        }
    }
}

/// Makes the other side acknowledge something. A window that is widened by a byte must be told to it;
/// narrowed again, it is what it was.
fn ask(quic: &quinn::Connection) {
    quic.set_receive_window(VarInt::from_u32(RECEIVE_WINDOW + 1));
    quic.set_receive_window(VarInt::from_u32(RECEIVE_WINDOW));
}
