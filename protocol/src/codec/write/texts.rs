//! Texts and lists get their numbers on the wire: first those that are UUIDs, which take 16 bytes,
//! then the others. Both in the order in which columns name them, so that the texts of a column lie
//! beside each other and their numbers mostly rise by one.

use super::{Collected, schema};
use crate::{
    Kind,
    table::sinks::{Interned, Sink},
};

/// Replaces the numbers in all columns and gives the UUIDs and the texts that they stand for.
pub(super) fn renumber(
    interned: &Interned,
    collected: &mut [Collected],
) -> (Vec<u8>, schema::Texts) {
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
    let (uuids, texts, numbers) = split(&interned.texts, &order);
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
        ..texts
    };
    (uuids, texts)
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

fn index(number: i64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
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

/// UUIDs and texts on the wire, and each one's number there.
fn split(texts: &[Box<str>], order: &Renumbered) -> (Vec<u8>, schema::Texts, Vec<u32>) {
    let (mut uuids, mut wire) = (Vec::new(), schema::Texts::default());
    let mut numbers = vec![0; texts.len()];
    let named = || {
        let text = |old: &i64| Some((index(*old), &**texts.get(index(*old))?));
        order.named.iter().filter_map(text)
    };
    let mut next = 0..;
    for (old, text) in named() {
        if let Some(uuid) = uuid(text) {
            uuids.extend(uuid);
            numbers[old] = next.next().unwrap_or_default();
        }
    }
    for (old, text) in named().filter(|(_, text)| uuid(text).is_none()) {
        wire.lengths.push(super::number(text.len()));
        wire.utf8.extend(text.as_bytes());
        numbers[old] = next.next().unwrap_or_default();
    }
    (uuids, wire, numbers)
}

/// The bytes of a UUID in its usual form, which the reader gives back to the letter.
fn uuid(text: &str) -> Option<[u8; 16]> {
    let bytes: &[u8; 36] = text.as_bytes().try_into().ok()?;
    let mut uuid = [0; 16];
    let mut at = 0;
    for byte in &mut uuid {
        if matches!(at, 8 | 13 | 18 | 23) {
            if bytes[at] != b'-' {
                return None;
            }
            at += 1;
        }
        *byte = digit(bytes[at])? << 4 | digit(bytes[at + 1])?;
        at += 2;
    }
    Some(uuid)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}
