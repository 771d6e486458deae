//! Alertmanager's configuration, read as Alertmanager 0.34 reads it, and what it means here. Decides what is sound,
//! what `global` hands down, and which sink, route and rule each part becomes; nothing of it is ignored: what is
//! unknown or not supported is an error with its line.
//!
//! ```text
//! alertmanager.yml ─▶ yaml ─▶ keys (types) ─▶ check ─▶ inherit ─▶ Translation ─▶ load    ─▶ Configuration
//!                                                                             └─▶ export  ─▶ watchbell.yaml
//! ```
//!
//! A `*_file` is read here, once; a reload reads it again.

mod check;
mod duration;
mod export;
mod http;
mod inherit;
mod integrations;
mod keys;
mod original;
mod rules;
mod tables;
mod web;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

pub use export::{Exported, export};
pub use web::{WebFile, load_web};

use super::problem::{Place, Problem, Problems};
use super::receivers::{self, Sinks};
use super::schema::*;
use super::validate::{Context, Kinds, default_store_path};
use super::yaml::{self, Node, Value};
use super::{layers, templates, unused};
use crate::clock::Clock;
use crate::engine::policy::{InhibitRule, NotifyBy, Policy, Receiver, Route};
use crate::http::Facade;
use crate::model::{Fingerprint, Span, TimeInterval};
use crate::render::Language;
use crate::render::reader::TIME_ZONE;
use crate::sinks::Setting;

/// What an `alertmanager.yml` becomes.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// `listen`, `store` and `public_url` are the built-in ones: Alertmanager takes them from its command line.
    pub configuration: Configuration,
    /// The file with its secrets replaced, as `/api/v2/status` shows it.
    pub original: String,
    /// Of the whole file, secrets included: it tells one from another.
    pub hash: Fingerprint,
    /// The names of the receivers, in the order of the file.
    pub receivers: Vec<String>,
}

/// The source that Prometheus sends to.
const SOURCE: &str = "prometheus";

/// Reads an `alertmanager.yml`.
///
/// # Errors
/// Everything that is wrong with it, in the order of its lines.
pub fn load(path: &Path) -> Result<Loaded, Vec<Problem>> {
    load_with(path, &Kinds::installed())
}

/// A time as the flags of Prometheus and Alertmanager have it, `120h` or `1d`.
///
/// # Errors
/// When it is none.
pub fn read_duration(text: &str) -> Result<Span, String> {
    duration::prometheus(text).ok_or_else(|| format!("expected a time such as `120h` or `1d12h`, got `{text}`"))
}

/// As [`load`], with the integrations given.
pub(super) fn load_with(path: &Path, kinds: &Kinds) -> Result<Loaded, Vec<Problem>> {
    let (translation, configuration) = judge(path, kinds, Files::Needed)?;
    Ok(Loaded {
        configuration,
        original: translation.original,
        hash: translation.hash,
        receivers: translation.receivers.into_iter().map(|receiver| receiver.name).collect(),
    })
}

/// The files that secrets stand in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Files {
    Needed,
    /// Whoever takes a file over may not be who runs it.
    Wanted,
}

fn judge(path: &Path, kinds: &Kinds, files: Files) -> Result<(Translation, Configuration), Vec<Problem>> {
    let mut problems = Problems::default();
    let translation = read(path, &mut problems);
    let environment = BTreeMap::new();
    let now = Clock::System.now();
    let notify_by = NotifyBy::Group;
    let mut context =
        Context { environment: &environment, kinds, is_root: false, now, has_files: true, notify_by, problems };
    let configuration = translation.as_ref().map(|translation| configure(translation, files, &mut context));
    let has_errors = context.problems.has_errors();
    let problems = context.problems.into_vec();
    match (translation, configuration) {
        (Some(translation), Some(configuration)) if !has_errors => {
            Ok((translation, Configuration { warnings: problems, ..configuration }))
        }
        _ => Err(problems),
    }
}

/// A sound file in our words; secrets that stand in files are still the names of those.
struct Translation {
    original: String,
    hash: Fingerprint,
    resolve_timeout: Span,
    /// The key `templates` alone.
    templates: Node,
    route: Route,
    inhibit_rules: Vec<InhibitRule>,
    time_intervals: BTreeMap<String, Vec<TimeInterval>>,
    receivers: Vec<TranslatedReceiver>,
}

struct TranslatedReceiver {
    name: String,
    place: Place,
    sinks: Vec<TranslatedSink>,
}

struct TranslatedSink {
    /// `slack`, without the prefix.
    kind: &'static str,
    /// `receivers[0].slack_configs[0]`.
    path: String,
    /// The keys of a sink in our own configuration.
    node: Node,
    /// Reported already: what follows from that is not.
    is_faulty: bool,
}

fn read(path: &Path, problems: &mut Problems) -> Option<Translation> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            problems.error(&Place::file(&path.into(), 0), "", format!("cannot read the file: {error}"));
            return None;
        }
    };
    let (node, faults) = yaml::parse_plain(&text, path);
    for problem in faults {
        problems.push(problem);
    }
    let root = node?;
    if !matches!(root.value, Value::Map(_) | Value::Null) {
        problems.error(&root.place, "", "expected a map of settings such as `route`");
        return None;
    }
    let translated = translate(&keys::read(&root, "", tables::FILE, problems), problems);
    Some(Translation { hash: Fingerprint::of([text.as_str()]), ..translated })
}

fn translate(root: &Node, problems: &mut Problems) -> Translation {
    let global = inherit::global(root, problems);
    let receivers = integrations::read_all(root, &global, problems);
    let time_intervals = rules::time_intervals(root, problems);
    let route = rules::route(root, &receivers, &time_intervals, problems);
    Translation {
        original: original::write(root),
        hash: Fingerprint::default(),
        resolve_timeout: inherit::span(&global, "resolve_timeout").unwrap_or(Span::from_mins(5)),
        templates: root.split(&["templates"]).0,
        route,
        inhibit_rules: rules::inhibit_rules(root, problems),
        time_intervals,
        receivers,
    }
}

fn configure(translation: &Translation, files: Files, context: &mut Context<'_>) -> Configuration {
    let go_templates = Arc::new(templates::read_all(&translation.templates, &mut context.problems));
    let setting = Setting {
        instance: INSTANCE.to_owned(),
        sink: String::new(),
        language: Language::default(),
        time_zone: TIME_ZONE.to_owned(),
        public_url: None,
        go_templates: go_templates.clone(),
    };
    let (receivers, sinks) = build_receivers(translation, files, &setting, context);
    let source = SourceSettings {
        kind: SOURCE.to_owned(),
        auth: Auth::None,
        client_certificate: None,
        table: [("resolve_timeout".to_owned(), translation.resolve_timeout.to_string().into())].into_iter().collect(),
        body_bytes_max: BODY_BYTES_MAX,
        events_per_second: None,
    };
    let policy = Policy {
        route: translation.route.clone(),
        notify_by: NotifyBy::Group,
        time_intervals: translation.time_intervals.clone(),
        inhibit_rules: translation.inhibit_rules.clone(),
        receivers,
        ..Policy::default()
    };
    let named = translation.receivers.iter().enumerate();
    let named = named.map(|(at, receiver)| (receiver.name.as_str(), format!("receivers[{at}]"), &receiver.place));
    unused::warn_unused(named, &policy, &mut context.problems);
    Configuration {
        listen: LISTEN,
        tls: None,
        instance: INSTANCE.to_owned(),
        public_url: None,
        language: Language::default(),
        store: StoreSettings::Sqlite { path: default_store_path(context.environment, context.is_root) },
        sources: BTreeMap::from([(SOURCE.to_owned(), source)]),
        sinks,
        identities: BTreeMap::new(),
        api: ApiSettings::default(),
        limits: Limits::default(),
        retention: Retention::default(),
        self_check: SelfCheckSettings::default(),
        heartbeat: None,
        heartbeats: BTreeMap::new(),
        feeds: BTreeMap::new(),
        zabbix: BTreeMap::new(),
        facade: Facade::default(),
        go_templates,
        policy,
        warnings: Vec::new(),
    }
}

fn build_receivers(
    translation: &Translation,
    files: Files,
    setting: &Setting,
    context: &mut Context<'_>,
) -> (BTreeMap<String, Receiver>, Sinks) {
    let (mut receivers, mut sinks) = (BTreeMap::new(), Sinks::new());
    for translated in &translation.receivers {
        let mut receiver = Receiver::default();
        let mut of_kind = BTreeMap::new();
        for sink in &translated.sinks {
            let name = receivers::sink_name(&translated.name, &receivers::short_name(sink.kind, &mut of_kind));
            receiver.sinks.push(name.clone());
            if sink.is_faulty || files == Files::Wanted && warn_unreadable(sink, &mut context.problems) {
                continue;
            }
            let mut node = sink.node.clone();
            layers::read_secrets_below(&mut node, &sink.path, &mut context.problems);
            let kind = integrations::full_kind(sink.kind);
            let setting = Setting { sink: name.clone(), ..setting.clone() };
            let built = receivers::sink(&node, &sink.path, &translated.name, kind, setting, context);
            let Some((settings, is_told_of_ends)) = built else { continue };
            if !is_told_of_ends {
                receiver.without_resolved.push(name.clone());
            }
            sinks.insert(name, settings);
        }
        receivers.insert(translated.name.clone(), receiver);
    }
    receivers::add_log(&mut receivers, &mut sinks, setting);
    (receivers, sinks)
}

/// Says that a sink is not judged, since its files are not here.
fn warn_unreadable(sink: &TranslatedSink, problems: &mut Problems) -> bool {
    let unreadable = files(&sink.node).into_iter().find_map(|node| {
        let file = layers::resolve(node.text()?, &node.place);
        let error = std::fs::File::open(&file).err()?;
        Some((node, file, error))
    });
    let Some((node, file, error)) = unreadable else { return false };
    let message = format!("`{}` is not checked: cannot read `{}`: {error}", sink.path, file.display());
    problems.warning(&node.place, &sink.path, message);
    true
}

/// The values that name files.
fn files(node: &Node) -> Vec<&Node> {
    let entries = node.entries().iter();
    entries
        .flat_map(|(name, node)| match &node.value {
            Value::Map(_) => files(node),
            Value::List(items) if name == "files" => items.iter().collect(),
            Value::Text(_) if name.ends_with("_file") => vec![node],
            _ => Vec::new(),
        })
        .collect()
}

#[cfg(test)]
mod tests;
