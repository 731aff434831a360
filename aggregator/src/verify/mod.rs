//! Proves from the tables alone that nothing was lost without a word and nothing came twice, or
//! refutes it with the rows in question. What is judged is the ledger's snapshot, read first: a
//! batch that it has is in every table by then.

pub mod case;
pub mod finding;
mod judge;
mod report;

pub use judge::{Rules, judge};
pub use report::{Gaps, InProgress, Report};
