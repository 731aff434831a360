//! The known key that someone meant.

use super::settings::{RETIRED, SECTIONS, SETTINGS};

/// Longest key that is compared.
const MOST_LETTERS: usize = 64;

/// What to do about a key that nobody knows.
pub(super) fn for_key(path: &str) -> String {
    if let Some((_, advice)) = RETIRED
        .iter()
        .find(|(retired, _)| path == *retired || path.starts_with(&format!("{retired}.")))
    {
        return (*advice).to_owned();
    }
    match nearest(path) {
        Some(known) => format!("did you mean `{known}`?"),
        None => format!("sections are {}", SECTIONS.join(", ")),
    }
}

/// The nearest key by letters, when one is near. A key in the wrong section is near too.
fn nearest(path: &str) -> Option<&'static str> {
    if path.chars().count() > MOST_LETTERS {
        return None;
    }
    let path = path.to_lowercase().replace('-', "_");
    let last = path.rsplit('.').next().unwrap_or(&path);
    let known = SETTINGS.iter().map(|setting| setting.key);
    known
        .chain(SECTIONS)
        .map(|key| {
            let whole = distance(&path, key);
            let moved = distance(last, key.rsplit('.').next().unwrap_or(key)) + 1;
            (whole.min(moved), key)
        })
        .filter(|(letters, key)| letters * 3 <= key.len().max(6))
        .min_by_key(|(letters, _)| *letters)
        .map(|(_, key)| key)
}

/// Letters to change, add or take away until `a` is `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (line, letter) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], line + 1);
        for (column, other) in b.iter().enumerate() {
            let above = row[column + 1];
            row[column + 1] = (diagonal + usize::from(letter != *other))
                .min(above + 1)
                .min(row[column] + 1);
            diagonal = above;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_named() {
        for (typed, meant) in [
            ("metrics.intervall", "`metrics.interval`"),
            ("metric.interval", "`metrics.interval`"),
            ("interval", "`metrics.interval`"),
            ("kubelet.ca-file", "`kubelet.ca_file`"),
            ("kublet", "`kubelet`"),
            ("agent.nodeName", "`agent.node_name`"),
        ] {
            assert!(
                for_key(typed).contains(meant),
                "{typed}: {}",
                for_key(typed)
            );
        }
        assert!(for_key("zzzzzzzzzzz").contains("sections are"));
        assert!(for_key(&"x".repeat(100_000)).contains("sections are"));
        assert!(for_key("logs.paths").contains("logs"));
    }
}
