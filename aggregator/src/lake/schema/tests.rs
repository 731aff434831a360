//! The schemas as they are published: whoever changes one changes a file in `golden`, and is asked what
//! becomes of the tables that there are.

use protocol::Table;
use serde_json::Value;

use crate::care::hourly;

use super::{
    arrow, delta,
    document::{Chapter, page},
};

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

/// Every table of the page, with what a row of it is.
fn chapters() -> Vec<Chapter<'static>> {
    let intro = |table| match table {
        Table::PodUsage => {
            "One row for each workload and window: pods, and services of the node beside them. A pod that is gone gets a last row, so \
             that one that lived for a second is complete."
        }
        Table::PodNetwork => {
            "One row for each workload, window and class of the other end, where anything moved. The sum over the classes is what \
             `pod_usage` says of that workload and window."
        }
        Table::NodeUsage => "One row for each node and window, from the node's own files.",
        Table::Events => {
            "One row for each thing that happened: kills for want of memory, restarts, and gaps in what was counted."
        }
        Table::Reconcile => {
            "One row for each batch, which is one window of one node: the node's totals beside the sums of its rows, and the ledger of what \
             is in the tables. `total = rows + unattributed + (in_flight - in_flight of the window before)`. A batch that was \
             given up has a row too, with `batch_kind` `gap` and no figures."
        }
    };
    let chapter = |table: Table| Chapter {
        table: table.name(),
        intro: intro(table),
        columns: table.columns(),
    };
    let hourly = Chapter {
        table: hourly::NAME,
        intro: "A pod in one hour, made by the aggregator from `pod_usage` and `pod_network` as soon as the hour is over, and again \
             when rows of it come late: small, fast, and what joins with the bill, by `ec2_instance_id` and `hour`. An hour \
             begins with `hour` and has the windows that end after it, up to the begin of the next. `date` is the day of `hour`.",
        columns: hourly::columns(),
    };
    let tables = Table::ALL.into_iter().map(chapter);
    tables.chain([hourly]).collect()
}

#[test]
fn the_page_of_the_tables_is_what_the_schema_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/tables.md");
    let made = page(&chapters());
    if std::env::var_os("PODLEDGER_WRITE_DOCS").is_some() {
        std::fs::write(path, &made).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap();
    assert!(
        written == made,
        "docs/tables.md differs: run the test with PODLEDGER_WRITE_DOCS=1"
    );
    // A bar would end the cell.
    assert!(
        Table::ALL
            .iter()
            .flat_map(|table| table.columns())
            .all(|column| !column.doc.contains('|'))
    );
}
