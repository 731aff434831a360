//! The tables of a batch.

use super::{
    super::{
        bits,
        fault::{malformed, too_large},
        reader::{Reader, Value},
    },
    check,
    column::Context,
    derived::{self, Waiting},
    texts::Dictionary,
};
use crate::{Invalid, Limits, Table, Timestamp, columns::TableData};

/// Those that were read so far.
pub(super) struct Tables<'a> {
    limits: &'a Limits,
    window_end: Timestamp,
    uuids: usize,
    bits: Option<bits::Reader<'a>>,
    dictionary: Option<Dictionary>,
    waiting: Vec<Waiting>,
    tables: Vec<TableData>,
    rows: usize,
    /// What texts may still take when written out.
    written_bytes: usize,
}

impl<'a> Tables<'a> {
    /// None yet. Times are told from the end of the window.
    pub(super) const fn new(limits: &'a Limits, window_end: Timestamp) -> Self {
        Self {
            limits,
            window_end,
            uuids: 0,
            bits: None,
            dictionary: None,
            waiting: Vec::new(),
            tables: Vec::new(),
            rows: 0,
            written_bytes: limits.written_bytes,
        }
    }

    /// Neither texts nor tables were read.
    pub(super) const fn is_empty(&self) -> bool {
        self.uuids == 0
            && self.bits.is_none()
            && self.dictionary.is_none()
            && self.tables.is_empty()
    }

    /// Takes how many UUIDs there are.
    pub(super) fn uuids(&mut self, count: u64) -> Result<(), Invalid> {
        if self.uuids != 0 {
            return Err(malformed("uuids", "come twice"));
        }
        self.uuids = usize::try_from(count).unwrap_or(usize::MAX);
        Ok(())
    }

    /// Takes the bits, which come before all that is read from them.
    pub(super) fn bits(&mut self, bytes: &'a [u8]) -> Result<(), Invalid> {
        if self.bits.is_some() {
            return Err(malformed("bits", "come twice"));
        }
        self.bits = Some(bits::Reader::new(bytes));
        Ok(())
    }

    /// Reads the texts, which come before the tables.
    pub(super) fn texts(&mut self, bytes: &[u8]) -> Result<(), Invalid> {
        if self.dictionary.is_some() {
            return Err(malformed("texts", "come twice"));
        }
        let bits = self.bits.get_or_insert_default();
        self.dictionary = Some(Dictionary::read((self.uuids, bits), bytes, self.limits)?);
        Ok(())
    }

    /// Reads one table.
    pub(super) fn add(&mut self, bytes: &[u8]) -> Result<(), Invalid> {
        let mut reader = Reader::new("tables", bytes);
        let mut field = reader.next_once()?;
        // The first table has number 0, which protobuf leaves out.
        let mut table = Table::ALL[0];
        if let Some((1, Value::Number(number))) = field {
            table = self::table(number)?;
            field = reader.next_once()?;
        }
        let Some((2, Value::Number(rows))) = field else {
            return Err(malformed(table.name(), "its number of rows is absent"));
        };
        let rows = self.rows_of(table, rows)?;
        let bits = self.bits.get_or_insert_default();
        let dictionary = match &mut self.dictionary {
            Some(dictionary) => dictionary,
            none => none.insert(Dictionary::read((self.uuids, bits), &[], self.limits)?),
        };
        let mut context = Context {
            table,
            rows,
            window_end: self.window_end,
            dictionary,
            bits,
            written_bytes: self.written_bytes,
        };
        let mut columns = context.list();
        while let Some((number, value)) = reader.next()? {
            match (number, value) {
                (3, Value::Number(count)) => context.constants(&mut columns, count)?,
                (4, Value::Number(count)) => context.runs(&mut columns, count)?,
                (5, Value::Bytes(bytes)) => context.add(&mut columns, bytes)?,
                _ => return reader.unknown(number),
            }
        }
        let (columns, waiting) = context.finish(columns)?;
        self.waiting.extend(waiting);
        self.written_bytes = context.written_bytes;
        self.tables.push(TableData {
            table,
            rows,
            columns,
        });
        Ok(())
    }

    /// Checks the number of rows and the order of the tables.
    fn rows_of(&mut self, table: Table, rows: u64) -> Result<usize, Invalid> {
        if self.tables.last().is_some_and(|last| last.table >= table) {
            return Err(malformed(table.name(), "comes twice or too late"));
        }
        let free = self.limits.rows - self.rows;
        match usize::try_from(rows) {
            Ok(0) => Err(malformed(table.name(), "is named without rows")),
            Ok(rows) if rows <= free => {
                self.rows += rows;
                Ok(rows)
            }
            _ => {
                let message = format!("{rows} rows, at most {} in a batch", self.limits.rows);
                Err(too_large(table.name(), message))
            }
        }
    }

    /// All of them, if `reconcile` agrees.
    pub(super) fn finish(mut self) -> Result<Vec<TableData>, Invalid> {
        self.bits.unwrap_or_default().finish()?;
        derived::fill(&mut self.tables, &self.waiting, self.written_bytes)?;
        check::balance(&self.tables)?;
        Ok(self.tables)
    }
}

fn table(number: u64) -> Result<Table, Invalid> {
    let found = Table::ALL.into_iter().find(|table| *table as u64 == number);
    found.ok_or_else(|| malformed("tables", format!("table {number} is none of version 1")))
}
