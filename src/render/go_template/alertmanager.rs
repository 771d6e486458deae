//! What Alertmanager adds to Go's functions.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;

use super::buffer::{Buffer, Fault};
use super::go_time::Time;
use super::layout;
use super::number;
use super::value::{IntType, Value};

/// Each letter by itself, as Go does it: `ß` has no large one.
pub fn upper(text: &str) -> String {
    let upper = |char: char| {
        let mut upper = char.to_uppercase();
        if upper.len() == 1 { upper.next().unwrap_or(char) } else { char }
    };
    text.chars().map(upper).collect()
}

pub fn lower(text: &str) -> String {
    text.chars().map(|char| char.to_lowercase().next().unwrap_or(char)).collect()
}

/// The first letter of each word large, all others small. A word goes on behind an apostrophe or the dot of a
/// number, not behind a hyphen.
pub fn title(text: &str) -> String {
    let mut titled = String::with_capacity(text.len());
    let (mut in_word, mut has_letter) = (false, false);
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        in_word = match char {
            _ if char.is_alphanumeric() || char == '_' => true,
            _ => in_word && chars.peek().is_some_and(|behind| joins(before, char, *behind)),
        };
        has_letter &= in_word;
        match (char.is_alphabetic(), has_letter) {
            (true, false) => {
                let mut upper = char.to_uppercase();
                titled.extend(upper.next());
                titled.extend(upper.flat_map(char::to_lowercase));
                has_letter = true;
            }
            (true, true) => titled.extend(char.to_lowercase()),
            _ => titled.push(char),
        }
        before = char;
    }
    titled
}

/// Whether a mark between two characters is part of a word, as Go's library for texts sees it.
fn joins(before: char, mark: char, behind: char) -> bool {
    let letters = before.is_alphabetic() && behind.is_alphabetic();
    let digits = before.is_numeric() && behind.is_numeric();
    match mark {
        '\'' | '.' | '’' => before.is_alphanumeric() && behind.is_alphanumeric(),
        ':' | '·' => letters,
        ',' | ';' => digits,
        _ => false,
    }
}

/// # Errors
/// When it becomes too long.
pub fn join(separator: &str, texts: &[&str]) -> Result<String, Fault> {
    let mut buffer = Buffer::default();
    for (at, text) in texts.iter().enumerate() {
        if at > 0 {
            buffer.push_str(separator)?;
        }
        buffer.push_str(text)?;
    }
    Ok(buffer.into_text())
}

/// # Errors
/// When the text is not written as the layout shows.
pub fn date(layout: &str, text: &str) -> Result<Time, Fault> {
    layout::parse(layout, text)
}

pub fn base64_encode(text: &str) -> String {
    URL_SAFE.encode(text)
}

/// # Errors
/// When it is no base64 of the alphabet for addresses.
pub fn base64_decode(text: &str) -> Result<String, Fault> {
    let bytes = URL_SAFE.decode(text.replace(['\r', '\n'], ""));
    let bytes = bytes.map_err(|error| format!("expected base64 with `-` and `_`, padded with `=`: {error}"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// # Errors
/// When names and values are not in pairs.
pub fn dict(arguments: &[Value]) -> Result<Value, Fault> {
    if !arguments.len().is_multiple_of(2) {
        return Err(format!("`dict` takes pairs of a name and a value, got {} arguments", arguments.len()));
    }
    let mut entries: BTreeMap<Arc<str>, Value> = BTreeMap::new();
    for pair in arguments.chunks_exact(2) {
        let Value::Text(name, _) = &pair[0] else {
            return Err(format!("the names of a `dict` must be texts, got {}", pair[0].a_type()));
        };
        entries.insert(name.clone(), pair[1].clone());
    }
    Value::map(entries)
}

/// Seconds as people say them: `1d 2h 3m 4s`, `12.35s`, `123.5ms`.
///
/// # Errors
/// When it is no number.
pub fn humanize_duration(value: &Value) -> Result<String, Fault> {
    let seconds = match value {
        Value::Int(nanos, IntType::Duration) => *nanos as f64 / 1e9,
        Value::Int(number, _) => *number as f64,
        Value::Float(number) => *number,
        Value::Text(text, _) => {
            text.parse().map_err(|_| format!("`humanizeDuration` takes seconds or a span, got the text `{text}`"))?
        }
        _ => return Err(format!("`humanizeDuration` takes seconds or a span, got {}", value.a_type())),
    };
    Ok(spoken(seconds))
}

const SIGNIFICANT: usize = 4;

fn spoken(seconds: f64) -> String {
    if seconds.is_nan() {
        return "NaN".into();
    }
    if seconds.is_infinite() {
        return if seconds > 0.0 { "+Inf".into() } else { "-Inf".into() };
    }
    let sign = if seconds < 0.0 { "-" } else { "" };
    let mut left = seconds.abs();
    if left >= 1.0 {
        let whole = left as u64;
        let (days, hours, minutes, rest) = (whole / 86_400, whole / 3_600 % 24, whole / 60 % 60, whole % 60);
        return match (days, hours, minutes) {
            (0, 0, 0) => format!("{sign}{}s", number::general(left, Some(SIGNIFICANT))),
            (0, 0, _) => format!("{sign}{minutes}m {rest}s"),
            (0, _, _) => format!("{sign}{hours}h {minutes}m {rest}s"),
            _ => format!("{sign}{days}d {hours}h {minutes}m {rest}s"),
        };
    }
    let mut prefix = "";
    for smaller in ["m", "u", "n", "p", "f", "a", "z", "y"] {
        if left >= 1.0 || left == 0.0 {
            break;
        }
        prefix = smaller;
        left *= 1_000.0;
    }
    format!("{sign}{}{prefix}s", number::general(left, Some(SIGNIFICANT)))
}
