//! Texts and lists get their numbers on the wire: first those that are random UUIDs, then those that are
//! told in full, then those that are made of others. Each in the order in which columns name them, so that the
//! texts of a column lie beside each other and their numbers mostly rise by one.

use std::collections::HashMap;

use super::{Collected, numbers, schema};
use crate::{
    Kind,
    codec::{bits::Writer, grown, uuid},
    table::sinks::{Interned, Sink},
};

/// Replaces the numbers in all columns. Gives how many UUIDs there are, and the texts; what of both
/// is numbers goes into `bits`.
pub(super) fn renumber(
    interned: &Interned<'_>,
    collected: &mut [Collected],
    bits: &mut Writer,
) -> (u32, schema::Texts) {
    let mut lists = Renumbered::new(interned.items.len());
    let mut order = Renumbered::new(interned.texts.len());
    for_columns(collected, Kind::Texts, |sink| {
        lists.renumber(&mut sink.longs);
    });
    for_columns(collected, Kind::Text, |sink| order.name(&sink.longs));
    let items = |list: &i64| interned.items.get(index(*list));
    for list in lists.named.iter().filter_map(items) {
        order.name(list);
    }
    let (dictionary, places) = Dictionary::new(&order.named, &interned.texts);
    let to_new = |old: &i64| {
        let place = places.get(index(*old)).copied().flatten();
        place.map_or(0, |place| dictionary.number(place))
    };
    for_columns(collected, Kind::Text, |sink| {
        for old in &mut sink.longs {
            *old = i64::from(to_new(old));
        }
    });
    let lists: Vec<_> = lists.named.iter().filter_map(items).collect();
    let texts = schema::Texts {
        list_lengths: lists.iter().map(|list| super::number(list.len())).collect(),
        items: lists.into_iter().flatten().map(to_new).collect(),
        ..dictionary.write(bits)
    };
    (super::number(dictionary.uuids.len()), texts)
}

fn for_columns(collected: &mut [Collected], kind: Kind, mut each: impl FnMut(&mut Sink)) {
    for collected in collected {
        for (column, sink) in collected.table.columns().iter().zip(&mut collected.sinks) {
            if column.kind == kind {
                each(sink);
            }
        }
    }
}

/// The place of what has this number.
pub(super) fn index(number: i64) -> usize {
    usize::try_from(number).unwrap_or_default()
}

/// New numbers by the order in which old ones are named.
struct Renumbered {
    new: Vec<Option<i64>>,
    named: Vec<i64>,
}

impl Renumbered {
    fn new(count: usize) -> Self {
        Self {
            new: vec![None; count],
            named: Vec::new(),
        }
    }

    fn name(&mut self, numbers: &[i64]) {
        for number in numbers {
            self.number(*number);
        }
    }

    fn renumber(&mut self, numbers: &mut [i64]) {
        for number in numbers {
            *number = self.number(*number);
        }
    }

    fn number(&mut self, old: i64) -> i64 {
        let next = i64::from(super::number(self.named.len()));
        let Some(slot) = self.new.get_mut(index(old)) else {
            return next;
        };
        if slot.is_none() {
            self.named.push(old);
        }
        *slot.get_or_insert(next)
    }
}

/// What a text is made of; whatever it is made of comes before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Making {
    Uuid,
    Told,
    Hashed,
    Suffixed,
    Joined,
}

/// Where a text is: the how manieth of its making.
#[derive(Clone, Copy)]
struct Place(Making, usize);

/// Every text by what it is made of.
#[derive(Default)]
struct Dictionary<'a> {
    places: HashMap<&'a str, Place>,
    uuids: Vec<u128>,
    told: Vec<&'a str>,
    /// With the text before the hash.
    hashed: Vec<(Place, u32)>,
    /// With the text before the suffix.
    suffixed: Vec<(Place, u32)>,
    joined: Vec<(Place, Place)>,
}

impl<'a> Dictionary<'a> {
    /// Of those texts that are named, and where each of them is.
    fn new(named: &[i64], texts: &[&'a str]) -> (Self, Vec<Option<Place>>) {
        let mut dictionary = Self::default();
        let mut places = vec![None; texts.len()];
        // Of paths the second half is most often there already.
        for is_path in [false, true] {
            for at in named.iter().map(|number| index(*number)) {
                let Some(text) = texts.get(at).filter(|text| text.contains('/') == is_path) else {
                    continue;
                };
                places[at] = Some(match is_path {
                    false => dictionary.add(text),
                    true => dictionary.add_path(text),
                });
            }
        }
        (dictionary, places)
    }

    fn number(&self, Place(making, at): Place) -> u32 {
        let before = [
            (Making::Uuid, self.uuids.len()),
            (Making::Told, self.told.len()),
            (Making::Hashed, self.hashed.len()),
            (Making::Suffixed, self.suffixed.len()),
        ];
        let before = before.iter().filter(|(other, _)| *other < making);
        super::number(before.map(|(_, count)| count).sum::<usize>() + at)
    }

    fn add(&mut self, text: &'a str) -> Place {
        if let Some(uuid) = uuid::parse(text) {
            return *self.places.entry(text).or_insert_with(|| {
                self.uuids.push(uuid);
                Place(Making::Uuid, self.uuids.len() - 1)
            });
        }
        if let Some((before, suffix)) = grown::split_suffix(text) {
            let before = self.stem(before);
            if before.0 <= Making::Hashed {
                return *self.places.entry(text).or_insert_with(|| {
                    self.suffixed.push((before, suffix));
                    Place(Making::Suffixed, self.suffixed.len() - 1)
                });
            }
        }
        self.stem(text)
    }

    /// Adds what has no suffix.
    fn stem(&mut self, text: &'a str) -> Place {
        let Some((before, hash)) = grown::split_hash(text) else {
            return self.tell(text);
        };
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        let before = self.tell(before);
        if before.0 > Making::Told {
            return self.tell(text);
        }
        self.hashed.push((before, hash));
        let place = Place(Making::Hashed, self.hashed.len() - 1);
        self.places.insert(text, place);
        place
    }

    /// Adds what is told in full.
    fn tell(&mut self, text: &'a str) -> Place {
        *self.places.entry(text).or_insert_with(|| {
            self.told.push(text);
            Place(Making::Told, self.told.len() - 1)
        })
    }

    /// Adds a kind and a name.
    fn add_path(&mut self, text: &'a str) -> Place {
        let (first, second) = text.split_at(text.find('/').map_or(0, |at| at + 1));
        let second = match second {
            "" => None,
            _ => self.places.get(second).copied(),
        };
        let Some(second) = second else {
            return self.tell(text);
        };
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        let first = self.tell(first);
        self.joined.push((first, second));
        let place = Place(Making::Joined, self.joined.len() - 1);
        self.places.insert(text, place);
        place
    }

    fn write(&self, bits: &mut Writer) -> schema::Texts {
        for uuid in &self.uuids {
            uuid::write(*uuid, bits);
        }
        let mut utf8 = Vec::new();
        let (mut kept, mut lengths) = (Vec::new(), Vec::new());
        let before = std::iter::once(&"").chain(&self.told);
        for (before, text) in before.zip(&self.told) {
            let same = shared(before, text);
            kept.push(same as u64);
            lengths.push((text.len() - same) as u64);
            utf8.extend_from_slice(&text.as_bytes()[same..]);
        }
        numbers::run(&kept, bits);
        numbers::run(&lengths, bits);
        self.grown(&self.hashed, bits);
        self.grown(&self.suffixed, bits);
        self.rising(self.joined.iter().map(|(first, _)| *first), bits);
        self.rising(self.joined.iter().map(|(_, second)| *second), bits);
        schema::Texts {
            told: super::number(self.told.len()),
            hashed: super::number(self.hashed.len()),
            suffixed: super::number(self.suffixed.len()),
            joined: super::number(self.joined.len()),
            utf8,
            ..schema::Texts::default()
        }
    }

    fn grown(&self, grown: &[(Place, u32)], bits: &mut Writer) {
        self.rising(grown.iter().map(|(before, _)| *before), bits);
        let ends: Vec<u64> = grown.iter().map(|(_, end)| u64::from(*end)).collect();
        numbers::run(&ends, bits);
    }

    /// Numbers of texts, most of which rise by one.
    fn rising(&self, places: impl Iterator<Item = Place>, bits: &mut Writer) {
        let of: Vec<i64> = places.map(|place| i64::from(self.number(place))).collect();
        numbers::run(&numbers::differences(&of), bits);
    }
}

/// Bytes of the whole characters that both begin with.
fn shared(before: &str, text: &str) -> usize {
    let mut both = before.char_indices().zip(text.chars());
    let differ = both.find(|((_, left), right)| left != right);
    differ.map_or(before.len().min(text.len()), |((at, _), _)| at)
}
