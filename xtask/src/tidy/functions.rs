//! Finds functions that grew past what one reads in one look.

use super::Finding;
use super::rust_code::{self, is_word};

const FUNCTION_LINES: usize = 70;

pub(super) fn findings(path: &str, text: &str) -> Vec<Finding> {
    let code = rust_code::only(text);
    let long = functions(&code)
        .into_iter()
        .filter(|function| function.lines > FUNCTION_LINES);
    let finding = |function: Function| {
        let Function { name, line, lines } = function;
        Finding::new(
            path,
            line,
            format!("{lines} lines in function {name}, at most {FUNCTION_LINES}"),
        )
    };
    long.map(finding).collect()
}

#[derive(Debug, PartialEq)]
struct Function {
    name: String,
    line: usize,
    lines: usize,
}

fn functions(code: &[u8]) -> Vec<Function> {
    let starts = (0..code.len()).filter(|at| code[*at..].starts_with(b"fn "));
    let starts = starts.filter(|at| *at == 0 || !is_word(code[at - 1]));
    starts.filter_map(|at| function(code, at)).collect()
}

fn function(code: &[u8], at: usize) -> Option<Function> {
    let name = &code[at + 3..];
    let name = &name[..name.iter().position(|byte| !is_word(*byte))?];
    let end = end_of_body(code, body(code, at)?)?;
    let newlines = |range: &[u8]| range.iter().filter(|byte| **byte == b'\n').count();
    Some(Function {
        name: String::from_utf8_lossy(name).into_owned(),
        line: newlines(&code[..at]) + 1,
        lines: newlines(&code[at..end]) + 1,
    })
}

/// Where the body opens; none for a declaration, which ends with a semicolon.
fn body(code: &[u8], at: usize) -> Option<usize> {
    let mut nested = 0_usize;
    for (offset, byte) in code[at..].iter().enumerate() {
        match byte {
            b'(' | b'[' => nested += 1,
            b')' | b']' => nested = nested.saturating_sub(1),
            b'{' if nested == 0 => return Some(at + offset),
            b';' if nested == 0 => return None,
            _ => {}
        }
    }
    None
}

fn end_of_body(code: &[u8], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (offset, byte) in code[open..].iter().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return Some(open + offset),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, usize, usize)> {
        let functions = functions(&rust_code::only(text));
        functions
            .into_iter()
            .map(|one| (one.name, one.line, one.lines))
            .collect()
    }

    #[test]
    fn measures_functions_from_signature_to_last_brace() {
        let text = "\npub fn a(b: [u8; 2]) -> u8 {\n    if b { '{' }\n    // }\n}\nfn c() {}\n";
        assert_eq!(
            found(text),
            [("a".to_owned(), 2, 4), ("c".to_owned(), 6, 1)]
        );
    }

    #[test]
    fn declarations_and_pointers_are_not_functions() {
        assert!(found("trait T { fn a(&self) -> [u8; 2]; }\ntype F = fn (u8) -> u8;\n").is_empty());
    }

    #[test]
    fn long_functions_are_found() {
        let body = "    a();\n".repeat(FUNCTION_LINES - 1);
        assert!(findings("a.rs", &format!("fn f() {{\n{}}}\n", &body[9..])).is_empty());
        let found = findings("a.rs", &format!("fn f() {{\n{body}}}\n"));
        assert_eq!(
            found,
            [Finding::new(
                "a.rs",
                1,
                "71 lines in function f, at most 70"
            )]
        );
    }
}
