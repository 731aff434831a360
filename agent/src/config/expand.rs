//! `${VAR}` and `${VAR:-default}` in the file's values.

/// Longest value that comes out.
const MOST_BYTES: usize = 8 * 1024;

/// `text` with its variables put in. What is put in is not looked at again. `$${` stands for `${`.
pub(super) fn expand(
    text: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        if let Some(before) = rest[..start].strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = &rest[start + 2..];
            continue;
        }
        out.push_str(&rest[..start]);
        let inner = &rest[start + 2..];
        let Some(end) = inner.find('}') else {
            return Err("`${` without `}`: write `$${` for the text itself".to_owned());
        };
        out.push_str(&value(&inner[..end], environment)?);
        rest = &inner[end + 1..];
        if out.len() > MOST_BYTES {
            break;
        }
    }
    out.push_str(rest);
    if out.len() > MOST_BYTES {
        return Err(format!("longer than {MOST_BYTES} bytes"));
    }
    Ok(out)
}

fn value(reference: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    let letters = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    if name.is_empty()
        || name.starts_with(|first: char| first.is_ascii_digit())
        || !name.chars().all(letters)
    {
        return Err(
            "only `${VAR}` and `${VAR:-default}` are known, `$${` is the text itself".to_owned(),
        );
    }
    let found = environment(name).filter(|value| !value.is_empty());
    match (found, default) {
        (Some(value), _) => Ok(value),
        (None, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(format!(
            "the variable {name} is not set: set it, or write `${{{name}:-default}}`"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<String, String> {
        expand(text, &|name| match name {
            "NODE" => Some("n1".to_owned()),
            "NESTED" => Some("${NODE}".to_owned()),
            "EMPTY" => Some(String::new()),
            "LONG" => Some("x".repeat(MOST_BYTES)),
            _ => None,
        })
    }

    #[test]
    fn variables_are_put_in_once() {
        for (text, wanted) in [
            ("${NODE}", "n1"),
            ("a-${NODE}-${NODE}", "a-n1-n1"),
            ("${NO:-x y}", "x y"),
            ("${NODE:-x}", "n1"),
            ("${EMPTY:-x}", "x"),
            ("${NO:-}", ""),
            ("$${NODE}", "${NODE}"),
            ("$NODE $ {", "$NODE $ {"),
            ("${NESTED}", "${NODE}"),
        ] {
            assert_eq!(expanded(text).as_deref(), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_put_in_is_told() {
        assert!(expanded("${NO}").unwrap_err().contains("NO is not set"));
        assert!(
            expanded("${EMPTY}")
                .unwrap_err()
                .contains("EMPTY is not set")
        );
        assert!(expanded("${NODE").unwrap_err().contains("without `}`"));
        assert!(
            expanded("${1}").is_err() && expanded("${}").is_err() && expanded("${A-b}").is_err()
        );
        assert!(expanded("${LONG}${LONG}").unwrap_err().contains("longer"));
    }
}
