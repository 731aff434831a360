//! The front as peers see it, over real sockets.

mod abuse;
mod cost;
mod draining;
mod routes;
