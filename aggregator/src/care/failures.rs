//! What goes wrong in one part of the care, and is no reason to leave the others undone.

use crate::{error_chain, lake::LakeError};

/// See the module.
#[derive(Default)]
pub(super) struct Failures {
    first: Option<LakeError>,
}

impl Failures {
    /// One more; an error if the store does not answer, for then nothing else would be done either.
    pub fn hear(&mut self, error: LakeError) -> Result<(), LakeError> {
        if is_store_out(&error) {
            return Err(error);
        }
        self.keep(error);
        Ok(())
    }

    /// One more.
    pub fn keep(&mut self, error: LakeError) {
        match &self.first {
            None => self.first = Some(error),
            // The first is told by whoever hears of the end.
            Some(_) => log::error!("taking care of the tables: {}", error_chain(&error)),
        }
    }

    /// The first of them, if there was any.
    pub fn end(self) -> Result<(), LakeError> {
        self.first.map_or(Ok(()), Err)
    }
}

/// The store may answer again later. What it says is not there is not there.
pub(super) fn is_store_out(error: &LakeError) -> bool {
    let is_gone =
        |source: &object_store::Error| matches!(source, object_store::Error::NotFound { .. });
    matches!(error, LakeError::Store { source, .. } if !is_gone(source))
}
