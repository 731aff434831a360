//! `podledger-agent check`: tries everything that the agent needs on this node, and tells what passes,
//! what fails and the fix. It leaves nothing behind, and ends in time even when all else hangs.

mod cluster;
mod host;
mod instance;
mod report;
#[cfg(test)]
mod testing;

use std::{
    io::{self, Write},
    path::PathBuf,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use agent::{
    config::{self, Argument, Config},
    logger,
};
use anyhow::{Context as _, Result, bail};
use clap::Args;
use log::LevelFilter;

use self::report::{Line, Verdict};

/// For everything together.
const LIMIT: Duration = Duration::from_secs(9);

#[derive(Args, Debug)]
pub(crate) struct Check {
    /// File of settings
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// As on a plain host, without Kubernetes
    #[arg(long)]
    host: bool,
    /// One JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// Checks that belong together. Each group runs by itself, so that one that hangs holds up none.
struct Group {
    /// The lines that it makes, for the case that it makes none in time.
    names: &'static [&'static str],
    check: fn(&Config) -> Vec<Line>,
    /// Means something only with settings that hold.
    needs_settings: bool,
}

const GROUPS: [Group; 8] = [
    group(&host::NEEDS, host::needs, false),
    group(&["BPF file system"], host::pins, true),
    group(&host::COUNTERS, host::counters, true),
    group(&["state"], host::state, true),
    group(&["status server"], host::status, true),
    group(&["kubelet"], cluster::kubelet, true),
    group(&cluster::API, cluster::api, true),
    group(&instance::IMDS, instance::imds, true),
];

const fn group(
    names: &'static [&'static str],
    check: fn(&Config) -> Vec<Line>,
    needs_settings: bool,
) -> Group {
    Group {
        names,
        check,
        needs_settings,
    }
}

impl Check {
    pub(crate) fn run(self) -> Result<()> {
        let (config, first) = self.settings();
        let mut lines = vec![first];
        lines.extend(gather(&GROUPS, config.map(Arc::new).as_ref(), LIMIT));
        let mut stdout = io::stdout().lock();
        let written = match self.json {
            true => report::write_json(&mut stdout, &lines),
            false => report::write_table(&mut stdout, &lines),
        };
        written
            .and_then(|()| stdout.flush())
            .context("writing the result")?;
        let failed = lines.iter().filter(|line| line.verdict == Verdict::Fail);
        match failed.count() {
            0 => Ok(()),
            1 => bail!("1 of {} checks failed", lines.len()),
            failed => bail!("{failed} of {} checks failed", lines.len()),
        }
    }

    fn settings(&self) -> (Option<Config>, Line) {
        const NAME: &str = "settings";
        let host = self.host.then(|| Argument {
            flag: "--host",
            key: "agent.mode",
            text: "host".to_owned(),
        });
        match super::run::load(self.config.as_deref(), host.as_slice()) {
            Ok(config) => {
                if config.log.debug_http {
                    // The exchanges of the checks are what one wants to see then.
                    logger::init(LevelFilter::Off, true);
                }
                let path = config::find_file(self.config.as_deref(), &config::environment);
                let found = match path {
                    Some(path) => format!("{} and the environment", path.display()),
                    None => "the environment; no file".to_owned(),
                };
                (Some(config), Line::pass(NAME, found))
            }
            Err(error) => {
                let fix = "mend each line, see docs/configuration.md";
                (None, Line::fail(NAME, format!("{error:#}"), fix))
            }
        }
    }
}

/// The lines of all groups in their order. What has not answered at the end fails.
fn gather(groups: &'static [Group], config: Option<&Arc<Config>>, limit: Duration) -> Vec<Line> {
    let deadline = Instant::now() + limit;
    let (sender, receiver) = mpsc::channel();
    let mut results: Vec<Option<Vec<Line>>> = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        let config = match config {
            None if group.needs_settings => {
                let skip = |name: &&'static str| Line::skip(name, "the settings come first");
                results.push(Some(group.names.iter().map(skip).collect()));
                continue;
            }
            None => Arc::new(Config::default()),
            Some(config) => Arc::clone(config),
        };
        results.push(None);
        let sender = sender.clone();
        // Not joined: the process ends over those that hang.
        drop(thread::spawn(move || {
            drop(sender.send((index, (group.check)(&config))));
        }));
    }
    drop(sender);
    while let Ok((index, lines)) =
        receiver.recv_timeout(deadline.saturating_duration_since(Instant::now()))
    {
        results[index] = Some(lines);
    }
    let late = |group: &Group| {
        let fail = |name: &&'static str| {
            let found = format!("nothing came within {} s", limit.as_secs());
            Line::fail(name, found, "see what the kernel or the network waits for")
        };
        group.names.iter().map(fail).collect()
    };
    groups
        .iter()
        .zip(results)
        .flat_map(|(group, lines)| lines.unwrap_or_else(|| late(group)))
        .collect()
}

/// Runs something that waits for the network.
fn wait<T>(work: impl Future<Output = T>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let result = runtime.block_on(work);
    // A look-up of a name may hang on.
    runtime.shutdown_background();
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hangs(_: &Config) -> Vec<Line> {
        loop {
            thread::park();
        }
    }

    fn passes(_: &Config) -> Vec<Line> {
        vec![Line::pass("quick", "here")]
    }

    fn panics(_: &Config) -> Vec<Line> {
        panic!("in a check")
    }

    static SOME: [Group; 3] = [
        group(&["slow", "slower"], hangs, true),
        group(&["quick"], passes, false),
        group(&["broken"], panics, false),
    ];

    #[test]
    fn what_hangs_or_breaks_fails_and_holds_up_nothing() {
        let limit = Duration::from_millis(300);
        let begun = Instant::now();
        let lines = gather(&SOME, Some(&Arc::new(Config::default())), limit);
        assert!(begun.elapsed() < Duration::from_secs(5));
        let verdicts: Vec<_> = lines.iter().map(|line| (line.name, line.verdict)).collect();
        let fail = Verdict::Fail;
        let wanted = [
            ("slow", fail),
            ("slower", fail),
            ("quick", Verdict::Pass),
            ("broken", fail),
        ];
        assert_eq!(verdicts, wanted);
    }

    #[test]
    fn without_settings_only_the_kernel_is_looked_at() {
        let lines = gather(&SOME, None, Duration::from_millis(300));
        assert_eq!(lines[0].verdict, Verdict::Skip);
        assert_eq!(lines[2].verdict, Verdict::Pass);
    }
}
