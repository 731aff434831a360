//! A column as Arrow has it, for the library's own encoders.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, ListArray, StringArray,
    TimestampMicrosecondArray, builder::StringBuilder,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, DataType};

use super::{
    column::Placed,
    stored::{Present, Span},
    texts::{ABSENT, Pool},
};
use crate::lake::schema;

/// The column's values as an array of this type.
pub fn array(placed: Placed<'_>, kind: &DataType, pool: &Pool) -> Result<ArrayRef, ArrowError> {
    let array: ArrayRef = match placed {
        Placed::Longs(values, present) => return longs(values, present, kind),
        Placed::Doubles(values, present) => {
            Arc::new(Float64Array::try_new(values.into(), nulls(present))?)
        }
        Placed::Booleans(values, present) => {
            Arc::new(BooleanArray::new(values.into(), nulls(present)))
        }
        Placed::Texts(numbers) => Arc::new(texts(&numbers, pool)),
        Placed::Lists(spans, items) => Arc::new(lists(&spans, items, pool)?),
        Placed::Absent(rows) => arrow_array::new_null_array(kind, rows),
    };
    Ok(array)
}

fn nulls(present: Present) -> Option<NullBuffer> {
    present.map(NullBuffer::from)
}

fn longs(values: Vec<i64>, present: Present, kind: &DataType) -> Result<ArrayRef, ArrowError> {
    let nulls = nulls(present);
    Ok(match kind {
        DataType::Int32 => {
            let narrow = |value: &i64| i32::try_from(*value).unwrap_or_default();
            let values: Vec<i32> = values.iter().map(narrow).collect();
            Arc::new(Int32Array::try_new(values.into(), nulls)?)
        }
        DataType::Timestamp(..) => {
            let times = TimestampMicrosecondArray::try_new(values.into(), nulls)?;
            Arc::new(times.with_timezone("UTC"))
        }
        _ => Arc::new(Int64Array::try_new(values.into(), nulls)?),
    })
}

fn texts(numbers: &[u32], pool: &Pool) -> StringArray {
    let text = |number: &u32| (*number != ABSENT).then(|| pool.get(*number));
    let bytes = numbers.iter().filter_map(text).map(str::len).sum();
    let mut builder = StringBuilder::with_capacity(numbers.len(), bytes);
    builder.extend(numbers.iter().map(text));
    builder.finish()
}

fn lists(spans: &[Span], items: &[u32], pool: &Pool) -> Result<ListArray, ArrowError> {
    let mut gathered = Vec::with_capacity(items.len());
    for span in spans {
        gathered.extend_from_slice(span.of(items));
    }
    let values = texts(&gathered, pool);
    let offsets = OffsetBuffer::from_lengths(spans.iter().map(Span::len));
    let present: Vec<bool> = spans.iter().map(|span| !span.is_absent()).collect();
    let nulls = present.contains(&false).then(|| NullBuffer::from(present));
    ListArray::try_new(schema::list_item(), offsets, Arc::new(values), nulls)
}
