//! Who may do what, asked of a real daemon: every operation that the OpenAPI document lists, by everybody
//! there is. The table here is written by hand and knows nothing of the router's; an operation that is not
//! in it fails the test, so that nobody adds one without deciding who may use it. And whoever changed
//! something, or was refused it, stands in the audit log.

// Real processes live in real time.
#![allow(clippy::disallowed_methods)]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use support::receiver::{Answer, Receiver};
use support::{Api, Reply, Site, eventually};
use watchbell::model::{Span, Timestamp};

/// Whom an operation lets in. Each of the three roles may do what the one before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Needs {
    Nothing,
    /// The other side's signature, and no token at all.
    Signature,
    /// A source's own token, and no token of the API.
    Source,
    Viewer,
    Responder,
    Admin,
}
use Needs::{Admin, Nothing, Responder, Signature, Source, Viewer};

/// Operation, whom it lets in, and its name in the audit log when it changes something.
const OPERATIONS: &[(&str, Needs, Option<&str>)] = &[
    ("post /in/{kind}", Source, None),
    ("post /in/{kind}/{name}", Source, None),
    ("post /callback/{receiver}/{sink}", Signature, None),
    ("post /in/heartbeat/{name}", Source, None),
    ("get /in/heartbeat/{name}", Source, None),
    ("post /in/heartbeat/{name}/fail", Source, None),
    ("get /in/heartbeat/{name}/fail", Source, None),
    ("post /in/prometheus/api/v2/alerts", Source, None),
    ("post /in/prometheus/{name}/api/v2/alerts", Source, None),
    ("post /api/v2/alerts", Source, None),
    ("get /api/v2/alerts", Viewer, None),
    ("get /api/v2/alerts/groups", Viewer, None),
    ("get /api/v2/receivers", Viewer, None),
    ("get /api/v2/silences", Viewer, None),
    ("post /api/v2/silences", Responder, Some("silence.create")),
    ("get /api/v2/silence/{id}", Viewer, None),
    ("delete /api/v2/silence/{id}", Responder, Some("silence.expire")),
    ("get /api/v2/status", Nothing, None),
    ("get /api/v1/incidents", Viewer, None),
    ("get /api/v1/incidents/{id}", Viewer, None),
    ("get /api/v1/incidents/{id}/timeline", Viewer, None),
    ("get /api/v1/incidents/{id}/alerts", Viewer, None),
    ("post /api/v1/incidents/{id}/acknowledge", Responder, Some("incident.acknowledge")),
    ("post /api/v1/incidents/{id}/resolve", Responder, Some("incident.resolve")),
    ("post /api/v1/incidents/{id}/assign", Responder, Some("incident.assign")),
    ("post /api/v1/incidents/{id}/comment", Responder, Some("incident.comment")),
    ("post /api/v1/incidents/{id}/confirm-root-cause", Responder, Some("incident.confirm_root_cause")),
    ("post /api/v1/incidents/{id}/split", Responder, Some("incident.split")),
    ("get /api/v1/alerts", Viewer, None),
    ("get /api/v1/alerts/{fingerprint}", Viewer, None),
    ("get /api/v1/alerts/{fingerprint}/timeline", Viewer, None),
    ("get /api/v1/alerts/{fingerprint}/groups", Viewer, None),
    ("get /api/v1/alert-groups/{id}", Viewer, None),
    ("get /api/v1/alert-groups/{id}/timeline", Viewer, None),
    ("get /api/v1/problems", Viewer, None),
    ("post /api/v1/problems", Responder, Some("problem.create")),
    ("get /api/v1/problems/{id}", Viewer, None),
    ("get /api/v1/problems/{id}/timeline", Viewer, None),
    ("post /api/v1/problems/{id}/accept", Responder, Some("problem.accept")),
    ("post /api/v1/problems/{id}/reject", Responder, Some("problem.reject")),
    ("post /api/v1/problems/{id}/merge", Responder, Some("problem.merge")),
    ("post /api/v1/problems/{id}/analyse", Responder, Some("problem.analyse")),
    ("post /api/v1/problems/{id}/workaround", Responder, Some("problem.workaround")),
    ("post /api/v1/problems/{id}/resolve", Responder, Some("problem.resolve")),
    ("post /api/v1/problems/{id}/reopen", Responder, Some("problem.reopen")),
    ("post /api/v1/problems/{id}/assign", Responder, Some("problem.assign")),
    ("post /api/v1/problems/{id}/retitle", Responder, Some("problem.retitle")),
    ("post /api/v1/problems/{id}/link", Responder, Some("problem.link")),
    ("post /api/v1/problems/{id}/unlink", Responder, Some("problem.unlink")),
    ("get /api/v1/changes", Viewer, None),
    ("get /api/v1/learning", Viewer, None),
    ("delete /api/v1/learning/{id}", Admin, Some("learning.forget")),
    ("get /api/v1/deliveries", Viewer, None),
    ("post /api/v1/deliveries/{id}/redrive", Admin, Some("delivery.redrive")),
    ("post /api/v1/deliveries/redrive", Admin, Some("delivery.redrive")),
    ("get /api/v1/heartbeats", Viewer, None),
    ("get /api/v1/on-call", Viewer, None),
    ("get /api/v1/schedules", Viewer, None),
    ("get /api/v1/schedules/{name}/shifts", Viewer, None),
    ("post /api/v1/schedules/{name}/overrides", Responder, Some("schedule.override")),
    ("delete /api/v1/schedules/{name}/overrides/{id}", Responder, Some("schedule.remove_override")),
    ("post /api/v1/schedules/{name}/swap", Responder, Some("schedule.swap")),
    ("get /api/v1/schedules/{name}/calendar.ics", Source, None),
    ("get /api/v1/people", Viewer, None),
    ("get /api/v1/silences", Viewer, None),
    ("post /api/v1/silences", Responder, Some("silence.create")),
    ("post /api/v1/silences/preview", Viewer, None),
    ("delete /api/v1/silences/{id}", Responder, Some("silence.expire")),
    ("get /api/v1/topology", Viewer, None),
    ("get /api/v1/topology/items/{item}", Viewer, None),
    ("get /api/v1/topology/origins/{origin}", Viewer, None),
    ("put /api/v1/topology/origins/{origin}", Admin, Some("topology.put")),
    ("delete /api/v1/topology/origins/{origin}", Admin, Some("topology.remove")),
    ("get /api/v1/events/{id}", Viewer, None),
    ("get /api/v1/audit", Admin, None),
    ("get /api/v1/quarantine", Admin, None),
    ("get /api/v1/openapi.json", Nothing, None),
    ("get /metrics", Nothing, None),
    ("get /-/healthy", Nothing, None),
    ("get /-/ready", Nothing, None),
    ("post /-/reload", Admin, Some("configuration.reload")),
];

/// What somebody comes with, and who that is.
const CALLERS: [(Option<&str>, Needs, &str); 6] = [
    (None, Nothing, "nobody"),
    (Some("a-guess"), Nothing, "a guess"),
    (Some("source-token"), Source, "a source"),
    (Some("viewer-token"), Viewer, "wall"),
    (Some("responder-token"), Responder, "ada"),
    (Some("admin-token"), Admin, "root"),
];

const PROMPTLY: Duration = Duration::from_secs(30);

/// 401 for who is unknown here, 403 for who is known and may not, nothing for who may.
fn refusal(needs: Needs, caller: Needs) -> Option<u16> {
    let is_known = caller >= Viewer;
    match needs {
        Nothing => None,
        Signature => Some(401),
        Source => (caller != Source).then_some(401),
        _ if !is_known => Some(401),
        needs => (caller < needs).then_some(403),
    }
}

/// A daemon on which everything that an operation can be about exists.
struct World {
    site: Site,
    admin: Api,
    /// Counts the things made for single requests.
    made: u32,
    /// What the body of the next request is about, besides what its path names.
    about: String,
    _receiver: Receiver,
}

impl World {
    async fn new(receiver: Receiver) -> Self {
        let site = Site::new(&format!(
            "sources:
  generic: {{ kind: generic, token: source-token }}
  prometheus: {{ kind: prometheus, token: source-token }}
heartbeats: {{ generic: {{ every: 1d, token: source-token }} }}
schedules:
  generic:
    may_have_gaps: true
    starts_at: 2099-01-01T00:00
    shift: 1d
    rotation: [ops, log]
    feed: {{ token: source-token }}
api:
  tokens:
    - {{ name: wall, role: viewer, token: viewer-token }}
    - {{ name: ada, role: responder, token: responder-token }}
    - {{ name: root, role: admin, token: admin-token }}
receivers:
  ops: {{ sinks: [{{ kind: webhook, url: \"{}\", allow_private: true }}] }}
  chat: {{ sinks: [{{ kind: slack, channel: C024BE91L, token: xoxb-1, signing_secret: abcdefgh }}] }}
route: {{ receiver: ops, group_wait: 0s }}
correlation: {{ reopen_within: 0s }}
problems: {{ incidents_min: 2 }}
",
            receiver.url()
        ));
        let admin = Api::new(&site).with_token("admin-token");
        Self { site, admin, made: 0, about: String::new(), _receiver: receiver }
    }

    /// A new incident, by its id.
    async fn incident(&mut self) -> String {
        self.made += 1;
        let item = format!("db-{}", self.made);
        Api::new(&self.site).with_token("source-token").event("firing", &item).await;
        let about = |incident: &&Value| incident["root_cause"]["configuration_item"] == item.as_str();
        eventually("the incident is there", PROMPTLY, async || {
            let incidents = self.admin.items("/api/v1/incidents?limit=500").await;
            incidents.iter().find(about).map(|incident| incident["id"].as_str().unwrap_or_default().to_owned())
        })
        .await
    }

    /// An incident of two alerts, one of which is what the next body is about.
    async fn double_fault(&mut self) -> String {
        let incident = self.incident().await;
        let item = format!("db-{}", self.made);
        let second = json!({ "status": "firing", "name": "Slow", "configuration_item": item, "severity": "critical" });
        let reply = Api::new(&self.site).with_token("source-token").post("/in/generic", &second).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let path = format!("/api/v1/incidents/{incident}/alerts");
        self.about = eventually("the second alert is there", PROMPTLY, async || {
            let alerts = self.admin.items(&path).await;
            let slow = alerts.iter().find(|alert| alert["name"] == "Slow")?;
            Some(slow["fingerprint"].as_str()?.to_owned())
        })
        .await;
        incident
    }

    /// A delivery that was given up, by its id as it stands in a path.
    async fn dead_letter(&mut self) -> String {
        let incident = self.incident().await;
        let path = format!("/api/v1/deliveries?state=exhausted&incident={incident}");
        eventually("the delivery is given up", PROMPTLY, async || {
            let first = self.admin.items(&path).await.into_iter().next()?;
            Some(first["id"].as_str()?.replace('/', "%2F"))
        })
        .await
    }

    /// A proposed problem, by its id.
    async fn proposal(&mut self) -> String {
        self.made += 1;
        let item = format!("flaky-{}", self.made);
        let source = Api::new(&self.site).with_token("source-token");
        for status in ["firing", "resolved", "firing", "resolved"] {
            source.event(status, &item).await;
        }
        let about = |problem: &&Value| problem["signature"]["root"] == item.as_str();
        let problem = eventually("the problem is proposed", PROMPTLY, async || {
            self.admin.items("/api/v1/problems?limit=500").await.into_iter().find(|problem| about(&problem))
        })
        .await;
        self.about = problem["incidents"][0].as_str().unwrap_or_default().to_owned();
        problem["id"].as_str().unwrap_or_default().to_owned()
    }

    /// A problem on which that can be done, by its id.
    async fn problem(&mut self, action: &str) -> String {
        let first: &[&str] = match action {
            "accept" | "reject" => &[],
            "reopen" => &["accept", "resolve"],
            _ => &["accept"],
        };
        let into = if action == "merge" { Some(self.proposal().await) } else { None };
        let id = self.proposal().await;
        for (id, step) in first.iter().map(|step| (&id, step)).chain(into.iter().map(|into| (into, &"accept"))) {
            let reply = self.admin.post(&format!("/api/v1/problems/{id}/{step}"), &json!({})).await;
            assert_eq!(reply.status, 200, "{step}: {reply:?}");
        }
        match (action, into) {
            ("link", _) => self.about = self.incident().await,
            (_, Some(into)) => self.about = into,
            _ => {}
        }
        id
    }

    /// An incident whose cause was confirmed.
    async fn confirmed(&mut self) -> String {
        let id = self.incident().await;
        let path = format!("/api/v1/incidents/{id}/confirm-root-cause");
        let reply = self.admin.post(&path, &json!({ "configuration_item": "db-9" })).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        id
    }

    async fn silence(&self) -> String {
        let wish = json!({ "matchers": ["team=ops"], "duration": "1h", "comment": "roles" });
        let reply = self.admin.post("/api/v1/silences", &wish).await;
        reply.body["id"].as_str().expect("the id of a silence").to_owned()
    }

    /// An override, by its id.
    async fn stand_in(&self) -> String {
        let reply = self.admin.post("/api/v1/schedules/generic/overrides", &body("overrides", "")).await;
        reply.body["id"].as_str().expect("the id of an override").to_owned()
    }

    /// An origin that has told something, by its name as it stands in a path.
    async fn origin(&mut self) -> String {
        self.made += 1;
        let origin = format!("cmdb%2F{}", self.made);
        let topology = json!({ "nodes": [{ "id": format!("host-{}", self.made) }] });
        let reply = self.admin.put(&format!("/api/v1/topology/origins/{origin}"), &topology).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        origin
    }

    /// The path of one request with something real in its parameters.
    async fn path(&mut self, template: &str) -> String {
        let id = match template {
            "/api/v1/problems" => {
                self.about = self.incident().await;
                String::new()
            }
            _ if template.contains("{origin}") => self.origin().await,
            _ if template.contains("/problems/") => self.problem(template.rsplit('/').next().unwrap_or_default()).await,
            _ if template.contains("/deliveries/") => self.dead_letter().await,
            _ if template.contains("/overrides/") => self.stand_in().await,
            _ if template.ends_with("/swap") => {
                self.made += 1;
                self.about = self.made.to_string();
                String::new()
            }
            _ if template.contains("/silences/") || template.contains("/silence/") => self.silence().await,
            _ if template.contains("/learning/") => self.confirmed().await,
            _ if !template.contains("{id}") => String::new(),
            _ if template.contains("/events/") => "no-such-event".to_owned(),
            _ if template.contains("/alert-groups/") => "grp-0000000000".to_owned(),
            _ if template.ends_with("/split") => self.double_fault().await,
            _ => self.incident().await,
        };
        let source = if template.contains("/prometheus/") { "prometheus" } else { "generic" };
        template
            .replace("{id}", &id)
            .replace("{origin}", &id)
            .replace("{item}", "db-9")
            .replace("{fingerprint}", "00000000000000ff")
            .replace("{kind}", "generic")
            .replace("{name}", source)
            .replace("{receiver}", "chat")
            .replace("{sink}", "slack")
    }

    async fn newest_audit(&self) -> Value {
        self.admin.items("/api/v1/audit?limit=1").await.into_iter().next().unwrap_or(json!({ "number": 0 }))
    }
}

fn body(operation: &str, about: &str) -> Value {
    match operation.rsplit('/').next().unwrap_or_default() {
        "problems" => json!({ "incidents": [about] }),
        "merge" => json!({ "into": about }),
        "link" | "unlink" => json!({ "incident": about }),
        "analyse" => json!({ "root_cause_analysis": "a loose cable" }),
        "workaround" => json!({ "workaround": "push it" }),
        "retitle" => json!({ "title": "the cabling" }),
        "assign" => json!({ "to": "team-db" }),
        "comment" => json!({ "text": "looking" }),
        "confirm-root-cause" => json!({ "configuration_item": "db-9" }),
        "split" => json!({ "alerts": [about] }),
        "silences" if operation.contains("/api/v2/") => json!({
            "matchers": [{ "name": "team", "value": "ops", "isRegex": false }], "comment": "roles", "createdBy": "roles",
            "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2999-01-01T00:00:00Z",
        }),
        "silences" | "preview" => json!({ "matchers": ["team=ops"], "duration": "1h", "comment": "roles" }),
        "overrides" => json!({ "receiver": "log", "starts_at": "2098-01-01T00:00:00Z", "duration": "1h" }),
        "swap" => {
            // Both turns of two days that nobody has exchanged before.
            let first: Timestamp = "2099-01-01T00:00:00Z".parse().expect("a time");
            let day = |number: i64| first + Span::from_hours(24 * number);
            let turn = |receiver: &str, number: i64| json!({ "receiver": receiver, "starts_at": day(number), "ends_at": day(number + 1) });
            let number = 2 * about.parse::<i64>().unwrap_or_default();
            json!({ "one": turn("ops", number), "other": turn("log", number + 1) })
        }
        "alerts" => json!([{ "labels": { "alertname": "Up" } }]),
        "{origin}" => json!({ "edges": [{ "from": "web-1", "to": "db-9" }] }),
        "{kind}" | "{name}" => json!({ "status": "firing", "name": "Disk full", "configuration_item": "db-0" }),
        _ => json!({}),
    }
}

async fn ask(site: &Site, token: Option<&str>, method: &str, path: &str, body: &Value) -> Reply {
    let api = Api::new(site);
    let api = token.map_or(api.clone(), |token| api.with_token(token));
    match method {
        "get" => api.get(path).await,
        "post" => api.post(path, body).await,
        "put" => api.put(path, body).await,
        "delete" => api.delete(path).await,
        other => panic!("no operation should use {other}"),
    }
}

fn operations(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().expect("a document with paths");
    let methods = |(path, item): (&String, &Value)| -> Vec<String> {
        item.as_object().into_iter().flatten().map(|(method, _)| format!("{method} {path}")).collect()
    };
    paths.iter().flat_map(methods).collect()
}

#[tokio::test]
async fn every_operation_lets_in_whom_it_should_and_writes_down_who_changed_what() {
    // A sink that says no at once makes dead letters.
    let mut world = World::new(Receiver::start(Answer::Status(410)).await).await;
    let _daemon = world.site.start().await;
    let document = Api::new(&world.site).get("/api/v1/openapi.json").await.body;
    let known: BTreeSet<String> = OPERATIONS.iter().map(|(operation, ..)| (*operation).to_owned()).collect();
    assert_eq!(operations(&document), known, "an operation without a decision on who may use it, or one that is gone");

    for (operation, needs, action) in OPERATIONS {
        let (method, template) = operation.split_once(' ').expect("method and path");
        for (token, caller, name) in CALLERS {
            let what = format!("{operation} by {name}");
            let path = world.path(template).await;
            let before = world.newest_audit().await["number"].as_u64();
            let reply = ask(&world.site, token, method, &path, &body(operation, &world.about)).await;
            let newest = world.newest_audit().await;
            let expected = refusal(*needs, caller);
            match expected {
                Some(status) => assert_eq!(reply.status, status, "{what}: {reply:?}"),
                None if method == "get" => assert!([200, 404].contains(&reply.status), "{what}: {reply:?}"),
                None => assert_eq!(reply.status, 200, "{what}: {reply:?}"),
            }
            match action {
                None => assert_eq!(newest["number"].as_u64(), before, "{what}: {newest}"),
                // Of those who are nobody only some are written down (`src/http/strangers.rs`).
                Some(_) if caller < Viewer => {}
                Some(action) => {
                    assert_ne!(newest["number"].as_u64(), before, "{what} is not in the audit log");
                    assert_eq!((&newest["principal"], &newest["action"]), (&json!(name), &json!(action)), "{what}");
                    let outcome = newest["outcome"].as_str().unwrap_or_default();
                    // Of the dead letters some have nothing to say any more.
                    let words: &[&str] = if expected.is_some() { &["refused: "] } else { &["done", "superseded: "] };
                    assert!(words.iter().any(|word| outcome.starts_with(word)), "{what}: {newest}");
                }
            }
        }
    }
}
