//! The interface does what its own description says, whatever comes, and the tables are right afterwards.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::serving::{Folder, needed, start, stop, words};

/// Names the interpreter.
const INTERPRETER: &str = "PODLEDGER_SCHEMATHESIS";
/// Requests of each kind that are made up for each method of a path.
const EXAMPLES: &str = "60";

#[test]
fn the_interface_is_as_it_is_described() -> Result<()> {
    let (Some(folder), Some(python)) = (Folder::new()?, needed(INTERPRETER)?) else {
        return Ok(());
    };
    let (mut command, status) = folder.open_to_all()?;
    command.args(["--store", &folder.tables()]);
    let daemon = start(command, status, &folder.log())?;
    let hooks = concat!(env!("CARGO_MANIFEST_DIR"), "/readers/http_hooks.py");
    let output = Command::new(python)
        .args(["-m", "schemathesis.cli", "run"])
        .arg(format!("http://127.0.0.1:{status}/openapi.json"))
        .args(["--checks", "all", "--max-examples", EXAMPLES])
        // The same requests each time.
        .args(["--seed", "1", "--generation-database", "none", "--no-color"])
        .env("SCHEMATHESIS_HOOKS", hooks)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(&folder.place.directory)
        .output()?;
    let said = words(&output);
    ensure!(output.status.success(), "{said}");
    ensure!(said.contains("No issues found"), "{said}");
    stop(daemon)?;
    let said = folder.assert_proved(&folder.tables())?;
    ensure!(
        said.contains("batches were pushed"),
        "nothing was taken: {said}"
    );
    Ok(())
}
