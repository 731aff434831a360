//! Texts: those that the codec takes apart, and those that look like them.

use rand::Rng as _;

use super::Chance;

/// Most often one that was there before: columns name each other's texts.
pub fn text(chance: &mut Chance, kind: u32) -> String {
    let before = chance.texts.len();
    if before > 0 && chance.below(3) > 0 {
        let at = chance.rng.random_range(0..before);
        return chance.texts[at].clone();
    }
    let text = new(chance, kind);
    chance.texts.push(text.clone());
    text
}

fn letters(chance: &mut Chance, of: &str, count: usize) -> String {
    let of: Vec<char> = of.chars().collect();
    let one = |_| of[chance.rng.random_range(0..of.len())];
    (0..count).map(one).collect()
}

fn stem(chance: &mut Chance) -> String {
    const STEMS: [&str; 8] = ["web", "", "a-b", "über", "-", "web/", "/", "kube-system"];
    let at = chance.rng.random_range(0..STEMS.len());
    STEMS[at].to_owned()
}

fn any_before(chance: &mut Chance) -> String {
    match chance.texts.len() {
        0 => String::new(),
        some => chance.texts[chance.rng.random_range(0..some)].clone(),
    }
}

fn new(chance: &mut Chance, kind: u32) -> String {
    const HASH: &str = "456789bcdf";
    const SUFFIX: &str = "bcdfghjklmnpqrstvwxz2456789";
    let (stem, few) = (stem(chance), chance.below(13) as usize);
    match kind {
        0 => letters(chance, "aé漢🦀\u{0}\u{10ffff}ß ", few),
        1 => letters(chance, "aü", few * 600),
        2 => uuid(chance),
        3 => near_uuid(chance),
        4 => format!("{stem}-{}", letters(chance, SUFFIX, 5)),
        5 => format!("{stem}-{}", letters(chance, HASH, few)),
        6 => format!(
            "{stem}-{}-{}",
            letters(chance, HASH, 8 + few % 3),
            letters(chance, SUFFIX, 5)
        ),
        7 => format!(
            "{stem}-{}-{}",
            letters(chance, "456789bcdfae", few),
            letters(chance, "bcdfgB1é", 4 + few % 3)
        ),
        8 => format!("{}-{}", any_before(chance), letters(chance, SUFFIX, 5)),
        9 => format!("{}-{}", any_before(chance), letters(chance, HASH, 9)),
        10 => format!("Deployment/{}", any_before(chance)),
        11 => format!("{stem}/{}", any_before(chance)),
        12 => format!("{}/{}", any_before(chance), any_before(chance)),
        13 => format!("{stem}-4294967296").replace(char::is_numeric, "4"),
        _ => letters(chance, "ab-/", few % 4),
    }
    .chars()
    .take(20_000)
    .collect()
}

fn uuid(chance: &mut Chance) -> String {
    let bits: u128 = chance.rng.random();
    let bits = bits & !0xf000_c000_0000_0000_0000 | 0x4000_8000_0000_0000_0000;
    let digits = format!("{bits:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &digits[part]);
    parts.join("-")
}

/// Of another version, in other letters, or cut short.
fn near_uuid(chance: &mut Chance) -> String {
    let mut uuid = uuid(chance);
    let at = chance.rng.random_range(0..uuid.len());
    match chance.below(5) {
        0 => uuid.make_ascii_uppercase(),
        1 => uuid.truncate(at),
        2 => uuid.replace_range(14..15, "1"),
        3 => uuid.replace_range(19..20, "c"),
        _ => uuid.replace_range(at..=at, "g"),
    }
    uuid
}
