//! The rows of the database: one table, so that a transaction touches few pages. Long values are cut
//! into parts that fill a page each, because the database rounds a long one up to a power of two.

use redb::{ReadableTable, TableDefinition};

/// Kind, two numbers that the kind explains, and the number of the part.
type Key = (u8, u64, u64, u32);
type Definition = TableDefinition<'static, Key, &'static [u8]>;
/// The table as one may write it.
pub(super) type Rows<'a> = redb::Table<'a, Key, &'static [u8]>;
/// The table as one may read it.
pub(super) type ReadRows = redb::ReadOnlyTable<Key, &'static [u8]>;

/// The one table.
pub(super) const TABLE: Definition = TableDefinition::new("spool");
/// Bytes of a part: with key and overhead just below the database's page.
const PART: usize = 4000;

/// Names a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name(u8, u64, u64);

/// How many transactions there were: tells whether one whose end is not known took place.
pub(super) const COUNT: Name = Name(0, 0, 0);
/// The last batch that was drawn: ordinal, epoch, seq.
pub(super) const LAST: Name = Name(0, 1, 0);
/// Why an earlier spool was lost; goes when a gap tells it.
pub(super) const LOST: Name = Name(0, 2, 0);
/// The agent's state.
pub(super) const STATE: Name = Name(0, 3, 0);
/// The ledger table's id.
pub(super) const TABLE_ID: Name = Name(0, 4, 0);

/// An epoch, by its ordinal.
pub(super) const fn epoch(ordinal: u64) -> Name {
    Name(1, ordinal, 0)
}

/// A batch's head, by the ordinal of its epoch and its seq.
pub(super) const fn head(ordinal: u64, seq: u64) -> Name {
    Name(2, ordinal, seq)
}

/// Its frame.
pub(super) const fn frame(ordinal: u64, seq: u64) -> Name {
    Name(3, ordinal, seq)
}

impl Name {
    /// The numbers behind the kind.
    pub(super) fn numbers(self) -> (u64, u64) {
        (self.1, self.2)
    }

    fn part(self, part: u32) -> Key {
        (self.0, self.1, self.2, part)
    }
}

/// Writes a value in the place of what has that name.
pub(super) fn put(rows: &mut Rows<'_>, name: Name, value: &[u8]) -> Result<(), redb::Error> {
    let mut next = 0;
    for part in value.chunks(PART) {
        rows.insert(name.part(next), part)?;
        next += 1;
    }
    if next == 0 {
        rows.insert(name.part(0), value)?;
        next = 1;
    }
    remove_keys(rows, name.part(next), name.part(u32::MAX))
}

/// Removes all names from one to another of the same kind.
pub(super) fn remove(rows: &mut Rows<'_>, from: Name, to: Name) -> Result<(), redb::Error> {
    remove_keys(rows, from.part(0), to.part(u32::MAX))
}

/// One by one: the database's own way to remove a range writes every page on the way anew for each.
fn remove_keys(rows: &mut Rows<'_>, from: Key, to: Key) -> Result<(), redb::Error> {
    /// Keys that are held in memory at once.
    const AT_ONCE: usize = 1_000;
    loop {
        let range = rows.range(from..=to)?.take(AT_ONCE);
        let keys = range.map(|row| Ok(row?.0.value()));
        let keys = keys.collect::<Result<Vec<_>, redb::StorageError>>()?;
        for key in &keys {
            rows.remove(key)?;
        }
        if keys.len() < AT_ONCE {
            return Ok(());
        }
    }
}

/// Removes an epoch's batches up to a seq, the lowest and no more than `most` of them. Tells how many
/// there were.
pub(super) fn remove_batches(
    rows: &mut Rows<'_>,
    (ordinal, seq): (u64, u64),
    most: usize,
) -> Result<usize, redb::Error> {
    let heads = head(ordinal, 0).part(0)..=head(ordinal, seq).part(u32::MAX);
    let lowest = rows
        .range(heads)?
        .take(most)
        .map(|row| Ok(row?.0.value().2));
    let lowest = lowest.collect::<Result<Vec<_>, redb::StorageError>>()?;
    if let Some(last) = lowest.last() {
        remove(rows, head(ordinal, 0), head(ordinal, *last))?;
        remove(rows, frame(ordinal, 0), frame(ordinal, *last))?;
    }
    Ok(lowest.len())
}

/// Removes the epochs whose ordinal is not to stay.
pub(super) fn retain_epochs(
    rows: &mut Rows<'_>,
    stays: impl Fn(u64) -> bool,
) -> Result<(), redb::Error> {
    let all = epoch(0).part(0)..=epoch(u64::MAX).part(u32::MAX);
    rows.retain_in(all, |(_, ordinal, _, _), _| stays(ordinal))?;
    Ok(())
}

/// A value; none if nothing has that name.
pub(super) fn get(
    rows: &impl ReadableTable<Key, &'static [u8]>,
    name: Name,
) -> Result<Option<Vec<u8>>, redb::Error> {
    let mut value = None;
    for row in rows.range(name.part(0)..=name.part(u32::MAX))? {
        let (_, part) = row?;
        value
            .get_or_insert_with(Vec::new)
            .extend_from_slice(part.value());
    }
    Ok(value)
}

/// Every value with a name from one to another of the same kind, in their order.
pub(super) fn each(
    rows: &ReadRows,
    from: Name,
    to: Name,
    mut visit: impl FnMut(Name, &[u8]),
) -> Result<(), redb::Error> {
    let mut whole: Option<(Name, Vec<u8>)> = None;
    for row in rows.range(from.part(0)..=to.part(u32::MAX))? {
        let (key, value) = row?;
        let (kind, first, second, _) = key.value();
        let name = Name(kind, first, second);
        match &mut whole {
            Some((same, parts)) if *same == name => parts.extend_from_slice(value.value()),
            other => {
                if let Some((name, value)) = other.replace((name, value.value().to_vec())) {
                    visit(name, &value);
                }
            }
        }
    }
    if let Some((name, value)) = whole {
        visit(name, &value);
    }
    Ok(())
}
