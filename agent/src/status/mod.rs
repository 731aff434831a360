//! What the agent tells of itself: health, readiness, metrics. The main loop writes to the board,
//! the server reads from it.

mod board;
#[cfg(test)]
mod board_tests;
mod metrics;
#[cfg(test)]
mod metrics_tests;
mod page;
mod process;
mod server;
#[cfg(test)]
mod server_tests;
mod shipping;
mod sources;
#[cfg(test)]
mod testing;
pub mod words;

pub use board::{MAX_PODS, StatusBoard};
pub use server::{MAX_CONNECTIONS, serve};
pub use shipping::Figures;
