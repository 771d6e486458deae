//! Equal, less and greater by Go's rules: only what is alike can be compared.

use std::cmp::Ordering;

use super::value::{IntType, Struct, Value};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Number,
    Float,
    Text,
    Other,
}

fn kind(value: &Value) -> Kind {
    match value {
        Value::Bool(_) => Kind::Bool,
        Value::Int(..) => Kind::Number,
        Value::Float(_) => Kind::Float,
        Value::Text(..) => Kind::Text,
        _ => Kind::Other,
    }
}

/// # Errors
/// When they are not alike.
pub fn equal(one: &Value, other: &Value) -> Result<bool, String> {
    if one.is_nil() || other.is_nil() {
        return Ok(one.is_nil() && other.is_nil());
    }
    if let Some(list) = [one, other].into_iter().find(|value| matches!(value, Value::List(_) | Value::Map(_))) {
        return Err(format!("{} cannot be compared", list.a_type()));
    }
    if kind(one) != kind(other) {
        return Err(unlike(one, other));
    }
    Ok(match (one, other) {
        (Value::Bool(one), Value::Bool(other)) => one == other,
        (Value::Int(one, _), Value::Int(other, _)) => one == other,
        (Value::Float(one), Value::Float(other)) => one == other,
        (Value::Text(one, _), Value::Text(other, _)) => one == other,
        (Value::Time(one), Value::Time(other)) => one.at == other.at && one.zone == other.zone,
        (Value::Struct(one), Value::Struct(other)) => equal_fields(one, other)?,
        _ => return Err(unlike(one, other)),
    })
}

fn equal_fields(one: &Struct, other: &Struct) -> Result<bool, String> {
    if one.shape != other.shape {
        return Ok(false);
    }
    for (one, other) in one.fields.iter().zip(&other.fields) {
        if !equal(one, other)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn unlike(one: &Value, other: &Value) -> String {
    let hint = match (kind(one), kind(other)) {
        (Kind::Number, Kind::Float) | (Kind::Float, Kind::Number) => "; write whole numbers as `1.0` here",
        _ => "",
    };
    format!("{} and {} cannot be compared{hint}", one.a_type(), other.a_type())
}

/// # Errors
/// When they have no order.
pub fn order(one: &Value, other: &Value) -> Result<Ordering, String> {
    match (one, other) {
        (Value::Int(one, _), Value::Int(other, _)) => Ok(one.cmp(other)),
        (Value::Text(one, _), Value::Text(other, _)) => Ok(one.cmp(other)),
        // Go holds NaN for neither less nor equal; a template cannot make one but with `humanizeDuration`.
        (Value::Float(one), Value::Float(other)) => Ok(one.partial_cmp(other).unwrap_or(Ordering::Greater)),
        _ => Err(unlike(one, other)),
    }
}

/// # Errors
/// When it has none.
pub fn length(value: &Value) -> Result<usize, String> {
    match value {
        Value::Text(text, _) => Ok(text.len()),
        Value::List(list) => Ok(list.items.len()),
        Value::Map(map) => Ok(map.entries.len()),
        _ => Err(format!("{} has no length", value.a_type())),
    }
}

/// # Errors
/// When there is no such place, or it cannot be looked into.
pub fn index(value: &Value, at: &Value) -> Result<Value, String> {
    match (value, at) {
        (Value::List(list), Value::Int(at, _)) => {
            let item = usize::try_from(*at).ok().and_then(|at| list.items.get(at)).cloned();
            item.ok_or_else(|| format!("there is no place {at} in a list of {}; the first is 0", list.items.len()))
        }
        (Value::Text(text, _), Value::Int(at, _)) => {
            let byte = usize::try_from(*at).ok().and_then(|at| text.as_bytes().get(at).copied());
            byte.map(|byte| Value::Int(byte.into(), IntType::Byte))
                .ok_or_else(|| format!("there is no place {at} in a text of {} bytes; the first is 0", text.len()))
        }
        (Value::Map(map), Value::Text(name, _)) => {
            Ok(map.entries.get(&**name).cloned().unwrap_or_else(|| map.kind.missing()))
        }
        (Value::List(_) | Value::Text(..), _) => Err(format!("expected a number as index, got {}", at.a_type())),
        (Value::Map(_), _) => Err(format!("expected a text as index, got {}", at.a_type())),
        _ => Err(format!("{} cannot be indexed", value.a_type())),
    }
}

/// # Errors
/// When the places are not in it, or it has none.
pub fn slice(value: &Value, places: &[Value]) -> Result<Value, String> {
    let length = match value {
        Value::Text(..) | Value::List(_) => length(value)?,
        _ => return Err(format!("{} cannot be sliced", value.a_type())),
    };
    let mut bounds = [0, length, length];
    for (bound, place) in bounds.iter_mut().zip(places) {
        let Value::Int(place, _) = place else {
            return Err(format!("expected a number as index, got {}", place.a_type()));
        };
        *bound = usize::try_from(*place)
            .ok()
            .filter(|place| *place <= length)
            .ok_or_else(|| format!("there is no place {place} in something of length {length}"))?;
    }
    let [begin, end, most] = bounds;
    if begin > end || end > most {
        return Err(format!("a part cannot begin at {begin} and end at {end}"));
    }
    match value {
        Value::Text(..) if places.len() == 3 => Err("a text is sliced with two places, not three".into()),
        Value::Text(text, kind) => Ok(Value::Text(String::from_utf8_lossy(&text.as_bytes()[begin..end]).into(), *kind)),
        Value::List(list) => Value::list(list.kind, list.items[begin..end].to_vec()),
        _ => Ok(Value::Absent),
    }
}
