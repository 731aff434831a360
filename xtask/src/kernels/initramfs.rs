//! Builds a guest's file system: one test binary, the programs it calls, and what those load.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::modules;
use crate::process;
use crate::setup::kernel_images::KernelImage;

const INIT: &str = include_str!("init.sh");

/// Programs of the host that tests may call by name, before busybox's simpler ones.
const PROGRAMS: &[&str] = &["ip", "tc", "ethtool"];

/// The host's own shell: busybox's would run busybox's applets whatever PATH says.
const SHELL: &str = "/bin/sh";

const BUSYBOX: &str = "/bin/busybox";

const FOLDERS: &[&str] = &[
    "bin",
    "sbin",
    "dev",
    "etc",
    "lib/modules",
    "proc",
    "run",
    "sys",
    "tmp",
    "usr/local/bin",
    "var",
];

/// Writes the archive for one kernel and returns its path.
pub(super) fn build(image: &KernelImage, test: &Path, work: &Path) -> Result<PathBuf> {
    let root = work.join(format!("{}.root", image.version));
    if root.exists() {
        fs::remove_dir_all(&root).with_context(|| format!("removing {}", root.display()))?;
    }
    for folder in FOLDERS {
        fs::create_dir_all(root.join(folder)).with_context(|| format!("creating /{folder}"))?;
    }
    stage_system(&root)?;
    install(test, &root.join("test"))?;
    let programs: Vec<PathBuf> = PROGRAMS
        .iter()
        .map(|name| find(name))
        .collect::<Result<_>>()?;
    for (name, program) in PROGRAMS.iter().zip(&programs) {
        install(program, &root.join("usr/local/bin").join(name))?;
    }
    stage_libraries(
        programs
            .iter()
            .map(PathBuf::as_path)
            .chain([test, Path::new(SHELL)]),
        &root,
    )?;
    modules::stage(&image.modules()?, &root.join("lib/modules"))?;
    archive(&root, &work.join(format!("{}.cpio", image.version)))
}

fn stage_system(root: &Path) -> Result<()> {
    install(Path::new(BUSYBOX), &root.join("bin/busybox"))?;
    install(Path::new(SHELL), &root.join("bin/sh"))?;
    for applet in process::output(Command::new(BUSYBOX).arg("--list"))?.lines() {
        if !["busybox", "sh"].contains(&applet) {
            symlink("busybox", root.join("bin").join(applet))?;
        }
    }
    let init = root.join("init");
    fs::write(&init, INIT).context("writing /init")?;
    fs::set_permissions(&init, Permissions::from_mode(0o755)).context("making /init a program")?;
    fs::write(
        root.join("etc/hosts"),
        "127.0.0.1 localhost\n::1 localhost\n",
    )?;
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/tmp:/bin/sh\n")?;
    fs::write(root.join("etc/group"), "root:x:0:\n")?;
    symlink("/run", root.join("var/run")).context("linking /var/run")
}

fn stage_libraries<'a>(programs: impl Iterator<Item = &'a Path>, root: &Path) -> Result<()> {
    let mut libraries = BTreeSet::new();
    for program in programs {
        libraries.extend(libraries_of(&process::output(
            Command::new("ldd").arg(program),
        )?));
    }
    for library in libraries {
        let target = root.join(library.strip_prefix("/").unwrap_or(&library));
        let folder = target.parent().context("a library has no folder")?;
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        install(&library, &target)?;
    }
    Ok(())
}

/// The paths in ldd's lines `name => /path (address)` and `/path (address)`.
fn libraries_of(ldd: &str) -> Vec<PathBuf> {
    let words = ldd.lines().filter_map(|line| {
        let path = line.split_once("=>").map_or(line, |(_, path)| path);
        path.split_whitespace().next()
    });
    words
        .filter(|word| word.starts_with('/'))
        .map(PathBuf::from)
        .collect()
}

fn install(program: &Path, target: &Path) -> Result<()> {
    fs::copy(program, target)
        .with_context(|| format!("copying {} to {}", program.display(), target.display()))?;
    Ok(())
}

fn find(name: &str) -> Result<PathBuf> {
    let folders = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    let mut paths = folders.iter().map(|folder| Path::new(folder).join(name));
    paths
        .find(|path| path.exists())
        .with_context(|| format!("no program {name}: run `cargo xtask setup`"))
}

/// Uncompressed: an emulated processor takes longer to unpack it than the host to read it.
fn archive(root: &Path, archive: &Path) -> Result<PathBuf> {
    let names = process::bytes(
        Command::new("find")
            .args([".", "-print0"])
            .current_dir(root),
    )?;
    let output =
        File::create(archive).with_context(|| format!("creating {}", archive.display()))?;
    let mut cpio = Command::new("cpio");
    cpio.args([
        "--create",
        "--format=newc",
        "--null",
        "--quiet",
        "--owner=+0:+0",
    ]);
    let mut child = cpio
        .current_dir(root)
        .stdin(Stdio::piped())
        .stdout(output)
        .spawn()
        .context("cannot start cpio: run `cargo xtask setup`")?;
    child
        .stdin
        .take()
        .context("cpio has no input")?
        .write_all(&names)?;
    let status = child.wait().context("waiting for cpio")?;
    if !status.success() {
        bail!("cpio ended with {status}");
    }
    Ok(archive.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_libraries_and_the_loader_but_not_the_kernels_own() {
        let ldd =
            "\tlinux-vdso.so.1 (0x1)\n\tlibc.so.6 => /lib/libc.so.6 (0x2)\n\t/lib64/ld.so (0x3)\n";
        assert_eq!(
            libraries_of(ldd),
            [Path::new("/lib/libc.so.6"), Path::new("/lib64/ld.so")]
        );
        assert!(libraries_of("\tstatically linked\n").is_empty());
    }
}
