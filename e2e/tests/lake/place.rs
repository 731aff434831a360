//! Where a test's tables are: a folder, or an S3 server over a folder.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result};
use deltalake_core::DeltaTable;
use deltalake_core::logstore::{LogStoreRef, StorageConfig, default_logstore, logstore_for};
use e2e::store::{BUCKET, Faults, S3Server};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, memory::InMemory};
use url::Url;

/// See the module. What is in it goes with it.
pub(crate) struct Place {
    folder: PathBuf,
    server: Option<S3Server>,
    store: Arc<dyn ObjectStore>,
}

/// Of the tables in the place.
pub(crate) const PREFIX: &str = "lake";

impl Place {
    /// Files.
    pub(crate) fn folder() -> Result<Self> {
        let folder = new_folder()?;
        let store = LocalFileSystem::new_with_prefix(&folder)?;
        Ok(Self {
            folder,
            server: None,
            store: Arc::new(store),
        })
    }

    /// S3.
    pub(crate) fn s3() -> Result<Self> {
        let folder = new_folder()?;
        let server = S3Server::start(&folder)?;
        Ok(Self {
            folder,
            store: server.store()?,
            server: Some(server),
        })
    }

    /// One of each.
    pub(crate) fn both() -> Result<[Self; 2]> {
        Ok([Self::folder()?, Self::s3()?])
    }

    pub(crate) fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.store)
    }

    /// The store's faults, where it can have some.
    pub(crate) fn faults(&self) -> Option<&Faults> {
        self.server.as_ref().map(S3Server::faults)
    }

    /// What another process needs to reach it.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let server = self.server.as_ref();
        server.map(S3Server::environment).unwrap_or_default()
    }

    /// Address of the tables.
    pub(crate) fn url(&self) -> Result<Url> {
        match &self.server {
            Some(_) => Ok(format!("s3://{BUCKET}/{PREFIX}/").parse()?),
            None => Url::from_directory_path(self.folder.join(PREFIX))
                .ok()
                .context("no address of a folder"),
        }
    }

    /// As delta-rs sees one of the tables.
    pub(crate) fn log_store(&self, table: &str) -> Result<LogStoreRef> {
        let url = self.url()?.join(&format!("{table}/"))?;
        let config = StorageConfig::default();
        if self.server.is_none() {
            return Ok(logstore_for(&url, config)?);
        }
        let prefix = Path::from(PREFIX).join(table);
        let table = PrefixStore::new(self.store(), prefix);
        Ok(default_logstore(
            Arc::new(table),
            self.store(),
            &url,
            &config,
        ))
    }

    /// The table itself, opened by delta-rs.
    pub(crate) async fn open(&self, table: &str) -> Result<DeltaTable> {
        let mut opened = DeltaTable::new(self.log_store(table)?);
        opened.load().await?;
        Ok(opened)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // The server's last writes come before the folder goes.
        self.store = Arc::new(InMemory::new());
        drop(self.server.take());
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

fn new_folder() -> Result<PathBuf> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("podledger-lake-{}-{number}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(folder.join(PREFIX))?;
    Ok(folder)
}
