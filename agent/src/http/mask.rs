//! What may be logged of a message: secrets become `***`, control characters are escaped, and every
//! text has a bound. Rather too much is hidden than too little.

/// Stands for what is hidden.
pub const HIDDEN: &str = "***";

const SECRET_HEADERS: [&str; 6] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "set-cookie",
    "x-amz-security-token",
    "x-aws-ec2-metadata-token",
];

/// Names whose value is a secret, in whatever case and with whatever stands before them.
const SECRET_NAMES: [&str; 5] = ["bearer", "token", "password", "secret", "secretaccesskey"];

const MOST_HEADER_BYTES: usize = 256;

/// Tokens of JSON begin so in base64: it is `{"`.
const JWT_BEGIN: &str = "eyJ";
const JWT_LEAST_BYTES: usize = 20;

/// Names and paths of this length are rare, keys and tokens are not shorter.
const KEY_LEAST_BYTES: usize = 40;

/// A header's value.
pub fn header(name: &str, value: &[u8]) -> String {
    if SECRET_HEADERS
        .iter()
        .any(|secret| name.eq_ignore_ascii_case(secret))
    {
        return HIDDEN.to_owned();
    }
    body(value, MOST_HEADER_BYTES)
}

/// The beginning of a body, on one line.
pub fn body(bytes: &[u8], most_bytes: usize) -> String {
    if bytes.len() <= most_bytes {
        return escape(&text(&String::from_utf8_lossy(bytes)));
    }
    let part = String::from_utf8_lossy(&bytes[..most_bytes]);
    // A word that is cut may be the beginning of a secret that can't be recognised any more.
    let part = part
        .trim_end_matches(char::REPLACEMENT_CHARACTER)
        .trim_end_matches(is_token);
    format!("{}... ({} bytes)", escape(&text(part)), bytes.len())
}

/// A text without what looks like a secret.
pub fn text(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    let mut is_secret_next = false;
    while !rest.is_empty() {
        let (gap, after) = rest.split_at(rest.find(is_token).unwrap_or(rest.len()));
        let (word, after) = after.split_at(after.find(|c| !is_token(c)).unwrap_or(after.len()));
        shown.push_str(gap);
        if !word.is_empty() {
            let names = names_secret(word);
            let hidden = is_secret_next || names == Names::AndHolds || looks_secret(word);
            shown.push_str(if hidden { HIDDEN } else { word });
            is_secret_next = names == Names::Next && is_followed_by_value(word, after);
        }
        rest = after;
    }
    shown
}

#[derive(PartialEq)]
enum Names {
    Nothing,
    /// What follows is the secret.
    Next,
    /// The word itself holds it, as in `token=abc`.
    AndHolds,
}

fn names_secret(word: &str) -> Names {
    let word = word.to_ascii_lowercase();
    let mut names = Names::Nothing;
    for name in SECRET_NAMES {
        if word.trim_end_matches('=').ends_with(name) {
            names = Names::Next;
        } else if word.contains(&format!("{name}=")) || word.contains("bearer%") {
            return Names::AndHolds;
        }
    }
    names
}

/// `Bearer abc` needs no sign between; the other names are words of plain text, too.
fn is_followed_by_value(word: &str, after: &str) -> bool {
    let is_bearer = word.to_ascii_lowercase().ends_with("bearer");
    let gap = &after[..after.find(is_token).unwrap_or(after.len())];
    is_bearer || word.ends_with('=') || gap.contains(':')
}

fn looks_secret(word: &str) -> bool {
    if word.len() >= JWT_LEAST_BYTES && word.contains(JWT_BEGIN) {
        return true;
    }
    word.len() >= KEY_LEAST_BYTES
        && word.contains(|c: char| c.is_ascii_uppercase())
        && word.contains(|c: char| c.is_ascii_lowercase())
        && word.contains(|c: char| c.is_ascii_digit())
}

/// What tokens are made of, in base64 of both kinds, and what URLs make of it.
fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.~+/=%".contains(c)
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control()
            || ('\u{200b}'..='\u{200f}').contains(&c)
            || ('\u{2028}'..='\u{202e}').contains(&c)
        {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    const JWT: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl";
    const IMDS: &str = "AQAEAOp2f8nKZJQXk3q7uXn2Ew5vC8hJt1rFsYbLdMzGxPaVcWqRtg==";

    #[test]
    fn secret_headers_are_hidden_in_any_case() {
        for name in [
            "Authorization",
            "cookie",
            "Set-Cookie",
            "X-aws-ec2-metadata-token",
        ] {
            assert_eq!(header(name, b"short"), HIDDEN);
        }
        assert_eq!(
            header("content-type", b"application/json"),
            "application/json"
        );
        assert_eq!(
            header("x-note", format!("Bearer {JWT}").as_bytes()),
            "Bearer ***"
        );
        assert_eq!(
            header("x-note", b"a\nb\x1b[1m\xff"),
            "a\\nb\\u{1b}[1m\u{fffd}"
        );
    }

    #[test]
    fn tokens_in_texts_are_hidden() {
        for secret in [JWT, IMDS, "s3cr3t"] {
            for text in [
                format!("Authorization: Bearer {secret}"),
                format!("bearer   {secret}, refused"),
                format!(r#"{{"spec":{{"token":"{secret}"}}}}"#),
                format!(r#"{{"Token" : "{secret}"}}"#),
                format!("/login?access_token={secret}&x=1"),
                format!("Bearer%20{secret}"),
                format!("password: {secret}"),
            ] {
                let shown = super::text(&text);
                assert!(!shown.contains(secret), "{shown}");
                assert!(shown.contains(HIDDEN), "{shown}");
            }
        }
        assert!(!text(JWT).contains("eyJ"));
        assert!(!text(IMDS).contains("AQ"));
    }

    #[test]
    fn what_is_no_secret_is_shown() {
        for text in [
            "Unauthorized",
            "i-1234567890abcdef0",
            "https://127.0.0.1:10250/stats/summary?only_cpu_and_memory=true",
            "kube-system/web-768c4ccb68-mk5g4",
            "22c90f3f-8233-4cf3-bbe0-4a885e58f3d9",
            "the token is wrong",
            r#"{"node":"<dict(5)>"}"#,
        ] {
            assert_eq!(super::text(text), text);
        }
    }

    #[test]
    fn a_cut_never_shows_the_beginning_of_a_secret() {
        let text = format!("é and {JWT}");
        for most in 0..text.len() {
            let shown = body(text.as_bytes(), most);
            assert!(!shown.contains("eyJ"), "{shown}");
            assert!(shown.len() <= most + 20, "{shown}");
        }
    }
}
