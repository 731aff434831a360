//! Batches, lakes that write them, and a reading of what is in the tables.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use object_store::{ObjectStore, ObjectStoreExt as _, memory::InMemory, path::Path};
use protocol::{Counts, Epoch, Gap, GapReason, Table, Timestamp};

use crate::{
    held::{Held, Sender},
    intake::Sealed,
    lake::{
        Lake, LakeError,
        counters::Counters,
        encode::{Encode, EncodeError, Made, NewFile, Wanted},
        log::{Detail, Log, Snapshot, name, table_path},
        random::Random,
        settings::{Offload, Settings},
        store::{Retry, Store},
        watermark,
    },
};

pub const NOW: i64 = 1_700_000_000_000_000;

/// Files whose content is one line for each batch, and a file for each cluster.
pub struct Lines;

impl Encode for Lines {
    fn schema(&self, table: Table) -> String {
        let column = |name: &str| {
            format!(r#"{{"name":"{name}","type":"string","nullable":true,"metadata":{{}}}}"#)
        };
        let columns = ["cluster", "date", table.name()].map(column).join(",");
        format!(r#"{{"type":"struct","fields":[{columns}]}}"#)
    }

    fn files(&self, wanted: &[Wanted]) -> Result<Made, EncodeError> {
        let mut made = Made::default();
        for table in Table::ALL {
            let wanted = wanted.iter().filter(|wanted| wanted.is_for(table));
            made[table as usize] = self.of(table, wanted.map(|wanted| &wanted.batch))?;
        }
        Ok(made)
    }
}

impl Lines {
    fn of<'a>(
        &self,
        table: Table,
        batches: impl Iterator<Item = &'a Held>,
    ) -> Result<Vec<NewFile>, EncodeError> {
        let mut clusters: BTreeMap<&str, (String, u64)> = BTreeMap::new();
        for batch in batches {
            let rows = if table == Table::Reconcile {
                1
            } else {
                batch.rows[table]
            };
            if rows == 0 {
                return Err(format!("{batch:?} has no rows in {table:?}").into());
            }
            let kind = if batch.gap.is_some() { "gap" } else { "whole" };
            let (text, total) = clusters.entry(&batch.cluster).or_default();
            let Sender { node, epoch } = &batch.sender;
            *text += &format!("{node} {epoch} {} {kind}\n", batch.seq);
            *total += rows;
        }
        let file = |(cluster, (text, rows)): (&str, (String, u64))| NewFile {
            partition: (cluster.to_owned(), "2023-11-14".to_owned()),
            bytes: text.into(),
            rows,
            stats: format!(r#"{{"numRecords":{rows}}}"#),
        };
        Ok(clusters.into_iter().map(file).collect())
    }
}

pub fn settings(seed: u64) -> Settings {
    Settings {
        offload: Offload::Inline,
        random: Arc::new(Random::seeded(seed)),
        clock: Arc::new(|| Timestamp { unix_us: NOW }),
        ..Settings::new(Arc::new(Lines))
    }
}

pub async fn open(store: Arc<dyn ObjectStore>, seed: u64) -> Result<Lake, LakeError> {
    Lake::open(store, Path::from("p"), settings(seed)).await
}

/// A whole batch with rows in these data tables.
pub fn batch_of(node: &str, seq: u64, tables: &[Table]) -> Held {
    let mut rows = Counts::default();
    for table in tables {
        rows[*table] = 2;
    }
    rows[Table::Reconcile] = 1;
    Held {
        sender: Sender {
            node: node.into(),
            epoch: Epoch([7; 16]),
        },
        cluster: "c".into(),
        seq,
        previous: None,
        window_end: Timestamp { unix_us: NOW },
        rows,
        gap: None,
        frame: Bytes::new(),
    }
}

pub fn batch(node: &str, seq: u64) -> Held {
    batch_of(node, seq, &[Table::PodUsage, Table::NodeUsage])
}

pub fn gap(node: &str, seq: u64) -> Held {
    Held {
        gap: Some(Gap {
            reason: GapReason::SpoolFull,
            message: String::new(),
            rows_lost: Counts::default(),
        }),
        ..batch_of(node, seq, &[])
    }
}

pub fn sealed(batches: impl IntoIterator<Item = Held>) -> Sealed {
    Sealed {
        batches: batches.into_iter().collect(),
    }
}

/// The batches `first..=last` of a node.
pub fn run(node: &str, first: u64, last: u64) -> Sealed {
    sealed((first..=last).map(|seq| batch(node, seq)))
}

/// Node, seq, and whether it is whole, with the number of times that it is there.
pub type Content = BTreeMap<(String, u64, bool), u64>;

pub fn plain_store(store: Arc<dyn ObjectStore>) -> Store {
    let random = Arc::new(Random::seeded(0));
    Store::new(
        store,
        Retry::default(),
        random,
        Arc::new(Counters::default()),
    )
}

pub fn log(store: &Arc<InMemory>, table: Table) -> Log {
    let path = table_path(&Path::from("p"), table);
    Log::new(plain_store(store.clone()), &path, Detail::Files)
}

pub async fn snapshot(store: &Arc<InMemory>, table: Table) -> Snapshot {
    log(store, table).read(None).await.unwrap().unwrap()
}

/// What the log and the files of a table say.
pub async fn content(store: &Arc<InMemory>, table: Table) -> Content {
    let mut content = Content::new();
    let folder = table_path(&Path::from("p"), table);
    for path in snapshot(store, table).await.files.unwrap().keys() {
        let name = name::in_store(path).unwrap();
        let path = Path::parse(format!("{folder}/{name}")).unwrap();
        let bytes = store.get(&path).await.unwrap().bytes().await.unwrap();
        for line in std::str::from_utf8(&bytes).unwrap().lines() {
            let parts: Vec<&str> = line.split(' ').collect();
            let key = (
                parts[0].to_owned(),
                parts[2].parse().unwrap(),
                parts[3] == "whole",
            );
            *content.entry(key).or_default() += 1;
        }
    }
    content
}

/// Whole batches `1..=last` of each node, each once.
pub fn once(nodes: &[(&str, u64)]) -> Content {
    let batches = nodes
        .iter()
        .flat_map(|(node, last)| (1..=*last).map(|seq| (((*node).to_owned(), seq, true), 1)));
    batches.collect()
}

/// The tables that [`batch`] has rows in hold exactly these, the others nothing.
pub async fn assert_holds(store: &Arc<InMemory>, wanted: &Content) {
    for table in Table::ALL {
        let found = content(store, table).await;
        match table {
            Table::PodUsage | Table::NodeUsage | Table::Reconcile => {
                assert_eq!(found, *wanted, "{table:?}");
            }
            Table::PodNetwork | Table::Events => assert_eq!(found, Content::new(), "{table:?}"),
        }
    }
    assert_marks(store).await;
}

/// No row of a table is above its watermark, and the ledger's says exactly what it has.
pub async fn assert_marks(store: &Arc<InMemory>) {
    for table in Table::ALL {
        let number = snapshot(store, table).await.watermark;
        let path = table_path(&Path::from("p"), table);
        let marks = match number {
            0 => Default::default(),
            _ => watermark::load(&plain_store(store.clone()), &path, number)
                .await
                .unwrap()
                .unwrap(),
        };
        let mut highest: BTreeMap<String, u64> = BTreeMap::new();
        for (node, seq, _) in content(store, table).await.into_keys() {
            let seen = highest.entry(node).or_default();
            *seen = seq.max(*seen);
        }
        let of = |node: &str| marks.iter().find(|(sender, _)| &*sender.node == node);
        for (node, seq) in highest {
            let mark = of(&node).map_or(0, |(_, mark)| mark.seq);
            assert!(mark >= seq, "{table:?} {node}: {seq} above {mark}");
            assert!(
                table != Table::Reconcile || mark == seq,
                "{node}: {mark} is not there"
            );
        }
    }
}
