//! Which files are merged with each other. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

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

impl Group {
    /// All of its files are still in the table.
    pub fn is_live(&self, snapshot: &Snapshot) -> bool {
        let files = snapshot.files.as_ref();
        let is_live = |path| files.is_some_and(|files| files.contains_key(path));
        self.paths.iter().all(is_live)
    }
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
/// None of the files that are left out.
pub(super) fn groups(
    snapshot: &Snapshot,
    rules: &Rules,
    now: Timestamp,
    left_out: &BTreeSet<String>,
) -> Vec<Group> {
    let settle = i64::try_from(rules.settle.as_micros()).unwrap_or(i64::MAX);
    let over = now.unix_us.saturating_sub(settle);
    let mut partitions: BTreeMap<_, Vec<One<'_>>> = BTreeMap::new();
    for (path, file) in snapshot.files.iter().flatten() {
        if file.size >= rules.enough || left_out.contains(path) {
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
    window_end: Option<String>,
    hour: Option<String>,
    timestamp: Option<String>,
}

impl Bound {
    /// A moment of the time that it bounds.
    fn within(&self) -> Option<i64> {
        let parse =
            |text: &str| Some(Timestamp::from_system(humantime::parse_rfc3339(text).ok()?).unix_us);
        match (&self.hour, &self.window_end, &self.timestamp) {
            (Some(hour), ..) => parse(hour),
            (None, Some(end), _) | (None, None, Some(end)) => Some(parse(end)?.saturating_sub(1)),
            (None, None, None) => None,
        }
    }
}

/// Midnight of a partition's date.
pub(super) fn parse_date(date: &str) -> Option<Timestamp> {
    let time = humantime::parse_rfc3339(&format!("{date}T00:00:00Z")).ok()?;
    Some(Timestamp::from_system(time))
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

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;
    /// 2026-01-01.
    const DAY: i64 = 1_767_225_600_000_000;

    fn at(us: i64) -> String {
        Timestamp { unix_us: us }.to_string()
    }

    /// Files of one partition: begin and end of their windows' ends, bytes, rows.
    fn snapshot(files: &[(i64, i64, u64, u64)]) -> Snapshot {
        let file = |(number, (first, last, size, rows)): (usize, &(i64, i64, u64, u64))| {
            let stats = serde_json::json!({
                "numRecords": rows,
                "minValues": { "window_end": at(*first) },
                "maxValues": { "window_end": at(*last) },
            });
            let partition = [("cluster", "c"), ("date", "2026-01-01")];
            let partition =
                partition.map(|(name, value)| (name.to_owned(), Some(value.to_owned())));
            let file = File {
                partition: partition.into(),
                size: *size,
                modified_ms: 0,
                stats: Some(stats.to_string().into()),
                tags: None,
            };
            (format!("f{number:02}"), file)
        };
        Snapshot {
            files: Some(files.iter().enumerate().map(file).collect()),
            ..Snapshot::default()
        }
    }

    fn chosen(files: &[(i64, i64, u64, u64)], rules: &Rules, now: i64) -> Vec<Vec<String>> {
        let groups = groups(
            &snapshot(files),
            rules,
            Timestamp { unix_us: now },
            &BTreeSet::new(),
        );
        groups.into_iter().map(|group| group.paths).collect()
    }

    fn names(numbers: &[usize]) -> Vec<String> {
        numbers
            .iter()
            .map(|number| format!("f{number:02}"))
            .collect()
    }

    #[test]
    fn hours_are_merged_when_they_are_over() {
        let rules = Rules::default();
        let files = [
            (DAY + HOUR / 2, DAY + HOUR, 10, 5),
            (DAY + HOUR / 3, DAY + HOUR / 2, 10, 5),
            (DAY + HOUR, DAY + HOUR + 1, 10, 5),
            (DAY + HOUR + 1, DAY + 2 * HOUR, 10, 5),
        ];
        let settle = 15 * 60_000_000;
        assert!(chosen(&files, &rules, DAY + HOUR + settle - 1).is_empty());
        let first = vec![names(&[1, 0])];
        assert_eq!(chosen(&files, &rules, DAY + HOUR + settle), first);
        let both = vec![names(&[1, 0]), names(&[2, 3])];
        assert_eq!(chosen(&files, &rules, DAY + 2 * HOUR + settle), both);
    }

    #[test]
    fn a_day_is_merged_as_a_whole_when_it_is_over() {
        let rules = Rules::default();
        let hours: Vec<_> = (0..24)
            .map(|hour| {
                (
                    DAY + hour * HOUR + 1,
                    DAY + (hour + 1) * HOUR,
                    30 << 20,
                    600_000,
                )
            })
            .collect();
        let now = DAY + 24 * HOUR + 16 * 60_000_000;
        let found = chosen(&hours, &rules, now);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found.concat().len(), 24);
        assert!(
            chosen(&hours, &rules, DAY + 24 * HOUR).is_empty(),
            "each hour is one file"
        );
    }

    /// Or a row that comes late each hour would have its day written again each hour.
    #[test]
    fn little_is_not_worth_a_large_file() {
        let rules = Rules::default();
        let now = DAY + 48 * HOUR;
        let one = (DAY + 1, DAY + HOUR, 100 << 20, 1_000_000);
        let late = (DAY + 1, DAY + HOUR, 1 << 20, 10_000);
        assert!(chosen(&[one, late], &rules, now).is_empty());
        let many = [one].into_iter().chain(std::iter::repeat_n(late, 25));
        assert_eq!(chosen(&many.collect::<Vec<_>>(), &rules, now).len(), 1);
        let large = (DAY + 1, DAY + HOUR, 128 << 20, 1_000_000);
        assert!(
            chosen(&[large, large], &rules, now).is_empty(),
            "they are large enough"
        );
    }

    #[test]
    fn no_more_is_merged_at_a_time_than_the_rules_allow() {
        let most = Size {
            files: 3,
            bytes: 1_000,
            rows: 100,
        };
        let rules = Rules {
            most,
            ..Rules::default()
        };
        let now = DAY + 48 * HOUR;
        let of = |size, rows| vec![(DAY + 1, DAY + HOUR, size, rows); 8];
        let lens = |files: Vec<_>| -> Vec<usize> {
            chosen(&files, &rules, now).iter().map(Vec::len).collect()
        };
        assert_eq!(lens(of(1, 1)), [3, 3, 2]);
        assert_eq!(lens(of(400, 1)), [2, 2, 2, 2]);
        assert_eq!(lens(of(1, 50)), [2, 2, 2, 2]);
        assert!(lens(of(1, 60)).is_empty());
    }

    /// Other programs tell the bounds of all columns.
    #[test]
    fn bounds_of_further_columns_do_no_harm() {
        let bound =
            |end: i64| serde_json::json!({ "window_end": at(end), "timestamp": at(end - 9) });
        let stats = serde_json::json!({
            "numRecords": 3,
            "minValues": bound(DAY + 10),
            "maxValues": bound(DAY + 20),
        });
        let times = Times::of(Some(&stats.to_string())).unwrap();
        assert_eq!((times.first, times.last), (DAY + 9, DAY + 19));
    }

    #[test]
    fn a_file_that_tells_no_times_is_left_alone() {
        let mut snapshot = snapshot(&[(DAY, DAY, 1, 1); 3]);
        let files = snapshot.files.as_mut().unwrap();
        files.get_mut("f00").unwrap().stats = None;
        files.get_mut("f01").unwrap().stats = Some("{\"numRecords\": 3}".into());
        let now = Timestamp {
            unix_us: DAY + 48 * HOUR,
        };
        assert_eq!(
            groups(&snapshot, &Rules::default(), now, &BTreeSet::new()),
            []
        );
    }
}
