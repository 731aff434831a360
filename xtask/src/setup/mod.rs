//! `cargo xtask setup`: brings in what is missing. Each other command calls the level it needs.

pub(crate) mod bpf_linker;
pub(crate) mod deny;
pub(crate) mod kernel_images;
mod packages;
pub(crate) mod python;
mod rust_src;
mod rustc;
mod suite;

use anyhow::{Context as _, Result};

use rustc::Rustc;

/// What became of one item: the text says where it is or which version.
enum Outcome {
    Found(String),
    Installed(String),
}

/// Whether items that were there already are worth a line.
#[derive(Clone, Copy, PartialEq)]
enum Say {
    Everything,
    Changes,
}

/// Everything that any command needs.
pub(crate) fn all() -> Result<()> {
    ebpf_items(Say::Everything)?;
    guest_items(Say::Everything)?;
    of_tests(Say::Everything)?;
    item(Say::Everything, "cargo-deny", deny::ensure)
}

/// What compiling the kernel programs needs.
pub(crate) fn for_ebpf() -> Result<()> {
    ebpf_items(Say::Changes)
}

/// What running tests in guests needs.
pub(crate) fn for_guests() -> Result<()> {
    guest_items(Say::Changes)
}

/// What the collector needs that the agent is compared with.
pub(crate) fn for_comparison() -> Result<()> {
    item(Say::Changes, "python", || python::COLLECTOR.ensure())
}

/// What the plain aggregator needs that podledger's is compared with.
pub(crate) fn for_plain_aggregator() -> Result<()> {
    item(Say::Changes, "python", || python::PLAIN_AGGREGATOR.ensure())
}

/// What reads the tables besides the aggregator.
pub(crate) fn for_readers() -> Result<()> {
    item(Say::Changes, "readers", || python::READERS.ensure())
}

/// What tests ask besides the aggregator.
pub(crate) fn for_tests() -> Result<()> {
    of_tests(Say::Changes)
}

/// What the checks need that boot no guest.
pub(crate) fn for_checks() -> Result<()> {
    ebpf_items(Say::Everything)?;
    of_tests(Say::Everything)?;
    item(Say::Everything, "cargo-deny", deny::ensure)
}

fn of_tests(say: Say) -> Result<()> {
    item(say, "readers", || python::READERS.ensure())?;
    item(say, "schemathesis", || python::SCHEMATHESIS.ensure())
}

fn ebpf_items(say: Say) -> Result<()> {
    let rustc = Rustc::installed()?;
    item(say, "rust-src", || rust_src::ensure(&rustc))?;
    item(say, "bpf-linker", || bpf_linker::ensure(&rustc))
}

fn guest_items(say: Say) -> Result<()> {
    item(say, "packages", packages::ensure)?;
    for image in kernel_images::ALL {
        item(say, &format!("kernel {}", image.version), || image.ensure())?;
    }
    Ok(())
}

fn item(say: Say, name: &str, ensure: impl FnOnce() -> Result<Outcome>) -> Result<()> {
    match ensure().with_context(|| format!("setting up {name}"))? {
        Outcome::Installed(what) => println!("setup  {name:<12} installed  {what}"),
        Outcome::Found(what) if say == Say::Everything => {
            println!("setup  {name:<12} present    {what}");
        }
        Outcome::Found(_) => {}
    }
    Ok(())
}
