//! Schedules over HTTP: who is on call, what is asked of the engine, the calendar feed.

use super::*;
use crate::engine::input::{Command, Principal};
use crate::engine::policy::{Policy, Receiver, Schedule};
use crate::engine::step;
use crate::model::Span;
use crate::model::person::{Person, Team};
use crate::model::schedule::{Override, Rotation};

/// Anna and Ben, a week each; of the office only on weekdays.
fn world() -> World {
    let world = World::new([], tokens());
    let mut policy = Policy::default();
    for (name, display_name) in [("anna", Some("Anna Nowak")), ("ben", None)] {
        policy.receivers.insert(name.into(), Receiver::default());
        let display_name = display_name.map(str::to_owned);
        policy.people.insert(name.into(), Person { display_name, ..Person::default() });
    }
    let layer = |only: Value| -> Rotation {
        let starts_at = "2026-11-02T09:00";
        serde_json::from_value(
            json!({ "starts_at": starts_at, "shift": "7d", "rotation": ["anna", "ben"], "only": only }),
        )
        .unwrap()
    };
    let office = vec![layer(json!([{ "days": ["monday:friday"], "from": "08:00", "until": "18:00" }]))];
    policy.schedules.insert("office".into(), Schedule { layers: office, may_have_gaps: true, ..Schedule::default() });
    policy.schedules.insert("week".into(), Schedule { layers: vec![layer(json!([]))], ..Schedule::default() });
    policy.teams.insert("web".into(), Team { members: vec!["ben".into()], schedules: vec!["week".into()] });
    let now = world.clock.now();
    step(&mut world.state.lock(), now, Input::Configured { policy: Box::new(policy) });
    let at = |text: &str| text.parse().unwrap();
    let shift =
        Override { starts_at: at("2026-11-21T04:00:00Z"), ends_at: at("2026-11-21T12:00:00Z"), receiver: "ben".into() };
    let by = Principal { name: "ada".into(), role: Role::Responder };
    let command = Command::OverrideShift { schedule: "week".into(), shift };
    step(&mut world.state.lock(), now, Input::Command { by, command });
    world.app.publish("bell", BTreeMap::from([("week".to_owned(), Auth::Tokens(vec![sha256("s3cret")]))]));
    world
}

fn without_ids(value: &Value) -> String {
    let id = regex::Regex::new("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").unwrap();
    id.replace_all(&value.to_string(), "<id>").into_owned()
}

#[tokio::test]
async fn who_is_on_call_is_said_of_all_schedules_or_one_now_or_then() {
    let world = world();
    let all = world.get("/api/v1/on-call").await.json();
    insta::assert_snapshot!(without_ids(&all), @r#"{"items":[{"ends_at":"2026-11-23T08:00:00.000Z","schedule":"office","starts_at":"2026-11-20T18:00:00.000Z","time_zone":"UTC"},{"by":"override","ends_at":"2026-11-21T12:00:00.000Z","override_id":"<id>","receiver":"ben","schedule":"week","starts_at":"2026-11-21T05:00:00.000Z","time_zone":"UTC"}],"next_cursor":null}"#);
    let then = world.get("/api/v1/on-call?schedule=week&at=2026-11-30T09:00:00Z").await.json();
    insta::assert_snapshot!(without_ids(&then), @r#"{"items":[{"by":"layer","display_name":"Anna Nowak","ends_at":"2026-12-07T09:00:00.000Z","layer":0,"receiver":"anna","schedule":"week","starts_at":"2026-11-30T09:00:00.000Z","time_zone":"UTC"}],"next_cursor":null}"#);
    let first = world.get("/api/v1/on-call?limit=1").await.json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = world.get(&format!("/api/v1/on-call?limit=1&cursor={cursor}")).await.json();
    assert_eq!((&second["items"][0]["schedule"], &second["next_cursor"]), (&json!("week"), &Value::Null));
    insta::assert_snapshot!(world.get("/api/v1/on-call?schedule=month").await.problem(), @"404 there is no schedule `month`; `schedules` in the configuration names those that are");
    insta::assert_snapshot!(world.get("/api/v1/on-call?at=tomorrow").await.problem(), @"400 `at`: expected a time such as `2026-11-23T09:00:00Z`, got `tomorrow`");
    assert_eq!(world.get(&format!("/api/v1/schedules?cursor={cursor}")).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn schedules_people_shifts_and_gaps_are_shown() {
    let world = world();
    insta::assert_snapshot!(without_ids(&world.get("/api/v1/schedules").await.json()), @r#"{"items":[{"layers":[{"only":[{"days":["monday:friday"],"from":"08:00","until":"18:00"}],"rotation":["anna","ben"],"shift":"1w","starts_at":"2026-11-02T09:00:00"}],"may_have_gaps":true,"name":"office","override_count":0,"teams":[],"time_zone":"UTC"},{"layers":[{"rotation":["anna","ben"],"shift":"1w","starts_at":"2026-11-02T09:00:00"}],"may_have_gaps":false,"name":"week","override_count":1,"teams":["web"],"time_zone":"UTC"}],"next_cursor":null}"#);
    insta::assert_snapshot!(without_ids(&world.get("/api/v1/people").await.json()), @r#"{"items":[{"display_name":"Anna Nowak","name":"anna","teams":[]},{"name":"ben","teams":["web"]}],"next_cursor":null}"#);
    let week = world.get("/api/v1/schedules/week/shifts?from=2026-11-20T00:00:00Z&until=2026-11-24T00:00:00Z").await;
    insta::assert_snapshot!(without_ids(&week.json()), @r#"{"from":"2026-11-20T00:00:00.000Z","gaps":[],"overrides":[{"id":"<id>","made_at":"2026-11-21T05:00:00.000Z","made_by":"ada","number":1,"schedule":"week","shifts":[{"ends_at":"2026-11-21T12:00:00.000Z","receiver":"ben","starts_at":"2026-11-21T05:00:00.000Z"}]}],"schedule":"week","shifts":[{"by":"layer","display_name":"Anna Nowak","ends_at":"2026-11-21T05:00:00.000Z","layer":0,"receiver":"anna","starts_at":"2026-11-20T00:00:00.000Z"},{"by":"override","ends_at":"2026-11-21T12:00:00.000Z","override_id":"<id>","receiver":"ben","starts_at":"2026-11-21T05:00:00.000Z"},{"by":"layer","display_name":"Anna Nowak","ends_at":"2026-11-23T09:00:00.000Z","layer":0,"receiver":"anna","starts_at":"2026-11-21T12:00:00.000Z"},{"by":"layer","ends_at":"2026-11-24T00:00:00.000Z","layer":0,"receiver":"ben","starts_at":"2026-11-23T09:00:00.000Z"}],"time_zone":"UTC","until":"2026-11-24T00:00:00.000Z"}"#);
    let office = world.get("/api/v1/schedules/office/shifts?until=2026-11-24T00:00:00Z").await.json();
    insta::assert_snapshot!(without_ids(&json!([office["shifts"], office["gaps"]])), @r#"[[{"by":"layer","display_name":"Anna Nowak","ends_at":"2026-11-23T09:00:00.000Z","layer":0,"receiver":"anna","starts_at":"2026-11-23T08:00:00.000Z"},{"by":"layer","ends_at":"2026-11-23T18:00:00.000Z","layer":0,"receiver":"ben","starts_at":"2026-11-23T09:00:00.000Z"}],[{"ends_at":"2026-11-23T08:00:00.000Z","starts_at":"2026-11-21T05:00:00.000Z"},{"ends_at":"2026-11-24T00:00:00.000Z","starts_at":"2026-11-23T18:00:00.000Z"}]]"#);
    insta::assert_snapshot!(world.get("/api/v1/schedules/week/shifts?until=2027-11-23T00:00:00Z").await.problem(), @"400 `until`: expected a time after `from` (2026-11-21T05:00:00.000Z), and at most 366d after it, got `2027-11-23T00:00:00.000Z`");
    insta::assert_snapshot!(world.get("/api/v1/schedules/month/shifts").await.problem(), @"404 there is no schedule `month`; `schedules` in the configuration names those that are");
}

#[tokio::test]
async fn changes_become_commands() {
    let world = world();
    let ask = async |method: &str, path: &str, body: &str| {
        let answer = world.ask("responder", method, path, body).await;
        match world.take_recorded().pop() {
            Some(Recorded::Input(Input::Command { command, .. }, _)) => serde_json::to_string(&command).unwrap(),
            _ => answer.problem(),
        }
    };
    let overrides = "/api/v1/schedules/week/overrides";
    insta::assert_snapshot!(ask("POST", overrides, r#"{"receiver":"ben","duration":"2h"}"#).await, @r#"{"command":"override_shift","schedule":"week","override":{"starts_at":"2026-11-21T05:00:00.000Z","ends_at":"2026-11-21T07:00:00.000Z","receiver":"ben"}}"#);
    insta::assert_snapshot!(ask("POST", overrides, r#"{"receiver":"ben","starts_at":"2026-11-22T00:00:00Z","ends_at":"2026-11-23T00:00:00Z"}"#).await, @r#"{"command":"override_shift","schedule":"week","override":{"starts_at":"2026-11-22T00:00:00.000Z","ends_at":"2026-11-23T00:00:00.000Z","receiver":"ben"}}"#);
    insta::assert_snapshot!(ask("POST", overrides, r#"{"receiver":"ben"}"#).await, @"400 `ends_at`: expected a time, or `duration`, got nothing");
    insta::assert_snapshot!(ask("POST", overrides, r#"{"receiver":"ben","duration":"2h","ends_at":"2026-11-23T00:00:00Z"}"#).await, @"400 `duration`: expected one of the two, got `ends_at` as well");
    insta::assert_snapshot!(ask("DELETE", "/api/v1/schedules/week/overrides/abc", "").await, @r#"{"command":"remove_override","schedule":"week","id":"abc"}"#);
    let turn = |receiver: &str, day: u32| json!({ "receiver": receiver, "starts_at": format!("2026-11-{day}T09:00:00Z"), "ends_at": format!("2026-11-{day}T10:00:00Z") });
    let swap = json!({ "one": turn("ben", 23), "other": turn("anna", 30) });
    insta::assert_snapshot!(ask("POST", "/api/v1/schedules/week/swap", &swap.to_string()).await, @r#"{"command":"swap_shifts","schedule":"week","one":{"starts_at":"2026-11-23T09:00:00.000Z","ends_at":"2026-11-23T10:00:00.000Z","receiver":"ben"},"other":{"starts_at":"2026-11-30T09:00:00.000Z","ends_at":"2026-11-30T10:00:00.000Z","receiver":"anna"}}"#);
    world.reply_next(Reply::NotFound("month".into()));
    let unknown = world.ask("responder", "POST", "/api/v1/schedules/month/swap", &swap.to_string()).await;
    insta::assert_snapshot!(unknown.problem(), @"404 there is no schedule `month`; `schedules` in the configuration names those that are");
}

#[tokio::test]
async fn a_calendar_reads_the_feed_with_the_feeds_own_token_only() {
    let world = world();
    let path = "/api/v1/schedules/week/calendar.ics";
    let ask = async |path: &str, token: Option<&str>| {
        let mut request = Request::get(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        world.send(request.body(Body::empty()).unwrap()).await
    };
    let answer = ask(&format!("{path}?token=s3cret"), None).await;
    assert_eq!(
        (answer.status, &answer.headers["content-type"]),
        (StatusCode::OK, &http::HeaderValue::from_static("text/calendar; charset=utf-8"))
    );
    let events = answer.body.matches("BEGIN:VEVENT").count();
    assert_eq!(answer.body.matches("UID:").count(), events);
    // Fifteen weeks and an override in one of them.
    assert_eq!(events, 18, "{}", answer.body);
    assert!(
        answer.body.contains("DTSTART:20261102T090000Z\r\n") && answer.body.contains("SUMMARY:Anna Nowak: week\r\n")
    );
    let again = ask(path, Some("s3cret")).await;
    assert_eq!(again.body, answer.body);
    world.clock.advance(Span::from_mins(90));
    let uids = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.starts_with("UID:")).map(str::to_owned).collect()
    };
    let later = ask(path, Some("s3cret")).await;
    assert_eq!(uids(&later.body), uids(&answer.body));
    assert_eq!(ask(&format!("{path}?token=wrong"), None).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(ask(path, Some("admin")).await.status, StatusCode::UNAUTHORIZED);
    insta::assert_snapshot!(ask(path, None).await.problem(), @"401 this feed wants its token in the URL as `?token=<token>`, or in the header `Authorization: Bearer <token>`");
    insta::assert_snapshot!(ask("/api/v1/schedules/office/calendar.ics?token=s3cret", None).await.problem(), @"404 no schedule `office` with a `feed` is configured");
    let problem = ask(&format!("{path}?tokn=s3cret"), Some("s3cret")).await.problem();
    assert_eq!(problem, "400 `query`: expected nothing but the parameter `token`, once, got `(not shown)`");
    assert!(world.take_recorded().is_empty());
}
