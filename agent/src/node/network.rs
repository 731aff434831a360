//! The node's own interfaces and their counters, which hold all that enters and leaves it, once: not
//! those of pods and bridges behind them, and not those built of others.

use serde::{Deserialize, Serialize};
use std::{fs, path::Path};

use super::file::Files;

/// One interface of the node, since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nic {
    /// Its name.
    pub name: String,
    /// Bytes sent, link headers included.
    pub tx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Packets not sent.
    pub tx_dropped: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets received.
    pub rx_packets: u64,
    /// Packets not kept.
    pub rx_dropped: u64,
}

/// Reads the counters of the node's own interfaces; an empty list if it has none.
pub(super) fn read(files: &mut Files<'_>) -> Option<Vec<Nic>> {
    let mut nics: Vec<Nic> = of_host(files, "dev", |text| {
        text.lines().filter_map(parse).collect()
    })?;
    let class = files.sys_path("class/net");
    let is_physical = |name: &str| class.join(name).join("device").exists();
    if nics.iter().any(|nic| is_physical(&nic.name)) {
        nics.retain(|nic| is_physical(&nic.name) && !is_counted_by_master(&class, &nic.name));
    } else {
        // A node in a container, as kind's, has a virtual interface only.
        let default = default_route(files);
        nics.retain(|nic| Some(&nic.name) == default.as_ref());
    }
    Some(nics)
}

/// A file of the host's network namespace, which is that of process 1 for those who see it; else our own.
fn of_host<T>(files: &mut Files<'_>, name: &str, parse: impl Fn(&str) -> T) -> Option<T> {
    let places = [format!("1/net/{name}"), format!("net/{name}")];
    places
        .iter()
        .find_map(|place| files.proc(place).map(|text| parse(&text)))
}

/// `eth0: 2541196 6784 0 0 ...`: eight figures of what was received, eight of what was sent. Both begin
/// with bytes, packets, errors, dropped.
fn parse(line: &str) -> Option<Nic> {
    let (name, counters) = line.rsplit_once(':')?;
    let counters: Vec<u64> = counters
        .split_ascii_whitespace()
        .map_while(|counter| counter.parse().ok())
        .collect();
    let [
        rx_bytes,
        rx_packets,
        _,
        rx_dropped,
        _,
        _,
        _,
        _,
        tx_bytes,
        tx_packets,
        _,
        tx_dropped,
        ..,
    ] = *counters
    else {
        return None;
    };
    let name = name.trim_start();
    // The name becomes part of a path.
    let is_name = !name.is_empty() && !name.contains('/') && !name.starts_with('.');
    (is_name && name != "lo").then(|| Nic {
        name: name.to_owned(),
        tx_bytes,
        tx_packets,
        tx_dropped,
        rx_bytes,
        rx_packets,
        rx_dropped,
    })
}

/// A bond of physical interfaces is none itself, and its members count. Where a hypervisor's interface
/// has a faster one below it (Azure's `hv_netvsc`), both are physical and the upper one counts both.
fn is_counted_by_master(class: &Path, name: &str) -> bool {
    let master = fs::read_link(class.join(name).join("master"));
    let master = master.ok().and_then(|master| {
        let name = master.file_name()?;
        Some(class.join(name).join("device"))
    });
    master.is_some_and(|device| device.exists())
}

/// The interface that the best default route takes.
fn default_route(files: &mut Files<'_>) -> Option<String> {
    let v4 = of_host(files, "route", |text| {
        best(text.lines().filter_map(route_v4))
    });
    v4.flatten().or_else(|| {
        let v6 = of_host(files, "ipv6_route", |text| {
            best(text.lines().filter_map(route_v6))
        });
        v6.flatten()
    })
}

/// Of routes with their metrics, the one of the least; the first of equal ones.
fn best<'a>(routes: impl Iterator<Item = (u32, &'a str)>) -> Option<String> {
    let (_, name) = routes.min_by_key(|(metric, _)| *metric)?;
    Some(name.to_owned())
}

/// `eth0 00000000 0202000A 0003 0 0 100 00000000 0 0 0`: interface, destination, gateway, flags, users,
/// uses, metric, mask.
fn route_v4(line: &str) -> Option<(u32, &str)> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let [name, "00000000", _, flags, _, _, metric, "00000000", ..] = *fields else {
        return None;
    };
    let flags = u32::from_str_radix(flags, 16).ok()?;
    let is_up = flags & 1 != 0;
    (is_up && name != "lo").then_some((metric.parse().ok()?, name))
}

/// Destination, its length, source, its length, gateway, metric, users, uses, flags, interface.
fn route_v6(line: &str) -> Option<(u32, &str)> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let [destination, "00", _, _, _, metric, _, _, _, name] = *fields else {
        return None;
    };
    let is_default = destination.bytes().all(|digit| digit == b'0');
    let metric = u32::from_str_radix(metric, 16).ok()?;
    (is_default && name != "lo").then_some((metric, name))
}
