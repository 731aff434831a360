//! What the programs and maps cost the kernel, by its own figures.

use std::{
    fs,
    os::fd::{AsRawFd as _, RawFd},
};

use aya::programs::loaded_programs;

use super::{Kernel, read::MAPS};

/// Time and runs of one program since it was loaded. Both are 0 for as long as
/// `kernel.bpf_stats_enabled` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramCost {
    /// Name in the object.
    pub name: &'static str,
    /// Time on all CPUs.
    pub run_time_ns: u64,
    /// Runs.
    pub run_count: u64,
}

/// The kernel side's cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Of each program that runs. Empty for an agent without `CAP_SYS_ADMIN`, whom the kernel does
    /// not let find programs by their number.
    pub programs: Vec<ProgramCost>,
    /// Memory of all maps; 0 when nobody could tell.
    pub map_bytes: u64,
}

impl Kernel {
    /// What the kernel side costs. Walks all programs of the host: ask once a window at most.
    pub fn cost(&self) -> Cost {
        Cost {
            programs: program_costs(self.program_ids()),
            map_bytes: MAPS
                .iter()
                .filter_map(|map| map_bytes(self.maps.fd(map.name).as_raw_fd()))
                .sum(),
        }
    }
}

fn program_costs(ids: &[(&'static str, u32)]) -> Vec<ProgramCost> {
    loaded_programs()
        // Another program may end in the middle of the walk.
        .filter_map(Result::ok)
        .filter_map(|info| {
            let (name, _) = ids.iter().find(|(_, id)| *id == info.id())?;
            Some(ProgramCost {
                name,
                run_time_ns: u64::try_from(info.run_time().as_nanos()).unwrap_or(u64::MAX),
                run_count: info.run_count(),
            })
        })
        .take(ids.len())
        .collect()
}

fn map_bytes(fd: RawFd) -> Option<u64> {
    locked_bytes(&fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?)
}

/// What the kernel says of a map's memory beside its descriptor.
fn locked_bytes(fdinfo: &str) -> Option<u64> {
    let line = fdinfo
        .lines()
        .find_map(|line| line.strip_prefix("memlock:"))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_s_memory_stands_beside_its_descriptor() {
        let fdinfo = "pos:\t0\nflags:\t02000002\nmap_type:\t2\nmax_entries:\t1\nmemlock:\t4096\n";
        assert_eq!(locked_bytes(fdinfo), Some(4096));
        assert_eq!(locked_bytes("memlock:\t-1\n"), None);
        assert_eq!(locked_bytes("pos:\t0\n"), None);
    }
}
