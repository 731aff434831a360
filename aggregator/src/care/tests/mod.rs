//! Care of tables of real files, on a store that everybody can look into.

mod damaged;
mod foreign;
mod hours;
mod merging;
mod rivals;
mod scene;
mod vacuuming;
