//! A tree as YAML that people like to read. Decides how a text is quoted; what it writes, any reader of YAML 1.1 or
//! 1.2 reads back as it was.

use super::yaml::{Node, Value, scalar};
use crate::model::Span;

/// A key that stands for a line of comment above what follows it.
pub(super) const COMMENT: &str = "#";

/// Characters of a list that is written in one line.
const LINE_CHARS_MAX: usize = 100;

/// Writes a map, entry by entry.
pub(super) fn write(node: &Node) -> String {
    let mut out = String::new();
    write_map(node.entries(), 0, &mut out);
    out
}

fn write_map(entries: &[(String, Node)], indent: usize, out: &mut String) {
    for (name, node) in entries {
        if name == COMMENT {
            for line in node.text().unwrap_or_default().lines() {
                out.push_str(format!("{}# {line}", " ".repeat(indent)).trim_end());
                out.push('\n');
            }
            continue;
        }
        out.push_str(&" ".repeat(indent));
        out.push_str(&quoted(name, true));
        out.push(':');
        write_value(node, indent, out);
    }
}

/// What comes after a key or a dash, with its line's end.
fn write_value(node: &Node, indent: usize, out: &mut String) {
    match &node.value {
        Value::Map(entries) if entries.is_empty() => out.push_str(" {}\n"),
        Value::Map(entries) => {
            out.push('\n');
            write_map(entries, indent + 2, out);
        }
        Value::List(items) => match in_line(items) {
            Some(line) => out.push_str(&format!(" {line}\n")),
            None => {
                out.push('\n');
                write_list(items, indent + 2, out);
            }
        },
        Value::Text(text) if is_block(text) => write_block(text, indent + 2, out),
        _ => out.push_str(&format!(" {}\n", scalar_text(node, false))),
    }
}

fn write_list(items: &[Node], indent: usize, out: &mut String) {
    for item in items {
        let dash = format!("{}-", " ".repeat(indent));
        match &item.value {
            Value::Map(entries) if !entries.is_empty() => {
                let mut map = String::new();
                // A comment on the first entry goes above the dash.
                let comments = entries.iter().take_while(|(name, _)| name == COMMENT).count();
                write_map(&entries[..comments], indent, out);
                write_map(&entries[comments..], indent + 2, &mut map);
                out.push_str(&dash);
                out.push_str(&map[indent + 1..]);
            }
            _ => {
                out.push_str(&dash);
                write_value(item, indent, out);
            }
        }
    }
}

/// A list of short texts and numbers.
fn in_line(items: &[Node]) -> Option<String> {
    let is_scalar = |item: &Node| match &item.value {
        Value::List(_) | Value::Map(_) => false,
        Value::Text(text) => !text.contains('\n'),
        _ => true,
    };
    if !items.iter().all(is_scalar) {
        return None;
    }
    let line = items.iter().map(|item| scalar_text(item, true)).collect::<Vec<_>>().join(", ");
    (line.chars().count() <= LINE_CHARS_MAX).then(|| format!("[{line}]"))
}

fn scalar_text(node: &Node, is_in_line: bool) -> String {
    match &node.value {
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Float(value) => format!("{value:?}"),
        Value::Plain(text) => text.clone(),
        Value::Text(text) => quoted(text, is_in_line),
        Value::Null | Value::Dropped | Value::List(_) | Value::Map(_) => "null".to_owned(),
    }
}

/// Several lines that need no escapes, so that a template stays readable.
fn is_block(text: &str) -> bool {
    let is_plain = |c: char| c == '\n' || is_printable(c);
    text.trim_end_matches('\n').contains('\n') && !text.starts_with([' ', '\n']) && text.chars().all(is_plain)
}

fn write_block(text: &str, indent: usize, out: &mut String) {
    let body = text.trim_end_matches('\n');
    let ends = text.len() - body.len();
    out.push_str(match ends {
        0 => " |-\n",
        1 => " |\n",
        _ => " |+\n",
    });
    for line in body.split('\n') {
        if !line.is_empty() {
            out.push_str(&" ".repeat(indent));
            out.push_str(line);
        }
        out.push('\n');
    }
    out.push_str(&"\n".repeat(ends.saturating_sub(1)));
}

fn is_printable(c: char) -> bool {
    let is_unseen = matches!(c, '\u{85}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    !c.is_control() && !is_unseen && !matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// The text as it stands, in quotes where it would be something else without.
fn quoted(text: &str, is_in_line: bool) -> String {
    if is_plain(text, is_in_line) {
        return text.to_owned();
    }
    if text.chars().all(is_printable) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_printable(c) => out.push(c),
            c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

/// Words that some reader takes for a truth value, nothing or a number.
const WORDS: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"];

fn is_plain(text: &str, is_in_line: bool) -> bool {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return text != "0" && text.parse::<Span>().is_ok() && !text.contains(' ');
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || "_./-".contains(c) || !is_in_line && "@+:=?&%".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '_')
        && text.chars().all(fits)
        && !text.ends_with(':')
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
        && matches!(scalar(text), Value::Text(_))
}

#[cfg(test)]
mod tests {
    use super::super::problem::Place;
    use super::super::yaml::parse;
    use super::*;
    use proptest::prelude::*;
    use std::path::Path;

    fn node(value: Value) -> Node {
        Node { place: Place::BuiltIn, value }
    }

    fn without_places(node: &Node) -> Node {
        let value = match &node.value {
            Value::List(items) => Value::List(items.iter().map(without_places).collect()),
            Value::Map(entries) => {
                Value::Map(entries.iter().map(|(name, node)| (name.clone(), without_places(node))).collect())
            }
            other => other.clone(),
        };
        super::tests::node(value)
    }

    fn check(tree: &Node) {
        let text = write(tree);
        let (read, problems) = parse(&text, Path::new("x.yaml"));
        assert_eq!((read.map(|read| without_places(&read)).as_ref(), problems), (Some(tree), Vec::new()), "{text}");
    }

    #[test]
    fn it_reads_well() {
        let text = |text: &str| node(Value::Text(text.to_owned()));
        let map = |entries: Vec<(&str, Node)>| {
            node(Value::Map(entries.into_iter().map(|(name, node)| (name.to_owned(), node)).collect()))
        };
        let tree = map(vec![
            (COMMENT, text("What it is.\nTwo lines.")),
            ("kind", text("slack")),
            ("yes", text("no")),
            ("every", text("1h30m")),
            ("number", text("0123")),
            ("channel", text("#it's")),
            ("url", text("https://a.example/b?c=d")),
            ("text", text("{{ range .Alerts }}\n  {{ .Labels }}\n{{ end }}\n")),
            ("bell", text("a\u{7}\tb")),
            ("list", node(Value::List(vec![text("a"), text("..."), node(Value::Integer(5))]))),
            ("none", node(Value::List(Vec::new()))),
            ("empty", map(Vec::new())),
            ("maps", node(Value::List(vec![map(vec![("a", text("")), ("b", map(vec![("c", text("d"))]))])]))),
        ]);
        insta::assert_snapshot!(write(&tree), @r#"
# What it is.
# Two lines.
kind: slack
'yes': 'no'
every: 1h30m
number: '0123'
channel: '#it''s'
url: https://a.example/b?c=d
text: |
  {{ range .Alerts }}
    {{ .Labels }}
  {{ end }}
bell: "a\U00000007\tb"
list: [a, '...', 5]
none: []
empty: {}
maps:
  - a: ''
    b:
      c: d
"#);
    }

    fn tree() -> impl Strategy<Value = Value> {
        let word = prop_oneof![
            "[a-zA-Z0-9_.:#' \"\\\\\t\n{}\\[\\],&*!|>%@`$?=~-]{0,12}",
            any::<String>(),
            prop::sample::select(
                &["yes", "0x1f", "1e3", "~", "12:30", "- a", "a: b", "null", ".inf", "2026-11-21", "<<"][..]
            )
            .prop_map(str::to_owned),
        ];
        let leaf = prop_oneof![
            word.clone().prop_map(Value::Text),
            any::<bool>().prop_map(Value::Boolean),
            any::<i32>().prop_map(|number| Value::Integer(number.into())),
        ];
        let key = word.prop_filter("a comment or a merge is no key", |key| key != COMMENT && key != "<<");
        leaf.prop_recursive(4, 24, 4, move |inner| {
            let map = prop::collection::btree_map(key.clone(), inner.clone(), 0..4);
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(|items| Value::List(items.into_iter().map(node).collect())),
                map.prop_map(|map| Value::Map(map.into_iter().map(|(name, value)| (name, node(value))).collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(value in tree()) {
            check(&node(Value::Map(vec![("key".to_owned(), node(value))])));
        }
    }
}
