//! Table `pod_usage_hourly`: one row for each pod and hour, made of the rows of `pod_usage` and
//! `pod_network`.
//!
//! An hour is made as a whole, from all rows that the tables have of it, and put in the place of what was
//! there before: made again, because rows came late or because nobody knows whether it was made, it is the
//! same. Each of its files says from which versions of the two tables it was made.

mod cells;
mod columns;
mod file;
mod hour;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::{Range, RangeInclusive},
};

use protocol::{Epoch, Table, Timestamp};
use serde_json::json;

use super::{
    Care,
    choose::{Times, parse_date},
    compact::in_store,
    failures::Failures,
    kept::{Kept, info},
};
use crate::lake::{
    LakeError,
    log::{
        Adds, File, Snapshot,
        action::{Add, Line, Remove, Transaction},
        name,
    },
    merge::Input,
    rows::{Scan, date, millis},
    schema,
};
use file::{HourFile, NETWORK, add_classes};
use hour::Hours;

pub use columns::columns;

/// Its name.
pub const NAME: &str = "pod_usage_hourly";
/// The tables that it is made of.
const SOURCES: [Table; 2] = [Table::PodUsage, Table::PodNetwork];
const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;
/// Rows that are in memory at a time.
const UNIT_ROWS: u64 = 262_144;
/// So often an hour that is made is put, when others are faster each time.
const TRIES: usize = 50;

/// Schema as Delta's `schemaString`.
pub fn schema() -> String {
    schema::delta(columns())
}

/// A cluster's hour, as a number since 1970.
type Slot = (String, i64);

/// For each source, up to which of its versions something was made.
type Versions = [Option<u64>; SOURCES.len()];

/// Our transaction that says up to which version of a source all hours are made.
fn app_id(source: Table) -> String {
    format!("podledger/hourly/{}", source.name())
}

/// Tag of a file that says the same of its hour.
fn tag(source: Table) -> String {
    format!("podledger.{}", source.name())
}

/// What is new in the sources.
#[derive(Default)]
struct News {
    /// Hours with rows that came with that version of a source, the newest.
    touched: BTreeMap<Slot, Versions>,
    /// Up to which version every hour is over.
    over: Versions,
}

impl Care {
    /// Makes the hours that are over and have new rows. Once in an hour is often enough.
    pub(super) async fn hourly(&self) -> Result<(), LakeError> {
        let Some(kept) = &self.hourly else {
            return Ok(());
        };
        let settle = i64::try_from(self.settings.rules.settle.as_micros()).unwrap_or(i64::MAX);
        let over = self
            .now()
            .unix_us
            .saturating_sub(settle)
            .div_euclid(HOUR_US);
        let done = self.hours_made.load(std::sync::atomic::Ordering::Relaxed);
        if done == over {
            return Ok(());
        }
        let Some(sources) = self.sources().await? else {
            return Ok(());
        };
        let target = self.target(kept).await?;
        let news = self.news(&target, &sources, over).await?;
        let made = made(&target);
        let (mut is_all, mut failures) = (true, Failures::default());
        for (slot, touched) in &news.touched {
            let before = made.get(slot);
            let is_new =
                (0..SOURCES.len()).any(|at| touched[at] > before.and_then(|made| made[at]));
            let is_kept = sources.iter().all(|(_, source)| is_kept(source, slot.1));
            if slot.1 < over && is_new && is_kept {
                match self.make(kept, &sources, slot).await {
                    Ok(is_made) => is_all &= is_made,
                    // An hour whose rows can't be read is told once, and made when more of it comes.
                    Err(error) => failures.hear(error)?,
                }
            }
        }
        if is_all {
            self.advance(kept, &news).await?;
            self.hours_made
                .store(over, std::sync::atomic::Ordering::Relaxed);
        }
        failures.end()
    }

    /// The sources as they are now; none if there is nothing yet.
    async fn sources(&self) -> Result<Option<Vec<(&Kept, Snapshot)>>, LakeError> {
        let mut sources = Vec::new();
        for table in SOURCES {
            let kept = self.tables.iter().find(|kept| kept.table == Some(table));
            let Some(kept) = kept else {
                return Ok(None);
            };
            let Some(snapshot) = kept.read().await? else {
                return Ok(None);
            };
            sources.push((kept, snapshot));
        }
        Ok(Some(sources))
    }

    async fn target(&self, kept: &Kept) -> Result<Snapshot, LakeError> {
        loop {
            if let Some(snapshot) = kept.read().await? {
                return Ok(snapshot);
            }
            let ms = self.now().unix_us / 1_000;
            // Whoever wins this put, the next reading finds one table.
            kept.log
                .create(self.settings.random.guid(), schema(), ms)
                .await?;
        }
    }

    /// Which hours have rows that came since they were made.
    async fn news(
        &self,
        target: &Snapshot,
        sources: &[(&Kept, Snapshot)],
        over: i64,
    ) -> Result<News, LakeError> {
        let mut news = News::default();
        for (at, (kept, source)) in sources.iter().enumerate() {
            let done = kept.table.map(app_id);
            let done = done.and_then(|app| target.transactions.get(&app));
            let done = done.and_then(|txn| u64::try_from(txn.version).ok());
            let next = done.map_or(0, |done| done.saturating_add(1));
            let Adds { cleaned, entries } = kept.log.adds(next, source.version).await?;
            news.over[at] = done;
            let mut is_over = true;
            let came = |(version, adds): &(u64, Vec<Add>)| {
                let slots: BTreeSet<Slot> = adds.iter().flat_map(slots).collect();
                (*version, slots)
            };
            let came: Vec<(u64, BTreeSet<Slot>)> = entries.iter().map(came).collect();
            let known: BTreeSet<&Slot> = came.iter().flat_map(|(_, slots)| slots).collect();
            // Any hour may have rows of entries that were cleaned away, but those that later ones tell of and
            // that are not over: they are seen again.
            let before = cleaned.map(|version| {
                let slots = all(source).into_iter().flat_map(|add| slots(&add));
                let slots = slots.filter(|slot| slot.1 < over || !known.contains(slot));
                (version, slots.collect())
            });
            for (version, slots) in before.into_iter().chain(came.iter().cloned()) {
                for slot in slots {
                    is_over &= slot.1 < over;
                    let versions = news.touched.entry(slot).or_default();
                    versions[at] = versions[at].max(Some(version));
                }
                if is_over {
                    news.over[at] = Some(version);
                }
            }
        }
        Ok(news)
    }

    /// Notes up to where all hours are made.
    async fn advance(&self, kept: &Kept, news: &News) -> Result<(), LakeError> {
        for _ in 0..TRIES {
            let Some(snapshot) = kept.read().await? else {
                return Ok(());
            };
            let mut lines = vec![info("ADVANCE", self.now().unix_us / 1_000)];
            for (source, over) in SOURCES.into_iter().zip(news.over) {
                let app_id = app_id(source);
                let version = over.and_then(|over| i64::try_from(over).ok());
                let known = snapshot.transactions.get(&app_id).map(|txn| txn.version);
                if let Some(version) = version.filter(|version| Some(*version) > known) {
                    lines.push(Line {
                        txn: Some(Transaction {
                            app_id,
                            version,
                            last_updated: None,
                        }),
                        ..Line::default()
                    });
                }
            }
            if lines.len() == 1 || kept.put(&snapshot, &lines).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Makes one hour, and puts it in the place of what was there. False if it has to be looked at again:
    /// another one was faster, or a fence came.
    async fn make(
        &self,
        kept: &Kept,
        sources: &[(&Kept, Snapshot)],
        slot: &Slot,
    ) -> Result<bool, LakeError> {
        let begun = self.target(kept).await?;
        let (old, slots) = in_place(&begun, slot);
        let made = made(&begun);
        let is_newer = |slot: &Slot| {
            let made = made.get(slot).copied().unwrap_or_default();
            let own = sources.iter().map(|(_, source)| Some(source.version));
            made.into_iter().zip(own).any(|(made, own)| made > own)
        };
        // Somebody who read the tables later was here.
        if slots.iter().any(is_newer) {
            return Ok(false);
        }
        let mut adds = Vec::new();
        for slot in &slots {
            adds.push(self.file_of(kept, sources, slot).await?);
        }
        let count = adds.len() as u64;
        let is_ours = self.put_hours(kept, &begun, (slot, old), adds).await?;
        self.tally.hours.add(if is_ours { count } else { 0 });
        Ok(is_ours)
    }

    /// Uploads a file of an hour.
    async fn file_of(
        &self,
        kept: &Kept,
        sources: &[(&Kept, Snapshot)],
        slot: &Slot,
    ) -> Result<Add, LakeError> {
        let start = slot.1.saturating_mul(HOUR_US);
        let day = date(Timestamp { unix_us: start });
        self.tell(
            kept,
            &format!("making hour {} of {day}", slot.1.rem_euclid(24)),
        );
        let (bytes, rows) = self.rows(sources, slot, start..start + HOUR_US).await?;
        let random: Epoch = self.settings.random.id();
        let named = name::in_log(&name::data_file(&slot.0, &day, &random.to_string()));
        let size = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        self.store
            .put(&in_store(kept, &named)?, &bytes.into())
            .await?;
        let hour = millis(start, false);
        let stats = json!({
            "numRecords": rows,
            "minValues": { "hour": hour },
            "maxValues": { "hour": hour },
            "nullCount": { "hour": 0 },
        });
        let versions = sources.iter().filter_map(|(kept, source)| {
            Some((tag(kept.table?), Some(source.version.to_string())))
        });
        let partition = [("cluster", slot.0.clone()), ("date", day)];
        let partition = partition.map(|(name, value)| (name.to_owned(), Some(value)));
        Ok(Add {
            path: named,
            partition_values: partition.into(),
            size,
            modification_time: self.now().unix_us / 1_000,
            data_change: true,
            stats: Some(stats.to_string()),
            tags: Some(versions.collect()),
        })
    }

    /// Only if nobody else made them meanwhile, and no fence says that their files may have been deleted. An
    /// own put whose answer was lost shows as somebody else's.
    async fn put_hours(
        &self,
        kept: &Kept,
        begun: &Snapshot,
        (slot, old): (&Slot, BTreeSet<String>),
        adds: Vec<Add>,
    ) -> Result<bool, LakeError> {
        let ms = self.now().unix_us / 1_000;
        let removes = old.iter().map(|path| Line {
            remove: Some(Remove {
                path: path.clone(),
                deletion_timestamp: Some(ms),
                data_change: true,
            }),
            ..Line::default()
        });
        let adds = adds.into_iter().map(|add| Line {
            add: Some(add),
            ..Line::default()
        });
        let first = std::iter::once(info("WRITE", ms));
        let lines: Vec<Line> = first.chain(removes).chain(adds).collect();
        for _ in 0..TRIES {
            let snapshot = self.target(kept).await?;
            if snapshot.fence != begun.fence || in_place(&snapshot, slot).0 != old {
                return Ok(false);
            }
            match kept.put(&snapshot, &lines).await {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) if error.may_pass() => {
                    log::warn!("putting an hour of {NAME}, trying again: {error:?}");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// A file of the hour's rows, and how many there are.
    async fn rows(
        &self,
        sources: &[(&Kept, Snapshot)],
        slot: &Slot,
        time: Range<i64>,
    ) -> Result<(Vec<u8>, usize), LakeError> {
        let mut classes = HashMap::new();
        let mut file = HourFile::new()?;
        for (kept, source) in sources {
            let Some(table) = kept.table else {
                continue;
            };
            if table == Table::PodUsage {
                continue;
            }
            let inputs = inputs(kept, source, slot)?;
            let mut scan = Scan::new(&self.store, table, inputs, (NETWORK, UNIT_ROWS * 4)).await?;
            while let Some(batches) = scan.next().await? {
                batches
                    .iter()
                    .for_each(|batch| add_classes(&mut classes, batch, &time));
            }
        }
        for (kept, source) in sources {
            if kept.table != Some(Table::PodUsage) {
                continue;
            }
            let inputs = inputs(kept, source, slot)?;
            let wanted = (hour::COLUMNS, UNIT_ROWS);
            let mut scan = Scan::new(&self.store, Table::PodUsage, inputs, wanted).await?;
            while let Some(batches) = scan.next().await? {
                let mut hours = Hours::default();
                batches.iter().for_each(|batch| hours.add(batch, &time));
                file.add(hours, &mut classes, time.start)?;
            }
        }
        file.close()
    }
}

/// Files of a source that have rows of an hour.
fn inputs(kept: &Kept, source: &Snapshot, slot: &Slot) -> Result<Vec<Input>, LakeError> {
    let mut inputs = Vec::new();
    for (path, file) in source.files.iter().flatten() {
        let is_in = cluster(&file.partition) == Some(&slot.0) && may_have(file, slot.1);
        if is_in {
            inputs.push(Input {
                path: in_store(kept, path)?,
                size: file.size,
            });
        }
    }
    Ok(inputs)
}

/// Whether a file of a source may have rows of an hour. Some programs round its last time down to milliseconds; a
/// window that ends with a day is in the folder of the next.
fn may_have(file: &File, hour: i64) -> bool {
    if let Some(times) = Times::of(file.stats.as_deref()) {
        let last = times.last.saturating_add(1_000);
        return hours(Times { last, ..times }).contains(&hour);
    }
    let date = file.partition.get("date").and_then(Option::as_deref);
    let day = date
        .and_then(parse_date)
        .map(|day| day.unix_us.div_euclid(HOUR_US));
    day.is_none_or(|day| (day - 1..=day + 23).contains(&hour))
}

/// Live files of an hour in the table of hours, and all hours that they have: another program may have put
/// several into one file, which can only go as a whole.
fn in_place(target: &Snapshot, slot: &Slot) -> (BTreeSet<String>, BTreeSet<Slot>) {
    let mut found = BTreeSet::from([slot.clone()]);
    loop {
        let (mut paths, mut all) = (BTreeSet::new(), found.clone());
        for (path, file) in target.files.iter().flatten() {
            let own: Vec<Slot> = slots(&file.add(path)).collect();
            if own.iter().any(|slot| found.contains(slot)) {
                paths.insert(path.clone());
                all.extend(own);
            }
        }
        if all == found {
            return (paths, found);
        }
        found = all;
    }
}

/// From which versions each hour was made.
fn made(target: &Snapshot) -> BTreeMap<Slot, Versions> {
    let mut made = BTreeMap::new();
    for (path, file) in target.files.iter().flatten() {
        let add = file.add(path);
        let versions = SOURCES.map(|source| {
            let tag = add.tags.as_ref()?.get(&tag(source))?;
            tag.as_deref()?.parse().ok()
        });
        made.extend(slots(&add).map(|slot| (slot, versions)));
    }
    made
}

/// All files of a table.
fn all(source: &Snapshot) -> Vec<Add> {
    let files = source.files.iter().flatten();
    files.map(|(path, file)| file.add(path)).collect()
}

/// The hours that a file has rows of. One that does not tell may have some of each hour of its day.
fn slots(add: &Add) -> impl Iterator<Item = Slot> + use<> {
    let cluster = cluster(&add.partition_values).cloned();
    let hours = Times::of(add.stats.as_deref()).map(hours);
    let hours = hours.or_else(|| {
        let date = add.partition_values.get("date")?.as_deref()?;
        let day = parse_date(date)?.unix_us.div_euclid(HOUR_US);
        Some(day..=day + 23)
    });
    let hours = cluster.zip(hours).into_iter();
    hours.flat_map(|(cluster, hours)| hours.map(move |hour| (cluster.clone(), hour)))
}

fn hours(times: Times) -> RangeInclusive<i64> {
    times.first.div_euclid(HOUR_US)..=times.last.div_euclid(HOUR_US)
}

fn cluster(partition: &BTreeMap<String, Option<String>>) -> Option<&String> {
    partition.get("cluster")?.as_ref()
}

/// None of the hour's rows were taken out for their age.
fn is_kept(source: &Snapshot, hour: i64) -> bool {
    let day = hour.saturating_mul(HOUR_US).div_euclid(DAY_US);
    u64::try_from(day).is_ok_and(|day| day >= source.kept_from)
}
