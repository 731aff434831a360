//! The kernel modules a guest loads: those of a list that its kernel has, and what they depend on.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::process;

/// What tests make interfaces and traffic shapes from.
const WANTED: &[&str] = &["veth", "dummy", "tun", "sch_tbf", "sch_netem"];

/// A folder's modules, by name.
struct Modules(BTreeMap<String, PathBuf>);

/// Copies the modules, uncompressed, with the order to load them in.
pub(super) fn stage(modules: &Path, into: &Path) -> Result<()> {
    let available = Modules::of(modules)?;
    let mut order = Vec::new();
    for name in WANTED {
        available.add_after_dependencies(name, &mut order)?;
    }
    fs::create_dir_all(into).with_context(|| format!("creating {}", into.display()))?;
    for name in &order {
        let Some(file) = available.0.get(name) else {
            continue;
        };
        let target = into.join(format!("{name}.ko"));
        fs::write(&target, uncompressed(file)?)
            .with_context(|| format!("writing {}", target.display()))?;
    }
    let list: String = order.iter().map(|name| format!("{name}.ko\n")).collect();
    fs::write(into.join("load-order"), list).context("writing the load order of modules")
}

impl Modules {
    fn of(folder: &Path) -> Result<Self> {
        let mut found = BTreeMap::new();
        let mut folders = vec![folder.to_path_buf()];
        while let Some(folder) = folders.pop() {
            let entries = fs::read_dir(&folder);
            for entry in entries.with_context(|| format!("reading {}", folder.display()))? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().replace('-', "_");
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                } else if let Some((name, _)) = name.split_once(".ko") {
                    found.insert(name.to_owned(), entry.path());
                }
            }
        }
        Ok(Self(found))
    }

    /// A module that this kernel lacks, or has built in, is left out.
    fn add_after_dependencies(&self, name: &str, order: &mut Vec<String>) -> Result<()> {
        let Some(file) = self.0.get(name) else {
            return Ok(());
        };
        if order.iter().any(|earlier| earlier == name) {
            return Ok(());
        }
        let depends = process::output(Command::new("modinfo").args(["-F", "depends"]).arg(file))?;
        for dependency in depends.trim().split(',').filter(|name| !name.is_empty()) {
            self.add_after_dependencies(&dependency.replace('-', "_"), order)?;
        }
        order.push(name.to_owned());
        Ok(())
    }
}

fn uncompressed(file: &Path) -> Result<Vec<u8>> {
    if file.extension().is_some_and(|extension| extension == "xz") {
        return process::bytes(
            Command::new("xz")
                .args(["--decompress", "--stdout"])
                .arg(file),
        );
    }
    fs::read(file).with_context(|| format!("reading {}", file.display()))
}
