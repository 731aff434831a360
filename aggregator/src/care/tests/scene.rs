//! A cluster whose batches are committed, and what is in its tables.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use arrow_array::RecordBatch;
use object_store::{ObjectStoreExt as _, memory::InMemory, path::Path};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use protocol::{Table, Timestamp};

use crate::{
    care::{Care, Rules, Settings, Size},
    generate::{Cluster, Shape},
    held::Held,
    intake::Sealed,
    lake::{
        Lake,
        encode::Encode as _,
        log::{
            Detail, File, Log, Snapshot,
            action::{self, Line},
            name,
        },
        random::Random,
        rows::{MergeFiles, WriteSettings},
        settings::{Offload, Settings as LakeSettings},
        store::{Retry, Store},
    },
    verify::{self, Report, Tables},
};

/// 2026-01-01.
pub const DAY: i64 = 1_767_225_600_000_000;
pub const HOUR: i64 = 3_600_000_000;
const MINUTE: i64 = 60_000_000;

pub struct Scene {
    pub bucket: Arc<InMemory>,
    pub lake: Lake,
    cluster: Cluster,
    now: Arc<AtomicI64>,
    seeds: AtomicU64,
}

impl Scene {
    /// A cluster that runs for so long from midnight on, with windows of a minute.
    pub async fn new(hours: i64) -> Self {
        Self::with_windows(hours, MINUTE).await
    }

    /// The same with windows of that length.
    pub async fn with_windows(hours: i64, interval_us: i64) -> Self {
        let bucket = Arc::new(InMemory::new());
        let shape = Shape {
            seed: 5,
            cluster: "made-up".to_owned(),
            pods: 60,
            start: Timestamp { unix_us: DAY },
            interval_us,
            length_us: hours * HOUR,
        };
        let lake = open(&bucket).await;
        Self {
            bucket,
            lake,
            cluster: Cluster::new(&shape),
            now: Arc::new(AtomicI64::new(DAY)),
            seeds: AtomicU64::new(7),
        }
    }

    /// The batches of the next windows, not committed.
    pub fn windows(&mut self, count: u64) -> Vec<Held> {
        self.cluster.windows(count)
    }

    pub async fn commit(&self, batches: Vec<Held>) {
        self.lake.commit(&Sealed { batches }).await.unwrap();
    }

    /// Commits so many windows, ten at a time.
    pub async fn live(&mut self, windows: u64) {
        for _ in 0..windows / 10 {
            let batches = self.windows(10);
            self.commit(batches).await;
        }
    }

    /// What the clock of the care shows from now on.
    pub fn at(&self, unix_us: i64) {
        self.now.store(unix_us, Ordering::Relaxed);
    }

    pub fn settings(&self) -> Settings {
        let merger = MergeFiles {
            offload: Offload::Inline,
            unit_rows: 3_000,
            ..MergeFiles::default()
        };
        let schema = |table| WriteSettings::default().schema(table);
        let now = self.now.clone();
        Settings {
            // Names of its own, as each process draws them.
            random: Arc::new(Random::seeded(self.seeds.fetch_add(1, Ordering::Relaxed))),
            clock: Arc::new(move || Timestamp {
                unix_us: now.load(Ordering::Relaxed),
            }),
            rules: Rules {
                most: Size {
                    files: 40,
                    ..Rules::default().most
                },
                ..Rules::default()
            },
            entries: 10_000,
            ..Settings::new(Arc::new(merger), schema)
        }
    }

    pub fn care(&self, settings: Settings) -> Care {
        Care::new(self.bucket.clone(), &prefix(), settings)
    }

    pub async fn snapshot(&self, table: &str) -> Snapshot {
        let random = Arc::new(Random::seeded(1));
        let store = Store::new(
            self.bucket.clone(),
            Retry::default(),
            random,
            Arc::default(),
        );
        let log = Log::new(store, &prefix().join(table), Detail::Files);
        log.read(None).await.unwrap().unwrap()
    }

    pub async fn files(&self, table: &str) -> BTreeMap<String, File> {
        self.snapshot(table).await.files.unwrap()
    }

    /// Puts the next entry of a table's log, as another program does.
    pub async fn put(&self, table: &str, lines: &[Line]) {
        let version = self.snapshot(table).await.version + 1;
        let folder = prefix().join(table).join("_delta_log");
        let entry = action::entry(lines).unwrap();
        let path = folder.join(name::entry(version));
        self.bucket.put(&path, entry.into()).await.unwrap();
    }

    /// All rows of a table.
    pub async fn rows(&self, table: &str) -> Vec<RecordBatch> {
        let mut rows = Vec::new();
        for path in self.files(table).await.keys() {
            let path = name::in_store(path).unwrap();
            let path = Path::parse(format!("{}/{table}/{path}", prefix())).unwrap();
            let bytes = self.bucket.get(&path).await.unwrap().bytes().await.unwrap();
            let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
            rows.extend(reader.build().unwrap().map(Result::unwrap));
        }
        rows
    }

    pub async fn report(&self) -> Report {
        let tables = Tables::new(self.bucket.clone(), prefix());
        let reading = verify::Reading {
            store: tables.store(),
            snapshots: &tables,
            rules: verify::Rules {
                now: Timestamp { unix_us: i64::MAX },
                settle: Duration::ZERO,
            },
            memory: 64 << 20,
            progress: &|_| {},
        };
        reading.judge().await.unwrap()
    }

    /// Nothing is lost, nothing is twice; how many rows each table has.
    pub async fn assert_proved(&self) -> BTreeMap<&'static str, u64> {
        let report = self.report().await;
        assert!(report.is_proved(), "{report}");
        Table::ALL
            .into_iter()
            .map(|table| (table.name(), report.rows[table.name()]))
            .collect()
    }
}

/// An aggregator's own view of the tables.
pub async fn open(bucket: &Arc<InMemory>) -> Lake {
    let settings = LakeSettings {
        offload: Offload::Inline,
        ..LakeSettings::new(Arc::new(WriteSettings::default()))
    };
    Lake::open(bucket.clone(), prefix(), settings)
        .await
        .unwrap()
}

pub fn prefix() -> Path {
    Path::from("p")
}
