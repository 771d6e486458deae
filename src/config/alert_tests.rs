//! A file of sample alerts with what is expected of each: what a team keeps beside its configuration, for
//! `watchbell check --alerts`. Decides which keys there are and that they are sound; never whether an expectation
//! holds.
//!
//! ```yaml
//! tests:
//!   - name: a database at night pages the DBA
//!     at: 2026-11-21T03:00:00Z
//!     alerts: [{ labels: { alertname: HostDown, team: db }, expect: { receivers: [dba] } }]
//! ```

use serde::Deserialize;
use std::path::Path;

use super::problem::{Problem, Problems};
use super::read::{is_map, items, join, kind_of, read, require, unknown_hint};
use super::yaml::{self, Node, Value};
use crate::error::Table;
use crate::model::{Labels, Matcher, Timestamp};

/// Alerts that are there at the same time.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertTest {
    pub name: String,
    /// Now, when absent.
    pub at: Option<Timestamp>,
    /// The matchers of each.
    pub silences: Vec<Vec<Matcher>>,
    pub alerts: Vec<Sample>,
    pub line: Option<u32>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// An alert as Prometheus sends it, or a normalized event: the latter has a `name`.
    pub alert: Table,
    pub expect: Option<Expectation>,
    pub line: Option<u32>,
}

/// What is not given may be anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expectation {
    /// By route, whether muted or not; in any order.
    pub receivers: Option<OneOrMore>,
    /// The labels of one of its groups.
    pub group: Option<Labels>,
    pub muted: Option<bool>,
    /// `inhibition`, `silence`, `maintenance` or `time_interval`.
    pub muted_by: Option<MutedBy>,
    /// Texts that one of the messages holds.
    pub text: Option<OneOrMore>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MutedBy {
    Inhibition,
    Silence,
    Maintenance,
    TimeInterval,
}

impl MutedBy {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inhibition => "inhibition",
            Self::Silence => "silence",
            Self::Maintenance => "maintenance",
            Self::TimeInterval => "time_interval",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "text or a list of texts")]
pub enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    pub fn list(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::More(texts) => texts,
        }
    }
}

/// Reads such a file. `path` is what its faults call it.
///
/// # Errors
/// Everything that is wrong, in the order of the text.
pub fn read_alert_tests(text: &str, path: &Path) -> Result<Vec<AlertTest>, Vec<Problem>> {
    let mut problems = Problems::default();
    let (node, faults) = yaml::parse_plain(text, path);
    for problem in faults {
        problems.push(problem);
    }
    let tests = node.map(|root| tests(&root, &mut problems)).unwrap_or_default();
    if problems.has_errors() { Err(problems.into_vec()) } else { Ok(tests) }
}

fn tests(root: &Node, problems: &mut Problems) -> Vec<AlertTest> {
    if !matches!(root.value, Value::Map(_)) {
        let message = format!("expected a map with the key `tests`, got {}", kind_of(root));
        problems.error(&root.place, "", message);
        return Vec::new();
    }
    check_keys(root, "", &["tests"], problems);
    if root.get("tests").is_none() {
        problems.error(&root.place, "tests", "missing key `tests`").hint =
            Some("each has a `name` and `alerts`; alerts as JSON are read without".to_owned());
    }
    let list = items(root, "tests", "", problems).iter().enumerate();
    list.filter_map(|(index, node)| test(node, &format!("tests[{index}]"), problems)).collect()
}

fn test(node: &Node, path: &str, problems: &mut Problems) -> Option<AlertTest> {
    if !is_map(node, path, problems) || !require(node, path, &["name", "alerts"], problems) {
        return None;
    }
    check_keys(node, path, &["alerts", "at", "name", "silences"], problems);
    #[derive(Deserialize)]
    struct Keys {
        name: String,
        at: Option<Timestamp>,
    }
    let keys: Keys = read(&as_text(&node.split(&["name", "at"]).0), path, problems)?;
    let alerts = items(node, "alerts", path, problems).iter().enumerate();
    let alerts: Vec<Sample> =
        alerts.filter_map(|(index, node)| sample(node, &format!("{path}.alerts[{index}]"), problems)).collect();
    Some(AlertTest { name: keys.name, at: keys.at, silences: silences(node, path, problems), alerts, line: line(node) })
}

fn silences(node: &Node, path: &str, problems: &mut Problems) -> Vec<Vec<Matcher>> {
    let mut silences = Vec::new();
    for (index, node) in items(node, "silences", path, problems).iter().enumerate() {
        let path = format!("{path}.silences[{index}]");
        match Matcher::parse_all(node.text().unwrap_or_default()) {
            Ok(matchers) if matchers.is_empty() => {
                problems.error(&node.place, &path, format!("`{path}`: expected at least one matcher"));
            }
            Ok(matchers) => silences.push(matchers),
            Err(error) => {
                problems.error(&node.place, &path, format!("`{path}`: {error}"));
            }
        }
    }
    silences
}

/// Of an alert as Prometheus sends it.
const PROMETHEUS_KEYS: [&str; 5] = ["annotations", "expect", "generatorURL", "labels", "startsAt"];
/// Of a normalized event.
const EVENT_KEYS: [&str; 13] = [
    "annotations",
    "at",
    "configuration_item",
    "dedup_key",
    "expect",
    "labels",
    "marker",
    "name",
    "parents",
    "service",
    "severity",
    "source",
    "url",
];

fn sample(node: &Node, path: &str, problems: &mut Problems) -> Option<Sample> {
    if !is_map(node, path, problems) {
        return None;
    }
    match node.get("name") {
        Some(_) => check_keys(node, path, &EVENT_KEYS, problems),
        None => check_keys(node, path, &PROMETHEUS_KEYS, problems),
    }
    let (expect, alert) = node.split(&["expect"]);
    let expect = match expect.get("expect") {
        Some(node) => {
            let path = join(path, "expect");
            // A group's labels are texts, whatever they look like.
            let (group, rest) = node.split(&["group"]);
            let entries = rest.entries().iter().cloned().chain(as_text(&group).entries().iter().cloned()).collect();
            let is_map = is_map(node, &path, problems);
            let node = Node { place: node.place.clone(), value: Value::Map(entries) };
            Some(is_map.then(|| read::<Expectation>(&node, &path, problems)).flatten()?)
        }
        None => None,
    };
    if alert.get("labels").is_none() && alert.get("name").is_none() {
        let message = format!("`{path}`: expected `labels`, as Prometheus sends them, or the `name` of an event");
        problems.error(&node.place, path, message);
    }
    Some(Sample { alert: as_text(&alert).to_table(), expect, line: line(node) })
}

fn check_keys(node: &Node, path: &str, known: &[&str], problems: &mut Problems) {
    for (key, node) in node.entries().iter().filter(|(key, _)| !known.contains(&key.as_str())) {
        let message = match path {
            "" => format!("unknown key `{key}`"),
            path => format!("unknown key `{key}` in `{path}`"),
        };
        problems.error(&node.place, join(path, key), message).hint = unknown_hint(key, known, "keys");
    }
}

/// Numbers and truth values as they are written: a label's value is text.
fn as_text(node: &Node) -> Node {
    let value = match &node.value {
        Value::Plain(text) => Value::Text(text.clone()),
        Value::List(items) => Value::List(items.iter().map(as_text).collect()),
        Value::Map(entries) => Value::Map(entries.iter().map(|(key, node)| (key.clone(), as_text(node))).collect()),
        other => other.clone(),
    };
    Node { place: node.place.clone(), value }
}

fn line(node: &Node) -> Option<u32> {
    match &node.place {
        super::problem::Place::File { line, .. } => Some(*line).filter(|line| *line > 0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> String {
        match read_alert_tests(text, Path::new("tests.yaml")) {
            Ok(tests) => format!("{tests:?}"),
            Err(problems) => problems.iter().map(|problem| format!("{problem}\n")).collect(),
        }
    }

    #[test]
    fn every_fault_has_its_line() {
        let text = r#"
tests:
  - name: one
    at: yesterday
    silences: ['a=~"("']
    alerts:
      - labels: { a: 1 }
        expect: { receiver: [ops], muted: maybe, muted_by: nobody }
      - { expect: {} }
  - alerts: []
  - name: two
    alerts: [{ labels: { a: b }, starts: now }]
"#;
        insta::assert_snapshot!(check(text), @r#"
        error: `tests[0].at`: expected an RFC 3339 time such as `2026-11-21T05:00:00Z`, got `yesterday`
          --> tests.yaml:4
        error: `tests[0].silences[0]`: invalid regular expression `(`: unclosed group
          --> tests.yaml:5
        error: `tests[0].alerts[0].expect.muted`: expected `true` or `false`, got the text `maybe`
          --> tests.yaml:8
        error: unknown value `nobody` in `tests[0].alerts[0].expect.muted_by`
          --> tests.yaml:8
          hint: known values: `inhibition`, `silence`, `maintenance`, `time_interval`
        error: unknown key `receiver` in `tests[0].alerts[0].expect`
          --> tests.yaml:8
          hint: did you mean `receivers`? known keys: `group`, `muted`, `muted_by`, `receivers`, `text`
        error: `tests[0].alerts[1]`: expected `labels`, as Prometheus sends them, or the `name` of an event
          --> tests.yaml:9
        error: missing key `name` in `tests[1]`
          --> tests.yaml:10
        error: unknown key `starts` in `tests[2].alerts[0]`
          --> tests.yaml:12
          hint: did you mean `startsAt`? known keys: `annotations`, `expect`, `generatorURL`, `labels`, `startsAt`
        "#);
        insta::assert_snapshot!(check("[]"), @r#"
        error: expected a map with the key `tests`, got a list
          --> tests.yaml
        "#);
        insta::assert_snapshot!(check("alerts: []"), @r#"
        error: unknown key `alerts`
          --> tests.yaml:1
          hint: known keys: `tests`
        error: missing key `tests`
          --> tests.yaml
          hint: each has a `name` and `alerts`; alerts as JSON are read without
        "#);
    }

    #[test]
    fn labels_are_texts() {
        let text = "tests: [{ name: 1, alerts: [{ labels: { code: 500, up: true, x: ~ }, expect: { group: { code: 500 }, muted: false } }] }]";
        let tests = read_alert_tests(text, Path::new("tests.yaml")).unwrap();
        let sample = &tests[0].alerts[0];
        assert_eq!(serde_json::to_string(&sample.alert).unwrap(), r#"{"labels":{"code":"500","up":"true"}}"#);
        let expect = sample.expect.as_ref().unwrap();
        assert_eq!((expect.muted, expect.group.clone()), (Some(false), Some(Labels::from_iter([("code", "500")]))));
    }
}
