//! The suite that every sink passes, without knowing any of them: it walks [`SINKS`].

use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::model::NotificationKind;
use crate::render::hostile::{self, KINDS, now};
use crate::render::sample_notification;

pub(super) fn setting() -> Setting {
    Setting {
        instance: "fra1".into(),
        sink: "ops/test".into(),
        language: Language::En,
        time_zone: "UTC".into(),
        public_url: Some("https://watchbell.example".into()),
        go_templates: Default::default(),
    }
}

/// Reads the YAML that examples are written in, as the configuration would.
pub(super) fn table(yaml: &str) -> Table {
    use saphyr::{LoadableYamlNode, Scalar, Yaml};
    fn value(node: &Yaml<'_>) -> serde_json::Value {
        match node {
            Yaml::Mapping(map) => {
                map.iter().map(|(key, node)| (key.as_str().expect("a key").to_owned(), value(node))).collect()
            }
            Yaml::Sequence(nodes) => nodes.iter().map(value).collect(),
            Yaml::Value(Scalar::String(text)) => text.as_ref().into(),
            Yaml::Value(Scalar::Integer(number)) => (*number).into(),
            Yaml::Value(Scalar::Boolean(flag)) => (*flag).into(),
            other => panic!("{other:?} in an example"),
        }
    }
    let documents = Yaml::load_from_str(yaml).expect("YAML");
    match documents.first().map(value) {
        Some(serde_json::Value::Object(table)) => table,
        other => panic!("expected keys, got {other:?}"),
    }
}

pub(super) fn build_from(spec: &SinkSpec, yaml: &str, setting: &Setting) -> Box<dyn Sink> {
    (spec.build)(&table(yaml), setting).unwrap_or_else(|error| panic!("{}: {error}", spec.name))
}

pub(super) fn build_error(spec: &SinkSpec, yaml: &str) -> String {
    match (spec.build)(&table(yaml), &setting()) {
        Ok(_) => panic!("{} accepts {yaml}", spec.name),
        Err(error) => error.to_string(),
    }
}

pub(super) const DELIVERY: &str = "inc-7h3kq0v9zd.1.ops/test";

pub(super) fn attempt<'a>(notification: &'a Notification, progress: &'a Progress) -> Attempt<'a> {
    Attempt { delivery: DELIVERY, notification, progress, now: now() }
}

pub(super) fn attempt_request(sink: &dyn Sink, notification: &Notification, progress: &Progress) -> Request {
    sink.request(&attempt(notification, progress)).expect("a request")
}

pub(super) fn http_request(request: Request) -> HttpRequest {
    match request {
        Request::Http(request) => request,
        other => panic!("expected an HTTP request, got {other:?}"),
    }
}

pub(super) fn json_body(request: &HttpRequest) -> serde_json::Value {
    serde_json::from_slice(&request.body).expect("JSON")
}

pub(super) fn json_answer(status: u16, body: &str) -> Response {
    let headers = vec![("content-type".into(), "application/json;charset=UTF-8".into())];
    Response::Http { status, headers, body: body.into() }
}

/// All sinks, built from their examples.
fn examples() -> impl Iterator<Item = (&'static SinkSpec, Box<dyn Sink>)> {
    SINKS.iter().map(|spec| (*spec, build_from(spec, spec.example, &setting())))
}

/// Shows an incident as a group of one alert, whatever happened to it and in whatever language, unless it is over.
fn knows_groups_only(spec: &SinkSpec) -> bool {
    spec.name.starts_with("alertmanager_")
}

/// Where a delivery may be: at the start, in doubt, past the start, with what remote objects look like.
fn progresses() -> Vec<Progress> {
    let mut progresses = Vec::new();
    let remotes = [
        None,
        Some(r#"{"channel":"C024BE91L","ts":"1795237920.000100"}"#),
        Some(r#"{"sys_id":"a9e30c7dc61122760116894de7bcc7bd","number":"INC0010001"}"#),
        Some(r#"{"message_id":"<first@example.org>","subject":"[P1] rtr1"}"#),
        Some("not what any sink wrote"),
    ];
    for remote in remotes {
        for step in [0, 1, 2, 3, u16::MAX] {
            for is_ambiguous in [false, true] {
                progresses.push(Progress {
                    remote: remote.map(str::to_owned),
                    step,
                    is_ambiguous,
                    ..Progress::default()
                });
            }
        }
    }
    progresses
}

#[test]
fn names_are_unique_and_each_sink_has_its_file() {
    let names: BTreeSet<_> = SINKS.iter().map(|spec| spec.name).collect();
    assert_eq!(names.len(), SINKS.len());
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sinks");
    for entry in std::fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension != "rs") {
            continue;
        }
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let is_contract = ["alertmanager", "callback", "mail", "mod", "quote", "tests"].contains(&stem.as_str());
        assert!(is_contract || names.contains(&*stem), "{} is not registered", path.display());
    }
    for name in names {
        let file = name.strip_prefix("alertmanager_").map_or_else(|| name.into(), |own| format!("alertmanager/{own}"));
        assert!(directory.join(format!("{file}.rs")).exists(), "{file}.rs");
        assert!(find(name).is_some_and(|spec| spec.name == name));
    }
    assert!(find("slak").is_none());
}

#[test]
fn examples_build_and_unknown_keys_are_named() {
    for (spec, _) in examples() {
        assert!(!spec.title.is_empty() && !spec.docs.is_empty() && spec.rate.count > 0 && spec.rate.per_ms > 0);
        let with_typo = format!("{}\nno_such_key: 1\n", spec.example.trim_end());
        let error = build_error(spec, &with_typo);
        assert!(error.contains("no_such_key"), "{}: {error}", spec.name);
    }
}

#[test]
fn every_kind_in_every_language_stays_within_the_vendors_limits() {
    for spec in SINKS {
        for language in Language::ALL {
            if language != Language::En && knows_groups_only(spec) {
                continue;
            }
            let sink = build_from(spec, spec.example, &Setting { language, ..setting() });
            for kind in KINDS {
                if knows_groups_only(spec) && !kind.is_final() && kind != NotificationKind::Escalated {
                    continue;
                }
                let notification = sample_notification(kind, now());
                check(spec, &*sink, &notification, &progresses(), "the sample");
            }
        }
    }
}

#[test]
fn hostile_texts_stay_within_the_vendors_limits_and_inert() {
    let slack = Some(r#"{"channel":"C024BE91L","ts":"1795237920.000100"}"#.to_owned());
    let ticket = Some(r#"{"sys_id":"a9e30c7dc61122760116894de7bcc7bd","number":"INC0010001"}"#.to_owned());
    let progresses = [
        Progress::default(),
        Progress { remote: slack.clone(), ..Progress::default() },
        Progress { remote: slack, step: 1, ..Progress::default() },
        Progress { remote: ticket, ..Progress::default() },
    ];
    let sinks: Vec<_> = examples().collect();
    for text in hostile::texts() {
        // Megabytes of them take their time; which kind it is makes no difference to the limits.
        let kinds = if text.len() < 1_000 { &KINDS[..] } else { &[NotificationKind::Escalated] };
        for kind in kinds {
            let notification = hostile::notification(*kind, &text);
            for (spec, sink) in &sinks {
                if knows_groups_only(spec) && !kind.is_final() && *kind != NotificationKind::Escalated {
                    continue;
                }
                check(spec, &**sink, &notification, &progresses, &text);
            }
        }
    }
}

fn check(spec: &SinkSpec, sink: &dyn Sink, notification: &Notification, progresses: &[Progress], what: &str) {
    for progress in progresses {
        let request = attempt_request(sink, notification, progress);
        if matches!(request, Request::Skip(_)) {
            assert!(!notification.kind.is_loud() && !notification.kind.is_final(), "{} is silent", spec.name);
            continue;
        }
        if let Err(reason) = (spec.check)(&request) {
            let what: String = what.chars().take(60).collect();
            panic!("{}, {:?}, {progress:?}: {reason} ({what:?})", spec.name, notification.kind);
        }
    }
}

#[test]
fn naughty_strings_of_the_shared_corpus() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora/blns/blns.json");
    let Ok(bytes) = std::fs::read(&path) else {
        eprintln!("skipped: {} is not there", path.display());
        return;
    };
    let strings: Vec<String> = serde_json::from_slice(&bytes).unwrap();
    assert!(strings.len() > 400);
    let progress = Progress::default();
    for text in &strings {
        let notification = hostile::notification(NotificationKind::Escalated, text);
        for (spec, sink) in examples() {
            let request = attempt_request(&*sink, &notification, &progress);
            assert_eq!((spec.check)(&request), Ok(()), "{}: {text:?}", spec.name);
        }
    }
}

#[test]
fn every_answer_is_classified_and_no_doubt_is_lost() {
    let bodies = [
        "",
        "ok",
        "<html>asleep</html>",
        "{}",
        r#"{"ok":false,"error":"internal_error"}"#,
        "\u{0}[[[[",
        "null",
        "7",
        "[]",
    ];
    let notification = sample_notification(NotificationKind::Opened, now());
    for (spec, sink) in examples() {
        for progress in progresses() {
            let attempt = attempt(&notification, &progress);
            for code in 100..=599 {
                // What a vendor says matters where it can mean something else than the code.
                let is_telling = code % 100 < 5 || code % 100 == 29;
                for body in if is_telling { &bodies[..] } else { &bodies[..1] } {
                    classify(spec, &*sink, &attempt, &json_answer(code, body));
                }
                let refused = vec![("a@example.org".to_owned(), "550 no".to_owned())];
                classify(spec, &*sink, &attempt, &Response::Mail { code, text: "text".into(), refused });
            }
            classify(spec, &*sink, &attempt, &Response::Written);
        }
    }
}

fn classify(spec: &SinkSpec, sink: &dyn Sink, attempt: &Attempt<'_>, response: &Response) {
    let outcome = sink.outcome(attempt, response);
    let status = match response {
        Response::Http { status, .. } => *status,
        _ => 0,
    };
    match &outcome {
        Outcome::Delivered { proof, .. } => {
            assert!(!proof.is_empty() && !(300..=599).contains(&status), "{} {status}: {outcome:?}", spec.name);
        }
        Outcome::Retry { reason, is_ambiguous, .. } => {
            let looks_up = !matches!(spec.name, "email" | "alertmanager_email" | "log" | "webhook");
            assert!(!reason.is_empty());
            assert!(!looks_up || !attempt.progress.is_ambiguous || *is_ambiguous, "{} {status}", spec.name);
        }
        Outcome::Rejected { reason, .. } => assert!(!reason.is_empty()),
        Outcome::Next { .. } => assert!(status < 300, "{} {status}: {outcome:?}", spec.name),
    }
}

/// After whatever answer but success Alertmanager sends these again, and so do we.
const NEVER_FINAL: [&str; 2] = ["alertmanager_telegram", "alertmanager_wechat"];

#[test]
fn redirects_are_final_and_pressure_is_not() {
    let notification = sample_notification(NotificationKind::Opened, now());
    let progress = Progress::default();
    for (spec, sink) in examples() {
        let attempt = attempt(&notification, &progress);
        if !matches!(attempt_request(&*sink, &notification, &progress), Request::Http(_)) {
            continue;
        }
        for status in [301, 302, 307, 308, 400, 401, 403, 405, 410, 422] {
            let outcome = sink.outcome(&attempt, &json_answer(status, "{}"));
            let is_final = matches!(outcome, Outcome::Rejected { .. });
            assert_eq!(is_final, !NEVER_FINAL.contains(&spec.name), "{} {status}: {outcome:?}", spec.name);
        }
        for status in [408, 425, 429, 500, 502, 503, 504] {
            let headers = vec![("retry-after".into(), "7".into())];
            let outcome = sink.outcome(&attempt, &Response::Http { status, headers, body: Vec::new() });
            let is_right = matches!(outcome, Outcome::Retry { after_ms: Some(7_000), .. });
            assert!(is_right, "{} {status}: {outcome:?}", spec.name);
        }
    }
}

/// Keys whose values must never be seen. PagerDuty's `routing_key` stands in the body, where it wants it.
const SECRET_KEYS: [&str; 14] = [
    "api_key",
    "api_secret",
    "app_token",
    "auth_password",
    "bot_token",
    "credentials",
    "password",
    "secret",
    "secret_key",
    "secrets",
    "token",
    "token_id",
    "user_key",
    "webhook_url",
];

/// Values of an example that must never be seen.
fn secrets(example: &str) -> Vec<String> {
    fn collect(table: &Table, secrets: &mut Vec<String>) {
        for (key, value) in table {
            match value {
                serde_json::Value::Object(table) => collect(table, secrets),
                value if SECRET_KEYS.contains(&key.as_str()) => {
                    secrets.push(value.as_str().expect("text").to_owned());
                }
                _ => {}
            }
        }
    }
    let mut secrets = Vec::new();
    collect(&table(example), &mut secrets);
    secrets
}

/// Sinks that show what alerts say as the operator's templates put it, so that it can become markup or a mention,
/// as with Alertmanager. In all others it stays text, and their `check` sees to it.
const VERBATIM: [&str; 9] = [
    "alertmanager_discord",
    "alertmanager_jira",
    "alertmanager_msteams",
    "alertmanager_msteamsv2",
    "alertmanager_rocketchat",
    "alertmanager_slack",
    "alertmanager_telegram",
    "alertmanager_webex",
    "alertmanager_wechat",
];

#[test]
fn who_shows_alerts_verbatim_says_so() {
    for spec in SINKS {
        let docs = spec.docs.split_whitespace().collect::<Vec<_>>().join(" ");
        let says_so = docs.contains("what alerts say can become markup") || docs.contains("What alerts say reaches");
        assert_eq!(says_so, VERBATIM.contains(&spec.name), "{}", spec.name);
    }
}

#[test]
fn no_secret_shows_in_requests_outcomes_or_errors() {
    let notification = sample_notification(NotificationKind::Opened, now());
    for (spec, sink) in examples() {
        let secrets = secrets(spec.example);
        let echo = format!(
            r#"{{"ok":false,"error":"{0}","response_metadata":{{"messages":["{0}"]}},"error_text":"{0}"}}"#,
            secrets.join(" ")
        );
        let vendor_echo = format!(r#"{{"error":{{"message":"{0}","detail":"{0}"}}}}"#, secrets.join(" "));
        let mut seen = Vec::new();
        for progress in progresses() {
            let attempt = attempt(&notification, &progress);
            seen.push(format!("{:?}", sink.request(&attempt)));
            if let Ok(Request::Http(request)) = sink.request(&attempt) {
                seen.push(String::from_utf8_lossy(&request.body).into_owned());
            }
            if let Ok(Request::Mail(request)) = sink.request(&attempt) {
                seen.push(String::from_utf8_lossy(&request.message).into_owned());
            }
            for status in [200, 201, 301, 400, 401, 403, 404, 429, 500] {
                for body in [&echo, &vendor_echo] {
                    seen.push(format!("{:?}", sink.outcome(&attempt, &json_answer(status, body))));
                }
                let text = secrets.join(" ");
                seen.push(format!(
                    "{:?}",
                    sink.outcome(&attempt, &Response::Mail { code: status, text, refused: vec![] })
                ));
            }
        }
        for key in table(spec.example).keys() {
            let mut broken = table(spec.example);
            broken.insert(key.clone(), serde_json::json!({"unexpected": secrets.join(" ")}));
            seen.extend((spec.build)(&broken, &setting()).err().map(|error| error.to_string()));
        }
        for secret in &secrets {
            assert!(seen.iter().all(|text| !text.contains(secret)), "{} shows `{secret}`", spec.name);
        }
    }
}

#[test]
fn the_same_attempt_makes_the_same_request() {
    let notification = sample_notification(NotificationKind::Opened, now());
    for (spec, sink) in examples() {
        for progress in progresses() {
            let bytes = |request: Request| match request {
                Request::Http(request) => request.body,
                Request::Mail(request) => request.message,
                Request::Line(text) => text.into_bytes(),
                Request::Skip(_) => Vec::new(),
            };
            let first = bytes(attempt_request(&*sink, &notification, &progress));
            assert_eq!(first, bytes(attempt_request(&*sink, &notification, &progress)), "{}", spec.name);
        }
    }
}

#[test]
fn retry_after_reads_seconds_and_dates() {
    let answer = |retry_after: &str| Response::Http {
        status: 429,
        headers: vec![
            ("retry-after".into(), retry_after.into()),
            ("date".into(), "Sat, 21 Nov 2026 05:12:00 GMT".into()),
        ],
        body: Vec::new(),
    };
    assert_eq!(retry_after_ms(&answer("30")), Some(30_000));
    assert_eq!(retry_after_ms(&answer("Sat, 21 Nov 2026 05:13:30 GMT")), Some(90_000));
    assert_eq!(retry_after_ms(&answer("Sat, 21 Nov 2026 05:11:00 GMT")), None);
    assert_eq!(retry_after_ms(&answer("soon")), None);
}
