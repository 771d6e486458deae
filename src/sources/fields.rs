//! The fields of JSON objects from strangers, taken out one after the other. Decides how an absent one reads
//! (as null does) and how a wrong one is named; never what it means.
//!
//! ```text
//! {"deployment":{"id":7}}      fields.object("deployment")? then .take::<u64>("id")?, an error says `deployment.id`
//! ```

use super::{Inbound, ParseError, is_http_url, json};
use crate::model::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub struct Fields {
    map: Map<String, Value>,
    /// Where the object stands in the body; empty for the body itself.
    path: String,
}

/// The objects of a body, each with its place: one object, an array of them, or JSON Lines.
pub fn objects(inbound: &Inbound<'_>) -> Result<Vec<(String, Fields)>, ParseError> {
    let mut values = json::read_values(json::text(inbound.body)?)?;
    let are_lines = matches!(inbound.content_type, "application/x-ndjson" | "application/jsonl");
    let is_single = values.len() == 1 && !are_lines;
    if is_single && let Some(Value::Array(_)) = values.first() {
        let Some(Value::Array(elements)) = values.pop() else { return Ok(Vec::new()) };
        values = elements;
    } else if is_single {
        return values.into_iter().map(|value| Ok((String::new(), Fields::of(value)?))).collect();
    }
    let placed = values.into_iter().enumerate().map(|(index, value)| (format!("[{index}]"), value));
    placed
        .map(|(path, value)| {
            let fields = Fields::of(value).map_err(|error| error.inside(&path))?;
            Ok((path, fields))
        })
        .collect()
}

pub fn required<T>(value: Option<T>, field: &str, expected: &str) -> Result<T, ParseError> {
    value.ok_or_else(|| ParseError::new(field, "nothing", expected))
}

/// Where a recorded object came from and when: as it says, else the given source at the object's own time.
pub fn origin(value: &Value, source: &str) -> Result<(String, Timestamp), ParseError> {
    let mut fields = Fields::of(value.clone())?;
    let source = fields.text("source")?.unwrap_or_else(|| source.to_owned());
    let received_at = fields.time("received_at")?.or(fields.time("at")?);
    Ok((source, required(received_at, "at", "a time, or one in `received_at`")?))
}

/// A vendor's text, cut with a mark where it is longer than we keep.
pub fn clipped(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let room = bytes_max - '…'.len_utf8();
    let end = (0..=room).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &text[..end])
}

impl Fields {
    /// A body that is one object.
    pub fn read(text: &str) -> Result<Self, ParseError> {
        let mut values = json::read_values(text)?;
        match (values.pop(), values.is_empty()) {
            (Some(value), true) => Self::of(value),
            _ => Err(ParseError::new("body", "several values", "one JSON object")),
        }
    }

    pub fn of(value: Value) -> Result<Self, ParseError> {
        match value {
            Value::Object(map) => Ok(Self { map, path: String::new() }),
            other => Err(ParseError::new("body", other.to_string(), "an object")),
        }
    }

    /// The object as text, the same for the same fields.
    pub fn canonical(&self) -> String {
        Value::Object(self.map.clone()).to_string()
    }

    pub fn has(&self, name: &str) -> bool {
        self.map.get(name).is_some_and(|value| !value.is_null())
    }

    pub fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, ParseError> {
        match self.map.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => json::from_value(name, value).map(Some).map_err(|error| error.inside(&self.path)),
        }
    }

    pub fn need<T: DeserializeOwned>(&mut self, name: &str, expected: &str) -> Result<T, ParseError> {
        required(self.take(name)?, name, expected).map_err(|error| error.inside(&self.path))
    }

    /// An object inside this one.
    pub fn object(&mut self, name: &str) -> Result<Option<Self>, ParseError> {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        let map: Option<Map<String, Value>> = self.take(name)?;
        Ok(map.map(|map| Self { map, path }))
    }

    pub fn text(&mut self, name: &str) -> Result<Option<String>, ParseError> {
        self.take(name)
    }

    /// A text that a vendor leaves empty where it has nothing to say, and that may be longer than we keep.
    pub fn prose(&mut self, name: &str, bytes_max: usize) -> Result<Option<String>, ParseError> {
        let text = self.text(name)?;
        Ok(text.map(|text| clipped(text.trim(), bytes_max)).filter(|text| !text.is_empty()))
    }

    pub fn time(&mut self, name: &str) -> Result<Option<Timestamp>, ParseError> {
        self.take(name)
    }

    pub fn url(&mut self, name: &str) -> Result<Option<String>, ParseError> {
        match self.text(name)? {
            Some(url) if !is_http_url(&url) => {
                Err(ParseError::new(name, url, "an `http` or `https` address").inside(&self.path))
            }
            url => Ok(url),
        }
    }

    /// What is left.
    pub fn rest(self) -> Map<String, Value> {
        self.map
    }
}
