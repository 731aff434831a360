//! Values of settings, from text.

use std::time::Duration;

/// Bytes of a name.
const MOST_NAME: usize = 253;
/// Longest duration that can be asked for.
const MOST_TIME: Duration = Duration::from_secs(24 * 3600);
/// Units of sizes: those of Kubernetes and those of people.
const UNITS: [(&str, usize); 10] = [
    ("", 1),
    ("B", 1),
    ("k", 1_000),
    ("kB", 1_000),
    ("Ki", 1 << 10),
    ("KiB", 1 << 10),
    ("Mi", 1 << 20),
    ("MiB", 1 << 20),
    ("Gi", 1 << 30),
    ("GiB", 1 << 30),
];

/// A duration such as `30s`; a bare number counts seconds.
pub(super) fn duration(text: &str, least: Duration) -> Result<Duration, String> {
    let parsed = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => humantime::parse_duration(text)
            .map_err(|_| "it is no duration; write 30s or 5m".to_owned())?,
    };
    match (least..=MOST_TIME).contains(&parsed) {
        true => Ok(parsed),
        false => Err(format!(
            "it must be between {} and {}",
            humantime::format_duration(least),
            humantime::format_duration(MOST_TIME)
        )),
    }
}

/// A size such as `32MiB`; a bare number counts bytes.
pub(super) fn bytes(text: &str, least: usize) -> Result<usize, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = UNITS.iter().find(|(name, _)| *name == unit.trim());
    let size = number.parse::<usize>().ok().zip(unit);
    let size = size.and_then(|(number, (_, unit))| number.checked_mul(*unit));
    match size {
        None => Err("it is no size; write 32MiB".to_owned()),
        Some(size) if size < least => Err(format!("it must be at least {least} bytes")),
        Some(size) => Ok(size),
    }
}

/// A number within bounds.
pub(super) fn count(text: &str, bounds: (usize, usize)) -> Result<usize, String> {
    let (least, most) = bounds;
    let number = text.parse().ok();
    number
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| format!("it must be a number between {least} and {most}"))
}

/// A name as the agents' setting allows it.
pub(super) fn name(text: &str) -> Result<String, String> {
    let is_name = text.len() <= MOST_NAME && !text.contains(char::is_whitespace);
    match is_name {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "it must have at most {MOST_NAME} characters, none of them a blank"
        )),
    }
}

pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" | "" => Ok(false),
        _ => Err("it is neither true nor false".to_owned()),
    }
}

pub(super) fn level(text: &str) -> Result<log::LevelFilter, String> {
    let told = "write error, warn, info, debug or trace";
    match text.to_ascii_lowercase().as_str() {
        "warning" => Ok(log::LevelFilter::Warn),
        "off" => Err(told.to_owned()),
        other => other.parse().map_err(|_| told.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let second = Duration::from_secs(1);
        assert_eq!(duration("30", second), Ok(30 * second));
        assert_eq!(duration("5m", second), Ok(300 * second));
        for bad in ["", "x", "10ms", "25h", "-1", "99999999999999999999"] {
            assert!(duration(bad, second).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(bytes("32MiB", 1), Ok(32 << 20));
        assert_eq!(bytes("1 Gi", 1), Ok(1 << 30));
        assert_eq!(bytes("5000", 1), Ok(5_000));
        assert_eq!(bytes("2kB", 1), Ok(2_000));
        for bad in [
            "",
            "MiB",
            "3 apples",
            "-1",
            "0",
            "99999999999999999999",
            "18446744073709551615Gi",
        ] {
            assert!(bytes(bad, 1).is_err(), "{bad}");
        }
    }

    #[test]
    fn words() {
        assert_eq!(count("2", (1, 8)), Ok(2));
        assert!(count("9", (1, 8)).is_err() && count("two", (1, 8)).is_err());
        assert_eq!(switch("True"), Ok(true));
        assert!(switch("maybe").is_err());
        assert_eq!(level("WARNING"), Ok(log::LevelFilter::Warn));
        assert!(level("off").is_err() && level("loud").is_err());
    }
}
