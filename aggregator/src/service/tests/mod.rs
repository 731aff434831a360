//! A service before a store in memory, told by what it answers and by what is in the tables.

mod commits;
mod push;
mod requests;
mod scene;
mod troubles;
