//! Watches against a server that answers by script.

mod bad_days;
mod debug;
mod lists;
mod scene;
mod scripted;
