//! Texts made safe for where they go: HTML, JavaScript, addresses, styles.

use super::number::is_printable;

/// As the function `html`.
pub fn html(text: &str) -> String {
    replaced(text, |char| match char {
        '"' => Some("&#34;"),
        '\'' => Some("&#39;"),
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '\0' => Some("\u{fffd}"),
        _ => None,
    })
}

/// For text and attributes; `+` too, which old browsers took for the begin of another character set.
pub fn markup(text: &str) -> String {
    html(text).replace('+', "&#43;")
}

/// For an attribute without quotes.
pub fn unquoted(text: &str) -> String {
    let escaped = replaced(&markup(text), |char| match char {
        '\t' => Some("&#9;"),
        '\n' => Some("&#10;"),
        '\x0b' => Some("&#11;"),
        '\x0c' => Some("&#12;"),
        '\r' => Some("&#13;"),
        ' ' => Some("&#32;"),
        '=' => Some("&#61;"),
        '`' => Some("&#96;"),
        _ => None,
    });
    // Without any character the next attribute would be the value.
    if escaped.is_empty() { UNSAFE.into() } else { escaped }
}

/// What stands where something dangerous would. Go's word, which people search for.
pub const UNSAFE: &str = "ZgotmplZ";

/// For markup that is printed where none can be: entities stay as they are.
pub fn markup_kept(text: &str) -> String {
    markup(text).replace("&amp;", "&")
}

/// Only the words of a piece of markup.
pub fn without_tags(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('<') {
        words.push_str(before);
        rest = behind.split_once('>').map_or("", |(_, behind)| behind);
    }
    words.push_str(rest);
    words
}

fn replaced(text: &str, replacement: impl Fn(char) -> Option<&'static str>) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match replacement(char) {
            Some(replacement) => escaped.push_str(replacement),
            None => escaped.push(char),
        }
    }
    escaped
}

/// As the function `js`.
pub fn javascript(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\\' | '\'' | '"' => escaped.extend(['\\', char]),
            '<' | '>' | '&' | '=' => escaped.push_str(&format!("\\u{:04X}", u32::from(char))),
            _ if is_printable(char) => escaped.push(char),
            _ => escaped.push_str(&format!("\\u{:04X}", u32::from(char))),
        }
    }
    escaped
}

/// As the function `urlquery`.
pub fn query(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => escaped.push(byte.into()),
            b' ' => escaped.push('+'),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

/// A part of an address: as it is when it is an address already, or else as a value in one.
pub fn address(text: &str, is_address: bool) -> String {
    let bytes = text.as_bytes();
    let mut escaped = String::with_capacity(text.len());
    for (at, byte) in bytes.iter().enumerate() {
        let is_code = || bytes[at + 1..].iter().take(2).filter(|digit| digit.is_ascii_hexdigit()).count() == 2;
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => escaped.push((*byte).into()),
            b'!' | b'#' | b'$' | b'&' | b'*' | b'+' | b',' | b'/' | b':' | b';' | b'=' | b'?' | b'@' | b'[' | b']'
                if is_address =>
            {
                escaped.push((*byte).into());
            }
            b'%' if is_address && is_code() => escaped.push('%'),
            _ => escaped.push_str(&format!("%{byte:02x}")),
        }
    }
    escaped
}

/// Whether it can begin an address without starting a script.
pub fn is_safe_address(text: &str) -> bool {
    match text.split_once(':') {
        Some((scheme, _)) if !scheme.contains('/') => {
            ["http", "https", "mailto"].iter().any(|safe| scheme.eq_ignore_ascii_case(safe))
        }
        _ => true,
    }
}

/// A value in a style, when it cannot be more than one.
pub fn style(text: &str) -> &str {
    let is_risky = text.contains(['\0', '"', '\'', '(', ')', '/', ';', '@', '[', '\\', ']', '`', '{', '}', '<', '>']);
    let word: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    let is_script = ["expression", "mozbinding"].iter().any(|bad| word.to_ascii_lowercase().contains(bad));
    if is_risky || is_script || text.contains("--") { UNSAFE } else { text }
}

/// # Errors
/// When a `%` is not followed by two hexadecimal digits.
pub fn unescape_query(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let code = behind.get(..2).and_then(|code| str::from_utf8(code).ok());
                let code = code.filter(|code| code.bytes().all(|digit| digit.is_ascii_hexdigit()));
                let code = code.and_then(|code| u8::from_str_radix(code, 16).ok());
                bytes.push(code.ok_or_else(|| format!("expected two hexadecimal digits after `%`, got `{text}`"))?);
                rest = &behind[2..];
            }
            _ => bytes.push(*byte),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
