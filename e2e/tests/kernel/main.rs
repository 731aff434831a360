//! The kernel programs against ground truths, on the kernel that runs. `cargo xtask kernels` runs
//! the same binary inside guests with other kernels.

mod basics;

use std::process::ExitCode;

use e2e::{harness, process};

fn main() -> ExitCode {
    process::run_as_workload(&[basics::WORKLOADS].concat());
    harness::run([basics::TESTS].concat())
}
