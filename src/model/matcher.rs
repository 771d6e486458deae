//! One label matcher in Alertmanager's syntax: `name="value"`, `!=`, `=~`, `!~`; regular expressions
//! are anchored at both ends, and a label that is absent counts as empty.

mod go_regex;
mod list;

use regex::Regex;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

#[derive(Clone, Debug)]
pub struct Matcher {
    pub name: String,
    pub value: String,
    operator: Operator,
}

#[derive(Clone, Debug)]
enum Operator {
    Equal,
    NotEqual,
    Regex(Pattern),
    NotRegex(Pattern),
}

/// Most patterns name a few values. To look for those takes no automaton, which takes 0.1 ms to make.
#[derive(Clone, Debug)]
enum Pattern {
    Values(Box<[String]>),
    Regex(Regex),
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MatcherError {
    #[error("expected a matcher such as `name=\"value\"` with `=`, `!=`, `=~` or `!~`, got `{0}`")]
    Syntax(String),
    #[error("invalid regular expression `{pattern}`: {reason}")]
    Regex { pattern: String, reason: String },
}

/// What means something outside quotes.
const RESERVED: [char; 6] = ['"', '=', '!', '~', '{', '}'];

/// A pattern that compiles to more than this is refused: it would cost memory for each route.
const REGEX_BYTES_MAX: usize = 1 << 20;

impl Matcher {
    pub fn equal(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into(), operator: Operator::Equal }
    }

    /// `=`, `!=`, `=~` or `!~`.
    pub fn operator(&self) -> &'static str {
        match self.operator {
            Operator::Equal => "=",
            Operator::NotEqual => "!=",
            Operator::Regex(_) => "=~",
            Operator::NotRegex(_) => "!~",
        }
    }

    /// It asks for a label that is empty or absent. One that is negative never counts as such, as in Alertmanager.
    pub fn is_for_nothing(&self) -> bool {
        matches!(self.operator, Operator::Equal | Operator::Regex(_)) && self.is_match(None)
    }

    pub fn is_match(&self, actual: Option<&str>) -> bool {
        let actual = actual.unwrap_or("");
        match &self.operator {
            Operator::Equal => actual == self.value,
            Operator::NotEqual => actual != self.value,
            Operator::Regex(pattern) => pattern.is_match(actual),
            Operator::NotRegex(pattern) => !pattern.is_match(actual),
        }
    }

    /// The values that it matches, where they are few and can be named: one, or those of `a|b|c`. None of them is empty.
    pub fn literals(&self) -> Option<Vec<String>> {
        let all = match &self.operator {
            Operator::Equal => vec![self.value.clone()],
            Operator::Regex(Pattern::Values(values)) => values.to_vec(),
            Operator::Regex(_) | Operator::NotEqual | Operator::NotRegex(_) => return None,
        };
        all.iter().all(|value| !value.is_empty()).then_some(all)
    }

    /// # Errors
    /// When `operator` is a regular one and the value is no pattern.
    pub fn new(name: String, operator: &str, value: String) -> Result<Self, MatcherError> {
        let operator = match operator {
            "=" => Operator::Equal,
            "!=" => Operator::NotEqual,
            "=~" => Operator::Regex(Pattern::read(&value)?),
            _ => Operator::NotRegex(Pattern::read(&value)?),
        };
        Ok(Self { name, value, operator })
    }

    /// Reads one matcher or several, as Alertmanager does: `a="1"`, `a="1", b=~"x|y"`, `{a="1",b!="2"}`.
    ///
    /// # Errors
    /// The first one that does not fit.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, MatcherError> {
        list::read(text.trim())
    }

    /// Reads exactly one, by the same two grammars; to the older one a comma is a part of the value.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse_one(text: &str) -> Result<Self, MatcherError> {
        list::read_one(text)
    }
}

impl Pattern {
    fn read(pattern: &str) -> Result<Self, MatcherError> {
        match alternatives(pattern) {
            Some(values) => Ok(Self::Values(values.into())),
            None => anchored(pattern).map(Self::Regex),
        }
    }

    fn is_match(&self, actual: &str) -> bool {
        match self {
            Self::Values(values) => values.iter().any(|value| value == actual),
            Self::Regex(regex) => regex.is_match(actual),
        }
    }
}

/// Alternatives that are looked up one by one.
const LITERALS_MAX: usize = 256;

/// The texts of `a|b|c`, of `(a|b|c)` and of `(?:a|b|c)`, when nothing else is in the pattern.
fn alternatives(pattern: &str) -> Option<Vec<String>> {
    let group = pattern.strip_prefix("(?:").or_else(|| pattern.strip_prefix('('));
    let inner = group.and_then(|rest| rest.strip_suffix(')')).unwrap_or(pattern);
    let mut all = vec![String::new()];
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        let literal = match c {
            '|' if all.len() < LITERALS_MAX => {
                all.push(String::new());
                continue;
            }
            '\\' => chars.next().filter(char::is_ascii_punctuation)?,
            '|' | '.' | '+' | '*' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '^' | '$' => return None,
            c => c,
        };
        all.last_mut()?.push(literal);
    }
    Some(all)
}

fn clip(text: &str) -> String {
    text.chars().take(120).collect()
}

impl FromStr for Matcher {
    type Err = MatcherError;

    fn from_str(text: &str) -> Result<Self, MatcherError> {
        let syntax = || MatcherError::Syntax(clip(text));
        let trimmed = text.trim();
        let (name, rest) = match trimmed.strip_prefix('"') {
            Some(_) => take_quoted(trimmed).ok_or_else(syntax)?,
            None => {
                let end = trimmed.find(['=', '!']).ok_or_else(syntax)?;
                let name = trimmed[..end].trim_end();
                if name.contains(|c: char| c.is_whitespace() || c == ',' || RESERVED.contains(&c)) {
                    return Err(syntax());
                }
                (name.to_owned(), &trimmed[end..])
            }
        };
        let rest = rest.trim_start();
        if name.is_empty() {
            return Err(syntax());
        }
        let (kind, rest) = ["=~", "!~", "!=", "="]
            .into_iter()
            .find_map(|op| rest.strip_prefix(op).map(|rest| (op, rest.trim())))
            .ok_or_else(syntax)?;
        let value = if rest.starts_with('"') {
            let (value, tail) = take_quoted(rest).ok_or_else(syntax)?;
            if !tail.trim().is_empty() {
                return Err(syntax());
            }
            value
        } else if rest.contains(RESERVED) {
            return Err(syntax());
        } else {
            rest.to_owned()
        };
        Self::new(name, kind, value)
    }
}

/// The pattern has to stand by itself: `a)|(?:b` would close our group and match a part of a value.
fn anchored(pattern: &str) -> Result<Regex, MatcherError> {
    let compile = |pattern: &str| regex::RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX).build();
    let translated = go_regex::translate(pattern);
    let stands_alone = if translated.contains(')') { compile(&translated).map(drop) } else { Ok(()) };
    stands_alone
        .and_then(|()| compile(&format!("^(?:{translated})$")))
        .map_err(|error| MatcherError::Regex { pattern: clip(pattern), reason: last_line(&error.to_string()) })
}

/// The regex crate draws a picture over several lines; the last one says what is wrong.
fn last_line(text: &str) -> String {
    text.lines().last().unwrap_or(text).trim_start_matches("error: ").to_owned()
}

/// Reads a double-quoted string with Go's common escapes; returns it and what follows.
fn take_quoted(text: &str) -> Option<(String, &str)> {
    let mut chars = text.strip_prefix('"')?.char_indices();
    let mut value = String::new();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 2..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                c @ ('"' | '\\') => value.push(c),
                // Alertmanager keeps an unknown escape as it stands, so `\d` works in a pattern.
                c => value.extend(['\\', c]),
            },
            c => value.push(c),
        }
    }
    None
}

fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// Reads back as the same matcher: silences and routes are stored in this form.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '.' | '-' | '/');
        match self.name.chars().all(is_plain) {
            true => f.write_str(&self.name)?,
            false => write_quoted(f, &self.name)?,
        }
        f.write_str(self.operator())?;
        write_quoted(f, &self.value)
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.operator(), &self.value) == (&other.name, other.operator(), &other.value)
    }
}

impl Serialize for Matcher {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Matcher {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, actual: Option<&str>, expected: bool) {
        let matcher: Matcher = text.parse().unwrap();
        assert_eq!(matcher.is_match(actual), expected, "{text} on {actual:?}");
        assert_eq!(matcher.to_string().parse::<Matcher>().unwrap(), matcher);
    }

    #[test]
    fn matches_as_alertmanager_does() {
        check(r#"team="ops""#, Some("ops"), true);
        check("team=ops", Some("ops"), true);
        check(r#"team != "ops""#, None, true);
        check(r#"priority=~"P1|P2""#, Some("P2"), true);
        check(r#"priority=~"P1|P2""#, Some("P22"), false);
        check(r#"instance!~"db-\\d+""#, Some("db-3"), false);
        check(r#"team="""#, None, true);
        check(r#"summary="a \"quoted\", text""#, Some(r#"a "quoted", text"#), true);
        // Names of any letters, as Prometheus 3 has them; and a `$` of ours that stops before a line end.
        check(r#""a=b, \"c\""="x""#, Some("x"), true);
        check(r#""two words"="x""#, Some("x"), true);
        check(r#"team=~"ops""#, Some("ops\n"), false);
        check(r#"team=~"ops|""#, None, true);
        check(r#"team!~"ops|dev""#, Some("dev"), false);
        check(r#"team=~"o.s|dev""#, Some("ops"), true);
    }

    #[test]
    fn says_what_is_wrong() {
        for text in ["team", "=x", r#"a="b"#, r#"a="b" c"#, "a=b=c", r#"a=~"(""#, "a b=c", "a,b=c", r#"a"b=c"#] {
            assert!(text.parse::<Matcher>().is_err(), "{text}");
        }
        // Would match any value that begins with `a` or ends with `b`.
        assert!(r#"a=~"a)|(?:b""#.parse::<Matcher>().is_err());
        insta::assert_snapshot!(r#"a=~"(""#.parse::<Matcher>().unwrap_err(), @"invalid regular expression `(`: unclosed group");
    }

    #[test]
    fn names_the_values_that_it_matches() {
        let literals = |text: &str| text.parse::<Matcher>().unwrap().literals().map(|all| all.join(" "));
        for (text, expected) in [
            ("a=x", "x"),
            (r#"a=~"x|y-1|z""#, "x y-1 z"),
            (r#"a=~"(?:x|y)""#, "x y"),
            (r#"a=~"(x)""#, "x"),
            (r#"a=~"10\\.0\\.0\\.1|b\\|c""#, "10.0.0.1 b|c"),
        ] {
            assert_eq!(literals(text).as_deref(), Some(expected), "{text}");
        }
        let others = [r#"a="""#, "a!=x", r#"a!~"x""#, r#"a=~"x|""#, r#"a=~"x.*""#, r#"a=~"(x|y)z""#, r#"a=~"(x)|(y)""#];
        for text in others.into_iter().chain([r#"a=~"(?i)x""#, r#"a=~"\\d""#, r#"a=~"x?""#, r#"a=~"[xy]""#]) {
            assert_eq!(literals(text), None, "{text}");
        }
    }

    #[test]
    fn reads_lists() {
        let all = Matcher::parse_all(r#"{a="1,2", b=~"x|y"}"#).unwrap();
        assert_eq!(all.iter().map(ToString::to_string).collect::<Vec<_>>(), [r#"a="1,2""#, r#"b=~"x|y""#]);
    }
}
