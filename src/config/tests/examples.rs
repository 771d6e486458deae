//! The configurations that we hand out are sound, with the integrations that are really there, and
//! the annotated one names every key and its true default.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::load::load_with;
use crate::config::validate::Kinds;
use crate::config::{
    Configuration, HeartbeatSettings, Limits, Problem, Retention, SINK_GIVE_UP_AFTER, SINK_TIMEOUT, SelfCheckSettings,
    ZabbixSettings,
};
use crate::engine::policy::{Policy, Route};
use crate::model::{Severity, Span};
use crate::tls::pki::{ALWAYS, Authority};

/// Good for every integration: a token, a password and a signing secret.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Loads a text as if every file under `/etc/watchbell` and every variable in it were there.
fn load_text(text: &str) -> Result<Configuration, Vec<Problem>> {
    let folder = tempfile::tempdir().unwrap();
    let topology = include_str!("../../../config/examples/topology.yaml");
    std::fs::create_dir(folder.path().join("examples")).unwrap();
    for name in ["topology.yaml", "examples/topology.yaml"] {
        std::fs::write(folder.path().join(name), topology).unwrap();
    }
    let text = text.replace("/etc/watchbell/heartbeat.url", "./heartbeat.url");
    write_private(&folder.path().join("heartbeat.url"), "https://hc.example.org/5f2c");
    let text = text.replace("/etc/watchbell/", "./secret-").replace("/var/cache/nagios4/", "./");
    std::fs::write(folder.path().join("objects.cache"), "define host {\n\thost_name\thv-9\n\t}\n").unwrap();
    let server = Authority::new("ca").server(&["watchbell.example.org"], ALWAYS);
    let secret = regex::Regex::new(r"\./secret-[a-z.-]+").unwrap();
    for found in secret.find_iter(&text) {
        let path = folder.path().join(found.as_str());
        let content = match path.extension().and_then(|extension| extension.to_str()) {
            Some("crt") => server.certificate.clone(),
            Some("key") => server.key.clone(),
            _ => format!("{SECRET}\n"),
        };
        std::fs::write(&path, content).unwrap();
        super::set_mode(&path, 0o600);
    }
    let variable = regex::Regex::new(r"\$\{([A-Z_]+)\}").unwrap();
    let variables: BTreeMap<String, String> =
        variable.captures_iter(&text).map(|found| (found[1].to_owned(), SECRET.to_owned())).collect();
    let file = folder.path().join("watchbell.yaml");
    std::fs::write(&file, &text).unwrap();
    load_with(&[file], &variables, &Kinds::installed(), false, super::NOW)
}

fn write_private(path: &Path, secret: &str) {
    std::fs::write(path, format!("{secret}\n")).unwrap();
    super::set_mode(path, 0o600);
}

fn load(text: &str) -> Configuration {
    match load_text(text) {
        Ok(configuration) => configuration,
        Err(problems) => panic!("{}", problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")),
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config")
}

/// The topology, and what goes to the monitors' side; `tests/e2e` runs those with the real ones.
const NOT_OURS: [&str; 6] = [
    "topology.yaml",
    "nagios.cfg",
    "zabbix-media-type.yaml",
    "alertmanager.yml",
    "prometheus.yml",
    "argocd-notifications.yml",
];

#[test]
fn every_example_is_sound() {
    let mut count = 0;
    for entry in std::fs::read_dir(folder().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if NOT_OURS.contains(&name.as_str()) {
            continue;
        }
        count += 1;
        let configuration = load(&std::fs::read_to_string(&path).unwrap());
        let said: Vec<String> = configuration.warnings.iter().map(Problem::to_string).collect();
        assert!(said.is_empty(), "{}: {}", path.display(), said.join("\n"));
    }
    assert!(count >= 3);
}

/// The annotated file with its settings taken out of their comments. Sentences have one space after
/// the `#`; settings have none, or the two and more of their indentation.
fn annotated() -> (String, String) {
    let text = std::fs::read_to_string(folder().join("watchbell.yaml")).unwrap();
    let is_setting = |line: &&str| {
        let rest = line.strip_prefix('#').unwrap_or("");
        !rest.is_empty() && (!rest.starts_with(' ') || (rest.starts_with("  ") && !rest.contains("watchbell check")))
    };
    let settings = text.lines().filter(is_setting).map(|line| &line[1..]).collect::<Vec<_>>().join("\n");
    (text.clone(), settings)
}

#[test]
fn the_annotated_file_sets_nothing() {
    let (text, _) = annotated();
    let (as_is, empty) = (load(&text), load(""));
    assert_eq!(
        Configuration { warnings: Vec::new(), store: empty.store.clone(), ..as_is },
        Configuration { warnings: Vec::new(), ..empty }
    );
}

#[test]
fn the_annotated_file_shows_true_defaults() {
    let (_, settings) = annotated();
    let configuration = load(&settings);
    let (given, default) = (&configuration.policy, Policy::default());
    assert_eq!(configuration.listen, crate::config::LISTEN);
    assert_eq!(configuration.instance, crate::config::INSTANCE);
    assert_eq!(configuration.language, crate::render::Language::default());
    assert_eq!(configuration.limits, Limits::default());
    assert_eq!(configuration.retention, Retention::default());
    assert_eq!(configuration.self_check, SelfCheckSettings::default());
    let heartbeat = configuration.heartbeat.unwrap();
    assert_eq!((heartbeat.every, heartbeat.timeout), (HeartbeatSettings::EVERY, HeartbeatSettings::TIMEOUT));
    assert!(!heartbeat.allow_private && heartbeat.url.expose() == "https://hc.example.org/5f2c");
    let nightly = &configuration.policy.heartbeats["nightly-backup"];
    assert_eq!((nightly.grace, nightly.severity), (Span::from_hours(1), Severity::Major));
    assert!(!configuration.policy.heartbeats["prod-prometheus"].notify);
    let zabbix = &configuration.zabbix["prod"];
    assert_eq!((zabbix.every, zabbix.timeout), (ZabbixSettings::EVERY, ZabbixSettings::TIMEOUT));
    assert!(!zabbix.allow_private && zabbix.token.expose() == SECRET);
    assert_eq!(given.correlation, default.correlation);
    assert_eq!(given.flap, default.flap);
    assert_eq!(given.priority, default.priority);
    assert_eq!(given.problems, default.problems);
    assert_eq!(given.naming.labels, default.naming.labels);
    assert_eq!(given.notify_by, default.notify_by);
    assert_eq!(given.route.group_wait, Some(Route::GROUP_WAIT));
    assert_eq!(given.route.group_interval, Some(Route::GROUP_INTERVAL));
    assert_eq!(given.route.repeat_interval, Some(Route::REPEAT_INTERVAL));
    let sink = &configuration.sinks["ops/chat"];
    assert_eq!((sink.timeout, sink.give_up_after, sink.allow_private), (SINK_TIMEOUT, SINK_GIVE_UP_AFTER, false));
    assert_eq!(configuration.sources["prod-zabbix"].body_bytes_max, crate::config::BODY_BYTES_MAX);
}

#[test]
fn the_annotated_file_has_every_key() {
    let (_, settings) = annotated();
    let policy = Policy::default();
    let structs = [
        serde_json::to_value(&policy).unwrap(),
        serde_json::to_value(&policy.naming).unwrap(),
        serde_json::to_value(&policy.correlation).unwrap(),
        serde_json::to_value(&policy.flap).unwrap(),
        serde_json::to_value(&policy.priority).unwrap(),
        serde_json::to_value(&policy.problems).unwrap(),
        serde_json::to_value(&policy.route).unwrap(),
        serde_json::to_value(crate::engine::policy::ServiceRule::default()).unwrap(),
        serde_json::to_value(crate::model::TimeInterval::default()).unwrap(),
        serde_json::to_value(crate::engine::policy::InhibitRule::default()).unwrap(),
        serde_json::to_value(crate::engine::policy::Receiver::default()).unwrap(),
        serde_json::to_value(Limits::default()).unwrap(),
        serde_json::to_value(Retention::default()).unwrap(),
        serde_json::to_value(SelfCheckSettings::default()).unwrap(),
    ];
    let keys = structs.iter().filter_map(|value| value.as_object()).flat_map(|object| object.keys());
    // Follow from `send_resolved` of each sink, from `silences.retention` and from `--dispatch.start-delay`.
    let others = ["without_resolved", "silence_retention", "dispatch_start_delay"];
    let keys = keys.filter(|key| !others.contains(&key.as_str()));
    let common = crate::config::sources::KEYS.iter().chain(&crate::config::receivers::KEYS).copied();
    let sections = crate::config::validate::SECTIONS.iter().copied();
    for key in keys.map(String::as_str).chain(common).chain(sections) {
        let found = regex::Regex::new(&format!(r"(?m)(^|[ {{-]){key}(_file)?:")).unwrap().is_match(&settings);
        assert!(found, "`{key}` is not in config/watchbell.yaml");
    }
}
