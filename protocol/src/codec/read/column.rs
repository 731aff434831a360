//! The columns of a table.

use super::{
    super::{
        bits,
        fault::{bad_value, malformed, too_large},
        reader::{Reader, Value},
        schema::Form,
    },
    derived::{self, Waiting},
    run,
    texts::Dictionary,
    values,
};
use crate::{
    Column, Invalid, Table, Timestamp,
    columns::{ColumnData, Values},
};

/// Where columns are read.
pub(super) struct Context<'a, 'b> {
    /// Of which table.
    pub(super) table: Table,
    /// Its rows.
    pub(super) rows: usize,
    /// What times are told from.
    pub(super) window_end: Timestamp,
    /// What texts are told by.
    pub(super) dictionary: &'a Dictionary,
    /// What is left of the runs.
    pub(super) bits: &'a mut bits::Reader<'b>,
    /// What texts may still take when written out.
    pub(super) written_bytes: usize,
}

/// A column as it is on the wire.
#[derive(Clone, Copy)]
pub(super) struct Raw<'a> {
    id: u32,
    present: &'a [u8],
    pub(super) form: Form,
    pub(super) factor: u64,
    pub(super) scale: u64,
    pub(super) numbers: &'a [u8],
    pub(super) doubles: &'a [u8],
    pub(super) dividend: u64,
    pub(super) divisor: f64,
    pub(super) sum_of: u64,
    pub(super) base: u64,
    pub(super) like: u64,
    pub(super) of_pod: u64,
    /// The number of every row.
    pub(super) constant: Option<u64>,
}

impl Default for Raw<'_> {
    fn default() -> Self {
        Self {
            id: 0,
            present: &[],
            form: Form::Plain,
            factor: 1,
            scale: 0,
            numbers: &[],
            doubles: &[],
            dividend: 0,
            divisor: 0.0,
            sum_of: 0,
            base: 0,
            like: 0,
            of_pod: 0,
            constant: None,
        }
    }
}

/// A column's place, for saying where something is wrong.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    /// Which.
    pub(super) table: Table,
    /// Which.
    pub(super) column: &'static Column,
    /// Rows that have a value, if not all have.
    pub(super) present: Option<&'a [bool]>,
    /// Number of values.
    pub(super) count: usize,
}

impl Place<'_> {
    fn field(&self) -> String {
        format!("{}.{}", self.table.name(), self.column.name)
    }

    /// The column contradicts itself or the schema.
    pub(super) fn malformed(&self, message: &str) -> Invalid {
        malformed(self.field(), message)
    }

    /// The column has more than may be.
    pub(super) fn too_large(&self, message: &str) -> Invalid {
        too_large(self.field(), message)
    }

    /// The value at this place among those that are there is none of the column's.
    pub(super) fn bad_value(&self, at: usize, message: &str) -> Invalid {
        let row = match self.present {
            None => at,
            Some(present) => {
                let mut rows = (0..).zip(present).filter(|(_, is_there)| **is_there);
                rows.nth(at).map_or(at, |(row, _)| row)
            }
        };
        bad_value(format!("{}[{row}]", self.field()), message)
    }
}

/// The id so far behind another; one that there is not if it is too far.
fn id_behind(id: u32, gap: u64) -> u32 {
    id.saturating_add(u32::try_from(gap).unwrap_or(u32::MAX))
}

/// Columns read so far; those that are derived wait for the others.
pub(super) struct Columns<'a> {
    list: Vec<ColumnData>,
    quotient: Option<Raw<'a>>,
    waiting: Vec<Waiting>,
}

impl<'a> Context<'_, '_> {
    /// No column yet.
    pub(super) fn list(&self) -> Columns<'a> {
        Columns {
            list: Vec::with_capacity(self.table.columns().len()),
            quotient: None,
            waiting: Vec::new(),
        }
    }

    /// Reads columns that are one number in every row.
    pub(super) fn constants(
        &mut self,
        columns: &mut Columns<'a>,
        count: u64,
    ) -> Result<(), Invalid> {
        let count = self.count(count)?;
        let mut next = || run::read(self.bits, count, None);
        let (gaps, scales, numbers) = (next()?, next()?, next()?);
        let mut id = 0;
        for ((gap, scale), number) in gaps.into_iter().zip(scales).zip(numbers) {
            id = id_behind(id, gap);
            let raw = Raw {
                id,
                scale,
                form: Form::Zigzag,
                constant: Some(number),
                ..Raw::default()
            };
            self.add_raw(columns, raw)?;
        }
        Ok(())
    }

    /// Reads columns that are told by a run alone.
    pub(super) fn runs(&mut self, columns: &mut Columns<'a>, count: u64) -> Result<(), Invalid> {
        let count = self.count(count)?;
        let mut next = || run::read(self.bits, count, None);
        let (gaps, scales, forms) = (next()?, next()?, next()?);
        let (factors, bases, likes) = (next()?, next()?, next()?);
        let mut id = 0;
        for at in 0..count {
            id = id_behind(id, gaps[at]);
            let raw = Raw {
                id,
                scale: scales[at],
                form: self.form(forms[at])?,
                factor: factors[at].max(1),
                base: bases[at],
                like: likes[at],
                ..Raw::default()
            };
            self.add_raw(columns, raw)?;
        }
        Ok(())
    }

    /// No table has more columns than there are.
    fn count(&self, count: u64) -> Result<usize, Invalid> {
        let most = self.table.columns().len();
        let count = usize::try_from(count).ok().filter(|count| *count <= most);
        count.ok_or_else(|| too_large(self.table.name(), format!("more than {most} columns")))
    }

    fn form(&self, number: u64) -> Result<Form, Invalid> {
        let forms = [Form::Plain, Form::Zigzag, Form::Delta, Form::Below];
        let mut forms = forms.into_iter();
        let form = forms.find(|form| *form as u64 == number);
        form.ok_or_else(|| malformed(self.table.name(), format!("form {number} is none")))
    }

    /// Reads the next column.
    pub(super) fn add(
        &mut self,
        columns: &mut Columns<'a>,
        bytes: &'a [u8],
    ) -> Result<(), Invalid> {
        let raw = self.raw(bytes)?;
        self.add_raw(columns, raw)
    }

    fn add_raw(&mut self, columns: &mut Columns<'a>, raw: Raw<'a>) -> Result<(), Invalid> {
        let column = self.definition(raw.id)?;
        // Before it is read: each takes so much more memory than bytes that none may come again and again.
        if columns.list.iter().any(|other| other.id == raw.id) {
            let field = format!("{}.{}", self.table.name(), column.name);
            return Err(malformed(field, "comes twice"));
        }
        let (present, count) = self.present(column, raw.present)?;
        let place = Place {
            table: self.table,
            column,
            present: present.as_deref(),
            count,
        };
        let values = if !derived::is_derived(&place, &raw)? {
            values::read(self, &place, &raw, &columns.list)?
        } else if raw.dividend == 0 {
            columns.waiting.push(Waiting {
                table: self.table,
                id: raw.id,
                sum_of: raw.sum_of,
                of_pod: raw.of_pod,
            });
            Values::Longs(Vec::new())
        } else if columns.quotient.is_none() {
            columns.quotient = Some(raw);
            Values::Doubles(Vec::new())
        } else {
            return Err(place.malformed("is the second quotient of its table"));
        };
        columns.list.push(ColumnData {
            id: raw.id,
            present,
            values,
        });
        Ok(())
    }

    /// All columns, if none is missing, and those that wait for other tables.
    pub(super) fn finish(
        &self,
        columns: Columns<'_>,
    ) -> Result<(Vec<ColumnData>, Vec<Waiting>), Invalid> {
        let Columns {
            mut list,
            quotient,
            waiting,
        } = columns;
        list.sort_unstable_by_key(|column| column.id);
        if let Some(raw) = quotient {
            let column = self.definition(raw.id)?;
            let at = list.partition_point(|column| column.id < raw.id);
            list[at].values = Values::Doubles(derived::quotient(self, column, &raw, (at, &list))?);
        }
        let mut sent = list.iter();
        let mut next = sent.next();
        for column in self.table.columns() {
            let found = next.filter(|sent| sent.id == column.id);
            if found.is_some() {
                next = sent.next();
            }
            let is_whole = found.is_some_and(|sent| sent.present.is_none());
            if !is_whole && !column.is_nullable && !column.is_of_header {
                let field = format!("{}.{}", self.table.name(), column.name);
                return Err(malformed(field, "is absent, though it never may be"));
            }
        }
        Ok((list, waiting))
    }

    fn raw(&self, bytes: &'a [u8]) -> Result<Raw<'a>, Invalid> {
        let name = self.table.name();
        let mut raw = Raw::default();
        let mut reader = Reader::new(name, bytes);
        while let Some((number, value)) = reader.next_once()? {
            match (number, value) {
                (1, Value::Number(id)) => raw.id = u32::try_from(id).unwrap_or(0),
                (2, Value::Bytes(bytes)) => raw.present = bytes,
                (3, Value::Number(0)) => raw.form = Form::Plain,
                (3, Value::Number(1)) => raw.form = Form::Zigzag,
                (3, Value::Number(2)) => raw.form = Form::Delta,
                (4, Value::Number(factor)) => raw.factor = factor,
                (5, Value::Number(scale)) => raw.scale = scale,
                (6, Value::Bytes(bytes)) => raw.numbers = bytes,
                (7, Value::Bytes(bytes)) => raw.doubles = bytes,
                (8, Value::Number(dividend)) => raw.dividend = dividend,
                (9, Value::Fixed(bits)) => raw.divisor = f64::from_bits(bits),
                (10, Value::Number(sum_of)) => raw.sum_of = sum_of,
                (11, Value::Number(of_pod)) => raw.of_pod = of_pod,
                _ => return reader.unknown(number),
            }
        }
        Ok(raw)
    }

    /// What the column is; one that agents do not send is as unknown as one that there is not.
    fn definition(&self, id: u32) -> Result<&'static Column, Invalid> {
        let at = usize::try_from(id).ok().and_then(|id| id.checked_sub(1));
        let column = at.and_then(|at| self.table.columns().get(at));
        let sent = column.filter(|column| !column.is_of_header && !column.is_of_ledger);
        sent.ok_or_else(|| {
            let message = format!("column {id} is none that version 1 has on the wire");
            malformed(self.table.name(), message)
        })
    }

    /// Which rows have a value, and how many.
    fn present(&self, column: &Column, bits: &[u8]) -> Result<(Option<Vec<bool>>, usize), Invalid> {
        if bits.is_empty() {
            return Ok((None, self.rows));
        }
        let wrong = |message| {
            let field = format!("{}.{}", self.table.name(), column.name);
            Err(malformed(field, message))
        };
        if bits.len() != self.rows.div_ceil(8) {
            return wrong("its bitmap has not a bit for each row");
        }
        let set: usize = bits.iter().map(|byte| byte.count_ones() as usize).sum();
        let present: Vec<bool> = (0..self.rows)
            .map(|row| bits[row / 8] >> (row % 8) & 1 == 1)
            .collect();
        let count = present.iter().filter(|is_there| **is_there).count();
        if count != set || count == 0 || count == self.rows {
            return wrong("its bitmap says none or all, or more than there are rows");
        }
        Ok((Some(present), count))
    }
}
