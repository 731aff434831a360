//! One column of a file, its values where their rows go.

use protocol::{Column, Kind, columns::Values};

use super::{
    WriteError,
    header::{Told, told, told_of_gap},
    input::{Input, Inputs},
    texts::{ABSENT, as_u32},
    time,
};

/// Values of one column in the order of the file.
#[derive(Debug)]
pub enum Placed {
    /// Of `Long`, `Int` and `Time`.
    Longs(Vec<i64>, Present),
    /// Of `Double`.
    Doubles(Vec<f64>, Present),
    /// Of `Boolean`.
    Booleans(Vec<bool>, Present),
    /// Of `Text` and `TimeText`: numbers in the pool.
    Texts(Vec<u32>),
    /// Of `Texts`: where each row's numbers stand in the list behind.
    Lists(Vec<Span>, Vec<u32>),
    /// Of any kind: so many rows, and no value in any of them.
    Absent(usize),
}

impl Placed {
    /// Whether a row has no value.
    pub fn lacks_any(&self) -> bool {
        match self {
            Self::Longs(_, present) | Self::Doubles(_, present) | Self::Booleans(_, present) => {
                present.is_some()
            }
            Self::Texts(numbers) => numbers.contains(&ABSENT),
            Self::Lists(spans, _) => spans.iter().any(Span::is_absent),
            Self::Absent(rows) => *rows > 0,
        }
    }
}

/// Which rows have a value; `None` when all have.
pub type Present = Option<Vec<bool>>;

/// A list's items.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// The first.
    pub start: u32,
    /// How many; [`ABSENT`] for no list at all.
    pub len: u32,
}

impl Span {
    /// Its items among those of all.
    pub fn of<'a>(&self, items: &'a [u32]) -> &'a [u32] {
        let start = self.start as usize;
        items
            .get(start..start.saturating_add(self.len()))
            .unwrap_or_default()
    }

    /// How many items, 0 if there is no list.
    pub fn len(&self) -> usize {
        if self.is_absent() {
            0
        } else {
            self.len as usize
        }
    }

    /// No list at all.
    pub fn is_absent(&self) -> bool {
        self.len == ABSENT
    }
}

const NO_LIST: Span = Span {
    start: 0,
    len: ABSENT,
};

/// A column's values in one batch.
enum Part<'a, T> {
    Absent,
    Same(T),
    All(&'a [T]),
    Some(&'a [bool], &'a [T]),
}

/// Puts the rows of all batches to their places.
fn place<'a, T: Copy + 'a>(
    inputs: &'a Inputs,
    places: &[u32],
    absent: T,
    mut part: impl FnMut(usize, &'a Input) -> Part<'a, T>,
) -> (Vec<T>, Present) {
    let mut out = vec![absent; places.len()];
    let mut present = None;
    let mut rest = places;
    for (index, batch) in inputs.batches.iter().enumerate() {
        let (mine, others) = rest.split_at_checked(batch.len()).unwrap_or((rest, &[]));
        rest = others;
        match part(index, batch) {
            Part::Absent => mark(&mut present, mine, places.len()),
            Part::Same(value) => mine.iter().for_each(|at| put(&mut out, *at, value)),
            Part::All(values) => put_all(&mut out, mine.iter(), values),
            Part::Some(has, values) => {
                let which = mine.iter().zip(has);
                put_all(
                    &mut out,
                    which.clone().filter(|(_, has)| **has).map(|(at, _)| at),
                    values,
                );
                let missing = which.filter(|(_, has)| !**has).map(|(at, _)| at);
                mark(&mut present, missing, places.len());
            }
        }
    }
    (out, present)
}

fn put<T>(out: &mut [T], at: u32, value: T) {
    if let Some(slot) = out.get_mut(at as usize) {
        *slot = value;
    }
}

fn put_all<'a, T: Copy>(out: &mut [T], places: impl Iterator<Item = &'a u32>, values: &[T]) {
    for (at, value) in places.zip(values) {
        put(out, *at, *value);
    }
}

/// Notes rows without a value.
fn mark<'a>(present: &mut Present, rows: impl IntoIterator<Item = &'a u32>, len: usize) {
    for row in rows {
        put(present.get_or_insert_with(|| vec![true; len]), *row, false);
    }
}

/// A column as it goes into the file.
pub fn placed(inputs: &mut Inputs, column: &Column, places: &[u32]) -> Result<Placed, WriteError> {
    if is_told(column) {
        return of_header(inputs, column, places);
    }
    let mut batches = inputs.batches.iter();
    if batches.all(|batch| batch.column(column.id).is_none() && !batch.is_gap()) {
        return Ok(Placed::Absent(places.len()));
    }
    let placed = match column.kind {
        Kind::Long | Kind::Int | Kind::Time => {
            let (values, present) = numbers(inputs, column, places);
            Placed::Longs(values, present)
        }
        Kind::Double => {
            let (values, present) =
                place(inputs, places, 0.0, |_, batch| doubles(batch, column.id));
            Placed::Doubles(values, present)
        }
        Kind::Boolean => {
            let (values, present) =
                place(inputs, places, false, |_, batch| booleans(batch, column.id));
            Placed::Booleans(values, present)
        }
        Kind::Text => Placed::Texts(texts(inputs, column, places)?),
        Kind::TimeText => Placed::Texts(times(inputs, column.id, places)),
        Kind::Texts => lists(inputs, column.id, places),
    };
    Ok(placed)
}

/// Whether the batch as a whole tells it.
const fn is_told(column: &Column) -> bool {
    column.is_of_header || column.is_of_ledger
}

/// A column of texts, as numbers in the pool.
pub fn texts(inputs: &mut Inputs, column: &Column, places: &[u32]) -> Result<Vec<u32>, WriteError> {
    if is_told(column) {
        return match of_header(inputs, column, places)? {
            Placed::Texts(numbers) => Ok(numbers),
            _ => Err(WriteError::Untold {
                column: column.name,
            }),
        };
    }
    let (numbers, _) = place(inputs, places, ABSENT, |_, batch| {
        texts_in(batch, column.id)
    });
    Ok(numbers)
}

/// A column of numbers or times that agents tell.
pub fn numbers(inputs: &Inputs, column: &Column, places: &[u32]) -> (Vec<i64>, Present) {
    place(inputs, places, 0, |_, batch| {
        match told_of_gap(column.name, batch) {
            Some(value) => Part::Same(value),
            None => longs(batch, column.id),
        }
    })
}

fn of_header(inputs: &mut Inputs, column: &Column, places: &[u32]) -> Result<Placed, WriteError> {
    let tell = |batch| {
        told(column.name, batch).ok_or(WriteError::Untold {
            column: column.name,
        })
    };
    let all = inputs.batches.iter().map(tell);
    let all: Vec<Told> = all.collect::<Result<_, _>>()?;
    if column.kind == Kind::Text {
        let mut number = |told: &Told| match told {
            Told::Text(text) => inputs.pool.number(text),
            Told::Long(_) | Told::Absent => ABSENT,
        };
        let all: Vec<u32> = all.iter().map(&mut number).collect();
        let (numbers, _) = place(inputs, places, ABSENT, |index, _| {
            Part::Same(all.get(index).copied().unwrap_or(ABSENT))
        });
        return Ok(Placed::Texts(numbers));
    }
    let (values, present) = place(inputs, places, 0, |index, _| match all.get(index) {
        Some(Told::Long(value)) => Part::Same(*value),
        _ => Part::Absent,
    });
    Ok(Placed::Longs(values, present))
}

/// Times as texts. Few are different: the agent tells the end of its window mostly.
fn times(inputs: &mut Inputs, id: u32, places: &[u32]) -> Vec<u32> {
    let (values, present) = place(inputs, places, 0, |_, batch| longs(batch, id));
    let mut last = None;
    let mut number = |unix_us: i64| match last {
        Some((known, number)) if known == unix_us => number,
        _ => {
            let number = inputs
                .pool
                .number(&time::iso(protocol::Timestamp { unix_us }));
            last = Some((unix_us, number));
            number
        }
    };
    let has = |row: usize| {
        present
            .as_ref()
            .is_none_or(|present| present.get(row) == Some(&true))
    };
    let rows = values.iter().enumerate();
    rows.map(|(row, &unix_us)| if has(row) { number(unix_us) } else { ABSENT })
        .collect()
}

fn lists(inputs: &Inputs, id: u32, places: &[u32]) -> Placed {
    let mut items: Vec<u32> = Vec::new();
    let mut out = vec![NO_LIST; places.len()];
    let mut rest = places;
    for batch in &inputs.batches {
        let (mine, others) = rest.split_at_checked(batch.len()).unwrap_or((rest, &[]));
        rest = others;
        let Some((present, Values::Lists(lens, numbers, _))) = values(batch, id) else {
            continue;
        };
        let mut start = as_u32(items.len());
        items.extend_from_slice(numbers);
        let has = |row: usize| present.is_none_or(|present| present.get(row) == Some(&true));
        let rows = mine.iter().enumerate().filter(|(row, _)| has(*row));
        for ((_, at), &len) in rows.zip(lens) {
            put(&mut out, *at, Span { start, len });
            start = start.saturating_add(len);
        }
    }
    Placed::Lists(out, items)
}

fn values(batch: &Input, id: u32) -> Option<(Option<&Vec<bool>>, &Values)> {
    let column = batch.column(id)?;
    Some((column.present.as_ref(), &column.values))
}

fn part<'a, T>(present: Option<&'a Vec<bool>>, values: &'a [T]) -> Part<'a, T> {
    match present {
        None => Part::All(values),
        Some(present) => Part::Some(present, values),
    }
}

fn longs(batch: &Input, id: u32) -> Part<'_, i64> {
    match values(batch, id) {
        Some((present, Values::Longs(values))) => part(present, values),
        _ => Part::Absent,
    }
}

fn doubles(batch: &Input, id: u32) -> Part<'_, f64> {
    match values(batch, id) {
        Some((present, Values::Doubles(values))) => part(present, values),
        _ => Part::Absent,
    }
}

fn booleans(batch: &Input, id: u32) -> Part<'_, bool> {
    match values(batch, id) {
        Some((present, Values::Booleans(values))) => part(present, values),
        _ => Part::Absent,
    }
}

fn texts_in(batch: &Input, id: u32) -> Part<'_, u32> {
    match values(batch, id) {
        Some((present, Values::Texts(numbers, _))) => part(present, numbers),
        _ => Part::Absent,
    }
}
