//! Files that are merged have the rows of those before, each once and in order.

use std::sync::Arc;

use bytes::Bytes;
use object_store::{ObjectStoreExt as _, memory::InMemory, path::Path};
use protocol::Table;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use super::{
    super::{Inputs, MergeFiles, build, order},
    random,
    value::{Row, read},
};
use crate::lake::{
    LakeError,
    counters::Counters,
    merge::{Input, Merge as _, Merged},
    random::Random,
    settings::Offload,
    store::{Retry, Store},
};

struct Scene {
    bucket: Arc<InMemory>,
    inputs: Vec<Input>,
    rows: Vec<Row>,
}

/// Texts as texts: the order of any other rows does not matter.
fn sorted(rows: &[Row]) -> Vec<String> {
    let mut rows: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
    rows.sort_unstable();
    rows
}

impl Scene {
    async fn new(rng: &mut StdRng, table: Table, files: usize) -> Self {
        let mut scene = Self {
            bucket: Arc::default(),
            inputs: Vec::new(),
            rows: Vec::new(),
        };
        for _ in 0..files {
            let mut inputs = Inputs::new(table, 0);
            for _ in 0..rng.random_range(1..5) {
                let rows = match table {
                    Table::Reconcile => 1,
                    _ => rng.random_range(1..200),
                };
                inputs.push(random::input(rng, table, rows, 5)).unwrap();
            }
            scene.add(build(inputs).unwrap().0).await;
        }
        scene
    }

    async fn add(&mut self, bytes: Bytes) {
        let path = Path::from(format!("file-{}", self.inputs.len()));
        self.rows.extend(read(&bytes));
        self.inputs.push(Input {
            path: path.clone(),
            size: bytes.len() as u64,
        });
        self.bucket.put(&path, bytes.into()).await.unwrap();
    }

    async fn merge(
        &self,
        table: Table,
        unit_rows: u64,
        file_bytes: usize,
    ) -> Result<Vec<Merged>, LakeError> {
        let settings = MergeFiles {
            offload: Offload::Inline,
            unit_rows,
            file_bytes,
        };
        let random = Arc::new(Random::seeded(1));
        let store = Store::new(
            self.bucket.clone(),
            Retry::default(),
            random,
            Arc::new(Counters::default()),
        );
        let mut merging = settings.begin(&store, table, self.inputs.clone()).await?;
        let mut files = Vec::new();
        while let Some(file) = merging.next().await? {
            files.push(file);
        }
        Ok(files)
    }
}

fn content(file: &Merged) -> Bytes {
    Bytes::from(file.pieces.concat())
}

#[tokio::test]
async fn every_row_is_there_once_and_in_order() {
    let mut rng = StdRng::seed_from_u64(3);
    for table in Table::ALL {
        for (unit_rows, file_bytes) in [(u64::MAX, usize::MAX), (100, usize::MAX), (100, 1)] {
            let scene = Scene::new(&mut rng, table, 12).await;
            let files = scene.merge(table, unit_rows, file_bytes).await.unwrap();
            assert!(file_bytes > 1 || files.len() > 2 || table == Table::Reconcile);
            assert!(file_bytes == 1 || files.len() == 1, "{}", files.len());
            let mut rows = Vec::new();
            for file in &files {
                let own = read(&content(file));
                assert_eq!(own.len() as u64, file.rows);
                let stats: serde_json::Value = serde_json::from_str(&file.stats).unwrap();
                assert_eq!(stats["numRecords"], file.rows);
                rows.extend(own);
            }
            assert_eq!(sorted(&rows), sorted(&scene.rows), "{}", table.name());
            assert!(is_in_order(table, &rows), "{}", table.name());
        }
    }
}

fn is_in_order(table: Table, rows: &[Row]) -> bool {
    let place = |name: &&str| {
        let mut columns = table.columns().iter();
        columns.position(|column| column.name == *name).unwrap()
    };
    let keys: Vec<usize> = order::keys(table).iter().map(place).collect();
    let key = |row: &Row| -> Row { keys.iter().map(|at| row[*at].clone()).collect() };
    rows.windows(2).all(|pair| key(&pair[0]) <= key(&pair[1]))
}

/// What was merged can be merged again, with large files among small ones.
#[tokio::test]
async fn merged_files_are_merged_again() {
    let mut rng = StdRng::seed_from_u64(4);
    let table = Table::PodUsage;
    let mut scene = Scene::new(&mut rng, table, 8).await;
    for _ in 0..3 {
        let files = scene.merge(table, 150, 40_000).await.unwrap();
        let mut next = Scene::new(&mut rng, table, 3).await;
        for file in &files {
            next.add(content(file)).await;
        }
        let files = next.merge(table, 170, usize::MAX).await.unwrap();
        let rows: Vec<Row> = files.iter().flat_map(|file| read(&content(file))).collect();
        assert_eq!(sorted(&rows), sorted(&next.rows));
        scene = next;
    }
}

/// A file that is none ends it before anything is written.
#[tokio::test]
async fn a_file_that_is_none_is_told() {
    let mut rng = StdRng::seed_from_u64(5);
    let mut scene = Scene::new(&mut rng, Table::PodUsage, 2).await;
    let path = Path::from("strange");
    let bytes = Bytes::from_static(b"PAR1 nothing of this is a table PAR1");
    scene.inputs.push(Input {
        path: path.clone(),
        size: bytes.len() as u64,
    });
    scene.bucket.put(&path, bytes.into()).await.unwrap();
    let merged = scene.merge(Table::PodUsage, u64::MAX, usize::MAX).await;
    assert!(matches!(merged, Err(LakeError::BadFile { .. })));
}
