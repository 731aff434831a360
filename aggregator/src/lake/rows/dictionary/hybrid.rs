//! Parquet's hybrid of runs and packed bits, for levels and for numbers of a dictionary.

/// Values that are packed together: a run shorter than this costs less as bits.
const GROUP: usize = 8;

/// Bits that hold every number up to this one.
pub fn width(most: u32) -> u32 {
    u32::BITS - most.leading_zeros()
}

/// Appends the values, each in that many bits.
pub fn encode(values: &[u32], width: u32, out: &mut Vec<u8>) {
    let mut rest = values;
    while let Some(first) = rest.first() {
        let run = run(rest, *first);
        if run >= GROUP || run == rest.len() {
            encode_run(*first, run, width, out);
            rest = rest.get(run..).unwrap_or_default();
        } else {
            rest = packed(rest, width, out);
        }
    }
}

/// Appends one value so many times.
pub fn encode_run(value: u32, count: usize, width: u32, out: &mut Vec<u8>) {
    varint(count << 1, out);
    let bytes = value.to_le_bytes();
    let len = width.div_ceil(8) as usize;
    out.extend_from_slice(bytes.get(..len).unwrap_or(&bytes));
}

/// How often the first value comes before another one.
fn run(values: &[u32], first: u32) -> usize {
    let other = values.iter().position(|value| *value != first);
    other.unwrap_or(values.len())
}

/// Packs groups up to where a run begins. Only the last group of all may be filled up.
fn packed<'a>(values: &'a [u32], width: u32, out: &mut Vec<u8>) -> &'a [u32] {
    let mut rest = values;
    let mut groups = 0;
    let header = out.len();
    out.push(0);
    // One byte of header counts up to 63 groups.
    while groups < 63 {
        let (group, others) = rest.split_at_checked(GROUP).unwrap_or((rest, &[]));
        let is_run = group
            .first()
            .is_some_and(|first| group.len() == GROUP && group.iter().all(|value| value == first));
        if group.is_empty() || is_run {
            break;
        }
        pack(group, width, out);
        groups += 1;
        rest = others;
    }
    if let Some(header) = out.get_mut(header) {
        *header = (groups << 1) | 1;
    }
    rest
}

/// Appends eight values, zeros in the place of those that are missing.
fn pack(group: &[u32], width: u32, out: &mut Vec<u8>) {
    let mut bits = 0_u64;
    let mut count = 0;
    for at in 0..GROUP {
        bits |= u64::from(group.get(at).copied().unwrap_or(0)) << count;
        count += width;
        if count >= 32 {
            out.extend_from_slice(&(bits as u32).to_le_bytes());
            bits >>= 32;
            count -= 32;
        }
    }
    let left = bits.to_le_bytes();
    let len = (count / 8) as usize;
    out.extend_from_slice(left.get(..len).unwrap_or(&left));
}

fn varint(mut number: usize, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
