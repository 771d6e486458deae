//! Strict reading of JSON from strangers: what is JSON here and how a mistake is named.
//!
//! Stricter than the grammar where two readers could disagree or one could be hurt: a name twice in
//! one object is an error even inside fields that nobody reads, nesting ends at [`DEPTH_MAX`], text is
//! valid UTF-8, and nothing follows the value. Fields that a reader does not know are skipped.
//! Never decides what a field means; that is each source's own file.
//!
//! A body is first read straight into its type. Only when that fails is it read again with the path
//! recorded, so that a good body pays nothing for `alerts[3].labels.severity`.

use super::ParseError;
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::{Map, Number, Value};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

/// Objects and arrays inside one another, the outermost included.
pub const DEPTH_MAX: usize = 64;

/// The body as text.
pub fn text(body: &[u8]) -> Result<&str, ParseError> {
    let text = std::str::from_utf8(body).map_err(|error| {
        ParseError::new("body", format!("an invalid byte at offset {}", error.valid_up_to()), "UTF-8 text")
    })?;
    if text.trim().is_empty() {
        return Err(ParseError::new("body", "nothing", "a JSON text"));
    }
    Ok(text)
}

/// Reads a whole body into `T`.
pub fn read<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, ParseError> {
    serde_json::from_str(text).map_err(|error| {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let mut track = serde_path_to_error::Track::new();
        let again = T::deserialize(serde_path_to_error::Deserializer::new(&mut deserializer, &mut track));
        match again {
            Err(error) => explain(&track.path().to_string(), &error),
            // The value itself is good, so the error is in what follows it.
            Ok(_) => explain("", &error),
        }
    })
}

/// Reads one value, or several after each other (JSON Lines).
pub fn read_values(text: &str) -> Result<Vec<Value>, ParseError> {
    let mut values = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    while deserializer.end().is_err() {
        let mut track = serde_path_to_error::Track::new();
        let tracked = serde_path_to_error::Deserializer::new(&mut deserializer, &mut track);
        match (StrictValue { depth: 0 }).deserialize(tracked) {
            Ok(value) => values.push(value),
            Err(error) => {
                let path = track.path().to_string();
                let path = if values.is_empty() { path } else { format!("[{}].{path}", values.len()) };
                return Err(explain(path.trim_end_matches('.'), &error));
            }
        }
    }
    Ok(values)
}

/// Says in our words what serde said in its own: `invalid type: integer `5`, expected a string`.
fn explain(path: &str, error: &serde_json::Error) -> ParseError {
    let place = format!("line {}, column {}", error.line(), error.column());
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
    let field = if path.is_empty() || path == "." { "body" } else { path };
    match error.classify() {
        Category::Eof => ParseError::new("body", format!("its end at {place}"), "the rest of the JSON text"),
        Category::Syntax | Category::Io => {
            ParseError::new("body", format!("a mistake at {place} ({message})"), "valid JSON")
        }
        Category::Data => mismatch(field, message),
    }
}

/// Splits what a type said about a value that does not fit it.
fn mismatch(field: &str, message: &str) -> ParseError {
    // Our own types say "expected …, got …"; serde's say "…, expected …".
    let own = message.strip_prefix("expected ").and_then(|rest| rest.split_once(", got "));
    if let Some((expected, got)) = own {
        return ParseError::new(field, got, expected);
    }
    if let Some(name) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        // The path ends at the object that lacks it.
        return ParseError::new(name, "nothing", "a value").inside(if field == "body" { "" } else { field });
    }
    if let Some((_, known)) = message.strip_prefix("unknown field `").and_then(|rest| rest.split_once("`, expected ")) {
        return ParseError::new(field, "a name that is not known here", plain(known));
    }
    match message.rsplit_once(", expected ") {
        Some((got, expected)) => ParseError::new(field, plain(got), plain(expected)),
        None if message.starts_with("duplicate ") => ParseError::new(field, message, "each name once"),
        None if message.starts_with("more than ") => ParseError::new(field, message, "fewer"),
        None => ParseError::new(field, message, "a value that fits"),
    }
}

/// Turns a value that was read before into `T`; `field` is its name.
pub fn from_value<T: de::DeserializeOwned>(field: &str, value: Value) -> Result<T, ParseError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." { "body" } else { &path };
        mismatch(path, &error.inner().to_string()).inside(field)
    })
}

/// Takes serde's lead-in off and calls things by their JSON names.
fn plain(phrase: &str) -> &str {
    let leads = ["invalid type: ", "invalid value: ", "invalid length: ", "unknown variant ", "one of "];
    let phrase = leads.iter().find_map(|lead| phrase.strip_prefix(lead)).unwrap_or(phrase);
    match phrase {
        "map" | "a map" => "an object",
        "sequence" | "a sequence" => "an array",
        phrase => phrase,
    }
}

/// Reads the value of a known name, once.
pub fn fill<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    slot: &mut Option<T>,
    map: &mut A,
    name: &str,
) -> Result<(), A::Error> {
    if slot.is_some() {
        return Err(duplicate(name));
    }
    *slot = Some(map.next_value()?);
    Ok(())
}

fn duplicate<E: de::Error>(name: &str) -> E {
    E::custom(format_args!("duplicate name `{name}`"))
}

fn check_depth<E: de::Error>(depth: usize) -> Result<(), E> {
    if depth > DEPTH_MAX {
        return Err(E::custom(format_args!("deeper nesting, expected at most {DEPTH_MAX} levels")));
    }
    Ok(())
}

/// Names in one object that its reader does not know.
pub struct Unknown {
    names: BTreeSet<String>,
    depth: usize,
}

impl Unknown {
    /// `depth` is that of the object itself, 1 for the outermost.
    pub const fn at_depth(depth: usize) -> Self {
        Self { names: BTreeSet::new(), depth }
    }

    /// Skips the value of `name`, which may come once.
    pub fn skip<'de, A: MapAccess<'de>>(&mut self, map: &mut A, name: String) -> Result<(), A::Error> {
        if self.names.contains(&name) {
            return Err(duplicate(&name));
        }
        self.names.insert(name);
        map.next_value_seed(Skip { depth: self.depth })
    }
}

/// Reads a value and keeps nothing of it, but insists that it is sound.
#[derive(Clone, Copy)]
struct Skip {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Skip {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Skip {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        check_depth(self.depth + 1)?;
        while elements.next_element_seed(Self { depth: self.depth + 1 })?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        check_depth(self.depth + 1)?;
        let mut names = BTreeSet::new();
        while let Some(Name(name)) = map.next_key()? {
            if names.contains(&name) {
                return Err(duplicate(&name));
            }
            names.insert(name);
            map.next_value_seed(Self { depth: self.depth + 1 })?;
        }
        Ok(())
    }
}

/// A name in an object, borrowed from the body where it holds no escape.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Name<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}

/// Reads a value and keeps all of it.
#[derive(Clone, Copy)]
struct StrictValue {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for StrictValue {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for StrictValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }
    fn visit_bool<E>(self, is_true: bool) -> Result<Value, E> {
        Ok(Value::Bool(is_true))
    }
    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::from(number))
    }
    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::from(number))
    }
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Value, E> {
        Number::from_f64(number).map(Value::Number).ok_or_else(|| E::custom("a number that is not finite"))
    }
    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        check_depth(self.depth + 1)?;
        let mut array = Vec::new();
        while let Some(element) = elements.next_element_seed(Self { depth: self.depth + 1 })? {
            array.push(element);
        }
        Ok(Value::Array(array))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        check_depth(self.depth + 1)?;
        let mut object = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            if object.contains_key(&name) {
                return Err(duplicate(&name));
            }
            let value = map.next_value_seed(Self { depth: self.depth + 1 })?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error that one value gives, or "read".
    fn check(body: &str) -> String {
        match text(body.as_bytes()).and_then(read_values) {
            Ok(_) => "read".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn names_what_is_wrong_and_where() {
        insta::assert_snapshot!(check(""), @"`body`: expected a JSON text, got nothing");
        insta::assert_snapshot!(check(r#"{"a":[1,{"b":2,"b":3}]}"#), @"`a[1]`: expected each name once, got duplicate name `b`");
        insta::assert_snapshot!(check(r#"{"a":1}x"#), @"`body`: expected valid JSON, got a mistake at line 1, column 8 (expected value)");
        insta::assert_snapshot!(check(r#"{"a":1} {"a":tru}"#), @"`body`: expected valid JSON, got a mistake at line 1, column 17 (expected ident)");
        insta::assert_snapshot!(check(r#"{"a":"#), @"`body`: expected the rest of the JSON text, got its end at line 1, column 5");
        insta::assert_snapshot!(check(r#"{"a":1e999}"#), @"`body`: expected valid JSON, got a mistake at line 1, column 10 (number out of range)");
        insta::assert_snapshot!(text(b"{\"a\":\"\xff\"}").unwrap_err(), @"`body`: expected UTF-8 text, got an invalid byte at offset 6");
        insta::assert_snapshot!(read::<Vec<String>>(r#"["a",5]"#).unwrap_err(), @"`[1]`: expected a string, got integer `5`");
        insta::assert_snapshot!(read::<Vec<String>>("{}").unwrap_err(), @"`body`: expected an array, got an object");
        insta::assert_snapshot!(read::<Vec<String>>("[] []").unwrap_err(), @"`body`: expected valid JSON, got a mistake at line 1, column 4 (trailing characters)");
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        inner: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        name: String,
    }

    #[test]
    fn what_is_missing_or_unknown_is_the_field() {
        let field = |body: &str| read::<Outer>(body).unwrap_err().field;
        assert_eq!(field("{}"), "inner");
        assert_eq!(field(r#"{"inner":[{"name":"a"},{}]}"#), "inner[1].name");
        assert_eq!(field(r#"{"inner":[],"name":1}"#), "name");
        assert_eq!(read::<Outer>(r#"{"inner":[{"name":"a"}]}"#).unwrap().inner[0].name, "a");
        assert_eq!(from_value::<Outer>("alerts[2]", serde_json::json!({})).unwrap_err().field, "alerts[2].inner");
        insta::assert_snapshot!(read::<Outer>(r#"{"inner":[{}]}"#).unwrap_err(), @"`inner[0].name`: expected a value, got nothing");
        insta::assert_snapshot!(read::<Outer>(r#"{"inner":[{"nam":"a"}]}"#).unwrap_err(), @"`inner[0].nam`: expected `name`, got a name that is not known here");
    }

    #[test]
    fn nesting_ends_at_the_limit_and_never_in_a_crash() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(check(&nested(DEPTH_MAX)), "read");
        for levels in [DEPTH_MAX + 1, 100_000] {
            let error = check(&nested(levels));
            assert!(error.contains("expected at most 64 levels, got deeper nesting"), "{error}");
        }
    }

    /// An object with one known name, read as the sources read theirs.
    #[derive(Debug)]
    struct Known(Option<u8>);

    impl<'de> Deserialize<'de> for Known {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct KnownVisitor;
            impl<'de> Visitor<'de> for KnownVisitor {
                type Value = Known;
                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Known, A::Error> {
                    let (mut known, mut unknown) = (None, Unknown::at_depth(1));
                    while let Some(name) = map.next_key::<String>()? {
                        match name.as_str() {
                            "known" => fill(&mut known, &mut map, "known")?,
                            _ => unknown.skip(&mut map, name)?,
                        }
                    }
                    Ok(Known(known))
                }
            }
            deserializer.deserialize_map(KnownVisitor)
        }
    }

    #[test]
    fn what_nobody_reads_must_still_be_sound() {
        assert_eq!(read::<Known>(r#"{"x":{"a":[1,-2,1.5,null,true,"\n"],"b":{}},"known":3}"#).unwrap().0, Some(3));
        insta::assert_snapshot!(read::<Known>(r#"{"x":[{"a":1,"\u0061":2}]}"#).unwrap_err(), @"`x[0]`: expected each name once, got duplicate name `a`");
        insta::assert_snapshot!(read::<Known>(r#"{"x":1,"x":2}"#).unwrap_err(), @"`body`: expected each name once, got duplicate name `x`");
        insta::assert_snapshot!(read::<Known>(r#"{"known":1,"known":2}"#).unwrap_err(), @"`body`: expected each name once, got duplicate name `known`");
        insta::assert_snapshot!(read::<Known>(r#"{"known":300}"#).unwrap_err(), @"`known`: expected u8, got integer `300`");
        let deep = format!(r#"{{"x":{}{}}}"#, "[".repeat(DEPTH_MAX), "]".repeat(DEPTH_MAX));
        assert!(read::<Known>(&deep).unwrap_err().got.contains("deeper nesting"));
    }
}
