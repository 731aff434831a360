//! The published bounds, and whether the figures keep them.

use anyhow::{Result, ensure};

use super::report::Figures;

/// Loopback throughput with the agent over that without is at least this.
const LOOPBACK_RATIO: f64 = 0.97;
/// The factor of a check on a machine that does nothing else.
const QUIET: f64 = 1.0;

/// A bound, and what a comparator at the same hook took in the same run.
struct Bound {
    name: &'static str,
    figure: f64,
    most: f64,
    /// The comparator's figure, and how many times that is allowed as well.
    beside: Option<(f64, f64)>,
}

impl Bound {
    fn of(name: &'static str, figure: f64, most: f64) -> Self {
        Self {
            name,
            figure,
            most,
            beside: None,
        }
    }

    /// Machines differ by more than any change does, and the comparator with them.
    fn beside(self, comparator: f64, times: f64) -> Self {
        Self {
            beside: Some((comparator, times)),
            ..self
        }
    }

    fn is_kept(&self, factor: f64) -> bool {
        let in_proportion = |(comparator, times): (f64, f64)| {
            factor > QUIET && self.figure <= comparator * times * factor
        };
        // A figure that is no number was not measured.
        self.figure <= self.most * factor || self.beside.is_some_and(in_proportion)
    }
}

/// Fails naming every figure beyond its bound. Other work on the machine makes figures worse, so a
/// check beside other work takes a factor above 1; it takes the comparators of the same run as a measure
/// as well. It leaves out the throughput on loopback: most of what that loses is what the kernel takes
/// for any program at these hooks, and other work hides it.
pub(super) fn check(figures: &Figures, factor: f64) -> Result<()> {
    let loopback = (factor <= QUIET).then_some(Bound::of(
        "time lost on loopback",
        1.0 - figures.loopback_ratio,
        1.0 - LOOPBACK_RATIO,
    ));
    let (sent, received) = (
        figures.systemd_egress_ns_over_empty,
        figures.systemd_ingress_ns_over_empty,
    );
    let at_most = [
        Bound::of("egress_ns_over_empty", figures.egress_ns_over_empty, 20.0).beside(sent, 2.5),
        Bound::of("ingress_ns_over_empty", figures.ingress_ns_over_empty, 20.0)
            .beside(received, 2.5),
        Bound::of(
            "class_miss_ns_over_empty",
            figures.class_miss_ns_over_empty,
            120.0,
        )
        .beside(sent, 11.0),
        Bound::of(
            "cpu_event_ns_over_empty",
            figures.cpu_event_ns_over_empty,
            40.0,
        )
        .beside(figures.bcc_cpu_event_ns_over_empty, 0.4),
        Bound::of("agent_rss_mib", figures.agent_rss_mib, 12.0),
        Bound::of("map_mib", figures.map_mib, 8.0),
        Bound::of("agent_cpu_ms_per_read", figures.agent_cpu_ms_per_read, 2.0),
    ];
    let beyond: Vec<String> = at_most
        .into_iter()
        .chain(loopback)
        .filter(|bound| !bound.is_kept(factor))
        .map(
            |Bound {
                 name, figure, most, ..
             }| { format!("{name} is {figure}, at most {most} is published") },
        )
        .collect();
    ensure!(beyond.is_empty(), "{}", beyond.join("; "));
    Ok(())
}
