//! Which kind of place the other end of a packet is. The prefix tables alone would cost more than
//! all the rest together, so each CPU keeps a small cache of their answers in front of them.

use agent_common::{
    control::CONTROL_CLASS_GENERATION,
    network::{CLASS_LOOPBACK, CLASS_UNKNOWN, CLASSES, ClassCacheEntry, cache_check, cache_index},
};
use aya_ebpf::{maps::lpm_trie::Key, programs::SkBuffContext};

use crate::{
    globals,
    maps::{CLASS_CACHE, PREFIXES_V4, PREFIXES_V6, control},
    packet::{Direction, Peer, ifindex, peer},
};

/// Bits of the masked check that hold the class; the generation lies above.
const CLASS_BITS: u32 = 8;

#[inline(always)]
pub(crate) fn classify(ctx: &SkBuffContext, direction: Direction) -> u32 {
    if ifindex(ctx) == globals::loopback_ifindex() {
        return CLASS_LOOPBACK;
    }
    match peer(ctx, direction) {
        Peer::V4(address) => cached(0, u64::from(u32::from_ne_bytes(address)), look_up_v4),
        Peer::V6(address) => {
            let words = u128::from_ne_bytes(address);
            cached((words >> 64) as u64, words as u64, look_up_v6)
        }
        Peer::None => CLASS_UNKNOWN,
    }
}

/// An interrupt may write the entry between two of our stores or loads. Its `check` then no longer
/// fits its address, and the entry is not believed.
#[inline(always)]
fn cached(high: u64, low: u64, look_up: impl FnOnce(u64, u64) -> u32) -> u32 {
    let check = cache_check(high, low);
    let generation = u64::from(control(CONTROL_CLASS_GENERATION));
    let Some(entry) = CLASS_CACHE.get_ptr_mut(cache_index(check)) else {
        return CLASS_UNKNOWN;
    };
    // SAFETY: a live value; see above for its races.
    let seen = unsafe { core::ptr::read_volatile(entry) };
    let word = seen.check ^ check;
    if seen.high == high && seen.low == low && word >> CLASS_BITS == generation {
        return (word & 0xff) as u32;
    }
    let class = look_up(high, low);
    let word = (generation << CLASS_BITS) | u64::from(class);
    // SAFETY: as above.
    unsafe {
        core::ptr::write_volatile(
            entry,
            ClassCacheEntry {
                high,
                low,
                check: check ^ word,
            },
        );
    }
    class
}

/// Out of line, like its sibling: a miss is rare, and in line it would lie in every packet's way.
#[inline(never)]
fn look_up_v4(_: u64, low: u64) -> u32 {
    let address = (low as u32).to_ne_bytes();
    known(PREFIXES_V4.get(Key::new(32, address)))
}

#[inline(never)]
fn look_up_v6(high: u64, low: u64) -> u32 {
    let address = ((u128::from(high) << 64) | u128::from(low)).to_ne_bytes();
    known(PREFIXES_V6.get(Key::new(128, address)))
}

#[inline(always)]
fn known(class: Option<&u32>) -> u32 {
    class
        .copied()
        .filter(|class| (*class as usize) < CLASSES)
        .unwrap_or(CLASS_UNKNOWN)
}
