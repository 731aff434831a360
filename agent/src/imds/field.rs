//! What may stand in each field. Whoever sits between node and service can answer anything: only what
//! has the field's own form is taken, so that no error page becomes an instance id.

use crate::http::mask;

const MOST_BYTES: usize = 64;
const MOST_SHOWN_BYTES: usize = 40;

/// A path of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `i-...`
    InstanceId,
    /// Family and size.
    InstanceType,
    /// Availability zone by name.
    Zone,
    /// Availability zone by id.
    ZoneId,
    /// Region.
    Region,
    /// How it is paid for.
    LifeCycle,
}

impl Field {
    /// All of them; the id first, as without it the others say nothing.
    pub const ALL: [Self; 6] = [
        Self::InstanceId,
        Self::InstanceType,
        Self::Zone,
        Self::ZoneId,
        Self::Region,
        Self::LifeCycle,
    ];

    /// Where it is, below `/latest/meta-data/`.
    pub fn name(self) -> &'static str {
        match self {
            Self::InstanceId => "instance-id",
            Self::InstanceType => "instance-type",
            Self::Zone => "placement/availability-zone",
            Self::ZoneId => "placement/availability-zone-id",
            Self::Region => "placement/region",
            Self::LifeCycle => "instance-life-cycle",
        }
    }

    fn is_valid(self, text: &str) -> bool {
        let is_word =
            |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
        match self {
            Self::InstanceId => text.strip_prefix("i-").is_some_and(|number| {
                (8..=32).contains(&number.len())
                    && number
                        .bytes()
                        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
            }),
            Self::InstanceType => text.split_once('.').is_some_and(|(family, size)| {
                let is_name = |name: &str| !name.is_empty() && name.as_bytes().iter().all(is_word);
                is_name(family) && is_name(size)
            }),
            // us-gov-west-1, us-west-2-lax-1a, us-east-1-wl1-bos-wlz-1, use1-az6
            Self::Zone | Self::ZoneId | Self::Region => {
                text.as_bytes().iter().all(is_word)
                    && text.starts_with(|first: char| first.is_ascii_lowercase())
                    && text.contains('-')
                    && text.contains(|c: char| c.is_ascii_digit())
            }
            Self::LifeCycle => matches!(
                text,
                "on-demand"
                    | "spot"
                    | "scheduled"
                    | "capacity-block"
                    | "interruptible-capacity-reservation"
            ),
        }
    }
}

/// An answer that can't be that field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{shown}\" is no {}: something else than the instance metadata service answers",
    .field.name()
)]
pub struct FieldError {
    /// Of what.
    pub field: Field,
    /// Its beginning.
    pub shown: String,
}

/// Reads an answer as a field.
pub fn parse_field(field: Field, answer: &[u8]) -> Result<String, FieldError> {
    std::str::from_utf8(answer)
        .ok()
        .filter(|text| text.len() <= MOST_BYTES && field.is_valid(text))
        .map(str::to_owned)
        .ok_or_else(|| FieldError {
            field,
            shown: mask::body(answer, MOST_SHOWN_BYTES),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_values_are_taken() {
        for (field, texts) in [
            (
                Field::InstanceId,
                &["i-1234567890abcdef0", "i-12345678"][..],
            ),
            (
                Field::InstanceType,
                &[
                    "m7g.large",
                    "u-6tb1.112xlarge",
                    "m7i-flex.large",
                    "c5.metal",
                    "mac2-m2.metal",
                ],
            ),
            (
                Field::Zone,
                &["us-east-1a", "us-west-2-lax-1a", "us-east-1-wl1-bos-wlz-1"],
            ),
            (Field::ZoneId, &["use1-az6", "usw2-lax1-az1"]),
            (
                Field::Region,
                &["eu-central-1", "us-gov-west-1", "us-isob-east-1"],
            ),
            (Field::LifeCycle, &["spot", "on-demand", "capacity-block"]),
        ] {
            for text in texts {
                assert_eq!(parse_field(field, text.as_bytes()).as_deref(), Ok(*text));
            }
        }
    }

    #[test]
    fn everything_else_is_refused_in_every_field() {
        let long = format!("i-{}", "a".repeat(5_000));
        for wrong in [
            &b""[..],
            b"<html><body>Please log in</body></html>",
            b"i-1234567890abcdef0\n",
            b" i-1234567890abcdef0",
            b"i-1234567890abcdef0\0",
            b"i-12\x1b[31m34567",
            b"\xff\xfe",
            "us-\u{e9}ast-1".as_bytes(),
            b"i-",
            b"I-1234567890ABCDEF0",
            b"us_east_1",
            b"us east 1",
            b"{\"code\":404}",
            b"../../etc",
            b"null",
            b"-1",
            long.as_bytes(),
        ] {
            for field in Field::ALL {
                let error = parse_field(field, wrong).unwrap_err();
                assert!(error.to_string().len() < 200, "{error}");
            }
        }
        let shown = parse_field(Field::Zone, b"a\nb").unwrap_err().shown;
        assert_eq!(shown, "a\\nb");
    }
}
