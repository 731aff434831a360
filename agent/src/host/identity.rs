//! Who writes the rows: node, boot and this start of the agent.

use std::fs;

use protocol::{Epoch, Origin};

use super::Settings;

/// The origin of this start's rows, `seq` 0.
pub fn origin(settings: &Settings) -> Origin {
    let node = settings.node_name.clone();
    let node = node.or_else(|| read("/proc/sys/kernel/hostname"));
    let cluster = settings.cluster_name.clone();
    Origin {
        cluster_id: cluster.unwrap_or_else(|| "local".to_owned()),
        node_name: node.unwrap_or_else(|| "localhost".to_owned()),
        boot_id: boot_id(),
        epoch: epoch().to_string(),
        seq: 0,
    }
}

/// The kernel's name for this boot.
pub fn boot_id() -> String {
    read("/proc/sys/kernel/random/boot_id").unwrap_or_default()
}

/// 128 random bits.
pub fn epoch() -> Epoch {
    Epoch(rand::random())
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path)
        .ok()
        .map(|text| text.trim().to_owned())
}
