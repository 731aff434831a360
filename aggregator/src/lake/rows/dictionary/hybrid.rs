//! Parquet's hybrid of runs and packed bits, for levels and for numbers of a dictionary.

/// Values that are packed together: a run shorter than this costs less as bits.
const GROUP: usize = 8;
/// What one byte of header can count.
const MOST_GROUPS: u8 = 63;

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

fn encode_run(value: u32, count: usize, width: u32, out: &mut Vec<u8>) {
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
    while groups < MOST_GROUPS {
        match rest.split_first_chunk::<GROUP>() {
            Some((group, _)) if *group == [group[0]; GROUP] => break,
            Some((group, others)) => {
                pack(group, width, out);
                rest = others;
            }
            None if rest.is_empty() => break,
            None => {
                let mut group = [0; GROUP];
                group
                    .iter_mut()
                    .zip(rest)
                    .for_each(|(to, from)| *to = *from);
                pack(&group, width, out);
                rest = &[];
            }
        }
        groups += 1;
    }
    if let Some(header) = out.get_mut(header) {
        *header = (groups << 1) | 1;
    }
    rest
}

/// Appends a group: as many bytes as a value has bits.
fn pack(group: &[u32; GROUP], width: u32, out: &mut Vec<u8>) {
    let (mut bits, mut count) = (0_u64, 0);
    for value in group {
        bits |= u64::from(*value) << count;
        count += width;
        // Up to 8 bits each, all fit into one word.
        if count >= 32 && width > 8 {
            out.extend_from_slice(&(bits as u32).to_le_bytes());
            bits >>= 32;
            count -= 32;
        }
    }
    let bytes = bits.to_le_bytes();
    let len = count.div_ceil(8) as usize;
    out.extend_from_slice(bytes.get(..len).unwrap_or(&bytes));
}

fn varint(mut number: usize, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
