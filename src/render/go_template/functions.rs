//! The functions that Go's templates and Alertmanager's have. One visible list; what they compute is beside it.

use std::sync::Arc;

use super::alertmanager as am;
use super::buffer::Fault;
use super::compare;
use super::data::TemplateData;
use super::escape;
use super::go_time::Time;
use super::pattern::Patterns;
use super::print;
use super::printf;
use super::value::{IntType, ListType, TextType, Value};

pub struct Function {
    pub name: &'static str,
    least: usize,
    most: usize,
    pub run: Run,
}

pub enum Run {
    /// Stops at the first value that decides.
    And,
    Or,
    Call(fn(&mut Call) -> Result<Value, Fault>),
}

/// One call, with its arguments evaluated.
pub struct Call<'a> {
    pub name: &'a str,
    pub arguments: Vec<Value>,
    pub data: &'a TemplateData,
    pub patterns: &'a mut Patterns,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

const ANY: usize = usize::MAX;

const fn function(
    name: &'static str,
    least: usize,
    most: usize,
    run: fn(&mut Call) -> Result<Value, Fault>,
) -> Function {
    Function { name, least, most, run: Run::Call(run) }
}

static FUNCTIONS: &[Function] = &[
    Function { name: "and", least: 1, most: ANY, run: Run::And },
    Function { name: "or", least: 1, most: ANY, run: Run::Or },
    function("not", 1, 1, |call| Ok(Value::Bool(!call.arguments[0].is_true()))),
    function("eq", 2, ANY, equal),
    function("ne", 2, 2, |call| Ok(Value::Bool(!compare::equal(&call.arguments[0], &call.arguments[1])?))),
    function("lt", 2, 2, |call| order(call, std::cmp::Ordering::is_lt)),
    function("le", 2, 2, |call| order(call, std::cmp::Ordering::is_le)),
    function("gt", 2, 2, |call| order(call, std::cmp::Ordering::is_gt)),
    function("ge", 2, 2, |call| order(call, std::cmp::Ordering::is_ge)),
    function("len", 1, 1, |call| Ok(Value::int(compare::length(&call.arguments[0])?))),
    function("index", 1, ANY, index),
    function("slice", 1, 4, |call| compare::slice(&call.arguments[0], &call.arguments[1..])),
    function("call", 1, ANY, |call| Err(format!("expected a function to call, got {}", call.arguments[0].a_type()))),
    function("print", 0, ANY, |call| print::sprint(&call.arguments).map(Value::text)),
    function("println", 0, ANY, |call| print::sprintln(&call.arguments).map(Value::text)),
    function("printf", 1, ANY, |call| printf::printf(&call.text(0)?, &call.arguments[1..]).map(Value::text)),
    function("html", 0, ANY, |call| escaped(call, escape::html)),
    function("js", 0, ANY, |call| escaped(call, escape::javascript)),
    function("urlquery", 0, ANY, |call| escaped(call, escape::query)),
    function("toUpper", 1, 1, |call| call.text(0).map(|text| Value::text(am::upper(&text)))),
    function("toLower", 1, 1, |call| call.text(0).map(|text| Value::text(am::lower(&text)))),
    function("title", 1, 1, |call| call.text(0).map(|text| Value::text(am::title(&text)))),
    function("trimSpace", 1, 1, |call| call.text(0).map(|text| Value::text(text.trim()))),
    function("join", 2, 2, |call| am::join(&call.text(0)?, &call.texts(1)?).map(Value::text)),
    function("match", 2, 2, |call| {
        let (pattern, text) = (call.text(0)?, call.text(1)?);
        call.patterns.is_match(&pattern, &text).map(Value::Bool)
    }),
    function("reReplaceAll", 3, 3, |call| {
        let (pattern, replacement, text) = (call.text(0)?, call.text(1)?, call.text(2)?);
        call.patterns.replace_all(&pattern, &replacement, &text).map(Value::text)
    }),
    function("safeHtml", 1, 1, |call| call.text(0).map(|text| Value::Text(text, TextType::Html))),
    function("safeUrl", 1, 1, |call| call.text(0).map(|text| Value::Text(text, TextType::Url))),
    function("urlUnescape", 1, 1, |call| escape::unescape_query(&call.text(0)?).map(Value::text)),
    function("stringSlice", 0, ANY, |call| {
        let texts: Result<Vec<_>, _> = (0..call.arguments.len()).map(|at| call.text(at)).collect();
        Ok(Value::texts(ListType::StringSlice, texts?))
    }),
    function("routeLabels", 1, 1, |call| Ok(call.data.route_label(&call.text(0)?))),
    function("date", 2, 2, |call| Ok(Value::text(call.time(1)?.format(&call.layout(0)?)))),
    function("tz", 2, 2, |call| call.time(1)?.in_zone(&call.text(0)?).map(Value::Time)),
    function("now", 0, 0, |call| Ok(Value::Time(call.data.now.clone()))),
    function("since", 1, 1, |call| Ok(Value::Int(call.data.now.since(call.time(0)?), IntType::Duration))),
    function("toDate", 2, 2, |call| {
        Ok(Value::Time(am::date(&call.layout(0)?, &call.text(1)?).unwrap_or_else(|_| Time::zero())))
    }),
    function("mustToDate", 2, 2, |call| am::date(&call.layout(0)?, &call.text(1)?).map(Value::Time)),
    function("humanizeDuration", 1, 1, |call| am::humanize_duration(&call.arguments[0]).map(Value::text)),
    function("toJson", 1, 1, |call| super::json::encode(&call.arguments[0]).map(Value::text)),
    function("base64encode", 1, 1, |call| call.text(0).map(|text| Value::text(am::base64_encode(&text)))),
    function("base64decode", 1, 1, |call| am::base64_decode(&call.text(0)?).map(Value::text)),
    function("list", 0, ANY, |call| Value::list(ListType::Any, std::mem::take(&mut call.arguments))),
    function("append", 1, ANY, append),
    function("dict", 0, ANY, |call| am::dict(&call.arguments)),
];

pub fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

#[cfg(test)]
pub fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|function| function.name)
}

/// For a misspelt name.
pub fn nearest(name: &str) -> Option<&'static str> {
    near(name, FUNCTIONS.iter().map(|function| function.name))
}

/// The one of the names that a misspelt one may have meant.
pub fn near<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name: String = name.chars().take(NAME_CHARS_MAX).collect::<String>().to_lowercase();
    let distance = |known: &str| strsim::damerau_levenshtein(&name, &known.to_lowercase());
    let nearest = names.map(|known| (distance(known), known)).min();
    // Short names are all alike.
    nearest.filter(|(distance, known)| distance * 3 <= known.len()).map(|(_, known)| known)
}

const NAME_CHARS_MAX: usize = 64;

impl Function {
    /// # Errors
    /// When it does not take so many arguments.
    pub fn takes(&self, count: usize) -> Result<(), Fault> {
        takes(self.name, self.least, self.most, count)
    }
}

/// # Errors
/// When a function or method does not take so many arguments.
pub fn takes(name: &str, least: usize, most: usize, count: usize) -> Result<(), Fault> {
    if (least..=most).contains(&count) {
        return Ok(());
    }
    let expected = match (least, most) {
        (_, ANY) => format!("at least {least}"),
        _ if least == most => least.to_string(),
        _ => format!("{least} to {most}"),
    };
    let plural = if expected.ends_with('1') && !expected.contains("to") { "" } else { "s" };
    Err(format!("`{name}` takes {expected} argument{plural}, got {count}"))
}

const LAYOUT_BYTES_MAX: usize = 1_000;

impl Call<'_> {
    fn wrong<T>(&self, at: usize, expected: &str) -> Result<T, Fault> {
        let value = &self.arguments[at];
        let hint = match value {
            Value::Int(..) | Value::Float(_) | Value::Bool(_) if expected == "a text" => ", make it one with `print`",
            _ => "",
        };
        Err(format!("argument {} of `{}` must be {expected}, got {}{hint}", at + 1, self.name, value.a_type()))
    }

    /// # Errors
    /// When it is none.
    pub fn text(&self, at: usize) -> Result<Arc<str>, Fault> {
        match &self.arguments[at] {
            Value::Text(text, TextType::Plain) => Ok(text.clone()),
            _ => self.wrong(at, "a text"),
        }
    }

    /// How a time is written.
    ///
    /// # Errors
    /// When it is no text, or longer than any that is meant.
    pub fn layout(&self, at: usize) -> Result<Arc<str>, Fault> {
        let layout = self.text(at)?;
        match layout.len() > LAYOUT_BYTES_MAX {
            true => Err(format!("the layout of a time has at most {LAYOUT_BYTES_MAX} bytes")),
            false => Ok(layout),
        }
    }

    /// # Errors
    /// When it is something else than a list of texts.
    pub fn texts(&self, at: usize) -> Result<Vec<&str>, Fault> {
        match &self.arguments[at] {
            Value::List(list) if list.kind.is_texts() => Ok(list
                .items
                .iter()
                .filter_map(|item| if let Value::Text(text, _) = item { Some(&**text) } else { None })
                .collect()),
            Value::Absent => Ok(Vec::new()),
            _ => self.wrong(at, "a list of texts, such as `.Names`, `.Values` or what `stringSlice` makes"),
        }
    }

    /// # Errors
    /// When it is none.
    pub fn time(&self, at: usize) -> Result<&Time, Fault> {
        match &self.arguments[at] {
            Value::Time(time) => Ok(time),
            _ => self.wrong(at, "a time, such as `.StartsAt`"),
        }
    }

    /// # Errors
    /// When it is none.
    pub fn integer(&self, at: usize) -> Result<i64, Fault> {
        match &self.arguments[at] {
            Value::Int(number, _) => Ok(*number),
            Value::Float(number) if number.fract() == 0.0 => Ok(*number as i64),
            _ => self.wrong(at, "a whole number"),
        }
    }
}

fn equal(call: &mut Call) -> Result<Value, Fault> {
    for other in &call.arguments[1..] {
        if compare::equal(&call.arguments[0], other)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn order(call: &mut Call, holds: fn(std::cmp::Ordering) -> bool) -> Result<Value, Fault> {
    compare::order(&call.arguments[0], &call.arguments[1]).map(|order| Value::Bool(holds(order)))
}

fn index(call: &mut Call) -> Result<Value, Fault> {
    let mut value = call.arguments[0].clone();
    if value.is_nil() {
        return Err("there is nothing to index".into());
    }
    for at in &call.arguments[1..] {
        value = compare::index(&value, at)?;
    }
    Ok(value)
}

fn escaped(call: &mut Call, escape: fn(&str) -> String) -> Result<Value, Fault> {
    let shown = |value: &Value| if value.is_nil() { Value::text(print::NO_VALUE) } else { value.clone() };
    let text = print::sprint(&call.arguments.iter().map(shown).collect::<Vec<_>>())?;
    Ok(Value::text(escape(&text)))
}

fn append(call: &mut Call) -> Result<Value, Fault> {
    let added = call.arguments.split_off(1);
    match &call.arguments[0] {
        Value::List(list) if list.kind == ListType::Any => {
            let mut items = list.items.clone();
            items.extend(added);
            Value::list(ListType::Any, items)
        }
        Value::Absent => Value::list(ListType::Any, added),
        _ => call.wrong(0, "a list that `list` made"),
    }
}
