//! The commands of `docs/http.md`, and what it says that they print.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::serving::{Folder, start, stop, words};

const DOCUMENT: &str = include_str!("../../../docs/http.md");

/// A command and what it prints.
fn examples() -> Result<Vec<(&'static str, &'static str)>> {
    let blocks: Vec<&str> = DOCUMENT.split("\n```").collect();
    let mut examples = Vec::new();
    // Text and code take turns; a block begins with its language.
    for pair in blocks.windows(3) {
        if let (Some(command), Some(printed)) =
            (pair[0].strip_prefix("sh\n"), pair[2].strip_prefix("text\n"))
        {
            examples.push((command, printed));
        }
    }
    let commands = blocks
        .iter()
        .filter(|block| block.starts_with("sh\n"))
        .count();
    ensure!(
        examples.len() == commands && commands >= 4,
        "{commands} commands"
    );
    Ok(examples)
}

#[test]
fn commands_print_what_is_documented() -> Result<()> {
    let Some(folder) = Folder::new()? else {
        return Ok(());
    };
    let (mut command, status) = folder.open_to_all()?;
    command.args(["--store", &folder.tables()]);
    let daemon = start(command, status, &folder.log())?;
    for (command, printed) in examples()? {
        let output = Command::new("sh")
            .args(["-euc", command])
            .env("AGGREGATOR", format!("http://127.0.0.1:{status}"))
            .output()
            .context("starting a shell")?;
        let said = words(&output);
        ensure!(
            output.status.success() && said.trim_end() == printed,
            "{command}\n{said}"
        );
    }
    stop(daemon)?;
    let said = folder.assert_proved(&folder.tables())?;
    ensure!(said.contains("1 batches were pushed"), "{said}");
    Ok(())
}
