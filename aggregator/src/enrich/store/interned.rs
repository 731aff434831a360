//! Each value once, by number, for as long as somebody needs it: the labels of a cluster's pods are a few thousand texts, each
//! of them in thousands of pods.

use std::hash::{BuildHasher, Hash};

use hashbrown::{DefaultHashBuilder, HashTable};

/// See the module.
pub struct Interned<T: ?Sized> {
    slots: Vec<Slot<T>>,
    /// Numbers that nobody has.
    free: Vec<u32>,
    index: HashTable<u32>,
    /// With random keys: labels are texts that any user of a cluster chooses.
    hasher: DefaultHashBuilder,
}

struct Slot<T: ?Sized> {
    value: Box<T>,
    /// Growing reads no value.
    hash: u32,
    users: u32,
}

impl<T: ?Sized> Default for Interned<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            index: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
        }
    }
}

impl<T: ?Sized + Hash + Eq> Interned<T>
where
    Box<T>: Default,
{
    /// The value's number, which is its user's until [`Self::release`]; and whether it is the first.
    pub fn take(&mut self, value: &T) -> (u32, bool)
    where
        for<'a> Box<T>: From<&'a T>,
    {
        let hash = self.hash(value);
        if let Some(number) = self.find_hashed(value, hash) {
            if let Some(slot) = self.slots.get_mut(number as usize) {
                slot.users = slot.users.saturating_add(1);
            }
            return (number, false);
        }
        let slot = Slot {
            value: value.into(),
            hash,
            users: 1,
        };
        let number = match self.free.pop() {
            Some(number) => number,
            None => u32::try_from(self.slots.len()).unwrap_or(u32::MAX),
        };
        match self.slots.get_mut(number as usize) {
            Some(free) => *free = slot,
            None => self.slots.push(slot),
        }
        let slots = &self.slots;
        let hash_of = |number: &u32| slots.get(*number as usize).map_or(0, |slot| slot.hash);
        self.index
            .insert_unique(spread(hash), number, |number| spread(hash_of(number)));
        (number, true)
    }

    /// One user needs it no more. The value, if that was the last.
    pub fn release(&mut self, number: u32) -> Option<Box<T>> {
        let slot = self.slots.get_mut(number as usize)?;
        slot.users = slot.users.checked_sub(1)?;
        if slot.users > 0 {
            return None;
        }
        let value = std::mem::take(&mut slot.value);
        let found = self
            .index
            .find_entry(spread(slot.hash), |other| *other == number);
        if let Ok(entry) = found {
            entry.remove();
        }
        self.free.push(number);
        Some(value)
    }

    /// The number of a value that somebody needs.
    pub fn find(&self, value: &T) -> Option<u32> {
        self.find_hashed(value, self.hash(value))
    }

    fn find_hashed(&self, value: &T, hash: u32) -> Option<u32> {
        let is_it = |number: &u32| self.get(*number).is_some_and(|own| own == value);
        self.index.find(spread(hash), is_it).copied()
    }

    /// The value of a number.
    pub fn get(&self, number: u32) -> Option<&T> {
        Some(&*self.slots.get(number as usize)?.value)
    }

    /// All numbers are below it.
    pub fn end(&self) -> usize {
        self.slots.len()
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    fn hash(&self, value: &T) -> u32 {
        let hash = self.hasher.hash_one(value);
        (hash ^ hash >> 32) as u32
    }
}

/// The table uses the highest bits and the lowest.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_kept_once_and_until_its_last_user_goes() {
        let mut texts = Interned::<str>::default();
        let (a, b) = (texts.take("a"), texts.take("b"));
        assert_eq!((a.1, b.1, texts.take("a")), (true, true, (a.0, false)));
        assert_eq!((texts.len(), texts.get(b.0)), (2, Some("b")));
        assert_eq!(texts.release(a.0), None);
        assert_eq!(texts.release(a.0).as_deref(), Some("a"));
        assert_eq!((texts.release(a.0), texts.len()), (None, 1));
        // Its number is given to the next.
        assert_eq!(texts.take("c"), (a.0, true));
        assert_eq!((texts.get(a.0), texts.end()), (Some("c"), 2));
    }

    #[test]
    fn many_values_are_found_again() {
        let mut texts = Interned::<str>::default();
        let numbers: Vec<_> = (0..10_000)
            .map(|number| texts.take(&format!("text {number}")).0)
            .collect();
        for (number, text) in numbers.iter().zip(0..) {
            assert_eq!(texts.take(&format!("text {text}")), (*number, false));
        }
        for number in &numbers {
            assert_eq!(texts.release(*number), None);
            assert!(texts.release(*number).is_some());
        }
        assert_eq!((texts.len(), texts.end()), (0, 10_000));
    }
}
