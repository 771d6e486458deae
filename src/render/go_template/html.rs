//! Follows the markup that a template writes and says how a value must be escaped where it stands.
//!
//! Only the template's own text moves through the states. Values are escaped so that they cannot.

use super::buffer::{Buffer, Fault};
use super::escape;
use super::print;
use super::value::{TextType, Value};

#[derive(Debug, Default)]
pub struct Html {
    state: State,
    /// Of the element whose content may not be markup: `script`, `style`, `title`, `textarea`.
    raw: Option<&'static str>,
    tag: String,
    attribute: String,
    address: Address,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    Comment,
    TagName,
    Tag,
    AttributeName,
    AfterName,
    BeforeValue,
    Value(Quote),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quote {
    Double,
    Single,
    None,
}

/// How far an address in an attribute went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Address {
    #[default]
    Begin,
    Path,
    QueryOrFragment,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Attribute {
    Plain,
    Address,
    Style,
    Script,
}

const RAW_ELEMENTS: [&str; 4] = ["script", "style", "title", "textarea"];

const ADDRESS_ATTRIBUTES: [&str; 14] = [
    "action",
    "archive",
    "background",
    "cite",
    "classid",
    "codebase",
    "data",
    "formaction",
    "href",
    "icon",
    "longdesc",
    "manifest",
    "poster",
    "usemap",
];

impl Html {
    /// Takes a piece of the template's own text, and passes it on without comments.
    ///
    /// # Errors
    /// When the text becomes too long.
    pub fn literal(&mut self, text: &str, buffer: &mut Buffer) -> Result<(), Fault> {
        let mut rest = text;
        while !rest.is_empty() {
            rest = match (self.state, self.raw) {
                (State::Comment, _) => match rest.find("-->") {
                    None => "",
                    Some(at) => {
                        self.state = State::Text;
                        &rest[at + 3..]
                    }
                },
                (State::Text, None) if rest.starts_with("<!--") => {
                    self.state = State::Comment;
                    &rest[4..]
                }
                (State::Text, Some(element)) => {
                    let end = end_of(element, rest);
                    match element {
                        "title" | "textarea" => buffer.push_str(&rest[..end].replace('<', "&lt;"))?,
                        _ => buffer.push_str(&rest[..end])?,
                    }
                    if end < rest.len() {
                        self.open_tag();
                        buffer.push('<')?;
                    }
                    rest.get(end + 1..).unwrap_or_default()
                }
                _ => {
                    let mut chars = rest.chars();
                    if let Some(char) = chars.next() {
                        let was_text = self.state == State::Text;
                        self.step(char, chars.as_str());
                        // A `<` that opens nothing is text.
                        let is_text = was_text && self.state == State::Text && !is_doctype(chars.as_str());
                        buffer.push_str(if char == '<' && is_text { "&lt;" } else { &rest[..char.len_utf8()] })?;
                    }
                    chars.as_str()
                }
            };
        }
        Ok(())
    }

    fn step(&mut self, char: char, behind: &str) {
        let is_space = char.is_ascii_whitespace();
        match self.state {
            State::Text => {
                let name = behind.strip_prefix('/').unwrap_or(behind);
                if char == '<' && name.starts_with(|next: char| next.is_ascii_alphabetic()) {
                    self.open_tag();
                }
            }
            State::Comment => {}
            State::TagName if char == '>' || is_space => self.in_tag(char),
            State::TagName => self.tag.push(char.to_ascii_lowercase()),
            State::Tag if char == '>' || is_space || char == '/' => self.in_tag(char),
            State::Tag => {
                self.attribute.clear();
                self.attribute.push(char.to_ascii_lowercase());
                self.state = State::AttributeName;
            }
            State::AttributeName | State::AfterName => match char {
                '=' => self.state = State::BeforeValue,
                '>' => self.in_tag(char),
                '/' => self.state = State::Tag,
                _ if is_space => self.state = State::AfterName,
                _ if self.state == State::AfterName => {
                    self.state = State::Tag;
                    self.step(char, behind);
                }
                _ => self.attribute.push(char.to_ascii_lowercase()),
            },
            State::BeforeValue if is_space => {}
            State::BeforeValue => {
                self.address = Address::Begin;
                match char {
                    '"' => self.state = State::Value(Quote::Double),
                    '\'' => self.state = State::Value(Quote::Single),
                    '>' => self.in_tag(char),
                    _ => {
                        self.state = State::Value(Quote::None);
                        self.step(char, behind);
                    }
                }
            }
            State::Value(quote) => match (quote, char) {
                (Quote::Double, '"') | (Quote::Single, '\'') => self.state = State::Tag,
                (Quote::None, _) if is_space || char == '>' => self.in_tag(char),
                (_, '?' | '#') => self.address = Address::QueryOrFragment,
                _ if !is_space && self.address == Address::Begin => self.address = Address::Path,
                _ => {}
            },
        }
    }

    fn open_tag(&mut self) {
        self.raw = None;
        self.tag.clear();
        self.state = State::TagName;
    }

    fn in_tag(&mut self, char: char) {
        if char != '>' {
            self.state = State::Tag;
            return;
        }
        self.state = State::Text;
        self.raw = RAW_ELEMENTS.into_iter().find(|element| *element == self.tag.trim_end_matches('/'));
    }

    /// The text to write for a value. `last` is the function that made it.
    ///
    /// # Errors
    /// Where no value may stand.
    pub fn value(&mut self, value: &Value, last: Option<&str>) -> Result<String, Fault> {
        let (text, kind) = match value {
            Value::Absent | Value::Nil => (String::new(), TextType::Plain),
            Value::Text(text, kind) => (text.to_string(), *kind),
            _ => (print::shown(value)?, TextType::Plain),
        };
        match self.state {
            State::Comment => Ok(String::new()),
            State::Text => self.in_text(&text, kind, last),
            State::BeforeValue => {
                self.address = Address::Begin;
                self.state = State::Value(Quote::None);
                self.in_attribute(&text, kind, last, Quote::None)
            }
            State::Value(quote) => self.in_attribute(&text, kind, last, quote),
            State::TagName | State::Tag | State::AttributeName | State::AfterName => {
                Err("a value cannot stand as the name of an element or attribute; write the name out".into())
            }
        }
    }

    fn in_text(&self, text: &str, kind: TextType, last: Option<&str>) -> Result<String, Fault> {
        match self.raw {
            Some("script") => Err(NO_SCRIPT.into()),
            Some("style") => Ok(escape::style(text).to_owned()),
            Some(_) if kind == TextType::Html => Ok(escape::markup_kept(text)),
            None if kind == TextType::Html => Ok(text.to_owned()),
            _ if last == Some("html") => Ok(text.to_owned()),
            _ => Ok(escape::markup(text)),
        }
    }

    fn in_attribute(&self, text: &str, kind: TextType, last: Option<&str>, quote: Quote) -> Result<String, Fault> {
        let text = match self.kind_of_attribute() {
            Attribute::Script => return Err(NO_SCRIPT.into()),
            Attribute::Style => escape::style(text).to_owned(),
            Attribute::Plain => text.to_owned(),
            Attribute::Address => {
                let is_begin = self.address == Address::Begin;
                if is_begin && kind != TextType::Url && !escape::is_safe_address(text) {
                    format!("#{}", escape::UNSAFE)
                } else if last == Some("urlquery") {
                    text.to_owned()
                } else {
                    let is_address = kind == TextType::Url || self.address != Address::QueryOrFragment;
                    escape::address(text, is_address)
                }
            }
        };
        Ok(match quote {
            Quote::None => escape::unquoted(&text),
            _ if kind == TextType::Html => escape::markup_kept(&escape::without_tags(&text)),
            _ if last == Some("html") => text,
            _ => escape::markup(&text),
        })
    }

    fn kind_of_attribute(&self) -> Attribute {
        let name = self.attribute.strip_prefix("data-").unwrap_or(&self.attribute);
        let name = name.rsplit_once(':').map_or(name, |(_, name)| name);
        let sounds_like_address = ["src", "uri", "url"].iter().any(|part| name.contains(part));
        match name {
            "style" => Attribute::Style,
            _ if name.starts_with("on") || name == "srcdoc" => Attribute::Script,
            _ if ADDRESS_ATTRIBUTES.contains(&name) || sounds_like_address => Attribute::Address,
            _ => Attribute::Plain,
        }
    }
}

const NO_SCRIPT: &str = "a value cannot stand in a script: mail programs do not run them";

/// Of what stands behind `<`.
fn is_doctype(behind: &str) -> bool {
    behind.get(..DOCTYPE.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(DOCTYPE))
}

const DOCTYPE: &str = "!doctype";

/// Where the end tag of the element begins.
fn end_of(element: &str, text: &str) -> usize {
    let ends = text.match_indices("</").map(|(at, _)| at);
    let mut ends = ends.filter(|at| {
        let name = text.get(at + 2..at + 2 + element.len());
        name.is_some_and(|name| name.eq_ignore_ascii_case(element))
    });
    ends.next().unwrap_or(text.len())
}
