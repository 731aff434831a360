//! `cpu.stat`: the kernel's own total of a cgroup and its descendants, and its throttling.

use std::{fs, io, path::Path};

use serde::{Deserialize, Serialize};

/// What `cpu.stat` tells; throttling only where the cpu controller is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuStat {
    /// CPU time, descendants included.
    pub usage_usec: u64,
    /// Enforcement periods in which it was throttled.
    pub throttled_periods: Option<u64>,
    /// Time throttled.
    pub throttled_usec: Option<u64>,
    /// Periods in which it used its burst allowance.
    pub burst_periods: Option<u64>,
}

/// Reads the `cpu.stat` of the cgroup at `path` below `root`.
pub fn read_cpu_stat(root: &Path, path: &str) -> io::Result<CpuStat> {
    let file = root.join(path.trim_start_matches('/')).join("cpu.stat");
    Ok(parse(&fs::read_to_string(file)?))
}

fn parse(text: &str) -> CpuStat {
    let mut stat = CpuStat::default();
    for line in text.lines() {
        let Some((name, value)) = line.split_once(' ') else {
            continue;
        };
        let Ok(value) = value.parse() else { continue };
        match name {
            "usage_usec" => stat.usage_usec = value,
            "nr_throttled" => stat.throttled_periods = Some(value),
            "throttled_usec" => stat.throttled_usec = Some(value),
            "nr_bursts" => stat.burst_periods = Some(value),
            _ => {}
        }
    }
    stat
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttling_is_absent_without_the_controller() {
        let stat = parse("usage_usec 12\nuser_usec 5\nsystem_usec 7\n");
        assert_eq!((stat.usage_usec, stat.throttled_usec), (12, None));
        let stat =
            parse("usage_usec 1\nnr_throttled 3\nthrottled_usec 40\nnr_bursts 2\nbad line x\n");
        assert_eq!(
            (stat.throttled_periods, stat.throttled_usec),
            (Some(3), Some(40))
        );
    }
}
