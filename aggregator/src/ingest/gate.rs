//! Counts connections, all together and by peer, and memory of bodies.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use crate::status::Closed;

/// Lets connections in, or not.
#[derive(Debug)]
pub(super) struct Gate {
    most: usize,
    most_of_peer: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_peer: HashMap<IpAddr, usize>,
}

impl Gate {
    pub(super) fn new(most: usize, most_of_peer: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            most_of_peer,
            open: Mutex::default(),
        })
    }

    /// A place for a connection of `peer`, or why there is none.
    pub(super) fn enter(self: &Arc<Self>, peer: IpAddr) -> Result<Place, Closed> {
        let peer = network(peer);
        let mut open = self.open();
        if open.all >= self.most {
            return Err(Closed::TooMany);
        }
        let of_peer = open.by_peer.entry(peer).or_default();
        if *of_peer >= self.most_of_peer {
            return Err(Closed::TooManyOfPeer);
        }
        *of_peer += 1;
        open.all += 1;
        Ok(Place {
            gate: Arc::clone(self),
            peer,
        })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        // Nothing panics while it is held, and the counts would still be right.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever has an IPv6 address usually has 2^64 of them.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let high = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(high))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// A connection's place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    gate: Arc<Gate>,
    peer: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.gate.open();
        open.all = open.all.saturating_sub(1);
        if let Some(of_peer) = open.by_peer.get_mut(&self.peer) {
            *of_peer = of_peer.saturating_sub(1);
            if *of_peer == 0 {
                open.by_peer.remove(&self.peer);
            }
        }
    }
}

/// Memory for bodies.
#[derive(Debug)]
pub(super) struct Room {
    most: usize,
    used: AtomicUsize,
}

impl Room {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            used: AtomicUsize::new(0),
        }
    }

    /// A share that grows with its body.
    pub(super) fn share(&self) -> Share<'_> {
        Share {
            room: self,
            bytes: 0,
        }
    }
}

/// Bytes that one body has, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share<'a> {
    room: &'a Room,
    bytes: usize,
}

impl Share<'_> {
    /// `more` bytes; whether there was room for them.
    pub(super) fn grow(&mut self, more: usize) -> bool {
        let fits = |used: usize| used.checked_add(more).filter(|sum| *sum <= self.room.most);
        let has_grown = self.room.used.fetch_update(Relaxed, Relaxed, fits).is_ok();
        if has_grown {
            self.bytes += more;
        }
        has_grown
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.room.used.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn places_are_counted_by_peer_and_given_back() {
        let gate = Gate::new(3, 2);
        let first = gate.enter(ip("10.0.0.1")).unwrap();
        let mapped = gate.enter(ip("::ffff:10.0.0.1")).unwrap();
        assert_eq!(
            gate.enter(ip("10.0.0.1")).unwrap_err(),
            Closed::TooManyOfPeer
        );
        let other = gate.enter(ip("10.0.0.2")).unwrap();
        assert_eq!(gate.enter(ip("10.0.0.3")).unwrap_err(), Closed::TooMany);
        drop((first, mapped, other));
        assert!(gate.open().by_peer.is_empty(), "nobody is remembered");
        assert_eq!(gate.open().all, 0);
    }

    #[test]
    fn one_network_is_one_peer() {
        let gate = Gate::new(9, 1);
        let _place = gate.enter(ip("2001:db8::1")).unwrap();
        assert!(gate.enter(ip("2001:db8::2")).is_err());
        assert!(gate.enter(ip("2001:db8:0:1::1")).is_ok());
    }

    #[test]
    fn bodies_share_one_room() {
        let room = Room::new(10);
        let (mut first, mut second) = (room.share(), room.share());
        assert!(first.grow(6) && second.grow(4));
        assert!(!first.grow(1) && !second.grow(usize::MAX));
        drop(second);
        assert!(first.grow(4));
        drop(first);
        assert_eq!(room.used.load(Relaxed), 0);
    }
}
