//! The kernel programs against ground truths, on the kernel that runs. `cargo xtask kernels` runs
//! the same binary inside guests with other kernels.

mod basics;
mod host;
mod network;
mod restart;
mod verifier;

use std::process::ExitCode;

use e2e::{harness, process};

fn main() -> ExitCode {
    process::run_as_workload(
        &[
            basics::WORKLOADS,
            host::WORKLOADS,
            e2e::net::workload::WORKLOADS,
            restart::WORKLOADS,
            verifier::WORKLOADS,
        ]
        .concat(),
    );
    harness::run(
        [
            basics::TESTS,
            host::TESTS,
            &network::tests(),
            restart::TESTS,
            verifier::TESTS,
        ]
        .concat(),
    )
}
