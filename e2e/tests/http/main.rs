//! The aggregator's command and its HTTP interface, as those meet them who have read its documents: on real
//! sockets, before real stores.

mod documented;
mod schemathesis;
mod serving;
mod stores;
