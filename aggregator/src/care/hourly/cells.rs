//! Values of a batch by row.

use arrow_array::{
    Array as _, BooleanArray, DictionaryArray, Float64Array, Int32Array, Int64Array, ListArray,
    RecordBatch, StringArray, TimestampMicrosecondArray, cast::AsArray as _, types::Int32Type,
};

/// A column of texts; one that is not there has none.
pub struct Texts<'a>(Option<(&'a DictionaryArray<Int32Type>, &'a StringArray)>);

impl<'a> Texts<'a> {
    pub fn new(batch: &'a RecordBatch, name: &str) -> Self {
        let found = || {
            let numbers = batch.column_by_name(name)?.as_dictionary_opt()?;
            Some((numbers, numbers.values().as_string_opt()?))
        };
        Self(found())
    }

    /// The number of a row's text in this batch, or -1.
    pub fn place(&self, row: usize) -> i32 {
        match self.0 {
            Some((numbers, _)) if numbers.is_valid(row) => numbers.keys().value(row),
            _ => -1,
        }
    }

    pub fn at(&self, row: usize) -> Option<&'a str> {
        let (_, texts) = self.0?;
        let place = usize::try_from(self.place(row)).ok()?;
        (place < texts.len()).then(|| texts.value(place))
    }
}

/// A column of lists of texts.
pub struct Lists<'a>(Option<&'a ListArray>);

impl<'a> Lists<'a> {
    pub fn new(batch: &'a RecordBatch, name: &str) -> Self {
        Self(
            batch
                .column_by_name(name)
                .and_then(|column| column.as_list_opt()),
        )
    }

    pub fn at(&self, row: usize) -> Option<Vec<String>> {
        let list = self.0.filter(|lists| lists.is_valid(row))?.value(row);
        let numbers: &DictionaryArray<Int32Type> = list.as_dictionary_opt()?;
        let texts = numbers.downcast_dict::<StringArray>()?;
        Some(texts.into_iter().flatten().map(str::to_owned).collect())
    }
}

macro_rules! column {
    ($(#[$meta:meta])* $name:ident, $array:ty, $value:ty) => {
        $(#[$meta])*
        pub struct $name<'a>(Option<&'a $array>);

        impl<'a> $name<'a> {
            pub fn new(batch: &'a RecordBatch, name: &str) -> Self {
                let column = batch.column_by_name(name);
                Self(column.and_then(|column| column.as_any().downcast_ref()))
            }

            pub fn at(&self, row: usize) -> Option<$value> {
                let column = self.0.filter(|column| column.is_valid(row))?;
                Some(column.value(row))
            }
        }
    };
}

column!(
    /// A column of 64-bit numbers.
    Longs, Int64Array, i64
);
column!(
    /// A column of 32-bit numbers.
    Ints, Int32Array, i32
);
column!(
    /// A column of numbers with a point.
    Doubles, Float64Array, f64
);
column!(
    /// A column of truths.
    Booleans, BooleanArray, bool
);
column!(
    /// A column of times.
    Times, TimestampMicrosecondArray, i64
);
