//! Tables that are made up are tables.

use std::{sync::Arc, time::Duration};

use clap::Parser;
use object_store::{ObjectStore, memory::InMemory, path::Path};
use protocol::{Table, Timestamp};

use super::{Arguments, GenerateError, Shape, fill, run};
use crate::verify::{Reading, Report, Rules, Tables};

fn shape() -> Shape {
    Shape {
        seed: 3,
        cluster: "made-up".to_owned(),
        pods: 60,
        start: Timestamp {
            unix_us: 1_767_225_000_000_000,
        },
        interval_us: 60_000_000,
        // Over midnight.
        length_us: 3_600_000_000,
    }
}

fn verify(store: Arc<dyn ObjectStore>) -> Report {
    let tables = Tables::new(store, Path::from("lake"));
    let reading = Reading {
        store: tables.store(),
        snapshots: &tables,
        rules: Rules {
            now: Timestamp { unix_us: i64::MAX },
            settle: Duration::ZERO,
        },
        memory: 64 << 20,
        progress: &|_| {},
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(reading.judge()).unwrap()
}

#[test]
fn what_was_made_is_proved() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let mut last = None;
    let rows = fill(store.clone(), Path::from("lake"), shape(), |done| {
        last = Some(done);
    })
    .unwrap();
    let report = verify(store.clone());
    assert!(report.is_proved(), "{report}");
    assert_eq!((report.nodes, report.batches), (2, 120));
    assert_eq!(report.rows[Table::PodUsage.name()], rows);
    assert!(rows > 40 * 60);
    assert!(
        Table::ALL
            .iter()
            .all(|table| report.rows[table.name()] > 0 || *table == Table::Events)
    );
    let last = last.unwrap();
    assert_eq!((last.windows, last.of_windows, last.rows), (60, 60, rows));

    let again = fill(store.clone(), Path::from("lake"), shape(), |_| {});
    assert!(
        matches!(again, Err(GenerateError::Taken("pod_usage"))),
        "{again:?}"
    );
    assert_eq!(verify(store).rows[Table::PodUsage.name()], rows);
}

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    arguments: Arguments,
}

#[test]
fn options_that_cannot_be_are_refused() {
    for (option, word) in [
        (["--interval", "7s"], "--interval"),
        (["--interval", "2h"], "--interval"),
        (["--cluster", "a/b"], "--cluster"),
        (["--cluster", ""], "--cluster"),
    ] {
        let words = [
            "generate", "--out", "memory:", "--pods", "9", "--hours", "1",
        ];
        let command = Command::parse_from(words.iter().chain(&option));
        let said = run(&command.arguments, []).unwrap_err().to_string();
        assert!(said.contains(word), "{said}");
    }
    for words in [
        ["--pods", "0", "--hours", "1"],
        ["--pods", "1", "--hours", "0"],
    ] {
        assert!(
            Command::try_parse_from(["generate", "--out", "memory:"].iter().chain(&words)).is_err()
        );
    }
}
