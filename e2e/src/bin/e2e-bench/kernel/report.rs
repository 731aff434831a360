//! All figures, as JSON for comparison with the committed bounds and as a table for reading.

use std::fmt;

use anyhow::Result;
use serde::Serialize;

use super::{
    agent_process::{self, Rss},
    attached::{self, Attached},
    loopback::{self, Ratios},
    maps::{self, MapMemory},
    read_cost,
    scheduler::{self, Scheduler},
    test_runs::{self, TestRuns},
};
use crate::numbers::{mib, rounded};

/// One number for each published bound, and what others cost at the same hooks.
#[derive(Serialize)]
pub(super) struct Figures {
    pub(super) egress_ns_over_empty: f64,
    pub(super) ingress_ns_over_empty: f64,
    pub(super) class_miss_ns_over_empty: f64,
    pub(super) cpu_event_ns_over_empty: f64,
    pub(super) loopback_ratio: f64,
    pub(super) agent_rss_mib: f64,
    pub(super) map_mib: f64,
    pub(super) agent_cpu_ms_per_read: f64,
    pub(super) systemd_egress_ns_over_empty: f64,
    pub(super) systemd_ingress_ns_over_empty: f64,
    pub(super) bcc_cpu_event_ns_over_empty: f64,
}

/// The figures and how they came about.
pub(super) struct Report {
    pub(super) figures: Figures,
    test_runs: TestRuns,
    attached: Attached,
    scheduler: Scheduler,
    loopback: Ratios,
    maps: MapMemory,
    rss: Rss,
}

/// Measures everything; a few minutes.
pub(super) fn measure() -> Result<Report> {
    let test_runs = test_runs::measure()?;
    let attached = attached::measure()?;
    let scheduler = scheduler::measure()?;
    let loopback = loopback::measure()?;
    let maps = maps::measure()?;
    let rss = agent_process::measure()?;
    let figures = Figures {
        egress_ns_over_empty: rounded(test_runs.egress),
        ingress_ns_over_empty: rounded(test_runs.ingress),
        class_miss_ns_over_empty: rounded(attached.egress_miss.max(attached.ingress_miss)),
        cpu_event_ns_over_empty: rounded(scheduler.cpu_event),
        loopback_ratio: (loopback.ours * 10_000.0).round() / 10_000.0,
        agent_rss_mib: rounded(mib(rss.bytes)),
        map_mib: rounded(mib(maps.told.max(maps.here.total()))),
        agent_cpu_ms_per_read: rounded(read_cost::measure()?),
        systemd_egress_ns_over_empty: rounded(test_runs.systemd_egress),
        systemd_ingress_ns_over_empty: rounded(test_runs.systemd_ingress),
        bcc_cpu_event_ns_over_empty: rounded(scheduler.bcc_event),
    };
    Ok(Report {
        figures,
        test_runs,
        attached,
        scheduler,
        loopback,
        maps,
        rss,
    })
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (figures, attached) = (&self.figures, &self.attached);
        writeln!(out, "Packets, ns over an empty program at the same hook")?;
        writeln!(out, "{:<44} {:>8} {:>8}", "", "egress", "ingress")?;
        let mut pair = |name, egress: f64, ingress: f64| {
            writeln!(out, "{name:<44} {egress:>8.1} {ingress:>8.1}")
        };
        pair(
            "ours, class in the cache, test run",
            figures.egress_ns_over_empty,
            figures.ingress_ns_over_empty,
        )?;
        pair(
            "systemd's IP accounting, test run",
            figures.systemd_egress_ns_over_empty,
            figures.systemd_ingress_ns_over_empty,
        )?;
        pair(
            "ours, class in the cache, real datagrams",
            attached.egress_hit,
            attached.ingress_hit,
        )?;
        pair(
            "ours, 500 prefixes asked, real datagrams",
            attached.egress_miss,
            attached.ingress_miss,
        )?;
        writeln!(
            out,
            "{:<44} {:>8.1}",
            "ours, IPv6, test run", self.test_runs.egress_v6
        )?;
        self.scheduler(out)?;
        self.whole(out)
    }
}

impl Report {
    fn scheduler(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheduler = &self.scheduler;
        writeln!(
            out,
            "\nScheduler, ns over an empty program at the same tracepoint"
        )?;
        writeln!(
            out,
            "{:<44} {:>8.1}   {:.2} events a switch",
            "ours, an event", scheduler.cpu_event, scheduler.events_per_switch
        )?;
        writeln!(
            out,
            "{:<44} {:>8.1}",
            "a time for each switch, as BCC's cpudist", scheduler.bcc_event
        )?;
        for (name, cost) in &scheduler.tools {
            match cost {
                Ok(ns) => writeln!(out, "{:<44} {ns:>8.1}", format!("{name}, the real tool"))?,
                Err(error) => writeln!(out, "{:<44} {error:#}", format!("{name}, the real tool"))?,
            }
        }
        Ok(())
    }

    fn whole(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (figures, maps) = (&self.figures, &self.maps);
        writeln!(out, "\nThe whole")?;
        writeln!(
            out,
            "{:<44} {:>8.4}   empty programs {:.4}, systemd's alone {:.4}",
            "loopback throughput, with over without",
            figures.loopback_ratio,
            self.loopback.empty,
            self.loopback.systemd
        )?;
        writeln!(
            out,
            "{:<44} {:>8.2} ms of CPU time",
            "one read, 500 cgroups", figures.agent_cpu_ms_per_read
        )?;
        writeln!(
            out,
            "{:<44} {:>8.2} MiB: {}",
            "agent, 500 cgroups", figures.agent_rss_mib, self.rss.of
        )?;
        let mut memory = |name, bytes| writeln!(out, "{name:<44} {:>8.2} MiB", mib(bytes));
        memory("maps, 2,000 cgroups, the kernel's figure", maps.told)?;
        memory("maps, calculated for this machine", maps.here.total())?;
        memory("maps, calculated for 96 CPUs", maps.large.total())
    }
}
