//! What a file is made of: the rows of batches, gathered by column.

use protocol::{
    Batch, Body, Column, Gap, Header, Kind, Table,
    columns::{ColumnData, TableData, Texts, Values},
};

use super::{
    WriteError,
    header::{Told, told, told_of_gap},
    precision,
    stored::Stored,
    texts::{ABSENT, Pool},
};

/// A batch's part in one table.
#[derive(Clone, Debug)]
pub struct Input {
    /// Same in all of its rows.
    pub header: Header,
    /// Its rows.
    pub rows: Rows,
}

/// Rows of a batch in one table.
#[derive(Clone, Debug)]
pub enum Rows {
    /// Those that the agent sent.
    Data(TableData),
    /// Of a gap, its one row in `reconcile`, made of the header and this.
    Gap(Gap),
}

impl Input {
    /// What of a batch belongs into which table.
    pub fn all(batch: Batch) -> impl Iterator<Item = (Table, Self)> {
        let Batch { header, body } = batch;
        let rows = match body {
            Body::Whole(tables) => tables
                .into_iter()
                .filter(|data| data.rows > 0)
                .map(|data| (data.table, Rows::Data(data)))
                .collect(),
            Body::Gap(gap) => vec![(Table::Reconcile, Rows::Gap(gap))],
        };
        rows.into_iter().map(move |(table, rows)| {
            let header = header.clone();
            (table, Self { header, rows })
        })
    }

    /// How many rows it has.
    pub fn count(&self) -> usize {
        match &self.rows {
            Rows::Data(data) => data.rows,
            Rows::Gap(_) => 1,
        }
    }

    /// Takes the columns that the agent sent.
    fn take_columns(&mut self) -> Vec<ColumnData> {
        match &mut self.rows {
            Rows::Data(data) => std::mem::take(&mut data.columns),
            Rows::Gap(_) => Vec::new(),
        }
    }
}

/// Columns whose texts no other sender has.
const OWN: [&str; 2] = ["pod_id", "pod_name"];

/// Rows of one table.
pub struct Inputs {
    /// Which.
    pub table: Table,
    /// Its columns, with the rows in the order in which they came.
    pub columns: Vec<Stored>,
    /// Their texts.
    pub pool: Pool,
    /// How many rows.
    pub rows: usize,
    known: Vec<u32>,
}

impl Inputs {
    /// None yet, but room for so many rows.
    pub fn new(table: Table, rows: usize) -> Self {
        let columns = table.columns().iter();
        Self {
            table,
            columns: columns.map(|_| Stored::new(rows)).collect(),
            pool: Pool::default(),
            rows: 0,
            known: Vec::new(),
        }
    }

    /// Adds a batch. Those of one sender should come one after the other.
    pub fn push(&mut self, mut input: Input) -> Result<(), WriteError> {
        let rows = input.count();
        self.known.clear();
        self.pool.batch_of(input.header.epoch);
        let mut sent = input.take_columns().into_iter().peekable();
        for (column, stored) in self.table.columns().iter().zip(&mut self.columns) {
            if column.is_of_header || column.is_of_ledger {
                push_told(column, &input, &mut self.pool, stored)?;
                continue;
            }
            match sent.next_if(|sent| sent.id == column.id) {
                Some(mut sent) => {
                    renumber(column, &mut sent, &mut self.pool, &mut self.known);
                    round(column, &mut sent);
                    stored.push(sent.present.as_deref(), &sent.values);
                }
                None => match told_of_gap(column.name, &input) {
                    Some(value) => stored.push_long(value, rows),
                    None => stored.push_absent(rows),
                },
            }
        }
        self.rows = self.rows.saturating_add(rows);
        Ok(())
    }

    /// Times that are texts in the table become so.
    pub(super) fn tell_times(&mut self) {
        for (column, stored) in self.table.columns().iter().zip(&mut self.columns) {
            if column.kind == Kind::TimeText {
                *stored = stored.take().into_time_texts(&mut self.pool);
            }
        }
    }
}

/// Adds what the batch as a whole tells.
fn push_told(
    column: &Column,
    input: &Input,
    pool: &mut Pool,
    stored: &mut Stored,
) -> Result<(), WriteError> {
    let rows = input.count();
    match (told(column.name, input), column.kind) {
        (Some(Told::Absent), _) => stored.push_absent(rows),
        (Some(Told::Long(value)), Kind::Long) => stored.push_long(value, rows),
        (Some(Told::Text(text)), Kind::Text) => stored.push_text(pool.shared(&text), rows),
        _ => {
            return Err(WriteError::Untold {
                column: column.name,
            });
        }
    }
    Ok(())
}

fn round(column: &Column, sent: &mut ColumnData) {
    if let Values::Doubles(values) = &mut sent.values
        && precision::is_rounded(column.name)
    {
        let rounded = |value: &mut f64| *value = precision::rounded(*value);
        values.iter_mut().for_each(rounded);
    }
}

/// Turns numbers in the batch's list of texts into numbers in the pool. `known` is what its other
/// columns have looked up already: all columns of a batch share one list.
fn renumber(column: &Column, sent: &mut ColumnData, pool: &mut Pool, known: &mut Vec<u32>) {
    let (numbers, texts): (_, &Texts) = match &mut sent.values {
        Values::Texts(numbers, texts) | Values::Lists(_, numbers, texts) => (numbers, texts),
        Values::Longs(_) | Values::Doubles(_) | Values::Booleans(_) => return,
    };
    let is_own = OWN.contains(&column.name);
    known.resize(texts.len(), ABSENT);
    for number in numbers {
        let Some(known) = known.get_mut(*number as usize) else {
            *number = ABSENT;
            continue;
        };
        if *known == ABSENT {
            let text = texts.get(*number).unwrap_or_default();
            *known = if is_own {
                pool.own(text)
            } else {
                pool.shared(text)
            };
        }
        *number = *known;
    }
}
