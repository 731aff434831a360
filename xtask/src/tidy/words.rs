//! Words that do not belong in committed files: promises, and paths of one machine.

use super::Finding;

/// Unfinished work belongs in an issue. In halves, so that this file does not find itself.
const PROMISES: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("to", "do!"),
    concat!("unimplement", "ed!"),
];

/// Folders that exist on the machine of whoever wrote the line.
const MACHINE_FOLDERS: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/")];

pub(super) fn findings(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let promised = PROMISES.iter().filter(|word| has(line, word, is_word));
        findings.extend(promised.map(|word| {
            Finding::new(
                path,
                index + 1,
                format!("{word}: finish it or open an issue"),
            )
        }));
        let named = MACHINE_FOLDERS
            .iter()
            .filter(|folder| has(line, folder, continues_path));
        findings.extend(named.map(|folder| {
            Finding::new(
                path,
                index + 1,
                format!("{folder} is a folder of one machine"),
            )
        }));
    }
    findings
}

/// Whether `line` has `word` with nothing before it that would make it part of something longer.
fn has(line: &str, word: &str, continues: fn(char) -> bool) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let after = line[at + word.len()..]
            .chars()
            .next()
            .filter(|_| word.ends_with(is_word));
        let before = line[..at].chars().next_back();
        !before.is_some_and(continues) && !after.is_some_and(is_word)
    })
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn continues_path(character: char) -> bool {
    is_word(character) || "/.-}>*~".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promises_are_found_as_whole_words() {
        for word in PROMISES {
            assert_eq!(
                findings("a", &format!("// {word}: later")).len(),
                1,
                "{word}"
            );
        }
        assert!(findings("a", &format!("mktemp a.{0}{0} {0}S", PROMISES[2])).is_empty());
    }

    #[test]
    fn machine_folders_are_found_at_the_start_of_a_path() {
        for folder in MACHINE_FOLDERS {
            assert_eq!(
                findings("a", &format!("cd {folder}main")).len(),
                1,
                "{folder}"
            );
            assert!(
                findings("a", &format!("target{folder} $HOME{folder}a")).is_empty(),
                "{folder}"
            );
        }
    }
}
