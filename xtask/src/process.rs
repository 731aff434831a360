//! Running other programs, with errors that show the command line and what it said.

use std::env;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context as _, Result, bail};

/// Compiler flags that are not for every build.
const FLAGS: &[&str] = &[
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
];

/// The cargo that started us.
pub(crate) fn cargo() -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    // What `cargo run` tells this program of itself: some build scripts look at it, and their crates would
    // be built anew whenever a cargo is started from here and by hand in turns.
    for (name, _) in env::vars_os() {
        let of_run = ["CARGO_MANIFEST_", "CARGO_PKG_"];
        if of_run
            .iter()
            .any(|start| name.as_encoded_bytes().starts_with(start.as_bytes()))
        {
            command.env_remove(name);
        }
    }
    command
}

/// The cargo that started us, for builds whose compiler flags are ours alone.
pub(crate) fn clean_cargo() -> Command {
    let mut command = cargo();
    for name in FLAGS {
        command.env_remove(name);
    }
    command
}

/// The compiler that goes with [`cargo`].
pub(crate) fn rustc() -> Command {
    Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}

/// Runs to the end on our terminal.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", show(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", show(command));
    }
    Ok(())
}

/// Runs silently and returns the text it wrote; its output is shown if it fails.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    String::from_utf8(bytes(command)?)
        .with_context(|| format!("{} wrote something that is not text", show(command)))
}

/// The same for output that is not text.
pub(crate) fn bytes(command: &mut Command) -> Result<Vec<u8>> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {}", show(command)))?;
    if !output.status.success() {
        bail!(
            "{} ended with {}\n{}",
            show(command),
            output.status,
            said(&output)
        );
    }
    Ok(output.stdout)
}

fn said(output: &Output) -> String {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&text).trim_end().to_owned()
}

/// The command line for messages, with the program's name but not its folder.
pub(crate) fn show(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or_default();
    let words = [program].into_iter().chain(command.get_args());
    let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
    format!("`{}`", words.join(" "))
}
