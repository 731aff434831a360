//! The front as peers see it, over real sockets.

mod abuse;
mod draining;
mod pushes;
mod routes;
