//! Several matchers in one text, as Alertmanager reads them since 0.27: by the grammar that knows names and values of
//! any letters, and by the older one where that does not fit. Decides which of the two a text means: where both fit
//! and disagree it is the older one, so that a configuration of many years keeps its meaning.
//!
//! ```text
//! {foo.bar=~"a|b", team!=ops}   newer        team=\d+,     older
//! ```

use super::{Matcher, MatcherError, clip};

type Reading = Result<Vec<Matcher>, MatcherError>;

pub(super) fn read(text: &str) -> Reading {
    match (read_newer(text), read_older(text)) {
        (Ok(newer), Err(_)) => Ok(newer),
        (Err(_), older) | (Ok(_), older) => older,
    }
}

pub(super) fn read_one(text: &str) -> Result<Matcher, MatcherError> {
    match (read_newer(text).as_deref(), read_older_one(text)) {
        (Ok([newer]), Err(_)) => Ok(newer.clone()),
        (_, older) => older,
    }
}

fn syntax(text: &str) -> MatcherError {
    MatcherError::Syntax(clip(text))
}

#[derive(Debug, PartialEq)]
enum Token {
    Open,
    Close,
    Comma,
    Operator(&'static str),
    /// A name or a value.
    Word(String),
    End,
}

/// What cannot stand in a name or value without quotes.
fn is_reserved(c: char) -> bool {
    c.is_whitespace() || "{}!=~,\\\"'`".contains(c)
}

/// The first token and what follows it.
fn token(text: &str) -> Option<(Token, &str)> {
    let text = text.trim_start();
    let Some(first) = text.chars().next() else { return Some((Token::End, text)) };
    let after = &text[first.len_utf8()..];
    match first {
        '{' => Some((Token::Open, after)),
        '}' => Some((Token::Close, after)),
        ',' => Some((Token::Comma, after)),
        '"' => {
            let end = quoted_end(after)?;
            Some((Token::Word(unquote(&after[..end])?), &after[end + 1..]))
        }
        _ if !is_reserved(first) => {
            let end = text.find(is_reserved).unwrap_or(text.len());
            Some((Token::Word(text[..end].to_owned()), &text[end..]))
        }
        _ => {
            let operator = ["=~", "!~", "!=", "="].into_iter().find(|operator| text.starts_with(operator))?;
            Some((Token::Operator(operator), &text[operator.len()..]))
        }
    }
}

/// Bytes before the quote that ends a text.
fn quoted_end(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let is_end = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        is_end.then_some(at)
    })
}

/// The escapes of a Go string; nothing where there is another one, or a line ends inside.
fn unquote(text: &str) -> Option<String> {
    let (mut value, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if c == '\n' {
            return None;
        }
        if c != '\\' {
            value.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let escape = rest.chars().next()?;
        rest = &rest[escape.len_utf8()..];
        let mut digits = |count: usize, radix: u32| {
            let digits = rest.get(..count)?;
            rest = &rest[count..];
            let is_number = digits.chars().all(|c| c.is_digit(radix));
            is_number.then(|| u32::from_str_radix(digits, radix).ok())?
        };
        match escape {
            'a' => value.push(7),
            'b' => value.push(8),
            'f' => value.push(12),
            'n' => value.push(b'\n'),
            'r' => value.push(b'\r'),
            't' => value.push(b'\t'),
            'v' => value.push(11),
            '\\' | '"' => value.push(escape as u8),
            'x' => value.push(u8::try_from(digits(2, 16)?).ok()?),
            'u' => value.extend_from_slice(char::from_u32(digits(4, 16)?)?.encode_utf8(&mut [0; 4]).as_bytes()),
            'U' => value.extend_from_slice(char::from_u32(digits(8, 16)?)?.encode_utf8(&mut [0; 4]).as_bytes()),
            '0'..='7' => {
                let high = escape.to_digit(8)?;
                value.push(u8::try_from(high * 64 + digits(2, 8)?).ok()?);
            }
            _ => return None,
        }
    }
    String::from_utf8(value).ok()
}

fn read_newer(text: &str) -> Reading {
    let error = || syntax(text);
    let (mut matchers, mut rest) = (Vec::new(), text);
    let mut next = || {
        let (token, after) = token(rest).ok_or_else(error)?;
        rest = after;
        Ok(token)
    };
    let mut first = next()?;
    let is_braced = first == Token::Open;
    if is_braced {
        first = next()?;
    }
    loop {
        let name = match first {
            Token::Word(name) if !name.is_empty() => name,
            Token::Close if is_braced => break,
            Token::End if !is_braced => return Ok(matchers),
            _ => return Err(error()),
        };
        let Token::Operator(operator) = next()? else { return Err(error()) };
        let Token::Word(value) = next()? else { return Err(error()) };
        matchers.push(Matcher::new(name, operator, value)?);
        match next()? {
            Token::Comma => {}
            Token::Close if is_braced => break,
            Token::End if !is_braced => return Ok(matchers),
            _ => return Err(error()),
        }
        first = next()?;
    }
    if matches!(next()?, Token::End) { Ok(matchers) } else { Err(error()) }
}

/// Braces are as good as absent, and a comma may end it.
fn read_older(text: &str) -> Reading {
    let inner = text.strip_prefix('{').unwrap_or(text);
    let inner = inner.strip_suffix('}').unwrap_or(inner);
    let mut parts = split_commas(inner);
    // Only what follows the last comma may be empty.
    if parts.last().is_some_and(|last| last.trim().is_empty()) {
        parts.pop();
    }
    parts.into_iter().map(|part| read_older_one(part).map_err(|error| of_whole(error, text))).collect()
}

/// A part that is empty would say nothing about where to look.
fn of_whole(error: MatcherError, text: &str) -> MatcherError {
    match error {
        MatcherError::Syntax(_) => syntax(text),
        other => other,
    }
}

/// Splits at commas outside quotes.
fn split_commas(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut is_quoted, mut is_escaped) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            ',' if !is_quoted => {
                parts.push(&text[start..at]);
                start = at + 1;
                continue;
            }
            '"' if !is_escaped => is_quoted = !is_quoted,
            _ => {}
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    parts.push(&text[start..]);
    parts
}

fn read_older_one(text: &str) -> Result<Matcher, MatcherError> {
    let error = || syntax(text);
    let trimmed = text.trim();
    let is_in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
    let end = trimmed.find(|c| !is_in_name(c)).ok_or_else(error)?;
    let (name, rest) = trimmed.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(error());
    }
    let rest = rest.trim_start();
    let operator = ["=~", "!~", "!=", "="].into_iter().find(|operator| rest.starts_with(operator)).ok_or_else(error)?;
    Matcher::new(name.to_owned(), operator, older_value(rest[operator.len()..].trim()).ok_or_else(error)?)
}

/// A backslash stands for itself before anything but itself, a quote and an `n`.
fn older_value(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"');
    let mut is_open = inner.is_some();
    let (mut value, mut chars) = (String::new(), inner.unwrap_or(text).chars());
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => value.push('\n'),
                Some(c @ ('"' | '\\')) => value.push(c),
                Some(c) => value.extend(['\\', c]),
                None => value.push('\\'),
            },
            '"' if is_open && chars.as_str().is_empty() => is_open = false,
            '"' => return None,
            c => value.push(c),
        }
    }
    (!is_open).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How a text is understood: each matcher as name, operator and value.
    fn check(text: &str, expected: &[(&str, &str, &str)]) {
        let expected: Vec<Matcher> = expected
            .iter()
            .map(|(name, operator, value)| Matcher::new((*name).into(), operator, (*value).into()).unwrap())
            .collect();
        assert_eq!(read(text), Ok(expected), "{text}");
    }

    #[test]
    fn the_newer_grammar_knows_any_letters() {
        check("", &[]);
        check("{}", &[]);
        check(r#"{foo = "bar", dings != "bums", }"#, &[("foo", "=", "bar"), ("dings", "!=", "bums")]);
        check("name-with-dashes=bar", &[("name-with-dashes", "=", "bar")]);
        check(r#""foo bar"="x", δ=~"ε+""#, &[("foo bar", "=", "x"), ("δ", "=~", "ε+")]);
        check(r#"{"a\"b"="\u00e9\x41\101\t"}"#, &[(r#"a"b"#, "=", "éAA\t")]);
        check("foo=🙂", &[("foo", "=", "🙂")]);
        check(r#"say="Hi, \"ladies\"""#, &[("say", "=", r#"Hi, "ladies""#)]);
    }

    #[test]
    fn what_only_the_older_grammar_knows_keeps_its_meaning() {
        check("job=", &[("job", "=", "")]);
        check("tricky=~~~", &[("tricky", "=~", "~~")]);
        check(r#"trickier==\\=\=\""#, &[("trickier", "=", r#"=\=\=""#)]);
        check("{foo=bar}}", &[("foo", "=", "bar}")]);
        check("a=b=c", &[("a", "=", "b=c")]);
        check(r"instance=~web\d+,team=a b", &[("instance", "=~", r"web\d+"), ("team", "=", "a b")]);
        check(r#"path=~"/a/\w+""#, &[("path", "=~", r"/a/\w+")]);
        // Both grammars read it, and the older one keeps the backslash.
        check(r#"foo="a\tb""#, &[("foo", "=", r"a\tb")]);
    }

    #[test]
    fn one_matcher_is_one_and_a_comma_is_in_its_value() {
        for (text, value) in [("a=b,c", "b,c"), ("a=b, c=d", "b, c=d"), (r#"a="b""#, "b"), (" a = b ", "b"), ("a=", "")]
        {
            assert_eq!(read_one(text), Ok(Matcher::equal("a", value)), "{text}");
        }
        assert_eq!(read_one(r#""a b"="x""#), Ok(Matcher::equal("a b", "x")));
        for text in ["", "a", r#"a="b",c="d""#, "=b"] {
            assert!(read_one(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_no_grammar_knows_is_an_error() {
        for text in [
            "{,}",
            "foo",
            "=bar",
            r#"job="value"#,
            r#"job=value""#,
            r#"a=foo"bar"#,
            r#"foo=~"in[valid""#,
            r#""foo"#,
            r#""a b"=x""#,
            "foo.bar=a=b",
            "a=1,,b=2",
            r#""foo"="\d""#,
            r#"""="x""#,
            "1a=b=c",
        ] {
            assert!(read(text).is_err(), "{text} was read as {:?}", read(text));
        }
    }
}
