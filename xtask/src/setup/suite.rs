//! Packages of a Debian suite the machine does not use: downloaded and unpacked, never installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::{paths, process};

/// Package lists older than this may name files the mirror no longer has.
const LISTS_FRESH: Duration = Duration::from_secs(24 * 60 * 60);

/// One suite, seen through package lists of our own so that the machine's stay as they are.
pub(super) struct Suite {
    name: &'static str,
    folder: PathBuf,
}

impl Suite {
    /// Reads the suite's package lists from the machine's own Debian mirror.
    pub(super) fn open(name: &'static str) -> Result<Self> {
        let suite = Self {
            name,
            folder: paths::cache()?.join("apt").join(name),
        };
        if !suite.is_fresh() {
            suite
                .update()
                .with_context(|| format!("reading the package lists of {name}"))?;
        }
        Ok(suite)
    }

    /// The newest version of a package that begins with `prefix`.
    pub(super) fn version(&self, package: &str, prefix: &str) -> Result<String> {
        let table = process::output(self.apt("apt-cache").args(["madison", package]))?;
        let versions = table
            .lines()
            .filter_map(|line| line.split('|').nth(1))
            .map(str::trim);
        let version = versions
            .into_iter()
            .find(|version| version.starts_with(prefix));
        let version = version.with_context(|| {
            format!(
                "Debian's {} has no {package} whose version begins with {prefix}",
                self.name
            )
        })?;
        Ok(version.to_owned())
    }

    /// The name of the one package, among those that `package` depends on, that begins with `prefix`.
    pub(super) fn dependency(&self, package: &str, prefix: &str) -> Result<String> {
        let text =
            process::output(
                self.apt("apt-cache")
                    .args(["show", "--no-all-versions", package]),
            )?;
        let depends = text
            .lines()
            .filter_map(|line| line.strip_prefix("Depends: "));
        let mut names = depends
            .flat_map(|list| list.split(", "))
            .filter_map(|one| one.split(' ').next());
        let name = names
            .find(|name| name.starts_with(prefix))
            .with_context(|| {
                format!(
                    "{package} of Debian's {} depends on no {prefix}...",
                    self.name
                )
            })?;
        Ok(name.to_owned())
    }

    /// Downloads one package and unpacks it to `folder`, whole or not at all.
    pub(super) fn unpack(&self, package: &str, version: &str, folder: &Path) -> Result<()> {
        let partial = folder.with_extension("partial");
        remake(&partial)?;
        let wanted = format!("{package}={version}");
        process::output(
            self.apt("apt-get")
                .args(["download", &wanted])
                .current_dir(&partial),
        )?;
        let archive = only_file(&partial)?;
        process::output(Command::new("dpkg").arg("-x").arg(&archive).arg(&partial))?;
        fs::remove_file(&archive).with_context(|| format!("removing {}", archive.display()))?;
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
        }
        fs::rename(&partial, folder).with_context(|| format!("renaming to {}", folder.display()))
    }

    fn is_fresh(&self) -> bool {
        let changed = fs::metadata(self.stamp()).and_then(|stamp| stamp.modified());
        changed.is_ok_and(|time| time.elapsed().is_ok_and(|age| age < LISTS_FRESH))
    }

    fn update(&self) -> Result<()> {
        remake(&self.folder)?;
        fs::create_dir_all(self.folder.join("lists/partial"))?;
        let source = format!("deb {} {} main\n", mirror()?, self.name);
        fs::write(self.folder.join("sources.list"), source)?;
        process::output(self.apt("apt-get").arg("update"))?;
        Ok(fs::write(self.stamp(), "")?)
    }

    fn stamp(&self) -> PathBuf {
        self.folder.join("updated")
    }

    fn apt(&self, program: &str) -> Command {
        let folder = self.folder.display();
        let mut command = Command::new(program);
        for option in [
            format!("Dir::Etc::sourcelist={folder}/sources.list"),
            "Dir::Etc::sourceparts=-".to_owned(),
            format!("Dir::State::lists={folder}/lists"),
            "Dir::Cache::pkgcache=".to_owned(),
            "Dir::Cache::srcpkgcache=".to_owned(),
            "Acquire::Languages=none".to_owned(),
            // A failed download is an error here, not a warning beside older lists.
            "APT::Update::Error-Mode=any".to_owned(),
            "APT::Sandbox::User=root".to_owned(),
        ] {
            command.arg("-o").arg(option);
        }
        command
    }
}

/// The mirror that apt itself uses for Debian, in whichever form its configuration names it.
fn mirror() -> Result<String> {
    let targets = process::output(Command::new("apt-get").args(["update", "--print-uris"]))?;
    let release = fs::read_to_string("/etc/os-release").context("reading /etc/os-release")?;
    let codename = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let codename = codename.context("/etc/os-release has no VERSION_CODENAME")?;
    match mirror_of(&targets, codename) {
        Some(mirror) => Ok(mirror.to_owned()),
        None => bail!("apt's configuration names no source for {codename}: add one and run again"),
    }
}

fn mirror_of<'a>(targets: &'a str, codename: &str) -> Option<&'a str> {
    let index = format!("/dists/{codename}/");
    let addresses = targets
        .lines()
        .filter_map(|line| line.strip_prefix('\'')?.split('\'').next());
    addresses
        .filter_map(|address| address.split_once(&index))
        .map(|(mirror, _)| mirror)
        .next()
}

fn remake(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))
}

fn only_file(folder: &Path) -> Result<PathBuf> {
    let mut entries = fs::read_dir(folder)?;
    let entry = entries
        .next()
        .with_context(|| format!("{} is empty", folder.display()))??;
    Ok(entry.path())
}

#[cfg(test)]
mod tests {
    use super::mirror_of;

    #[test]
    fn mirror_is_the_part_before_the_suite_that_the_machine_runs() {
        let targets = "'https://mirror.test/x/dists/other/InRelease' x_other 0\n\
                       'https://mirror.test/sec/dists/stable-security/InRelease' s 0\n\
                       'https://mirror.test/debian/dists/stable/InRelease' d 0\n";
        assert_eq!(
            mirror_of(targets, "stable"),
            Some("https://mirror.test/debian")
        );
        assert_eq!(mirror_of(targets, "gone"), None);
    }
}
