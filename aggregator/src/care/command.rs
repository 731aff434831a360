//! `compact` and `vacuum` as commands.

use std::{
    io::{self, Write as _},
    sync::Arc,
};

use clap::Args;

use super::{Care, Compacted, Progress, Settings, Vacuumed};
use crate::{
    lake::{LakeError, encode::Encode as _, rows::MergeFiles, rows::WriteSettings},
    store_url::{Patience, StoreError, StoreUrl},
};

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum CareError {
    /// There is no store at the address.
    #[error("opening the tables")]
    Open(#[from] StoreError),
    /// The tables.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// Nothing to take care of.
    #[error("there are no tables in {0}: name the place that `serve` was told with --store")]
    NoTables(StoreUrl),
}

/// Where the tables are.
#[derive(Args, Clone, Debug)]
#[expect(
    clippy::doc_markdown,
    reason = "these sentences are help on a terminal, not Markdown"
)]
pub struct Place {
    /// Where the tables are: s3://bucket/prefix or file:///directory
    ///
    /// AWS_REGION, AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are heeded, as are
    /// web identities and instance profiles. May run beside any number of aggregators.
    #[arg(value_name = "URL", env = "PODLEDGER_AGGREGATOR_STORE")]
    pub store: String,
}

/// Options of `compact`.
#[derive(Args, Clone, Debug)]
pub struct Compact {
    /// Which tables.
    #[command(flatten)]
    pub place: Place,
    /// Merge an hour, or a day, so long after its end: rows of it may still come
    #[arg(long, value_name = "DURATION", default_value = "15m")]
    pub settle: humantime::Duration,
    /// Take out rows of days that are older than so many days; the ledger stays [default: none]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(9..))]
    pub retention_days: Option<u32>,
}

/// Options of `vacuum`.
#[derive(Args, Clone, Debug)]
pub struct Vacuum {
    /// Which tables.
    #[command(flatten)]
    pub place: Place,
    /// Keep files so long after they were replaced, for those who still read an older version
    #[arg(long, value_name = "DURATION", default_value = "7d")]
    pub keep: humantime::Duration,
    /// Only tell how much would be deleted
    #[arg(long)]
    pub dry_run: bool,
}

/// What a table's files are merged by, and its schema.
pub fn settings(merge: MergeFiles) -> Settings {
    let schema = |table| WriteSettings::default().schema(table);
    Settings::new(Arc::new(merge), schema)
}

async fn open(
    place: &Place,
    mut settings: Settings,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Care, CareError> {
    settings.progress = Arc::new(tell);
    let url = StoreUrl::parse(&place.store)?;
    // Opening would make it.
    if let StoreUrl::Directory(path) = &url
        && !path.is_dir()
    {
        return Err(CareError::NoTables(url));
    }
    let (store, prefix) = url.open(environment)?;
    url.reach(&*store, &prefix, Patience::default()).await?;
    let care = Care::new(store, &prefix, settings);
    match care.has_tables().await? {
        true => Ok(care),
        false => Err(CareError::NoTables(url)),
    }
}

/// Merges, makes hours, takes out old days and cleans logs, once.
pub async fn compact(
    options: &Compact,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<(), CareError> {
    let mut settings = settings(MergeFiles::default());
    settings.rules.settle = *options.settle;
    settings.days = options.retention_days;
    let care = open(&options.place, settings, environment).await?;
    let Compacted {
        before,
        after,
        given_up,
    } = care.round().await?;
    say(&format!(
        "merged {} files of {} rows, {} bytes, into {} files of {} bytes",
        before.files, before.rows, before.bytes, after.files, after.bytes
    ));
    if given_up > 0 {
        say(&format!(
            "{given_up} merges were given up: another one was faster"
        ));
    }
    let tally = care.tally();
    say(&format!(
        "made {} hours, took out {} files of old days, put {} checkpoints, cleaned {} objects",
        tally.hours.get(),
        tally.expired_files.get(),
        tally.checkpoints.get(),
        tally.cleaned.get()
    ));
    Ok(())
}

/// Deletes what no table names.
pub async fn vacuum(
    options: &Vacuum,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<(), CareError> {
    let mut settings = settings(MergeFiles::default());
    settings.readers = *options.keep;
    let care = open(&options.place, settings, environment).await?;
    let Vacuumed { files, bytes } = care.vacuum(options.dry_run).await?;
    let done = match options.dry_run {
        true => "would delete",
        false => "deleted",
    };
    say(&format!("{done} {files} files, {bytes} bytes"));
    Ok(())
}

fn tell(progress: Progress<'_>) {
    let Progress { table, doing } = progress;
    // Nobody to tell when standard error is closed.
    drop(writeln!(io::stderr(), "{table}: {doing}"));
}

fn say(line: &str) {
    // Nobody to tell when standard output is closed.
    drop(writeln!(io::stdout(), "{line}"));
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        vacuum: Vacuum,
    }

    /// A place that is misspelt is neither taken for one that is in order, nor made.
    #[tokio::test]
    async fn a_place_without_tables_is_told() {
        let nowhere = std::env::temp_dir().join("podledger-no-such-place");
        let url = format!("file://{}", nowhere.display());
        for url in ["memory:", &url] {
            let line = Line::parse_from(["vacuum", url]);
            let told = vacuum(&line.vacuum, []).await;
            assert!(
                matches!(told, Err(CareError::NoTables(_))),
                "{url}: {told:?}"
            );
        }
        assert!(!nowhere.exists());
    }
}
