//! Python environments: the collector that `bench agent` compares the agent with, the readers that tests ask
//! what is in the tables, and what they try the HTTP interface with.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::Outcome;
use crate::{paths, process};

/// An interpreter with packages, all of them pinned, so that what is found today is found next year.
pub(crate) struct Environment {
    /// Name of its folder; another one when the packages change.
    folder: &'static str,
    packages: &'static [&'static str],
    /// What was broken off while it was made can't import this.
    import: &'static str,
}

/// Of the collector.
pub(crate) const COLLECTOR: Environment = Environment {
    folder: "python-requests-2.32.5",
    packages: &[
        "requests==2.32.5",
        "certifi==2026.10.18",
        "charset-normalizer==3.5.2",
        "idna==3.20",
        "urllib3==2.8.0",
    ],
    import: "requests",
};

/// Of the plain aggregator that `bench aggregator` compares with.
pub(crate) const PLAIN_AGGREGATOR: Environment = Environment {
    folder: "python-pyarrow-26.0.1-jsonschema-4.26.0",
    packages: &[
        "pyarrow==26.0.1",
        "jsonschema==4.26.0",
        "attrs==26.1.0",
        "jsonschema-specifications==2025.9.1",
        "referencing==0.37.0",
        "rpds-py==2026.9.1",
        "typing_extensions==4.16.0",
    ],
    import: "pyarrow.parquet, jsonschema",
};

/// delta-rs with DataFusion, DuckDB with its extensions as packages, so that it downloads none, and a parser of the
/// dialects of other engines.
pub(crate) const READERS: Environment = Environment {
    folder: "python-deltalake-1.6.6-duckdb-1.5.5-sqlglot-30.30.0",
    packages: &[
        "deltalake==1.6.6",
        "arro3-core==0.9.1",
        "Deprecated==1.3.1",
        "duckdb==1.5.5",
        "duckdb-extension-delta==1.5.5",
        "duckdb-extension-httpfs==1.5.5",
        "duckdb-extensions==1.5.5",
        "pytz==2026.6",
        "sqlglot==30.30.0",
        "typing_extensions==4.16.0",
        "wrapt==2.5.2",
    ],
    import: "deltalake, duckdb_extension_delta, duckdb_extension_httpfs, duckdb_extensions, pytz, sqlglot",
};

/// schemathesis, which asks the aggregator's HTTP interface everything that its own description allows and forbids.
pub(crate) const SCHEMATHESIS: Environment = Environment {
    folder: "python-schemathesis-4.32.5",
    packages: &[
        "schemathesis==4.32.5",
        "anyio==4.16.0",
        "certifi==2026.10.18",
        "charset-normalizer==3.5.2",
        "click==8.5.1",
        "graphql-core==3.3.2",
        "harfile==0.6.0",
        "hypothesis==6.170.15",
        "hypothesis-graphql==0.13.5",
        "idna==3.20",
        "iniconfig==2.3.1",
        "jsonschema_rs==0.60.3",
        "markdown-it-py==4.3.0",
        "MarkupSafe==3.0.4",
        "mdurl==0.1.2",
        "packaging==26.3",
        "pluggy==1.7.0",
        "Pygments==2.21.0",
        "pyrate-limiter==4.5.1",
        "pytest==9.2.0",
        "PyYAML==6.0.3",
        "requests==2.34.2",
        "rich==15.0.0",
        "sortedcontainers==2.4.0",
        "typing_extensions==4.16.0",
        "urllib3==2.8.0",
        "Werkzeug==3.1.9",
    ],
    import: "schemathesis.cli",
};

impl Environment {
    /// The interpreter, once [`Environment::ensure`] succeeded.
    pub(crate) fn program(&self) -> Result<PathBuf> {
        Ok(self.folder()?.join("bin/python"))
    }

    pub(super) fn ensure(&self) -> Result<Outcome> {
        let shown = self.packages.first().copied().unwrap_or_default();
        let mut import = Command::new(self.program()?);
        let statement = format!("import {}", self.import);
        if process::output(import.args(["-c", &statement])).is_ok() {
            return Ok(Outcome::Found(shown.to_owned()));
        }
        let folder = self.folder()?;
        let mut make = Command::new("python3");
        make.args(["-m", "venv", "--clear"]).arg(&folder);
        process::output(&mut make).context(
            "needs Python with its venv module: `apt-get install --no-install-recommends python3-venv`",
        )?;
        let mut install = Command::new(self.program()?);
        install.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]);
        process::output(install.args(self.packages))
            .with_context(|| format!("installing {shown} with pip"))?;
        Ok(Outcome::Installed(shown.to_owned()))
    }

    fn folder(&self) -> Result<PathBuf> {
        Ok(paths::cache()?.join(self.folder))
    }
}
