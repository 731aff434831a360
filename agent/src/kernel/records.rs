//! Records of the kernel's rings, decoded. They are foreign bytes: every length and number is
//! checked before it becomes a type.

use serde::{Deserialize, Serialize};

use super::sys;
use agent_common::{
    lifecycle::{CGROUP_BORN, CGROUP_RELEASED, CGROUP_REMOVED, CgroupRecord, PATH_BYTES},
    oom::{OOM_EXITED, OOM_MARKED, OomRecord},
};

/// Signal of a killed process.
const SIGKILL: u32 = 9;

/// A record that makes no sense.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// It ends too early.
    #[error("a kernel record of {0} bytes is too short")]
    TooShort(usize),
    /// Its kind is not known.
    #[error("a kernel record of unknown kind {0}")]
    UnknownKind(u32),
}

/// What happened to a cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CgroupEventKind {
    /// It was made.
    Born,
    /// It was removed; packets still queued may follow.
    Removed,
    /// Its last reference is gone; nothing can follow.
    Released,
}

/// One step in the life of a cgroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CgroupEvent {
    /// Which step.
    pub kind: CgroupEventKind,
    /// Its id.
    pub cgroup_id: u64,
    /// When, on the boot clock.
    pub at_ns: u64,
    /// Its path below the root of the hierarchy.
    pub path: String,
    /// The kernel may have cut the path.
    pub path_cut: bool,
}

impl CgroupEvent {
    /// Reads a record; bytes behind its path are padding.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let head: CgroupRecord = plain(bytes)?;
        let path = &bytes[size_of::<CgroupRecord>()..];
        let path = path
            .get(..head.path_bytes as usize)
            .ok_or(RecordError::TooShort(bytes.len()))?;
        let kind = match head.kind {
            CGROUP_BORN => CgroupEventKind::Born,
            CGROUP_REMOVED => CgroupEventKind::Removed,
            CGROUP_RELEASED => CgroupEventKind::Released,
            other => return Err(RecordError::UnknownKind(other)),
        };
        Ok(Self {
            kind,
            cgroup_id: head.cgroup_id,
            at_ns: head.at_ns,
            path: String::from_utf8_lossy(path).into_owned(),
            path_cut: path.len() >= PATH_BYTES - 1,
        })
    }
}

/// A thread that was marked as victim, and by whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OomMark {
    /// The thread; from kernel 6.8 on, its process.
    pub tid: u32,
    /// Thread whose allocation led to it.
    pub allocator_tid: u32,
    /// Process whose allocation led to it.
    pub allocator_pid: u32,
    /// Cgroup of the allocator.
    pub allocator_cgroup_id: u64,
    /// When, on the boot clock.
    pub at_ns: u64,
}

/// A mark or an end. From kernel 6.16 on, a victim on another CPU can be told to have ended before
/// its mark is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OomEvent {
    /// A thread was marked.
    Marked(OomMark),
    /// The last thread of a marked process exited.
    Exited {
        /// Its mark once more.
        mark: OomMark,
        /// The process.
        pid: u32,
        /// Its name.
        comm: String,
        /// Its cgroup.
        cgroup_id: u64,
        /// Its peak resident memory.
        peak_rss_bytes: u64,
        /// Whether it died of the kill, or had ended by itself.
        was_killed: bool,
        /// When, on the boot clock.
        at_ns: u64,
    },
}

impl OomEvent {
    /// Reads a record; bytes behind it are padding.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let record: OomRecord = plain(bytes)?;
        let mark = OomMark {
            tid: record.marked_tid,
            allocator_tid: record.allocator_tid,
            allocator_pid: record.allocator_pid,
            allocator_cgroup_id: record.allocator_cgroup_id,
            at_ns: record.marked_ns,
        };
        match record.kind {
            OOM_MARKED => Ok(Self::Marked(mark)),
            OOM_EXITED => Ok(Self::Exited {
                mark,
                pid: record.pid,
                comm: comm(&record.comm),
                cgroup_id: record.cgroup_id,
                peak_rss_bytes: record.peak_rss_pages.saturating_mul(sys::page_bytes()),
                was_killed: record.exit_code & 0x7f == SIGKILL,
                at_ns: record.exited_ns,
            }),
            other => Err(RecordError::UnknownKind(other)),
        }
    }
}

fn comm(bytes: &[u8]) -> String {
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// The struct at the head of `bytes`.
#[expect(unsafe_code, reason = "reads plain data at any alignment")]
fn plain<T: aya::Pod>(bytes: &[u8]) -> Result<T, RecordError> {
    if bytes.len() < size_of::<T>() {
        return Err(RecordError::TooShort(bytes.len()));
    }
    // SAFETY: long enough, and every bit pattern is a T.
    Ok(unsafe { std::ptr::read_unaligned(bytes.as_ptr().cast()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(kind: u32, path_bytes: u32) -> Vec<u8> {
        let words = [kind, path_bytes, 7, 0, 9, 0, 2, 0];
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    #[test]
    fn a_birth_is_decoded_with_its_path() {
        let mut bytes = head(CGROUP_BORN, 2);
        bytes.extend_from_slice(b"/a padding");
        let event = CgroupEvent::decode(&bytes).unwrap();
        assert_eq!(
            (event.cgroup_id, event.at_ns, event.path.as_str()),
            (7, 9, "/a")
        );
        assert!(!event.path_cut);
    }

    #[test]
    fn short_and_unknown_records_are_refused() {
        assert_eq!(CgroupEvent::decode(&[1, 2]), Err(RecordError::TooShort(2)));
        assert_eq!(
            CgroupEvent::decode(&head(CGROUP_BORN, 1)),
            Err(RecordError::TooShort(32))
        );
        assert_eq!(
            CgroupEvent::decode(&head(77, 0)),
            Err(RecordError::UnknownKind(77))
        );
        assert_eq!(OomEvent::decode(&[0; 80]), Err(RecordError::UnknownKind(0)));
    }
}
