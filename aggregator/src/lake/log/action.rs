//! Lines of a log entry: the few kinds that are read or written here. Others are skipped.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One line; one of its fields is there.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// What a reader and a writer must be able to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Requirements>,
    /// Id, schema and configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta_data: Option<Metadata>,
    /// How far an application is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub txn: Option<Transaction>,
    /// A file is in the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add: Option<Add>,
    /// A file is no longer in the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remove: Option<Remove>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_info: Option<CommitInfo>,
}

/// What a reader and a writer must be able to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Requirements {
    /// Of readers.
    pub min_reader_version: i32,
    /// Of writers.
    pub min_writer_version: i32,
    /// By name, from reader version 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reader_features: Option<Vec<String>>,
    /// By name, from writer version 7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writer_features: Option<Vec<String>>,
}

/// Id, schema and configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// Random, of this table.
    pub id: String,
    /// Of the files.
    pub format: Format,
    /// As JSON.
    pub schema_string: String,
    /// In the order of the folders.
    pub partition_columns: Vec<String>,
    /// Table properties.
    #[serde(default)]
    pub configuration: BTreeMap<String, String>,
    /// In milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_time: Option<i64>,
    /// Given by somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Given by somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// Of the files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// Always parquet.
    pub provider: String,
    /// Always empty.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

impl Default for Format {
    fn default() -> Self {
        Self {
            provider: "parquet".to_owned(),
            options: BTreeMap::new(),
        }
    }
}

/// How far an application is. Without a time of its last update, which would let it expire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transaction {
    /// Which application.
    pub app_id: String,
    /// How far.
    pub version: i64,
    /// In milliseconds; ours have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_updated: Option<i64>,
}

/// A file is in the table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Add {
    /// Relative to the table, percent-encoded.
    pub path: String,
    /// Column to value.
    pub partition_values: BTreeMap<String, Option<String>>,
    /// In bytes.
    pub size: i64,
    /// In milliseconds.
    pub modification_time: i64,
    /// False if its rows were in the table before.
    pub data_change: bool,
    /// As JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats: Option<String>,
    /// What else is to be known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, Option<String>>>,
}

/// A file is no longer in the table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Remove {
    /// As it was added.
    pub path: String,
    /// In milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_timestamp: Option<i64>,
    /// False if its rows stay in the table.
    pub data_change: bool,
}

/// For people: nothing is decided by it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommitInfo {
    /// In milliseconds.
    #[serde(default)]
    pub timestamp: i64,
    /// What was done.
    #[serde(default)]
    pub operation: String,
    /// With which program.
    #[serde(default)]
    pub engine_info: String,
    /// By which process, and in which try.
    #[serde(default)]
    pub token: String,
}

/// An entry's bytes: one line for each action.
pub fn entry(lines: &[Line]) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut bytes, line)?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

/// The lines of an entry.
pub fn lines(entry: &[u8]) -> Result<Vec<Line>, serde_json::Error> {
    serde_json::Deserializer::from_slice(entry)
        .into_iter()
        .collect()
}
