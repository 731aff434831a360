//! Short forms for saying what is wrong with foreign bytes.

use crate::{Invalid, InvalidKind};

/// Contradicts itself or the schema.
pub(super) fn malformed(field: impl Into<String>, message: impl Into<String>) -> Invalid {
    fault(InvalidKind::Malformed, field, message)
}

/// More than may be.
pub(super) fn too_large(field: impl Into<String>, message: impl Into<String>) -> Invalid {
    fault(InvalidKind::TooLarge, field, message)
}

/// Nothing that the column can hold.
pub(super) fn bad_value(field: impl Into<String>, message: impl Into<String>) -> Invalid {
    fault(InvalidKind::BadValue, field, message)
}

/// Another version than ours.
pub(super) fn unknown_version(field: impl Into<String>, version: u64) -> Invalid {
    let message = format!(
        "version {version}, this build speaks {}",
        crate::batch::VERSION
    );
    fault(InvalidKind::UnknownVersion, field, message)
}

fn fault(kind: InvalidKind, field: impl Into<String>, message: impl Into<String>) -> Invalid {
    Invalid {
        kind,
        field: field.into(),
        message: message.into(),
    }
}
