//! Asks cargo to build test binaries and where it put them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{paths, process};

/// The package and target whose tests need a kernel of their own.
const KERNEL_TESTS: (&str, &str) = ("e2e", "kernel");

/// What is built is always chosen from the whole workspace, so that features are the same and nothing is built twice.
const WHOLE_WORKSPACE: [&str; 3] = ["--workspace", "--exclude", "agent-ebpf"];

/// One built test binary.
pub(crate) struct TestBinary {
    pub(crate) package: String,
    pub(crate) target: String,
    pub(crate) executable: PathBuf,
    folder: PathBuf,
}

impl TestBinary {
    /// Starts it as `cargo test` would.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.executable);
        command
            .current_dir(&self.folder)
            .env("CARGO_MANIFEST_DIR", &self.folder);
        command
    }

    /// Whether this is the binary that runs alone, and in guests.
    pub(crate) fn is_kernel_tests(&self) -> bool {
        (self.package.as_str(), self.target.as_str()) == KERNEL_TESTS
    }
}

/// All test binaries of the workspace.
pub(crate) fn all() -> Result<Vec<TestBinary>> {
    build(&[])
}

/// The binary of the kernel tests.
pub(crate) fn kernel_tests() -> Result<TestBinary> {
    let built = build(&["--test", KERNEL_TESTS.1])?;
    let found = built.into_iter().find(TestBinary::is_kernel_tests);
    found.context("cargo built no test target `kernel` in package `e2e`")
}

fn build(more: &[&str]) -> Result<Vec<TestBinary>> {
    let mut command = process::cargo();
    command.args(["test", "--no-run"]).args(WHOLE_WORKSPACE);
    command
        .args(["--message-format=json-render-diagnostics"])
        .args(more);
    let messages = messages(&mut command)?;
    Ok(messages.iter().filter_map(test_binary).collect())
}

/// Builds one binary in release profile and returns its path.
pub(crate) fn release(binary: &str) -> Result<PathBuf> {
    program(binary, &["--release"])
}

/// Builds one binary as tests are built.
pub(crate) fn debug(binary: &str) -> Result<PathBuf> {
    program(binary, &[])
}

fn program(binary: &str, profile: &[&str]) -> Result<PathBuf> {
    let mut command = process::cargo();
    command.arg("build").args(profile).args(WHOLE_WORKSPACE);
    command.args(["--bin", binary, "--message-format=json-render-diagnostics"]);
    let messages = messages(&mut command)?;
    let mut executables = messages
        .iter()
        .filter_map(|message| message["executable"].as_str());
    let found = executables.next_back().map(PathBuf::from);
    found.with_context(|| format!("cargo built no binary {binary}"))
}

fn messages(command: &mut Command) -> Result<Vec<Value>> {
    command.current_dir(paths::root()?).stderr(Stdio::inherit());
    let output = command
        .output()
        .with_context(|| format!("cannot start {}", process::show(command)))?;
    if !output.status.success() {
        bail!("{} ended with {}", process::show(command), output.status);
    }
    let text = String::from_utf8(output.stdout).context("cargo's messages are not text")?;
    let parsed = text
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>();
    parsed.context("cargo's messages are not JSON")
}

fn test_binary(message: &Value) -> Option<TestBinary> {
    if message["profile"]["test"] != true {
        return None;
    }
    let folder = Path::new(message["manifest_path"].as_str()?).parent()?;
    Some(TestBinary {
        package: folder.file_name()?.to_str()?.to_owned(),
        target: message["target"]["name"].as_str()?.to_owned(),
        executable: PathBuf::from(message["executable"].as_str()?),
        folder: folder.to_path_buf(),
    })
}
