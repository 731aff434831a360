//! Makes the kernel object that `cargo xtask build-ebpf` leaves under `target/bpf` part of the
//! agent. Without one the agent still compiles, so that checks need no BPF linker, and says at
//! start what to do.

use std::{env, fs, path::PathBuf};

fn main() {
    let source = env::var_os("PODLEDGER_BPF_OBJECT").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/bpf/podledger.bpf.o"),
        PathBuf::from,
    );
    println!("cargo:rerun-if-env-changed=PODLEDGER_BPF_OBJECT");
    println!("cargo:rerun-if-changed={}", source.display());
    let object = fs::read(&source).unwrap_or_default();
    let out = env::var_os("OUT_DIR")
        .map(PathBuf::from)
        .unwrap_or_default();
    if let Err(error) = fs::write(out.join("podledger.bpf.o"), object) {
        println!(
            "cargo:error=writing the kernel object into {}: {error}",
            out.display()
        );
    }
}
