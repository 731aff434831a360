//! The tables as others see them: what delta-rs does that the commit must not rest on, and what it and
//! other readers find in tables that the aggregator wrote.

mod crash;
mod facts;
mod lost_marks;
mod place;
mod read_back;
mod readers;
mod sql_pack;
mod world;
