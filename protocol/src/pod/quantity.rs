//! Quantities as Kubernetes writes them: a decimal number with a suffix or an exponent.

use serde_json::value::RawValue;

/// More digits than any quantity has; keeps the arithmetic in range.
const MOST_DIGITS: usize = 30;
const MOST_EXPONENT: i32 = 60;

/// What a quantity is wanted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Thousandths of a core.
    Millicores,
    /// Bytes.
    Bytes,
}

/// Digits, how many powers of ten they are to be taken by, and how many powers of two.
struct Scaled {
    digits: u128,
    tens: i32,
    twos: u32,
}

/// A quantity such as `100m`, `1.5Gi`, `129e6`, rounded up. None when it is negative, none at all, or larger than
/// what an i64 holds.
pub fn parse_quantity(text: &str, unit: Unit) -> Option<i64> {
    let number_end = text
        .find(|character: char| !character.is_ascii_digit() && !".+-".contains(character))
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at_checked(number_end)?;
    let (digits, fraction_digits) = parse_number(number)?;
    let (tens, twos) = parse_suffix(suffix)?;
    let unit_tens = match unit {
        Unit::Millicores => 3,
        Unit::Bytes => 0,
    };
    let scaled = Scaled {
        digits,
        tens: tens + unit_tens - fraction_digits,
        twos,
    };
    i64::try_from(scaled.rounded_up()?).ok()
}

/// The quantity of a field, a text or a bare number; what is none of that is counted.
pub fn read_quantity(raw: Option<&RawValue>, unit: Unit, oddities: &mut u64) -> Option<i64> {
    let text = raw?.get();
    let inner = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    let quantity = parse_quantity(inner.unwrap_or(text), unit);
    if quantity.is_none() && text != "null" {
        *oddities += 1;
    }
    quantity
}

/// Its digits without the point, and how many stand behind the point.
fn parse_number(number: &str) -> Option<(u128, i32)> {
    let number = number.strip_prefix('+').unwrap_or(number);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let length = whole.len() + fraction.len();
    let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if length == 0 || length > MOST_DIGITS || !are_digits(whole) || !are_digits(fraction) {
        return None;
    }
    let digits = format!("{whole}{fraction}").parse().ok()?;
    Some((digits, i32::try_from(fraction.len()).ok()?))
}

/// Powers of ten and of two.
fn parse_suffix(suffix: &str) -> Option<(i32, u32)> {
    Some(match suffix {
        "" => (0, 0),
        "n" => (-9, 0),
        "u" => (-6, 0),
        "m" => (-3, 0),
        "k" => (3, 0),
        "M" => (6, 0),
        "G" => (9, 0),
        "T" => (12, 0),
        "P" => (15, 0),
        "E" => (18, 0),
        "Ki" => (0, 10),
        "Mi" => (0, 20),
        "Gi" => (0, 30),
        "Ti" => (0, 40),
        "Pi" => (0, 50),
        "Ei" => (0, 60),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E'])?;
            let exponent: i32 = exponent.parse().ok()?;
            if exponent.abs() > MOST_EXPONENT {
                return None;
            }
            (exponent, 0)
        }
    })
}

impl Scaled {
    fn rounded_up(&self) -> Option<u128> {
        if self.digits == 0 {
            return Some(0);
        }
        let product = self.digits.checked_mul(1 << self.twos)?;
        if let Ok(tens) = u32::try_from(self.tens) {
            return product.checked_mul(10_u128.checked_pow(tens)?);
        }
        match 10_u128.checked_pow(self.tens.unsigned_abs()) {
            Some(divisor) => Some(product.div_ceil(divisor)),
            // Less than any unit, but not nothing.
            None => Some(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notation_is_read_and_rounded_up() {
        let bytes = |text| parse_quantity(text, Unit::Bytes);
        let millicores = |text| parse_quantity(text, Unit::Millicores);
        assert_eq!(millicores("100m"), Some(100));
        assert_eq!(millicores("0.5"), Some(500));
        assert_eq!(millicores(".5"), Some(500));
        assert_eq!(millicores("2."), Some(2_000));
        assert_eq!(millicores("1.0005"), Some(1_001));
        assert_eq!(millicores("5u"), Some(1));
        assert_eq!(millicores("7n"), Some(1));
        assert_eq!(millicores("2500u"), Some(3));
        assert_eq!(millicores("1e3"), Some(1_000_000));
        assert_eq!(millicores("+2"), Some(2_000));
        assert_eq!(millicores("0"), Some(0));
        assert_eq!(bytes("128974848"), Some(128_974_848));
        assert_eq!(bytes("129e6"), Some(129_000_000));
        assert_eq!(bytes("129E+6"), Some(129_000_000));
        assert_eq!(bytes("15e-1"), Some(2));
        assert_eq!(bytes("129M"), Some(129_000_000));
        assert_eq!(bytes("123Mi"), Some(123 << 20));
        assert_eq!(bytes("1.5Gi"), Some(3 << 29));
        assert_eq!(bytes("1E"), Some(1_000_000_000_000_000_000));
        assert_eq!(bytes("7Ei"), Some(7 << 60));
        assert_eq!(bytes("1e-60"), Some(1));
        assert_eq!(bytes("100m"), Some(1));
    }

    #[test]
    fn what_is_no_amount_is_none() {
        let wrong = [
            "",
            "-1",
            "-1Gi",
            "+",
            ".",
            "1.2.3",
            "Mi",
            "1 Mi",
            " 1",
            "1mi",
            "1KI",
            "1e",
            "1e61",
            "1e99999999999",
            "0x10",
            "1_000",
            "NaN",
            "inf",
            "12Ei",
            "8Ei",
            "1e19",
            "٣",
            "1µ",
            "99999999999999999999999999999999999999999",
            "--1",
            "1-",
            "+-1",
        ];
        for text in wrong {
            assert_eq!(parse_quantity(text, Unit::Bytes), None, "{text}");
        }
        assert_eq!(parse_quantity("9300E", Unit::Millicores), None);
    }
}
