//! Files of the node, whole or cut at a bound, read into one buffer.

use std::{
    borrow::Cow,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

/// `/proc/stat` of a large machine has a number for each of its thousands of interrupts.
const MOST_BYTES: u64 = 256 * 1024;
/// Enough for most files of most machines.
const USUAL_BYTES: usize = 8 * 1024;

/// Reads below two mount points.
pub(super) struct Files<'a> {
    proc: &'a Path,
    sys: &'a Path,
    bytes: Vec<u8>,
}

impl<'a> Files<'a> {
    pub(super) fn new(proc: &'a Path, sys: &'a Path) -> Self {
        Self {
            proc,
            sys,
            bytes: Vec::with_capacity(USUAL_BYTES),
        }
    }

    /// The text of a file of `/proc`.
    pub(super) fn proc(&mut self, name: &str) -> Option<Cow<'_, str>> {
        let path = self.proc.join(name);
        self.text(&path)
    }

    /// The text of a file of `/sys`.
    pub(super) fn sys(&mut self, name: &str) -> Option<Cow<'_, str>> {
        let path = self.sys.join(name);
        self.text(&path)
    }

    /// Where a file of `/sys` is.
    pub(super) fn sys_path(&self, name: &str) -> PathBuf {
        self.sys.join(name)
    }

    /// Whole lines, as far as the bound lets; what is no UTF-8 spoils its own line only.
    fn text(&mut self, path: &Path) -> Option<Cow<'_, str>> {
        self.bytes.clear();
        let file = File::open(path).ok()?;
        let read = file.take(MOST_BYTES).read_to_end(&mut self.bytes).ok()?;
        if read as u64 == MOST_BYTES {
            let whole = self.bytes.iter().rposition(|byte| *byte == b'\n');
            self.bytes.truncate(whole.map_or(0, |newline| newline + 1));
        }
        Some(String::from_utf8_lossy(&self.bytes))
    }
}
