//! Blanks out comments, strings and characters of Rust source, so that braces can be counted.

/// The code alone: same length, same lines, blanks for all that is not code.
pub(super) fn only(text: &str) -> Vec<u8> {
    let mut code = text.as_bytes().to_vec();
    let mut at = 0;
    while at < code.len() {
        let end = end_of_other(&code, at).min(code.len());
        for byte in code
            .iter_mut()
            .take(end)
            .skip(at)
            .filter(|byte| **byte != b'\n')
        {
            *byte = b' ';
        }
        at = end.max(at + 1);
    }
    code
}

/// Where the comment, string or character that begins here ends; `at` if none begins.
fn end_of_other(code: &[u8], at: usize) -> usize {
    let rest = &code[at..];
    match rest {
        [b'/', b'/', ..] => {
            at + rest
                .iter()
                .position(|byte| *byte == b'\n')
                .unwrap_or(rest.len())
        }
        [b'/', b'*', ..] => at + block_comment(rest),
        [b'"', ..] => at + quoted(rest, b'"'),
        [b'r', b'"' | b'#', ..] if !continues_word(code, at) => at + raw_string(rest),
        // A lifetime has no second quote right behind its first character.
        [b'\'', b'\\', ..] => at + quoted(rest, b'\''),
        [b'\'', first, ..] => {
            let end = 1 + width(*first);
            if rest.get(end) == Some(&b'\'') {
                at + end + 1
            } else {
                at
            }
        }
        _ => at,
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    at
}

/// Zero for what only looks like one: a raw identifier such as `r#type`.
fn raw_string(rest: &[u8]) -> usize {
    let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return 0;
    }
    let mut end = vec![b'#'; hashes + 1];
    end[0] = b'"';
    let from = 2 + hashes;
    let found = rest[from..]
        .windows(end.len())
        .position(|window| window == end);
    found.map_or(rest.len(), |found| from + found + end.len())
}

/// `br"` begins a raw string, `var"` does not.
fn continues_word(code: &[u8], at: usize) -> bool {
    let word: Vec<u8> = code[..at]
        .iter()
        .rev()
        .copied()
        .take_while(|byte| is_word(*byte))
        .collect();
    !matches!(word.as_slice(), [] | [b'b' | b'c'])
}

/// Whether a byte may be part of a name.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

fn width(first: u8) -> usize {
    match first.leading_ones() {
        0 | 1 => 1,
        more => more as usize,
    }
}

#[cfg(test)]
mod tests {
    fn code(text: &str) -> String {
        String::from_utf8(super::only(text)).unwrap()
    }

    #[test]
    fn blanks_what_is_not_code() {
        assert_eq!(code("a // {\nb"), "a     \nb");
        assert_eq!(code("a/* { /* } */ { */b"), "a                 b");
        assert_eq!(code(r#"a("{\"{")b"#), "a(      )b");
        assert_eq!(code(r##"a(r#"{"{"#)b"##), "a(        )b");
        assert_eq!(code(r##"a(br"{")b"##), "a(b    )b");
        assert_eq!(code("a('{')b('\\'')c('é')"), "a(   )b(    )c(    )");
    }

    #[test]
    fn keeps_lifetimes_and_raw_identifiers() {
        for text in [
            "fn a<'a>(b: &'a str, c: &'static u8) {}",
            "let r#type = r#fn;",
            "var",
        ] {
            assert_eq!(code(text), text);
        }
    }
}
