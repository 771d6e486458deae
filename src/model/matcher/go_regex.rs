//! Regular expressions as Go understands them, written for the `regex` crate: matchers come from people who know
//! Prometheus. Decides nothing about what is a sound pattern, which the crate does.
//!
//! ```text
//! [[{]\d{2}{a}   →   [\[{][0-9]{2}\{a}
//! ```

/// The pattern that means here what `pattern` means to Go.
pub(super) fn translate(pattern: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(pattern.len()), pattern);
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = match c {
            '\\' => escape(after, false, &mut out),
            '[' => class(after, &mut out),
            '{' if !is_repetition(after) => {
                out.push_str("\\{");
                after
            }
            _ => {
                out.push(c);
                after
            }
        };
    }
    out
}

/// `{2}`, `{2,}` and `{2,5}` repeat; any other brace stands for itself.
fn is_repetition(text: &str) -> bool {
    let Some((inside, _)) = text.split_once('}') else { return false };
    let (from, to) = inside.split_once(',').unwrap_or((inside, "0"));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !from.is_empty() && is_number(from) && is_number(to)
}

/// What a backslash begins; returns what follows. Classes are those of ASCII.
fn escape<'t>(text: &'t str, is_in_class: bool, out: &mut String) -> &'t str {
    let Some(c) = text.chars().next() else {
        out.push('\\');
        return text;
    };
    let after = &text[c.len_utf8()..];
    let classes = [
        ('d', "0-9", "[0-9]"),
        ('D', "[^0-9]", "[^0-9]"),
        ('s', r"\t\n\f\r ", r"[\t\n\f\r ]"),
        ('S', r"[^\t\n\f\r ]", r"[^\t\n\f\r ]"),
        ('w', "0-9A-Za-z_", "[0-9A-Za-z_]"),
        ('W', "[^0-9A-Za-z_]", "[^0-9A-Za-z_]"),
    ];
    if let Some((_, inside, outside)) = classes.iter().find(|(name, ..)| *name == c) {
        out.push_str(if is_in_class { inside } else { outside });
        return after;
    }
    match c {
        'Q' => {
            let (literal, after) = after.split_once("\\E").unwrap_or((after, ""));
            out.push_str(&regex::escape(literal));
            return after;
        }
        'b' if !is_in_class => out.push_str(r"(?-u:\b)"),
        // Signs, not the edges of words.
        '<' | '>' => out.push(c),
        _ => out.extend(['\\', c]),
    }
    after
}

/// What `[` begins: brackets inside of a class are signs, and there are no operations on classes.
fn class<'t>(text: &'t str, out: &mut String) -> &'t str {
    out.push('[');
    let mut rest = text;
    if let Some(after) = rest.strip_prefix('^') {
        out.push('^');
        rest = after;
    }
    let mut is_first = true;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = match c {
            ']' if !is_first => {
                out.push(']');
                return after;
            }
            '\\' => escape(after, true, out),
            '[' => match after.strip_prefix(':').and_then(|name| name.split_once(":]")) {
                Some((name, after)) => {
                    out.push_str(&format!("[:{name}:]"));
                    after
                }
                None => {
                    out.push_str("\\[");
                    after
                }
            },
            '&' | '~' | '-' if out.ends_with(c) && !is_first => {
                out.extend(['\\', c]);
                after
            }
            ']' => {
                out.push_str("\\]");
                after
            }
            _ => {
                out.push(c);
                after
            }
        };
        is_first = false;
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::translate;

    fn check(pattern: &str, inside: &[&str], outside: &[&str]) {
        let regex = regex::Regex::new(&format!("^(?:{})$", translate(pattern))).unwrap();
        for text in inside {
            assert!(regex.is_match(text), "{pattern} should match {text}");
        }
        for text in outside {
            assert!(!regex.is_match(text), "{pattern} should not match {text}");
        }
    }

    #[test]
    fn patterns_mean_what_they_mean_to_go() {
        check("P1|P2", &["P1"], &["P12"]);
        check(r"\d+", &["42"], &["٤٢", ""]);
        check(r"[\w.]+\s", &["a.b "], &["é "]);
        check(r"[^\d]\D", &["ab"], &["a1"]);
        check(r"[[]a[^[]", &["[ab"], &["[a["]);
        check(r"[]x][^]x]", &["]a", "xb"], &["a]"]);
        check(r"[a&&b~~-]+", &["a&b~-"], &["c"]);
        check(r"[+--]", &["+", ",", "-"], &["."]);
        check("[[:alpha:]_]+", &["ab_"], &["a1"]);
        check(r"\Qa.b*\E+", &["a.b*", "a.b**"], &["axb*"]);
        check(r"a{2}b{1,}c{0,2}", &["aab", "aabbcc"], &["ab"]);
        check(r"{a},{,2}", &["{a},{,2}"], &["a"]);
        check(r"\<b\>", &["<b>"], &["b"]);
        check(r"a\b.c", &["a-c"], &["abc"]);
        check(r"web\.[a-z]\/\_", &["web.x/_"], &["webxx/_"]);
    }
}
