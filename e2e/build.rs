//! Makes the comparators' object that `cargo xtask build-ebpf` leaves under `target/bpf` part of
//! the benchmark. Without one it still compiles, and says at start what to do.

use std::{env, fs, path::PathBuf};

fn main() {
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/bpf/bench.bpf.o");
    println!("cargo:rerun-if-changed={}", source.display());
    let object = fs::read(&source).unwrap_or_default();
    let out = env::var_os("OUT_DIR")
        .map(PathBuf::from)
        .unwrap_or_default();
    if let Err(error) = fs::write(out.join("bench.bpf.o"), object) {
        println!(
            "cargo:error=writing the comparators' object into {}: {error}",
            out.display()
        );
    }
}
