//! The columns of a table, each in its smallest form.

use super::{
    Collected, derived, near,
    numbers::{self, Near, zigzag},
    schema::{self, Column, Form},
};
use crate::{
    Kind,
    codec::{
        bits::Writer,
        code::{LAST_CLASS, class},
    },
};

/// A column while its form is sought.
#[derive(Clone, Default)]
pub(super) struct Draft {
    /// What it is when it is told by fields.
    pub(super) column: Column,
    /// The column that its numbers are added to, or taken from.
    pub(super) base: u32,
    /// The column whose values its numbers are about as long as.
    pub(super) like: u32,
    /// Its numbers, if they are not among the fields.
    pub(super) run: Option<Writer>,
}

impl Draft {
    /// The one number that it is in every row, if that fits into a run.
    fn constant(&self) -> Option<u64> {
        let [number] = self.column.numbers[..] else {
            return None;
        };
        let number = match self.column.form {
            form if form == Form::Plain as u32 => zigzag(i64::try_from(number).ok()?),
            _ => number,
        };
        (self.column.present.is_empty() && class(number) <= LAST_CLASS).then_some(number)
    }

    /// Whether whoever reads knows it before other runs.
    pub(super) fn is_early(&self) -> bool {
        self.is_run() || self.constant().is_some()
    }

    const fn is_run(&self) -> bool {
        self.column.present.is_empty() && self.run.is_some()
    }
}

/// Those of one table that have a value. Times are told from `base_us`.
pub(super) fn of(
    collected: &Collected,
    all: &[Collected],
    base_us: i64,
    bits: &mut Writer,
) -> schema::Table {
    let drafts = drafts(collected, all, base_us);
    let (constants, drafts): (Vec<Draft>, _) = drafts
        .into_iter()
        .partition(|draft| draft.constant().is_some());
    let (runs, others): (Vec<Draft>, Vec<Draft>) = drafts.into_iter().partition(Draft::is_run);
    let told = |drafts: &[Draft], bits: &mut Writer, tell: fn(&Draft) -> u64| {
        numbers::run(&drafts.iter().map(tell).collect::<Vec<u64>>(), bits);
    };
    numbers::run(&gaps(&constants), bits);
    told(&constants, bits, |draft| draft.column.scale.into());
    told(&constants, bits, |draft| {
        draft.constant().unwrap_or_default()
    });
    numbers::run(&gaps(&runs), bits);
    told(&runs, bits, |draft| draft.column.scale.into());
    told(&runs, bits, |draft| draft.column.form.into());
    told(&runs, bits, |draft| draft.column.factor);
    told(&runs, bits, |draft| draft.base.into());
    told(&runs, bits, |draft| draft.like.into());
    let mut table = schema::Table {
        table: collected.table as u32,
        rows: super::number(collected.rows),
        constants: super::number(constants.len()),
        runs: super::number(runs.len()),
        columns: Vec::new(),
    };
    for draft in runs {
        bits.append(&draft.run.unwrap_or_default());
    }
    for draft in others {
        bits.append(&draft.run.unwrap_or_default());
        table.columns.push(draft.column);
    }
    table
}

/// How far each id is from the one before.
fn gaps(drafts: &[Draft]) -> Vec<u64> {
    let ids = || drafts.iter().map(|draft| draft.column.id);
    let before = std::iter::once(0).chain(ids());
    let gaps = ids().zip(before);
    gaps.map(|(id, before)| u64::from(id - before)).collect()
}

fn drafts(collected: &Collected, all: &[Collected], base_us: i64) -> Vec<Draft> {
    let definitions = collected.table.columns();
    let filled = definitions.iter().zip(&collected.sinks);
    let mut drafts: Vec<Draft> = Vec::new();
    for (definition, sink) in filled.filter(|(_, sink)| sink.present.contains(&true)) {
        let mut draft = Draft::default();
        draft.column.id = definition.id;
        draft.column.present = bitmap(&sink.present);
        let near = match draft.column.present.is_empty() {
            true => near::to(collected, definition.name, &drafts),
            false => Near::default(),
        };
        let of = (collected.table, definition.name);
        match definition.kind {
            _ if derived::write(&mut draft.column, of, all) => {}
            Kind::Double => numbers::doubles(&mut draft, &sink.doubles, &near),
            Kind::Time | Kind::TimeText => {
                let since = sink.longs.iter().map(|time| time.wrapping_sub(base_us));
                numbers::integers(&mut draft, since.collect(), &near);
            }
            Kind::Long | Kind::Int | Kind::Boolean | Kind::Text | Kind::Texts => {
                numbers::integers(&mut draft, sink.longs.clone(), &near);
            }
        }
        drafts.push(draft);
    }
    drafts
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
