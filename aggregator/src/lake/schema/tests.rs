//! The schemas as they are published: whoever changes one changes a file in `golden`, and is asked what
//! becomes of the tables that there are.

use protocol::Table;
use serde_json::Value;

use super::{arrow, delta};

/// One column a line, so that a change is seen for what it is. Sentences may change.
fn lines(schema: &str) -> String {
    let schema: Value = serde_json::from_str(schema).unwrap();
    assert_eq!(schema["type"], "struct");
    let fields = schema["fields"].as_array().unwrap().iter();
    let line = |field: &Value| {
        let kind = match &field["type"] {
            Value::String(kind) => kind.clone(),
            list => format!("{} of {}", text(&list["type"]), text(&list["elementType"])),
        };
        let absent = match field["nullable"] == true {
            true => ", may be absent",
            false => "",
        };
        format!("{}: {kind}{absent}\n", text(&field["name"]))
    };
    fields.map(line).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn schemas_are_those_that_were_published() {
    let golden = [
        include_str!("golden/pod_usage.txt"),
        include_str!("golden/pod_network.txt"),
        include_str!("golden/node_usage.txt"),
        include_str!("golden/events.txt"),
        include_str!("golden/reconcile.txt"),
    ];
    for (table, golden) in Table::ALL.into_iter().zip(golden) {
        assert_eq!(lines(&delta(table.columns())), golden, "{}", table.name());
    }
}

#[test]
fn every_column_of_a_file_says_what_it_means() {
    for table in Table::ALL {
        let schema: Value = serde_json::from_str(&delta(table.columns())).unwrap();
        let of_file = arrow(table.columns());
        let fields = schema["fields"].as_array().unwrap();
        for ((column, field), of_file) in table.columns().iter().zip(fields).zip(of_file.fields()) {
            assert_eq!(field["metadata"]["comment"], column.doc);
            assert_eq!(of_file.metadata()["comment"], column.doc);
            assert!(!column.doc.is_empty(), "{} says nothing", column.name);
        }
        let folders = &fields[table.columns().len()..];
        let folders: Vec<_> = folders
            .iter()
            .map(|field| (&field["name"], &field["type"]))
            .collect();
        let expected = [("cluster", "string"), ("date", "date")]
            .map(|(name, kind)| (Value::from(name), Value::from(kind)));
        assert_eq!(
            folders,
            expected
                .iter()
                .map(|(name, kind)| (name, kind))
                .collect::<Vec<_>>()
        );
    }
}
