//! The columns of a table as Arrow and as Delta know them. Both are made of `protocol`'s one
//! definition, so that the wire, the files and the table can't come to differ.

use std::{collections::HashMap, sync::Arc};

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use protocol::{Column, Kind, Table};
use serde_json::{Value, json};

/// The columns that the files' folders hold, in their order. They are the last of a Delta schema
/// and in no file.
pub const PARTITIONS: [&str; 2] = ["cluster", "date"];
/// Key of a column's sentence: Spark, Trino and Athena show what stands under it.
const COMMENT: &str = "comment";

/// Columns of a file, in order.
pub fn arrow(table: Table, columns: &[Column]) -> SchemaRef {
    let field = |column: &Column| {
        let comment = HashMap::from([(COMMENT.to_owned(), column.doc.to_owned())]);
        let is_nullable = is_nullable(table, column);
        Field::new(column.name, arrow_type(column.kind), is_nullable).with_metadata(comment)
    };
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// `metaData.schemaString` of the table's log.
pub fn delta(table: Table, columns: &[Column]) -> String {
    let of_file = columns.iter().map(|column| {
        let comment = json!({ COMMENT: column.doc });
        let is_nullable = is_nullable(table, column);
        delta_field(column.name, delta_type(column.kind), is_nullable, comment)
    });
    let of_folder = PARTITIONS.into_iter().zip(["string", "date"]);
    let of_folder = of_folder.map(|(name, kind)| delta_field(name, json!(kind), true, json!({})));
    let fields: Vec<Value> = of_file.chain(of_folder).collect();
    json!({ "type": "struct", "fields": fields }).to_string()
}

/// A gap has one row in `reconcile` that no agent filled in: nothing of an agent's is sure there.
pub(super) fn is_nullable(table: Table, column: &Column) -> bool {
    column.is_nullable || (table == Table::Reconcile && !is_sure_in_gap(column))
}

/// What a gap's row of `reconcile` has, too: the header, and how many rows came with it, none.
pub(super) fn is_sure_in_gap(column: &Column) -> bool {
    column.is_of_header || is_row_count(column)
}

/// A column of `reconcile` that counts the batch's rows of a table.
pub(super) fn is_row_count(column: &Column) -> bool {
    !column.is_of_header && column.kind == Kind::Long && column.name.starts_with("rows_")
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
pub(super) fn list_item() -> Arc<Field> {
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

fn delta_field(name: &str, kind: Value, is_nullable: bool, metadata: Value) -> Value {
    json!({ "name": name, "type": kind, "nullable": is_nullable, "metadata": metadata })
}
