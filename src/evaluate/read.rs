//! Reads a labelled data set from its directory and checks it. Decides what is wrong with a file and says
//! where: file, line, field. Fields that nobody asked for are let by.
//!
//! ```text
//! shop/truth.jsonl:3: `alerts[0]`: expected the id of an alert, got `a17`, which is in no line of `alerts.jsonl.gz`
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::str::FromStr;

use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::sets::{Failure, Firing, Set};
use crate::model::topology::{ConfigurationItem, Edge, EdgeKind, TopologyFile};
use crate::model::{Change, ChangeKind, ChangeState, Labels, Severity, Timestamp};

/// Bytes of one file, unpacked.
const FILE_BYTES_MAX: u64 = 1024 * 1024 * 1024;

const ALERTS: &str = "alerts.jsonl.gz";
const ALERTS_PLAIN: &str = "alerts.jsonl";
const TOPOLOGY: &str = "topology.json";
const TRUTH: &str = "truth.jsonl";
const CHANGES: &str = "changes.jsonl";

#[derive(Debug, thiserror::Error)]
pub enum SetError {
    #[error("cannot read `{path}`")]
    Unreadable {
        path: String,
        #[source]
        cause: io::Error,
    },
    #[error("`{path}` is larger than {} MiB", FILE_BYTES_MAX >> 20)]
    TooLarge { path: String },
    #[error("{path}:{line}: {}{problem}", prefix(field))]
    Invalid { path: String, line: usize, field: String, problem: String },
}

/// A line that is wrong as a whole has no field to name.
fn prefix(field: &str) -> String {
    if matches!(field, "" | ".") { String::new() } else { format!("`{field}`: ") }
}

/// Reads the directory `folder`.
///
/// # Errors
/// When a file is missing, cannot be read, or does not fit the format.
pub fn read(folder: &Path) -> Result<Set, SetError> {
    let name = folder.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    let name = name.unwrap_or_else(|| folder.display().to_string());
    let alerts_file = if folder.join(ALERTS).exists() { ALERTS } else { ALERTS_PLAIN };
    let alerts = File::open(folder, if folder.join(alerts_file).exists() { alerts_file } else { ALERTS })?;
    let alerts = read_alerts(&alerts)?;
    let topology = read_topology(&File::open(folder, TOPOLOGY)?)?;
    let failures = read_truth(&File::open(folder, TRUTH)?, &alerts)?;
    let changes = match folder.join(CHANGES).exists() {
        true => read_changes(&File::open(folder, CHANGES)?)?,
        false => Vec::new(),
    };
    Ok(Set::new(name, alerts, topology, changes, failures))
}

/// A file's text, and its path for what is wrong with it.
struct File {
    path: String,
    text: String,
}

impl File {
    fn open(folder: &Path, name: &str) -> Result<Self, SetError> {
        let path = folder.join(name);
        let shown = path.display().to_string();
        let unreadable = |cause| SetError::Unreadable { path: shown.clone(), cause };
        let file = fs::File::open(&path).map_err(unreadable)?;
        let mut text = String::new();
        let bytes = match name.ends_with(".gz") {
            true => MultiGzDecoder::new(file).take(FILE_BYTES_MAX + 1).read_to_string(&mut text),
            false => file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text),
        };
        if bytes.map_err(unreadable)? as u64 > FILE_BYTES_MAX {
            return Err(SetError::TooLarge { path: shown });
        }
        Ok(Self { path: shown, text })
    }

    fn invalid(&self, line: usize, field: impl Into<String>, problem: impl Into<String>) -> SetError {
        SetError::Invalid { path: self.path.clone(), line, field: field.into(), problem: problem.into() }
    }

    /// One value for each line that is not empty, with the line's number.
    fn lines<T: DeserializeOwned>(&self) -> Result<Vec<(usize, T)>, SetError> {
        let lines = self.text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        lines.map(|(at, line)| Ok((at + 1, self.json(at + 1, line)?))).collect()
    }

    fn json<T: DeserializeOwned>(&self, line: usize, text: &str) -> Result<T, SetError> {
        let reader = &mut serde_json::Deserializer::from_str(text);
        let value = serde_path_to_error::deserialize(&mut *reader).map_err(|error| {
            let field = error.path().to_string();
            let inner = error.into_inner();
            let line = if line == 0 { inner.line() } else { line };
            self.invalid(line, field, in_words(&inner.to_string()))
        })?;
        reader.end().map_err(|error| {
            self.invalid(if line == 0 { error.line() } else { line }, ".", "expected nothing after the JSON value")
        })?;
        Ok(value)
    }

    fn time(&self, line: usize, field: &str, seconds: f64) -> Result<Timestamp, SetError> {
        // Further away than any calendar reaches, a float has no milliseconds.
        if !seconds.is_finite() || seconds.abs() > 253_370_764_800.0 {
            return Err(self.invalid(line, field, format!("expected seconds since 1970, got {seconds:?}")));
        }
        Ok(Timestamp::from_millis((seconds * 1_000.0).round() as i64))
    }
}

/// serde_json counts lines within what it was given, which is one line of the file; and who writes JSON knows no
/// `f64`.
fn in_words(text: &str) -> String {
    text.split_once(" at line ").map_or(text, |(text, _)| text).replace("expected f64", "expected a number")
}

#[derive(Deserialize)]
#[serde(expecting = "an alert as an object")]
struct AlertLine {
    id: String,
    t: f64,
    rx: Option<f64>,
    alertname: String,
    node: String,
    severity: String,
    #[serde(default = "unnamed_source")]
    source: String,
    #[serde(default = "firing")]
    status: String,
    #[serde(default)]
    labels: Labels,
    #[serde(default)]
    summary: String,
    resolved_t: Option<f64>,
}

fn unnamed_source() -> String {
    "monitor".to_owned()
}

fn firing() -> String {
    "firing".to_owned()
}

fn read_alerts(file: &File) -> Result<Vec<Firing>, SetError> {
    let mut alerts = Vec::new();
    let mut ids = BTreeSet::new();
    for (line, alert) in file.lines::<AlertLine>()? {
        if !ids.insert(alert.id.clone()) {
            return Err(file.invalid(line, "id", format!("expected one of its own, got `{}` once more", alert.id)));
        }
        if alert.status != "firing" {
            let problem = format!("expected `firing` (`resolved_t` says when it was over), got `{}`", alert.status);
            return Err(file.invalid(line, "status", problem));
        }
        let severity = Severity::from_str(&alert.severity).map_err(|()| {
            let problem = format!("expected critical, major, minor, warning or info, got `{}`", alert.severity);
            file.invalid(line, "severity", problem)
        })?;
        let at = file.time(line, "t", alert.t)?;
        let received_at = alert.rx.map(|rx| file.time(line, "rx", rx)).transpose()?.unwrap_or(at);
        let resolved_at = alert.resolved_t.map(|t| file.time(line, "resolved_t", t)).transpose()?;
        if resolved_at.is_some_and(|resolved_at| resolved_at < at) {
            return Err(file.invalid(line, "resolved_t", "expected a time after `t`, got an earlier one"));
        }
        alerts.push(Firing {
            id: alert.id,
            at,
            received_at,
            resolved_at,
            name: alert.alertname,
            node: alert.node,
            severity,
            source: alert.source,
            labels: alert.labels,
            summary: alert.summary,
        });
    }
    Ok(alerts)
}

#[derive(Deserialize)]
#[serde(expecting = "an object with `nodes` and `edges`")]
struct TopologyLines {
    nodes: Vec<NodeLine>,
    #[serde(default)]
    edges: Vec<EdgeLine>,
}

#[derive(Deserialize)]
#[serde(expecting = "a node as an object")]
struct NodeLine {
    id: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    service: Option<String>,
    namespace: Option<String>,
}

#[derive(Deserialize)]
#[serde(expecting = "an edge as an object")]
struct EdgeLine {
    from: String,
    to: String,
    kind: Option<String>,
}

fn read_topology(file: &File) -> Result<TopologyFile, SetError> {
    // The file is one value over many lines.
    let lines: TopologyLines = file.json(0, &file.text)?;
    let nodes = lines.nodes.into_iter().map(|node| ConfigurationItem {
        id: node.id,
        kind: node.kind,
        service: node.service,
        labels: node.namespace.iter().map(|namespace| ("namespace", namespace)).collect(),
        ..ConfigurationItem::default()
    });
    let edges = lines.edges.into_iter().map(|edge| {
        let kind = match edge.kind.as_deref() {
            Some("runs_on") => EdgeKind::RunsOn,
            Some("member_of") => EdgeKind::MemberOf,
            // `calls`, `architecture` and whatever else people draw: *from depends on to* holds for all.
            _ => EdgeKind::DependsOn,
        };
        Edge { from: edge.from, to: edge.to, kind }
    });
    Ok(TopologyFile { nodes: nodes.collect(), edges: edges.collect() })
}

#[derive(Deserialize)]
#[serde(expecting = "a failure as an object")]
struct TruthLine {
    case: String,
    t0: f64,
    alerts: Vec<String>,
    root_cause: RootLine,
    split: Option<String>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object with the `node` that was the cause")]
struct RootLine {
    node: String,
    service: Option<String>,
}

fn read_truth(file: &File, alerts: &[Firing]) -> Result<Vec<Failure>, SetError> {
    let known: BTreeMap<&str, usize> = alerts.iter().enumerate().map(|(at, alert)| (alert.id.as_str(), at)).collect();
    let mut taken: BTreeMap<usize, String> = BTreeMap::new();
    let mut failures = Vec::new();
    for (line, truth) in file.lines::<TruthLine>()? {
        let mut found = Vec::new();
        for (at, id) in truth.alerts.iter().enumerate() {
            let field = || format!("alerts[{at}]");
            let Some(alert) = known.get(id.as_str()) else {
                let problem = format!("expected the id of an alert, got `{id}`, which is in no line of `{ALERTS}`");
                return Err(file.invalid(line, field(), problem));
            };
            if let Some(case) = taken.insert(*alert, truth.case.clone()) {
                let problem = format!("expected an alert of this failure alone, got `{id}`, which is in `{case}` too");
                return Err(file.invalid(line, field(), problem));
            }
            found.push(*alert);
        }
        failures.push(Failure {
            case: truth.case,
            started_at: file.time(line, "t0", truth.t0)?,
            alerts: found,
            root_node: truth.root_cause.node,
            root_service: truth.root_cause.service,
            split: truth.split,
        });
    }
    Ok(failures)
}

#[derive(Deserialize)]
#[serde(expecting = "a change as an object")]
struct ChangeLine {
    id: String,
    t: f64,
    kind: ChangeKind,
    node: Option<String>,
    #[serde(rename = "ref")]
    reference: Option<String>,
    #[serde(default)]
    summary: String,
}

fn read_changes(file: &File) -> Result<Vec<Change>, SetError> {
    let mut changes = Vec::new();
    for (line, change) in file.lines::<ChangeLine>()? {
        let at = file.time(line, "t", change.t)?;
        changes.push(Change {
            id: change.id,
            at,
            received_at: at,
            source: "changes".to_owned(),
            kind: change.kind,
            state: ChangeState::Succeeded,
            state_at: None,
            configuration_item: change.node,
            service: None,
            reference: change.reference,
            summary: change.summary,
            author: None,
            url: None,
        });
    }
    changes.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    Ok(changes)
}
