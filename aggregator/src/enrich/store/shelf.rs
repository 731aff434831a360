//! Objects of one kind by their key, and those that are gone for a while longer. Others may refer to an object before it is
//! told, and after it is gone: they hold its number, and find nothing there meanwhile.

use std::{
    collections::VecDeque,
    hash::BuildHasher,
    time::{Duration, Instant},
};

use hashbrown::{DefaultHashBuilder, HashTable};

use super::key::{Asked, Key};

/// See the module.
pub struct Shelf<V> {
    slots: Vec<Slot<V>>,
    /// Numbers that nobody has.
    free: Vec<u32>,
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// Objects that are there.
    there: usize,
    /// Of the newest list.
    list: u32,
    is_listing: bool,
    /// Those that are gone, the first first.
    gone: VecDeque<Gone>,
    /// Numbers them.
    goings: u32,
}

struct Slot<V> {
    key: Key,
    value: Option<V>,
    /// How many objects refer to it.
    users: u32,
    /// List in or after which it was last told.
    list: u32,
    /// Which of those that are gone; 0 if it is there.
    going: u32,
}

struct Gone {
    at: Instant,
    number: u32,
    going: u32,
}

impl<V> Default for Shelf<V> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            index: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            there: 0,
            list: 0,
            is_listing: false,
            gone: VecDeque::new(),
            goings: 0,
        }
    }
}

impl<V> Shelf<V> {
    /// Puts an object; its number, and what it was before.
    pub fn put(&mut self, key: &str, value: V) -> (u32, Option<V>) {
        let number = self.number(Asked::of(key));
        let Some(slot) = self.slots.get_mut(number as usize) else {
            return (number, Some(value));
        };
        if slot.value.is_none() || slot.going != 0 {
            self.there += 1;
        }
        slot.going = 0;
        slot.list = self.list;
        (number, slot.value.replace(value))
    }

    /// The object is no longer there, but can still be found.
    pub fn bury(&mut self, key: &str, at: Instant) {
        if let Some(number) = self.find(key) {
            self.bury_number(number, at);
        }
    }

    fn bury_number(&mut self, number: u32, at: Instant) {
        let Some(slot) = self.slots.get_mut(number as usize) else {
            return;
        };
        if slot.value.is_none() || slot.going != 0 {
            return;
        }
        self.goings = self.goings.checked_add(1).unwrap_or(1);
        slot.going = self.goings;
        self.there -= 1;
        self.gone.push_back(Gone {
            at,
            number,
            going: slot.going,
        });
    }

    /// One of those that have been gone for so long, or that are too many.
    pub fn forget(&mut self, now: Instant, keep: Duration, most: usize) -> Option<(u32, V)> {
        loop {
            let first = self.gone.front()?;
            let is_old = now.saturating_duration_since(first.at) >= keep;
            if !is_old && self.gone.len() <= most {
                return None;
            }
            let Gone { number, going, .. } = self.gone.pop_front()?;
            let slot = self.slots.get_mut(number as usize)?;
            // It may have come back since, and even be another by now.
            if slot.going == going
                && let Some(value) = slot.value.take()
            {
                slot.going = 0;
                self.let_go(number);
                return Some((number, value));
            }
        }
    }

    /// A list begins: what is not told until its end is gone.
    pub fn begin(&mut self) {
        self.list = self.list.wrapping_add(1);
        self.is_listing = true;
    }

    /// The list that began is whole.
    pub fn end(&mut self, now: Instant) {
        if !std::mem::take(&mut self.is_listing) {
            return;
        }
        let untold = |slot: &Slot<V>| slot.list != self.list && slot.going == 0;
        let slots = self.slots.iter().zip(0..);
        let untold: Vec<u32> = slots
            .filter(|(slot, _)| untold(slot))
            .map(|(_, number)| number)
            .collect();
        for number in untold {
            self.bury_number(number, now);
        }
    }

    /// The number of an object that may be told one day. It stays this object's until [`Self::release`].
    pub fn refer(&mut self, key: &str) -> u32 {
        let number = self.number(Asked::of(key));
        if let Some(slot) = self.slots.get_mut(number as usize) {
            slot.users = slot.users.saturating_add(1);
        }
        number
    }

    /// One that referred to it does so no more.
    pub fn release(&mut self, number: u32) {
        if let Some(slot) = self.slots.get_mut(number as usize) {
            slot.users = slot.users.saturating_sub(1);
            self.let_go(number);
        }
    }

    /// The number of an object that is known or referred to.
    pub fn find(&self, key: &str) -> Option<u32> {
        self.find_asked(Asked::of(key))
    }

    /// See [`Self::find`].
    pub fn find_asked(&self, key: Asked<'_>) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        let is_it = |number: &u32| {
            let slot = self.slots.get(*number as usize);
            slot.is_some_and(|slot| slot.key.asked() == key)
        };
        self.index.find(hash, is_it).copied()
    }

    /// What is known of an object, be it there or gone.
    pub fn get(&self, number: u32) -> Option<&V> {
        self.slots.get(number as usize)?.value.as_ref()
    }

    /// How many are there.
    pub fn len(&self) -> usize {
        self.there
    }

    /// How many are gone and can still be found, at most.
    pub fn gone(&self) -> usize {
        self.gone.len()
    }

    /// How many numbers are somebody's.
    #[cfg(test)]
    pub fn used(&self) -> usize {
        self.index.len()
    }

    /// The number of this key, a new one if it has none.
    fn number(&mut self, key: Asked<'_>) -> u32 {
        if let Some(number) = self.find_asked(key) {
            return number;
        }
        let slot = Slot {
            key: key.into(),
            value: None,
            users: 0,
            list: self.list,
            going: 0,
        };
        let number = match self.free.pop() {
            Some(number) => number,
            None => u32::try_from(self.slots.len()).unwrap_or(u32::MAX),
        };
        match self.slots.get_mut(number as usize) {
            Some(free) => *free = slot,
            None => self.slots.push(slot),
        }
        let (slots, hasher) = (&self.slots, &self.hasher);
        let hash_of = |number: &u32| {
            let slot = slots.get(*number as usize);
            slot.map_or(0, |slot| hasher.hash_one(slot.key.asked()))
        };
        self.index
            .insert_unique(hasher.hash_one(key), number, hash_of);
        number
    }

    /// Frees a number if nothing is known of it and nobody refers to it.
    fn let_go(&mut self, number: u32) {
        let Some(slot) = self.slots.get_mut(number as usize) else {
            return;
        };
        if slot.users > 0 || slot.value.is_some() {
            return;
        }
        let hash = self.hasher.hash_one(slot.key.asked());
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == number) {
            entry.remove();
            slot.key = Key::Text(Box::default());
            self.free.push(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn what_a_list_does_not_tell_is_gone_but_found() {
        let (now, mut shelf) = (Instant::now(), Shelf::default());
        shelf.begin();
        shelf.put("a", 1);
        shelf.put("b", 2);
        shelf.end(now);
        shelf.begin();
        let (b, before) = shelf.put("b", 3);
        assert_eq!((before, shelf.len()), (Some(2), 2));
        shelf.put("c", 4);
        shelf.end(now);
        assert_eq!((shelf.len(), shelf.gone()), (2, 1));
        let a = shelf.find("a").unwrap();
        assert_eq!((shelf.get(a), shelf.get(b)), (Some(&1), Some(&3)));
        assert_eq!(shelf.forget(now + MINUTE / 2, MINUTE, 10), None);
        assert_eq!(shelf.forget(now + MINUTE, MINUTE, 10), Some((a, 1)));
        assert_eq!((shelf.find("a"), shelf.gone()), (None, 0));
    }

    #[test]
    fn a_list_that_breaks_off_takes_nothing() {
        let (now, mut shelf) = (Instant::now(), Shelf::default());
        shelf.put("a", 1);
        shelf.put("b", 2);
        shelf.begin();
        shelf.put("a", 1);
        shelf.begin();
        assert_eq!(shelf.len(), 2);
        shelf.put("b", 2);
        shelf.end(now);
        assert_eq!(shelf.len(), 1);
        // Without a beginning it is no list.
        shelf.end(now);
        assert_eq!(shelf.len(), 1);
    }

    #[test]
    fn what_comes_back_is_not_forgotten() {
        let (now, mut shelf) = (Instant::now(), Shelf::default());
        shelf.put("a", 1);
        shelf.bury("a", now);
        shelf.bury("a", now);
        assert_eq!((shelf.len(), shelf.gone()), (0, 1));
        shelf.put("a", 2);
        assert_eq!(shelf.forget(now + MINUTE, MINUTE, 10), None);
        assert_eq!(shelf.len(), 1);
        shelf.bury("a", now);
        assert_eq!(shelf.forget(now, MINUTE, 0), Some((0, 2)));
        assert_eq!(shelf.used(), 0);
    }

    #[test]
    fn what_is_referred_to_keeps_its_number() {
        let (now, mut shelf) = (Instant::now(), Shelf::default());
        let a = shelf.refer("a");
        assert_eq!((shelf.refer("a"), shelf.get(a), shelf.len()), (a, None, 0));
        assert_eq!(shelf.put("a", 1), (a, None));
        shelf.bury("a", now);
        assert_eq!(shelf.forget(now, Duration::ZERO, 0), Some((a, 1)));
        assert_eq!(shelf.find("a"), Some(a));
        shelf.release(a);
        assert_eq!(shelf.find("a"), Some(a));
        shelf.release(a);
        assert_eq!((shelf.find("a"), shelf.used()), (None, 0));
        assert_eq!(shelf.put("b", 2).0, a);
    }
}
