//! From the spool to an aggregator. What is sent next, and on which way, is decided by machines without
//! a clock and without a network of their own (`delivery`, `ways`); the rest joins them with both.

pub mod delivery;
pub mod ways;
