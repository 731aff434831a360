//! The tables as people read of them: `docs/tables.md`, made of the columns that the files are made of.

use std::fmt::Write as _;

use protocol::{Column, Kind};

/// Before all tables.
const PREFACE: &str = "\
# Tables

This page is made of the one definition of the columns that the wire, the files and the tables' logs are made of;
`PODLEDGER_WRITE_DOCS=1 cargo test -p aggregator --lib schema` writes it anew. The sentences are also comments of the
columns in each table's log, where Athena, Trino and Spark show them, and stand in every larger Parquet file, below
the key `org.apache.spark.sql.parquet.row.metadata`.

Each table is a Delta table in a folder of its name, in files below `cluster=C/date=D/`; both are columns too, named `cluster` and
`date` (the day of the window's end, UTC). Put both into every condition that you can: engines then open only those
files. Read the tables through their logs, never the bare files: [exactly-once.md](exactly-once.md) says why.
Statements for several engines, and questions that people ask, are in [sql](sql/README.md).

Numbers are signed, times are microseconds in UTC, names are lower case with the unit at their end. **Null means that nobody could tell**, never
0: a sum over a column leaves such rows out. What ends in `_delta` and `_seconds`, `oom_kills` and `restarts` are of the window
and can be summed; running totals, peaks and means can not. New columns come last.
";

/// One table of the page.
pub struct Chapter<'a> {
    /// Its name.
    pub table: &'a str,
    /// What a row is.
    pub intro: &'a str,
    /// Its columns in order.
    pub columns: &'a [Column],
}

/// The whole page.
pub fn page(chapters: &[Chapter<'_>]) -> String {
    let mut page = PREFACE.to_owned();
    for Chapter {
        table,
        intro,
        columns,
    } in chapters
    {
        let head = "| column | type | null | meaning |\n|---|---|---|---|";
        // A string takes everything.
        write!(page, "\n## {table}\n\n{intro}\n\n{head}\n").unwrap_or_default();
        for column in *columns {
            let (name, kind, doc) = (column.name, sql_type(column.kind), column.doc);
            let null = if column.is_nullable { "yes" } else { "" };
            writeln!(page, "| `{name}` | {kind} | {null} | {doc} |").unwrap_or_default();
        }
    }
    page
}

/// As engines call it.
const fn sql_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Long => "bigint",
        Kind::Int => "int",
        Kind::Double => "double",
        Kind::Boolean => "boolean",
        Kind::Text | Kind::TimeText => "string",
        Kind::Texts => "array of string",
        Kind::Time => "timestamp",
    }
}
