//! The flat sets of macros that Nagios and Zabbix send, by name.
//!
//! Decides how a set is read (a JSON object or several, a form) and that a macro which the monitor did
//! not fill in is absent. Never knows what a macro means.

use super::json;
use super::{Inbound, ParseError};
use serde_json::Value;
use std::collections::BTreeMap;

/// How one monitor writes its macros.
pub struct Dialect {
    /// The one spelling of a name.
    pub fold: fn(&str) -> String,
    /// True for what the monitor leaves in place of a value that it does not have.
    pub is_unresolved: fn(&str) -> bool,
}

/// One notification. Empty and unresolved values are not in it.
#[derive(Debug)]
pub struct Macros(BTreeMap<String, String>);

/// Macros in one notification; the monitors have less than 200 each.
const MACROS_MAX: usize = 1_024;

impl Macros {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The first of these that has a value.
    pub fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.get(name))
    }

    /// The same with another value in one place.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut macros = self.0.clone();
        macros.insert(name.to_owned(), value.to_owned());
        Self(macros)
    }

    /// Those whose names begin so, by the rest of their names.
    pub fn with_prefix(&self, prefix: &str) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, value.as_str())))
    }

    fn collect(pairs: impl Iterator<Item = (String, String)>, dialect: &Dialect) -> Result<Self, ParseError> {
        let mut seen = BTreeMap::new();
        for (name, value) in pairs {
            let name = (dialect.fold)(&name);
            if seen.contains_key(&name) {
                return Err(ParseError::new(&name, "it twice", "each macro once"));
            }
            if seen.len() == MACROS_MAX {
                return Err(ParseError::new("body", "more macros", format!("at most {MACROS_MAX}")));
            }
            seen.insert(name, value);
        }
        seen.retain(|_, value| !value.trim().is_empty() && !(dialect.is_unresolved)(value.trim()));
        Ok(Self(seen))
    }

    fn from_json(value: Value, dialect: &Dialect) -> Result<Self, ParseError> {
        let Value::Object(object) = value else {
            return Err(ParseError::new("body", value.to_string(), "an object of macros"));
        };
        let text = |value| match value {
            Value::String(text) => text,
            Value::Null => String::new(),
            // Tags come as an array when the sender has read them already.
            value => value.to_string(),
        };
        Self::collect(object.into_iter().map(|(name, value)| (name, text(value))), dialect)
    }

    fn from_form(form: &str, dialect: &Dialect) -> Result<Self, ParseError> {
        let mut pairs = Vec::new();
        for pair in form.trim().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name).ok_or_else(|| ParseError::new("body", name, "names in percent-encoded UTF-8"))?;
            let value = decode(value).ok_or_else(|| ParseError::new(&name, value, "percent-encoded UTF-8"))?;
            pairs.push((name, value));
        }
        Self::collect(pairs.into_iter(), dialect)
    }
}

/// Reads every notification in a JSON body: one object, or an array of them. The name of its place in
/// the body stands beside each.
pub fn read_json(text: &str, dialect: &Dialect) -> Result<Vec<(String, Macros)>, ParseError> {
    let mut values = json::read_values(text)?;
    match values.pop() {
        Some(value) if !values.is_empty() => {
            let got = format!("{} JSON values, the last {value}", values.len() + 1);
            Err(ParseError::new("body", got, "one object or array"))
        }
        Some(Value::Array(elements)) => elements
            .into_iter()
            .enumerate()
            .map(|(index, element)| {
                let path = format!("[{index}]");
                let macros = Macros::from_json(element, dialect).map_err(|error| error.inside(&path))?;
                Ok((path, macros))
            })
            .collect(),
        Some(value) => Ok(vec![(String::new(), Macros::from_json(value, dialect)?)]),
        None => Ok(Vec::new()),
    }
}

/// Reads a JSON body or a form, by how it begins: no form begins with a brace, and `curl -d` calls
/// everything a form.
pub fn read_json_or_form(inbound: &Inbound<'_>, dialect: &Dialect) -> Result<Vec<(String, Macros)>, ParseError> {
    let text = json::text(inbound.body)?;
    if text.trim_start().starts_with(['{', '[']) {
        return read_json(text, dialect);
    }
    if !text.contains('=') {
        return Err(ParseError::new("body", text, "a JSON object or a form of macros"));
    }
    Ok(vec![(String::new(), Macros::from_form(text, dialect)?)])
}

/// Undoes the encoding of forms; none when a `%` is not followed by two hex digits or the bytes are not UTF-8.
pub fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded() {
        assert_eq!(decode("a+b%3Dc%2Bd+%C3%BC%20").as_deref(), Some("a b=c+d ü "));
        for text in ["%", "%4", "%zz", "%ff", "%+1"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
