//! UDP does not get through any more, and later it does again: how soon batches take the other way.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    cluster::Cluster,
    faults::{drop_udp, let_udp_through},
    metrics::{figure, page},
};

const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Until the agents run.
const START: Duration = Duration::from_secs(30);
/// Until a batch came by HTTP/1.1, the window that it waits for included. Three seconds are promised; the others
/// are for a machine that does much else.
const FALL_BACK: Duration = Duration::from_secs(5);
/// Until one came by HTTP/3 again.
const RETURN: Duration = Duration::from_secs(60);

/// Both times, as the first agent's aggregator sees them.
pub(crate) fn measure(cluster: &Cluster) -> Result<(Duration, Duration)> {
    let status = cluster.status[0];
    until_more(status, "http3", START)?;
    drop_udp(&cluster.ports)?;
    let fallen_back = until_more(status, "http1", FALL_BACK);
    let_udp_through()?;
    let returned = until_more(status, "http3", RETURN)?;
    Ok((fallen_back?, returned))
}

/// How long it takes until one more request was answered by that way.
fn until_more(status: u16, way: &str, most: Duration) -> Result<Duration> {
    let (began, mut before) = (Instant::now(), None);
    loop {
        // At the very beginning nobody listens.
        if let Ok(page) = page(status) {
            let now = answered(&page, way)?;
            if now > *before.get_or_insert(now) {
                return Ok(began.elapsed());
            }
        }
        ensure!(began.elapsed() < most, "no batch came by {way} in {most:?}");
        thread::sleep(LOOK_EVERY);
    }
}

fn answered(page: &str, way: &str) -> Result<u64> {
    let name =
        format!("podledger_aggregator_requests_total{{way=\"{way}\",outcome=\"answered\"}} ");
    figure(page, &name).with_context(|| format!("the aggregator tells no {name}"))
}
