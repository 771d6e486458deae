//! YAML as a tree in which every value knows its line. Decides nothing about keys; it refuses what
//! has no single meaning (a key that comes twice) and what would cost without end (aliases of
//! aliases, deep nesting).
//!
//! ```text
//! sinks: [{ kind: slack }]   →   Map[("sinks", List[Map[("kind", Text "slack" @ line 1)]])]
//! ```

use saphyr::Scalar;
use saphyr_parser::{Event, Parser, ScalarStyle, StrInput, Tag};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::problem::{Place, Problem};
use crate::error::Table;

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Node {
    /// Of the key, for the value of a key.
    pub place: Place,
    pub value: Value,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Value {
    #[default]
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    /// A number or a truth value as it was written, for readers that ask for it: what it is depends on its key.
    Plain(String),
    Text(String),
    List(Vec<Node>),
    /// In the order of the file.
    Map(Vec<(String, Node)>),
    /// Was faulty and has been reported; counts for the numbering of a list, but is not there.
    Dropped,
}

impl Node {
    pub fn map(place: Place) -> Self {
        Self { place, value: Value::Map(Vec::new()) }
    }

    pub fn entries(&self) -> &[(String, Node)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The value of a key that is there and not null.
    pub fn get(&self, key: &str) -> Option<&Node> {
        let (_, node) = self.entries().iter().find(|(name, _)| name == key)?;
        (!matches!(node.value, Value::Null | Value::Dropped)).then_some(node)
    }

    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        match &mut self.value {
            Value::Map(entries) => entries.iter_mut().find(|(name, _)| name == key).map(|(_, node)| node),
            _ => None,
        }
    }

    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Where `key` stands, or the nearest thing around it.
    pub fn place_of(&self, key: &str) -> &Place {
        self.get(key).map_or(&self.place, |node| &node.place)
    }

    /// Two maps: the entries with one of `keys`, and the rest.
    pub fn split(&self, keys: &[&str]) -> (Node, Node) {
        let (taken, rest) = self.entries().iter().cloned().partition(|(name, _)| keys.contains(&name.as_str()));
        let node = |entries| Node { place: self.place.clone(), value: Value::Map(entries) };
        (node(taken), node(rest))
    }

    /// What serde reads: a key without a value counts as absent.
    pub fn to_table(&self) -> Table {
        let is_there = |node: &Node| !matches!(node.value, Value::Null | Value::Dropped);
        let entries = self.entries().iter().filter(|(_, node)| is_there(node));
        entries.map(|(name, node)| (name.clone(), node.to_json())).collect()
    }

    fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null | Value::Dropped => serde_json::Value::Null,
            Value::Boolean(value) => (*value).into(),
            Value::Integer(value) => (*value).into(),
            Value::Float(value) => (*value).into(),
            Value::Plain(text) => Self { place: Place::BuiltIn, value: scalar(text) }.to_json(),
            Value::Text(value) => value.as_str().into(),
            Value::List(items) => items.iter().filter(|item| item.value != Value::Dropped).map(Self::to_json).collect(),
            Value::Map(_) => serde_json::Value::Object(self.to_table()),
        }
    }
}

/// Reads a scalar as YAML does: `5` is a number, `true` a truth, `a b` a text.
pub(super) fn scalar(text: &str) -> Value {
    resolve(Cow::Borrowed(text), ScalarStyle::Plain, None).unwrap_or_default()
}

fn resolve(text: Cow<'_, str>, style: ScalarStyle, tag: Option<&Cow<'_, Tag>>) -> Option<Value> {
    Some(match Scalar::parse_from_cow_and_metadata(text, style, tag)? {
        Scalar::Null => Value::Null,
        Scalar::Boolean(value) => Value::Boolean(value),
        Scalar::Integer(value) => Value::Integer(value),
        Scalar::FloatingPoint(value) => Value::Float(value.0),
        Scalar::String(value) => Value::Text(value.into_owned()),
    })
}

/// Nesting of lists and maps.
const DEPTH_MAX: usize = 64;
/// Values that aliases (`*name`) may add to one file.
const ALIASED_NODES_MAX: usize = 100_000;

/// Where in the document the reading is; printed only when something is wrong there.
pub(super) struct Trail<'t> {
    parent: Option<&'t Trail<'t>>,
    step: Step<'t>,
}

enum Step<'t> {
    Root,
    Key(&'t str),
    Index(usize),
}

impl Trail<'_> {
    pub const ROOT: Self = Trail { parent: None, step: Step::Root };
}

impl<'t> Trail<'t> {
    pub const fn key(&'t self, key: &'t str) -> Self {
        Trail { parent: Some(self), step: Step::Key(key) }
    }

    pub const fn index(&'t self, index: usize) -> Self {
        Trail { parent: Some(self), step: Step::Index(index) }
    }

    fn depth(&self) -> usize {
        self.parent.map_or(0, |parent| parent.depth() + 1)
    }
}

impl fmt::Display for Trail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Key(key) if self.parent.is_some_and(|parent| matches!(parent.step, Step::Root)) => f.write_str(key),
            Step::Key(key) => write!(f, ".{key}"),
            Step::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// Reads one document, value by value.
pub(super) struct YamlReader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    path: Arc<Path>,
    anchors: BTreeMap<usize, Node>,
    aliased_nodes: usize,
    /// Numbers and truth values stay as they are written.
    is_plain: bool,
    /// What does not stop the reading: keys that come twice.
    pub problems: Vec<Problem>,
}

/// Reads a whole file that holds one document; an empty one is null. With it comes everything that
/// is wrong; there is no node when the text could not be understood at all.
pub(super) fn parse(text: &str, path: &Path) -> (Option<Node>, Vec<Problem>) {
    parse_with(YamlReader::new(text, path))
}

/// As [`parse`], but numbers and truth values are [`Value::Plain`].
pub(super) fn parse_plain(text: &str, path: &Path) -> (Option<Node>, Vec<Problem>) {
    parse_with(YamlReader { is_plain: true, ..YamlReader::new(text, path) })
}

fn parse_with(mut reader: YamlReader<'_>) -> (Option<Node>, Vec<Problem>) {
    let document = reader.document();
    let mut problems = reader.problems;
    match document {
        // The file as a whole has no line.
        Ok(node) => (Some(Node { place: Place::file(&reader.path, 0), ..node }), problems),
        Err(problem) => {
            problems.push(*problem);
            (None, problems)
        }
    }
}

type Read<T> = Result<T, Box<Problem>>;

impl<'a> YamlReader<'a> {
    pub fn new(text: &'a str, path: &Path) -> Self {
        // Windows editors put a byte order mark first.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let parser = Parser::new_from_str(text);
        Self {
            parser,
            path: path.into(),
            anchors: BTreeMap::new(),
            aliased_nodes: 0,
            is_plain: false,
            problems: Vec::new(),
        }
    }

    fn document(&mut self) -> Read<Node> {
        let mut document = None;
        loop {
            let (event, line) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
                _ if document.is_some() => {
                    return Err(self.fault(line, &Trail::ROOT, "a second document begins here, expected only one"));
                }
                event => document = Some(self.node(event, line, &Trail::ROOT)?),
            }
        }
        Ok(document.unwrap_or_default())
    }

    /// The next event and its line.
    pub fn next(&mut self) -> Read<(Event<'a>, u32)> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, line_number(span.start.line()))),
            None => Ok((Event::StreamEnd, 0)),
            Some(Err(error)) => {
                let marker = error.marker();
                let mut problem = self.fault(line_number(marker.line()), &Trail::ROOT, "");
                problem.column = Some(line_number(marker.col() + 1));
                problem.message = format!("cannot read the file as YAML: {}", error.info());
                Err(problem)
            }
        }
    }

    pub fn fault(&self, line: u32, trail: &Trail<'_>, message: impl Into<String>) -> Box<Problem> {
        Box::new(Problem {
            file: Some(self.path.to_path_buf()),
            line: (line > 0).then_some(line),
            path: trail.to_string(),
            message: message.into(),
            ..Problem::default()
        })
    }

    /// The value that begins with `event`.
    pub fn node(&mut self, event: Event<'a>, line: u32, trail: &Trail<'_>) -> Read<Node> {
        if trail.depth() > DEPTH_MAX {
            return Err(self.fault(line, trail, format!("nested more than {DEPTH_MAX} deep")));
        }
        let place = Place::file(&self.path, line);
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => match resolve(text.clone(), style, tag.as_ref()) {
                Some(Value::Boolean(_) | Value::Integer(_) | Value::Float(_)) if self.is_plain => {
                    (Value::Plain(text.into_owned()), anchor)
                }
                Some(Value::Text(text)) if self.is_plain && style == ScalarStyle::Plain && is_old_truth(&text) => {
                    (Value::Plain(text), anchor)
                }
                Some(value) => (value, anchor),
                None => return Err(self.fault(line, trail, format!("the value of `{trail}` does not fit its tag"))),
            },
            Event::SequenceStart(anchor, _) => (Value::List(self.list(trail)?), anchor),
            Event::MappingStart(anchor, _) => (Value::Map(self.mapping(trail)?), anchor),
            Event::Alias(anchor) => return self.alias(anchor, place, line, trail),
            _ => return Err(self.fault(line, trail, "the document ends too early")),
        };
        let node = Node { place, value };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, place: Place, line: u32, trail: &Trail<'_>) -> Read<Node> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(self.fault(line, trail, "an alias cannot be part of what it stands for"));
        };
        self.aliased_nodes += count(node);
        if self.aliased_nodes > ALIASED_NODES_MAX {
            let message = format!("aliases add more than {ALIASED_NODES_MAX} values to this file");
            return Err(self.fault(line, trail, message));
        }
        Ok(Node { place, value: node.value.clone() })
    }

    fn list(&mut self, trail: &Trail<'_>) -> Read<Vec<Node>> {
        let mut items = Vec::new();
        loop {
            let (event, line) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(items);
            }
            items.push(self.node(event, line, &trail.index(items.len()))?);
        }
    }

    /// The entries up to the end of the mapping whose start has been read.
    fn mapping(&mut self, trail: &Trail<'_>) -> Read<Vec<(String, Node)>> {
        let mut entries: Vec<(String, Node)> = Vec::new();
        let mut merged = Vec::new();
        let mut lines: HashMap<String, u32> = HashMap::new();
        while let Some((key, line)) = self.key(trail)? {
            let (event, value_line) = self.next()?;
            let mut node = self.node(event, value_line, &trail.key(&key))?;
            node.place = Place::file(&self.path, line);
            if key == "<<" {
                merged.push(node);
            } else if let Some(first) = lines.insert(key.clone(), line) {
                let child = trail.key(&key);
                let message = format!("key `{child}` comes twice: in line {first} and in line {line}");
                let problem = self.fault(line, &child, message);
                self.problems.push(*problem);
            } else {
                entries.push((key, node));
            }
        }
        for node in merged {
            self.merge(&mut entries, node, trail)?;
        }
        Ok(entries)
    }

    /// The next key of a mapping; nothing at its end.
    pub fn key(&mut self, trail: &Trail<'_>) -> Read<Option<(String, u32)>> {
        match self.next()? {
            (Event::MappingEnd, _) => Ok(None),
            (Event::Scalar(text, ..), line) => Ok(Some((text.into_owned(), line))),
            (_, line) => Err(self.fault(line, trail, "a key must be plain text")),
        }
    }

    /// `<<: *base`: what is not there already comes from the base.
    fn merge(&self, entries: &mut Vec<(String, Node)>, node: Node, trail: &Trail<'_>) -> Read<()> {
        let line = match &node.place {
            Place::File { line, .. } => *line,
            _ => 0,
        };
        match node.value {
            Value::Map(more) => {
                for (key, node) in more {
                    if !entries.iter().any(|(name, _)| *name == key) {
                        entries.push((key, node));
                    }
                }
                Ok(())
            }
            Value::List(bases) => bases.into_iter().try_for_each(|base| match base.value {
                Value::Map(_) => self.merge(entries, base, trail),
                _ => Err(self.fault(line, trail, "`<<` takes a map or a list of maps")),
            }),
            _ => Err(self.fault(line, trail, "`<<` takes a map or a list of maps")),
        }
    }
}

/// What YAML 1.1 took for a truth value besides `true` and `false`.
fn is_old_truth(text: &str) -> bool {
    ["yes", "no", "on", "off", "y", "n"].contains(&text.to_ascii_lowercase().as_str())
}

fn line_number(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn count(node: &Node) -> usize {
    match &node.value {
        Value::List(items) => items.iter().map(count).sum::<usize>() + 1,
        Value::Map(entries) => entries.iter().map(|(_, node)| count(node)).sum::<usize>() + 1,
        _ => 1,
    }
}
