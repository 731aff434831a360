//! What crosses the kernel boundary: structs of fixed-width integers with explicit padding, map
//! names' constants and the layout number. Nothing here is an enum or a bool: kernel bytes are
//! foreign bytes, and their conversion belongs to user space, where it can fail.
#![no_std]
#![cfg_attr(not(feature = "user"), forbid(unsafe_code))]

pub mod control;
pub mod cpu;
pub mod lifecycle;
pub mod loss;
pub mod network;
pub mod oom;
pub mod table;
#[cfg(feature = "user")]
mod user;

/// Number of the layout of all pinned maps. Raise it with every change of a struct, a map type or a
/// map size: pins of another layout are replaced by the agent, and the gap is recorded.
pub const LAYOUT: u32 = 4;
