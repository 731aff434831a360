//! What the loop needs of a spool, so that tests have one without a disk.

use std::fmt::Display;

use protocol::{Epoch, GapReason};

use crate::{
    ship::delivery::Queue,
    spool::{Spool, SpoolError},
};

/// See the module.
pub trait Store: Queue<Error: Display> {
    /// A table has the epoch up to `seq`.
    fn committed(&mut self, epoch: Epoch, seq: u64) -> Result<(), Self::Error>;

    /// A gap takes the batch's place.
    fn give_up(&mut self, epoch: Epoch, seq: u64, message: &str) -> Result<(), Self::Error>;
}

impl Store for Spool {
    fn committed(&mut self, epoch: Epoch, seq: u64) -> Result<(), SpoolError> {
        Self::committed(self, epoch, seq)
    }

    fn give_up(&mut self, epoch: Epoch, seq: u64, message: &str) -> Result<(), SpoolError> {
        Self::give_up(self, epoch, seq, GapReason::Refused, message)
    }
}
