//! What the tests of all receivers of an `alertmanager.yml` share: groups of alerts, a request as text, answers.

use super::super::tests::{attempt, build_from, json_answer, setting};
use super::super::{Connection, Request, SINKS, SinkSpec};
use super::*;
use crate::model::delivery::Progress;
use crate::model::{GroupAlert, Labels, Notification, Span};
use crate::render::hostile::now;
use crate::render::sample_notification;

fn alert(item: &str, status: AlertStatus) -> GroupAlert {
    let labels = Labels::from_iter([
        ("alertname", "DiskFull"),
        ("instance", item),
        ("severity", "critical"),
        ("team", "storage"),
    ]);
    let starts_at = now() - Span::from_mins(12);
    GroupAlert {
        fingerprint: crate::model::Fingerprint::of(labels.iter().flat_map(|(name, value)| [name, value])).to_string(),
        status,
        labels,
        annotations: Labels::from_iter([("summary", format!("{item} <has> no room & stops").as_str())]),
        starts_at: starts_at + Span::from_millis(120),
        ends_at: (status == AlertStatus::Resolved).then(|| now() - Span::from_mins(1)),
        generator_url: Some("http://prometheus.example/graph?g0.expr=disk%3E0.9".into()),
    }
}

fn notification(kind: NotificationKind, reason: &str, alerts: Vec<GroupAlert>) -> Notification {
    let group = GroupView {
        key: "{}/{team=\"storage\"}:{alertname=\"DiskFull\"}".into(),
        receiver: "ops.team".into(),
        reason: reason.into(),
        labels: Labels::from_iter([("alertname", "DiskFull")]),
        alerts,
    };
    Notification { group: Some(Box::new(group)), ..sample_notification(kind, now()) }
}

/// One alert that fires.
pub fn firing() -> Notification {
    notification(NotificationKind::Opened, "first notification", vec![alert("db-1", AlertStatus::Firing)])
}

/// Two that fire, and one that has ended.
pub fn mixed() -> Notification {
    let alerts = vec![
        alert("db-1", AlertStatus::Firing),
        alert("db-2", AlertStatus::Resolved),
        alert("db-3", AlertStatus::Firing),
    ];
    notification(NotificationKind::Repeated, "new alerts added", alerts)
}

/// All over.
pub fn resolved() -> Notification {
    let alerts = vec![alert("db-1", AlertStatus::Resolved), alert("db-2", AlertStatus::Resolved)];
    notification(NotificationKind::Resolved, "all alerts resolved", alerts)
}

/// So many that fire.
pub fn many(count: usize) -> Notification {
    let alerts = (0..count).map(|number| alert(&format!("db-{number:03}"), AlertStatus::Firing)).collect();
    notification(NotificationKind::Opened, "first notification", alerts)
}

pub fn request_of(spec: &SinkSpec, yaml: &str, notification: &Notification) -> Request {
    let sink = build_from(spec, yaml, &setting());
    sink.request(&attempt(notification, &Progress::default())).expect("a request")
}

/// The first request as text: address, headers, body.
pub fn sent(spec: &SinkSpec, yaml: &str, notification: &Notification) -> String {
    shown(request_of(spec, yaml, notification))
}

pub fn shown(request: Request) -> String {
    let request = match request {
        Request::Http(request) => request,
        other => return format!("{other:?}"),
    };
    let mut text = format!("{} {}\n", request.method, request.url.expose());
    // The same in all of them, and told by a test of its own.
    for (name, value) in request.headers.iter().filter(|(name, _)| name != "user-agent") {
        text.push_str(&format!("{name}: {}\n", value.expose()));
    }
    text.push('\n');
    text.push_str(&String::from_utf8_lossy(&request.body));
    text
}

/// Which of all status codes are tried again, in words: `408 425 429 500-599`.
pub fn retried(spec: &SinkSpec, yaml: &str) -> String {
    let sink = build_from(spec, yaml, &setting());
    let (notification, progress) = (firing(), Progress::default());
    let attempt = attempt(&notification, &progress);
    let mut runs: Vec<(u16, u16)> = Vec::new();
    for status in 100..600 {
        match sink.outcome(&attempt, &json_answer(status, "{}")) {
            Outcome::Retry { .. } => match runs.last_mut() {
                Some((_, last)) if *last + 1 == status => *last = status,
                _ => runs.push((status, status)),
            },
            Outcome::Delivered { .. } | Outcome::Next { .. } => assert!((200..300).contains(&status), "{status}"),
            Outcome::Rejected { .. } => {}
        }
    }
    let runs = runs.iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    runs.collect::<Vec<_>>().join(" ")
}

/// All of this folder.
pub fn specs() -> impl Iterator<Item = &'static SinkSpec> {
    SINKS.iter().copied().filter(|spec| spec.name.starts_with("alertmanager_"))
}

#[test]
fn requests_say_that_they_are_like_an_alertmanagers() {
    let agents = |http: &str| {
        let request = request_of(&super::webhook::SPEC, &format!("url: http://a.example/\n{http}"), &firing());
        let Request::Http(request) = request else { panic!("no request over HTTP") };
        let all = request.headers.into_iter().filter(|(name, _)| name.eq_ignore_ascii_case("user-agent"));
        all.map(|(_, value)| value.expose().clone()).collect::<Vec<_>>()
    };
    assert_eq!(agents(""), ["Alertmanager/0.34.0"]);
}

#[test]
fn every_receiver_builds_with_every_way_to_connect() {
    for spec in specs().filter(|spec| !["alertmanager_email", "alertmanager_webex"].contains(&spec.name)) {
        let mut table = super::super::tests::table(spec.example);
        table.insert(
            "http_config".into(),
            serde_json::json!({"http_headers": {"X-Team": {"secrets": ["Gr33n-horse"]}}}),
        );
        let sink = (spec.build)(&table, &setting()).unwrap_or_else(|error| panic!("{}: {error}", spec.name));
        let notification = firing();
        let progress = Progress::default();
        let attempt = attempt(&notification, &progress);
        let Ok(Request::Http(request)) = sink.request(&attempt) else { panic!("{}", spec.name) };
        assert!(request.headers.iter().any(|(name, value)| name == "x-team" && value.expose() == "Gr33n-horse"));
        let client = request.client.unwrap();
        assert!(client.follow_redirects, "{}", spec.name);
        // What is made ready is what is used.
        assert!(matches!(sink.connection(), Connection::Http(ready) if Arc::ptr_eq(ready, &client)), "{}", spec.name);
        let outcome = sink.outcome(&attempt, &json_answer(400, "no Gr33n-horse here"));
        assert!(!format!("{outcome:?}").contains("Gr33n-horse"), "{}: {outcome:?}", spec.name);
        table.insert("http_config".into(), serde_json::json!({"oauth2": {"client_id": "x"}}));
        let error = (spec.build)(&table, &setting()).err().expect("there is no `token_url`").to_string();
        assert!(error.contains("http_config.oauth2"), "{}: {error}", spec.name);
    }
}

#[test]
fn ends_are_shown_only_to_whom_wants_them() {
    let yaml = "url: https://hooks.example/alerts\nsend_resolved: false\n";
    let Request::Http(request) = request_of(&webhook::SPEC, yaml, &mixed()) else { panic!() };
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body["alerts"].as_array().unwrap().len(), 2);
    assert!(matches!(request_of(&webhook::SPEC, yaml, &resolved()), Request::Skip(_)));
}

#[test]
fn a_quiet_update_of_an_incident_is_left_out() {
    let update = sample_notification(NotificationKind::Updated, now());
    for spec in specs() {
        assert!(matches!(request_of(spec, spec.example, &update), Request::Skip(_)), "{}", spec.name);
    }
}

#[test]
fn texts_are_cut_where_the_limit_is() {
    assert_eq!(truncate_chars("äöü→", 4), "äöü→");
    assert_eq!(truncate_chars("äöü→x", 4), "äöü…");
    assert_eq!(truncate_chars("äöü→", 3), "äöü");
    assert_eq!(truncate_bytes("äöü", 6), "äöü");
    assert_eq!(truncate_bytes("äöüx", 6), "ä…");
    assert_eq!(truncate_bytes("abcdefg", 6), "abc…");
}
