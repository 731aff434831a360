//! Attaches each program once for the whole host, beside others' programs and beside those of an
//! earlier agent, and makes them the ones that count.

use std::{
    fs::{self, File},
    io,
    os::fd::AsFd as _,
    thread,
};

use agent_common::control::ACTIVE_CELLS;
use aya::{
    Btf, Ebpf,
    programs::{
        CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, Program, ProgramError, links::FdLink,
    },
};

use super::{
    Options, PROGRAMS, Source, Sources,
    pins::Pins,
    read::Maps,
    source::{Hook, ProgramSpec},
    sys,
};

/// Makes `version` the one that counts, CPU by CPU and *from* that CPU: a tracepoint runs to its
/// end there before the store can, so old and new program see the same version for each event.
pub(super) fn activate(maps: &Maps, version: u32) -> io::Result<()> {
    let active = maps.fd("ACTIVE");
    let store = |cpu: u32| sys::update(active, &cpu, &version);
    thread::scope(|scope| {
        let stores = scope.spawn(|| {
            for cpu in aya::util::online_cpus().map_err(|(_, error)| error)? {
                // Not allowed there by our cpuset: one event may be seen by both or neither.
                let _moved = sys::run_on(cpu as usize);
                store(cpu)?;
            }
            // CPUs that come online later.
            (0..ACTIVE_CELLS).try_for_each(store)
        });
        stores
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the activating thread panicked")))
    })
}

/// What attaching has come to so far.
pub(super) struct Attached<'a> {
    options: &'a Options,
    pins: Option<&'a Pins>,
    version: u32,
    pub(super) sources: Sources,
    /// Links that nothing pins.
    pub(super) links: Vec<(Source, FdLink)>,
    pub(super) verifier: Vec<(&'static str, u32)>,
    pub(super) program_ids: Vec<(&'static str, u32)>,
    pub(super) btf: Option<Btf>,
}

impl<'a> Attached<'a> {
    pub(super) fn new(options: &'a Options, pins: Option<&'a Pins>, version: u32) -> Self {
        let sources = Sources::asked(&options.sources);
        let btf = Btf::from_sys_fs().ok();
        Self {
            options,
            pins,
            version,
            sources,
            links: Vec::new(),
            verifier: Vec::new(),
            program_ids: Vec::new(),
            btf,
        }
    }

    pub(super) fn attach_all(&mut self, ebpf: &mut Ebpf) {
        for spec in &PROGRAMS {
            if !self.sources.is_active(spec.source) {
                continue;
            }
            match self.attach(ebpf, spec) {
                Ok(link) => self.links.extend(link.map(|link| (spec.source, link))),
                Err(error) => {
                    self.sources.lose(spec.source, refusal(spec.name, &error));
                }
            }
        }
        self.detach_inactive();
    }

    /// A source counts with all its programs or with none, an earlier agent's included.
    fn detach_inactive(&mut self) {
        let sources = &self.sources;
        self.links.retain(|(source, _)| sources.is_active(*source));
        let Some(pins) = self.pins else { return };
        for spec in PROGRAMS
            .iter()
            .filter(|spec| !sources.is_active(spec.source))
        {
            for pin in [
                pins.packet_link(spec.name),
                pins.links(self.version).join(spec.name),
            ] {
                // Most were never made.
                drop(fs::remove_file(pin));
            }
        }
    }

    fn attach(
        &mut self,
        ebpf: &mut Ebpf,
        spec: &ProgramSpec,
    ) -> Result<Option<FdLink>, anyhow::Error> {
        let program = ebpf
            .program_mut(spec.name)
            .ok_or_else(|| anyhow::anyhow!("the kernel object lacks it"))?;
        let link = match (program, spec.hook) {
            (Program::CgroupSkb(program), Hook::Packets(side)) => {
                program.load()?;
                self.attach_packets(program, side, spec.name)?
            }
            (Program::BtfTracePoint(program), Hook::BtfTracepoint(tracepoint)) => {
                let btf = self
                    .btf
                    .as_ref()
                    .ok_or_else(|| anyhow::anyhow!("the kernel has no BTF"))?;
                program.load(tracepoint, btf)?;
                let id = program.attach()?;
                self.keep(program.take_link(id)?.into(), spec.name)?
            }
            (Program::RawTracePoint(program), Hook::RawTracepoint(tracepoint)) => {
                program.load()?;
                let id = program.attach(tracepoint)?;
                self.keep(program.take_link(id)?.into(), spec.name)?
            }
            _ => anyhow::bail!("the kernel object has it as another type"),
        };
        let info = ebpf
            .program(spec.name)
            .and_then(|program| program.info().ok());
        if let Some(info) = info {
            self.program_ids.push((spec.name, info.id()));
            if let Some(count) = info.verified_instruction_count() {
                self.verifier.push((spec.name, count));
            }
        }
        Ok(link)
    }

    /// The link of an earlier agent is given the new program; a first agent makes one.
    fn attach_packets(
        &self,
        program: &mut CgroupSkb,
        side: CgroupSkbAttachType,
        name: &str,
    ) -> Result<Option<FdLink>, anyhow::Error> {
        let pin = self.pins.map(|pins| pins.packet_link(name));
        if let Some(pin) = pin.as_deref().filter(|pin| pin.exists()) {
            let link = sys::open_pin(pin)?;
            if sys::update_link(link.as_fd(), program.fd()?.as_fd()).is_ok() {
                return Ok(None);
            }
            // Its cgroup is gone: the link has no effect any more.
            fs::remove_file(pin)?;
        }
        let root = File::open(&self.options.cgroup_root)?;
        // `Single` sets no flag, and links without one share a cgroup with others' programs.
        let id = program.attach(root, side, CgroupAttachMode::Single)?;
        let link = FdLink::try_from(program.take_link(id)?)?;
        match pin {
            Some(pin) => {
                link.pin(pin)?;
                Ok(None)
            }
            None => Ok(Some(link)),
        }
    }

    fn keep(&self, link: FdLink, name: &str) -> Result<Option<FdLink>, anyhow::Error> {
        match self.pins {
            Some(pins) => {
                link.pin(pins.links(self.version).join(name))?;
                Ok(None)
            }
            None => Ok(Some(link)),
        }
    }
}

/// How the lines begin that follow the reason in the verifier's log.
const STATISTICS: [&str; 4] = [
    "processed ",
    "verification time ",
    "stack depth ",
    "max_states ",
];

/// Why a program does not run, in one line: the verifier's own log ends with the reason.
fn refusal(program: &str, error: &anyhow::Error) -> String {
    let reason = match error.downcast_ref::<ProgramError>() {
        Some(ProgramError::LoadError {
            io_error,
            verifier_log,
        }) => {
            let log = verifier_log.to_string();
            let is_reason = |line: &&str| !STATISTICS.iter().any(|word| line.starts_with(word));
            let last = log.trim().lines().rev().find(is_reason);
            format!(
                "{io_error}: {}",
                last.unwrap_or("the verifier gave no reason")
            )
        }
        _ => format!("{error:#}"),
    };
    format!("program {program}: {reason}")
}
