//! Random UUIDs: 122 bits each.

use super::bits::{Reader, Writer};

/// Characters of a UUID.
pub(super) const CHARACTERS: usize = 36;
/// The bits of version and variant, and those of a random UUID.
const FIXED: u128 = 0xf000_c000_0000_0000_0000;
const RANDOM: u128 = 0x4000_8000_0000_0000_0000;
/// Where the random bits lie, and how many at once.
const PARTS: [(u32, u32); 4] = [(80, 48), (64, 12), (32, 30), (0, 32)];

/// The bits of a random UUID in its usual form, which the reader gives back to the letter.
pub(super) fn parse(text: &str) -> Option<u128> {
    let bytes: &[u8; CHARACTERS] = text.as_bytes().try_into().ok()?;
    let mut uuid = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let is_dash = matches!(at, 8 | 13 | 18 | 23);
        match byte {
            b'-' if is_dash => {}
            b'0'..=b'9' if !is_dash => uuid = uuid << 4 | u128::from(byte - b'0'),
            b'a'..=b'f' if !is_dash => uuid = uuid << 4 | u128::from(byte - b'a' + 10),
            _ => return None,
        }
    }
    (uuid & FIXED == RANDOM).then_some(uuid)
}

/// Writes the bits that are not the same in all.
pub(super) fn write(uuid: u128, to: &mut Writer) {
    for (at, bits) in PARTS {
        to.put((uuid >> at) as u64, bits);
    }
}

/// Reads one and adds its text.
pub(super) fn push(text: &mut Vec<u8>, from: &mut Reader<'_>) {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let mut uuid = RANDOM;
    for (at, bits) in PARTS {
        uuid |= u128::from(from.take(bits)) << at;
    }
    let mut characters = [b'-'; CHARACTERS];
    let mut at = 0;
    for byte in uuid.to_be_bytes() {
        if matches!(at, 8 | 13 | 18 | 23) {
            at += 1;
        }
        characters[at] = DIGITS[usize::from(byte >> 4)];
        characters[at + 1] = DIGITS[usize::from(byte & 15)];
        at += 2;
    }
    text.extend_from_slice(&characters);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_back(uuid: u128) -> String {
        let mut bits = Writer::default();
        write(uuid, &mut bits);
        let mut text = Vec::new();
        push(&mut text, &mut Reader::new(&bits.finish()));
        String::from_utf8(text).unwrap()
    }

    proptest! {
        #[test]
        fn random_ones_come_back_to_the_letter(random in any::<u128>()) {
            let uuid = random & !FIXED | RANDOM;
            let text = read_back(uuid);
            prop_assert_eq!(parse(&text), Some(uuid));
        }

        #[test]
        fn what_is_taken_for_one_is_one(text in "[0-9a-fA-Fg-]{8}-[0-9a-f]{4}-[14][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}") {
            if let Some(uuid) = parse(&text) {
                prop_assert_eq!(read_back(uuid), text);
            }
        }
    }
}
