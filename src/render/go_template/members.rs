//! `.Name` of a value: a method, a field, or what a map has under that name.

use super::buffer::Fault;
use super::data;
use super::functions::{Call, takes};
use super::go_time::{self, Time};
use super::value::{IntType, List, ListType, Map, MapType, TextType, Value};

/// # Errors
/// When there is no such field or method, or it does not take the arguments of the call.
pub fn member(receiver: &Value, call: &Call) -> Result<Value, Fault> {
    if let Some(result) = method(receiver, call) {
        return result;
    }
    let name = call.name;
    let found = match receiver {
        Value::Absent => Some(Value::Absent),
        Value::Nil => return Err(format!("`.{name}` of nothing: the value before it is not there")),
        Value::Struct(object) => object.field(name).cloned(),
        Value::Map(map) => Some(map.entries.get(name).cloned().unwrap_or_else(|| map.kind.missing())),
        _ => None,
    };
    match found {
        None => Err(unknown(receiver, name)),
        Some(_) if !call.arguments.is_empty() => {
            Err(format!("`.{name}` is no method and takes no arguments; a space may be missing or too much"))
        }
        Some(value) => Ok(value),
    }
}

fn unknown(receiver: &Value, name: &str) -> Fault {
    let mut known: Vec<&str> = match receiver {
        Value::Struct(object) => object.shape.fields.iter().map(|(field, _)| *field).collect(),
        _ => Vec::new(),
    };
    known.retain(|field| super::value::is_exported(field));
    let hint = match (receiver, known.is_empty()) {
        (Value::List(_), _) => "; take one of them with `index` or all with `range`".to_owned(),
        (_, false) => format!("; it has {}", known.join(", ")),
        _ => String::new(),
    };
    format!("{} has no field or method `{name}`{hint}", receiver.a_type())
}

/// Nothing when it has no method of that name.
fn method(receiver: &Value, call: &Call) -> Option<Result<Value, Fault>> {
    match receiver {
        Value::Map(map) if map.kind == MapType::Kv => labels(map, call),
        Value::List(list) => of_list(list, call),
        Value::Time(time) => of_time(time, call),
        Value::Int(nanos, IntType::Duration) => of_span(*nanos, call),
        Value::Int(_, IntType::Month | IntType::Weekday) if call.name == "String" => {
            with(call, 0, || own_text(receiver))
        }
        _ => None,
    }
}

fn own_text(value: &Value) -> Result<Value, Fault> {
    super::print::shown(value).map(Value::text)
}

/// Computes when the call has so many arguments.
fn with(call: &Call, count: usize, compute: impl FnOnce() -> Result<Value, Fault>) -> Option<Result<Value, Fault>> {
    Some(takes(call.name, count, count, call.arguments.len()).and_then(|()| compute()))
}

fn labels(map: &Map, call: &Call) -> Option<Result<Value, Fault>> {
    let texts = |values: Vec<&str>| Ok(Value::texts(ListType::Strings, values));
    match call.name {
        "SortedPairs" => with(call, 0, || {
            let pairs = map.sorted().map(|(name, value)| {
                Value::of_shape(&data::PAIR, vec![Value::Text(name.clone(), TextType::Plain), value.clone()])
            });
            Value::list(ListType::Pairs, pairs.collect())
        }),
        "Names" => with(call, 0, || texts(map.sorted().map(|(name, _)| &**name).collect())),
        "Values" => with(call, 0, || texts(map.sorted().map(|(_, value)| as_text(value)).collect())),
        "Remove" => with(call, 1, || {
            let removed = call.texts(0)?;
            let kept = map.entries.iter().filter(|(name, _)| !removed.contains(&&***name));
            Ok(Value::kv(kept.map(|(name, value)| (&**name, as_text(value)))))
        }),
        "String" => with(call, 0, || {
            super::print::shown(&Value::kv(map.entries.iter().map(|(name, value)| (&**name, as_text(value)))))
                .map(Value::text)
        }),
        _ => None,
    }
}

fn as_text(value: &Value) -> &str {
    if let Value::Text(text, _) = value { text } else { "" }
}

fn of_list(list: &List, call: &Call) -> Option<Result<Value, Fault>> {
    let of_pairs = |at: usize| {
        let texts = list.items.iter().map(|pair| match pair {
            Value::Struct(pair) => pair.fields.get(at).map_or("", as_text),
            _ => "",
        });
        Ok(Value::texts(ListType::Strings, texts))
    };
    match (list.kind, call.name) {
        (ListType::Alerts, "Firing" | "Resolved") => with(call, 0, || {
            let status = call.name.to_ascii_lowercase();
            let has_status = |alert: &&Value| match alert {
                Value::Struct(alert) => alert.field("Status").is_some_and(|text| as_text(text) == status),
                _ => false,
            };
            Value::list(ListType::AlertSlice, list.items.iter().filter(has_status).cloned().collect())
        }),
        (ListType::Pairs, "Names") => with(call, 0, || of_pairs(0)),
        (ListType::Pairs, "Values") => with(call, 0, || of_pairs(1)),
        (ListType::Pairs, "String") => with(call, 0, || own_text(&Value::list(ListType::Pairs, list.items.clone())?)),
        (ListType::Strings, "Join") => with(call, 1, || {
            let texts: Vec<&str> = list.items.iter().map(as_text).collect();
            super::alertmanager::join(&call.text(0)?, &texts).map(Value::text)
        }),
        _ => None,
    }
}

fn of_time(time: &Time, call: &Call) -> Option<Result<Value, Fault>> {
    let int = |number: i64| with(call, 0, || Ok(Value::int(number)));
    let long = |number: i128| with(call, 0, || Ok(Value::Int(go_time::clamp(number), IntType::Int64)));
    let compared =
        |holds: fn(std::cmp::Ordering) -> bool| with(call, 1, || Ok(Value::Bool(holds(time.order(call.time(0)?)))));
    let moved = |time: Time| Ok(Value::Time(time));
    let civil = time.civil();
    match call.name {
        "Format" => with(call, 1, || Ok(Value::text(time.format(&call.layout(0)?)))),
        "String" => with(call, 0, || Ok(Value::text(time.text()))),
        "UTC" | "Local" => with(call, 0, || moved(Time::utc(time.at))),
        "IsZero" => with(call, 0, || Ok(Value::Bool(time.is_zero()))),
        "Unix" => long(time.at.as_nanosecond().div_euclid(1_000_000_000)),
        "UnixMilli" => long(time.at.as_nanosecond().div_euclid(1_000_000)),
        "UnixMicro" => long(time.at.as_nanosecond().div_euclid(1_000)),
        "UnixNano" => long(time.at.as_nanosecond()),
        "Equal" => compared(std::cmp::Ordering::is_eq),
        "Before" => compared(std::cmp::Ordering::is_lt),
        "After" => compared(std::cmp::Ordering::is_gt),
        "Compare" => with(call, 1, || Ok(Value::int(time.order(call.time(0)?) as i8))),
        "Sub" => with(call, 1, || Ok(Value::Int(time.since(call.time(0)?), IntType::Duration))),
        "Add" => with(call, 1, || moved(time.plus(call.integer(0)?)?)),
        "AddDate" => with(call, 3, || moved(time.plus_date(call.integer(0)?, call.integer(1)?, call.integer(2)?)?)),
        "Truncate" => with(call, 1, || moved(time.to_multiple(call.integer(0)?, false))),
        "Round" => with(call, 1, || moved(time.to_multiple(call.integer(0)?, true))),
        "Location" => with(call, 0, || Ok(Value::text(time.zone_name()))),
        "Year" => int(civil.year().into()),
        "Month" => with(call, 0, || Ok(Value::Int(civil.month().into(), IntType::Month))),
        "Day" => int(civil.day().into()),
        "Hour" => int(civil.hour().into()),
        "Minute" => int(civil.minute().into()),
        "Second" => int(civil.second().into()),
        "Nanosecond" => int(civil.subsec_nanosecond().into()),
        "YearDay" => int(civil.date().day_of_year().into()),
        "Weekday" => with(call, 0, || Ok(Value::Int(civil.weekday().to_sunday_zero_offset().into(), IntType::Weekday))),
        "In" => with(call, 1, || time.in_zone(&call.text(0)?).map(Value::Time)),
        _ => None,
    }
}

fn of_span(nanos: i64, call: &Call) -> Option<Result<Value, Fault>> {
    let float = |nanos_per_unit: f64| with(call, 0, || Ok(Value::Float(nanos as f64 / nanos_per_unit)));
    let long = |nanos_per_unit: i64| with(call, 0, || Ok(Value::Int(nanos / nanos_per_unit, IntType::Int64)));
    let span = |nanos: i64| Ok(Value::Int(nanos, IntType::Duration));
    match call.name {
        "Hours" => float(3.6e12),
        "Minutes" => float(6e10),
        "Seconds" => float(1e9),
        "Milliseconds" => long(1_000_000),
        "Microseconds" => long(1_000),
        "Nanoseconds" => long(1),
        "String" => with(call, 0, || Ok(Value::text(go_time::span_text(nanos)))),
        "Abs" => with(call, 0, || span(nanos.saturating_abs())),
        "Truncate" => with(call, 1, || span(go_time::span_to_multiple(nanos, call.integer(0)?, false))),
        "Round" => with(call, 1, || span(go_time::span_to_multiple(nanos, call.integer(0)?, true))),
        _ => None,
    }
}
