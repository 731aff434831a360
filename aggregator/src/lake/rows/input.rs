//! What a file is made of: batches as columns, each with its header.

use std::sync::Arc;

use protocol::{
    Batch, Body, Gap, Header, Table,
    columns::{ColumnData, TableData, Texts, Values},
};

use super::texts::{ABSENT, Pool};

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
    /// What of a batch belongs into a table; `None` if that is nothing.
    pub fn of(batch: Batch, table: Table) -> Option<Self> {
        let rows = match batch.body {
            Body::Whole(tables) => {
                let mut tables = tables.into_iter();
                let data = tables.find(|data| data.table == table && data.rows > 0)?;
                Rows::Data(data)
            }
            Body::Gap(gap) if table == Table::Reconcile => Rows::Gap(gap),
            Body::Gap(_) => return None,
        };
        Some(Self {
            header: batch.header,
            rows,
        })
    }

    /// How many rows it has.
    pub fn len(&self) -> usize {
        match &self.rows {
            Rows::Data(data) => data.rows,
            Rows::Gap(_) => 1,
        }
    }

    /// A column that the agent sent.
    pub fn column(&self, id: u32) -> Option<&ColumnData> {
        let Rows::Data(data) = &self.rows else {
            return None;
        };
        let found = data.columns.binary_search_by_key(&id, |column| column.id);
        found.ok().and_then(|at| data.columns.get(at))
    }

    /// Whether no agent filled it in.
    pub fn is_gap(&self) -> bool {
        matches!(self.rows, Rows::Gap(_))
    }
}

/// Batches whose texts are numbers of one pool.
#[derive(Default)]
pub struct Inputs {
    /// In the order in which they came.
    pub batches: Vec<Input>,
    /// The texts of all.
    pub pool: Pool,
    /// Rows of all.
    pub rows: usize,
    no_texts: Arc<Texts>,
}

impl Inputs {
    /// Adds a batch: its texts go over into the pool, its own are let go.
    pub fn push(&mut self, mut input: Input) {
        self.rows = self.rows.saturating_add(input.len());
        if let Rows::Data(data) = &mut input.rows {
            let mut known: Vec<u32> = Vec::new();
            for column in &mut data.columns {
                match &mut column.values {
                    Values::Texts(numbers, texts) | Values::Lists(_, numbers, texts) => {
                        renumber(&mut self.pool, &mut known, numbers, texts);
                        *texts = Arc::clone(&self.no_texts);
                    }
                    Values::Longs(_) | Values::Doubles(_) | Values::Booleans(_) => {}
                }
            }
        }
        self.batches.push(input);
    }
}

/// Turns numbers in the batch's list into numbers in the pool. `known` is what the batch's other
/// columns have looked up already: all columns of a batch share one list.
fn renumber(pool: &mut Pool, known: &mut Vec<u32>, numbers: &mut [u32], texts: &Texts) {
    known.resize(texts.len(), ABSENT);
    for number in numbers {
        let at = *number as usize;
        let (Some(known), Some(text)) = (known.get_mut(at), texts.get(*number)) else {
            *number = ABSENT;
            continue;
        };
        if *known == ABSENT {
            *known = pool.number(text);
        }
        *number = *known;
    }
}
