//! `podledger-aggregator`.

fn main() {}
