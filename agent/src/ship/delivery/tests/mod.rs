//! The machine against scripted answers, and against a small aggregator in a bad network.

mod queue;
mod random;
mod scripted;
