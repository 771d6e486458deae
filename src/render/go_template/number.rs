//! Numbers and quoted texts as Go's verbs write them.

use std::fmt::Write as _;

use super::print::Spec;

pub fn integer(number: i64, spec: &Spec) -> String {
    let magnitude = number.unsigned_abs();
    let mut digits = match spec.verb {
        'b' => format!("{magnitude:b}"),
        'o' | 'O' => format!("{magnitude:o}"),
        'x' => format!("{magnitude:x}"),
        'X' => format!("{magnitude:X}"),
        _ => magnitude.to_string(),
    };
    if let Some(precision) = spec.precision {
        if precision == 0 && number == 0 {
            return String::new();
        }
        digits = format!("{}{digits}", "0".repeat(precision.saturating_sub(digits.len())));
    }
    let prefix = match (spec.verb, spec.sharp) {
        ('O', _) => "0o",
        ('b', true) => "0b",
        ('o', true) => "0",
        ('x', true) => "0x",
        ('X', true) => "0X",
        _ => "",
    };
    format!("{}{prefix}{digits}", sign(number < 0, spec))
}

fn sign(is_negative: bool, spec: &Spec) -> &'static str {
    match (is_negative, spec.plus, spec.space) {
        (true, ..) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        _ => "",
    }
}

/// More digits than any number has; what follows is zeros.
const DECIMALS_MAX: usize = 1_100;

pub fn float(number: f64, spec: &Spec) -> String {
    if number.is_nan() {
        return format!("{}NaN", if spec.plus { "+" } else { "" });
    }
    let sign = sign(number.is_sign_negative(), &Spec { plus: spec.plus || number == f64::INFINITY, ..*spec });
    let magnitude = number.abs();
    if magnitude.is_infinite() {
        return format!("{sign}Inf");
    }
    let upper = spec.verb.is_ascii_uppercase() && spec.verb != 'F';
    let precision = spec.precision.map(|precision| precision.min(DECIMALS_MAX));
    let text = match spec.verb {
        'f' | 'F' => format!("{magnitude:.*}", precision.unwrap_or(6)),
        'e' | 'E' => exponent(&format!("{magnitude:.*e}", precision.unwrap_or(6))),
        _ => general(magnitude, precision),
    };
    format!("{sign}{}", if upper { text.to_ascii_uppercase() } else { text })
}

/// Rust's `1.5e2` as Go's `1.5e+02`.
fn exponent(text: &str) -> String {
    let Some((digits, power)) = text.split_once('e') else { return text.to_owned() };
    let (sign, power) = power.strip_prefix('-').map_or(('+', power), |power| ('-', power));
    format!("{digits}e{sign}{power:0>2}")
}

/// Up to which power a number without a precision is written out.
const SHORTEST_PRECISION: usize = 6;

/// `%g`: as few digits as tell it from its neighbours, or so many.
pub fn general(magnitude: f64, precision: Option<usize>) -> String {
    let precision = precision.map(|precision| precision.max(1));
    let scientific = match precision {
        Some(precision) => format!("{magnitude:.*e}", precision - 1),
        None => format!("{magnitude:e}"),
    };
    let (digits, power) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits = if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
    let power: i64 = power.parse().unwrap_or(0);
    let count = digits.len() - usize::from(digits.contains('.'));
    let point = power + 1;
    let most = match precision {
        None => SHORTEST_PRECISION,
        Some(precision) if precision > count && count as i64 >= point => count,
        Some(precision) => precision,
    };
    if power < -4 || power >= most as i64 {
        return exponent(&format!("{digits}e{power}"));
    }
    let decimals = (count as i64 - point).max(0) as usize;
    format!("{:.decimals$}", scientific.parse::<f64>().unwrap_or(magnitude))
}

pub fn hexadecimal(bytes: &[u8], spec: &Spec) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for (at, byte) in bytes.iter().enumerate() {
        if spec.space && at > 0 {
            text.push(' ');
        }
        if spec.sharp && (at == 0 || spec.space) {
            text.push_str(if spec.verb == 'x' { "0x" } else { "0X" });
        }
        let _ = if spec.verb == 'x' { write!(text, "{byte:02x}") } else { write!(text, "{byte:02X}") };
    }
    text
}

/// `%q`, with characters beyond ASCII escaped on demand.
pub fn quoted(text: &str, ascii: bool) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    text.chars().for_each(|char| escape(&mut quoted, char, '"', ascii));
    quoted.push('"');
    quoted
}

pub fn quoted_char(char: char, ascii: bool) -> String {
    let mut quoted = "'".to_owned();
    escape(&mut quoted, char, '\'', ascii);
    quoted.push('\'');
    quoted
}

fn escape(text: &mut String, char: char, quote: char, ascii: bool) {
    let _ = match char {
        '\x07' => write!(text, "\\a"),
        '\x08' => write!(text, "\\b"),
        '\x0c' => write!(text, "\\f"),
        '\n' => write!(text, "\\n"),
        '\r' => write!(text, "\\r"),
        '\t' => write!(text, "\\t"),
        '\x0b' => write!(text, "\\v"),
        '\\' => write!(text, "\\\\"),
        _ if char == quote => write!(text, "\\{char}"),
        _ if is_printable(char) && (char.is_ascii() || !ascii) => write!(text, "{char}"),
        '\0'..='\x7f' => write!(text, "\\x{:02x}", u32::from(char)),
        '\u{80}'..='\u{ffff}' => write!(text, "\\u{:04x}", u32::from(char)),
        _ => write!(text, "\\U{:08x}", u32::from(char)),
    };
}

/// Letters, marks, numbers, punctuation, symbols, and the common space.
pub fn is_printable(char: char) -> bool {
    char == ' ' || !(char.is_control() || char.is_whitespace() || is_invisible(char))
}

fn is_invisible(char: char) -> bool {
    matches!(char, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{e000}'..='\u{f8ff}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..)
}
