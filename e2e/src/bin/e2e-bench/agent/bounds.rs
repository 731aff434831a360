//! The published bounds, and whether the figures keep them.

use anyhow::{Result, ensure};

use super::measured::Figures;

/// Up to this many pods the smaller bounds hold.
const USUAL_PODS: u32 = 110;

/// How many times its bound CPU time may be on a machine that does other work.
const NOISE: f64 = 3.0;

/// Fails naming every figure beyond its bound.
pub(super) fn check(figures: &Figures, factor: f64) -> Result<()> {
    let rss = if figures.pods <= USUAL_PODS {
        16.0
    } else {
        20.0
    };
    let mut at_most = vec![
        ("rss_mib", figures.rss_mib, rss),
        ("rss_fault_peak_mib", figures.rss_fault_peak_mib, 32.0),
        ("start_ms", figures.start_ms, 300.0),
    ];
    if figures.pods <= USUAL_PODS {
        // CPU time is the machine's as well: beside other work only a multiple of it is a change.
        let noise = if factor > 1.0 { NOISE } else { 1.0 };
        at_most.push(("millicores", figures.millicores, noise));
    }
    // A ratio of 20 or more is its inverse of a twentieth or less.
    at_most.extend(
        figures
            .cpu_times_better
            .map(|times| ("1 / cpu_times_better", 1.0 / times, 1.0 / 20.0)),
    );
    at_most.extend(
        figures
            .memory_times_better
            .map(|times| ("1 / memory_times_better", 1.0 / times, 1.0 / 3.0)),
    );
    let beyond: Vec<String> = at_most
        .into_iter()
        // A figure that is no number was not measured.
        .filter(|(_, figure, bound)| figure.is_nan() || *figure > bound * factor)
        .map(|(name, figure, bound)| {
            format!("{name} is {figure:.3}, at most {bound:.3} is published")
        })
        .collect();
    ensure!(beyond.is_empty(), "{}", beyond.join("; "));
    ensure!(
        figures.kubelet_most_in_flight <= 1,
        "the kubelet had two requests at once"
    );
    Ok(())
}
