//! What debug mode says of an exchange: one line for each part, secrets hidden, sizes bounded.

use std::fmt::Write as _;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::{Answer, HeaderMap, HttpError, Request, mask};

const MOST_BODY_BYTES: usize = 2_048;
const MOST_KEYS: usize = 32;
const MOST_KEY_BYTES: usize = 64;
const MOST_HEADERS: usize = 32;

/// Logs an exchange.
pub(super) fn log(url: &str, request: &Request<'_>, result: &Result<Answer, HttpError>) {
    for line in lines(url, request, result) {
        log::debug!("{line}");
    }
}

fn lines(url: &str, request: &Request<'_>, result: &Result<Answer, HttpError>) -> Vec<String> {
    let begin = format!(
        "HTTP [{}] {}",
        request.method,
        mask::body(url.as_bytes(), MOST_BODY_BYTES)
    );
    let answer = match result {
        Ok(answer) => answer,
        Err(error) => return vec![format!("{begin} -> {error}")],
    };
    let mut lines = vec![format!("{begin} -> {}", answer.status)];
    if !request.body.is_empty() {
        let data = mask::body(&request.body, MOST_BODY_BYTES);
        lines.push(format!("Request data: {data}"));
    }
    lines.push(format!("Response headers: {}", headers(&answer.headers)));
    if request.secret_answer {
        lines.push(format!("Response content: {}", mask::HIDDEN));
    } else if let Some(structure) = structure(&answer.body) {
        lines.push(format!("Response JSON structure: {structure}"));
    } else if !answer.body.is_empty() {
        let content = mask::body(&answer.body, MOST_BODY_BYTES);
        lines.push(format!("Response content: {content}"));
    }
    lines
}

fn headers(headers: &HeaderMap) -> String {
    let shown: Vec<String> = headers
        .iter()
        .take(MOST_HEADERS)
        .map(|(name, value)| {
            format!(
                "'{name}': '{}'",
                mask::header(name.as_str(), value.as_bytes())
            )
        })
        .collect();
    format!("{{{}}}", shown.join(", "))
}

/// Keys and kinds of a JSON object, without keeping any of it.
fn structure(body: &[u8]) -> Option<String> {
    let mut json = serde_json::Deserializer::from_slice(body);
    (&mut json).deserialize_map(Structure).ok()
}

struct Structure;

impl<'de> Visitor<'de> for Structure {
    type Value = String;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<String, A::Error> {
        let mut text = String::from("{");
        let mut keys = 0;
        while let Some((key, kind)) = map.next_entry::<String, Kind>()? {
            keys += 1;
            if keys <= MOST_KEYS {
                let comma = if keys > 1 { ", " } else { "" };
                let key = mask::body(key.as_bytes(), MOST_KEY_BYTES);
                // Writing to a string can't fail.
                let _always_ok = write!(text, "{comma}\"{key}\": \"<{}>\"", kind.0);
            }
        }
        if keys > MOST_KEYS {
            text.push_str(", ...");
        }
        text.push('}');
        Ok(text)
    }
}

/// `dict(5)`, `list(15)`, `str(3)`, ...
struct Kind(String);

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
        let mut count = 0_usize;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Kind(format!("dict({count})")))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Kind, A::Error> {
        let mut count = 0_usize;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Kind(format!("list({count})")))
    }

    fn visit_str<E>(self, text: &str) -> Result<Kind, E> {
        Ok(Kind(format!("str({})", text.chars().count())))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Kind, E> {
        Ok(Kind("bool".to_owned()))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Kind, E> {
        Ok(Kind("int".to_owned()))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Kind, E> {
        Ok(Kind("int".to_owned()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Kind, E> {
        Ok(Kind("float".to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind("null".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{HeaderName, HeaderValue, StatusCode};

    fn answer(body: &[u8]) -> Result<Answer, HttpError> {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        headers.insert("set-cookie", HeaderValue::from_static("a=b"));
        Ok(Answer {
            status: StatusCode::OK,
            headers,
            body: body.to_vec(),
        })
    }

    #[test]
    fn an_exchange_is_told_as_the_old_collector_did() {
        let request = Request::get("/stats/summary");
        let json = br#"{"node": {"a":1,"b":{}}, "pods": [1, [2], {"x":3}], "n": null, "s":"abc"}"#;
        assert_eq!(
            lines(
                "https://127.0.0.1:10250/stats/summary",
                &request,
                &answer(json)
            ),
            [
                "HTTP [GET] https://127.0.0.1:10250/stats/summary -> 200 OK",
                "Response headers: {'content-type': 'application/json', 'set-cookie': '***'}",
                r#"Response JSON structure: {"node": "<dict(2)>", "pods": "<list(3)>", "n": "<null>", "s": "<str(3)>"}"#,
            ]
        );
        let content = lines("u", &request, &answer(b"i-1234567890abcdef0")).pop();
        assert_eq!(content.unwrap(), "Response content: i-1234567890abcdef0");
    }

    #[test]
    fn secrets_are_in_no_line() {
        let bearer = HeaderValue::from_static("Bearer s3cr3t");
        let request = Request::post("/x", &br#"{"token":"s3cr3t"}"#[..])
            .header(HeaderName::from_static("authorization"), bearer);
        let body = br#"{"message":"Bearer s3cr3t is wrong"}"#;
        let text = lines("http://h/?token=s3cr3t", &request, &answer(body)).join("\n");
        assert!(!text.contains("s3cr3t"), "{text}");
        let request = Request::put("/latest/api/token").secret_answer();
        let text = lines("u", &request, &answer(b"s3cr3t")).join("\n");
        assert!(text.ends_with("Response content: ***"), "{text}");
    }

    #[test]
    fn large_and_broken_bodies_stay_short() {
        let keys: Vec<String> = (0..1_000).map(|n| format!("\"k{n}\":1")).collect();
        let json = format!("{{{}}}", keys.join(","));
        for body in [
            json.into_bytes(),
            vec![b'['; 1_000_000],
            b"{\"a\":[[[[".to_vec(),
            "é".repeat(100_000).into_bytes(),
            vec![0xff; 10_000],
        ] {
            let text = lines("u", &Request::get("/"), &answer(&body)).join("\n");
            assert!(text.len() < 10_000, "{}", text.len());
        }
    }
}
