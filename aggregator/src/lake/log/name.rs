//! Names of the files of a log, and of the data files that it names.

use std::fmt::Write as _;

/// What a name in the log's folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// The entry of a version.
    Entry(u64),
    /// A part of the checkpoint at a version, counted from 1.
    Checkpoint {
        /// Which version.
        version: u64,
        /// Which part.
        part: u64,
        /// Of how many.
        parts: u64,
    },
}

/// Name of the entry of a version.
pub fn entry(version: u64) -> String {
    format!("{version:020}.json")
}

impl Name {
    /// Which version it is of.
    pub fn version(self) -> u64 {
        match self {
            Self::Entry(version) | Self::Checkpoint { version, .. } => version,
        }
    }

    /// Understands a name in the log's folder; most that others put there mean nothing here.
    pub fn parse(name: &str) -> Option<Self> {
        let (version, rest) = name.split_once('.')?;
        let version = number(version, 20)?;
        if rest == "json" {
            return Some(Self::Entry(version));
        }
        let rest = rest.strip_prefix("checkpoint.")?;
        if rest == "parquet" {
            let (part, parts) = (1, 1);
            return Some(Self::Checkpoint {
                version,
                part,
                parts,
            });
        }
        let (part, parts) = rest.strip_suffix(".parquet")?.split_once('.')?;
        Some(Self::Checkpoint {
            version,
            part: number(part, 10)?,
            parts: number(parts, 10)?,
        })
    }
}

fn number(digits: &str, length: usize) -> Option<u64> {
    let is_number = digits.len() == length && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { digits.parse().ok() } else { None }
}

/// Name of a data file's folders and of itself, as the store has it. What is not harmless in a name of a
/// folder is escaped, as Hive does.
pub fn data_file(cluster: &str, date: &str, random: &str) -> String {
    let (cluster, date) = (escaped(cluster), escaped(date));
    format!("cluster={cluster}/date={date}/part-{random}.parquet")
}

/// A path as the log names it: one more escape, since readers take one away.
pub fn in_log(path: &str) -> String {
    path.replace('%', "%25")
}

/// The path in the store that a log names.
pub fn in_store(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

fn escaped(value: &str) -> String {
    let mut name = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            name.push(char::from(byte));
        } else {
            // Writing to a string can't fail.
            write!(name, "%{byte:02X}").unwrap_or_default();
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_understood() {
        assert_eq!(Name::parse(&entry(42)), Some(Name::Entry(42)));
        let one = Name::Checkpoint {
            version: 10,
            part: 1,
            parts: 1,
        };
        assert_eq!(
            Name::parse("00000000000000000010.checkpoint.parquet"),
            Some(one)
        );
        let third = Name::Checkpoint {
            version: 10,
            part: 3,
            parts: 4,
        };
        let name = "00000000000000000010.checkpoint.0000000003.0000000004.parquet";
        assert_eq!(Name::parse(name), Some(third));
        for other in [
            "_last_checkpoint",
            "00000000000000000010.crc",
            "10.json",
            "+0000000000000000010.json",
            "00000000000000000010.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.parquet",
            "00000000000000000010.json.tmp",
        ] {
            assert_eq!(Name::parse(other), None, "{other}");
        }
    }

    #[test]
    fn any_cluster_makes_a_path_that_reads_back() {
        let path = data_file("prod/eu west%é", "2026-01-02", "ab");
        assert_eq!(
            path,
            "cluster=prod%2Feu%20west%25%C3%A9/date=2026-01-02/part-ab.parquet"
        );
        let named = in_log(&path);
        assert_eq!(
            named,
            "cluster=prod%252Feu%2520west%2525%25C3%25A9/date=2026-01-02/part-ab.parquet"
        );
        assert_eq!(in_store(&named).as_deref(), Some(path.as_str()));
        assert_eq!(in_store("100%"), None);
        assert_eq!(in_store("%zz"), None);
    }
}
