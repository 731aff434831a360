//! The second kernel object: programs that do nothing, and what others do at the same hooks.

use std::{fs::File, path::Path};

use anyhow::{Context as _, Result, ensure};
use aya::{
    Btf, Ebpf,
    programs::{BtfTracePoint, CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, ProgramFd},
};

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/bench.bpf.o"));

/// One copy of the object; its programs run until it is dropped.
pub(super) struct Comparators(Ebpf);

impl Comparators {
    pub(super) fn load() -> Result<Self> {
        ensure!(
            !OBJECT.is_empty(),
            "this build carries no comparators: run `cargo xtask build-ebpf`, then build again"
        );
        Ok(Self(Ebpf::load(OBJECT)?))
    }

    fn packets(&mut self, name: &str) -> Result<&mut CgroupSkb> {
        let program = self.0.program_mut(name).context("missing in the object")?;
        let program: &mut CgroupSkb = program.try_into()?;
        program.load().with_context(|| format!("loading {name}"))?;
        Ok(program)
    }

    /// Loads a packet program without attaching it.
    pub(super) fn packet_program(&mut self, name: &str) -> Result<ProgramFd> {
        Ok(self.packets(name)?.fd()?.try_clone()?)
    }

    /// Attaches a packet program to one side of a cgroup; its number.
    pub(super) fn attach_packets(
        &mut self,
        name: &str,
        cgroup: &Path,
        side: CgroupSkbAttachType,
    ) -> Result<u32> {
        let program = self.packets(name)?;
        program.attach(File::open(cgroup)?, side, CgroupAttachMode::Single)?;
        Ok(program.info()?.id())
    }

    /// Attaches a tracepoint program; its number.
    pub(super) fn attach_tracepoint(&mut self, name: &str, tracepoint: &str) -> Result<u32> {
        let program = self.0.program_mut(name).context("missing in the object")?;
        let program: &mut BtfTracePoint = program.try_into()?;
        program
            .load(tracepoint, &Btf::from_sys_fs()?)
            .with_context(|| format!("loading {name}"))?;
        program.attach()?;
        Ok(program.info()?.id())
    }
}
