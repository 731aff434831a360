//! Which class an address belongs to, as prefixes for the kernel's tables.

use std::{
    collections::HashSet,
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::BorrowedFd,
};

use agent_common::{
    control::CONTROL_CLASS_GENERATION,
    network::{CLASS_INTERNET, CLASS_LOOPBACK, CLASS_NODE, CLASS_PRIVATE},
};
use aya::maps::lpm_trie::Key;

use super::{Kernel, KernelError, load::map_error, read::Maps, sys};

/// Addresses of one class; the longest prefix that fits decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// First address.
    pub address: IpAddr,
    /// Leading bits that must fit.
    pub bits: u8,
    /// One of `agent_common::network::CLASS_*`.
    pub class: u32,
}

const V4: [([u8; 4], u8, u32); 9] = [
    ([0, 0, 0, 0], 0, CLASS_INTERNET),
    ([127, 0, 0, 0], 8, CLASS_LOOPBACK),
    ([10, 0, 0, 0], 8, CLASS_PRIVATE),
    ([172, 16, 0, 0], 12, CLASS_PRIVATE),
    ([192, 168, 0, 0], 16, CLASS_PRIVATE),
    ([100, 64, 0, 0], 10, CLASS_PRIVATE),
    ([169, 254, 0, 0], 16, CLASS_PRIVATE),
    ([224, 0, 0, 0], 4, CLASS_PRIVATE),
    ([255, 255, 255, 255], 32, CLASS_PRIVATE),
];

const V6: [([u16; 8], u8, u32); 5] = [
    ([0; 8], 0, CLASS_INTERNET),
    ([0, 0, 0, 0, 0, 0, 0, 1], 128, CLASS_LOOPBACK),
    ([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, CLASS_PRIVATE),
    ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, CLASS_PRIVATE),
    ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, CLASS_PRIVATE),
];

/// What holds on every node: loopback, private, link-local, shared and multicast addresses; all
/// others are the internet.
pub fn default_prefixes() -> Vec<Prefix> {
    let v4 = V4.map(|(address, bits, class)| Prefix {
        address: Ipv4Addr::from(address).into(),
        bits,
        class,
    });
    let v6 = V6.map(|(address, bits, class)| Prefix {
        address: Ipv6Addr::from(address).into(),
        bits,
        class,
    });
    v4.into_iter().chain(v6).collect()
}

/// This host's own addresses. Incomplete tables only make a class less precise, so what can't be
/// read is left out.
pub fn node_prefixes() -> Vec<Prefix> {
    let v4 = fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
    let v6 = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    local_v4(&v4)
        .into_iter()
        .map(IpAddr::from)
        .chain(local_v6(&v6).into_iter().map(IpAddr::from))
        .filter(|address| !address.is_loopback())
        .map(|address| Prefix {
            address,
            bits: if address.is_ipv4() { 32 } else { 128 },
            class: CLASS_NODE,
        })
        .collect()
}

/// Addresses followed by `/32 host LOCAL` in the kernel's routing trie.
fn local_v4(trie: &str) -> Vec<Ipv4Addr> {
    let mut found = Vec::new();
    let mut last = None;
    for line in trie.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse().ok();
        } else if line == "/32 host LOCAL"
            && let Some(address) = last
            && !found.contains(&address)
        {
            found.push(address);
        }
    }
    found
}

fn local_v6(table: &str) -> Vec<Ipv6Addr> {
    table
        .lines()
        .filter_map(|line| u128::from_str_radix(line.split_whitespace().next()?, 16).ok())
        .map(Ipv6Addr::from)
        .collect()
}

impl Kernel {
    /// Sets which prefix is of which class, from the next packet on. Prefixes not told are forgotten.
    pub fn set_prefixes(&self, prefixes: &[Prefix]) -> Result<(), KernelError> {
        self.maps
            .set_prefixes(prefixes)
            .map_err(map_error("writing the address classes"))
    }
}

impl Maps {
    /// New prefixes come before old ones go, so that no address is without a class meanwhile. Only
    /// then do the caches learn that what they hold is old.
    pub(super) fn set_prefixes(&self, prefixes: &[Prefix]) -> io::Result<()> {
        let (v4, v6) = (self.fd("PREFIXES_V4"), self.fd("PREFIXES_V6"));
        write_prefixes(v4, v6, prefixes)?;
        let told: HashSet<(IpAddr, u32)> = prefixes
            .iter()
            .map(|prefix| (prefix.address, prefix.bits.into()))
            .collect();
        keep_prefixes::<4>(v4, |address, bits| told.contains(&(address.into(), bits)))?;
        keep_prefixes::<16>(v6, |address, bits| told.contains(&(address.into(), bits)))?;
        self.raise_control(CONTROL_CLASS_GENERATION).map(drop)
    }
}

/// Removes the prefixes that are not wanted.
fn keep_prefixes<const N: usize>(
    table: BorrowedFd<'_>,
    is_wanted: impl Fn([u8; N], u32) -> bool,
) -> io::Result<()> {
    for key in sys::keys::<Key<[u8; N]>>(table)? {
        if !is_wanted(key.data(), key.prefix_len()) {
            sys::delete(table, &key)?;
        }
    }
    Ok(())
}

/// Writes the prefixes into the kernel's tables.
fn write_prefixes(v4: BorrowedFd<'_>, v6: BorrowedFd<'_>, prefixes: &[Prefix]) -> io::Result<()> {
    for prefix in prefixes {
        let bits = u32::from(prefix.bits);
        match prefix.address {
            IpAddr::V4(address) => {
                sys::update(v4, &Key::new(bits, address.octets()), &prefix.class)?;
            }
            IpAddr::V6(address) => {
                sys::update(v6, &Key::new(bits, address.octets()), &prefix.class)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_addresses_are_read_from_the_routing_trie_once_each() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n\
                    Local:\n     |-- 192.0.2.7\n        /32 host LOCAL\n     |-- 192.0.2.255\n\
                    /32 link BROADCAST\n     |-- 192.0.2.7\n        /32 host LOCAL\n";
        assert_eq!(local_v4(trie), [Ipv4Addr::new(192, 0, 2, 7)]);
        assert_eq!(
            local_v6("fe800000000000000000000000000001 02 40 20 80 eth0\nnonsense\n").len(),
            1
        );
    }
}
