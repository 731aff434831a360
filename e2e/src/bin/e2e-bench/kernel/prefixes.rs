//! 500 prefixes, and addresses of theirs that push each other out of the class cache.

use std::net::Ipv4Addr;

use agent::kernel::{Prefix, default_prefixes};
use agent_common::network::{CLASS_CROSS_ZONE, cache_check, cache_index};

/// Prefixes in the tables when a miss is measured.
pub(super) const PREFIXES: usize = 500;
/// Addresses that share one entry of the cache.
const RIVALS: usize = 32;
/// The networks of the prefixes lie in 127.128.0.0/9: packets to them stay on this host.
const NETWORK: u32 = 0x7f80_0000;

/// The defaults and enough networks of 256 addresses, spread as a cluster's pod networks are.
pub(super) fn many() -> Vec<Prefix> {
    let mut prefixes = default_prefixes();
    let missing = PREFIXES - prefixes.len();
    prefixes.extend(networks().take(missing).map(|network| Prefix {
        address: Ipv4Addr::from(network).into(),
        bits: 24,
        class: CLASS_CROSS_ZONE,
    }));
    prefixes
}

/// Every 61st of 32,768 networks: no two alike before all were told.
fn networks() -> impl Iterator<Item = u32> {
    (1..).map(|number: u32| NETWORK | (number * 61 % 32_768) << 8)
}

/// Addresses of different networks of [`many`] that share the cache entry `entry`: asked for in
/// turn, each has been pushed out by the one before.
pub(super) fn rivals(entry: u32) -> Vec<Ipv4Addr> {
    networks()
        .take(PREFIXES / 2)
        .filter_map(|network| {
            (1..255)
                .map(|host| Ipv4Addr::from(network | host))
                .find(|address| entry_of(*address) == entry)
        })
        .take(RIVALS)
        .collect()
}

fn entry_of(address: Ipv4Addr) -> u32 {
    let low = u32::from_ne_bytes(address.octets());
    cache_index(cache_check(0, u64::from(low)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rivals_share_an_entry_and_differ_in_their_network() {
        let rivals = rivals(7);
        assert_eq!(rivals.len(), RIVALS);
        assert!(rivals.iter().all(|address| entry_of(*address) == 7));
        assert_eq!(many().len(), PREFIXES);
    }
}
