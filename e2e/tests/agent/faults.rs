//! Sources that misbehave: rows go on, on time, and everything is right again afterwards.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use agent::run::{self, RunError};
use anyhow::{Context as _, Result, bail, ensure};
use e2e::{
    fakes::{ApiFault, Disturbance, ImdsFault, KubeletFault, Pod, Scene, Template, Times},
    harness::{Test, measured, say},
};
use protocol::Row;

use e2e::node::{FakeNode, INTERVAL, balance, comes_from, host, pod, pod_rows, run_until};

pub(crate) const TESTS: &[Test] = &[
    Test {
        name: "pods_faults_of_the_kubelet_cost_no_row",
        needs: &[],
        run: kubelet_faults,
    },
    Test {
        name: "pods_wrong_figures_of_one_pod_leave_the_others_alone",
        needs: &[],
        run: wrong_figures,
    },
    Test {
        name: "pods_watch_survives_every_fault",
        needs: &[],
        run: api_faults,
    },
    Test {
        name: "pods_nobody_is_there_at_the_start",
        needs: &[],
        run: nobody_at_first,
    },
    Test {
        name: "pods_rotating_credentials_lose_nothing",
        needs: &[],
        run: rotation,
    },
    Test {
        name: "pods_too_many_failures_end_the_process",
        needs: &[],
        run: gives_up,
    },
    Test {
        name: "pods_blocked_metadata_delays_nothing",
        needs: &[],
        run: blocked_metadata,
    },
];

const PODS: usize = 5;
const PATIENCE: Duration = Duration::from_secs(20);
/// Of a window beyond its length, on a machine that does other things as well.
const LATE: Duration = Duration::from_millis(400);

const FAULTS: [KubeletFault; 16] = [
    KubeletFault::Hang,
    KubeletFault::Drip(Duration::from_millis(50)),
    KubeletFault::Stall,
    KubeletFault::Unauthorized,
    KubeletFault::Forbidden,
    KubeletFault::InternalError,
    KubeletFault::Reset,
    KubeletFault::TruncatedJson,
    KubeletFault::Cut,
    KubeletFault::Endless,
    KubeletFault::WrongShape,
    KubeletFault::Html,
    KubeletFault::Empty,
    KubeletFault::WrongName,
    KubeletFault::ExpiredCertificate,
    KubeletFault::UnknownIssuer,
];

/// Good windows, a fault for two windows, good windows again, for every fault.
fn kubelet_faults() -> Result<()> {
    let node = FakeNode::new(Scene::of_size(PODS)?)?;
    let mut settings = node.settings();
    if let Some(kubelet) = &mut settings.kubelet {
        kubelet.timeout = Duration::from_millis(300);
    }
    let mut left = FAULTS.iter().copied();
    let (mut bad_windows, mut under): (u32, Option<KubeletFault>) = (0, None);
    let mut seen = Vec::new();
    let windows = run_until(settings, Duration::from_secs(120), |rows| {
        let is_good = pod_rows(rows)
            .filter(|usage| usage.memory_usage_bytes.is_some())
            .count()
            == PODS;
        if let Some(fault) = under {
            bad_windows += u32::from(!is_good);
            if bad_windows >= 2 {
                node.kubelet.heal();
                seen.push(fault);
                under = None;
            }
            return false;
        }
        if !is_good {
            return false;
        }
        bad_windows = 0;
        under = left.next();
        if let Some(fault) = under {
            node.kubelet.fail(fault, Times::Always);
            // A new connection shows another certificate.
            node.kubelet.close_connections();
        }
        under.is_none()
    })?;
    ensure!(seen.len() == FAULTS.len(), "only {seen:?} came over");
    on_time(&windows)?;
    for rows in windows.iter().skip(1) {
        let told = pod_rows(rows).count();
        ensure!(
            told == PODS,
            "{told} rows of {PODS} pods in a window under fault"
        );
    }
    ensure!(
        node.kubelet.journal().most_in_flight() <= 1,
        "the kubelet had two requests at once"
    );
    Ok(())
}

/// Each window ends when it should, and begins where the last one ended.
fn on_time(windows: &[Vec<Row>]) -> Result<()> {
    let mut before = None;
    let mut worst = Duration::ZERO;
    for rows in windows {
        let balance = balance(rows)?;
        let us = balance.window_end.unix_us - balance.window_start.unix_us;
        let length = Duration::from_micros(us.unsigned_abs());
        worst = worst.max(length);
        ensure!(us > 0 && length < INTERVAL + LATE, "a window of {length:?}");
        ensure!(
            before.is_none_or(|end| end == balance.window_start),
            "a hole between two windows"
        );
        before = Some(balance.window_end);
    }
    measured(
        "longest window under fault",
        "500 ms + 400 ms",
        &format!("{worst:?}"),
    );
    Ok(())
}

fn wrong_figures() -> Result<()> {
    for fault in [
        KubeletFault::WrongTypes,
        KubeletFault::Negative,
        KubeletFault::Overflow,
        KubeletFault::DuplicateUid,
        KubeletFault::Deep,
    ] {
        let node = FakeNode::new(Scene::of_size(PODS)?)?;
        node.kubelet.fail(fault, Times::Always);
        let mut count = 0;
        let windows = run_until(node.settings(), PATIENCE, |_| {
            count += 1;
            count >= 4
        })?;
        let rows = windows.last().context("no window")?;
        let good = pod_rows(rows)
            .filter(|usage| usage.memory_usage_bytes.is_some_and(|bytes| bytes > 0))
            .count();
        ensure!(
            good >= PODS - 1,
            "{fault:?}: {good} of {PODS} pods have their memory"
        );
        for usage in windows.iter().flat_map(|rows| pod_rows(rows)) {
            let figures = [
                usage.net_tx_bytes,
                usage.net_tx_bytes_delta,
                usage.memory_usage_bytes,
            ];
            ensure!(
                figures.iter().flatten().all(|figure| *figure >= 0),
                "{fault:?}: {usage:#?}"
            );
            ensure!(
                usage
                    .cpu_seconds
                    .is_none_or(|seconds| (0.0..1e6).contains(&seconds)),
                "{usage:#?}"
            );
        }
    }
    Ok(())
}

/// After every fault a pod that came meanwhile is known.
fn api_faults() -> Result<()> {
    let node = FakeNode::new(Scene::of_size(1)?)?;
    let faults: Vec<Box<dyn Fn() -> String + '_>> = vec![
        disturbance(&node, Disturbance::Expired),
        disturbance(&node, Disturbance::InternalError),
        disturbance(&node, Disturbance::CutMidLine),
        disturbance(&node, Disturbance::End),
        disturbance(&node, Disturbance::Silence),
        fault(&node, ApiFault::ExpiredList),
        fault(&node, ApiFault::ExpiredWatch),
        fault(&node, ApiFault::TooManyRequests(1)),
        fault(&node, ApiFault::InternalError),
        fault(&node, ApiFault::Unauthorized),
        fault(&node, ApiFault::Cut),
        fault(&node, ApiFault::Garbage),
        fault(&node, ApiFault::Reset),
        fault(&node, ApiFault::DuplicateUids),
    ];
    let mut faults = faults.into_iter().enumerate();
    let (mut waiting, mut done): (Option<(String, String, Instant)>, _) = (None, Vec::new());
    let windows = run_until(node.settings(), Duration::from_secs(170), |rows| {
        if let Some((what, name, since)) = &waiting {
            let known = pod(rows, name).is_some_and(|usage| comes_from(usage, "name=api"));
            if !known {
                return false;
            }
            done.push(format!("{what} {:.1} s", since.elapsed().as_secs_f64()));
        } else if pod_rows(rows)
            .next()
            .is_none_or(|usage| !comes_from(usage, "name=api"))
        {
            return false;
        }
        waiting = faults.next().map(|(number, fault)| {
            let (what, name) = (fault(), format!("after-{number}"));
            if let Ok(pod) = Pod::like(Template::Web, "test", &name) {
                node.scene.add(pod);
            }
            (what, name, Instant::now())
        });
        waiting.is_none()
    })?;
    ensure!(
        waiting.is_none(),
        "never known after {waiting:?}; before came {done:?}"
    );
    measured("time until the watch is right again", "-", &done.join(", "));
    let rows = windows.last().context("no window")?;
    ensure!(
        pod_rows(rows).count() == 15,
        "{} pods at the end",
        pod_rows(rows).count()
    );
    Ok(())
}

fn disturbance(node: &FakeNode, disturbance: Disturbance) -> Box<dyn Fn() -> String + '_> {
    Box::new(move || {
        node.api.disturb(disturbance);
        format!("{disturbance:?}")
    })
}

/// The open watch ends, and the next request goes wrong.
fn fault(node: &FakeNode, fault: ApiFault) -> Box<dyn Fn() -> String + '_> {
    Box::new(move || {
        node.api.fail(fault, Times::Next(1));
        let ends = match fault {
            ApiFault::ExpiredList | ApiFault::DuplicateUids => Disturbance::Expired,
            _ => Disturbance::End,
        };
        node.api.disturb(ends);
        format!("{fault:?}")
    })
}

/// Neither kubelet nor API server is there; they come later.
fn nobody_at_first() -> Result<()> {
    let node = FakeNode::new(Scene::of_size(PODS)?)?;
    let (kubelet, api) = (node.kubelet.address(), node.api.address());
    let settings = node.settings();
    let (scene, access) = (node.scene.clone(), node.access.clone());
    drop(node);
    let late = thread::spawn(move || -> Result<_> {
        thread::sleep(4 * INTERVAL);
        let kubelet = e2e::fakes::Kubelet::start_at(kubelet, &scene, &access)?;
        let api = e2e::fakes::ApiServer::start_at(api, &scene, &access, e2e::fakes::Security::Tls)?;
        thread::sleep(PATIENCE);
        Ok((kubelet, api))
    });
    let windows = run_until(settings, PATIENCE, |rows| {
        pod_rows(rows)
            .filter(|usage| comes_from(usage, "name=api"))
            .count()
            == PODS
            && pod_rows(rows).all(|usage| usage.memory_usage_bytes.is_some())
    })?;
    drop(late);
    let empty = windows
        .iter()
        .filter(|rows| pod_rows(rows).next().is_none())
        .count();
    ensure!(
        empty >= 3,
        "the first windows had rows of pods: nobody could know of them"
    );
    let rows = windows.last().context("no window")?;
    ensure!(pod_rows(rows).count() == PODS, "the pods never came");
    on_time(&windows)
}

/// Token and authority change again and again: no window is without the kubelet's figures, and the
/// watch goes on.
fn rotation() -> Result<()> {
    const EVERY: Duration = Duration::from_secs(10);
    let node = FakeNode::new(Scene::of_size(PODS)?)?;
    let mut settings = node.settings();
    settings.interval = Duration::from_secs(2);
    let (mut rotated, mut turn) = (Instant::now(), 0);
    let windows = run_until(settings, 4 * EVERY, |_| {
        if rotated.elapsed() >= EVERY {
            rotated = Instant::now();
            turn += 1;
            let changed = node.access.rotate_token();
            let changed = if turn == 2 {
                changed.and(node.access.rotate_ca())
            } else {
                changed
            };
            node.kubelet.close_connections();
            node.api.close_connections();
            let last = Pod::like(Template::Web, "test", &format!("after-{turn}"));
            if let Err(error) = changed.and(last.map(|pod| node.scene.add(pod))) {
                say(&format!("rotating: {error:#}"));
            }
        }
        false
    })?;
    ensure!(turn >= 3, "rotated {turn} times");
    let poor = windows
        .iter()
        // The last one is cut short by the end of the test.
        .take(windows.len() - 1)
        .skip(1)
        .filter(|rows| {
            pod_rows(rows)
                .filter(|usage| usage.memory_usage_bytes.is_some())
                .count()
                < PODS
        })
        .count();
    ensure!(
        poor == 0,
        "{poor} of {} windows lack the kubelet's figures",
        windows.len()
    );
    let rows = windows.last().context("no window")?;
    for turn in 1..=3 {
        let name = format!("after-{turn}");
        let known = pod(rows, &name).is_some_and(|usage| comes_from(usage, "name=api"));
        ensure!(known, "the watch does not know {name}");
    }
    Ok(())
}

fn gives_up() -> Result<()> {
    let node = FakeNode::new(Scene::of_size(1)?)?;
    node.kubelet.fail(KubeletFault::Forbidden, Times::Always);
    let mut settings = node.settings();
    settings.max_consecutive_failures = 3;
    let mut host = host("node-1")?;
    let stop = Arc::new(AtomicBool::new(false));
    let mut windows = 0;
    let ended = run::on_node(
        &mut host,
        settings,
        None,
        (Some(Instant::now() + PATIENCE), &stop),
        |_| {
            windows += 1;
            Ok(())
        },
    );
    stop.store(true, Ordering::Relaxed);
    let Err(RunError::GaveUp(last_word)) = ended else {
        bail!("it went on: {ended:?}");
    };
    let last_word = last_word.to_string();
    ensure!(windows >= 3, "gave up after {windows} windows");
    for part in [
        "kubelet failed 3 times in a row",
        "nodes/stats",
        "continues where the last row ended",
    ] {
        ensure!(last_word.contains(part), "`{part}` is not in: {last_word}");
    }
    Ok(())
}

/// The metadata service swallows every request; the Node object tells instead.
fn blocked_metadata() -> Result<()> {
    let node = FakeNode::new(Scene::of_size(PODS)?)?;
    node.imds.fail(ImdsFault::Hang, Times::Always);
    node.scene.update_node(|object| {
        object["spec"]["providerID"] = "aws:///us-east-1a/i-0123456789abcdef0".into();
        object["metadata"]["labels"]["topology.kubernetes.io/zone"] = "us-east-1a".into();
        object["metadata"]["labels"]["topology.kubernetes.io/region"] = "us-east-1".into();
        object["metadata"]["labels"]["node.kubernetes.io/instance-type"] = "m7g.large".into();
    });
    let windows = run_until(node.settings(), PATIENCE, |rows| {
        pod_rows(rows).any(|usage| usage.ec2_instance_id.is_some())
    })?;
    on_time(&windows)?;
    let rows = windows.last().context("no window")?;
    let usage = pod_rows(rows).next().context("no row")?;
    ensure!(
        usage.ec2_instance_id.as_deref() == Some("i-0123456789abcdef0"),
        "{usage:#?}"
    );
    ensure!(usage.zone.as_deref() == Some("us-east-1a"), "{usage:#?}");
    ensure!(
        usage.instance_type.as_deref() == Some("m7g.large"),
        "{usage:#?}"
    );
    ensure!(comes_from(usage, "instance=node"), "{:?}", usage.sources);
    Ok(())
}
