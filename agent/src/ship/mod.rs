//! From the spool to an aggregator.
