//! What objects are found by: uids and names.

use std::hash::{Hash, Hasher};

/// A key that is kept. Uids of Kubernetes are UUIDs, which are kept as their bits.
#[derive(Debug)]
pub enum Key {
    /// Bits of a UUID in its usual form.
    Uuid([u8; 16]),
    /// Anything else.
    Text(Box<str>),
}

/// A key that is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Asked<'a> {
    /// See [`Key::Uuid`].
    Uuid([u8; 16]),
    /// See [`Key::Text`].
    Text(&'a str),
}

/// Where a UUID has its hyphens.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];
/// Where each of its bytes begins.
const BYTES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

impl<'a> Asked<'a> {
    /// Of a text. Only lower-case UUIDs come back to the letter, so that others are texts.
    pub fn of(text: &'a str) -> Self {
        uuid(text).map_or(Self::Text(text), Self::Uuid)
    }
}

impl Hash for Asked<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Uuid(uuid) => state.write_u128(u128::from_ne_bytes(*uuid)),
            Self::Text(text) => state.write(text.as_bytes()),
        }
    }
}

impl Key {
    /// The same, to look for.
    pub fn asked(&self) -> Asked<'_> {
        match self {
            Self::Uuid(uuid) => Asked::Uuid(*uuid),
            Self::Text(text) => Asked::Text(text),
        }
    }
}

impl From<Asked<'_>> for Key {
    fn from(asked: Asked<'_>) -> Self {
        match asked {
            Asked::Uuid(uuid) => Self::Uuid(uuid),
            Asked::Text(text) => Self::Text(text.into()),
        }
    }
}

fn uuid(text: &str) -> Option<[u8; 16]> {
    let text: &[u8; 36] = text.as_bytes().try_into().ok()?;
    if HYPHENS.iter().any(|at| text[*at] != b'-') {
        return None;
    }
    // What is no digit sets bits that no digit has.
    let mut wrong = 0;
    let uuid = BYTES.map(|at| {
        let (high, low) = (digit(text[at]), digit(text[at + 1]));
        wrong |= high | low;
        high << 4 | low
    });
    (wrong < 16).then_some(uuid)
}

const fn digit(letter: u8) -> u8 {
    match letter {
        b'0'..=b'9' => letter - b'0',
        b'a'..=b'f' => letter - b'a' + 10,
        _ => u8::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_told_from_texts() {
        let usual = "22c90f3f-8233-4cf3-bbe0-4a885e58f3d9";
        let Asked::Uuid(bits) = Asked::of(usual) else {
            panic!("{usual} is a UUID");
        };
        assert_eq!(bits[..4], [0x22, 0xc9, 0x0f, 0x3f]);
        assert_eq!(bits[15], 0xd9);
        for other in [
            "",
            "web",
            "22C90f3f-8233-4cf3-bbe0-4a885e58f3d9",
            "22c90f3f-8233-4cf3-bbe0-4a885e58f3dg",
            "22c90f3f-8233-4cf3-bbe0-4a885e58f3d-",
            "22c90f3f08233-4cf3-bbe0-4a885e58f3d9",
            "3b6f592f3e4ffc4b400a5d43d66cecf1",
        ] {
            assert!(Asked::of(other) == Asked::Text(other), "{other}");
        }
    }
}
