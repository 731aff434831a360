//! Compaction: rows of many small files in few large ones, with the same node, epoch and seq.

use std::time::Duration;

use object_store::path::Path;
use protocol::{Epoch, Table};

use super::{
    Care,
    choose::{self, Group, Size},
    failures::{Failures, is_store_out},
    kept::{Kept, info},
};
use crate::lake::{
    LakeError,
    log::{
        Snapshot,
        action::{Add, Line, Remove},
        name,
    },
    merge::{Input, Merged},
};

/// So often a merge that is done is put, when others are faster each time.
const TRIES: usize = 200;
/// A file that can't be merged is left out for so long.
const LONG: Duration = Duration::from_secs(24 * 3600);
/// One that could not be read, though the store may have been to blame.
const BRIEFLY: Duration = Duration::from_secs(1_800);

/// What became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Before.
    pub before: Size,
    /// After.
    pub after: Size,
    /// Groups of files that went meanwhile: another one merged or deleted them.
    pub given_up: u64,
}

impl Compacted {
    /// This too.
    pub fn add(&mut self, more: &Self) {
        self.before = self.before.plus(more.before);
        self.after = self.after.plus(more.after);
        self.given_up = self.given_up.saturating_add(more.given_up);
    }
}

impl Care {
    /// Merges what should be; a group that can't be is told in the end, and holds up no other.
    pub(super) async fn compact_table(
        &self,
        kept: &Kept,
        all: &mut Compacted,
    ) -> Result<(), LakeError> {
        let (Some(table), Some(snapshot)) = (kept.table, kept.read().await?) else {
            return Ok(());
        };
        let (rules, left_out) = (&self.settings.rules, kept.left_out());
        let mut failures = Failures::default();
        for group in choose::groups(&snapshot, rules, self.now(), &left_out) {
            // The one before may have taken long.
            let Some(snapshot) = kept.read().await? else {
                break;
            };
            if !group.is_live(&snapshot) {
                continue;
            }
            let files = group.paths.len();
            let [cluster, date] = values(&group);
            self.tell(kept, &format!("merging {files} files of {cluster}, {date}"));
            match self.merge((kept, table), &snapshot, &group).await {
                Ok(merged) => {
                    self.tally.merged_files.add(merged.before.files);
                    self.tally.merged_rows.add(merged.after.rows);
                    self.tally.given_up.add(merged.given_up);
                    all.add(&merged);
                }
                Err(error) => {
                    leave_out(kept, &group, &error);
                    failures.hear(error)?;
                }
            }
        }
        failures.end()
    }

    /// Files are uploaded after the fence of `snapshot` was read, and committed only while it stands.
    async fn merge(
        &self,
        (kept, table): (&Kept, Table),
        snapshot: &Snapshot,
        group: &Group,
    ) -> Result<Compacted, LakeError> {
        let mut inputs = Vec::with_capacity(group.paths.len());
        for path in &group.paths {
            inputs.push(Input {
                path: in_store(kept, path)?,
                size: size_of(snapshot, path),
            });
        }
        let merger = &self.settings.merger;
        let mut merging = merger.begin(&self.store, table, inputs).await?;
        let (mut adds, mut after) = (Vec::new(), Size::default());
        while let Some(file) = merging.next().await? {
            let add = self.upload(kept, group, &file).await?;
            after = after.plus(Size {
                files: 1,
                bytes: u64::try_from(add.size).unwrap_or(0),
                rows: file.rows,
            });
            adds.push(add);
        }
        if after.rows != group.size.rows {
            return Err(LakeError::BadLog {
                table: kept.path.to_string(),
                what: format!("the statistics of {:?}", group.paths),
                problem: format!(
                    "they tell of {} rows, the files have {}; nothing was changed",
                    group.size.rows, after.rows
                ),
            });
        }
        let is_ours = self.replace(kept, snapshot, group, adds).await?;
        Ok(match is_ours {
            true => Compacted {
                before: group.size,
                after,
                given_up: 0,
            },
            false => Compacted {
                given_up: 1,
                ..Compacted::default()
            },
        })
    }

    async fn upload(&self, kept: &Kept, group: &Group, file: &Merged) -> Result<Add, LakeError> {
        let [cluster, date] = values(group);
        let random: Epoch = self.settings.random.id();
        let name = name::data_file(cluster, date, &random.to_string());
        let path = in_store(kept, &name::in_log(&name))?;
        self.store.put_pieces(&path, &file.pieces).await?;
        let size: usize = file.pieces.iter().map(bytes::Bytes::len).sum();
        Ok(Add {
            path: name::in_log(&name),
            partition_values: group.partition.clone(),
            size: i64::try_from(size).unwrap_or(i64::MAX),
            modification_time: self.now().unix_us / 1_000,
            data_change: false,
            stats: Some(file.stats.clone()),
            tags: None,
        })
    }

    /// One entry that takes the old files out and the new ones in, if all of the old ones are still there
    /// and no fence says that the new ones may have been deleted. An own put whose answer was lost shows
    /// as old files that are gone.
    async fn replace(
        &self,
        kept: &Kept,
        begun: &Snapshot,
        group: &Group,
        adds: Vec<Add>,
    ) -> Result<bool, LakeError> {
        let lines = self.entry(group, adds);
        for _ in 0..TRIES {
            let Some(snapshot) = kept.read().await? else {
                return Ok(false);
            };
            if snapshot.fence != begun.fence || !group.is_live(&snapshot) {
                return Ok(false);
            }
            match kept.put(&snapshot, &lines).await {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) if error.may_pass() => {
                    log::warn!("merging files of {}, trying again: {error:?}", kept.name());
                }
                Err(error) => return Err(error),
            }
            let pause = Duration::from_millis(50);
            tokio::time::sleep(self.settings.random.jitter(pause)).await;
        }
        Ok(false)
    }

    fn entry(&self, group: &Group, adds: Vec<Add>) -> Vec<Line> {
        let ms = self.now().unix_us / 1_000;
        let removes = group.paths.iter().map(|path| Line {
            remove: Some(Remove {
                path: path.clone(),
                deletion_timestamp: Some(ms),
                data_change: false,
            }),
            ..Line::default()
        });
        let adds = adds.into_iter().map(|add| Line {
            add: Some(add),
            ..Line::default()
        });
        let first = std::iter::once(info("OPTIMIZE", ms));
        first.chain(removes).chain(adds).collect()
    }
}

/// The file that is to blame is not tried again soon, or all of them if it is not known which.
fn leave_out(kept: &Kept, group: &Group, error: &LakeError) {
    let span = match is_store_out(error) {
        true => BRIEFLY,
        false => LONG,
    };
    let blamed = match error {
        LakeError::BadFile { path, .. } | LakeError::Store { path, .. } => Some(path.as_str()),
        _ => None,
    };
    let is_blamed = |named: &&String| {
        let path = in_store(kept, named.as_str());
        path.is_ok_and(|path| Some(path.as_ref()) == blamed)
    };
    let one: Vec<String> = group.paths.iter().filter(is_blamed).cloned().collect();
    match (one.is_empty(), is_store_out(error)) {
        (false, _) => kept.leave_out(one, span),
        (true, false) => kept.leave_out(group.paths.iter().cloned(), span),
        // The files have nothing to do with it.
        (true, true) => {}
    }
}

/// Cluster and date.
fn values(group: &Group) -> [&str; 2] {
    ["cluster", "date"].map(|name| {
        let value = group.partition.get(name);
        value.and_then(Option::as_deref).unwrap_or_default()
    })
}

fn size_of(snapshot: &Snapshot, path: &str) -> u64 {
    let files = snapshot.files.as_ref();
    files
        .and_then(|files| files.get(path))
        .map_or(0, |file| file.size)
}

/// Where a file is that the log names.
pub(super) fn in_store(kept: &Kept, named: &str) -> Result<Path, LakeError> {
    let path = name::in_store(named);
    let path = path.and_then(|path| Path::parse(format!("{}/{path}", kept.path)).ok());
    path.ok_or_else(|| LakeError::BadLog {
        table: kept.path.to_string(),
        what: named.to_owned(),
        problem: "it can't be the name of a file".to_owned(),
    })
}
