//! Joins readings and events into rows. Pure: no clock, no file, no kernel call in here.

mod account;
mod balance;
mod baseline;
mod counters;
pub mod cpu_windows;
mod known;
mod ledger;
mod node;
pub mod oom;
mod pod;
mod pod_rows;
mod rows;
mod sample;

pub use baseline::Baseline;
pub use known::Known;
pub use ledger::{Ledger, Reading};
pub use oom::OomLedger;
pub use pod::Files;
