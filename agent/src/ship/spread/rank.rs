//! Rendezvous hashing: who is whose. Every agent tells by itself, without knowing the others, and where
//! an address comes or goes only those move who are its own.

use std::{cmp::Reverse, net::IpAddr};

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

/// How much a node is drawn to an address. All versions of the agent must agree, or an upgrade makes all
/// of them move.
pub(super) fn weight(node: &str, address: IpAddr) -> u64 {
    let hash = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME);
    let of_node = node.as_bytes().iter().fold(FNV_OFFSET, hash);
    let whole = match address {
        IpAddr::V4(address) => address.octets().iter().fold(of_node, hash),
        IpAddr::V6(address) => address.octets().iter().fold(of_node, hash),
    };
    mixed(whole)
}

/// The best one for this node first.
pub(super) fn rank<T>(node: &str, places: &mut [T], address: impl Fn(&T) -> IpAddr) {
    places.sort_by_cached_key(|place| {
        let address = address(place);
        (Reverse(weight(node, address)), address)
    });
}

/// Each bit of the result depends on all bits (the last steps of `SplitMix64`).
fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
