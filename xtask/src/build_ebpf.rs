//! `cargo xtask build-ebpf`: compiles the kernel programs on stable Rust and lists them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SectionFlags, SymbolKind, elf};

use crate::{paths, process, setup};

const PACKAGE: &str = "agent-ebpf";
/// Each binary and the object it becomes: the product's, then what `e2e-bench` compares it with.
const BINARIES: [(&str, &str); 2] = [
    ("podledger-bpf", "podledger.bpf.o"),
    ("podledger-bench", "bench.bpf.o"),
];
const TARGET: &str = "bpfel-unknown-none";
const INSTRUCTION_BYTES: u64 = 8;

/// How to build the kernel programs.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Build in the trace records of the programs (feature `log`)
    #[arg(long)]
    log: bool,
}

/// Builds, and prints what was built.
pub(crate) fn run(args: &Args) -> Result<()> {
    report(&build(args.log)?)
}

/// Sets up what is missing, builds, and returns the object's path.
pub(crate) fn build(log: bool) -> Result<PathBuf> {
    setup::for_ebpf()?;
    let mut command = cargo("build")?;
    if log {
        command.args(["--features", "log"]);
    }
    process::run(&mut command)?;
    let built = build_folder()?.join(TARGET).join("release");
    let [product, bench] = BINARIES.map(|(binary, object)| publish(&built.join(binary), object));
    bench?;
    product
}

/// A cargo command (`build`, `clippy`) for the kernel target.
pub(crate) fn cargo(command: &str) -> Result<Command> {
    let mut cargo = process::clean_cargo();
    cargo
        .arg(command)
        .args(["--package", PACKAGE, "--bins", "--release"]);
    cargo.args(["--target", TARGET, "-Zbuild-std=core"]);
    cargo.arg("--target-dir").arg(build_folder()?);
    cargo.current_dir(paths::root()?);
    // Lets stable take -Z flags and build the kernel target's `core`.
    cargo.env("RUSTC_BOOTSTRAP", "1");
    cargo.env("CARGO_ENCODED_RUSTFLAGS", compiler_flags()?.join("\x1f"));
    // The linker optimises the whole program itself, and makes BTF from the debug information.
    cargo.env("CARGO_PROFILE_RELEASE_LTO", "off");
    cargo.env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1");
    cargo.env("CARGO_PROFILE_RELEASE_STRIP", "none");
    Ok(cargo)
}

fn compiler_flags() -> Result<Vec<String>> {
    let linker = setup::bpf_linker::program()?;
    Ok(vec![
        format!("-Clinker={}", linker.display()),
        "-Clink-arg=--btf".to_owned(),
        "-Cdebuginfo=2".to_owned(),
        // Atomics that return a value.
        "-Ctarget-cpu=v3".to_owned(),
        "--cfg".to_owned(),
        format!("bpf_target_arch=\"{}\"", std::env::consts::ARCH),
    ])
}

/// Apart from the other builds, whose flags differ.
fn build_folder() -> Result<PathBuf> {
    Ok(paths::target()?.join("bpf-build"))
}

/// Copies the object to where the agent's build looks, touching it only if it changed.
fn publish(built: &Path, name: &str) -> Result<PathBuf> {
    let object = paths::target()?.join("bpf").join(name);
    let bytes = fs::read(built).with_context(|| format!("reading {}", built.display()))?;
    if fs::read(&object).is_ok_and(|published| published == bytes) {
        return Ok(object);
    }
    fs::create_dir_all(paths::target()?.join("bpf")).context("creating target/bpf")?;
    fs::write(&object, bytes).with_context(|| format!("writing {}", object.display()))?;
    Ok(object)
}

fn report(path: &Path) -> Result<()> {
    let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let shown = path.strip_prefix(paths::root()?).unwrap_or(path);
    println!("{}  {} bytes", shown.display(), bytes.len());
    for line in programs(&bytes)? {
        println!("{line}");
    }
    Ok(())
}

/// Programs are the functions in executable sections; `.text` holds what they call.
fn programs(bytes: &[u8]) -> Result<Vec<String>> {
    let object = ElfFile64::<object::Endianness>::parse(bytes).context("parsing the BPF object")?;
    let mut lines = Vec::new();
    for section in object.sections() {
        let name = section.name()?;
        if !is_executable(section.flags()) || name.starts_with(".text") {
            continue;
        }
        let symbols = object.symbols().filter(|symbol| {
            symbol.kind() == SymbolKind::Text && symbol.section_index() == Some(section.index())
        });
        for symbol in symbols {
            let instructions = symbol.size() / INSTRUCTION_BYTES;
            lines.push(format!(
                "  {name:<32} {:<32} {instructions:>6} instructions",
                symbol.name()?
            ));
        }
    }
    Ok(lines)
}

fn is_executable(flags: SectionFlags) -> bool {
    matches!(flags, SectionFlags::Elf { sh_flags } if sh_flags & u64::from(elf::SHF_EXECINSTR) != 0)
}
