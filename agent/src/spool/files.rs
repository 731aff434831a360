//! A spool in a directory of the node: the file, at most three that were lost, and for a moment a new
//! one before it takes the file's place.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use redb::StorageBackend;

use super::place::{Bytes, Place};

/// Lost spools that are kept for those who want to look into them.
const LOST: usize = 3;

/// Bytes of the reserve: taking out all of a spool of some hundred megabytes writes less at once.
const RESERVE: usize = 1 << 20;

/// See the module.
#[derive(Debug)]
pub(super) struct Files {
    file: PathBuf,
    fresh: Option<Bytes>,
}

impl Files {
    /// Of a spool with that path.
    pub(super) fn new(file: PathBuf) -> Self {
        Self { file, fresh: None }
    }

    fn named(&self, suffix: &str) -> PathBuf {
        let mut name = OsString::from(&self.file);
        name.push(suffix);
        PathBuf::from(name)
    }

    fn directory(&self) -> &Path {
        match self.file.parent() {
            Some(directory) if directory != Path::new("") => directory,
            _ => Path::new("."),
        }
    }

    /// Numbers of the lost ones, ascending.
    fn lost(&self) -> io::Result<Vec<u64>> {
        let mut prefix = self.file.file_name().unwrap_or_default().to_os_string();
        prefix.push(".lost-");
        let prefix = prefix.to_string_lossy().into_owned();
        let mut numbers = Vec::new();
        for entry in fs::read_dir(self.directory())? {
            let name = entry?.file_name();
            let number: Option<u64> = name
                .to_str()
                .and_then(|name| name.strip_prefix(&prefix)?.parse().ok());
            numbers.extend(number);
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The file gets a second name, so that there is a file at every instant.
    fn put_aside(&self) -> io::Result<Option<PathBuf>> {
        let numbers = self.lost()?;
        let aside = self.named(&format!(".lost-{}", numbers.last().unwrap_or(&0) + 1));
        match fs::hard_link(&self.file, &aside) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
        let oldest = (numbers.len() + 1).saturating_sub(LOST);
        for number in numbers.iter().take(oldest) {
            fs::remove_file(self.named(&format!(".lost-{number}")))?;
        }
        Ok(Some(aside))
    }
}

impl Place for Files {
    fn current(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let file = match OpenOptions::new().read(true).write(true).open(&self.file) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            };
            let locked = lock(file)?;
            // Between opening and locking, another agent may have put a new one in its place.
            let is_current = fs::metadata(&self.file)
                .is_ok_and(|there| there.ino() == locked.inode && there.dev() == locked.device);
            if is_current {
                return Ok(Some(Arc::new(locked)));
            }
        }
    }

    fn opening(&mut self) -> u32 {
        let path = self.named(".opening");
        let before = fs::read_to_string(&path).ok();
        let before = before
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(0);
        // On a full disk nothing is counted: better than no spool.
        if let Err(error) = fs::write(&path, format!("{}\n", before + 1)) {
            log::debug!("{}: {error}", path.display());
        }
        before
    }

    fn opened(&mut self) {
        let path = self.named(".opening");
        if let Err(error) = fs::remove_file(&path) {
            log::debug!("{}: {error}", path.display());
        }
    }

    fn fresh(&mut self) -> io::Result<Bytes> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(self.directory())?;
        self.fresh = None;
        let path = self.named(".new");
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        let fresh: Bytes = Arc::new(lock(file)?);
        self.fresh = Some(Arc::clone(&fresh));
        Ok(fresh)
    }

    fn install(&mut self) -> io::Result<Option<PathBuf>> {
        if self.fresh.take().is_none() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let aside = self.put_aside()?;
        fs::rename(self.named(".new"), &self.file)?;
        File::open(self.directory())?.sync_all()?;
        Ok(aside)
    }

    fn reserve(&mut self, hold: bool) -> io::Result<()> {
        let path = self.named(".reserve");
        if !hold {
            return fs::remove_file(path);
        }
        if fs::metadata(&path).is_ok_and(|there| there.len() == RESERVE as u64) {
            return Ok(());
        }
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        let file = options.open(&path)?;
        // Not a hole: only what is written takes room.
        let part = [0; 4_096];
        (0..RESERVE / part.len())
            .try_for_each(|at| file.write_all_at(&part, (at * part.len()) as u64))
            .inspect_err(|_| drop(fs::remove_file(&path)))
    }
}

/// A file that no other process has.
#[derive(Debug)]
struct Locked {
    file: File,
    inode: u64,
    device: u64,
}

fn lock(file: File) -> io::Result<Locked> {
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let metadata = file.metadata()?;
    Ok(Locked {
        file,
        inode: metadata.ino(),
        device: metadata.dev(),
    })
}

impl StorageBackend for Locked {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_all_at(data, offset)
    }
}
