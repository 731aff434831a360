//! The agent's own process, as `/proc/self` tells it.

use procfs::{ProcResult, WithCurrentSystemInfo as _, process};

/// What the standard `process_*` metrics tell. What could not be read is absent.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Process {
    pub(super) cpu_seconds: Option<f64>,
    pub(super) resident_bytes: Option<u64>,
    pub(super) virtual_bytes: Option<u64>,
    pub(super) open_fds: Option<usize>,
    pub(super) max_fds: Option<u64>,
    pub(super) start_seconds: Option<f64>,
}

impl Process {
    /// Reads it now.
    pub(super) fn read() -> Self {
        process::Process::myself()
            .and_then(|process| Self::of(&process))
            .unwrap_or_default()
    }

    fn of(process: &process::Process) -> ProcResult<Self> {
        let stat = process.stat()?;
        let ticks = procfs::ticks_per_second().max(1) as f64;
        let max_fds = process.limits().ok().map(|limits| limits.max_open_files);
        let boot_seconds = procfs::boot_time_secs().ok();
        Ok(Self {
            cpu_seconds: Some(stat.utime.saturating_add(stat.stime) as f64 / ticks),
            resident_bytes: Some(stat.rss_bytes().get()),
            virtual_bytes: Some(stat.vsize),
            open_fds: process.fd_count().ok(),
            max_fds: max_fds.and_then(|limit| match limit.soft_limit {
                process::LimitValue::Value(most) => Some(most),
                process::LimitValue::Unlimited => None,
            }),
            start_seconds: boot_seconds.map(|boot| boot as f64 + stat.starttime as f64 / ticks),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_itself() {
        let process = Process::read();
        assert!(process.resident_bytes > Some(100_000), "{process:?}");
        assert!(process.virtual_bytes >= process.resident_bytes);
        assert!(process.open_fds > Some(0));
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
        let start = process.start_seconds.unwrap();
        assert!((now - 3_600.0..=now + 2.0).contains(&start), "{start}");
    }
}
