//! A column as Arrow has it, for the library's own encoders.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int32Array, Int64Array, ListArray,
    StringArray, TimestampMicrosecondArray, types::Int32Type,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::DataType;

use super::{
    column::{Placed, Present, Span},
    texts::{ABSENT, Pool},
};
use crate::lake::schema;

pub fn array(placed: Placed, kind: &DataType, pool: &Pool) -> ArrayRef {
    match placed {
        Placed::Longs(values, present) => longs(values, present, kind),
        Placed::Doubles(values, present) => {
            Arc::new(Float64Array::new(values.into(), nulls(present)))
        }
        Placed::Booleans(values, present) => {
            Arc::new(BooleanArray::new(values.into(), nulls(present)))
        }
        Placed::Texts(numbers) => Arc::new(dictionary(&numbers, pool)),
        Placed::Lists(spans, items) => lists(&spans, &items, pool),
    }
}

fn nulls(present: Present) -> Option<NullBuffer> {
    present.map(NullBuffer::from)
}

fn longs(values: Vec<i64>, present: Present, kind: &DataType) -> ArrayRef {
    let nulls = nulls(present);
    match kind {
        DataType::Int32 => {
            let narrow = |value: &i64| i32::try_from(*value).unwrap_or_default();
            let values: Vec<i32> = values.iter().map(narrow).collect();
            Arc::new(Int32Array::new(values.into(), nulls))
        }
        DataType::Timestamp(..) => {
            Arc::new(TimestampMicrosecondArray::new(values.into(), nulls).with_timezone("UTC"))
        }
        _ => Arc::new(Int64Array::new(values.into(), nulls)),
    }
}

fn dictionary(numbers: &[u32], pool: &Pool) -> DictionaryArray<Int32Type> {
    let mut local = vec![-1_i32; pool.len()];
    let mut values: Vec<&str> = Vec::new();
    let keys: Int32Array = numbers
        .iter()
        .map(|&n| {
            if n == ABSENT {
                return None;
            }
            let slot = &mut local[n as usize];
            if *slot < 0 {
                *slot = values.len() as i32;
                values.push(pool.get(n));
            }
            Some(*slot)
        })
        .collect();
    DictionaryArray::new(keys, Arc::new(StringArray::from(values)))
}

fn lists(spans: &[Span], items: &[u32], pool: &Pool) -> ArrayRef {
    let mut gathered = Vec::with_capacity(items.len());
    let mut lens = Vec::with_capacity(spans.len());
    let mut present = Vec::with_capacity(spans.len());
    for span in spans {
        let has = span.len != ABSENT;
        let len = if has { span.len as usize } else { 0 };
        present.push(has);
        lens.push(len);
        gathered.extend_from_slice(&items[span.start as usize..][..len]);
    }
    let offsets = OffsetBuffer::from_lengths(lens);
    let nulls = present.contains(&false).then(|| NullBuffer::from(present));
    let values = dictionary(&gathered, pool);
    let field = schema::list_item();
    let field = Arc::new(field.as_ref().clone().with_data_type(
        DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))));
    Arc::new(ListArray::new(field, offsets, Arc::new(values), nulls))
}
