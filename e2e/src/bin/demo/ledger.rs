//! An aggregator beside the agent, and what its tables hold in the end.

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use agent::{
    config::Config,
    host::Host,
    run::{OpenSpool, Shipping},
    ship, spool,
};
use anyhow::{Context as _, Result, ensure};
use e2e::stack::{Daemon, Place, free_port};
use protocol::{Counts, Row, Table};
use serde::Deserialize;

/// The program beside this one's agent.
const VARIABLE: &str = "PODLEDGER_AGGREGATOR";
const SPOOL_BYTES: u64 = 64 << 20;
const SPOOL_AGE: Duration = Duration::from_secs(24 * 3600);
/// For the last commit.
const LAST_COMMIT: Duration = Duration::from_secs(30);

/// A running aggregator whose tables lie in a directory.
pub(crate) struct Ledger {
    place: Place,
    binary: PathBuf,
    daemon: Daemon,
    settings: ship::Settings,
    tables: PathBuf,
    told: Counts,
    /// The directory is ours, and nobody wants it.
    is_temporary: bool,
}

/// What `verify --json` says, as far as it matters here.
#[derive(Deserialize)]
struct Verified {
    rows: std::collections::BTreeMap<String, u64>,
}

impl Ledger {
    /// Starts it; the tables lie in `directory`, or in one that is removed again.
    pub(crate) fn start(directory: Option<&Path>) -> Result<Self> {
        let binary = env::var_os(VARIABLE).map(PathBuf::from);
        let binary = binary.with_context(|| {
            format!("{VARIABLE} names no aggregator: `cargo xtask demo` builds one and sets it")
        })?;
        let temporary = env::temp_dir().join(format!("podledger-demo-{}", std::process::id()));
        let place =
            Place::make(&directory.map_or(temporary, |directory| directory.join("ledger")))?;
        let (port, tables) = (free_port()?, place.file("tables"));
        let mut command = place.aggregator(&binary, &url(&tables), port);
        command.args(["--commit-age", "2s"]);
        let mut daemon = Daemon::start(command, &place.file("aggregator.log"))?;
        daemon.await_port(port)?;
        let mut config = Config::default();
        config.aggregator.ca_file = place.file("ca.crt");
        config.aggregator.token_file = place.file("token");
        let endpoint = format!("https://127.0.0.1:{port}");
        Ok(Self {
            settings: ship::Settings::new(&endpoint, &config.aggregator)?,
            place,
            binary,
            daemon,
            tables,
            told: Counts::default(),
            is_temporary: directory.is_none(),
        })
    }

    /// The way of a host's rows into it. A spool is one node's.
    pub(crate) fn shipping(&self, host: &mut Host) -> Result<Shipping> {
        let open = OpenSpool::open(spool::Settings {
            file: self.place.file(&format!("{}/spool.redb", host.node_name())),
            max_bytes: SPOOL_BYTES,
            max_age: SPOOL_AGE,
        })?;
        Ok(Shipping::start(
            host,
            open,
            self.settings.clone(),
            SPOOL_BYTES,
        )?)
    }

    /// These rows go that way.
    pub(crate) fn count(&mut self, rows: &[Row]) {
        for row in rows {
            self.told[row.table()] += 1;
        }
    }

    /// Ends it and reads the tables back; whether they hold what was told.
    pub(crate) fn finish(mut self, told: &mut impl Write) -> Result<bool> {
        let status = self.daemon.stop(LAST_COMMIT)?;
        ensure!(
            status.success(),
            "the aggregator ended with {status}: {}",
            self.daemon.last_words()
        );
        let verify = |more: &[&str]| {
            let mut command = Command::new(&self.binary);
            command
                .args(["verify", &url(&self.tables), "--settle", "0s"])
                .args(more);
            command.output().context("starting verify")
        };
        let shown = verify(&[])?;
        told.write_all(&shown.stdout)?;
        let verified: Verified = serde_json::from_slice(&verify(&["--json"])?.stdout)
            .context("what verify says is no JSON")?;
        let mut agrees = shown.status.success();
        for table in Table::ALL {
            let found = verified.rows.get(table.name()).copied().unwrap_or(0);
            let holds = found == self.told[table];
            agrees &= holds;
            let verdict = if holds { "ok   " } else { "WRONG" };
            let told_rows = self.told[table];
            writeln!(
                told,
                "{verdict} {found} rows in {}, {told_rows} told by the agents",
                table.name()
            )?;
        }
        if self.is_temporary {
            fs::remove_dir_all(&self.place.directory).context("removing the tables")?;
        } else {
            writeln!(told, "The tables are in {}", self.tables.display())?;
        }
        Ok(agrees)
    }
}

fn url(tables: &Path) -> String {
    format!("file://{}", tables.display())
}
