//! Configurations in, sentences out: each test is a small file and exactly what is said about it.

mod alertmanager;
mod examples;
mod heartbeats;
mod layering;
mod quiet;
mod secrets;
mod sections;
mod tls;
mod topology_files;
mod zabbix;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::load::load_with;
use super::validate::Kinds;
use super::{Configuration, Problem};
use crate::error::{ConfigError, Secret, Table, read_table};
use crate::model::Timestamp;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct SlackKeys {
    channel: String,
    token: Secret<String>,
    #[serde(default)]
    mentions: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct WebhookKeys {
    url: String,
    #[serde(default)]
    secret: Option<Secret<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct SourceKeys {
    #[serde(default)]
    severities: crate::sources::Severities,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoKeys {}

fn check_sink(kind: &str, table: &Table) -> Result<(), ConfigError> {
    match kind {
        "slack" => read_table::<SlackKeys>(table).map(drop),
        "webhook" => {
            let keys: WebhookKeys = read_table(table)?;
            let is_url = keys.url.starts_with("http");
            // A careless message on purpose: it repeats what it was given.
            is_url.then_some(()).ok_or_else(|| ConfigError::new("url", format!("expected a URL, got `{}`", keys.url)))
        }
        _ => read_table::<NoKeys>(table).map(drop),
    }
}

/// Integrations that stand in for the real ones, which have their own tests.
fn kinds() -> Kinds {
    Kinds {
        sources: vec!["alertmanager", "generic", "nagios", "prometheus", "zabbix"],
        sinks: vec!["email", "log", "servicenow", "slack", "webhook"],
        check_source: |_, table| read_table::<SourceKeys>(table).map(drop),
        check_sink: |kind, table, _, _| check_sink(kind, table),
    }
}

/// 2026-11-21.
const NOW: Timestamp = Timestamp::from_millis(1_795_237_200_000);

/// A folder with files, and variables; what a load of it gives.
struct Scene {
    folder: tempfile::TempDir,
    variables: BTreeMap<String, String>,
    now: Timestamp,
}

impl Scene {
    fn new() -> Self {
        let variables = BTreeMap::from([("HOME".to_owned(), "/home/ada".to_owned())]);
        Self { folder: tempfile::tempdir().unwrap(), variables, now: NOW }
    }

    /// Writes a file that only its owner can read.
    fn file(self, name: &str, text: &str) -> Self {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        set_mode(&path, 0o600);
        self
    }

    fn mode(self, name: &str, mode: u32) -> Self {
        set_mode(&self.folder.path().join(name), mode);
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    fn load(&self, names: &[&str]) -> Result<Configuration, Vec<Problem>> {
        let files: Vec<_> = names.iter().map(|name| self.folder.path().join(name)).collect();
        load_with(&files, &self.variables, &kinds(), false, self.now)
    }

    /// Every problem as `watchbell check` prints it, with the folder's name left out.
    fn said(&self, names: &[&str]) -> String {
        let problems = match self.load(names) {
            Ok(configuration) => configuration.warnings,
            Err(problems) => problems,
        };
        let text = problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n");
        text.replace(&format!("{}/", self.folder.path().display()), "")
    }
}

pub(super) fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// What is said about one file, `watchbell.yaml`.
fn said(yaml: &str) -> String {
    Scene::new().file("watchbell.yaml", yaml).said(&["watchbell.yaml"])
}

/// The configuration that a sound file gives.
fn load(yaml: &str) -> Configuration {
    let scene = Scene::new().file("watchbell.yaml", yaml);
    match scene.load(&["watchbell.yaml"]) {
        Ok(configuration) => configuration,
        Err(_) => panic!("{}", scene.said(&["watchbell.yaml"])),
    }
}

/// A source and a receiver, so that only what a test is about is said.
const BASE: &str = "\
sources: { zabbix: { kind: zabbix, token: abcdef } }
receivers: { ops: { sinks: [{ kind: log }] }, mail: { sinks: [{ kind: log }] } }
";

/// What is said about `yaml` after [`BASE`] (two lines) and a root route where it brings none.
fn said_of(yaml: &str) -> String {
    let route = if yaml.contains("route:") { "" } else { "route: { receiver: ops }\n" };
    said(&format!("{BASE}{yaml}\n{route}"))
}
