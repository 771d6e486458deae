//! What a template computes with: the handful of Go's types that Alertmanager hands to templates, so that
//! printing, truth, comparison and refusals come out as there.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::go_time::Time;

#[derive(Clone, Debug)]
pub enum Value {
    /// Nothing at all: what `index` finds behind the end of a dictionary. Prints `<no value>`.
    Absent,
    /// A `nil` that lies in a list or dictionary.
    Nil,
    Bool(bool),
    Int(i64, IntType),
    Float(f64),
    Text(Arc<str>, TextType),
    List(Arc<List>),
    Map(Arc<Map>),
    Struct(Arc<Struct>),
    Time(Time),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntType {
    Int,
    Int64,
    Byte,
    /// Nanoseconds.
    Duration,
    Month,
    Weekday,
}

/// Whether a text counts as markup already, which only matters where HTML is rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextType {
    Plain,
    Html,
    Url,
}

#[derive(Debug)]
pub struct List {
    pub kind: ListType,
    pub items: Vec<Value>,
    depth: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListType {
    /// All alerts of the group, which know `.Firing` and `.Resolved`.
    Alerts,
    /// Some of them, which do not.
    AlertSlice,
    Pairs,
    /// Names or values of labels, which know `.Join`.
    Strings,
    StringSlice,
    Any,
}

#[derive(Debug)]
pub struct Map {
    pub kind: MapType,
    pub entries: BTreeMap<Arc<str>, Value>,
    depth: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapType {
    /// Labels or annotations.
    Kv,
    /// What `dict` makes.
    Any,
}

#[derive(Debug)]
pub struct Struct {
    pub shape: &'static Shape,
    /// One for each field of the shape.
    pub fields: Vec<Value>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Shape {
    pub name: &'static str,
    /// Its name for templates and its name in JSON. A name that begins small is only printed.
    pub fields: &'static [(&'static str, &'static str)],
}

/// Lists in lists: deeper ones nobody needs, and each level costs stack where it is printed.
const NESTED_MAX: usize = 32;

impl Value {
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text(text.into(), TextType::Plain)
    }

    pub fn int(number: impl TryInto<i64>) -> Self {
        Self::Int(number.try_into().unwrap_or(i64::MAX), IntType::Int)
    }

    /// # Errors
    /// When lists lie too deep in each other.
    pub fn list(kind: ListType, items: Vec<Self>) -> Result<Self, String> {
        let depth = nested(items.iter())?;
        Ok(Self::List(Arc::new(List { kind, items, depth })))
    }

    /// A list of texts, which cannot be nested.
    pub fn texts<T: Into<Arc<str>>>(kind: ListType, texts: impl IntoIterator<Item = T>) -> Self {
        let items = texts.into_iter().map(Self::text).collect();
        Self::List(Arc::new(List { kind, items, depth: 1 }))
    }

    /// # Errors
    /// When dictionaries lie too deep in each other.
    pub fn map(entries: BTreeMap<Arc<str>, Self>) -> Result<Self, String> {
        let depth = nested(entries.values())?;
        Ok(Self::Map(Arc::new(Map { kind: MapType::Any, entries, depth })))
    }

    pub fn kv<T: Into<Arc<str>>>(pairs: impl IntoIterator<Item = (T, T)>) -> Self {
        let entries = pairs.into_iter().map(|(name, value)| (name.into(), Self::text(value))).collect();
        Self::Map(Arc::new(Map { kind: MapType::Kv, entries, depth: 1 }))
    }

    pub fn of_shape(shape: &'static Shape, fields: Vec<Self>) -> Self {
        Self::Struct(Arc::new(Struct { shape, fields }))
    }

    /// As Go names it in its messages and for `%T`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Absent | Self::Nil => "nil",
            Self::Bool(_) => "bool",
            Self::Int(_, IntType::Int) => "int",
            Self::Int(_, IntType::Int64) => "int64",
            Self::Int(_, IntType::Byte) => "uint8",
            Self::Int(_, IntType::Duration) => "time.Duration",
            Self::Int(_, IntType::Month) => "time.Month",
            Self::Int(_, IntType::Weekday) => "time.Weekday",
            Self::Float(_) => "float64",
            Self::Text(_, TextType::Plain) => "string",
            Self::Text(_, TextType::Html) => "template.HTML",
            Self::Text(_, TextType::Url) => "template.URL",
            Self::List(list) => list.kind.name(),
            Self::Map(map) => map.kind.name(),
            Self::Struct(object) => object.shape.name,
            Self::Time(_) => "time.Time",
        }
    }

    /// In a sentence: `a string`, `an int`, `the number 5`.
    pub fn a_type(&self) -> String {
        match self {
            Self::Absent | Self::Nil => "nothing".into(),
            Self::Bool(truth) => truth.to_string(),
            Self::Int(number, IntType::Int) => format!("the number {number}"),
            Self::Float(number) => format!("the number {number:?}"),
            Self::Text(text, TextType::Plain) if text.len() <= QUOTED_BYTES_MAX => format!("the text `{text}`"),
            _ => format!("a {}", self.type_name()),
        }
    }

    /// What counts as true for `if`, `with`, `and`, `or` and `not`.
    pub fn is_true(&self) -> bool {
        match self {
            Self::Absent | Self::Nil => false,
            Self::Bool(truth) => *truth,
            Self::Int(number, _) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Text(text, _) => !text.is_empty(),
            Self::List(list) => !list.items.is_empty(),
            Self::Map(map) => !map.entries.is_empty(),
            Self::Struct(_) | Self::Time(_) => true,
        }
    }

    pub fn is_nil(&self) -> bool {
        matches!(self, Self::Absent | Self::Nil)
    }

    /// How much it weighs against the limit on work when a function reads or makes it.
    pub fn weight(&self) -> usize {
        match self {
            Self::Text(text, _) => text.len() / TEXT_BYTES_PER_STEP,
            Self::List(list) => list.items.len(),
            Self::Map(map) => map.entries.len(),
            _ => 0,
        }
    }

    fn depth(&self) -> usize {
        match self {
            Self::List(list) => list.depth,
            Self::Map(map) => map.depth,
            Self::Struct(_) => 3, // A group has alerts, an alert labels.
            _ => 0,
        }
    }
}

/// A longer text in a message would hide the message.
const QUOTED_BYTES_MAX: usize = 40;

const TEXT_BYTES_PER_STEP: usize = 64;

fn nested<'a>(items: impl Iterator<Item = &'a Value>) -> Result<usize, String> {
    let depth = 1 + items.map(Value::depth).max().unwrap_or(0);
    if depth > NESTED_MAX {
        return Err(format!("lists and dictionaries lie more than {NESTED_MAX} deep in each other"));
    }
    Ok(depth)
}

impl ListType {
    pub fn name(self) -> &'static str {
        match self {
            Self::Alerts => "template.Alerts",
            Self::AlertSlice => "[]template.Alert",
            Self::Pairs => "template.Pairs",
            Self::Strings => "template.Strings",
            Self::StringSlice => "[]string",
            Self::Any => "[]interface {}",
        }
    }

    pub fn is_texts(self) -> bool {
        matches!(self, Self::Strings | Self::StringSlice)
    }
}

impl MapType {
    pub fn name(self) -> &'static str {
        match self {
            Self::Kv => "template.KV",
            Self::Any => "map[string]interface {}",
        }
    }

    /// What a name that is not there has for a value.
    pub fn missing(self) -> Value {
        match self {
            Self::Kv => Value::text(""),
            Self::Any => Value::Nil,
        }
    }
}

impl Map {
    /// With `alertname` first, then by name.
    pub fn sorted(&self) -> impl Iterator<Item = (&Arc<str>, &Value)> {
        let first = self.entries.get_key_value(ALERT_NAME);
        first.into_iter().chain(self.entries.iter().filter(|(name, _)| &***name != ALERT_NAME))
    }
}

const ALERT_NAME: &str = "alertname";

impl Struct {
    pub fn field(&self, name: &str) -> Option<&Value> {
        let at = self.shape.fields.iter().position(|(field, _)| *field == name && is_exported(field))?;
        self.fields.get(at)
    }
}

pub fn is_exported(field: &str) -> bool {
    field.starts_with(|first: char| first.is_uppercase())
}
