//! Which cgroups are told, and by what name.

use std::{
    collections::HashSet,
    ffi::CString,
    fs, io,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
};

use agent::kernel::{CgroupEvent, CgroupEventKind, Kernel};
use anyhow::{Context as _, Result, ensure};
use e2e::{
    cgroup::{TestCgroup, remove},
    harness::{Test, say},
};

use crate::{basics::options, lifecycle::Told};

pub(crate) const TESTS: &[Test] = &[
    Test {
        name: "lifecycle_of_v1_cgroups_is_not_told",
        needs: &[],
        run: other_hierarchies,
    },
    Test {
        name: "lifecycle_paths_are_whole_or_flagged",
        needs: &[],
        run: long_paths,
    },
];

const EACH: usize = 30;

/// Both hierarchies number their cgroups by themselves, so the same ids can appear in both.
fn other_hierarchies() -> Result<()> {
    let mut kernel = Kernel::start(&options()?)?;
    let parent = TestCgroup::new("v2")?;
    let v1 = V1Hierarchy::mount()?;
    let mut made = HashSet::new();
    for number in 0..EACH {
        let child = parent.child(&format!("cgroup-{number}"))?;
        made.insert((child.id, child.path.clone()));
        v1.make(number)?;
    }
    let mut told = Vec::new();
    kernel.cgroup_events(|event| told.push(event));
    let told: Vec<CgroupEvent> = told.into_iter().collect::<Result<_, _>>()?;
    let born: HashSet<_> = told
        .iter()
        .filter(|event| event.kind == CgroupEventKind::Born && event.path.starts_with(&parent.path))
        .map(|event| (event.cgroup_id, event.path.clone()))
        .filter(|(id, _)| *id != parent.id)
        .collect();
    ensure!(born == made, "{born:?} were told, {made:?} were made");
    let foreign = told.iter().find(|event| event.path.contains(V1_NAME));
    ensure!(foreign.is_none(), "{foreign:?} was told");
    Ok(())
}

/// In the names of v1 cgroups and of no others.
const V1_NAME: &str = "podledger-v1";

/// A hierarchy of its own, without controllers, which every kernel allows.
struct V1Hierarchy {
    mount: PathBuf,
}

impl V1Hierarchy {
    fn mount() -> Result<Self> {
        let name = format!("{V1_NAME}-{}", std::process::id());
        let mount = std::env::temp_dir().join(&name);
        fs::create_dir(&mount).with_context(|| format!("making {}", mount.display()))?;
        let hierarchy = Self { mount };
        mount_v1(&hierarchy.mount, &format!("none,name={name}"))
            .with_context(|| format!("mounting a v1 hierarchy at {}", hierarchy.mount.display()))?;
        Ok(hierarchy)
    }

    /// Makes and removes a cgroup.
    fn make(&self, number: usize) -> Result<()> {
        let directory = self.mount.join(format!("{V1_NAME}-{number}"));
        fs::create_dir(&directory)?;
        let id = fs::metadata(&directory)?.ino();
        ensure!(id < 1 << 40, "{id} is no low id");
        remove(&directory)
    }
}

impl Drop for V1Hierarchy {
    fn drop(&mut self) {
        if let Err(error) = unmount(&self.mount).and_then(|()| fs::remove_dir(&self.mount)) {
            say(&format!(
                "warning: removing {}: {error}",
                self.mount.display()
            ));
        }
    }
}

#[expect(unsafe_code, reason = "mounting has no safe wrapper")]
fn mount_v1(target: &Path, options: &str) -> io::Result<()> {
    let target = CString::new(target.as_os_str().as_bytes())?;
    let options = CString::new(options)?;
    // SAFETY: all strings outlive the call.
    let status = unsafe {
        libc::mount(
            c"cgroup".as_ptr(),
            target.as_ptr(),
            c"cgroup".as_ptr(),
            0,
            options.as_ptr().cast(),
        )
    };
    if status < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[expect(unsafe_code, reason = "unmounting has no safe wrapper")]
fn unmount(target: &Path) -> io::Result<()> {
    let target = CString::new(target.as_os_str().as_bytes())?;
    // SAFETY: the string outlives the call.
    if unsafe { libc::umount(target.as_ptr()) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// The kernel tells at most 1,023 bytes of a path.
const LONGEST: usize = 1_023;
/// Longest name of a directory.
const NAME_BYTES: usize = 255;

fn long_paths() -> Result<()> {
    let mut kernel = Kernel::start(&options()?)?;
    for length in [LONGEST - 1, LONGEST, LONGEST + 1, LONGEST + 80] {
        let nested = Nested::new(length)?;
        let deepest = nested.deepest()?;
        let mut told = Told::default();
        told.listen(&mut kernel)?;
        let event = told
            .events(deepest.id)
            .first()
            .context("its birth is not told")?;
        let known = &deepest.path[..length.min(LONGEST)];
        ensure!(event.path == known, "{length} bytes were told as {event:?}");
        ensure!(
            event.path_cut == (length >= LONGEST),
            "{length} bytes: {event:?}"
        );
    }
    Ok(())
}

/// Cgroups in each other.
pub(crate) struct Nested {
    cgroups: Vec<TestCgroup>,
}

impl Nested {
    /// The deepest has a path of `length` bytes.
    pub(crate) fn new(length: usize) -> Result<Self> {
        let mut nested = Self {
            cgroups: vec![TestCgroup::new("deep")?],
        };
        loop {
            let last = nested.deepest()?;
            let missing = length - last.path.len();
            if missing == 0 {
                return Ok(nested);
            }
            // A name and its slash, and never a slash alone for the rest.
            let name = match missing - 1 {
                rest @ ..=NAME_BYTES => rest,
                rest => NAME_BYTES.min(rest - 2),
            };
            let child = last.child(&"d".repeat(name))?;
            nested.cgroups.push(child);
        }
    }

    pub(crate) fn deepest(&self) -> Result<&TestCgroup> {
        self.cgroups.last().context("no cgroups")
    }
}

impl Drop for Nested {
    fn drop(&mut self) {
        while self.cgroups.pop().is_some() {}
    }
}
