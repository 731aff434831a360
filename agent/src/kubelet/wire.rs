//! The fields of a summary that are read, by the kubelet's names. Everything else is passed over.

use serde::Deserialize;

use super::lenient::{Part, Raw};

#[derive(Deserialize)]
pub(super) struct Node<'a> {
    #[serde(borrow, default, rename = "nodeName")]
    pub name: Raw<'a>,
    #[serde(borrow, default, rename = "startTime")]
    pub start_time: Raw<'a>,
    #[serde(borrow, default)]
    pub cpu: Part<Cpu<'a>>,
    #[serde(borrow, default)]
    pub memory: Part<Memory<'a>>,
    #[serde(borrow, default)]
    pub io: Part<Io<'a>>,
    #[serde(borrow, default)]
    pub network: Part<Network<'a>>,
    #[serde(borrow, default)]
    pub swap: Part<Swap<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Pod<'a> {
    #[serde(borrow, default, rename = "podRef")]
    pub reference: Part<Reference<'a>>,
    #[serde(borrow, default, rename = "startTime")]
    pub start_time: Raw<'a>,
    /// Only looked at where the pod has no figures of its own.
    #[serde(borrow, default)]
    pub containers: Raw<'a>,
    #[serde(borrow, default)]
    pub cpu: Part<Cpu<'a>>,
    #[serde(borrow, default)]
    pub memory: Part<Memory<'a>>,
    #[serde(borrow, default)]
    pub io: Part<Io<'a>>,
    #[serde(borrow, default)]
    pub network: Part<Network<'a>>,
    #[serde(borrow, default)]
    pub swap: Part<Swap<'a>>,
    #[serde(borrow, default, rename = "ephemeral-storage")]
    pub storage: Part<Storage<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Reference<'a> {
    #[serde(borrow, default)]
    pub name: Raw<'a>,
    #[serde(borrow, default)]
    pub namespace: Raw<'a>,
    #[serde(borrow, default)]
    pub uid: Raw<'a>,
}

#[derive(Deserialize)]
pub(super) struct Container<'a> {
    #[serde(borrow, default)]
    pub cpu: Part<Cpu<'a>>,
    #[serde(borrow, default)]
    pub memory: Part<Memory<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Cpu<'a> {
    #[serde(borrow, default)]
    pub time: Raw<'a>,
    #[serde(borrow, default, rename = "usageNanoCores")]
    pub usage_nano_cores: Raw<'a>,
    #[serde(borrow, default, rename = "usageCoreNanoSeconds")]
    pub usage_core_ns: Raw<'a>,
    #[serde(borrow, default)]
    pub psi: Part<Pressure<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Memory<'a> {
    #[serde(borrow, default)]
    pub time: Raw<'a>,
    #[serde(borrow, default, rename = "usageBytes")]
    pub usage_bytes: Raw<'a>,
    #[serde(borrow, default, rename = "workingSetBytes")]
    pub working_set_bytes: Raw<'a>,
    #[serde(borrow, default, rename = "rssBytes")]
    pub rss_bytes: Raw<'a>,
    #[serde(borrow, default)]
    pub psi: Part<Pressure<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Io<'a> {
    #[serde(borrow, default)]
    pub psi: Part<Pressure<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Network<'a> {
    #[serde(borrow, default)]
    pub time: Raw<'a>,
    #[serde(borrow, default, rename = "rxBytes")]
    pub rx_bytes: Raw<'a>,
    #[serde(borrow, default, rename = "txBytes")]
    pub tx_bytes: Raw<'a>,
}

#[derive(Deserialize)]
pub(super) struct Swap<'a> {
    #[serde(borrow, default, rename = "swapUsageBytes")]
    pub usage_bytes: Raw<'a>,
}

#[derive(Deserialize)]
pub(super) struct Storage<'a> {
    #[serde(borrow, default, rename = "usedBytes")]
    pub used_bytes: Raw<'a>,
}

#[derive(Deserialize)]
pub(super) struct Pressure<'a> {
    #[serde(borrow, default)]
    pub some: Part<Stall<'a>>,
    #[serde(borrow, default)]
    pub full: Part<Stall<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Stall<'a> {
    #[serde(borrow, default)]
    pub total: Raw<'a>,
}
