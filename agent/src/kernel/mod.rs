//! The kernel's side of the agent: loads the programs, attaches each once for the whole host, reads
//! their maps and decodes their records. Counters are cumulative and keyed by cgroup v2 id; what
//! they mean to a workload is told in `join`.

mod attach;
pub mod btf;
mod classes;
mod cost;
mod load;
pub mod needs;
mod owners;
mod pins;
mod read;
mod records;
mod source;
pub mod sys;
mod table;
mod trace;

use std::path::PathBuf;

pub use classes::{Prefix, default_prefixes, node_prefixes};
pub use cost::{Cost, ProgramCost};
pub use load::Kernel;
pub use pins::{Gap, PinError, uninstall};
pub use read::Snapshot;
pub use records::{CgroupEvent, CgroupEventKind, OomEvent, OomMark, RecordError};
pub use source::{PROGRAMS, ProgramSpec, Source, SourceState, Sources};

/// The kernel object that this build carries; empty when it was built without one.
pub static OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/podledger.bpf.o"));

/// Where the agent's maps and links are pinned.
pub const PIN_DIRECTORY: &str = "/sys/fs/bpf/podledger";

/// What to load and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// Directory on a BPF file system that keeps maps and links while no agent runs. Without one,
    /// counting ends with the process.
    pub pins: Option<PathBuf>,
    /// Mount point of the cgroup v2 hierarchy.
    pub cgroup_root: PathBuf,
    /// Which kinds of counters to run.
    pub sources: Vec<Source>,
    /// Prefixes that tell the class of a peer's address.
    pub prefixes: Vec<Prefix>,
    /// Takes every packet on the loopback interface as class loopback without looking at it.
    pub loopback_shortcut: bool,
    /// Most accounts for CPU and for network; the programs' own numbers when absent.
    pub max_accounts: Option<u32>,
}

impl Options {
    /// The defaults of an agent on this host.
    pub fn new(cgroup_root: PathBuf) -> Self {
        let mut prefixes = default_prefixes();
        prefixes.extend(node_prefixes());
        Self {
            pins: Some(PIN_DIRECTORY.into()),
            cgroup_root,
            sources: Source::ALL.to_vec(),
            prefixes,
            loopback_shortcut: true,
            max_accounts: None,
        }
    }
}

/// Why no kernel counters can be had at all. What only one source lacks is told in [`Sources`].
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// Built without the kernel object.
    #[error(
        "this build carries no kernel programs: run `cargo xtask build-ebpf`, then build the \
         agent again"
    )]
    NoObject,
    /// Offsets can't be told.
    #[error(transparent)]
    Btf(#[from] btf::BtfError),
    /// aya refused the object, or the kernel its maps.
    #[error(
        "loading the kernel programs: the agent needs root, or CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN"
    )]
    Load(#[source] Box<aya::EbpfError>),
    /// The number of CPUs can't be told.
    #[error("reading {file}: mount the host's /sys")]
    Cpus {
        /// Where it should stand.
        file: &'static str,
        /// The answer.
        #[source]
        source: std::io::Error,
    },
    /// A map is missing in the object.
    #[error("the kernel object has no map {0}: it belongs to another version of the agent")]
    NoMap(&'static str),
    /// A map could not be read or written.
    #[error("{what}")]
    Map {
        /// What was being done.
        what: &'static str,
        /// The kernel's answer.
        #[source]
        source: std::io::Error,
    },
    /// The pins can't be used.
    #[error(transparent)]
    Pins(#[from] PinError),
    /// The ring buffer can't be mapped.
    #[error("mapping a ring buffer")]
    Ring(#[source] Box<aya::maps::MapError>),
}
