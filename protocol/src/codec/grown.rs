//! Names that controllers make of others: the name of a replica set is that of its deployment and a hash, a pod's is
//! its owner's and five letters. Both are numbers.

/// What names are made of: no vowels, and no digits that look like some.
const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
/// Letters of a random suffix.
const SUFFIX: usize = 5;
/// Most digits of a hash.
const HASH: usize = 10;
/// Its digits: the API server takes the character of each from 0 to 9 as the number of a letter.
const DIGITS: &[u8; 10] = b"456789bcdf";

/// Adds a dash and the hash: each digit of the number as one of ten of the letters.
pub(super) fn push_hash(text: &mut Vec<u8>, hash: u32) {
    text.push(b'-');
    let mut digits = [0; HASH];
    let (mut at, mut rest) = (HASH, hash);
    loop {
        at -= 1;
        digits[at] = DIGITS[rest as usize % 10];
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    text.extend_from_slice(&digits[at..]);
}

/// Adds a dash and the letters of the number.
pub(super) fn push_suffix(text: &mut Vec<u8>, mut suffix: u32) {
    text.push(b'-');
    for _ in 0..SUFFIX {
        text.push(LETTERS[suffix as usize % LETTERS.len()]);
        suffix /= LETTERS.len() as u32;
    }
}

/// A text and the hash that ends it, if one does.
pub(super) fn split_hash(text: &str) -> Option<(&str, u32)> {
    let (before, letters) = text.rsplit_once('-')?;
    let mut hash: u32 = 0;
    for letter in letters.bytes() {
        let digit = (0..).zip(DIGITS).find(|(_, other)| **other == letter)?.0;
        hash = hash.checked_mul(10)?.checked_add(digit)?;
    }
    let mut same = Vec::with_capacity(1 + HASH);
    push_hash(&mut same, hash);
    (same[1..] == *letters.as_bytes()).then_some((before, hash))
}

/// A text and the suffix that ends it, if one does.
pub(super) fn split_suffix(text: &str) -> Option<(&str, u32)> {
    let (before, letters) = text.rsplit_once('-')?;
    if letters.len() != SUFFIX {
        return None;
    }
    let mut suffix = 0;
    for letter in letters.bytes().rev() {
        let number = LETTERS.iter().position(|other| *other == letter)?;
        suffix = suffix * LETTERS.len() as u32 + number as u32;
    }
    Some((before, suffix))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(push: fn(&mut Vec<u8>, u32), number: u32) -> String {
        let mut text = b"web".to_vec();
        push(&mut text, number);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn names_of_a_real_cluster_are_recognised() {
        let pod = "web-768c4ccb68-mk5g4";
        let (replica_set, suffix) = split_suffix(pod).unwrap();
        let (deployment, hash) = split_hash(replica_set).unwrap();
        assert_eq!(deployment, "web");
        assert_eq!(text(push_hash, hash), replica_set);
        assert!(text(push_suffix, suffix).ends_with("-mk5g4"));
    }

    #[test]
    fn what_no_controller_makes_is_left_alone() {
        for text in ["web", "web-", "web-44", "web-b999999999", "web-44b"] {
            assert_eq!(split_hash(text), None, "{text}");
        }
        for text in ["web", "web-mk5g", "web-mk5g44", "web-proxy", "mk5g4"] {
            assert_eq!(split_suffix(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn numbers_come_back(hash in any::<u32>(), suffix in 0..27_u32.pow(5)) {
            let (hashed, suffixed) = (text(push_hash, hash), text(push_suffix, suffix));
            prop_assert_eq!(split_hash(&hashed), Some(("web", hash)));
            prop_assert_eq!(split_suffix(&suffixed), Some(("web", suffix)));
        }
    }
}
