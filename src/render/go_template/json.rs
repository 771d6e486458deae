//! What `toJson` writes: the same bytes as Go's encoder.

use super::buffer::{Buffer, Fault};
use super::number;
use super::value::{Value, is_exported};

/// # Errors
/// When it is too long, or holds a number that JSON does not know.
pub fn encode(value: &Value) -> Result<String, Fault> {
    let mut buffer = Buffer::default();
    write(&mut buffer, value)?;
    Ok(buffer.into_text())
}

fn write(buffer: &mut Buffer, value: &Value) -> Result<(), Fault> {
    match value {
        Value::Absent | Value::Nil => buffer.push_str("null"),
        Value::Bool(truth) => buffer.push_str(&truth.to_string()),
        Value::Int(number, _) => buffer.push_str(&number.to_string()),
        Value::Float(number) => buffer.push_str(&float(*number)?),
        Value::Text(text, _) => write_text(buffer, text),
        Value::Time(time) => write_text(buffer, &time.format("2006-01-02T15:04:05.999999999Z07:00")),
        Value::List(list) => {
            buffer.push('[')?;
            for (at, item) in list.items.iter().enumerate() {
                if at > 0 {
                    buffer.push(',')?;
                }
                write(buffer, item)?;
            }
            buffer.push(']')
        }
        Value::Map(map) => write_object(buffer, map.entries.iter().map(|(name, value)| (&**name, value))),
        Value::Struct(object) => {
            let fields = object.shape.fields.iter().zip(&object.fields);
            let visible = fields.filter(|((name, _), _)| is_exported(name));
            write_object(buffer, visible.map(|((_, name), value)| (*name, value)))
        }
    }
}

fn write_object<'a>(buffer: &mut Buffer, members: impl Iterator<Item = (&'a str, &'a Value)>) -> Result<(), Fault> {
    buffer.push('{')?;
    for (at, (name, value)) in members.enumerate() {
        if at > 0 {
            buffer.push(',')?;
        }
        write_text(buffer, name)?;
        buffer.push(':')?;
        write(buffer, value)?;
    }
    buffer.push('}')
}

/// Also escapes what could end a script.
fn write_text(buffer: &mut Buffer, text: &str) -> Result<(), Fault> {
    buffer.push('"')?;
    for char in text.chars() {
        match char {
            '"' => buffer.push_str("\\\"")?,
            '\\' => buffer.push_str("\\\\")?,
            '\n' => buffer.push_str("\\n")?,
            '\r' => buffer.push_str("\\r")?,
            '\t' => buffer.push_str("\\t")?,
            '\x08' => buffer.push_str("\\b")?,
            '\x0c' => buffer.push_str("\\f")?,
            '\0'..='\x1f' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                buffer.push_str(&format!("\\u{:04x}", u32::from(char)))?;
            }
            _ => buffer.push(char)?,
        }
    }
    buffer.push('"')
}

fn float(number: f64) -> Result<String, Fault> {
    if !number.is_finite() {
        return Err(format!("JSON has no number `{number}`"));
    }
    let magnitude = number.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let text = number::general(magnitude, None);
        // Go writes `1e-7` here, not `1e-07`.
        let text = text.replace("e-0", "e-");
        return Ok(if number < 0.0 { format!("-{text}") } else { text });
    }
    Ok(format!("{number}"))
}
