//! What the tables of a batch must say of each other.

use super::super::fault::malformed;
use crate::{
    Invalid, Table,
    columns::{TableData, Values},
};

/// Columns of `reconcile` that tell the rows of the other tables.
const ROWS: [(&str, Table); 4] = [
    ("rows_pod_usage", Table::PodUsage),
    ("rows_pod_network", Table::PodNetwork),
    ("rows_node_usage", Table::NodeUsage),
    ("rows_events", Table::Events),
];

/// One row of `reconcile`, which tells how many the others have.
pub(super) fn balance(tables: &[TableData]) -> Result<(), Invalid> {
    let find = |table| tables.iter().find(|data| data.table == table);
    let Some(reconcile) = find(Table::Reconcile).filter(|data| data.rows == 1) else {
        return Err(malformed("reconcile", "a whole batch has one row of it"));
    };
    for (name, table) in ROWS {
        let rows = find(table).map_or(0, |data| data.rows);
        let told = told(reconcile, name);
        if told.and_then(|told| usize::try_from(told).ok()) != Some(rows) {
            let told = told.map_or_else(|| "nothing".to_owned(), |told| told.to_string());
            let message = format!("says {told}, {} has {rows} rows", table.name());
            return Err(malformed(format!("reconcile.{name}"), message));
        }
    }
    Ok(())
}

fn told(reconcile: &TableData, name: &str) -> Option<i64> {
    let mut columns = Table::Reconcile.columns().iter();
    let id = columns.find(|column| column.name == name)?.id;
    let at = reconcile
        .columns
        .binary_search_by_key(&id, |column| column.id);
    match &reconcile.columns.get(at.ok()?)?.values {
        Values::Longs(values) => values.first().copied(),
        _ => None,
    }
}
