//! The head of a spool file, of which there are two copies: one is rewritten while the other is safe.

/// Bytes that begin each copy.
const MAGIC: [u8; 8] = *b"podspool";
/// Version of the file's format.
const FORMAT: u32 = 1;
/// Bytes of a copy: one sector, so that a disk writes it at once or not at all.
pub(super) const SIZE: usize = 512;
/// Bytes of the database's own header that fit.
pub(super) const ROOM: usize = SIZE - HEADER - size_of::<u32>();
/// Where the database's own header begins.
const HEADER: usize = 32;

/// The head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Slot {
    /// Grows with every write; the higher copy counts.
    pub(super) version: u64,
    /// Length as the database sees it.
    pub(super) len: u64,
    /// The database's own header.
    pub(super) header: Vec<u8>,
}

/// What the bytes of a copy are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// A whole one.
    Slot(Slot),
    /// A whole one of a later format.
    Later(u32),
    /// No whole one.
    Nothing,
}

impl Slot {
    /// Its bytes.
    pub(super) fn encode(&self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        let header = self.header.get(..ROOM).unwrap_or(&self.header);
        let header_len = u32::try_from(header.len()).unwrap_or_default();
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[12..16].copy_from_slice(&header_len.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.version.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.len.to_le_bytes());
        bytes[HEADER..HEADER + header.len()].copy_from_slice(header);
        let sum = crc32fast::hash(&bytes[..SIZE - 4]);
        bytes[SIZE - 4..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Reads them.
    pub(super) fn decode(bytes: &[u8; SIZE]) -> Read {
        let sum = crc32fast::hash(&bytes[..SIZE - 4]);
        if bytes[..8] != MAGIC || number(bytes, SIZE - 4) != u64::from(sum) {
            return Read::Nothing;
        }
        let format = u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
        if format != FORMAT {
            return Read::Later(format);
        }
        let header_len = usize::from(u16::from_le_bytes([bytes[12], bytes[13]])).min(ROOM);
        Read::Slot(Self {
            version: number(bytes, 16),
            len: number(bytes, 24),
            header: bytes[HEADER..HEADER + header_len].to_vec(),
        })
    }
}

/// A little-endian number of up to eight bytes; fewer where the bytes end.
fn number(bytes: &[u8], at: usize) -> u64 {
    let mut value = [0; 8];
    for (to, from) in value.iter_mut().zip(bytes.iter().skip(at)) {
        *to = *from;
    }
    u64::from_le_bytes(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_with_any_flipped_bit_is_none() {
        let slot = Slot {
            version: 7,
            len: 4096 * 9,
            header: (0..200).map(|byte| byte as u8).collect(),
        };
        let bytes = slot.encode();
        assert_eq!(Slot::decode(&bytes), Read::Slot(slot));
        for bit in 0..SIZE * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Slot::decode(&flipped), Read::Nothing, "bit {bit}");
        }
    }

    #[test]
    fn a_later_format_is_told_from_damage() {
        let mut bytes = Slot::default().encode();
        bytes[8] = 2;
        let sum = crc32fast::hash(&bytes[..SIZE - 4]);
        bytes[SIZE - 4..].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(Slot::decode(&bytes), Read::Later(2));
    }
}
