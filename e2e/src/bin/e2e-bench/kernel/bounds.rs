//! The published bounds, and whether the figures keep them.

use anyhow::{Result, ensure};

use super::report::Figures;

/// Loopback throughput with the agent over that without is at least this.
const LOOPBACK_RATIO: f64 = 0.97;
/// The factor of a check on a machine that does nothing else.
const QUIET: f64 = 1.0;

/// Fails naming every figure beyond its bound. Other work on the machine makes figures worse, so a
/// check beside other work takes a factor above 1. It leaves out the throughput on loopback: most of
/// what that loses is what the kernel takes for any program at these hooks, and other work hides it.
pub(super) fn check(figures: &Figures, factor: f64) -> Result<()> {
    let loopback = (factor <= QUIET).then_some((
        "time lost on loopback",
        1.0 - figures.loopback_ratio,
        1.0 - LOOPBACK_RATIO,
    ));
    let at_most = [
        ("egress_ns_over_empty", figures.egress_ns_over_empty, 20.0),
        ("ingress_ns_over_empty", figures.ingress_ns_over_empty, 20.0),
        (
            "class_miss_ns_over_empty",
            figures.class_miss_ns_over_empty,
            120.0,
        ),
        (
            "cpu_event_ns_over_empty",
            figures.cpu_event_ns_over_empty,
            40.0,
        ),
        ("agent_rss_mib", figures.agent_rss_mib, 12.0),
        ("map_mib", figures.map_mib, 8.0),
        ("agent_cpu_ms_per_read", figures.agent_cpu_ms_per_read, 2.0),
    ];
    let beyond: Vec<String> = at_most
        .into_iter()
        .chain(loopback)
        // A figure that is no number was not measured.
        .filter(|(_, figure, bound)| figure.is_nan() || *figure > bound * factor)
        .map(|(name, figure, bound)| format!("{name} is {figure}, at most {bound} is published"))
        .collect();
    ensure!(beyond.is_empty(), "{}", beyond.join("; "));
    Ok(())
}
