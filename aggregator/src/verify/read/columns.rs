//! Columns of some rows by name and type.

use arrow_array::{
    Array, Float64Array, Int64Array, ListArray, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use protocol::{Epoch, Timestamp};

use super::{LiveFile, VerifyError};

/// See the module.
pub(super) struct Columns<'a> {
    batch: &'a RecordBatch,
    pub(super) file: &'a LiveFile,
}

impl<'a> Columns<'a> {
    pub(super) fn new(batch: &'a RecordBatch, file: &'a LiveFile) -> Self {
        Self { batch, file }
    }

    pub(super) fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// A column that every file has.
    fn column<T: 'static>(&self, name: &str) -> Result<&'a T, VerifyError> {
        let column = self.optional(name)?;
        column.ok_or_else(|| self.wrong(name, "is missing"))
    }

    /// A column that older files may lack.
    fn optional<T: 'static>(&self, name: &str) -> Result<Option<&'a T>, VerifyError> {
        let Some(column) = self.batch.column_by_name(name) else {
            return Ok(None);
        };
        let typed = column.as_any().downcast_ref::<T>();
        typed
            .map(Some)
            .ok_or_else(|| self.wrong(name, "is of another type"))
    }

    pub(super) fn wrong(&self, name: &str, problem: &'static str) -> VerifyError {
        VerifyError::Column {
            path: self.file.path.clone(),
            column: name.to_owned(),
            problem,
        }
    }

    pub(super) fn longs(&self, name: &str) -> Result<Longs<'a>, VerifyError> {
        self.optional(name).map(Longs)
    }

    pub(super) fn doubles(&self, name: &str) -> Result<Option<&'a Float64Array>, VerifyError> {
        self.optional(name)
    }

    pub(super) fn texts(&self, name: &str) -> Result<Texts<'a>, VerifyError> {
        self.optional(name).map(Texts)
    }

    pub(super) fn lists(&self, name: &str) -> Result<Option<&'a ListArray>, VerifyError> {
        self.optional(name)
    }

    pub(super) fn times(&self, name: &str) -> Result<Times<'a>, VerifyError> {
        self.optional(name).map(Times)
    }

    /// Which batch each row is of.
    pub(super) fn keys(&self) -> Result<Keys<'a>, VerifyError> {
        Ok(Keys {
            node: self.column("node_name")?,
            epoch: self.column("epoch")?,
            seq: self.column("seq")?,
        })
    }
}

/// Integers, some absent.
#[derive(Clone, Copy)]
pub(super) struct Longs<'a>(Option<&'a Int64Array>);

impl Longs<'_> {
    pub(super) fn at(&self, row: usize) -> Option<i64> {
        let column = self.0.filter(|column| column.is_valid(row))?;
        Some(column.value(row))
    }
}

/// Texts, some absent.
#[derive(Clone, Copy)]
pub(super) struct Texts<'a>(Option<&'a StringArray>);

impl<'a> Texts<'a> {
    pub(super) fn at(&self, row: usize) -> Option<&'a str> {
        let column = self.0.filter(|column| column.is_valid(row))?;
        Some(column.value(row))
    }
}

/// Times, some absent.
#[derive(Clone, Copy)]
pub(super) struct Times<'a>(Option<&'a TimestampMicrosecondArray>);

impl Times<'_> {
    pub(super) fn at(&self, row: usize) -> Option<Timestamp> {
        let column = self.0.filter(|column| column.is_valid(row))?;
        let unix_us = column.value(row);
        Some(Timestamp { unix_us })
    }
}

/// Which batch a row is of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Key<'a> {
    pub(super) node: &'a str,
    pub(super) epoch: &'a str,
    pub(super) seq: i64,
}

impl Key<'_> {
    /// Epoch and seq, unless this names no batch.
    pub(super) fn batch(&self) -> Option<(Epoch, u64)> {
        let seq = u64::try_from(self.seq).ok().filter(|seq| *seq > 0)?;
        Some((self.epoch.parse().ok()?, seq))
    }
}

/// See [`Columns::keys`].
pub(super) struct Keys<'a> {
    node: &'a StringArray,
    epoch: &'a StringArray,
    seq: &'a Int64Array,
}

impl<'a> Keys<'a> {
    /// None for a row that came without.
    pub(super) fn at(&self, row: usize) -> Option<Key<'a>> {
        let is_there =
            self.node.is_valid(row) && self.epoch.is_valid(row) && self.seq.is_valid(row);
        is_there.then(|| Key {
            node: self.node.value(row),
            epoch: self.epoch.value(row),
            seq: self.seq.value(row),
        })
    }
}
