//! `podledger-agent run`.

use std::{
    io::{self, BufWriter, IsTerminal as _},
    time::{Duration, Instant},
};

use agent::{
    cgroups,
    host::{self, Host, Settings, output},
    kernel::{Options, Source},
};
use anyhow::{Context as _, Result, ensure};
use clap::Args;

use super::{Format, Places, say};

/// Shortest window: what comes out must stay small beside what is measured.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// Longest duration that can be asked for.
const MOST_TIME: Duration = Duration::from_secs(365 * 24 * 3600);

#[derive(Args, Debug)]
pub(crate) struct Run {
    /// Take every cgroup of this host as a workload
    #[arg(long, required = true)]
    host: bool,
    /// Length of a window; windows end at its multiples
    #[arg(long, value_name = "DURATION", default_value = "30s", env = "SCRAPE_INTERVAL", value_parser = duration)]
    interval: Duration,
    /// What to write
    #[arg(long, value_enum, default_value = "table")]
    output: Format,
    /// Stop after this long; the last window is cut short
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    length: Option<Duration>,
    /// Leave out a kind of counter: network, cpu, oom, lifecycle
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = source)]
    without: Vec<Source>,
    /// Pin nothing and keep no state: counting ends with this process
    #[arg(long)]
    ephemeral: bool,
    #[command(flatten)]
    places: Places,
}

impl Run {
    pub(crate) fn run(self) -> Result<()> {
        ensure!(
            self.interval >= MIN_INTERVAL,
            "--interval must be at least 100ms"
        );
        let settings = self.settings();
        let stop = host::stop_flag().context("handling signals")?;
        let mut host = Host::start(settings, say)?;
        let deadline = self.length.map(|length| Instant::now() + length);
        let mut stdout = BufWriter::new(io::stdout().lock());
        let mut table = output::Table::new(io::stdout().is_terminal());
        host.run(deadline, &stop, |rows| match self.output {
            Format::Json => output::write_json(&mut stdout, rows),
            Format::Table => table.write(&mut stdout, rows),
        })?;
        Ok(())
    }

    fn settings(&self) -> Settings {
        // Without the hierarchy the host is one workload; what is missing is told at the start.
        let root = cgroups::find_root().unwrap_or_else(|| "/sys/fs/cgroup".into());
        let mut kernel = Options::new(root);
        kernel
            .sources
            .retain(|source| !self.without.contains(source));
        kernel.pins = (!self.ephemeral).then(|| self.places.pins.clone());
        let state = (!self.ephemeral).then(|| self.places.state.clone());
        Settings {
            kernel,
            interval: self.interval,
            state,
        }
    }
}

/// A duration such as `30s`; a bare number counts seconds, as in older settings.
fn duration(text: &str) -> Result<Duration, String> {
    let parsed = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => humantime::parse_duration(text).map_err(|error| error.to_string())?,
    };
    if parsed > MOST_TIME {
        return Err(format!(
            "more than {}",
            humantime::format_duration(MOST_TIME)
        ));
    }
    Ok(parsed)
}

fn source(name: &str) -> Result<Source, String> {
    Source::ALL
        .into_iter()
        .find(|source| source.name() == name)
        .ok_or_else(|| format!("no kind `{name}`; there are network, cpu, oom, lifecycle"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_numbers_are_seconds() {
        assert_eq!(duration("30"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert!(duration("400000000000years").is_err());
        assert!(duration("9999999999").is_err());
    }
}
