//! Where things are: the repository, its target folder, and the cache of tools outside of it.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The repository's root folder.
pub(crate) fn root() -> Result<PathBuf> {
    let manifest = env::var_os("CARGO_MANIFEST_DIR")
        .context("CARGO_MANIFEST_DIR is not set: start this program as `cargo xtask`")?;
    let root = Path::new(&manifest).parent();
    Ok(root
        .context("the xtask folder has no parent folder")?
        .to_path_buf())
}

/// Where builds put their files that are not cargo's own business.
pub(crate) fn target() -> Result<PathBuf> {
    Ok(root()?.join("target"))
}

/// Tools and kernels live outside the repository, so that a fresh clone finds them again.
pub(crate) fn cache() -> Result<PathBuf> {
    let base = match env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => {
            Path::new(&env::var_os("HOME").context("set HOME or XDG_CACHE_HOME")?).join(".cache")
        }
    };
    Ok(base.join("podledger"))
}
