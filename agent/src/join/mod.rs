//! Joins readings and events into rows. Pure: no clock, no file, no kernel call in here.

mod account;
mod balance;
mod baseline;
mod counters;
pub mod cpu_windows;
mod ledger;
pub mod oom;
mod rows;

pub use baseline::Baseline;
pub use ledger::{Ledger, Reading};
pub use oom::OomLedger;
