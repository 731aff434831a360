//! Makes a batch of rows. What is smallest is tried out for each column.

mod columns;
mod derived;
mod near;
mod numbers;
mod run;
mod texts;

use prost::Message as _;

use super::{bits::Writer, schema};
use crate::{
    Gap, GapReason, Header, Row, Table,
    batch::VERSION,
    table::{
        record::Record,
        sinks::{Interned, Sink, Sinks},
    },
};

/// Rows of a table while they are collected.
struct Collected {
    table: Table,
    rows: usize,
    sinks: Vec<Sink>,
}

impl Collected {
    fn new(table: Table) -> Self {
        Self {
            table,
            rows: 0,
            sinks: Vec::new(),
        }
    }
}

fn add<'r, R: Record>(collected: &mut [Collected; 5], row: &'r R, interned: &mut Interned<'r>) {
    let collected = &mut collected[R::TABLE as usize];
    collected.rows += 1;
    let columns = R::TABLE.columns().len();
    collected.sinks.resize_with(columns, Sink::default);
    row.put(&mut Sinks::new(&mut collected.sinks, interned));
}

/// The batch of these rows, in parts that have little in common: letters, random bits, numbers.
pub(super) fn whole(header: &Header, rows: &[Row]) -> Vec<Vec<u8>> {
    let mut interned = Interned::default();
    let mut collected = Table::ALL.map(Collected::new);
    for row in rows {
        match row {
            Row::PodUsage(row) => add(&mut collected, row, &mut interned),
            Row::PodNetwork(row) => add(&mut collected, row, &mut interned),
            Row::NodeUsage(row) => add(&mut collected, row, &mut interned),
            Row::Events(row) => add(&mut collected, row, &mut interned),
            Row::Reconcile(row) => add(&mut collected, row, &mut interned),
        }
    }
    let mut bits = Writer::default();
    let (uuids, texts) = texts::renumber(&interned, &mut collected, &mut bits);
    let tables = tables(&collected, header.window_end.unix_us, &mut bits);
    let part = |part: &schema::Batch| part.encode_to_vec();
    vec![
        part(&schema::Batch {
            version: VERSION,
            header: Some(self::header(header)),
            uuids,
            ..schema::Batch::default()
        }),
        part(&schema::Batch {
            bits: bits.finish(),
            ..schema::Batch::default()
        }),
        part(&schema::Batch {
            texts: Some(texts),
            ..schema::Batch::default()
        }),
        part(&schema::Batch {
            tables,
            ..schema::Batch::default()
        }),
    ]
}

fn tables(all: &[Collected], base_us: i64, bits: &mut Writer) -> Vec<schema::Table> {
    let filled = all.iter().filter(|collected| collected.rows > 0);
    filled
        .map(|collected| columns::of(collected, all, base_us, bits))
        .collect()
}

/// The batch that stands in the place of one that is gone.
pub(super) fn gap(header: &Header, gap: &Gap) -> Vec<Vec<u8>> {
    let reason = match gap.reason {
        GapReason::SpoolFull => schema::REASON_SPOOL_FULL,
        GapReason::SpoolAge => schema::REASON_SPOOL_AGE,
        GapReason::SpoolLost => schema::REASON_SPOOL_LOST,
        GapReason::Refused => schema::REASON_REFUSED,
    };
    let batch = schema::Batch {
        version: VERSION,
        header: Some(self::header(header)),
        gap: Some(schema::Gap {
            reason,
            message: gap.message.clone(),
            rows_lost: Table::ALL.map(|table| gap.rows_lost[table]).to_vec(),
        }),
        ..schema::Batch::default()
    };
    vec![batch.encode_to_vec()]
}

fn header(header: &Header) -> schema::Header {
    schema::Header {
        cluster: header.cluster.clone(),
        node: header.node.clone(),
        boot_id: header.boot_id.clone(),
        epoch: header.epoch.0.to_vec(),
        seq: header.seq,
        previous: header.previous.map(|previous| schema::Previous {
            epoch: previous.epoch.0.to_vec(),
            last: previous.last,
        }),
        window_start: header.window_start.unix_us,
        window_end: header.window_end.unix_us,
    }
}

/// What does not fit is far beyond what any reader takes.
fn number(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
