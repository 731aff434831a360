//! Proves from the tables alone that nothing was lost without a word and nothing came twice, or
//! refutes it with the rows in question. What is judged is the ledger's snapshot, read first: a
//! batch that it has is in every table by then.

pub mod case;
mod command;
mod error;
pub mod finding;
mod judge;
mod read;
mod report;
mod tables;

pub use command::{Arguments, UNREADABLE, run};
pub use error::VerifyError;
pub use judge::{Rules, judge};
pub use read::{Live, LiveFile, Progress, Reading, Snapshots};
pub use report::{Gaps, InProgress, Report};
pub use tables::Tables;
