//! Points in time as tables hold them: microseconds since 1970, UTC.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Microseconds since 1970, UTC. As JSON in RFC 3339.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Since 1970-01-01T00:00:00Z.
    pub unix_us: i64,
}

impl Timestamp {
    /// This time; before 1970 counts as 1970.
    pub fn from_system(time: SystemTime) -> Self {
        let since = time
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            unix_us: i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        }
    }

    /// This much later or, negative, earlier.
    pub fn plus_us(self, us: i64) -> Self {
        Self {
            unix_us: self.unix_us.saturating_add(us),
        }
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let us = u64::try_from(self.unix_us).unwrap_or(0);
        let time = SystemTime::UNIX_EPOCH + Duration::from_micros(us);
        write!(formatter, "{}", humantime::format_rfc3339_micros(time))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_rfc3339(&text)
            .map(Self::from_system)
            .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_with_microseconds() {
        let time = Timestamp {
            unix_us: 1_700_000_000_123_456,
        };
        assert_eq!(time.to_string(), "2023-11-14T22:13:20.123456Z");
        let json = serde_json::to_string(&time).unwrap();
        assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), time);
        assert_eq!(
            Timestamp { unix_us: -5 }.to_string(),
            "1970-01-01T00:00:00.000000Z"
        );
    }
}
