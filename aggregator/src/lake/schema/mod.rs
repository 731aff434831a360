//! The columns of a table as Arrow and as Delta know them. Both are made of `protocol`'s one
//! definition, so that the wire, the files and the table can't come to differ.

use std::{collections::HashMap, sync::Arc};

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use protocol::{Column, Kind};
use serde_json::{Value, json};

use super::log::PARTITION_COLUMNS;

#[cfg(test)]
mod document;
#[cfg(test)]
mod tests;

/// Key of a column's sentence: Spark, Trino and Athena show what stands under it.
const COMMENT: &str = "comment";
/// Key of a file's own schema with those sentences. Spark heeds it, and for others it is JSON that says what the columns mean.
pub const FILE_KEY: &str = "org.apache.spark.sql.parquet.row.metadata";

/// Columns of a file, in order.
pub fn arrow(columns: &[Column]) -> SchemaRef {
    let field = |column: &Column| {
        let comment = HashMap::from([(COMMENT.to_owned(), column.doc.to_owned())]);
        let kind = arrow_type(column.kind);
        Field::new(column.name, kind, column.is_nullable).with_metadata(comment)
    };
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// `metaData.schemaString` of the table's log. The partition columns come last: they are the folders'
/// and in no file.
pub fn delta(columns: &[Column]) -> String {
    let of_folder = PARTITION_COLUMNS.into_iter().zip(["string", "date"]);
    let of_folder = of_folder.map(|(name, kind)| delta_field(name, &json!(kind), true, &json!({})));
    structure(of_file(columns).chain(of_folder))
}

/// The same of a file alone, as Spark writes and reads it below [`FILE_KEY`].
pub fn file_metadata(columns: &[Column]) -> String {
    structure(of_file(columns))
}

fn of_file(columns: &[Column]) -> impl Iterator<Item = Value> {
    columns.iter().map(|column| {
        let comment = json!({ COMMENT: column.doc });
        let kind = delta_type(column.kind);
        delta_field(column.name, &kind, column.is_nullable, &comment)
    })
}

fn structure(fields: impl Iterator<Item = Value>) -> String {
    json!({ "type": "struct", "fields": fields.collect::<Vec<_>>() }).to_string()
}

fn arrow_type(kind: Kind) -> DataType {
    match kind {
        Kind::Long => DataType::Int64,
        Kind::Int => DataType::Int32,
        Kind::Double => DataType::Float64,
        Kind::Boolean => DataType::Boolean,
        Kind::Text | Kind::TimeText => DataType::Utf8,
        Kind::Texts => DataType::List(list_item()),
        Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    }
}

/// Items of every list. `element` is the name that the Parquet format asks for.
pub(crate) fn list_item() -> Arc<Field> {
    Arc::new(Field::new("element", DataType::Utf8, false))
}

fn delta_type(kind: Kind) -> Value {
    match kind {
        Kind::Long => json!("long"),
        Kind::Int => json!("integer"),
        Kind::Double => json!("double"),
        Kind::Boolean => json!("boolean"),
        Kind::Text | Kind::TimeText => json!("string"),
        Kind::Texts => json!({ "type": "array", "elementType": "string", "containsNull": false }),
        Kind::Time => json!("timestamp"),
    }
}

fn delta_field(name: &str, kind: &Value, is_nullable: bool, metadata: &Value) -> Value {
    json!({ "name": name, "type": kind, "nullable": is_nullable, "metadata": metadata })
}
