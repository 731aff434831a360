//! Times as RFC 3339 has them, with any offset and any number of digits; collectors write offsets.

use protocol::Timestamp;

const MICROS: i64 = 1_000_000;

/// The time that a text tells; without a zone it is in UTC.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(10)?;
    let [year, month, day] = numbers(date, b"0000-00-00")?;
    let (clock, rest) = rest.split_at_checked(9)?;
    let clock = clock.strip_prefix(['T', 't'])?;
    let [hour, minute, second] = numbers(clock, b"00:00:00")?;
    let is_time = hour < 24 && minute < 60 && second <= 60;
    if !is_time || !(1..=12).contains(&month) || !(1..=days_of(year, month)).contains(&day) {
        return None;
    }
    let (micros, zone) = fraction(rest)?;
    let local = ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    let unix_us = (local - offset(zone)?) * MICROS + micros;
    Some(Timestamp { unix_us })
}

/// Three numbers in a text of this form.
fn numbers(text: &str, form: &[u8]) -> Option<[i64; 3]> {
    let is_alike = |(byte, form): (u8, &u8)| match form {
        b'0' => byte.is_ascii_digit(),
        form => byte == *form,
    };
    if text.len() != form.len() || !text.bytes().zip(form).all(is_alike) {
        return None;
    }
    let mut parts = text.split(['-', ':']).map_while(|part| part.parse().ok());
    Some([parts.next()?, parts.next()?, parts.next()?])
}

/// Microseconds, and what follows them.
fn fraction(text: &str) -> Option<(i64, &str)> {
    let Some(text) = text.strip_prefix('.') else {
        return Some((0, text));
    };
    let count = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(count);
    if digits.is_empty() {
        return None;
    }
    let places = digits.bytes().chain(std::iter::repeat(b'0')).take(6);
    let micros = places.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    Some((micros, rest))
}

/// Seconds that a zone is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    let (sign, text) = match zone.as_bytes().first() {
        None => return Some(0),
        Some(b'Z' | b'z') => return (zone.len() == 1).then_some(0),
        Some(b'+') => (1, &zone[1..]),
        Some(b'-') => (-1, &zone[1..]),
        Some(_) => return None,
    };
    let [hours, minutes, _] = numbers(&format!("{text}:00"), b"00:00:00")?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let before = year - 1;
    let leaps = |year: i64| year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let of_years = (year - 1970) * 365 + leaps(before) - leaps(1969);
    let of_months: i64 = (1..month).map(|month| days_of(year, month)).sum();
    of_years + of_months + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Option<String> {
        parse(text).map(|time| time.to_string())
    }

    #[test]
    fn times_of_every_form() {
        for (text, expected) in [
            ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00.000000Z"),
            ("2024-02-29t23:59:59.5z", "2024-02-29T23:59:59.500000Z"),
            ("2024-01-01T00:00:00+02:30", "2023-12-31T21:30:00.000000Z"),
            (
                "1999-12-31T20:00:00.1234567-04:00",
                "2000-01-01T00:00:00.123456Z",
            ),
            ("2024-01-01T12:00:00.000001", "2024-01-01T12:00:00.000001Z"),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z"),
            ("2100-03-01T00:00:00Z", "2100-03-01T00:00:00.000000Z"),
        ] {
            assert_eq!(told(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(
            parse("0001-01-01T00:00:00Z").unwrap().unix_us,
            -62_135_596_800 * MICROS
        );
    }

    #[test]
    fn other_texts_are_no_times() {
        for text in [
            "",
            "now",
            "2024-01-01",
            "2024-01-01 00:00:00Z",
            "2024-13-01T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2024-01-00T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00+2:00",
            "2024-01-01T00:00:00+24:00",
            "2024-01-01T00:00:00Zulu",
            "2024-01-01T00:00:00ü",
            "2024-01-0üT00:00:00Z",
            "+024-01-01T00:00:00Z",
            "2024-01-01T00:00:00+00:0",
        ] {
            assert_eq!(told(text), None, "{text}");
        }
    }
}
