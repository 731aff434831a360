//! What the kernel counters need, checked one by one, with the fix for each that is missing.

use std::{fs, path::Path};

use super::btf::VMLINUX;

/// Oldest kernel on which all of it works.
const MIN_KERNEL: (u32, u32) = (5, 15);
const CAP_NET_ADMIN: u32 = 12;
const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

/// One thing that the counters need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// What.
    pub name: &'static str,
    /// What was found; the error says what to do.
    pub found: Result<String, String>,
}

/// Checks everything that can be told before loading.
pub fn check(cgroup_root: Option<&Path>) -> Vec<Need> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    vec![
        Need {
            name: "kernel",
            found: kernel(release.trim()),
        },
        Need {
            name: "BTF",
            found: type_information(),
        },
        Need {
            name: "cgroup v2",
            found: hierarchy(cgroup_root),
        },
        Need {
            name: "capabilities",
            found: capabilities(&status),
        },
    ]
}

fn kernel(release: &str) -> Result<String, String> {
    let mut numbers = release
        .split(['.', '-'])
        .map(|part| part.parse().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version >= MIN_KERNEL {
        return Ok(release.to_owned());
    }
    let (major, minor) = MIN_KERNEL;
    Err(format!(
        "{release} is too old: use a kernel from {major}.{minor} on"
    ))
}

fn type_information() -> Result<String, String> {
    if Path::new(VMLINUX).exists() {
        return Ok(VMLINUX.to_owned());
    }
    Err(format!(
        "{VMLINUX} is missing: use a kernel built with CONFIG_DEBUG_INFO_BTF=y"
    ))
}

fn hierarchy(cgroup_root: Option<&Path>) -> Result<String, String> {
    cgroup_root
        .map(|root| root.display().to_string())
        .ok_or_else(|| {
            "no mount shows the cgroup v2 hierarchy from its top: boot with \
         systemd.unified_cgroup_hierarchy=1, or run this container in the host's cgroup namespace \
         with the host's /sys/fs/cgroup"
                .to_owned()
        })
}

fn capabilities(status: &str) -> Result<String, String> {
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0);
    let has = |capability: u32| effective >> capability & 1 == 1;
    if has(CAP_SYS_ADMIN) {
        return Ok("CAP_SYS_ADMIN".to_owned());
    }
    let missing: Vec<&str> = [
        (CAP_BPF, "CAP_BPF"),
        (CAP_PERFMON, "CAP_PERFMON"),
        (CAP_NET_ADMIN, "CAP_NET_ADMIN"),
    ]
    .into_iter()
    .filter(|(capability, _)| !has(*capability))
    .map(|(_, name)| name)
    .collect();
    if missing.is_empty() {
        return Ok("CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN".to_owned());
    }
    Err(format!(
        "{} missing: run as root, or privileged in a container",
        missing.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_kernels_are_told_apart_by_number_not_by_text() {
        assert!(kernel("6.1.0-40-cloud-amd64").is_ok());
        assert!(kernel("5.15.0").is_ok());
        assert!(kernel("5.9.16").unwrap_err().contains("5.15"));
        assert!(kernel("").is_err());
    }

    #[test]
    fn missing_capabilities_are_named() {
        assert!(capabilities("CapEff:\t000001ffffffffff\n").is_ok());
        assert!(capabilities("CapEff:\t000000c000001000\n").is_ok());
        let error = capabilities("CapEff:\t0000000000000000\n").unwrap_err();
        assert!(error.contains("CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN"));
    }
}
