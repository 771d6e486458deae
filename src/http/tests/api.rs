//! Queries and commands: what reaches the store and the engine, and how their answers come back.

use super::*;
use crate::model::{DeliveryState, NotificationKind};

#[tokio::test]
async fn an_incident_shows_what_people_look_for_first() {
    let world = World::new([], tokens());
    let answer = world.get("/api/v1/incidents/inc-aa").await;
    assert_eq!((answer.status, answer.header("cache-control")), (StatusCode::OK, "no-store"));
    let json = answer.json();
    for (field, value) in [("id", "inc-aaaaaaaaaa"), ("state", "open"), ("priority", "P1"), ("title", "db-3 is down")] {
        assert_eq!(json[field], value);
    }
    assert_eq!(json["root_cause"]["configuration_item"], "db-3");
    let list = world.get("/api/v1/incidents").await.json();
    assert_eq!((&list["items"][0]["id"], &list["next_cursor"]), (&json!("inc-aaaaaaaaaa"), &json!("next")));
}

#[tokio::test]
async fn an_id_that_means_none_or_several_says_so() {
    let world = World::new([], tokens());
    insta::assert_snapshot!(world.get("/api/v1/incidents/inc-x").await.problem(), @"404 no incident has the id `inc-x`");
    let several = world.get("/api/v1/incidents/inc-a/timeline").await;
    insta::assert_snapshot!(several.body, @r#"{"type":"urn:watchbell:problem:ambiguous","title":"more than one thing fits","status":409,"detail":"the id could mean inc-aaaaaaaaaa, inc-ab00000000; give more of it","candidates":["inc-aaaaaaaaaa","inc-ab00000000"]}"#);
    assert_eq!(several.status, StatusCode::CONFLICT);
    insta::assert_snapshot!(world.get("/api/v1/alerts/00000000000000ff").await.problem(), @"404 no alert has the fingerprint `00000000000000ff`");
    insta::assert_snapshot!(world.get("/api/v1/alerts/ff").await.problem(), @"400 `fingerprint`: expected 16 hex digits, got `ff`");
    insta::assert_snapshot!(world.get("/api/v1/events/none").await.problem(), @"404 the journal holds no event with the id `none`");
    let too_long = format!("/api/v1/incidents/{}", "a".repeat(513));
    assert_eq!(world.get(&too_long).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_store_that_fails_tells_the_client_nothing_about_itself() {
    let world = World::new([], tokens());
    let answer = world.get("/api/v1/incidents/broken").await;
    assert!(!answer.body.contains("secret"));
    insta::assert_snapshot!(answer.problem(), @"500 the request failed for a reason on our side; the log of the daemon says which");
}

#[tokio::test]
async fn filters_reach_the_store() {
    let world = World::new([], tokens());
    for path in [
        "/api/v1/incidents?state=open&state=resolved&priority=p2&limit=5&cursor=abc",
        "/api/v1/incidents?state=active",
        "/api/v1/incidents/inc-aa/alerts?limit=500",
        "/api/v1/incidents/inc-aa/timeline",
        "/api/v1/alerts?status=firing&incident=inc-aaaaaaaaaa",
        "/api/v1/alerts/00000000000000FF/timeline",
        "/api/v1/problems?state=proposed&state=known_error",
        "/api/v1/silences?limit=7&cursor=abc",
        "/api/v1/silences?state=expired",
        "/api/v1/deliveries?state=exhausted&incident=inc-aaaaaaaaaa&sink=ops%2Fslack",
    ] {
        assert_eq!(world.get(path).await.status, StatusCode::OK, "{path}");
    }
    insta::assert_snapshot!(world.reader.take_asked().join("\n"), @r#"
    IncidentQuery { states: [Open, Resolved], priority: Some(P2), page: PageQuery { cursor: Some("abc"), limit: 5 } }
    IncidentQuery { states: [Open, Acknowledged], priority: None, page: PageQuery { cursor: None, limit: 50 } }
    AlertQuery { status: None, incident: Some(inc-aaaaaaaaaa), page: PageQuery { cursor: None, limit: 500 } }
    Incident(inc-aaaaaaaaaa)
    AlertQuery { status: Some(Firing), incident: Some(inc-aaaaaaaaaa), page: PageQuery { cursor: None, limit: 50 } }
    Alert("00000000000000ff")
    ProblemQuery { states: [Proposed, KnownError], page: PageQuery { cursor: None, limit: 50 } }
    SilenceQuery { state: None, page: PageQuery { cursor: Some("abc"), limit: 7 } }
    SilenceQuery { state: Some(Expired), page: PageQuery { cursor: None, limit: 50 } }
    DeliveryQuery { state: Some("exhausted"), incident: Some(inc-aaaaaaaaaa), sink: Some("ops/slack"), page: PageQuery { cursor: None, limit: 50 } }
    "#);
}

#[tokio::test]
async fn a_parameter_that_does_not_fit_is_named() {
    let world = World::new([], tokens());
    let mut refusals = Vec::new();
    for query in [
        "limit=0",
        "limit=501",
        "limit=many",
        "limit=-1",
        "limit=1&limit=2",
        "cursor=",
        "cursor=%0a",
        "cursor=forged",
        "state=on+fire",
        "priority=P6",
        "stat=open",
        "state",
    ] {
        let answer = world.get(&format!("/api/v1/incidents?{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        refusals.push(format!("{}: {}", answer.json()["field"], answer.problem()));
    }
    insta::assert_snapshot!(refusals.join("\n"), @r#"
    "limit": 400 `limit`: expected a whole number from 1 to 500, got `0`
    "limit": 400 `limit`: expected a whole number from 1 to 500, got `501`
    "limit": 400 `limit`: expected a whole number from 1 to 500, got `many`
    "limit": 400 `limit`: expected a whole number from 1 to 500, got `-1`
    "limit": 400 `limit`: expected the parameter once only, got `2`
    "cursor": 400 `cursor`: expected the `next_cursor` of the page before, got an empty text
    "cursor": 400 `cursor`: expected the `next_cursor` of the page before, got ` `
    "cursor": 400 `cursor`: expected the `next_cursor` of the page before, got `forged`
    "state": 400 `state`: expected `pending`, `open`, `acknowledged`, `active` (open and acknowledged), `resolved`, `closed` or `merged`, got `on fire`
    "priority": 400 `priority`: expected `P1` to `P5`, got `P6`
    "stat": 400 `stat`: expected one of the parameters `limit`, `cursor`, `priority`, `state`, got `open`
    "state": 400 `state`: expected `pending`, `open`, `acknowledged`, `active` (open and acknowledged), `resolved`, `closed` or `merged`, got an empty text
    "#);
    assert_eq!(world.get("/api/v1/alerts?status=loud").await.json()["field"], "status");
    assert_eq!(world.get("/api/v1/deliveries?state=lost").await.json()["field"], "state");
}

/// The command that a request became.
async fn command_of(world: &World, method: &str, path: &str, body: &str) -> String {
    let answer = world.ask("admin", method, path, body).await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (StatusCode::OK, r#"{"id":"the-id","outcome":"done"}"#),
        "{path}"
    );
    let recorded = world.take_recorded();
    let [Recorded::Input(input, None)] = &recorded[..] else { panic!("{recorded:?}") };
    serde_json::to_string(input).unwrap()
}

#[tokio::test]
async fn requests_become_commands() {
    let world = World::new([], tokens());
    let mut commands = Vec::new();
    for (method, path, body) in [
        ("POST", "/api/v1/incidents/inc-a/acknowledge", ""),
        ("POST", "/api/v1/incidents/inc-a/resolve", r#"{"note":"replaced the disk"}"#),
        ("POST", "/api/v1/incidents/inc-a/assign", r#"{"to":"team-db"}"#),
        ("POST", "/api/v1/incidents/inc-a/comment", r#"{"text":"looking"}"#),
        ("POST", "/api/v1/incidents/inc-a/confirm-root-cause", r#"{"configuration_item":"db-3"}"#),
        ("POST", "/api/v1/incidents/inc-a/split", r#"{"alerts":["00000000000000ff"],"into":"inc-b"}"#),
        ("POST", "/api/v1/problems", r#"{"incidents":["inc-a"],"title":"disk"}"#),
        ("POST", "/api/v1/problems/prb-a/accept", ""),
        ("POST", "/api/v1/problems/prb-a/reject", ""),
        ("POST", "/api/v1/problems/prb-a/merge", r#"{"into":"prb-b"}"#),
        ("POST", "/api/v1/problems/prb-a/analyse", r#"{"root_cause_analysis":"the log"}"#),
        ("POST", "/api/v1/problems/prb-a/workaround", r#"{"workaround":"rotate it"}"#),
        ("POST", "/api/v1/problems/prb-a/resolve", r#"{"note":"new disk"}"#),
        ("POST", "/api/v1/problems/prb-a/reopen", ""),
        ("POST", "/api/v1/problems/prb-a/assign", r#"{"to":"team-db"}"#),
        ("POST", "/api/v1/problems/prb-a/retitle", r#"{"title":"the disk"}"#),
        ("POST", "/api/v1/problems/prb-a/link", r#"{"incident":"inc-b"}"#),
        ("POST", "/api/v1/problems/prb-a/unlink", r#"{"incident":"inc-b"}"#),
        ("POST", "/api/v1/silences", r#"{"matchers":["team=ops"],"duration":"2h","comment":"move"}"#),
        ("DELETE", "/api/v1/silences/sil-1", ""),
    ] {
        commands.push(command_of(&world, method, path, body).await);
    }
    insta::assert_snapshot!(commands.join("\n"), @r#"
    {"input":"command","by":{"name":"admin-token","role":"admin"},"command":{"command":"acknowledge","incident":"inc-a"}}
    {"input":"command","by":{"name":"admin-token","role":"admin"},"command":{"command":"resolve","incident":"inc-a","note":"replaced the disk"}}
    {"input":"command","by":{"name":"admin-token","role":"admin"},"command":{"command":"assign","incident":"inc-a","to":"team-db"}}
    {"input":"command","by":{"name":"admin-token","role":"admin"},"command":{"command":"comment","incident":"inc-a","text":"looking"}}
    {"input":"command","by":{"name":"admin-token","role":"admin"},"command":{"command":"confirm_root_cause","incident":"inc-a","configuration_item":"db-3"}}
    {"input":"command","by":{"name":"admin-token","role":"admin"},"command":{"command":"split_incident","incident":"inc-a","alerts":["00000000000000ff"],"into":"inc-b"}}
    {"input":"command","by":{"name":"admin-token","role":"admin"},"command":{"command":"problem","action":"open","title":"disk","incidents":["inc-a"]}}
    {"input":"command","by":{"name":"admin-token","role":"admin"},"command":{"command":"problem","action":"accept","problem":"prb-a"}}
    {"input":"command","by":{"name":"admin-token","role":"admin"},"command":{"command":"problem","action":"reject","problem":"prb-a"}}
    {"input":"command","by":{"name":"admin-token","role":"admin"},"command":{"command":"problem","action":"merge","problem":"prb-a","into":"prb-b"}}
    {"input":"command","by":{"name":"admin-token","role":"admin"},"command":{"command":"problem","action":"analyse","problem":"prb-a","root_cause_analysis":"the log"}}
    {"input":"command","by":{"name":"admin-token","role":"admin"},"command":{"command":"problem","action":"set_workaround","problem":"prb-a","workaround":"rotate it"}}
    {"input":"command","by":{"name":"admin-token","role":"admin"},"command":{"command":"problem","action":"resolve","problem":"prb-a","note":"new disk"}}
    {"input":"command","by":{"name":"admin-token","role":"admin"},"command":{"command":"problem","action":"reopen","problem":"prb-a"}}
    {"input":"command","by":{"name":"admin-token","role":"admin"},"command":{"command":"problem","action":"assign","problem":"prb-a","to":"team-db"}}
    {"input":"command","by":{"name":"admin-token","role":"admin"},"command":{"command":"problem","action":"retitle","problem":"prb-a","title":"the disk"}}
    {"input":"command","by":{"name":"admin-token","role":"admin"},"command":{"command":"problem","action":"link","problem":"prb-a","incident":"inc-b"}}
    {"input":"command","by":{"name":"admin-token","role":"admin"},"command":{"command":"problem","action":"unlink","problem":"prb-a","incident":"inc-b"}}
    {"input":"command","by":{"name":"admin-token","role":"admin"},"command":{"command":"silence","matchers":["team=\"ops\""],"starts_at":"2026-11-21T05:00:00.000Z","ends_at":"2026-11-21T07:00:00.000Z","comment":"move"}}
    {"input":"command","by":{"name":"admin-token","role":"admin"},"command":{"command":"expire_silence","silence":"sil-1"}}
    "#);
}

#[tokio::test]
async fn only_a_delivery_that_was_given_up_is_redriven() {
    let world = World::new([], tokens());
    let path = "/api/v1/deliveries/inc-a.3.ops%2Fslack%20two/redrive";
    let ask = || world.ask("admin", "POST", path, "");
    assert_eq!(ask().await.status, 404);
    let exhausted = crate::model::Delivery {
        id: "inc-a.3.ops/slack two".into(),
        state: DeliveryState::Exhausted { reason: "no".into(), fallback: None },
        ..crate::runtime::outbox::sample_delivery(NotificationKind::Opened, world.clock.now())
    };
    *world.reader.delivery.lock() = Some(exhausted.clone());
    assert_eq!(ask().await.status, 200);
    let recorded = format!("{:?}", world.take_recorded());
    assert!(recorded.contains("Redrive"), "{recorded}");
    let pending = crate::model::Delivery { state: DeliveryState::Pending, ..exhausted };
    world.take_recorded();
    *world.reader.delivery.lock() = Some(pending);
    assert_eq!(ask().await.status, 409);
    let recorded = world.take_recorded();
    let [Recorded::Audit(entry)] = &recorded[..] else { panic!("{recorded:?}") };
    assert_eq!((entry.principal.as_str(), entry.subject.as_str()), ("admin-token", "inc-a.3.ops/slack two"));
    assert!(entry.outcome.starts_with("refused: `inc-a.3.ops/slack two` is pending"), "{entry:?}");
}

#[tokio::test]
async fn the_engines_reply_becomes_a_status() {
    let world = World::new([], tokens());
    let mut answers = Vec::new();
    for reply in [
        Reply::Already("inc-a".into()),
        Reply::NotFound("inc-a".into()),
        Reply::Ambiguous(vec!["inc-ab".into(), "inc-ac".into()]),
        Reply::Refused("the incident is closed".into()),
    ] {
        world.reply_next(reply);
        let answer = world.ask("responder", "POST", "/api/v1/incidents/inc-a/acknowledge", "").await;
        answers.push(format!("{} {}", answer.status.as_u16(), answer.body));
    }
    for error in [SubmitError::Overloaded, SubmitError::Unavailable("disk".into())] {
        world.answer_next(Err(error));
        let answer = world.ask("responder", "POST", "/api/v1/incidents/inc-a/acknowledge", "").await;
        answers.push(answer.problem());
    }
    insta::assert_snapshot!(answers.join("\n"), @r#"
    200 {"id":"inc-a","outcome":"already"}
    404 {"type":"urn:watchbell:problem:not-found","title":"there is no such thing","status":404,"detail":"nothing here has the id `inc-a`"}
    409 {"type":"urn:watchbell:problem:ambiguous","title":"more than one thing fits","status":409,"detail":"the id could mean inc-ab, inc-ac; give more of it","candidates":["inc-ab","inc-ac"]}
    409 {"type":"urn:watchbell:problem:conflict","title":"that does not fit the present state","status":409,"detail":"the incident is closed"}
    503 too much is waiting to be written; nothing of this request was taken
    503 the store takes no writes at present; nothing of this request was taken
    "#);
}

#[tokio::test]
async fn a_body_that_does_not_fit_is_named() {
    let world = World::new([], tokens());
    let mut refusals = Vec::new();
    for (path, body) in [
        ("incidents/inc-a/assign", ""),
        ("incidents/inc-a/assign", r#"{"to":3}"#),
        ("incidents/inc-a/assign", r#"{"to":"x","from":"y"}"#),
        ("incidents/inc-a/assign", r#"{"to":"x"} {}"#),
        ("incidents/inc-a/acknowledge", "yes"),
        ("incidents/inc-a/split", ""),
        ("incidents/inc-a/split", r#"{"alerts":[]}"#),
        ("incidents/inc-a/split", r#"{"alerts":["00000000000000ff","web1"]}"#),
        ("problems", r#"{"incidents":[]}"#),
        ("problems/prb-a/workaround", r#"{"workaround":" "}"#),
        ("problems/prb-a/merge", ""),
        ("silences", r#"{"matchers":["team"],"duration":"2h","comment":"x"}"#),
        ("silences", r#"{"matchers":["team=ops"],"duration":"soon","comment":"x"}"#),
        ("silences", r#"{"matchers":["team=ops"],"comment":"x"}"#),
        ("silences", r#"{"matchers":[],"duration":"2h","comment":"x"}"#),
        (
            "silences",
            r#"{"matchers":["team=ops"],"duration":"2h","recurrence":{"rrule":"FREQ=NOW","time_zone":"UTC"}}"#,
        ),
    ] {
        refusals.push(world.ask("admin", "POST", &format!("/api/v1/{path}"), body).await.problem());
    }
    insta::assert_snapshot!(refusals.join("\n"), @r#"
    400 `to`: expected a value, got nothing
    400 `to`: expected a string, got integer `3`
    400 `from`: expected `to`, got a name that is not known here
    400 `body`: expected valid JSON, got a mistake at line 1, column 12 (trailing characters)
    400 `body`: expected valid JSON, got a mistake at line 1, column 1 (expected value)
    400 `alerts`: expected a value, got nothing
    400 `alerts`: expected 1 to 500 alerts, got 0
    400 `alerts[1]`: expected an alert's fingerprint of 16 hex digits, got `web1`
    400 `incidents`: expected 1 to 100 incidents, got 0
    400 `workaround`: expected 1 to 16384 bytes of text, got nothing
    400 `into`: expected a value, got nothing
    400 `matchers[0]`: expected a matcher such as `name="value"` with `=`, `!=`, `=~` or `!~`, got `team`
    400 `duration`: expected a duration such as `30s`, `15m` or `1h30m`, got `soon`
    400 `ends_at`: expected either `ends_at` or `duration`, got neither
    400 `matchers`: expected 1 to 32 matchers, got 0
    400 `recurrence.rrule`: expected `DAILY`, `WEEKLY`, `MONTHLY` or `YEARLY`, got FREQ=NOW
    "#);
    let form = Request::post("/api/v1/incidents/inc-a/comment")
        .header("authorization", "Bearer admin")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(r#"{"text":"x"}"#))
        .unwrap();
    insta::assert_snapshot!(world.send(form).await.problem(), @"415 `Content-Type`: expected `application/json`, got `application/x-www-form-urlencoded`");
    let long = format!(r#"{{"text":"{}"}}"#, "a".repeat(64 * 1_024));
    let answer = world.ask("admin", "POST", "/api/v1/incidents/inc-a/comment", &long).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(world.take_recorded(), []);
}

#[tokio::test]
async fn records_can_be_looked_up() {
    let world = World::new([], tokens());
    let event = world.get("/api/v1/events/event-1").await.json();
    assert_eq!((&event["position"], &event["event"]["id"]), (&json!(7), &json!("event-1")));
    let quarantine = world.ask("admin", "GET", "/api/v1/quarantine", "").await;
    insta::assert_snapshot!(quarantine.body, @r#"{"items":[{"at":"2026-11-21T05:00:00.000Z","source":"zabbix","reason":"no JSON","body":"{�","body_bytes":2}],"next_cursor":null}"#);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_too() {
    let world = World::new([], tokens());
    insta::assert_snapshot!(world.get("/api/v1/nosuch").await.problem(), @"404 nothing is served at `/api/v1/nosuch`; `/api/v1/openapi.json` lists all paths");
    let answer = world.ask("admin", "PUT", "/api/v1/incidents/inc-a", "").await;
    insta::assert_snapshot!(answer.problem(), @"405 `/api/v1/incidents/inc-a` does not answer PUT; the header `Allow` lists what it answers");
    assert_eq!(answer.header("allow"), "GET,HEAD");
    let answer = world.ask("admin", "GET", "/in/zabbix", "").await;
    assert_eq!((answer.status, answer.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "POST"));
}
