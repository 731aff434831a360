//! The linker for kernel programs, built against rustc's own LLVM so that no second LLVM is needed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::Outcome;
use super::rustc::Rustc;
use crate::{paths, process};

const VERSION: &str = "0.13.0";

pub(super) fn ensure(rustc: &Rustc) -> Result<Outcome> {
    let program = program_for(rustc)?;
    if program.exists() {
        return Ok(Outcome::Found(VERSION.to_owned()));
    }
    println!("setup  bpf-linker   building {VERSION}, about a minute");
    build(rustc).context("building bpf-linker with `cargo install`")?;
    Ok(Outcome::Installed(VERSION.to_owned()))
}

/// The linker for the installed rustc.
pub(crate) fn program() -> Result<PathBuf> {
    program_for(&Rustc::installed()?)
}

fn program_for(rustc: &Rustc) -> Result<PathBuf> {
    Ok(folder(rustc)?.join("bin/bpf-linker"))
}

/// It loads rustc's libLLVM at run time, hence one build for each rustc.
fn folder(rustc: &Rustc) -> Result<PathBuf> {
    Ok(paths::cache()?.join(format!("bpf-linker-{VERSION}-rustc-{}", rustc.release)))
}

fn build(rustc: &Rustc) -> Result<()> {
    let folder = folder(rustc)?;
    let major = rustc.llvm_version.split('.').next().unwrap_or_default();
    let rpath = format!(
        "-Clink-arg=-Wl,-rpath,{}",
        rustc.sysroot.join("lib").display()
    );
    let mut command = process::clean_cargo();
    command.args(["install", "bpf-linker", "--locked", "--version", VERSION]);
    command.args([
        "--no-default-features",
        "--features",
        &format!("llvm-{major}"),
    ]);
    command.arg("--root").arg(&folder);
    command.arg("--target-dir").arg(folder.join("build"));
    command.env("CARGO_ENCODED_RUSTFLAGS", rpath);
    command.env("LLVM_PREFIX", llvm_prefix(&folder, rustc)?);
    process::output(&mut command)?;
    fs::remove_dir_all(folder.join("build")).context("removing the build folder of bpf-linker")
}

/// A folder that looks like an installed LLVM: the linker's build asks for `lib/libLLVM.so` in it.
fn llvm_prefix(folder: &Path, rustc: &Rustc) -> Result<PathBuf> {
    let prefix = folder.join("llvm");
    let library = prefix.join("lib/libLLVM.so");
    fs::create_dir_all(prefix.join("lib")).context("creating a folder for libLLVM.so")?;
    if !library.is_symlink() {
        symlink(rustc_llvm(rustc)?, &library).context("linking rustc's libLLVM.so")?;
    }
    Ok(prefix)
}

fn rustc_llvm(rustc: &Rustc) -> Result<PathBuf> {
    let folder = rustc.sysroot.join("lib");
    let entries = fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut names = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let found = names.find(|path| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("libLLVM.so"))
    });
    found.with_context(|| {
        format!(
            "{} has no libLLVM.so*: use a rustc that rustup installed",
            folder.display()
        )
    })
}
