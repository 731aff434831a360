//! Instructions that the verifier walks: far below the kernel's limit of a million, and a change
//! that multiplies them is seen before an older kernel refuses the program.

use std::{collections::BTreeMap, env, fs};

use agent::kernel::Kernel;
use anyhow::{Context as _, Result, ensure};
use e2e::{
    harness::{Test, say},
    process::Workload,
};

use crate::basics::options;

pub(crate) const WORKLOADS: &[Workload] = &[];
pub(crate) const TESTS: &[Test] = &[Test {
    name: "verifier_counts_do_not_grow",
    needs: &[],
    run: counts_do_not_grow,
}];

/// By kernel, then by program.
type Counts = BTreeMap<String, BTreeMap<String, u32>>;

const COMMITTED: &str = include_str!("../../../agent-ebpf/verifier.json");
/// A compiler's mood.
const TOLERANCE: f64 = 1.1;

fn counts_do_not_grow() -> Result<()> {
    let kernel = Kernel::start(&options()?)?;
    let counts: BTreeMap<String, u32> = kernel
        .verified_instructions()
        .iter()
        .map(|(program, count)| ((*program).to_owned(), *count))
        .collect();
    let version = version()?;
    let committed: Counts = serde_json::from_str(COMMITTED).context("agent-ebpf/verifier.json")?;
    let line = format!("\"{version}\": {}", serde_json::to_string(&counts)?);
    let Some(committed) = committed.get(&version) else {
        say(&format!(
            "agent-ebpf/verifier.json has no kernel {version}; its line would be\n{line}"
        ));
        return Ok(());
    };
    if env::var("PODLEDGER_BLESS").is_ok_and(|value| value == "1") {
        say(&format!("for agent-ebpf/verifier.json:\n{line}"));
        return Ok(());
    }
    for (program, count) in &counts {
        let before = committed.get(program).copied().unwrap_or_default();
        ensure!(
            f64::from(*count) <= f64::from(before) * TOLERANCE,
            "{program}: {count} instructions verified on {version}, {before} committed; if that is \
             meant, put this line into agent-ebpf/verifier.json:\n{line}"
        );
    }
    Ok(())
}

/// Major and minor number of the running kernel.
fn version() -> Result<String> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let mut numbers = release.split(['.', '-']);
    let (major, minor) = (numbers.next(), numbers.next());
    Ok(format!(
        "{}.{}",
        major.context("a kernel without a release")?,
        minor.context("a kernel without a minor number")?
    ))
}
