//! What is in the tables, as their logs tell. Never a listing of files: it would show some that no
//! table has, and others twice.

use std::sync::Arc;

use async_trait::async_trait;
use object_store::{ObjectStore, path::Path};
use protocol::{Table, Timestamp};

use super::error::VerifyError;
use super::read::{Live, LiveFile, Snapshots};
use crate::lake::counters::Counters;
use crate::lake::log::{Detail, File, Log, Snapshot, name, table_path};
use crate::lake::random::Random;
use crate::lake::store::{Retry, Store};

/// The tables below one prefix of a store.
pub struct Tables {
    store: Store,
    prefix: Path,
}

impl Tables {
    /// Where they are.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Nothing is read yet.
    pub fn new(store: Arc<dyn ObjectStore>, prefix: Path) -> Self {
        let random = Arc::new(Random::of_the_system());
        let counters = Arc::new(Counters::default());
        Self {
            store: Store::new(store, Retry::default(), random, counters),
            prefix,
        }
    }
}

#[async_trait]
impl Snapshots for Tables {
    async fn live(&self, table: Table) -> Result<Live, VerifyError> {
        let folder = table_path(&self.prefix, table);
        let log = Log::new(self.store.clone(), &folder, Detail::Files);
        let table = table.name();
        let snapshot = log.read(None).await;
        let snapshot = snapshot.map_err(|source| VerifyError::Log {
            table,
            source: Box::new(source),
        })?;
        let snapshot = snapshot.ok_or_else(|| VerifyError::NoTable {
            table,
            prefix: self.prefix.clone(),
        })?;
        if let Some(feature) = foreign_feature(&snapshot) {
            return Err(VerifyError::Feature { table, feature });
        }
        let files = snapshot.files.unwrap_or_default().into_iter();
        let files = files.map(|(path, file)| {
            live(&folder, &path, &file).ok_or(VerifyError::Name { table, path })
        });
        Ok(Live {
            version: snapshot.version,
            kept_from: kept_from(snapshot.kept_from),
            files: files.collect::<Result<_, _>>()?,
        })
    }
}

/// The begin of a day since 1970, if any days were taken out.
fn kept_from(day: u64) -> Option<Timestamp> {
    const DAY_US: i64 = 24 * 3_600_000_000;
    let unix_us = i64::try_from(day).ok()?.saturating_mul(DAY_US);
    (day > 0).then_some(Timestamp { unix_us })
}

fn live(folder: &Path, path: &str, file: &File) -> Option<LiveFile> {
    let name = name::in_store(path)?;
    Some(LiveFile {
        path: Path::parse(format!("{folder}/{name}")).ok()?,
        size: file.size,
        rows: file.rows(),
        modified: Timestamp {
            unix_us: file.modified_ms.saturating_mul(1_000),
        },
    })
}

/// With deletion vectors or renamed columns, say, the files alone are not the table.
fn foreign_feature(snapshot: &Snapshot) -> Option<String> {
    let needs = &snapshot.requirements;
    let named = needs.reader_features.iter().flatten().next().cloned();
    let version = needs.min_reader_version;
    let is_old = matches!(version, 0 | 1 | 3);
    named.or_else(|| (!is_old).then(|| format!("of reader version {version}")))
}
