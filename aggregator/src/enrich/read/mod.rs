//! What is read of objects, by the API's names. Everything else, `managedFields` above all, is passed over, and a field that is
//! not what it must be costs only itself.

mod metadata;
mod node;
mod pod;
mod storage;

pub use metadata::{Owned, owned};
pub use node::{Node, node};
pub use pod::{Pod, pod};
pub use storage::{Claim, Volume, claim, volume};

use super::Odd;

/// Longest part of a foreign message that is repeated.
const MESSAGE_LETTERS: usize = 200;

fn from_json<'a, T: serde::Deserialize<'a>>(object: &'a str) -> Result<T, Odd> {
    serde_json::from_str(object)
        .map_err(|error| Odd(crate::printable(&error.to_string(), MESSAGE_LETTERS)))
}

fn lacks(what: &str) -> Odd {
    Odd(format!("it has no {what}"))
}
