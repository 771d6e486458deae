//! Whether the configuration as a whole makes sense, section by section, each problem reported.
//! Decides what absent sections mean; never reads secrets or files other than topology, templates and the
//! listener's certificate.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::problem::{Place, Problems, quoted};
use super::read::{Reading, is_map, items, join, read, read_with, require, unknown_hint};
use super::references::Names;
use super::schema::*;
use super::yaml::Node;
use super::{
    heartbeats, layers, people, policy, receivers, schedules, self_check, sources, templates, tls, unused, zabbix,
};
use crate::engine::input::Role;
use crate::engine::policy::NotifyBy;
use crate::error::{ConfigError, Secret, Table, read_table};
use crate::http::Facade;
use crate::model::{Span, Timestamp};
use crate::render::Language;
use crate::render::reader::TIME_ZONE;
use crate::runtime::deliver;
use crate::sinks::Setting;

/// The integrations there are; tests bring their own.
pub(super) struct Kinds {
    pub sources: Vec<&'static str>,
    pub sinks: Vec<&'static str>,
    /// Builds a source of a known kind from its keys, and lets it go.
    pub check_source: fn(&str, &Table) -> Result<(), ConfigError>,
    /// Alike, and looks whether it could connect; the last argument allows private addresses.
    pub check_sink: fn(&str, &Table, &Setting, bool) -> Result<(), ConfigError>,
}

impl Kinds {
    pub fn installed() -> Self {
        Self {
            sources: crate::sources::SOURCES.iter().map(|spec| spec.name).collect(),
            sinks: crate::sinks::SINKS.iter().map(|spec| spec.name).collect(),
            check_source: |kind, table| match crate::sources::find(kind) {
                Some(spec) => (spec.build)(table).map(drop),
                None => Ok(()),
            },
            check_sink: |kind, table, setting, allow_private| match crate::sinks::find(kind) {
                Some(spec) => deliver::check((spec.build)(table, setting)?.connection(), allow_private),
                None => Ok(()),
            },
        }
    }
}

/// What the checks may know besides the configuration, and where they report.
pub(super) struct Context<'a> {
    pub environment: &'a BTreeMap<String, String>,
    pub kinds: &'a Kinds,
    pub is_root: bool,
    pub now: Timestamp,
    pub has_files: bool,
    /// Some names and limits depend on it.
    pub notify_by: NotifyBy,
    pub problems: Problems,
}

/// Every section there is.
pub(super) const SECTIONS: [&str; 36] = [
    "api",
    "correlation",
    "default_sla",
    "escalation_policies",
    "flap",
    "heartbeat",
    "heartbeats",
    "inhibit_rules",
    "instance",
    "language",
    "limits",
    "listen",
    "maintenance",
    "naming",
    "notify_by",
    "on_call",
    "people",
    "priority",
    "problems",
    "public_url",
    "receivers",
    "retention",
    "route",
    "schedules",
    "self_check",
    "services",
    "silences",
    "slas",
    "sources",
    "store",
    "teams",
    "templates",
    "time_intervals",
    "time_zone",
    "tls",
    "topology",
];

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct General {
    listen: Option<String>,
    instance: Option<String>,
    public_url: Option<String>,
    language: Language,
    time_zone: Option<String>,
}

/// Judges the merged layers; a configuration comes back even when there were problems, for what it
/// then is worth.
pub(super) fn validate(root: &Node, context: &mut Context<'_>) -> Option<Configuration> {
    check_sections(root, &mut context.problems);
    let (general_node, _) = root.split(&["listen", "instance", "public_url", "language", "time_zone"]);
    let general: General = read(&general_node, "", &mut context.problems).unwrap_or_default();
    let listen = listen(root, general.listen.as_deref(), &mut context.problems);
    // An address that makes no sense is not held against the sources as well.
    let is_loopback = listen.is_none_or(|address| address.ip().to_canonical().is_loopback());
    let instance = instance(root, general.instance, &mut context.problems);
    let public_url = public_url(root, general.public_url, &mut context.problems);
    let names = Names::collect(root);
    context.notify_by = policy::notify_by(root, &mut context.problems);
    let go_templates = Arc::new(templates::read_all(root, &mut context.problems));
    let setting = Setting {
        instance: instance.clone(),
        sink: String::new(),
        language: general.language,
        time_zone: time_zone(root, general.time_zone, &mut context.problems),
        public_url: public_url.clone(),
        go_templates: go_templates.clone(),
    };
    let (mut receivers, mut sinks) = receivers::read_all(root, &setting, &names, context);
    let people = people::read_all(root, &setting, &names, &mut receivers, &mut sinks, context);
    let tls = tls::read(root, context);
    let sources = sources::read_all(root, is_loopback, context);
    let api = api(root, is_loopback, &mut context.problems);
    let mut policy = policy::read_all(root, receivers, context.notify_by, &names, &mut context.problems);
    policy.public_url = public_url.clone();
    policy.people = people.people;
    let (expected, heartbeats) = heartbeats::read_all(root, is_loopback, context);
    policy.heartbeats = expected;
    let self_check = self_check::self_check(root, &mut context.problems);
    let heartbeat = self_check::heartbeat(root, self_check.enabled, &mut context.problems);
    let configuration = Configuration {
        listen: listen?,
        tls,
        instance,
        public_url,
        language: general.language,
        store: store(root, context)?,
        sources,
        sinks,
        identities: people.identities,
        api,
        limits: limits(root, &mut context.problems),
        retention: retention(root, &mut context.problems),
        self_check,
        heartbeat,
        heartbeats,
        feeds: schedules::feeds(root, &mut context.problems),
        zabbix: zabbix::read_all(root, &mut context.problems),
        facade: Facade::default(),
        go_templates,
        policy,
        warnings: Vec::new(),
    };
    unused::warn_unused(unused::named(root), &configuration.policy, &mut context.problems);
    Some(configuration)
}

fn check_sections(root: &Node, problems: &mut Problems) {
    for (key, node) in root.entries() {
        if !SECTIONS.contains(&key.as_str()) {
            let hint = unknown_hint(key, &SECTIONS, "keys");
            problems.error(&node.place, key, format!("unknown key `{key}`")).hint = hint;
        }
    }
}

fn listen(root: &Node, text: Option<&str>, problems: &mut Problems) -> Option<SocketAddr> {
    let Some(text) = text else { return root.get("listen").is_none().then_some(LISTEN) };
    let address = text.parse().ok();
    if address.is_none() {
        let message = format!("`listen`: expected an address and a port such as `127.0.0.1:9494`, got `{text}`");
        let hint = text.strip_prefix("localhost").map(|port| format!("for this machine only: `127.0.0.1{port}`"));
        problems.error(root.place_of("listen"), "listen", message).hint = hint;
    }
    address
}

/// Characters of a name that becomes part of keys and paths.
const NAME_CHARS_MAX: usize = 64;
/// Source and receiver of the daemon's own alerts and probes.
const RESERVED: &str = crate::engine::system::SOURCE;

/// Reports a name that could not stand in a URL or in a key of a foreign system.
pub(super) fn check_name(name: &str, what: &str, path: &str, place: &Place, problems: &mut Problems) {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(is_plain) {
        let message = format!(
            "`{path}`: {what} `{name}`, expected 1 to {NAME_CHARS_MAX} letters, digits, dots, hyphens and underscores"
        );
        problems.error(place, path, message);
    }
}

/// Reports a name that the daemon keeps for itself.
pub(super) fn check_not_reserved(name: &str, path: &str, place: &Place, problems: &mut Problems) {
    if name == RESERVED {
        let message = format!("`{path}`: the name `{name}` is the daemon's own, expected another one");
        problems.error(place, path, message);
    }
}

fn instance(root: &Node, given: Option<String>, problems: &mut Problems) -> String {
    let instance = given.unwrap_or_else(|| INSTANCE.to_owned());
    check_name(&instance, "got the name", "instance", root.place_of("instance"), problems);
    instance
}

fn time_zone(root: &Node, given: Option<String>, problems: &mut Problems) -> String {
    let Some(given) = given else { return TIME_ZONE.to_owned() };
    schedules::check_time_zone(&given, root, "", "time_zone", problems);
    given
}

fn public_url(root: &Node, given: Option<String>, problems: &mut Problems) -> Option<String> {
    let text = given?;
    let is_web = |uri: &http::Uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
    };
    if !text.parse::<http::Uri>().is_ok_and(|uri| is_web(&uri) && uri.query().is_none()) {
        let message = format!("`public_url`: expected a URL such as `https://watchbell.example.org`, got `{text}`");
        problems.error(root.place_of("public_url"), "public_url", message);
        return None;
    }
    Some(text.trim_end_matches('/').to_owned())
}

#[derive(Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SqliteKeys {
    path: Option<String>,
}

fn store(root: &Node, context: &mut Context<'_>) -> Option<StoreSettings> {
    let problems = &mut context.problems;
    let node = root.get("store").cloned().unwrap_or_default();
    if !is_map(&node, "store", problems) {
        return None;
    }
    for (key, node) in node.entries() {
        match key.as_str() {
            "sqlite" => {}
            "postgres" => {
                let message = "`store.postgres`: this version keeps its data only in SQLite";
                problems.error(&node.place, "store.postgres", message).hint =
                    Some("use `store: { sqlite: { path: … } }`".to_owned());
            }
            _ => {
                let message = format!("unknown key `{key}` in `store`");
                problems.error(&node.place, join("store", key), message).hint = unknown_hint(key, &["sqlite"], "keys");
            }
        }
    }
    let sqlite = node.get("sqlite").cloned().unwrap_or_default();
    let keys: SqliteKeys = read(&sqlite, "store.sqlite", problems)?;
    let path = match keys.path {
        Some(path) => layers::resolve(&path, sqlite.place_of("path")),
        None => default_store_path(context.environment, context.is_root),
    };
    Some(StoreSettings::Sqlite { path })
}

/// The state directory: systemd's, else the system's for root, else the user's.
pub(super) fn default_store_path(environment: &BTreeMap<String, String>, is_root: bool) -> PathBuf {
    let variable = |name: &str| environment.get(name).filter(|value| !value.is_empty()).cloned();
    // systemd lists several directories with colons between them; ours is the first.
    let directory = variable("STATE_DIRECTORY").and_then(|list| list.split(':').next().map(PathBuf::from));
    let directory = directory
        .or_else(|| is_root.then(|| PathBuf::from("/var/lib/watchbell")))
        .or_else(|| variable("XDG_STATE_HOME").map(|state| PathBuf::from(state).join("watchbell")))
        .or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".local/state/watchbell")))
        .unwrap_or_else(|| PathBuf::from("/var/lib/watchbell"));
    directory.join("watchbell.db")
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct ApiTokenKeys {
    name: String,
    role: Role,
    token: Option<Secret<String>>,
    token_sha256: Option<String>,
}

/// Who stands in the audit log without a token: the machine itself, a signal, and strangers.
const BUILT_IN_PRINCIPALS: [&str; 3] = ["local", "operator", "(unknown)"];

fn api(root: &Node, is_loopback: bool, problems: &mut Problems) -> ApiSettings {
    let mut settings = ApiSettings::default();
    let node = root.get("api").cloned().unwrap_or_default();
    if !is_map(&node, "api", problems) {
        return settings;
    }
    for (key, node) in node.entries().iter().filter(|(key, _)| key != "tokens") {
        let message = format!("unknown key `{key}` in `api`");
        problems.error(&node.place, join("api", key), message).hint = unknown_hint(key, &["tokens"], "keys");
    }
    let tokens = items(&node, "tokens", "api", problems);
    for (index, node) in tokens.iter().enumerate() {
        let path = format!("api.tokens[{index}]");
        if let Some(token) = api_token(node, &path, problems) {
            if settings.tokens.iter().any(|other| other.name == token.name) {
                let message = format!("`{path}.name`: `{}` is the name of another token too", token.name);
                problems.error(node.place_of("name"), join(&path, "name"), message);
            }
            settings.tokens.push(token);
        }
    }
    if tokens.is_empty() && !is_loopback {
        let message = "`api.tokens` is empty, but `listen` is reachable from other machines";
        problems.error(root.place_of("listen"), "api.tokens", message).hint =
            Some("add `api: { tokens: [{ name: …, role: responder, token_file: … }] }`".to_owned());
    }
    settings
}

fn api_token(node: &Node, path: &str, problems: &mut Problems) -> Option<ApiToken> {
    let is_complete = is_map(node, path, problems) && require(node, path, &["name", "role"], problems);
    let reading = Reading { is_secret: true, ..Reading::default() };
    let keys: ApiTokenKeys = if is_complete {
        read_with(node, path, reading, problems, read_table)?
    } else {
        return None;
    };
    if keys.name.trim().is_empty() || BUILT_IN_PRINCIPALS.contains(&keys.name.as_str()) {
        let message = format!(
            "`{path}.name`: expected a name other than {}, which stand for others in the audit log",
            quoted(BUILT_IN_PRINCIPALS)
        );
        problems.error(node.place_of("name"), join(path, "name"), message);
    }
    let token_sha256 = match (&keys.token, &keys.token_sha256) {
        (Some(token), None) => sources::hash_token(token, node.place_of("token"), &join(path, "token"), problems)?,
        (None, Some(text)) => {
            sources::read_sha256(text, node.place_of("token_sha256"), &join(path, "token_sha256"), problems)?
        }
        _ => {
            let message = format!("`{path}`: expected one of `token_file`, `token_sha256` and `token`");
            problems.error(&node.place, join(path, "token"), message);
            return None;
        }
    };
    Some(ApiToken { name: keys.name, role: keys.role, token_sha256 })
}

/// Reads a section that is one struct; its defaults when it is absent or faulty.
pub(super) fn section<T>(root: &Node, name: &str, problems: &mut Problems) -> T
where
    T: serde::de::DeserializeOwned + Default,
{
    root.get(name).and_then(|node| read(node, name, problems)).unwrap_or_default()
}

/// Reports a span outside of what makes sense.
pub(super) fn check_span(
    node: &Node,
    path: &str,
    key: &str,
    span: Span,
    min: Span,
    max: Span,
    problems: &mut Problems,
) {
    if span < min || span > max {
        let path = join(path, key);
        let message = format!("`{path}`: expected {min} to {max}, got {span}");
        problems.error(node.place_of(key), path, message);
    }
}

/// Reports a number outside of what makes sense.
pub(super) fn check_number(
    node: &Node,
    path: &str,
    key: &str,
    number: u32,
    min: u32,
    max: u32,
    problems: &mut Problems,
) {
    if number < min || number > max {
        let path = join(path, key);
        problems.error(node.place_of(key), &path, format!("`{path}`: expected {min} to {max}, got {number}"));
    }
}

fn limits(root: &Node, problems: &mut Problems) -> Limits {
    let limits: Limits = section(root, "limits", problems);
    let node = root.get("limits").cloned().unwrap_or_default();
    let (second, hour) = (Span::from_secs(1), Span::from_hours(1));
    for (key, span) in [
        ("header_timeout", limits.header_timeout),
        ("idle_timeout", limits.idle_timeout),
        ("request_timeout", limits.request_timeout),
    ] {
        check_span(&node, "limits", key, span, second, hour, problems);
    }
    check_number(&node, "limits", "connections_max", limits.connections_max, 1, 1_000_000, problems);
    check_number(&node, "limits", "queue_events_max", limits.queue_events_max, 1, 1_000_000, problems);
    limits
}

fn retention(root: &Node, problems: &mut Problems) -> Retention {
    let retention: Retention = section(root, "retention", problems);
    let node = root.get("retention").cloned().unwrap_or_default();
    let (hour, century) = (Span::from_hours(1), Span::from_hours(24 * 36_525));
    check_span(&node, "retention", "history", retention.history, hour, century, problems);
    check_span(&node, "retention", "journal", retention.journal, hour, century, problems);
    if retention.journal > retention.history {
        let message = "`retention.journal` is longer than `retention.history`: a replay would lack what it led to";
        problems.warning(node.place_of("journal"), "retention.journal", message);
    }
    retention
}
