//! Objects without their secrets, for the log. Rather too much is hidden than too little.

use serde_json::Value;

/// Stands for what is hidden.
pub(super) const HIDDEN: &str = "***";

/// Whatever has one of these in its name is a secret.
const SECRET: [&str; 8] = [
    "token",
    "secret",
    "password",
    "passwd",
    "key",
    "credential",
    "authorization",
    "cookie",
];

/// Tokens begin so: `{"` in base64.
const JWT_BEGIN: &str = "eyJ";
const JWT_LEAST_BYTES: usize = 20;

/// The beginning of an object's JSON, masked.
pub(super) fn object(json: &str, most: usize) -> String {
    let masked = match serde_json::from_str(json) {
        Ok(mut value) => {
            walk(&mut value);
            value.to_string()
        }
        Err(_) => text(json),
    };
    if masked.len() <= most {
        return masked;
    }
    let end = masked.floor_char_boundary(most);
    format!("{}... ({} bytes)", &masked[..end], masked.len())
}

/// Text in which words may be secrets.
pub(crate) fn text(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut hides_next = false;
    for word in text.split_inclusive(|letter: char| letter.is_whitespace() || letter == '"') {
        let bare = word.trim_end_matches(|letter: char| letter.is_whitespace() || letter == '"');
        let shown = match bare.split_once(['=', ':']) {
            _ if bare.is_empty() => None,
            _ if std::mem::take(&mut hides_next) || holds_jwt(bare) => Some(HIDDEN.to_owned()),
            Some((name, value)) if is_secret(file_of(name)) && !value.is_empty() => {
                Some(format!("{name}={HIDDEN}"))
            }
            _ => None,
        };
        let name = bare.trim_end_matches(['=', ':']);
        let is_flag = bare.starts_with('-') || bare.len() > name.len();
        hides_next |= name.eq_ignore_ascii_case("bearer");
        hides_next |= shown.is_none() && is_flag && is_secret(file_of(name));
        match shown {
            Some(shown) => {
                masked.push_str(&shown);
                masked.push_str(&word[bare.len()..]);
            }
            None => masked.push_str(word),
        }
    }
    masked
}

fn walk(value: &mut Value) {
    match value {
        Value::String(string) => *string = inner(string),
        Value::Array(values) => {
            // `--token`, and then the token.
            let mut hides = false;
            for value in values {
                let hid = std::mem::take(&mut hides);
                if let Value::String(string) = value {
                    hides = string.starts_with('-') && !string.contains('=') && is_secret(string);
                    if hid {
                        HIDDEN.clone_into(string);
                    }
                }
                walk(value);
            }
        }
        Value::Object(fields) => {
            // A variable of the environment.
            let name = fields.get("name").and_then(Value::as_str);
            let is_named = name.is_some_and(is_secret);
            for (name, value) in fields {
                let is_hidden = is_secret(name) || is_named && name == "value";
                match value {
                    Value::String(string) if is_hidden => HIDDEN.clone_into(string),
                    Value::Number(_) if is_hidden => *value = HIDDEN.into(),
                    _ => walk(value),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A string may be a whole object, as kubectl's last-applied-configuration is.
fn inner(string: &str) -> String {
    if string.trim_start().starts_with(['{', '['])
        && let Ok(mut value) = serde_json::from_str(string)
    {
        walk(&mut value);
        return value.to_string();
    }
    text(string)
}

/// Where a file lies makes what is said of it no secret.
fn file_of(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, file)| file)
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET.iter().any(|secret| name.contains(secret))
}

fn holds_jwt(word: &str) -> bool {
    let at = word.find(JWT_BEGIN);
    at.is_some_and(|at| word.len() - at >= JWT_LEAST_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    const JWT: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6IiJ9.eyJpc3MiOiJrdWJlIn0.c2ln";

    fn all(json: &str) -> String {
        object(json, usize::MAX)
    }

    #[test]
    fn secrets_of_an_object_are_hidden_wherever_they_stand() {
        let applied = r#"{"spec":{"env":[{"name":"DB_PASSWORD","value":"hunter1"}]}}"#;
        let object = serde_json::json!({
            "metadata": {
                "name": "web",
                "annotations": {
                    "example.com/team": "a",
                    "example.com/api-token": "hunter2",
                    "kubectl.kubernetes.io/last-applied-configuration": applied,
                    "note": format!("bearer {JWT}"),
                },
            },
            "spec": { "containers": [{
                "args": ["--listen=:80", "--secret=hunter3", "--api-key", "hunter4", "serve"],
                "command": ["sh", "-c", "run --password hunter5 && TOKEN=hunter6 go"],
                "env": [
                    { "name": "AWS_SECRET_ACCESS_KEY", "value": "hunter7" },
                    { "name": "MODE", "value": "fast" },
                    { "name": "Pin_Credential", "value": 8888 },
                ],
            }] },
        });
        let shown = all(&object.to_string());
        for hidden in ["hunter", "8888", "eyJ", "c2ln"] {
            assert!(!shown.contains(hidden), "{shown}");
        }
        for kept in [
            "\"web\"",
            "\"a\"",
            "--listen=:80",
            "serve",
            "\"fast\"",
            "MODE",
            "go",
        ] {
            assert!(shown.contains(kept), "{kept}: {shown}");
        }
    }

    #[test]
    fn what_is_no_json_is_masked_by_words() {
        let shown = all(&format!(
            "Authorization: Bearer {JWT}, {JWT} password=hunter2\nx"
        ));
        assert!(
            !shown.contains("eyJ") && !shown.contains("hunter"),
            "{shown}"
        );
        assert!(shown.ends_with("\nx"), "{shown}");
        let said = "reading /var/run/secrets/ca.crt: No such file";
        assert_eq!(all(said), said);
    }

    #[test]
    fn long_objects_are_cut() {
        let long = format!("{{\"a\":\"{}\"}}", "é".repeat(10_000));
        let shown = object(&long, 1_000);
        assert!(shown.len() < 1_100 && shown.ends_with("bytes)"), "{shown}");
    }
}
