//! Memory, I/O and pressure of one cgroup, from its files. Each file costs a few microseconds, some more
//! (the kernel adds up all CPUs for `memory.stat`): the caller names those that it needs.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// Longer than any of these files: `io.stat` has a line for each device.
const MOST_BYTES: u64 = 64 * 1024;
/// Enough for all of them on most hosts.
const USUAL_BYTES: usize = 4 * 1024;

/// A file of a cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CgroupFile {
    /// `memory.current`
    MemoryCurrent,
    /// `memory.peak`, from kernel 5.19 on.
    MemoryPeak,
    /// `memory.stat`
    MemoryStat,
    /// `memory.swap.current`
    SwapCurrent,
    /// `io.stat`
    IoStat,
    /// `cpu.pressure`
    CpuPressure,
    /// `memory.pressure`
    MemoryPressure,
    /// `io.pressure`
    IoPressure,
}

impl CgroupFile {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::MemoryCurrent,
        Self::MemoryPeak,
        Self::MemoryStat,
        Self::SwapCurrent,
        Self::IoStat,
        Self::CpuPressure,
        Self::MemoryPressure,
        Self::IoPressure,
    ];

    /// Its name in the cgroup's directory.
    pub fn name(self) -> &'static str {
        match self {
            Self::MemoryCurrent => "memory.current",
            Self::MemoryPeak => "memory.peak",
            Self::MemoryStat => "memory.stat",
            Self::SwapCurrent => "memory.swap.current",
            Self::IoStat => "io.stat",
            Self::CpuPressure => "cpu.pressure",
            Self::MemoryPressure => "memory.pressure",
            Self::IoPressure => "io.pressure",
        }
    }
}

/// Times in which tasks waited, since the cgroup was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pressure {
    /// Some task waited.
    pub some_usec: Option<u64>,
    /// All tasks waited.
    pub full_usec: Option<u64>,
}

impl Pressure {
    /// From the text of a pressure file.
    pub(crate) fn parse(text: &str) -> Self {
        let total = |kind: &str| {
            let line = text
                .lines()
                .find(|line| line.split(' ').next() == Some(kind))?;
            line.rsplit_once(" total=")?.1.trim_end().parse().ok()
        };
        Self {
            some_usec: total("some"),
            full_usec: total("full"),
        }
    }
}

/// What the files of one cgroup tell, descendants included. Absent is what could not be read or made
/// no sense, each by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CgroupFiles {
    /// Memory charged to it, page cache included.
    pub memory_current_bytes: Option<u64>,
    /// The most that was charged to it.
    pub memory_peak_bytes: Option<u64>,
    /// Memory of its own that no file holds.
    pub memory_anon_bytes: Option<u64>,
    /// Page cache that was not used lately.
    pub memory_inactive_file_bytes: Option<u64>,
    /// Swap charged to it.
    pub swap_current_bytes: Option<u64>,
    /// Bytes read from all block devices.
    pub io_read_bytes: Option<u64>,
    /// Bytes written to them.
    pub io_written_bytes: Option<u64>,
    /// Waits for CPU.
    pub cpu_pressure: Pressure,
    /// Waits for memory.
    pub memory_pressure: Pressure,
    /// Waits for block devices.
    pub io_pressure: Pressure,
}

impl CgroupFiles {
    /// Memory in use by the kubelet's measure.
    pub fn working_set_bytes(&self) -> Option<u64> {
        let inactive = self.memory_inactive_file_bytes?;
        Some(self.memory_current_bytes?.saturating_sub(inactive))
    }

    fn take(&mut self, file: CgroupFile, text: &str) {
        match file {
            CgroupFile::MemoryCurrent => self.memory_current_bytes = number(text),
            CgroupFile::MemoryPeak => self.memory_peak_bytes = number(text),
            CgroupFile::MemoryStat => {
                self.memory_anon_bytes = named(text, "anon");
                self.memory_inactive_file_bytes = named(text, "inactive_file");
            }
            CgroupFile::SwapCurrent => self.swap_current_bytes = number(text),
            CgroupFile::IoStat => {
                self.io_read_bytes = sum(text, "rbytes");
                self.io_written_bytes = sum(text, "wbytes");
            }
            CgroupFile::CpuPressure => self.cpu_pressure = Pressure::parse(text),
            CgroupFile::MemoryPressure => self.memory_pressure = Pressure::parse(text),
            CgroupFile::IoPressure => self.io_pressure = Pressure::parse(text),
        }
    }
}

/// Reads files of cgroups, one after the other, into one buffer.
#[derive(Debug)]
pub struct FileReader {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Default for FileReader {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            bytes: Vec::with_capacity(USUAL_BYTES),
        }
    }
}

impl FileReader {
    /// Reads `files` of the cgroup at `path` below `root`.
    pub fn read(&mut self, root: &Path, path: &str, files: &[CgroupFile]) -> CgroupFiles {
        let mut told = CgroupFiles::default();
        self.path.clear();
        self.path.push(root);
        self.path.push(path.trim_start_matches('/'));
        for &file in files {
            self.path.push(file.name());
            if let Some(text) = read_text(&self.path, &mut self.bytes) {
                told.take(file, text);
            }
            self.path.pop();
        }
        // One host with many devices does not make it large for good.
        self.bytes.shrink_to(USUAL_BYTES);
        told
    }
}

/// The whole text of a small file.
fn read_text<'a>(path: &Path, bytes: &'a mut Vec<u8>) -> Option<&'a str> {
    bytes.clear();
    let whole = |bytes: &mut Vec<u8>| -> io::Result<bool> {
        let read = File::open(path)?.take(MOST_BYTES).read_to_end(bytes)?;
        Ok((read as u64) < MOST_BYTES)
    };
    match whole(bytes) {
        Ok(true) => std::str::from_utf8(bytes).ok(),
        Ok(false) | Err(_) => None,
    }
}

fn number(text: &str) -> Option<u64> {
    text.trim_end().parse().ok()
}

/// The value of the line `name value`.
fn named(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    number(value)
}

/// The sum of `name=value` over all lines; 0 where no device did anything yet.
fn sum(text: &str, name: &str) -> Option<u64> {
    let mut sum = 0_u64;
    for field in text.split_ascii_whitespace() {
        if let Some((field, value)) = field.split_once('=')
            && field == name
        {
            sum = sum.checked_add(value.parse().ok()?)?;
        }
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A directory of its own with these files, for as long as it lives.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str, files: &[(&str, &[u8])]) -> Self {
            let directory =
                std::env::temp_dir().join(format!("podledger-{name}-{}", std::process::id()));
            fs::create_dir_all(directory.join("pod")).unwrap();
            for (file, text) in files {
                fs::write(directory.join("pod").join(file), text).unwrap();
            }
            Self(directory)
        }

        fn read(&self) -> CgroupFiles {
            FileReader::default().read(&self.0, "/pod", &CgroupFile::ALL)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    #[test]
    fn a_recorded_container_is_read_whole() {
        let recorded = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/node"));
        let files = FileReader::default().read(recorded, "/container", &CgroupFile::ALL);
        let pressure = |some_usec, full_usec| Pressure {
            some_usec: Some(some_usec),
            full_usec: Some(full_usec),
        };
        let expected = CgroupFiles {
            memory_current_bytes: Some(22_138_880),
            memory_peak_bytes: Some(23_318_528),
            memory_anon_bytes: Some(163_840),
            memory_inactive_file_bytes: Some(0),
            swap_current_bytes: Some(0),
            io_read_bytes: Some(0),
            io_written_bytes: Some(20_971_520),
            cpu_pressure: pressure(96_412_397, 94_630_742),
            memory_pressure: pressure(0, 0),
            io_pressure: pressure(9_986, 9_986),
        };
        assert_eq!(files, expected);
        assert_eq!(files.working_set_bytes(), Some(22_138_880));
    }

    #[test]
    fn each_file_is_missing_by_itself() {
        let scratch = Scratch::new(
            "files",
            &[
                ("memory.current", b"8192\n"),
                ("memory.peak", b"max\n"),
                ("memory.stat", b"anon 12\ninactive_anon 7\nanon_thp 3\n"),
                (
                    "io.stat",
                    b"8:0 rbytes=10 wbytes=1 rios=2\n8:16 \n259:0 rbytes=5 wbytes=x\n",
                ),
                (
                    "cpu.pressure",
                    b"some avg10=0.00 avg60=0.00 avg300=0.00 total=77\n",
                ),
                (
                    "memory.pressure",
                    b"some avg10=0.00 total=-1\nfull total=18446744073709551616\n",
                ),
                ("io.pressure", b"\xff\xfe"),
            ],
        );
        let told = scratch.read();
        let expected = CgroupFiles {
            memory_current_bytes: Some(8192),
            memory_anon_bytes: Some(12),
            io_read_bytes: Some(15),
            cpu_pressure: Pressure {
                some_usec: Some(77),
                full_usec: None,
            },
            ..CgroupFiles::default()
        };
        assert_eq!(told, expected);
        assert_eq!(told.working_set_bytes(), None);
    }

    #[test]
    fn a_cgroup_that_is_gone_tells_nothing() {
        let reader = &mut FileReader::default();
        let told = reader.read(Path::new("/nowhere"), "/pod", &CgroupFile::ALL);
        assert_eq!(told, CgroupFiles::default());
    }

    #[test]
    fn a_sum_that_overflows_or_a_file_without_end_tells_nothing() {
        let huge = "8:0 rbytes=1 wbytes=1\n".repeat(4_000);
        let scratch = Scratch::new(
            "overflow",
            &[
                ("io.stat", huge.as_bytes()),
                ("memory.current", b"18446744073709551616\n"),
            ],
        );
        assert_eq!(scratch.read(), CgroupFiles::default());
        assert_eq!(
            sum("a wbytes=18446744073709551615\nb wbytes=1\n", "wbytes"),
            None
        );
        assert_eq!(sum("", "wbytes"), Some(0));
    }

    #[test]
    fn only_what_is_asked_for_is_read() {
        let scratch = Scratch::new("some", &[("memory.current", b"1"), ("memory.peak", b"2")]);
        let reader = &mut FileReader::default();
        let told = reader.read(&scratch.0, "pod", &[CgroupFile::MemoryPeak]);
        assert_eq!(
            (told.memory_current_bytes, told.memory_peak_bytes),
            (None, Some(2))
        );
    }
}
