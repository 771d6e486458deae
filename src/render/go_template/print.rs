//! How Go prints values: by themselves, and with the verbs of `printf`.

use super::buffer::{Buffer, Fault};
use super::go_time::span_text;
use super::layout::{month_name, weekday_name};
use super::number;
use super::value::{IntType, ListType, Map, MapType, TextType, Value};

/// A verb with what stands between it and the `%`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spec {
    pub verb: char,
    pub plus: bool,
    pub minus: bool,
    pub sharp: bool,
    pub space: bool,
    pub zero: bool,
    pub width: Option<usize>,
    pub precision: Option<usize>,
}

impl Spec {
    pub fn plain() -> Self {
        Self { verb: 'v', ..Self::default() }
    }
}

/// What an action prints for nothing.
pub const NO_VALUE: &str = "<no value>";

/// As an action prints it.
///
/// # Errors
/// When it is too long.
pub fn shown(value: &Value) -> Result<String, Fault> {
    let mut buffer = Buffer::default();
    match value {
        Value::Absent | Value::Nil => buffer.push_str(NO_VALUE)?,
        _ => print(&mut buffer, value, &Spec::plain())?,
    }
    Ok(buffer.into_text())
}

/// As Go's `Sprint`: a space between two values of which neither is a text.
///
/// # Errors
/// When it is too long.
pub fn sprint(values: &[Value]) -> Result<String, Fault> {
    let mut buffer = Buffer::default();
    for (at, value) in values.iter().enumerate() {
        let texts = at > 0 && values[at - 1..=at].iter().any(|value| matches!(value, Value::Text(..)));
        if at > 0 && !texts {
            buffer.push(' ')?;
        }
        print(&mut buffer, value, &Spec::plain())?;
    }
    Ok(buffer.into_text())
}

/// # Errors
/// When it is too long.
pub fn sprintln(values: &[Value]) -> Result<String, Fault> {
    let mut buffer = Buffer::default();
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            buffer.push(' ')?;
        }
        print(&mut buffer, value, &Spec::plain())?;
    }
    buffer.push('\n')?;
    Ok(buffer.into_text())
}

/// # Errors
/// When it is too long. A verb that does not fit prints `%!d(string=hi)`, as in Go.
pub fn print(buffer: &mut Buffer, value: &Value, spec: &Spec) -> Result<(), Fault> {
    if spec.verb == 'T' {
        let name = if value.is_nil() { "<nil>" } else { value.type_name() };
        return print_text(buffer, name, &Spec { verb: 's', ..*spec });
    }
    if matches!(spec.verb, 'v' | 's' | 'x' | 'X' | 'q')
        && let Some(text) = if spec.sharp && spec.verb == 'v' { go_syntax(value) } else { own_text(value) }
    {
        return print_text(buffer, &text, &Spec { sharp: spec.sharp && spec.verb != 'v', ..*spec });
    }
    print_plainly(buffer, value, spec)
}

/// Without asking the type how it prints.
fn print_plainly(buffer: &mut Buffer, value: &Value, spec: &Spec) -> Result<(), Fault> {
    match (value, spec.verb) {
        (Value::Absent | Value::Nil, 'v') => pad(buffer, "<nil>", spec),
        (Value::Absent | Value::Nil, verb) => buffer.push_str(&format!("%!{verb}(<nil>)")),
        (Value::Bool(truth), 't' | 'v') => pad(buffer, &truth.to_string(), spec),
        (Value::Int(number, _), 'c' | 'q' | 'U') => print_char(buffer, *number, spec),
        (Value::Int(number, _), 'v' | 'd' | 'b' | 'o' | 'O' | 'x' | 'X') => {
            let digits = number::integer(*number, spec);
            let zeros = spec.zero && !spec.minus && spec.precision.is_none();
            pad_number(buffer, &digits, spec, zeros)
        }
        (Value::Float(number), 'v' | 'e' | 'E' | 'f' | 'F' | 'g' | 'G') => {
            pad_number(buffer, &number::float(*number, spec), spec, spec.zero && !spec.minus && number.is_finite())
        }
        (Value::Text(text, _), 'v' | 's' | 'q' | 'x' | 'X') => print_text(buffer, text, spec),
        (Value::List(list), _) => print_list(buffer, list.kind, &list.items, spec),
        (Value::Map(map), _) => print_map(buffer, map, spec),
        (Value::Struct(object), _) => print_struct(buffer, object, spec),
        (Value::Time(time), 'v') => buffer.push_str(&time.text()),
        // A verb that does not fit.
        _ => {
            buffer.push_str(&format!("%!{}({}=", spec.verb, value.type_name()))?;
            print_plainly(buffer, value, &Spec { verb: 'v', sharp: false, ..*spec })?;
            buffer.push(')')
        }
    }
}

/// Of the one type that says itself what `%#v` prints.
fn go_syntax(value: &Value) -> Option<String> {
    let Value::Time(time) = value else { return None };
    let civil = time.civil();
    let month = month_name(civil.month().into()).unwrap_or_default();
    let zone = match time.zone_name() {
        name if name == "UTC" => "time.UTC".to_owned(),
        name => format!("time.Location({})", number::quoted(&name, false)),
    };
    let (year, day) = (civil.year(), civil.day());
    let clock = format!("{}, {}, {}, {}", civil.hour(), civil.minute(), civil.second(), civil.subsec_nanosecond());
    Some(format!("time.Date({year}, time.{month}, {day}, {clock}, {zone})"))
}

/// Of types that say themselves how they print.
fn own_text(value: &Value) -> Option<String> {
    match value {
        Value::Int(nanos, IntType::Duration) => Some(span_text(*nanos)),
        Value::Int(month, IntType::Month) => month_name(*month).map(Into::into),
        Value::Int(weekday, IntType::Weekday) => weekday_name(*weekday).map(Into::into),
        Value::Time(time) => Some(time.text()),
        Value::Map(map) if map.kind == MapType::Kv => Some(pairs_text(map.sorted())),
        Value::List(list) if list.kind == ListType::Pairs => {
            let pairs = list.items.iter().filter_map(|pair| match pair {
                Value::Struct(pair) => Some((pair.fields.first()?, pair.fields.get(1)?)),
                _ => None,
            });
            Some(pairs_text(pairs))
        }
        _ => None,
    }
}

fn pairs_text<'a, N: AsPart + 'a>(pairs: impl Iterator<Item = (&'a N, &'a Value)>) -> String {
    let pairs: Vec<String> = pairs.map(|(name, value)| format!("{}={}", name.part(), value.part())).collect();
    pairs.join(", ")
}

trait AsPart {
    fn part(&self) -> &str;
}

impl AsPart for Value {
    fn part(&self) -> &str {
        if let Self::Text(text, _) = self { text } else { "" }
    }
}

impl AsPart for std::sync::Arc<str> {
    fn part(&self) -> &str {
        self
    }
}

/// Fills up to the width with spaces, or with zeros in front.
fn pad(buffer: &mut Buffer, text: &str, spec: &Spec) -> Result<(), Fault> {
    let missing = spec.width.unwrap_or(0).saturating_sub(text.chars().count());
    if spec.minus {
        buffer.push_str(text)?;
        return buffer.push_times(' ', missing);
    }
    buffer.push_times(if spec.zero { '0' } else { ' ' }, missing)?;
    buffer.push_str(text)
}

/// Zeros stand behind the sign.
fn pad_number(buffer: &mut Buffer, digits: &str, spec: &Spec, zeros: bool) -> Result<(), Fault> {
    if !zeros {
        return pad(buffer, digits, &Spec { zero: false, ..*spec });
    }
    let sign = digits.len() - digits.trim_start_matches(['+', '-', ' ']).len();
    buffer.push_str(&digits[..sign])?;
    let width = spec.width.map(|width| width.saturating_sub(sign));
    pad(buffer, &digits[sign..], &Spec { width, ..*spec })
}

fn print_text(buffer: &mut Buffer, text: &str, spec: &Spec) -> Result<(), Fault> {
    let end = spec.precision.and_then(|chars| text.char_indices().nth(chars)).map_or(text.len(), |(at, _)| at);
    match spec.verb {
        'v' if spec.sharp => pad(buffer, &number::quoted(text, false), spec),
        'q' if spec.sharp && !text.contains(['`', '\n']) => pad(buffer, &format!("`{}`", &text[..end]), spec),
        'q' => pad(buffer, &number::quoted(&text[..end], spec.plus), spec),
        'x' | 'X' => {
            let bytes = text.as_bytes();
            pad(
                buffer,
                &number::hexadecimal(&bytes[..spec.precision.unwrap_or(bytes.len()).min(bytes.len())], spec),
                spec,
            )
        }
        _ => pad(buffer, &text[..end], spec),
    }
}

fn print_char(buffer: &mut Buffer, number: i64, spec: &Spec) -> Result<(), Fault> {
    let char = u32::try_from(number).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
    match spec.verb {
        'c' => pad(buffer, char.encode_utf8(&mut [0; 4]), spec),
        'q' => pad(buffer, &number::quoted_char(char, spec.plus), spec),
        _ => {
            let suffix = if spec.sharp { format!(" '{char}'") } else { String::new() };
            pad(buffer, &format!("U+{number:04X}{suffix}"), &Spec { zero: false, ..*spec })
        }
    }
}

fn print_list(buffer: &mut Buffer, kind: ListType, items: &[Value], spec: &Spec) -> Result<(), Fault> {
    let go_syntax = spec.sharp && spec.verb == 'v';
    let (open, between, close) = if go_syntax { ("{", ", ", "}") } else { ("[", " ", "]") };
    if go_syntax {
        buffer.push_str(kind.name())?;
    }
    buffer.push_str(open)?;
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            buffer.push_str(between)?;
        }
        print(buffer, item, spec)?;
    }
    buffer.push_str(close)
}

fn print_map(buffer: &mut Buffer, map: &Map, spec: &Spec) -> Result<(), Fault> {
    let go_syntax = spec.sharp && spec.verb == 'v';
    let (open, between, close) = if go_syntax { ("{", ", ", "}") } else { ("map[", " ", "]") };
    if go_syntax {
        buffer.push_str(map.kind.name())?;
    }
    buffer.push_str(open)?;
    for (at, (name, value)) in map.entries.iter().enumerate() {
        if at > 0 {
            buffer.push_str(between)?;
        }
        print(buffer, &Value::Text(name.clone(), TextType::Plain), spec)?;
        buffer.push(':')?;
        print(buffer, value, spec)?;
    }
    buffer.push_str(close)
}

fn print_struct(buffer: &mut Buffer, object: &super::value::Struct, spec: &Spec) -> Result<(), Fault> {
    let go_syntax = spec.sharp && spec.verb == 'v';
    if go_syntax {
        buffer.push_str(object.shape.name)?;
    }
    buffer.push('{')?;
    for (at, (field, value)) in object.shape.fields.iter().zip(&object.fields).enumerate() {
        if at > 0 {
            buffer.push_str(if go_syntax { ", " } else { " " })?;
        }
        if (spec.plus || go_syntax) && spec.verb == 'v' {
            buffer.push_str(field.0)?;
            buffer.push(':')?;
        }
        print(buffer, value, spec)?;
    }
    buffer.push('}')
}
