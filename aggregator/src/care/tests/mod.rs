//! Care of tables of real files, on a store that everybody can look into.

mod hours;
mod merging;
mod scene;
mod vacuuming;
