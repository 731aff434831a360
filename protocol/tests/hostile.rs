//! Foreign bytes: whatever comes, it is a batch or a reason, and never more memory than the limits
//! say.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod every;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use bytes::Bytes;
use prost::encoding::{WireType, encode_key, encode_varint};
use protocol::{
    Body, InvalidKind, Kind, Limits, Table,
    columns::{TableData, Values},
    decode, decode_ack, decode_message, encode_ack, encode_gap, encode_message, encode_rows,
};

/// Counts what is allocated, of all threads together.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(now, Relaxed);
        // SAFETY: the caller keeps the contract, and the layout is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the pointer came from the same allocator with the same layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Beside what a bomb may make: other tests of this file, which take little.
const SLACK_BYTES: usize = 24 << 20;

fn content() -> Vec<u8> {
    let frame = encode_rows(&every::header(), &every::rows());
    zstd::bulk::decompress(&frame, 1 << 20).unwrap()
}

fn gap() -> Vec<u8> {
    let frame = encode_gap(&every::header(), &every::gap());
    zstd::bulk::decompress(&frame, 1 << 20).unwrap()
}

/// Decodes and checks that what is taken agrees with itself.
fn try_content(compressor: &mut zstd::bulk::Compressor<'_>, content: &[u8]) -> bool {
    let frame = compressor.compress(content).unwrap();
    let Ok(batch) = decode(&frame, &Limits::default()) else {
        return false;
    };
    if let Body::Whole(tables) = batch.body {
        tables.iter().for_each(assert_consistent);
    }
    true
}

fn assert_consistent(data: &TableData) {
    for column in &data.columns {
        let present = column.present.as_deref();
        let count = present.map_or(data.rows, |present| {
            assert_eq!(present.len(), data.rows);
            present.iter().filter(|is_there| **is_there).count()
        });
        assert_eq!(column.values.len(), count, "{:?} {}", data.table, column.id);
        match &column.values {
            Values::Doubles(doubles) => assert!(doubles.iter().all(|double| double.is_finite())),
            Values::Texts(numbers, texts) => {
                assert!(numbers.iter().all(|number| texts.get(*number).is_some()));
            }
            Values::Lists(lengths, items, texts) => {
                assert_eq!(lengths.iter().sum::<u32>() as usize, items.len());
                assert!(items.iter().all(|item| texts.get(*item).is_some()));
            }
            Values::Longs(_) | Values::Booleans(_) => {}
        }
    }
}

#[test]
fn any_changed_byte_is_a_batch_or_a_reason() {
    let mut compressor = zstd::bulk::Compressor::new(-5).unwrap();
    for content in [content(), gap()] {
        assert!(try_content(&mut compressor, &content));
        for at in 0..content.len() {
            for change in [0x01, 0x80] {
                let mut changed = content.clone();
                changed[at] ^= change;
                try_content(&mut compressor, &changed);
            }
        }
    }
}

#[test]
fn what_is_cut_short_is_no_batch() {
    let (content, mut compressor) = (content(), zstd::bulk::Compressor::new(-5).unwrap());
    for end in 0..content.len() {
        let taken = try_content(&mut compressor, &content[..end]);
        assert!(!taken, "the first {end} bytes alone");
    }
    // All that can be left out of a gap is what it says after its reason.
    let gap = gap();
    assert!(!try_content(&mut compressor, &gap[..gap.len() - 1]));
}

#[test]
fn messages_and_acks_are_read_or_refused() {
    let message = encode_message(&every::message());
    let ack = encode_ack(&every::ack());
    for at in 0..message.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut changed = message.clone();
            changed[at] ^= change;
            drop(decode_message(Bytes::from(changed), &Limits::default()));
        }
    }
    for at in 0..ack.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut changed = ack.clone();
            changed[at] ^= change;
            drop(decode_ack(&changed));
        }
    }
}

/// A field of wire type 2.
fn bytes(number: u32, bytes: &[u8]) -> Vec<u8> {
    let mut field = Vec::new();
    encode_key(number, WireType::LengthDelimited, &mut field);
    encode_varint(bytes.len() as u64, &mut field);
    field.extend(bytes);
    field
}

/// A field of wire type 0.
fn number(number: u32, value: u64) -> Vec<u8> {
    let mut field = Vec::new();
    encode_key(number, WireType::Varint, &mut field);
    encode_varint(value, &mut field);
    field
}

/// A run of this number alone, as numbers of so many bits.
fn always(number: u64) -> Vec<(u64, u32)> {
    let bits = u64::BITS - number.leading_zeros();
    vec![(1, 1), (1, 4), (bits.into(), 6), (number, bits), (0, 3)]
}

/// The field that has all runs.
fn bits(numbers: &[(u64, u32)]) -> Vec<u8> {
    let each = |(number, bits): (u64, u32)| (0..bits).map(move |at| number >> at & 1);
    let bits: Vec<u64> = numbers.iter().copied().flat_map(each).collect();
    let byte = |eight: &[u64]| {
        eight
            .iter()
            .rev()
            .fold(0, |byte, bit| byte << 1 | *bit as u8)
    };
    bytes(5, &bits.chunks(8).map(byte).collect::<Vec<u8>>())
}

/// Version and header of a batch.
fn head() -> Vec<u8> {
    let content = content();
    // The header's length is one byte behind its key.
    let length = 4 + usize::from(content[3]);
    content[..length].to_vec()
}

/// A frame of these fields, and how much more than before was allocated while it was refused.
fn refused(fields: &[Vec<u8>]) -> (InvalidKind, String, usize) {
    let content = [head(), fields.concat()].concat();
    let frame = zstd::bulk::compress(&content, 3).unwrap();
    drop(content);
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    let invalid = decode(&frame, &Limits::default()).unwrap_err();
    let peak = PEAK.load(Relaxed).saturating_sub(before);
    (invalid.kind, invalid.field, peak)
}

/// Ids of the columns that are on the wire.
fn of_kind(table: Table, kind: Kind) -> impl Iterator<Item = u64> {
    let columns = table.columns().iter();
    let columns = columns.filter(move |column| column.kind == kind && !column.is_of_header);
    columns.map(|column| u64::from(column.id))
}

/// What it is, its fields, why it is refused, and the most bytes that are taken for it.
type Bomb = (&'static str, Vec<Vec<u8>>, InvalidKind, usize);

/// Nothing kept, and all of a long text: then each of so many is made of it.
fn made(stem: u64) -> Vec<u8> {
    let length = long().len() as u64;
    bits(&[always(0), always(length), always(stem), always(0)].concat())
}

fn long() -> Vec<u8> {
    vec![b'a'; Limits::default().text_bytes - 6]
}

fn bombs_of_texts() -> Vec<Bomb> {
    use InvalidKind::{Malformed, TooLarge};
    let limits = Limits::default();
    let hundred_thousand = [number(1, 1), number(3, 100_000), bytes(5, &long())].concat();
    let many = |stem| vec![made(stem), bytes(6, &hundred_thousand)];
    let none = vec![bytes(6, &number(1, limits.texts as u64 + 1))];
    let uuids = vec![number(4, u64::MAX), bytes(6, &number(1, u64::MAX))];
    let lists = vec![bytes(6, &bytes(6, &vec![0; 15 << 20]))];
    let most = 2 * limits.batch_bytes + (4 << 20);
    vec![
        ("texts without a letter", none, TooLarge, 1 << 10),
        ("more UUIDs than may be", uuids, TooLarge, 1 << 10),
        ("a long text in each of many", many(0), TooLarge, most),
        ("a text of what is not before", many(2), Malformed, 4 << 20),
        ("lists of nothing", lists, TooLarge, 32 << 20),
    ]
}

fn bombs_of_rows() -> Vec<Bomb> {
    use InvalidKind::{Malformed, TooLarge};
    let limits = Limits::default();
    let rows = limits.rows as u64;
    let constant = |id| bytes(5, &[number(1, id), bytes(6, &[0])].concat());
    let table = |table, rows, columns: &[u8]| {
        bytes(7, &[&number(1, table), &number(2, rows), columns].concat())
    };
    let columns = || of_kind(Table::NodeUsage, Kind::Long).map(constant);
    let every = vec![table(2, rows, &columns().flatten().collect::<Vec<u8>>())];
    let same = columns().next().unwrap().repeat(1_000);
    let text = constant(of_kind(Table::PodUsage, Kind::Text).next().unwrap());
    let in_each = vec![
        made(0),
        bytes(6, &[number(1, 1), bytes(5, &long())].concat()),
        bytes(7, &[number(2, rows), text].concat()),
    ];
    let large = vec![bytes(5, &vec![0; limits.batch_bytes])];
    let more = vec![table(1, rows + 1, &[])];
    let again = vec![table(2, rows, &same)];
    let eight = limits.rows * 8;
    vec![
        ("more bytes than may be", large, TooLarge, 1 << 10),
        ("more rows than may be", more, TooLarge, 1 << 20),
        (
            "a number in every row and column",
            every,
            Malformed,
            eight * 40,
        ),
        ("one column again and again", again, Malformed, eight * 2),
        ("one long text in every row", in_each, TooLarge, 1 << 20),
    ]
}

/// Each in turn, so that one does not count the other's bytes.
#[test]
fn bombs_are_refused_before_they_go_off() {
    for (what, fields, kind, most) in bombs_of_texts().into_iter().chain(bombs_of_rows()) {
        let (found, field, peak) = refused(&fields);
        assert_eq!(found, kind, "{what}: {field}");
        assert!(peak <= most + SLACK_BYTES, "{what}: {peak} bytes");
    }
}
