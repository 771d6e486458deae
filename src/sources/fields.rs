//! The fields of JSON objects from strangers, taken out one after the other. Decides how an absent one reads
//! (as null does) and how a wrong one is named; never what it means.
//!
//! ```text
//! {"deployment":{"id":7}}      fields.object("deployment")? then .take::<u64>("id")?, an error says `deployment.id`
//! ```

use super::{Inbound, ParseError, is_http_url, json};
use crate::model::Timestamp;
use crate::model::event::{LABEL_VALUE_BYTES_MAX, TEXT_BYTES_MAX};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

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

    /// All that is still there.
    pub fn copied(&self) -> Value {
        Value::Object(self.map.clone())
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

    /// A text or a number, as a text; absent where the sender leaves it empty.
    pub fn word(&mut self, name: &str) -> Result<Option<String>, ParseError> {
        Ok(match self.take::<Value>(name)? {
            None => None,
            Some(Value::Array(_) | Value::Object(_)) => {
                return Err(ParseError::new(name, "more than that", "a text or a number").inside(&self.path));
            }
            Some(value) => Some(plain(value)).filter(|text| !text.is_empty()),
        })
    }

    pub fn need_word(&mut self, name: &str, expected: &str) -> Result<String, ParseError> {
        required(self.word(name)?, name, expected).map_err(|error| error.inside(&self.path))
    }

    /// An address of the web; what is none is no reason to lose an alert.
    pub fn link(&mut self, name: &str) -> Result<Option<String>, ParseError> {
        Ok(self.word(name)?.filter(|url| is_http_url(url) && url.len() <= TEXT_BYTES_MAX))
    }

    /// A time as a number since 1970, in units of so many milliseconds, also where it is written as a text. Zero is none.
    pub fn epoch(&mut self, name: &str, unit_ms: i64) -> Result<Option<Timestamp>, ParseError> {
        let Some(text) = self.word(name)? else { return Ok(None) };
        let number: Option<f64> = text.parse().ok().filter(|number: &f64| number.is_finite());
        let expected = if unit_ms == 1 { "milliseconds since 1970" } else { "seconds since 1970" };
        let number = number.ok_or_else(|| ParseError::new(name, &text, expected).inside(&self.path))?;
        let ms = (number * unit_ms as f64).round() as i64;
        Ok((ms != 0).then(|| Timestamp::from_millis(ms)))
    }

    /// An object of texts; other values in it as JSON.
    pub fn pairs(&mut self, name: &str) -> Result<Vec<(String, String)>, ParseError> {
        let map: Option<Map<String, Value>> = self.take(name)?;
        let pairs = map.unwrap_or_default().into_iter().filter(|(_, value)| !value.is_null());
        Ok(pairs.map(|(name, value)| (name, plain(value))).collect())
    }

    /// An array of texts, or one text with commas between them.
    pub fn list(&mut self, name: &str) -> Result<Vec<String>, ParseError> {
        let words: Vec<String> = match self.take::<Value>(name)? {
            None => Vec::new(),
            Some(Value::Array(values)) => values.into_iter().filter(|value| !value.is_null()).map(plain).collect(),
            Some(Value::Object(_)) => {
                return Err(ParseError::new(name, "an object", "an array of texts").inside(&self.path));
            }
            Some(value) => plain(value).split(',').map(|word| word.trim().to_owned()).collect(),
        };
        Ok(words.into_iter().filter(|word| !word.is_empty()).collect())
    }

    /// An array of texts, or one text that is taken as it is.
    pub fn list_or_word(&mut self, name: &str) -> Result<Vec<String>, ParseError> {
        match self.take::<Value>(name)? {
            Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty()).into_iter().collect()),
            None => Ok(Vec::new()),
            Some(value) => {
                self.map.insert(name.to_owned(), value);
                self.list(name)
            }
        }
    }

    /// Lets go of texts that only look like values: placeholders that the sender did not fill in.
    pub fn forget(&mut self, is_nothing: fn(&str) -> bool) {
        self.map.retain(|_, value| !value.as_str().is_some_and(|text| is_nothing(text.trim())));
    }

    /// What is left and says something, for `extra`; without what is too large to be kept with every event.
    pub fn leftover(self) -> BTreeMap<String, Value> {
        let says_something = |value: &Value| match value {
            Value::Null => false,
            Value::String(text) => !text.is_empty(),
            Value::Array(values) => !values.is_empty(),
            Value::Object(map) => !map.is_empty(),
            Value::Bool(_) | Value::Number(_) => true,
        };
        let is_kept = |value: &Value| says_something(value) && value.to_string().len() <= LABEL_VALUE_BYTES_MAX;
        self.map.into_iter().filter(|(_, value)| is_kept(value)).collect()
    }

    /// What is left.
    pub fn rest(self) -> Map<String, Value> {
        self.map
    }
}

/// A value as people would write it.
fn plain(value: Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Null => String::new(),
        value => value.to_string(),
    }
}
