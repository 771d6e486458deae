//! The daemon's own endpoints, asked from outside: who may do what, what is answered before a body is
//! read, and what operators and their tools rely on.

// Real processes live in real time.
#![allow(clippy::disallowed_methods)]

mod support;

use std::time::{Duration, Instant};

use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use support::receiver::{Answer, Receiver};
use support::{Api, Site, client, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use watchbell::http::ROUTES;
use watchbell::sources::find;

const TOKENS: &str = "sources: { generic: { kind: generic, token: source-token } }
api:
  tokens:
    - { name: wall, role: viewer, token: viewer-token }
    - { name: ada, role: responder, token: responder-token }
    - { name: root, role: admin, token: admin-token }
route: { receiver: log, group_wait: 0s }
";
const PROMPTLY: Duration = Duration::from_secs(5);

#[tokio::test]
async fn the_openapi_document_lists_every_route() {
    let site = Site::new("");
    let _daemon = site.start().await;
    let reply = Api::new(&site).get("/api/v1/openapi.json").await;
    assert_eq!((reply.status, reply.content_type.as_str()), (200, "application/json"));
    assert!(
        reply.body["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")),
        "{}",
        reply.body["openapi"]
    );
    for route in ROUTES {
        let operation = &reply.body["paths"][route.path][route.method.to_lowercase()];
        assert!(operation["responses"].is_object(), "{} {} is not described", route.method, route.path);
    }
}

#[tokio::test]
async fn tokens_decide_who_may_do_what() {
    let site = Site::new(TOKENS);
    let _daemon = site.start().await;
    let stranger = Api::new(&site);
    let [viewer, responder, admin] =
        ["viewer", "responder", "admin"].map(|role| stranger.with_token(&format!("{role}-token")));
    stranger.with_token("source-token").event("firing", "db-1").await;
    let incidents = viewer.items("/api/v1/incidents?state=open").await;
    let id = incidents[0]["id"].as_str().expect("an incident has an id");
    let acknowledge = format!("/api/v1/incidents/{id}/acknowledge");

    for (who, api, expected) in [
        ("nobody", &stranger, 401),
        ("a source", &stranger.with_token("source-token"), 401),
        ("a guess", &stranger.with_token("responder-tokem"), 401),
        ("a viewer", &viewer, 403),
        ("a responder", &responder, 200),
    ] {
        let reply = api.post(&acknowledge, &json!({ "note": "on it" })).await;
        assert_eq!(reply.status, expected, "{who}: {reply:?}");
    }
    let incident = viewer.get(&format!("/api/v1/incidents/{id}")).await;
    assert_eq!(incident.body["state"], "acknowledged", "{incident:?}");
    assert_eq!(incident.body["acknowledged_by"], "ada");

    assert_eq!(stranger.get("/api/v1/incidents").await.status, 401);
    assert_eq!(viewer.post("/-/reload", &Value::Null).await.status, 403);
    assert_eq!(responder.get("/api/v1/audit").await.status, 403);
    let audit = admin.items("/api/v1/audit").await;
    let said: Vec<(&str, &str, &str)> = audit
        .iter()
        .map(|row| ["principal", "action", "outcome"].map(|name| row[name].as_str().unwrap_or_default()))
        .map(|[principal, action, outcome]| (principal, action, outcome.split(':').next().unwrap_or_default()))
        .collect();
    assert!(said.contains(&("ada", "incident.acknowledge", "done")), "{said:?}");
    assert!(said.contains(&("wall", "incident.acknowledge", "refused")), "{said:?}");
    let secrets = ["viewer-token", "responder-token", "admin-token", "source-token"];
    let log = site.log();
    assert!(!secrets.iter().any(|secret| log.contains(secret)), "a token stands in the log");
}

#[tokio::test]
async fn a_stranger_is_refused_before_the_body_is_read() {
    let site = Site::new(TOKENS);
    let _daemon = site.start().await;
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", site.port())).await.expect("a connection");
    let begun = Instant::now();
    let head = "POST /in/generic HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                authorization: Bearer wrong\r\ncontent-length: 1000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("the headers are taken");
    let mut answer = vec![0; 4_096];
    let read = tokio::time::timeout(PROMPTLY, stream.read(&mut answer)).await;
    let count = read.expect("an answer while the body is missing").expect("an answer");
    let answer = String::from_utf8_lossy(&answer[..count]).to_lowercase();
    assert!(answer.starts_with("http/1.1 401"), "{answer}");
    assert!(answer.contains("www-authenticate: bearer") && answer.contains("application/problem+json"), "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(1), "after {:?}", begun.elapsed());
}

/// Name, labels and value of a line of Prometheus' text format.
fn sample(line: &str) -> Option<(&str, f64)> {
    let (series, value) = line.rsplit_once(' ')?;
    let name = series.split('{').next()?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_closed = !series.contains('{') || series.ends_with('}');
    (is_closed && name.starts_with("watchbell_") && name.chars().all(is_name)).then_some(())?;
    Some((series, value.parse().ok()?))
}

#[tokio::test]
async fn metrics_can_be_read_and_count() {
    let receiver = Receiver::start(Answer::Status(200)).await;
    let url = receiver.url();
    let site = Site::new(&format!(
        "receivers: {{ ops: {{ sinks: [{{ kind: webhook, url: \"{url}\", allow_private: true }}] }} }}\n\
         route: {{ receiver: ops, group_wait: 0s }}\n"
    ));
    let _daemon = site.start().await;
    let api = Api::new(&site);
    api.event("firing", "db-1").await;
    assert_eq!(api.post("/in/generic", &json!(5)).await.status, 400);
    receiver.waits_for("a notification", PROMPTLY, |_| true).await;
    api.settled(PROMPTLY).await;

    let answer = client().get(site.url("/metrics")).send().await.expect("an answer");
    let content_type = answer.headers()["content-type"].to_str().expect("text").to_owned();
    assert!(content_type.starts_with("text/plain; version=0.0.4"), "{content_type}");
    let text = answer.text().await.expect("text");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let samples: Vec<(&str, f64)> =
        lines.map(|line| sample(line).unwrap_or_else(|| panic!("not a sample: {line}"))).collect();
    for (series, expected) in [
        ("watchbell_ingest_events_total{kind=\"generic\",source=\"generic\"}", 1.0),
        ("watchbell_ingest_requests_total{source=\"generic\",status=\"200\"}", 1.0),
        ("watchbell_ingest_requests_total{source=\"generic\",status=\"400\"}", 1.0),
        ("watchbell_quarantined_total{source=\"generic\"}", 1.0),
        ("watchbell_deliveries_total{outcome=\"delivered\",sink=\"ops/webhook\"}", 1.0),
        ("watchbell_config_last_reload_successful", 1.0),
    ] {
        let found = samples.iter().find(|(name, _)| *name == series);
        assert_eq!(found.map(|(_, value)| *value), Some(expected), "{series} in\n{text}");
    }
}

#[tokio::test]
async fn health_is_told_and_readiness_ends_with_a_stop() {
    let site = Site::new("");
    let mut daemon = site.start().await;
    let api = Api::new(&site);
    for path in ["/-/healthy", "/-/ready"] {
        assert_eq!(api.get(path).await.status, 200, "{path}");
    }
    let unknown = api.get("/api/v1/nothing").await;
    assert_eq!((unknown.status, unknown.content_type.as_str()), (404, "application/problem+json"));
    daemon.signal("TERM");
    let status = daemon.ended(Duration::from_secs(35)).await;
    assert_eq!(status.code(), Some(0));
    assert!(client().get(site.url("/-/ready")).send().await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn the_timeline_says_why() {
    let site = Site::new("route: { receiver: log, group_wait: 0s, group_interval: 1s }\n");
    let _daemon = site.start().await;
    let api = Api::new(&site);
    api.event("firing", "db-1").await;
    let id = api.items("/api/v1/incidents").await[0]["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/v1/incidents/{id}/timeline?limit=100");
    let kinds = async |wanted: &str| {
        eventually(wanted, PROMPTLY, async || {
            let entries = api.items(&path).await;
            entries.iter().any(|entry| entry["kind"] == wanted).then_some(entries)
        })
        .await
    };
    kinds("delivered").await;
    api.event("resolved", "db-1").await;
    let entries = kinds("incident_resolved").await;
    for entry in &entries {
        let has_text = |name: &str| entry[name].as_str().is_some_and(|text| !text.is_empty());
        assert!(has_text("at") && has_text("by") && has_text("text"), "a decision without its reason: {entry}");
    }
    for kind in ["incident_opened", "root_cause", "routed", "notified", "delivered", "alert_resolved"] {
        assert!(entries.iter().any(|entry| entry["kind"] == kind), "no `{kind}` in {entries:#?}");
    }
    let alerts = api.items(&format!("/api/v1/incidents/{id}/alerts")).await;
    let fingerprint = alerts[0]["fingerprint"].as_str().expect("an alert has a fingerprint");
    let of_alert = api.items(&format!("/api/v1/alerts/{fingerprint}/timeline")).await;
    assert!(of_alert.iter().any(|entry| entry["kind"] == "incident_opened"), "{of_alert:?}");
    let event = api.get(&format!("/api/v1/events/{}", alerts[0]["opened_by"].as_str().unwrap_or_default())).await;
    assert_eq!(event.status, 200, "the event that opened it can be read: {event:?}");
}

#[tokio::test]
async fn an_incident_shows_the_workaround_of_its_problem() {
    let site = Site::new("route: { receiver: log, group_wait: 0s }\n");
    let _daemon = site.start().await;
    let api = Api::new(&site);
    api.event("firing", "db-1").await;
    let incident = api.items("/api/v1/incidents").await[0]["id"].as_str().expect("an id").to_owned();
    let made = api.post("/api/v1/problems", &json!({ "incidents": [incident], "title": "the disk" })).await;
    let id = made.body["id"].as_str().unwrap_or_else(|| panic!("{made:?}")).to_owned();
    let again = api.post("/api/v1/problems", &json!({ "incidents": [incident], "title": "the disk" })).await;
    assert_eq!((again.status, &again.body["outcome"]), (200, &json!("already")), "{again:?}");
    let rejected = api.post(&format!("/api/v1/problems/{id}/reject"), &json!({})).await;
    assert_eq!((rejected.status, rejected.content_type.as_str()), (409, "application/problem+json"), "{rejected:?}");
    for (step, body, state) in [
        ("analyse", json!({ "root_cause_analysis": "too small" }), "analysed"),
        ("workaround", json!({ "workaround": "delete old logs" }), "known_error"),
        ("resolve", json!({ "note": "a larger one" }), "resolved"),
        ("reopen", json!({}), "known_error"),
    ] {
        let reply = api.post(&format!("/api/v1/problems/{}/{step}", &id[..9]), &body).await;
        assert_eq!((reply.status, &reply.body["outcome"]), (200, &json!("done")), "{step}: {reply:?}");
        assert_eq!(api.get(&format!("/api/v1/problems/{id}")).await.body["state"], state, "{step}");
    }
    let shown = api.get(&format!("/api/v1/incidents/{incident}")).await.body;
    assert_eq!(shown["problem"], json!(id));
    assert_eq!(shown["known_problem"]["workaround"], "delete old logs", "{shown}");
    assert_eq!(api.items("/api/v1/problems?state=known_error").await.len(), 1);
    assert_eq!(api.items("/api/v1/problems?state=proposed&state=resolved").await.len(), 0);
    assert_eq!(api.get("/api/v1/problems?state=done").await.status, 400);
    let timeline = api.items(&format!("/api/v1/problems/{id}/timeline")).await;
    let kinds: Vec<&str> = timeline.iter().filter_map(|entry| entry["kind"].as_str()).collect();
    let expected =
        ["problem_accepted", "problem_analysed", "problem_workaround", "problem_resolved", "problem_reopened"];
    assert_eq!(kinds, expected);
}

const DEPLOYERS: &str = "sources:
  changes: { kind: changes }
  gitlab: { kind: gitlab, token: gitlab-token, token_header: X-Gitlab-Token, items: { acme/shop: web-1 } }
  github: { kind: github, hmac: { secret: s3cret, header: X-Hub-Signature-256, prefix: 'sha256=' } }
";

fn signature(body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"s3cret").expect("a key of any length will do");
    mac.update(body.as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

#[tokio::test]
async fn a_change_is_listed_once_in_its_latest_state_over_a_restart() {
    let site = Site::new(DEPLOYERS);
    let mut daemon = site.start().await;
    let api = Api::new(&site);
    let post = async |kind: &str, body: &str, header: Option<(&str, &str)>| {
        let url = site.url(&format!("/in/{kind}"));
        let mut request = client().post(url).header("content-type", "application/json").body(body.to_owned());
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        request.send().await.expect("the daemon answers").status().as_u16()
    };
    let example = |kind: &str, index: usize| find(kind).expect("it is registered").examples[index];
    for index in [0, 1, 1] {
        assert_eq!(post("changes", example("changes", index), None).await, 200);
        let body = example("gitlab", index);
        assert_eq!(post("gitlab", body, Some(("X-Gitlab-Token", "gitlab-token"))).await, 200);
        let body = example("github", index);
        assert_eq!(post("github", body, Some(("X-Hub-Signature-256", &signature(body)))).await, 200);
    }
    let body = example("gitlab", 0);
    assert_eq!(post("gitlab", body, None).await, 401);
    assert_eq!(post("gitlab", body, Some(("Authorization", "Bearer gitlab-token"))).await, 401);
    assert_eq!(post("github", body, Some(("X-Hub-Signature-256", &signature("another")))).await, 401);
    let refused = api.post("/in/changes", &json!({ "kind": "deploy" })).await;
    assert_eq!((refused.status, refused.body["field"].as_str()), (400, Some("configuration_item")));

    let listed = async |query: &str| {
        let items = api.items(&format!("/api/v1/changes{query}")).await;
        let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
        let line =
            |item: &Value| ["source", "configuration_item", "state", "at"].map(|name| text(item, name)).join(" ");
        let mut lines: Vec<String> = items.iter().map(line).collect();
        lines.sort();
        lines
    };
    let all = listed("").await;
    assert_eq!(
        all,
        [
            "changes shop-web succeeded 2026-11-21T05:00:00.000Z",
            "github shop succeeded 2026-11-21T05:00:10.000Z",
            "gitlab web-1 succeeded 2026-11-21T05:00:10.000Z",
        ]
    );
    assert_eq!(listed("?configuration_item=web-1").await, all[2..]);
    assert_eq!(listed("?since=2026-11-21T05:00:05Z").await, all[1..]);
    assert_eq!(listed("?until=2026-11-21T05:00:05Z").await, all[..1]);
    for (query, field) in [("since=yesterday", "since"), ("item=x", "item"), ("cursor=x", "cursor")] {
        let reply = api.get(&format!("/api/v1/changes?{query}")).await;
        assert_eq!((reply.status, reply.body["field"].as_str()), (400, Some(field)), "{reply:?}");
    }
    // A kill, and then a telling that is late.
    daemon.kill();
    let _daemon = site.start().await;
    assert_eq!(post("changes", example("changes", 0), None).await, 200);
    assert_eq!(listed("").await, all);
}
