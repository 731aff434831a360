//! Which files are merged with each other. Pure.

use std::{collections::BTreeMap, time::Duration};

use protocol::Timestamp;
use serde::Deserialize;

use crate::lake::log::{File, Snapshot};

const DAY_US: i64 = 24 * 3_600_000_000;

/// How much of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Files.
    pub files: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Rows in those.
    pub rows: u64,
}

/// When files are merged, and how many at a time.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Files of so long a time are merged as soon as it is over: an hour.
    pub hour: Duration,
    /// How long after its end an hour, or a day, is waited for.
    pub settle: Duration,
    /// A file of so many bytes is large enough.
    pub enough: u64,
    /// What is merged at a time, at most.
    pub most: Size,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            hour: Duration::from_secs(3_600),
            settle: Duration::from_secs(15 * 60),
            enough: 128 << 20,
            most: Size {
                files: 500,
                bytes: 384 << 20,
                rows: 10_000_000,
            },
        }
    }
}

/// Files of one partition that are made into fewer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// Column to value.
    pub partition: BTreeMap<String, Option<String>>,
    /// As the log names them.
    pub paths: Vec<String>,
    pub size: Size,
}

/// A file that may be merged.
struct One<'a> {
    path: &'a String,
    first: i64,
    last: i64,
    size: Size,
}

/// When the first and the last of a file's windows were over, a microsecond before: a window that ends
/// with an hour is of that hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    pub first: i64,
    pub last: i64,
    pub rows: u64,
}

/// What should be merged now: the files of each hour that is over; and the files of each day that is over.
pub(super) fn groups(snapshot: &Snapshot, rules: &Rules, now: Timestamp) -> Vec<Group> {
    let settle = i64::try_from(rules.settle.as_micros()).unwrap_or(i64::MAX);
    let over = now.unix_us.saturating_sub(settle);
    let mut partitions: BTreeMap<_, Vec<One<'_>>> = BTreeMap::new();
    for (path, file) in snapshot.files.iter().flatten() {
        if file.size >= rules.enough {
            continue;
        }
        if let Some(one) = One::new(path, file) {
            partitions.entry(&file.partition).or_default().push(one);
        }
    }
    let mut groups = Vec::new();
    for (partition, files) in partitions {
        for paths in of_partition(files, rules, over) {
            groups.push(Group {
                partition: partition.clone(),
                size: paths
                    .iter()
                    .fold(Size::default(), |sum, one| sum.plus(one.size)),
                paths: paths.into_iter().map(|one| one.path.clone()).collect(),
            });
        }
    }
    groups
}

fn of_partition<'a>(mut files: Vec<One<'a>>, rules: &Rules, over: i64) -> Vec<Vec<One<'a>>> {
    files.sort_unstable_by_key(|one| (one.last, one.first, one.path));
    let is_day_over = files
        .iter()
        .all(|one| (one.last.div_euclid(DAY_US) + 1) * DAY_US <= over);
    let mut found = Vec::new();
    if is_day_over {
        found.extend(pieces(files, rules));
        return found;
    }
    let hour_us = i64::try_from(rules.hour.as_micros())
        .unwrap_or(DAY_US)
        .max(1);
    let mut hours: BTreeMap<i64, Vec<One<'a>>> = BTreeMap::new();
    for one in files {
        let hour = one.last.div_euclid(hour_us);
        if (hour + 1) * hour_us <= over {
            hours.entry(hour).or_default().push(one);
        }
    }
    for files in hours.into_values() {
        found.extend(pieces(files, rules));
    }
    found
}

/// Neighbours in time, as many at a time as the rules allow, where it is worth it.
fn pieces<'a>(files: Vec<One<'a>>, rules: &Rules) -> Vec<Vec<One<'a>>> {
    let mut pieces: Vec<Vec<One<'a>>> = Vec::new();
    let mut sum = Size::default();
    for one in files {
        let more = sum.plus(one.size);
        match pieces.last_mut() {
            Some(piece) if more.fits(rules.most) => {
                sum = more;
                piece.push(one);
            }
            _ => {
                sum = one.size;
                pieces.push(vec![one]);
            }
        }
    }
    pieces.retain(|piece| is_worth_it(piece));
    pieces
}

/// A large file is not written again for the sake of a little: each row is written but a few times.
fn is_worth_it(piece: &[One<'_>]) -> bool {
    let all: u64 = piece.iter().map(|one| one.size.bytes).sum();
    let largest = piece.iter().map(|one| one.size.bytes).max().unwrap_or(0);
    piece.len() > 1 && (all - largest) >= largest / 4
}

impl Size {
    /// Both.
    pub fn plus(self, other: Self) -> Self {
        Self {
            files: self.files.saturating_add(other.files),
            bytes: self.bytes.saturating_add(other.bytes),
            rows: self.rows.saturating_add(other.rows),
        }
    }

    fn fits(self, most: Self) -> bool {
        self.files <= most.files && self.bytes <= most.bytes && self.rows <= most.rows
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stats {
    num_records: u64,
    min_values: Bound,
    max_values: Bound,
}

/// Of a table of hours, the hour; of one without windows, when something happened.
#[derive(Deserialize)]
struct Bound {
    #[serde(alias = "timestamp")]
    window_end: Option<String>,
    hour: Option<String>,
}

impl Bound {
    /// A moment of the time that it bounds.
    fn within(&self) -> Option<i64> {
        let parse =
            |text: &str| Some(Timestamp::from_system(humantime::parse_rfc3339(text).ok()?).unix_us);
        match (&self.window_end, &self.hour) {
            (Some(end), _) => Some(parse(end)?.saturating_sub(1)),
            (None, hour) => parse(hour.as_deref()?),
        }
    }
}

impl Times {
    /// None of a file that does not say which times it has: another program wrote it.
    pub fn of(stats: Option<&str>) -> Option<Self> {
        let stats: Stats = serde_json::from_str(stats?).ok()?;
        Some(Self {
            first: stats.min_values.within()?,
            last: stats.max_values.within()?,
            rows: stats.num_records,
        })
    }
}

impl<'a> One<'a> {
    fn new(path: &'a String, file: &File) -> Option<Self> {
        let Times { first, last, rows } = Times::of(file.stats.as_deref())?;
        Some(Self {
            path,
            first,
            last,
            size: Size {
                files: 1,
                bytes: file.size,
                rows,
            },
        })
    }
}
