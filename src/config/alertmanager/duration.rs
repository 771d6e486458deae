//! Durations as Prometheus and as Go write them.

use crate::model::Span;

/// `1h30m`, `100ms`, `1y`: each unit once, from the largest to the smallest; a year has 365 days.
pub(super) fn prometheus(text: &str) -> Option<Span> {
    const DAY: i64 = 86_400_000;
    const UNITS: [(&str, i64); 7] =
        [("y", 365 * DAY), ("w", 7 * DAY), ("d", DAY), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
    if text == "0" {
        return Some(Span::ZERO);
    }
    let (mut total, mut rest, mut units) = (0_i64, text, UNITS.as_slice());
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: i64 = rest[..digits].parse().ok()?;
        let letters = &rest[digits..];
        let unit = &letters[..letters.find(|c: char| c.is_ascii_digit()).unwrap_or(letters.len())];
        let at = units.iter().position(|(name, _)| *name == unit)?;
        total = number.checked_mul(units[at].1).and_then(|ms| total.checked_add(ms))?;
        units = &units[at + 1..];
        rest = &letters[unit.len()..];
    }
    (!text.is_empty()).then_some(Span::from_millis(total))
}

/// `1m30s`, `1.5s`, `500ms`, in whole milliseconds; shorter parts are dropped, and so is a sign before nothing.
pub(super) fn go(text: &str) -> Option<Span> {
    const UNITS: [(&str, i64); 8] = [
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
        ("µs", 1_000),
        ("μs", 1_000),
        ("ns", 1),
    ];
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Span::ZERO);
    }
    let mut total = 0_i64;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, letters) = rest.split_at(end);
        let unit = &letters[..letters.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(letters.len())];
        let (_, ns) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total = total.checked_add(scaled(number, *ns)?)?;
        rest = &letters[unit.len()..];
    }
    (!text.is_empty()).then_some(Span::from_millis(total / 1_000_000))
}

/// `1.5` units of `ns` nanoseconds.
fn scaled(number: &str, ns: i64) -> Option<i64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let digits = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<i64>().ok() };
    let fraction = &fraction[..fraction.len().min(9)];
    let scale = 10_i64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    // Hours of nine digits after the point do not fit into 64 bits.
    let part = i64::try_from(i128::from(digits(fraction)?) * i128::from(ns) / i128::from(scale)).ok()?;
    digits(whole)?.checked_mul(ns)?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prometheus_durations() {
        for (text, ms) in [("1h30m", 5_400_000), ("100ms", 100), ("0", 0), ("1y1w", 32_140_800_000), ("1m1ms", 60_001)]
        {
            assert_eq!(prometheus(text).map(Span::as_millis), Some(ms), "{text}");
        }
        for text in ["", "5", "30m1h", "1h1h", "1.5h", "-1s", "1 h", "1us", "99999999999y"] {
            assert_eq!(prometheus(text), None, "{text}");
        }
    }

    #[test]
    fn go_durations() {
        for (text, ms) in
            [("1m30s", 90_000), ("1.5s", 1_500), (".5h", 1_800_000), ("1m0s", 60_000), ("0", 0), ("5us", 0)]
        {
            assert_eq!(go(text).map(Span::as_millis), Some(ms), "{text}");
        }
        for text in ["", "5", "1d", ".s", "-1s", "1 s", "s"] {
            assert_eq!(go(text), None, "{text}");
        }
    }
}
