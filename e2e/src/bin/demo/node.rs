//! The second part: the agent of a node, which asks a kubelet, an API server and a metadata service.

use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use agent::run;
use anyhow::{Context as _, Result};
use e2e::{
    fakes::Scene,
    node::{self, FakeNode},
};

use crate::{
    CLOSING_PATIENCE, INTERVAL, Show, ledger::Ledger, pod_summary::PodSummary, pods,
    verdicts::Verdicts,
};

/// The pods end this long before the part does, and their last rows come.
const CLOSING: Duration = Duration::from_secs(2);

/// Runs it and tells its summary; whether that agrees.
pub(crate) fn run(
    length: Duration,
    stop: &Arc<AtomicBool>,
    mut show: Show,
    ledger: &mut Ledger,
    told: &mut impl Write,
) -> Result<bool> {
    let end = Instant::now() + length;
    let fakes = FakeNode::new(Scene::of_size(0)?)?;
    let mut settings = fakes.settings();
    settings.interval = INTERVAL;
    let mut host = node::host(&fakes.scene.node_name())?;
    let mut shipping = ledger.shipping(&mut host)?;
    // The pods end when somebody stops the demo, and the agent when it told of their end.
    let over = Arc::new(AtomicBool::new(false));
    let (counting, begin) = mpsc::channel::<()>();
    let driver = {
        let (scene, over) = (fakes.scene.clone(), Arc::clone(&over));
        let stops = [Arc::clone(stop), Arc::clone(&over)];
        thread::spawn(move || {
            let lived = pods::live_and_die(&scene, &begin, end - CLOSING, &stops);
            if lived.is_err() {
                over.store(true, Ordering::Relaxed);
            }
            lived
        })
    };
    let mut summary = PodSummary::default();
    let shown = run::on_node(
        &mut host,
        settings,
        Some(&mut shipping),
        (Some(end + CLOSING_PATIENCE), &over),
        |rows| {
            // From the first window on everything is counted. It listens to the first word only.
            counting.send(()).unwrap_or_default();
            ledger.count(rows);
            summary.add(rows);
            if driver.is_finished() && summary.is_complete() {
                over.store(true, Ordering::Relaxed);
            }
            show.window(rows)
        },
    );
    over.store(true, Ordering::Relaxed);
    drop(counting);
    let truths = driver
        .join()
        .map_err(|_| anyhow::anyhow!("the pods' thread panicked"))?;
    shown?;
    let mut verdicts = Verdicts::new(told, host.sources());
    summary
        .judge(&mut verdicts, &truths?)
        .context("writing the summary")?;
    Ok(verdicts.agrees())
}
