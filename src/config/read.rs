//! From a tree to a struct, with every fault of an entry and not only the first: what serde rejects is
//! reported, taken out, and the rest is read again. Rewrites serde's sentences for operators; decides
//! nothing about what values mean.

use serde::de::DeserializeOwned;

use super::problem::{Place, Problems, did_you_mean, quoted};
use super::yaml::{Node, Value};
use crate::error::{ConfigError, Table, read_table};

/// Faults reported of one entry; more would not help anyone.
const FAULTS_MAX: usize = 50;

/// Known keys listed beside a guess.
const LISTED_MAX: usize = 15;

/// What an entry may say besides the keys of the struct that is read.
#[derive(Clone, Copy, Default)]
pub(super) struct Reading<'a> {
    /// Keys that were split off before and so are known too.
    pub other_keys: &'a [&'a str],
    /// The entry may hold secrets: rejected text is not repeated.
    pub is_secret: bool,
}

pub(super) fn join(base: &str, key: &str) -> String {
    if base.is_empty() { key.to_owned() } else { format!("{base}.{key}") }
}

/// Reads one entry into `T`. What was faulty in it is reported and then counts as absent; nothing comes
/// back when the rest makes no `T`.
pub(super) fn read<T: DeserializeOwned>(node: &Node, path: &str, problems: &mut Problems) -> Option<T> {
    read_with(node, path, Reading::default(), problems, read_table)
}

/// As [`read`], with an own way to build.
pub(super) fn read_with<T>(
    node: &Node,
    path: &str,
    reading: Reading<'_>,
    problems: &mut Problems,
    build: impl Fn(&Table) -> Result<T, ConfigError>,
) -> Option<T> {
    if !is_map(node, path, problems) {
        return None;
    }
    let mut left = node.clone();
    for _ in 0..FAULTS_MAX {
        let error = match build(&left.to_table()) {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let mut steps = resolve(&left, &error.path);
        let mut fault = Fault::of(&error.message, reading.is_secret);
        // A key that is no text is not named in the path.
        if let (Some(Step::Key(last)), Fault::UnknownValue { value, .. }) = (steps.last_mut(), &fault)
            && last == "?"
        {
            last.clone_from(value);
            fault = fault.into_unknown_key();
        }
        let full = steps.iter().fold(path.to_owned(), |path, step| step.append(&path));
        fault.report(path, &full, place_at(&left, &steps), reading, problems);
        if !drop_at(&mut left, &steps) {
            return None;
        }
    }
    None
}

/// Reports the keys of `keys` that are absent, all of them; serde would name one.
pub(super) fn require(node: &Node, path: &str, keys: &[&str], problems: &mut Problems) -> bool {
    let mut is_complete = true;
    for key in keys.iter().filter(|key| node.get(key).is_none()) {
        problems.error(&node.place, join(path, key), format!("missing key `{key}` in `{path}`"));
        is_complete = false;
    }
    is_complete
}

pub(super) fn is_map(node: &Node, path: &str, problems: &mut Problems) -> bool {
    let is_map = matches!(node.value, Value::Map(_) | Value::Null);
    if !is_map {
        problems.error(&node.place, path, format!("`{path}`: expected a map, got {}", kind_of(node)));
    }
    is_map
}

/// The named entries of a section; reports a section that is no map.
pub(super) fn entries<'n>(root: &'n Node, section: &str, problems: &mut Problems) -> &'n [(String, Node)] {
    match root.get(section) {
        Some(node) if is_map(node, section, problems) => node.entries(),
        _ => &[],
    }
}

/// The items of a list under `key`; reports what is no list.
pub(super) fn items<'n>(node: &'n Node, key: &str, path: &str, problems: &mut Problems) -> &'n [Node] {
    match node.get(key) {
        None => &[],
        Some(list) if matches!(list.value, Value::List(_)) => list.items(),
        Some(other) => {
            let path = join(path, key);
            problems.error(&other.place, &path, format!("`{path}`: expected a list, got {}", kind_of(other)));
            &[]
        }
    }
}

pub(super) fn kind_of(node: &Node) -> &'static str {
    match node.value {
        Value::Null | Value::Dropped => "nothing",
        Value::Boolean(_) => "a truth value",
        Value::Integer(_) | Value::Float(_) => "a number",
        Value::Plain(_) => "a number or a truth value",
        Value::Text(_) => "text",
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
    }
}

#[derive(Debug, PartialEq)]
enum Step {
    Key(String),
    /// As the file counts.
    Index(usize),
}

impl Step {
    fn append(&self, path: &str) -> String {
        match self {
            Self::Key(key) => join(path, key),
            Self::Index(index) => format!("{path}[{index}]"),
        }
    }
}

/// Follows a printed path (`rewrite[1].pattern`) through the tree. Keys may hold dots, so the longest
/// one that fits is taken; a last key that is not there is kept as it stands.
fn resolve(node: &Node, path: &str) -> Vec<Step> {
    let (mut steps, mut at, mut rest) = (Vec::new(), Some(node), path);
    while !rest.is_empty() && rest != "." {
        rest = rest.strip_prefix('.').unwrap_or(rest);
        if let Some((index, tail)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'))
            && let Ok(index) = index.parse()
        {
            let mut there = at.map_or(&[][..], Node::items).iter().enumerate();
            let found = there.by_ref().filter(|(_, item)| item.value != Value::Dropped).nth(index);
            steps.push(Step::Index(found.map_or(index, |(index, _)| index)));
            at = found.map(|(_, item)| item);
            rest = tail;
            continue;
        }
        let fits =
            |name: &str| rest.strip_prefix(name).is_some_and(|tail| tail.is_empty() || tail.starts_with(['.', '[']));
        let longest =
            at.map_or(&[][..], Node::entries).iter().filter(|(name, _)| fits(name)).max_by_key(|(name, _)| name.len());
        let key = match longest {
            Some((name, _)) => name.as_str(),
            None => &rest[..rest.find(['.', '[']).filter(|end| *end > 0).unwrap_or(rest.len())],
        };
        steps.push(Step::Key(key.to_owned()));
        at = longest.map(|(_, node)| node);
        rest = &rest[key.len()..];
    }
    steps
}

fn child<'n>(node: &'n Node, step: &Step) -> Option<&'n Node> {
    match step {
        Step::Key(key) => node.get(key),
        Step::Index(index) => node.items().get(*index),
    }
}

/// The place of the deepest value on the way that exists.
fn place_at<'n>(node: &'n Node, steps: &[Step]) -> &'n Place {
    let mut at = node;
    for step in steps {
        match child(at, step) {
            Some(next) => at = next,
            None => break,
        }
    }
    &at.place
}

/// Takes out the value at the end of `steps`; false when there is nothing to take out.
fn drop_at(node: &mut Node, steps: &[Step]) -> bool {
    let Some((first, rest)) = steps.split_first() else { return false };
    let next = match (first, &mut node.value) {
        (Step::Key(key), Value::Map(entries)) => entries.iter_mut().find(|(name, _)| name == key).map(|(_, node)| node),
        (Step::Index(index), Value::List(items)) => items.get_mut(*index),
        _ => None,
    };
    match next {
        Some(next) if rest.is_empty() => std::mem::replace(&mut next.value, Value::Dropped) != Value::Dropped,
        Some(next) => drop_at(next, rest),
        None => false,
    }
}

/// A sentence of serde's, taken apart.
#[derive(Debug, PartialEq)]
enum Fault {
    UnknownKey { key: String, known: Vec<String> },
    UnknownValue { value: String, known: Vec<String> },
    Missing(String),
    Other(String),
}

impl Fault {
    fn of(message: &str, is_secret: bool) -> Self {
        let quoted = |text: &str| text.split('`').skip(1).step_by(2).map(String::from).collect::<Vec<_>>();
        let first = |text: &str| text.split('`').next().unwrap_or("").to_owned();
        if let Some(rest) = message.strip_prefix("unknown field `") {
            return Self::UnknownKey {
                key: first(rest),
                known: quoted(rest.split_once('`').map_or("", |(_, rest)| rest)),
            };
        }
        if let Some(rest) = message.strip_prefix("unknown variant `") {
            let known = quoted(rest.split_once('`').map_or("", |(_, rest)| rest));
            return Self::UnknownValue { value: first(rest), known };
        }
        if let Some(rest) = message.strip_prefix("missing field `") {
            return Self::Missing(first(rest));
        }
        let mismatch = ["invalid type: ", "invalid value: ", "invalid length "].iter();
        match mismatch
            .filter_map(|prefix| message.strip_prefix(prefix))
            .find_map(|rest| rest.rsplit_once(", expected "))
        {
            Some((got, expected)) => {
                Self::Other(format!("expected {}, got {}", expected_words(expected), got_words(got, is_secret)))
            }
            None => Self::Other(message.to_owned()),
        }
    }

    fn into_unknown_key(self) -> Self {
        match self {
            Self::UnknownValue { value, known } => Self::UnknownKey { key: value, known },
            other => other,
        }
    }

    /// Reports it, and settles what follows from it: the key then looks absent, and so does the one
    /// that was meant.
    fn report(&self, entry: &str, path: &str, place: &Place, reading: Reading<'_>, problems: &mut Problems) {
        match self {
            Self::UnknownKey { key, known } => {
                let owner = path.strip_suffix(key.as_str()).map_or(path, |owner| owner.trim_end_matches('.'));
                let message = match owner {
                    "" => format!("unknown key `{key}`"),
                    owner => format!("unknown key `{key}` in `{owner}`"),
                };
                let mut known: Vec<&str> =
                    known.iter().map(String::as_str).chain(reading.other_keys.iter().copied()).collect();
                known.sort_unstable();
                known.dedup();
                let hint = unknown_hint(key, &known, "keys");
                problems.error(place, path, message).hint = hint;
                for meant in known.iter().filter(|name| did_you_mean(key, [**name]).is_some()) {
                    problems.settle(place, &join(owner, meant));
                }
            }
            Self::UnknownValue { value, known } => {
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                let hint = unknown_hint(value, &known, "values");
                problems.error(place, path, format!("unknown value `{value}` in `{path}`")).hint = hint;
            }
            Self::Missing(key) => {
                problems.error(place, join(path, key), format!("missing key `{key}` in `{path}`"));
            }
            Self::Other(message) => {
                problems.error(place, path, format!("`{path}`: {message}"));
                // A list or map that lacks its faulty parts is faulty for that alone.
                let mut owner = path;
                while let Some(end) = owner.rfind('[').filter(|end| *end > entry.len()) {
                    owner = &owner[..end];
                    problems.settle(place, owner);
                }
            }
        }
        problems.settle(place, path);
    }
}

/// "did you mean `x`? known keys: `a`, `b`"
pub(super) fn unknown_hint(word: &str, known: &[&str], what: &str) -> Option<String> {
    // `token_file` is a key wherever `token` is one.
    let files: Vec<String> = known.iter().filter(|key| is_secret_key(key)).map(|key| format!("{key}_file")).collect();
    let guess = did_you_mean(word, known.iter().copied().chain(files.iter().map(String::as_str)));
    // With a good guess a long list only hides it.
    let is_listed = !known.is_empty() && (guess.is_none() || known.len() <= LISTED_MAX);
    let list = is_listed.then(|| format!("known {what}: {}", quoted(known.iter().copied())));
    match (guess, list) {
        (Some(guess), Some(list)) => Some(format!("{guess} {list}")),
        (guess, list) => guess.or(list),
    }
}

/// Keys whose values are secrets by their name, in every integration; better one too many.
pub(super) fn is_secret_key(key: &str) -> bool {
    const WORDS: [&str; 7] = ["credentials", "token", "tokens", "password", "passphrase", "secret", "secrets"];
    const ENDINGS: [&str; 6] = ["_token", "_tokens", "_password", "_secret", "webhook_url", "_key"];
    WORDS.contains(&key) || ENDINGS.iter().any(|ending| key.ends_with(ending))
}

fn got_words(got: &str, is_secret: bool) -> String {
    let inner = |prefix: &str| got.strip_prefix(prefix).map(|rest| rest.trim_matches('`'));
    if let Some(text) = got.strip_prefix("string ") {
        let text = text.trim_matches('"');
        return if is_secret { "text".to_owned() } else { format!("the text `{text}`") };
    }
    if let Some(number) = inner("integer ").or_else(|| inner("floating point ")) {
        return if is_secret { "a number".to_owned() } else { format!("the number `{number}`") };
    }
    match got {
        "sequence" => "a list".to_owned(),
        "map" => "a map".to_owned(),
        "null" | "unit value" => "nothing".to_owned(),
        _ => match (inner("boolean "), got.parse::<usize>()) {
            (Some(value), _) => format!("`{value}`"),
            (None, Ok(length)) => format!("{length} entries"),
            _ => got.to_owned(),
        },
    }
}

fn expected_words(expected: &str) -> String {
    match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "`true` or `false`",
        "a string" | "a borrowed string" | "str" => "text",
        "a sequence" => "a list",
        "an array of length 3" => "a list of 3",
        _ if expected.starts_with("struct ") || expected == "a map" => "a map",
        other => other,
    }
    .to_owned()
}
