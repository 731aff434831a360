//! The aggregator: takes batches from the agents and commits them, each once, to the tables.

pub mod auth;
pub mod behind;
pub mod care;
pub mod cli;
mod cluster;
pub mod config;
pub mod enrich;
mod files;
pub mod generate;
pub mod held;
pub mod ingest;
pub mod intake;
pub mod lake;
pub mod logger;
pub mod memory;
pub mod openapi;
pub mod push;
pub mod serve;
pub mod service;
pub mod status;
pub mod store_url;
pub mod verify;

use std::fmt::Write as _;

/// An error with all that led to it, in one line.
pub fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // A string takes everything.
        write!(text, ": {error}").unwrap_or_default();
        cause = error.source();
    }
    text
}

/// The beginning of a foreign text, on one line and without anything that a terminal would obey.
fn printable(text: &str, most: usize) -> String {
    let letters = text.chars().take(most);
    letters
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect()
}
