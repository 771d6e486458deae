//! Values of a configuration in which every text is a template, and what a text renders to may be a value itself:
//! the `payload` of a webhook, the `details` of PagerDuty, the `fields` of Jira.
//!
//! Decides when rendered text is a value: when it is YAML for something other than text, read as the first version
//! of YAML that Alertmanager uses (`yes` is a truth). Aliases are never followed and nesting is bounded, so no
//! alert can make a small text large.

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};
use serde_json::{Map, Number, Value};

use super::super::RenderError;
use super::template::Texts;
use crate::error::ConfigError;

/// Nesting of what is rendered; deeper text stays text.
const DEPTH_MAX: usize = 64;

/// # Errors
/// Names the text in `value` that is no template.
pub(super) fn check(templates: &crate::render::GoTemplates, path: &str, value: &Value) -> Result<(), ConfigError> {
    let text =
        |text: &str| templates.check(text).map_err(|error| ConfigError::new(path, format!("not a template: {error}")));
    match value {
        Value::String(source) => text(source),
        Value::Array(items) => {
            items.iter().enumerate().try_for_each(|(index, item)| check(templates, &format!("{path}[{index}]"), item))
        }
        Value::Object(entries) => entries.iter().try_for_each(|(key, value)| {
            text(key)?;
            check(templates, &format!("{path}.{key}"), value)
        }),
        _ => Ok(()),
    }
}

/// # Errors
/// When a template fails.
pub(super) fn render(texts: &Texts<'_>, path: &str, value: &Value) -> Result<Value, RenderError> {
    Ok(match value {
        Value::String(source) => {
            let text = texts.raw(path, source)?;
            parse(&text).unwrap_or(Value::String(text))
        }
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.map(|(index, item)| render(texts, &format!("{path}[{index}]"), item)).collect::<Result<_, _>>()?
        }
        Value::Object(entries) => {
            let mut rendered = Map::new();
            for (key, value) in entries {
                let path = format!("{path}.{key}");
                rendered.insert(texts.raw(&path, key)?, render(texts, &path, value)?);
            }
            Value::Object(rendered)
        }
        other => other.clone(),
    })
}

/// The value that a text stands for; nothing where it stands for text, or is no YAML.
fn parse(text: &str) -> Option<Value> {
    let mut parser = Parser::new_from_str(text);
    loop {
        match next(&mut parser)? {
            Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
            Event::StreamEnd | Event::DocumentEnd => return Some(Value::Null),
            event => {
                let value = node(&mut parser, event, 0)?;
                // Only the first document counts, but it must end as one.
                return (!value.is_string() && next(&mut parser)? == Event::DocumentEnd).then_some(value);
            }
        }
    }
}

fn next<'a>(parser: &mut Parser<'a, StrInput<'a>>) -> Option<Event<'a>> {
    parser.next_event()?.ok().map(|(event, _)| event)
}

fn node<'a>(parser: &mut Parser<'a, StrInput<'a>>, event: Event<'a>, depth: usize) -> Option<Value> {
    if depth > DEPTH_MAX {
        return None;
    }
    match event {
        Event::Scalar(text, ScalarStyle::Plain, _, None) => Some(scalar(&text)),
        Event::Scalar(text, _, _, None) => Some(Value::String(text.into_owned())),
        Event::SequenceStart(_, None) => {
            let mut items = Vec::new();
            loop {
                match next(parser)? {
                    Event::SequenceEnd => return Some(Value::Array(items)),
                    event => items.push(node(parser, event, depth + 1)?),
                }
            }
        }
        Event::MappingStart(_, None) => {
            let mut entries = Map::new();
            loop {
                let key = match next(parser)? {
                    Event::MappingEnd => return Some(Value::Object(entries)),
                    event @ Event::Scalar(..) => node(parser, event, depth + 1)?,
                    _ => return None,
                };
                let event = next(parser)?;
                let value = node(parser, event, depth + 1)?;
                // Keys that are no text are left out, as there.
                if let Value::String(key) = key {
                    entries.insert(key, value);
                }
            }
        }
        _ => None,
    }
}

/// A scalar without quotes.
fn scalar(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Value::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        _ => {}
    }
    number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

fn number(text: &str) -> Option<Number> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return None;
    }
    let plain = text.replace('_', "");
    let (sign, digits) = match plain.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", plain.strip_prefix('+').unwrap_or(&plain)),
    };
    // A second sign would be taken by the parsers below.
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    for (prefix, radix) in [("0x", 16), ("0X", 16), ("0b", 2), ("0o", 8), ("0", 8)] {
        if let Some(digits) = digits.strip_prefix(prefix)
            && let Ok(value) = i64::from_str_radix(&format!("{sign}{digits}"), radix)
        {
            return Some(value.into());
        }
    }
    if let Ok(value) = format!("{sign}{digits}").parse::<i64>() {
        return Some(value.into());
    }
    if let Ok(value) = digits.parse::<u64>()
        && sign.is_empty()
    {
        return Some(value.into());
    }
    let is_float = digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    is_float.then(|| format!("{sign}{digits}").parse().ok().and_then(Number::from_f64)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_a_value_becomes_one() {
        for (text, value) in [
            ("7", "7"),
            ("-0x1f", "-31"),
            ("0o17", "15"),
            ("1_000", "1000"),
            ("2.50", "2.5"),
            ("1e3", "1000.0"),
            ("18446744073709551615", "18446744073709551615"),
            ("yes", "true"),
            ("Off", "false"),
            ("", "null"),
            ("~", "null"),
            (r#"[{"status":"firing","labels":{"a":"1"}}]"#, r#"[{"status":"firing","labels":{"a":"1"}}]"#),
            ("a: value1:\n", "null"),
            ("a: [x, 'yes', yes]", r#"{"a":["x","yes",true]}"#),
            ("1: a\nb: c", r#"{"b":"c"}"#),
            ("a: 1\n---\nb: 2", r#"{"a":1}"#),
        ] {
            match parse(text) {
                Some(parsed) => assert_eq!(parsed, serde_json::from_str::<Value>(value).unwrap(), "{text}"),
                // What is no YAML stays text.
                None => assert_eq!(value, "null", "{text}"),
            }
        }
    }

    #[test]
    fn text_that_is_none_stays_text() {
        for text in [
            "disk full",
            "'7'",
            "db: is: down",
            "[unclosed",
            "a: &x [1]\nb: *x",
            "12:30 on db-3",
            "1.2.3",
            "+-5",
            "--",
            "*bold*",
            "{{ x }}",
            "@here",
            "2026-11-21",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse(&"[".repeat(10_000)), None);
    }
}
