//! Bytes and packets by cgroup and class, where packets leave and reach sockets. The cgroup is the
//! socket's own, so pods that share the host's network namespace are told apart.

use agent_common::{
    loss::LOSS_NETWORK_FULL,
    network::{CLASSES, NetworkUsage, Traffic, network_key},
};
use aya_ebpf::{
    helpers::{bpf_get_smp_processor_id, generated::bpf_skb_cgroup_id},
    macros::cgroup_skb,
    programs::SkBuffContext,
};

use crate::{
    atomic,
    class::classify,
    globals,
    maps::{NETWORK, NETWORK_KEYS, NETWORK_TOTALS, lose},
    packet::{Direction, Weight, weight},
    table::Table,
};

/// Let the packet pass.
const PASS: i32 = 1;

#[cgroup_skb]
pub fn network_egress(ctx: SkBuffContext) -> i32 {
    count(&ctx, Direction::Egress);
    PASS
}

#[cgroup_skb]
pub fn network_ingress(ctx: SkBuffContext) -> i32 {
    count(&ctx, Direction::Ingress);
    PASS
}

#[inline(always)]
fn count(ctx: &SkBuffContext, direction: Direction) {
    // SAFETY: helpers on the context the kernel passed.
    let (cgroup_id, cpu) = unsafe { (bpf_skb_cgroup_id(ctx.skb.skb), bpf_get_smp_processor_id()) };
    let weight = weight(ctx);
    let key = network_key(cgroup_id, cpu & globals::shard_mask());
    let account = accounts().find(key).or_else(|| open_account(key));
    if let Some(totals) = NETWORK_TOTALS.get_ptr_mut(0) {
        // SAFETY: fields of a live value.
        unsafe {
            add(&raw mut (*totals).total, direction, &weight);
            if account.is_none() {
                add(&raw mut (*totals).unattributed, direction, &weight);
            }
        }
    }
    if let Some(account) = account {
        let class = classify(ctx, direction) as usize;
        if class < CLASSES {
            // SAFETY: a live value, the index is below its length.
            let cell = unsafe { (&raw mut (*account).classes).cast::<Traffic>().add(class) };
            add(cell, direction, &weight);
        }
    }
}

#[inline(always)]
fn accounts() -> Table<NetworkUsage> {
    Table {
        keys: &NETWORK_KEYS,
        accounts: &NETWORK,
        mask: globals::network_mask(),
    }
}

#[inline(never)]
fn open_account(key: u64) -> Option<*mut NetworkUsage> {
    let account = accounts().open(key);
    if account.is_none() {
        lose(LOSS_NETWORK_FULL);
    }
    account
}

/// Atomic even in per-CPU cells: a packet in an interrupt may come between load and store.
#[inline(always)]
fn add(cell: *mut Traffic, direction: Direction, weight: &Weight) {
    // SAFETY: fields of a live value.
    let (bytes, packets) = unsafe {
        match direction {
            Direction::Egress => (&raw mut (*cell).tx_bytes, &raw mut (*cell).tx_packets),
            Direction::Ingress => (&raw mut (*cell).rx_bytes, &raw mut (*cell).rx_packets),
        }
    };
    atomic::add(bytes, weight.bytes);
    atomic::add(packets, weight.packets);
}
