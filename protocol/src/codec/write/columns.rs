//! The columns of a table, each in its smallest form.

use super::{
    Collected, derived, near,
    numbers::{self, Near},
    schema::Column,
};
use crate::{Kind, Table, codec::bits::Writer};

/// Those of one table that have a value. Times are told from `base_us`.
pub(super) fn of(table: Table, all: &[Collected], base_us: i64, bits: &mut Writer) -> Vec<Column> {
    let collected = &all[table as usize];
    let definitions = collected.table.columns();
    let filled = definitions.iter().zip(&collected.sinks);
    filled
        .filter(|(_, sink)| sink.present.contains(&true))
        .map(|(definition, sink)| {
            let mut column = Column {
                id: definition.id,
                present: bitmap(&sink.present),
                ..Column::default()
            };
            let near = match column.present.is_empty() {
                true => near::to(collected, definition.name),
                false => Near::default(),
            };
            match definition.kind {
                _ if derived::write(&mut column, (table, definition.name), all) => {}
                Kind::Double => numbers::doubles(&mut column, &sink.doubles, &near, bits),
                Kind::Time | Kind::TimeText => {
                    let since = sink.longs.iter().map(|time| time.wrapping_sub(base_us));
                    numbers::integers(&mut column, since.collect(), &near, bits);
                }
                Kind::Long | Kind::Int | Kind::Boolean | Kind::Text | Kind::Texts => {
                    numbers::integers(&mut column, sink.longs.clone(), &near, bits);
                }
            }
            column
        })
        .collect()
}

/// Bit i % 8 of byte i / 8 for row i; nothing if all are there.
fn bitmap(present: &[bool]) -> Vec<u8> {
    if !present.contains(&false) {
        return Vec::new();
    }
    let byte = |eight: &[bool]| {
        let bits = eight.iter().zip(0..);
        bits.fold(0, |byte, (is_there, bit)| byte | u8::from(*is_there) << bit)
    };
    present.chunks(8).map(byte).collect()
}
