//! What readers other than ours find in a file: types, encodings, pages and statistics.

use arrow_schema::DataType;
use bytes::Bytes;
use parquet::{
    arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
    basic::{Compression, Encoding},
    file::{
        metadata::ParquetMetaData,
        reader::FileReader as _,
        serialized_reader::{ReadOptionsBuilder, SerializedFileReader},
        statistics::Statistics,
    },
};
use protocol::{Kind, Table};
use rand::{SeedableRng as _, rngs::StdRng};

use super::{
    super::{Input, Inputs, Rows, build},
    random,
};
use crate::lake::schema::FILE_KEY;

fn file(table: Table, seed: u64, strangeness: usize) -> (Bytes, String) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut inputs = Inputs::new(table, 0);
    for _ in 0..5 {
        inputs
            .push(random::input(&mut rng, table, 300, strangeness))
            .unwrap();
    }
    build(inputs).unwrap()
}

fn metadata(bytes: Bytes) -> ParquetMetaData {
    let options = ReadOptionsBuilder::new().with_page_index().build();
    let file = SerializedFileReader::new_with_options(bytes, options).unwrap();
    file.metadata().clone()
}

/// A small file is merged into a larger one soon, which tells it.
#[test]
fn larger_files_say_what_their_columns_mean() {
    for (batches, is_told) in [(5, false), (40, true)] {
        let mut rng = StdRng::seed_from_u64(9);
        let mut inputs = Inputs::new(Table::Events, 0);
        for _ in 0..batches {
            let input = random::input(&mut rng, Table::Events, 300, 30);
            inputs.push(input).unwrap();
        }
        let metadata = metadata(build(inputs).unwrap().0);
        let of_file = metadata.file_metadata().key_value_metadata();
        let explained = of_file
            .into_iter()
            .flatten()
            .find(|pair| pair.key == FILE_KEY);
        assert_eq!(explained.is_some(), is_told);
        let Some(told) = explained.and_then(|pair| pair.value.as_deref()) else {
            continue;
        };
        let told: serde_json::Value = serde_json::from_str(told).unwrap();
        let fields = told["fields"].as_array().unwrap();
        assert_eq!(fields.len(), Table::Events.columns().len());
        for (field, column) in fields.iter().zip(Table::Events.columns()) {
            assert_eq!(field["name"], column.name);
            assert_eq!(field["metadata"]["comment"], column.doc);
        }
    }
}

#[test]
fn a_plain_reader_finds_plain_types() {
    for table in Table::ALL {
        let (bytes, _) = file(table, 1, 30);
        for skip in [false, true] {
            let options = ArrowReaderOptions::new().with_skip_arrow_metadata(skip);
            let reader =
                ParquetRecordBatchReaderBuilder::try_new_with_options(bytes.clone(), options)
                    .unwrap();
            let schema = reader.schema();
            assert_eq!(schema.fields().len(), table.columns().len());
            for (column, field) in table.columns().iter().zip(schema.fields()) {
                assert_eq!(field.name(), column.name);
                assert_eq!(field.is_nullable(), column.is_nullable, "{}", column.name);
                let is_as_told = match (column.kind, field.data_type()) {
                    (Kind::Text | Kind::TimeText, kind) => *kind == DataType::Utf8,
                    (Kind::Texts, DataType::List(item)) => {
                        *item.data_type() == DataType::Utf8 && !item.is_nullable()
                    }
                    (Kind::Long, kind) => *kind == DataType::Int64,
                    (Kind::Int, kind) => *kind == DataType::Int32,
                    (Kind::Double, kind) => *kind == DataType::Float64,
                    (Kind::Boolean, kind) => *kind == DataType::Boolean,
                    (Kind::Time, DataType::Timestamp(_, zone)) => zone.as_deref() == Some("UTC"),
                    _ => false,
                };
                assert!(is_as_told, "{} is {}", column.name, field.data_type());
            }
        }
    }
}

#[test]
fn numbers_are_delta_packed_and_texts_a_dictionary() {
    let metadata = metadata(file(Table::PodUsage, 2, 30).0);
    let created_by = metadata.file_metadata().created_by().unwrap();
    assert!(created_by.starts_with("podledger "), "{created_by}");
    assert_eq!(metadata.num_row_groups(), 1);
    for (column, chunk) in Table::PodUsage
        .columns()
        .iter()
        .zip(metadata.row_group(0).columns())
    {
        assert!(matches!(chunk.compression(), Compression::ZSTD(_)));
        let has = |wanted| chunk.encodings().any(|encoding| encoding == wanted);
        match column.kind {
            Kind::Long | Kind::Int | Kind::Time => {
                assert!(has(Encoding::DELTA_BINARY_PACKED), "{}", column.name);
                assert!(!has(Encoding::RLE_DICTIONARY), "{}", column.name);
            }
            Kind::Text | Kind::TimeText | Kind::Texts => {
                assert!(has(Encoding::RLE_DICTIONARY), "{}", column.name);
            }
            Kind::Double | Kind::Boolean => assert!(!has(Encoding::RLE_DICTIONARY)),
        }
    }
}

#[test]
fn texts_that_come_once_only_are_no_dictionary() {
    let metadata = metadata(file(Table::PodUsage, 2, 3_000).0);
    let columns = Table::PodUsage.columns();
    let pod_id = columns
        .iter()
        .position(|column| column.name == "pod_id")
        .unwrap();
    let chunk = metadata.row_group(0).column(pod_id);
    assert!(chunk.dictionary_page_offset().is_none());
}

/// A reader skips pages by them: a wrong one would hide rows.
#[test]
fn every_page_of_texts_tells_its_own_least_and_greatest() {
    let mut rng = StdRng::seed_from_u64(3);
    let mut inputs = Inputs::new(Table::PodNetwork, 0);
    for _ in 0..5 {
        inputs
            .push(random::input(&mut rng, Table::PodNetwork, 11_000, 200))
            .unwrap();
    }
    let (bytes, _) = build(inputs).unwrap();
    let metadata = metadata(bytes.clone());
    let columns = Table::PodNetwork.columns();
    let place = columns
        .iter()
        .position(|column| column.name == "pod_id")
        .unwrap();
    let pages = &metadata.offset_index().unwrap()[0][place].page_locations;
    let index = &metadata.column_index().unwrap()[0][place];
    let parquet::file::page_index::column_index::ColumnIndexMetaData::BYTE_ARRAY(index) = index
    else {
        panic!("pod_id has no column index");
    };
    let rows = super::value::read(&bytes);
    assert!(pages.len() > 2);
    for (page, at) in pages.iter().enumerate() {
        let start = at.first_row_index as usize;
        let end = pages
            .get(page + 1)
            .map_or(rows.len(), |next| next.first_row_index as usize);
        let texts = rows[start..end].iter().map(|row| match &row[place] {
            super::value::Value::Text(text) => text.as_bytes(),
            other => panic!("{other:?} in pod_id"),
        });
        assert_eq!(index.min_value(page), texts.clone().min());
        assert_eq!(index.max_value(page), texts.max());
    }
}

#[test]
fn a_text_too_long_for_statistics_is_in_none() {
    let mut rng = StdRng::seed_from_u64(4);
    let mut input = random::input(&mut rng, Table::PodUsage, 50, 5);
    input.header.node = "n".repeat(200);
    let mut inputs = Inputs::new(Table::PodUsage, 0);
    inputs.push(input).unwrap();
    let (bytes, stats) = build(inputs).unwrap();
    let stats: serde_json::Value = serde_json::from_str(&stats).unwrap();
    assert_eq!(stats["minValues"].get("node_name"), None);
    assert_eq!(stats["nullCount"]["node_name"], 0);
    let metadata = metadata(bytes);
    let statistics = metadata.row_group(0).column(2).statistics();
    assert_eq!(statistics.and_then(Statistics::min_bytes_opt), None);
}

#[test]
fn statistics_of_the_log_bound_every_row() {
    let mut rng = StdRng::seed_from_u64(9);
    let mut inputs = Inputs::new(Table::PodUsage, 0);
    for seq in [70, 9, 300] {
        let mut input = random::input(&mut rng, Table::PodUsage, 20, 2);
        input.header.seq = seq;
        input.header.node = format!("node-{seq}");
        inputs.push(input).unwrap();
    }
    let (_, stats) = build(inputs).unwrap();
    let stats: serde_json::Value = serde_json::from_str(&stats).unwrap();
    assert_eq!(stats["numRecords"], 60);
    assert_eq!(stats["minValues"]["seq"], 9);
    assert_eq!(stats["maxValues"]["seq"], 300);
    assert_eq!(stats["minValues"]["node_name"], "node-300");
    assert_eq!(stats["maxValues"]["node_name"], "node-9");
    assert_eq!(stats["nullCount"]["seq"], 0);
    // Milliseconds, never above the least or below the greatest.
    assert_eq!(stats["minValues"]["window_end"], "2026-01-01T00:00:00.000Z");
    assert_eq!(stats["maxValues"]["window_end"], "2026-01-01T00:00:01.001Z");
}

#[test]
fn a_value_that_must_be_there_and_is_not_is_told() {
    let mut rng = StdRng::seed_from_u64(9);
    let mut input: Input = random::input(&mut rng, Table::PodUsage, 20, 2);
    let Rows::Data(data) = &mut input.rows else {
        panic!("it has rows");
    };
    let mut columns = Table::PodUsage.columns().iter();
    let pod_id = columns.find(|column| column.name == "pod_id").unwrap().id;
    data.columns.retain(|column| column.id != pod_id);
    let mut inputs = Inputs::new(Table::PodUsage, 0);
    inputs.push(input).unwrap();
    let error = build(inputs).unwrap_err();
    assert_eq!(error.to_string(), "a row for pod_usage has no pod_id");
}
