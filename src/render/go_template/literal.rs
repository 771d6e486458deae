//! Numbers as they are written in Go: `42`, `-1_000`, `0x1F`, `017`, `1e3`.

use super::lexer::Kind;

/// Nothing when it is none.
pub fn number(written: &str) -> Option<Kind> {
    let (sign, digits) = match written.as_bytes().first()? {
        b'-' => ("-", &written[1..]),
        b'+' => ("", &written[1..]),
        _ => ("", written),
    };
    if digits.starts_with('_') || digits.ends_with('_') || digits.contains("__") {
        return None;
    }
    let plain = digits.replace('_', "").to_ascii_lowercase();
    let (radix, body) = match plain.get(..2) {
        Some("0x") => (16, &plain[2..]),
        Some("0b") => (2, &plain[2..]),
        Some("0o") => (8, &plain[2..]),
        Some(_) if plain.starts_with('0') && plain.bytes().all(|byte| byte.is_ascii_digit()) => (8, &plain[1..]),
        _ => (10, &*plain),
    };
    let is_digit = |char: char| char.is_digit(radix);
    if body.starts_with(is_digit) && body.chars().all(is_digit) {
        return i64::from_str_radix(&format!("{sign}{body}"), radix).ok().map(Kind::Int);
    }
    let looks_decimal = plain.starts_with(|char: char| char == '.' || char.is_ascii_digit());
    let number: f64 = (radix == 10 && looks_decimal).then(|| format!("{sign}{plain}").parse().ok())??;
    number.is_finite().then_some(Kind::Float(number))
}
