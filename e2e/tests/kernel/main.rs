//! The kernel programs against ground truths, on the kernel that runs. `cargo xtask kernels` runs
//! the same binary inside guests with other kernels.

mod basics;
mod cpu;
mod cpu_owners;
mod cpu_totals;
mod cpu_windows;
mod host;
mod lifecycle;
mod lifecycle_names;
mod lifecycle_ring;
mod loading;
mod network;
mod oom;
mod oom_edges;
mod pods;
mod restart;
mod verifier;

use std::process::ExitCode;

use e2e::{harness, load, memory, net, process};

fn main() -> ExitCode {
    let workloads = [
        basics::WORKLOADS,
        cpu_owners::WORKLOADS,
        load::WORKLOADS,
        memory::WORKLOADS,
        net::workload::WORKLOADS,
        host::WORKLOADS,
        loading::WORKLOADS,
        pods::WORKLOADS,
        restart::WORKLOADS,
        verifier::WORKLOADS,
    ];
    process::run_as_workload(&workloads.concat());
    let tests = [
        basics::TESTS,
        cpu::TESTS,
        cpu_windows::TESTS,
        cpu_totals::TESTS,
        cpu_owners::TESTS,
        &network::tests(),
        lifecycle::TESTS,
        lifecycle_names::TESTS,
        lifecycle_ring::TESTS,
        oom::TESTS,
        oom_edges::TESTS,
        host::TESTS,
        loading::TESTS,
        pods::TESTS,
        restart::TESTS,
        verifier::TESTS,
    ];
    harness::run(tests.concat())
}
