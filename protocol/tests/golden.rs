//! Version 1 for ever: what was written once is still written so, byte by byte, and read by us, and
//! by whoever has the `.proto` alone.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod every;
mod same;

use std::path::Path;

use bytes::Bytes;
use prost_reflect::{DescriptorPool, DynamicMessage};
use protocol::{
    Body, Header, Limits, Row, Table, decode, decode_ack, decode_message, encode_ack, encode_gap,
    encode_message, encode_rows,
};
use serde_json::Value;

fn file(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    std::fs::read(folder.join(name)).unwrap()
}

/// The content of a frame: how zstd packs it may change with the library.
fn content(frame: &[u8]) -> Vec<u8> {
    zstd::bulk::decompress(frame, 1 << 20).unwrap()
}

/// A frame around a content, as another zstd would make it.
fn frame(content: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(content, 1).unwrap()
}

fn assert_read(frame: &[u8], header: &Header, rows: &[Row]) {
    let batch = decode(frame, &Limits::default()).unwrap();
    assert_eq!(&batch.header, header);
    let Body::Whole(tables) = batch.body else {
        panic!("{:?}", batch.body);
    };
    same::assert_same(&tables, rows);
}

#[test]
fn every_column_of_every_table_is_filled() {
    let frame = encode_rows(&every::header(), &every::rows());
    let Body::Whole(tables) = decode(&frame, &Limits::default()).unwrap().body else {
        panic!("no rows");
    };
    for table in Table::ALL {
        let data = &tables[table as usize];
        let columns = table.columns().iter();
        let wanted = columns.filter(|column| !column.is_of_header && !column.is_of_ledger);
        let wanted: Vec<u32> = wanted.map(|column| column.id).collect();
        let sent: Vec<u32> = data.columns.iter().map(|column| column.id).collect();
        assert_eq!(sent, wanted, "{table:?}");
    }
}

#[test]
fn a_batch_is_written_and_read_as_ever() {
    let (header, rows) = (every::header(), every::rows());
    assert_eq!(content(&encode_rows(&header, &rows)), file("batch.pb"));
    assert_read(&frame(&file("batch.pb")), &header, &rows);
    assert_read(&file("batch.pb.zst"), &header, &rows);
}

#[test]
fn a_gap_is_written_and_read_as_ever() {
    let (header, gap) = (every::header(), every::gap());
    assert_eq!(content(&encode_gap(&header, &gap)), file("gap.pb"));
    let batch = decode(&frame(&file("gap.pb")), &Limits::default()).unwrap();
    assert_eq!((batch.header, batch.body), (header, Body::Gap(gap)));
}

#[test]
fn a_request_and_its_answer_are_written_and_read_as_ever() {
    let (message, ack) = (every::message(), every::ack());
    assert_eq!(encode_message(&message), file("request.pb"));
    let read = decode_message(Bytes::from(file("request.pb")), &Limits::default());
    assert_eq!(read, Ok(message));
    assert_eq!(encode_ack(&ack), file("ack.pb"));
    assert_eq!(decode_ack(&file("ack.pb")), Ok(ack));
}

/// What each file says to a reader that knows nothing but the `.proto`.
#[test]
fn the_description_reads_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto");
    let files = protox::compile(["podledger.proto"], [folder]).unwrap();
    let pool = DescriptorPool::from_file_descriptor_set(files).unwrap();
    for (name, message) in [
        ("batch", "Batch"),
        ("gap", "Batch"),
        ("request", "Request"),
        ("ack", "Ack"),
    ] {
        let of = pool.get_message_by_name(&format!("podledger.v1.{message}"));
        let bytes = file(&format!("{name}.pb"));
        let read = DynamicMessage::decode(of.unwrap(), bytes.as_slice()).unwrap();
        let json: Value = serde_json::from_slice(&file(&format!("{name}.json"))).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), json, "{name}");
        // A field that the description did not have would not be in its JSON, but in its bytes.
        assert_known(&read);
    }
}

fn assert_known(message: &DynamicMessage) {
    assert_eq!(message.unknown_fields().count(), 0, "{message:?}");
    for (_, value) in message.fields() {
        let inner = value.as_message().into_iter();
        let list = value.as_list().into_iter().flatten();
        inner
            .chain(list.filter_map(prost_reflect::Value::as_message))
            .for_each(assert_known);
    }
}
