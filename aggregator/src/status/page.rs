//! The metrics as a page in the Prometheus text format, version 0.0.4.

use std::{
    fmt::{Display, Write as _},
    sync::atomic::Ordering::Relaxed,
};

use super::{
    label::{Counts, Label, Pairs},
    metrics::{BOUNDS, Metrics, Times},
};

/// The content type of a page.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page in the making. Texts come from this program alone, so that nothing is escaped.
#[derive(Debug, Default)]
pub struct Page(String);

impl Page {
    /// The metrics of the front.
    pub(super) fn of(metrics: &Metrics) -> Self {
        let mut page = Self(String::with_capacity(8 * 1_024));
        page.head(
            "podledger_aggregator_build_info",
            "gauge",
            "Always 1; the label tells the version.",
        );
        page.line(
            "podledger_aggregator_build_info",
            &[("version", env!("CARGO_PKG_VERSION"))],
            1,
        );
        page.requests(metrics);
        page.connections(metrics);
        page.head(
            "podledger_aggregator_token_verdicts_total",
            "counter",
            "Tokens, by what became of them.",
        );
        page.counts(
            "podledger_aggregator_token_verdicts_total",
            "verdict",
            &metrics.verdicts,
        );
        page.head(
            "podledger_aggregator_certificate_reloads_total",
            "counter",
            "New certificates, by what became of them.",
        );
        page.counts(
            "podledger_aggregator_certificate_reloads_total",
            "outcome",
            &metrics.reloads,
        );
        page
    }

    fn requests(&mut self, metrics: &Metrics) {
        self.head(
            "podledger_aggregator_requests_total",
            "counter",
            "Requests, by way and outcome.",
        );
        self.pairs(
            "podledger_aggregator_requests_total",
            ("way", "outcome"),
            &metrics.requests,
        );
        self.head(
            "podledger_aggregator_refused_total",
            "counter",
            "Refused requests, by reason.",
        );
        self.counts(
            "podledger_aggregator_refused_total",
            "reason",
            &metrics.refused,
        );
        let in_flight = metrics.in_flight.load(Relaxed);
        self.gauge(
            "podledger_aggregator_requests_in_flight",
            "Requests that are being answered.",
            in_flight,
        );
        let bytes = metrics.received_bytes.load(Relaxed);
        self.counter(
            "podledger_aggregator_received_bytes_total",
            "Bytes of request bodies.",
            bytes,
        );
        self.times(
            "podledger_aggregator_take_seconds",
            "Time from a request's header to its answer.",
            &metrics.times,
        );
    }

    fn connections(&mut self, metrics: &Metrics) {
        self.head(
            "podledger_aggregator_connections",
            "gauge",
            "Open connections, by way.",
        );
        self.counts(
            "podledger_aggregator_connections",
            "way",
            &metrics.connections,
        );
        self.head(
            "podledger_aggregator_closed_total",
            "counter",
            "Connections that ended or were not let in, by reason.",
        );
        self.pairs(
            "podledger_aggregator_closed_total",
            ("way", "reason"),
            &metrics.closed,
        );
        let retries = metrics.retries.load(Relaxed);
        let help = "Clients that had to show that their address is theirs.";
        self.counter("podledger_aggregator_address_checks_total", help, retries);
    }

    /// A number that only grows.
    pub fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, "counter", help);
        self.line(name, &[], value);
    }

    /// A number that goes up and down.
    pub fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, "gauge", help);
        self.line(name, &[], value);
    }

    /// What stands before a metric's lines.
    pub fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.write(format_args!("# HELP {name} {help}\n"));
        self.write(format_args!("# TYPE {name} {kind}\n"));
    }

    /// One line.
    pub fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.write(format_args!("{name}"));
        for (index, (label, text)) in labels.iter().enumerate() {
            self.0.push(if index == 0 { '{' } else { ',' });
            self.write(format_args!("{label}=\"{text}\""));
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        self.write(format_args!(" {value}\n"));
    }

    fn counts<L: Label>(&mut self, name: &str, label: &str, counts: &Counts<L>) {
        for (text, value) in counts.each() {
            self.line(name, &[(label, text)], value);
        }
    }

    fn pairs<A: Label, B: Label>(&mut self, name: &str, labels: (&str, &str), pairs: &Pairs<A, B>) {
        for (first, counts) in pairs.each() {
            for (second, value) in counts.each() {
                self.line(name, &[(labels.0, first), (labels.1, second)], value);
            }
        }
    }

    fn times(&mut self, name: &str, help: &str, times: &Times) {
        self.head(name, "histogram", help);
        let bucket = format!("{name}_bucket");
        let mut sum = 0;
        for (bound, count) in BOUNDS.iter().zip(&times.buckets) {
            sum += count.load(Relaxed);
            self.line(&bucket, &[("le", &bound.to_string())], sum);
        }
        // One that is counted between these reads may not make the last bucket less than the others.
        let count = times.count.load(Relaxed).max(sum);
        self.line(&bucket, &[("le", "+Inf")], count);
        let seconds = times.micros.load(Relaxed) as f64 / 1e6;
        self.line(&format!("{name}_sum"), &[], seconds);
        self.line(&format!("{name}_count"), &[], count);
    }

    fn write(&mut self, arguments: std::fmt::Arguments<'_>) {
        // A string takes everything.
        self.0.write_fmt(arguments).unwrap_or_default();
    }

    /// The text.
    pub(crate) fn into_text(self) -> String {
        self.0
    }
}
