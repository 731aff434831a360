//! What the installed compiler says about itself.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::process;

/// The compiler whose sources and LLVM the kernel programs are built with.
pub(super) struct Rustc {
    pub(super) release: String,
    pub(super) llvm_version: String,
    pub(super) sysroot: PathBuf,
}

impl Rustc {
    pub(super) fn installed() -> Result<Self> {
        let version = process::output(process::rustc().arg("-vV"))?;
        let sysroot = process::output(process::rustc().args(["--print", "sysroot"]))?;
        Ok(Self {
            release: field(&version, "release")?,
            llvm_version: field(&version, "LLVM version")?,
            sysroot: PathBuf::from(sysroot.trim_end()),
        })
    }
}

fn field(version: &str, name: &str) -> Result<String> {
    let lines = version.lines();
    let value = lines
        .filter_map(|line| line.split_once(": "))
        .find(|(key, _)| *key == name);
    let (_, value) = value.with_context(|| format!("`rustc -vV` has no line `{name}: `"))?;
    Ok(value.to_owned())
}
