//! The whole agent of a node against recorded answers and misbehaving sources. What depends on the kernel
//! is in the tests of `kernel`, which run on other kernels too.

mod columns;
mod faults;
mod node_rows;

use std::process::ExitCode;

fn main() -> ExitCode {
    // What the agent says belongs to a failed test's output.
    agent::logger::init(log::LevelFilter::Info, false);
    e2e::harness::run([columns::TESTS, faults::TESTS, node_rows::TESTS].concat())
}
