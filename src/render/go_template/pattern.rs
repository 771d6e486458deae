//! Go's regular expressions in templates. Differs from ours in what `\d`, `\w`, `\s` and `\b` mean, which is
//! ASCII there, and in `\Q…\E`.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};

use super::buffer::{Buffer, Fault};

/// Memory that one compiled pattern may take.
const PATTERN_BYTES_MAX: usize = 1 << 19;

/// The patterns of one rendering, compiled once, and how much text they looked at.
#[derive(Debug, Default)]
pub struct Patterns {
    compiled: BTreeMap<String, Regex>,
    /// To be charged against the limit on work.
    pub work: usize,
}

/// Longer than any that a person writes.
const PATTERN_TEXT_BYTES_MAX: usize = 8 << 10;

const COMPILE_WORK: usize = 1_000;
const BYTES_PER_STEP: usize = 8;

impl Patterns {
    fn find(&mut self, pattern: &str, text: &str) -> Result<&Regex, Fault> {
        self.work += 1 + text.len() / BYTES_PER_STEP;
        if !self.compiled.contains_key(pattern) {
            if pattern.len() > PATTERN_TEXT_BYTES_MAX {
                return Err(format!("a regular expression has at most {PATTERN_TEXT_BYTES_MAX} bytes"));
            }
            self.work += COMPILE_WORK + pattern.len();
            let regex = RegexBuilder::new(&translated(pattern)).size_limit(PATTERN_BYTES_MAX).build();
            let regex = regex.map_err(|error| {
                let error = error.to_string();
                let reason = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
                format!("`{pattern}` is no regular expression: {reason}")
            })?;
            self.compiled.insert(pattern.to_owned(), regex);
        }
        self.compiled.get(pattern).ok_or_else(|| format!("`{pattern}` is no regular expression"))
    }

    /// # Errors
    /// When the pattern is none.
    pub fn is_match(&mut self, pattern: &str, text: &str) -> Result<bool, Fault> {
        Ok(self.find(pattern, text)?.is_match(text))
    }

    /// # Errors
    /// When the pattern is none or the result too long.
    pub fn replace_all(&mut self, pattern: &str, replacement: &str, text: &str) -> Result<String, Fault> {
        let regex = self.find(pattern, text)?;
        let mut buffer = Buffer::default();
        let mut end = 0;
        for captures in regex.captures_iter(text) {
            let Some(found) = captures.get(0) else { continue };
            buffer.push_str(&text[end..found.start()])?;
            end = found.end();
            expand(&mut buffer, replacement, &captures)?;
        }
        buffer.push_str(&text[end..])?;
        Ok(buffer.into_text())
    }
}

/// Puts `$1`, `${1}` and `${name}` in, without ever making more than fits.
fn expand(buffer: &mut Buffer, replacement: &str, captures: &regex::Captures<'_>) -> Result<(), Fault> {
    let mut rest = replacement;
    while let Some(at) = rest.find('$') {
        buffer.push_str(&rest[..at])?;
        let behind = &rest[at + 1..];
        let is_name = |char: char| char == '_' || char.is_alphanumeric();
        let (name, left) = match behind.strip_prefix('{') {
            Some(braced) => braced.split_once('}').unwrap_or(("", behind)),
            None => behind.split_at(behind.find(|char| !is_name(char)).unwrap_or(behind.len())),
        };
        if let Some(left) = behind.strip_prefix('$') {
            buffer.push('$')?;
            rest = left;
        } else if name.is_empty() || !name.chars().all(is_name) {
            buffer.push('$')?;
            rest = behind;
        } else {
            let group = match name.parse::<usize>() {
                Ok(number) => captures.get(number),
                Err(_) => captures.name(name),
            };
            buffer.push_str(group.map_or("", |group| group.as_str()))?;
            rest = left;
        }
    }
    buffer.push_str(rest)
}

/// In our syntax what Go's means.
fn translated(pattern: &str) -> String {
    let mut translated = String::with_capacity(pattern.len());
    let mut chars = pattern.chars().peekable();
    let mut in_class = false;
    let mut class_start = 0;
    while let Some(char) = chars.next() {
        match char {
            '\\' => {
                let Some(escaped) = chars.next() else {
                    translated.push('\\');
                    break;
                };
                match escaped {
                    'Q' => {
                        let rest: String = chars.clone().collect();
                        let quoted = rest.split("\\E").next().unwrap_or_default();
                        let skipped = quoted.chars().count() + if rest.contains("\\E") { 2 } else { 0 };
                        chars.by_ref().take(skipped).for_each(drop);
                        translated.push_str(&regex::escape(quoted));
                    }
                    'd' | 'D' | 's' | 'S' | 'w' | 'W' => translated.push_str(perl_class(escaped, in_class)),
                    'b' | 'B' if !in_class => translated.push_str(&format!("(?-u:\\{escaped})")),
                    _ => translated.extend(['\\', escaped]),
                }
            }
            '[' if !in_class => {
                in_class = true;
                translated.push('[');
                if chars.peek() == Some(&'^') {
                    chars.next();
                    translated.push('^');
                }
                class_start = translated.len();
            }
            // At its begin a bracket stands for itself.
            ']' if in_class && translated.len() == class_start => translated.push_str("\\]"),
            ']' => {
                in_class = false;
                translated.push(']');
            }
            '[' if chars.peek() == Some(&':') => {
                let rest: String = chars.clone().collect();
                let end = rest.find(":]").map_or(0, |at| at + 2);
                translated.push_str(if end == 0 { "\\[" } else { "[" });
                translated.push_str(&rest[..end]);
                let skipped = rest[..end].chars().count();
                chars.by_ref().take(skipped).for_each(drop);
            }
            '[' | '&' | '~' if in_class => translated.extend(['\\', char]),
            _ => translated.push(char),
        }
    }
    translated
}

fn perl_class(letter: char, in_class: bool) -> &'static str {
    match (letter, in_class) {
        ('d', true) => "0-9",
        ('d', false) => "[0-9]",
        ('D', _) => "[^0-9]",
        ('s', true) => "\\t\\n\\x0C\\r ",
        ('s', false) => "[\\t\\n\\x0C\\r ]",
        ('S', _) => "[^\\t\\n\\x0C\\r ]",
        ('w', true) => "0-9A-Za-z_",
        ('w', false) => "[0-9A-Za-z_]",
        _ => "[^0-9A-Za-z_]",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_what_it_means_in_go() {
        let is_match = |pattern: &str, text: &str| Patterns::default().is_match(pattern, text).unwrap();
        assert!(is_match(r"^\d+$", "42") && !is_match(r"^\d+$", "٤٢"));
        assert!(is_match(r"^[\w-]+$", "a-b_1") && !is_match(r"^\w+$", "é"));
        assert!(is_match(r"\Qa.b*\E+c", "a.b**c") && !is_match(r"\Qa.b\E", "axb"));
        assert!(is_match("^[[:alpha:]]+$", "abc") && is_match("^[[]&&~~]+$".replace("[[]", "[[").as_str(), "[&~"));
        assert!(is_match("^[]a]+$", "]a") && is_match("^[^]]$", "a"));
        assert!(is_match(r"\bdisk\b", "a disk é"));
    }

    #[test]
    fn replaces_as_go_does() {
        let replace = |pattern: &str, with: &str, text: &str| Patterns::default().replace_all(pattern, with, text);
        assert_eq!(
            replace("(.*):(.*)", "$2-${1}x-$1x-$$-$", "host:90").unwrap(),
            "90-hostx--$-$-$-$".replace("-$-$-$-$", "-$-$")
        );
        assert_eq!(replace("a*", "x", "baac").unwrap(), "xbxcx");
        assert_eq!(replace("(?P<port>[0-9]+)", "<${port}>", "a1b22").unwrap(), "a<1>b<22>");
        assert!(replace("(", "", "").unwrap_err().contains("no regular expression"));
        assert!(replace(".", &"$0".repeat(10_000), &"a".repeat(10_000)).unwrap_err().contains("grows beyond"));
        assert!(replace("((a{99}){99}){99}", "", "").is_err());
    }
}
