//! Rows of a file as those of batches are gathered.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BooleanArray, DictionaryArray, ListArray, PrimitiveArray,
    RecordBatch, StringArray,
    cast::AsArray as _,
    types::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType},
};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use protocol::columns::Values;

use super::super::{
    input::Inputs,
    stored::Stored,
    texts::{ABSENT, Pool, as_u32},
};

/// A column that is not what it must be: another program wrote the file.
#[derive(Debug, thiserror::Error)]
#[error("column {column} has values of the kind {kind}")]
pub(super) struct Strange {
    column: &'static str,
    kind: DataType,
}

/// The same columns, each text of them told once and then by its number.
pub(super) fn with_dictionaries(schema: &Schema) -> Schema {
    let texts = || DataType::Dictionary(DataType::Int32.into(), DataType::Utf8.into());
    let field = |field: &Arc<Field>| match field.data_type() {
        DataType::Utf8 => Field::clone(field).with_data_type(texts()),
        // Spark writes times of twelve bytes, which are read as nanoseconds if nothing else is said.
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => {
            let micros = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
            Field::clone(field).with_data_type(micros)
        }
        DataType::List(item) if *item.data_type() == DataType::Utf8 => {
            let item = Field::clone(item).with_data_type(texts());
            Field::clone(field).with_data_type(DataType::List(item.into()))
        }
        _ => Field::clone(field),
    };
    Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>())
}

/// See the module. Of one file.
pub(super) struct Gather<'a> {
    inputs: &'a mut Inputs,
    /// By column, the texts that came last and their numbers in the pool: they mostly stay for a row group.
    known: Vec<Option<(ArrayRef, Vec<u32>)>>,
}

impl<'a> Gather<'a> {
    pub fn new(inputs: &'a mut Inputs) -> Self {
        let known = vec![None; inputs.columns.len()];
        Self { inputs, known }
    }

    /// Adds rows.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<(), Strange> {
        let rows = batch.num_rows();
        let Inputs {
            table,
            columns,
            pool,
            ..
        } = &mut *self.inputs;
        let stored = table.columns().iter().zip(columns).zip(&mut self.known);
        for ((column, stored), known) in stored {
            match batch.column_by_name(column.name) {
                Some(array) if array.null_count() < rows => {
                    let strange = || Strange {
                        column: column.name,
                        kind: array.data_type().clone(),
                    };
                    add(stored, array, pool, known).ok_or_else(strange)?;
                }
                // An older build knew no such column.
                _ => stored.push_absent(rows),
            }
        }
        self.inputs.rows += rows;
        Ok(())
    }
}

type Known = Option<(ArrayRef, Vec<u32>)>;

fn add(stored: &mut Stored, array: &ArrayRef, pool: &mut Pool, known: &mut Known) -> Option<()> {
    match array.data_type() {
        DataType::Int64 => longs::<Int64Type>(stored, array.as_primitive_opt()?),
        DataType::Int32 => longs::<Int32Type>(stored, array.as_primitive_opt()?),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            longs::<TimestampMicrosecondType>(stored, array.as_primitive_opt()?);
        }
        DataType::Float64 => {
            let array: &PrimitiveArray<Float64Type> = array.as_primitive_opt()?;
            let present = present(array);
            let values = match &present {
                None => array.values().to_vec(),
                Some(_) => array.iter().flatten().collect(),
            };
            stored.push(present.as_deref(), &Values::Doubles(values));
        }
        DataType::Boolean => {
            let array: &BooleanArray = array.as_boolean_opt()?;
            let values = array.iter().flatten().collect();
            stored.push(present(array).as_deref(), &Values::Booleans(values));
        }
        DataType::Dictionary(..) => {
            let array = array.as_dictionary_opt()?;
            let numbers = numbers(array, pool, known)?;
            stored.push(None, &Values::Texts(numbers, Arc::default()));
        }
        DataType::List(_) => lists(stored, array.as_list_opt()?, pool, known)?,
        _ => return None,
    }
    Some(())
}

fn present(array: &dyn Array) -> Option<Vec<bool>> {
    let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0)?;
    Some(nulls.iter().collect())
}

fn longs<T: ArrowPrimitiveType<Native: Into<i64>>>(stored: &mut Stored, array: &PrimitiveArray<T>) {
    let present = present(array);
    let values = match &present {
        None => array.values().iter().map(|value| (*value).into()).collect(),
        Some(_) => array.iter().flatten().map(Into::into).collect(),
    };
    stored.push(present.as_deref(), &Values::Longs(values));
}

fn lists(stored: &mut Stored, array: &ListArray, pool: &mut Pool, known: &mut Known) -> Option<()> {
    let items = numbers(array.values().as_dictionary_opt()?, pool, known)?;
    let first = usize::try_from(*array.offsets().first()?).ok()?;
    let items = items.get(first..)?;
    let present = present(array);
    let is_there = |row: &usize| array.is_valid(*row);
    let lens = (0..array.len()).filter(is_there);
    let lens = lens.map(|row| as_u32(usize::try_from(array.value_length(row)).unwrap_or(0)));
    let values = Values::Lists(lens.collect(), items.to_vec(), Arc::default());
    stored.push(present.as_deref(), &values);
    Some(())
}

/// Numbers in the pool.
fn numbers(
    array: &DictionaryArray<Int32Type>,
    pool: &mut Pool,
    known: &mut Known,
) -> Option<Vec<u32>> {
    let is_known = |(texts, _): &(ArrayRef, Vec<u32>)| Arc::ptr_eq(texts, array.values());
    let mut before = known.take().filter(is_known);
    let (_, numbers) = before.get_or_insert_with(|| {
        let texts: Option<&StringArray> = array.values().as_string_opt();
        let texts = texts.map_or(0, StringArray::len);
        (array.values().clone(), vec![ABSENT; texts])
    });
    let texts: &StringArray = array.values().as_string_opt()?;
    let mut number = |key: Option<i32>| {
        let Some(key) = key.and_then(|key| usize::try_from(key).ok()) else {
            return ABSENT;
        };
        let Some(number) = numbers.get_mut(key) else {
            return ABSENT;
        };
        if *number == ABSENT {
            *number = pool.shared(texts.value(key));
        }
        *number
    };
    let found = match array.keys().null_count() {
        0 => {
            let keys = array.keys().values().iter();
            keys.map(|key| number(Some(*key))).collect()
        }
        _ => array.keys().iter().map(number).collect(),
    };
    *known = before;
    Some(found)
}
