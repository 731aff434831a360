//! User space copies these structs out of maps.
#![expect(unsafe_code, reason = "aya's marker trait for plain data is unsafe")]

use aya::Pod;

use crate::{control, cpu, lifecycle, network, oom};

// SAFETY: repr(C), integers only, no implicit padding (sizes asserted beside each struct), so
// every bit pattern is a value and every byte is initialised.
unsafe impl Pod for control::Offsets {}
// SAFETY: as above.
unsafe impl Pod for cpu::CpuUsage {}
// SAFETY: as above.
unsafe impl Pod for cpu::CpuTotals {}
// SAFETY: as above.
unsafe impl Pod for network::NetworkUsage {}
// SAFETY: as above.
unsafe impl Pod for network::NetworkTotals {}
// SAFETY: as above.
unsafe impl Pod for lifecycle::CgroupRecord {}
// SAFETY: as above.
unsafe impl Pod for oom::OomRecord {}
