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
    interned: &Interned,
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
    let text = |old: &i64| interned.texts.get(index(*old)).map(|text| &**text);
    let dictionary = Dictionary::new(order.named.iter().filter_map(text));
    let numbers = interned.texts.iter().map(|text| dictionary.number(text));
    let numbers: Vec<u32> = numbers.collect();
    let to_new = |old: &i64| numbers.get(index(*old)).copied().unwrap_or_default();
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

/// Every text by what it is made of.
#[derive(Default)]
struct Dictionary<'a> {
    uuids: Vec<u128>,
    told: Vec<&'a str>,
    /// With the text before the hash.
    hashed: Vec<(&'a str, u32)>,
    /// With the text before the suffix.
    suffixed: Vec<(&'a str, u32)>,
    joined: Vec<(&'a str, &'a str)>,
    numbers: HashMap<&'a str, u32>,
}

impl<'a> Dictionary<'a> {
    fn new(texts: impl Iterator<Item = &'a str> + Clone) -> Self {
        let mut dictionary = Self::default();
        let mut sorted = Sorted::default();
        texts
            .clone()
            .filter(|text| !text.contains('/'))
            .for_each(|text| sorted.add(text));
        // Of these the second half is most often there already.
        texts
            .filter(|text| text.contains('/'))
            .for_each(|text| sorted.add_path(text));
        for (uuid, text) in &sorted.uuids {
            dictionary.uuids.push(*uuid);
            dictionary.next(text);
        }
        for text in &sorted.told {
            dictionary.next(text);
        }
        for (text, before, hash) in &sorted.hashed {
            dictionary.hashed.push((before, *hash));
            dictionary.next(text);
        }
        for (text, before, suffix) in &sorted.suffixed {
            dictionary.suffixed.push((before, *suffix));
            dictionary.next(text);
        }
        for (text, first, second) in &sorted.joined {
            dictionary.joined.push((first, second));
            dictionary.next(text);
        }
        dictionary.told = sorted.told;
        dictionary
    }

    fn next(&mut self, text: &'a str) {
        self.numbers.insert(text, super::number(self.numbers.len()));
    }

    fn number(&self, text: &str) -> u32 {
        self.numbers.get(text).copied().unwrap_or_default()
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

    fn grown(&self, grown: &[(&str, u32)], bits: &mut Writer) {
        self.rising(grown.iter().map(|(before, _)| *before), bits);
        let ends: Vec<u64> = grown.iter().map(|(_, end)| u64::from(*end)).collect();
        numbers::run(&ends, bits);
    }

    /// Numbers of texts, most of which rise by one.
    fn rising<'b>(&self, texts: impl Iterator<Item = &'b str>, bits: &mut Writer) {
        let of: Vec<i64> = texts.map(|text| i64::from(self.number(text))).collect();
        numbers::run(&numbers::differences(&of), bits);
    }
}

/// Bytes of the whole characters that both begin with.
fn shared(before: &str, text: &str) -> usize {
    let mut both = before.char_indices().zip(text.chars());
    let differ = both.find(|((_, left), right)| left != right);
    differ.map_or(before.len().min(text.len()), |((at, _), _)| at)
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

/// Texts sorted by what they are made of, each once.
#[derive(Default)]
struct Sorted<'a> {
    all: HashMap<&'a str, Making>,
    uuids: Vec<(u128, &'a str)>,
    told: Vec<&'a str>,
    hashed: Vec<(&'a str, &'a str, u32)>,
    suffixed: Vec<(&'a str, &'a str, u32)>,
    joined: Vec<(&'a str, &'a str, &'a str)>,
}

impl<'a> Sorted<'a> {
    fn add(&mut self, text: &'a str) {
        if self.all.contains_key(text) {
            return;
        }
        if let Some(uuid) = uuid::parse(text) {
            self.uuids.push((uuid, text));
            self.all.insert(text, Making::Uuid);
            return;
        }
        match grown::split_suffix(text) {
            Some((before, suffix)) if self.stem(before) <= Making::Hashed => {
                self.suffixed.push((text, before, suffix));
                self.all.insert(text, Making::Suffixed);
            }
            _ => drop(self.stem(text)),
        }
    }

    /// Adds what has no suffix.
    fn stem(&mut self, text: &'a str) -> Making {
        if let Some(making) = self.all.get(text) {
            return *making;
        }
        match grown::split_hash(text) {
            Some((before, hash)) if self.tell(before) <= Making::Told => {
                self.hashed.push((text, before, hash));
                self.all.insert(text, Making::Hashed);
                Making::Hashed
            }
            _ => self.tell(text),
        }
    }

    /// Adds what is told in full.
    fn tell(&mut self, text: &'a str) -> Making {
        *self.all.entry(text).or_insert_with(|| {
            self.told.push(text);
            Making::Told
        })
    }

    /// Adds a kind and a name.
    fn add_path(&mut self, text: &'a str) {
        if self.all.contains_key(text) {
            return;
        }
        let first = text.find('/').map_or(text, |at| &text[..=at]);
        let second = &text[first.len()..];
        if second.is_empty() || !self.all.contains_key(second) {
            self.tell(text);
        } else {
            self.tell(first);
            self.joined.push((text, first, second));
            self.all.insert(text, Making::Joined);
        }
    }
}
