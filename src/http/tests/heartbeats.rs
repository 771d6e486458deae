//! Beats over HTTP: who may beat and how, what is refused, what the list shows.

use super::ingest::{post, untouchable};
use super::*;
use crate::engine::policy::{HeartbeatRule, Policy};
use crate::engine::step;
use crate::model::{Labels, Severity, Span};

/// One with a token, one for everybody on this machine, one that takes alerts only.
fn world() -> World {
    let world = World::new([], tokens());
    world.app.expect(BTreeMap::from([
        ("nightly".to_owned(), Some(Auth::Tokens(vec![sha256("s3cret")]))),
        ("open".to_owned(), Some(Auth::None)),
        ("watchdog".to_owned(), None),
    ]));
    world
}

fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

const BEARER: (&str, &str) = ("authorization", "Bearer s3cret");

#[tokio::test]
async fn every_method_and_either_place_of_the_token_is_a_beat() {
    let world = world();
    for method in ["POST", "GET", "HEAD"] {
        for (path, headers) in [
            ("/in/heartbeat/nightly", &[BEARER][..]),
            ("/in/heartbeat/nightly?token=s3cret", &[]),
            ("/in/heartbeat/open", &[]),
        ] {
            let answer = world.send(request(method, path, headers)).await;
            assert_eq!(answer.status, StatusCode::OK, "{method} {path}: {answer:?}");
            assert_eq!(answer.body, if method == "HEAD" { "" } else { r#"{"accepted":1}"# });
            assert_eq!(answer.headers["cache-control"], "no-store");
            let recorded = world.take_recorded();
            let [Recorded::Input(Input::Beat { is_failure: false, note: None, .. }, Some(source))] = &recorded[..]
            else {
                panic!("{recorded:?}")
            };
            assert_eq!(source, "heartbeat");
        }
    }
}

#[tokio::test]
async fn a_failure_brings_the_end_of_its_body_on_one_line() {
    let world = world();
    let note = async |body: String, headers: &[(&str, &str)]| {
        let answer = world.send(post("/in/heartbeat/open/fail", headers, body)).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        match world.take_recorded().pop() {
            Some(Recorded::Input(Input::Beat { is_failure: true, note, heartbeat }, _)) if heartbeat == "open" => note,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(note("rsync:\n\tdisk\u{1b}full\n".into(), &[]).await.as_deref(), Some("rsync: disk full"));
    assert_eq!(note(" \n".into(), &[]).await, None);
    assert_eq!(note("\u{1f}\u{8b}".into(), &[("content-encoding", "gzip")]).await, None);
    let long = note(format!("{}the end", "x".repeat(9_000)), &[]).await.unwrap();
    assert!(long.starts_with('…') && long.ends_with("the end") && long.chars().count() == 501, "{long}");
    let answer = world.send(request("GET", "/in/heartbeat/open/fail", &[])).await;
    assert_eq!((answer.status, world.take_recorded().len()), (StatusCode::OK, 1));
}

#[tokio::test]
async fn who_is_refused_learns_why_and_no_byte_of_a_body_is_read() {
    let world = world();
    let refused = async |path: &str, headers: &[(&str, &str)]| world.send(untouchable(path, headers)).await.problem();
    insta::assert_snapshot!(refused("/in/heartbeat/nightly", &[]).await, @"401 this heartbeat wants its token, in the header `Authorization: Bearer <token>` or in the URL as `?token=<token>`");
    insta::assert_snapshot!(refused("/in/heartbeat/nightly?token=wrong", &[]).await, @"401 the token is not one of those configured here");
    insta::assert_snapshot!(refused("/in/heartbeat/nightly?token=", &[]).await, @"401 this heartbeat wants its token, in the header `Authorization: Bearer <token>` or in the URL as `?token=<token>`");
    // A header counts more than the URL.
    insta::assert_snapshot!(refused("/in/heartbeat/nightly?token=s3cret", &[("authorization", "Bearer wrong")]).await, @"401 the token is not one of those configured here");
    insta::assert_snapshot!(refused("/in/heartbeat/nightli?token=s3cret", &[]).await, @"404 no heartbeat `nightli` is configured; `heartbeats` in the configuration names those that are");
    insta::assert_snapshot!(refused("/in/heartbeat/watchdog", &[BEARER]).await, @"404 the heartbeat `watchdog` takes no requests: alerts are its beats; with a `token_file` it takes both");
    insta::assert_snapshot!(refused("/in/heartbeat/open", &[("origin", "https://evil.example")]).await, @"403 the request comes from a web page, and no token protects this address; configure one to allow it");
    insta::assert_snapshot!(refused("/in/heartbeat", &[]).await, @"404 a heartbeat has its name in the path: `/in/heartbeat/<name>`");
    // What is wrong with a query may be the token: it is not repeated.
    for query in ["tokn=s3cret", "s3cret", "token=s3cret&token=s3cret", "token=s3cret&x=s3cret"] {
        let problem = refused(&format!("/in/heartbeat/nightly?{query}"), &[BEARER]).await;
        assert_eq!(problem, "400 `query`: expected nothing but the parameter `token`, once, got `(not shown)`");
        let problem = refused(&format!("/in/heartbeat/nightly?{query}"), &[]).await;
        assert!(problem.starts_with("401 ") && !problem.contains("s3cret"), "{problem}");
    }
    assert!(world.take_recorded().is_empty());
}

#[tokio::test]
async fn nothing_is_acknowledged_that_is_not_durable() {
    let world = world();
    world.answer_next(Err(SubmitError::Unavailable("the disk is full".into())));
    assert_eq!(world.send(request("GET", "/in/heartbeat/open", &[])).await.status, StatusCode::SERVICE_UNAVAILABLE);
    world.answer_next(Err(SubmitError::Overloaded));
    let later = world.send(request("GET", "/in/heartbeat/open", &[])).await;
    assert_eq!(later.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(later.headers.contains_key("retry-after"));
    world.reply_next(Reply::NotFound("open".into()));
    assert_eq!(world.send(request("GET", "/in/heartbeat/open", &[])).await.status, StatusCode::NOT_FOUND);
    // A reload took it away.
    world.app.expect(BTreeMap::new());
    assert_eq!(world.send(request("GET", "/in/heartbeat/open", &[])).await.status, StatusCode::NOT_FOUND);
}

fn rule() -> HeartbeatRule {
    HeartbeatRule {
        every: Span::from_mins(1),
        grace: Span::from_mins(5),
        matchers: Vec::new(),
        notify: false,
        severity: Severity::Major,
        service: None,
        configuration_item: None,
        labels: Labels::new(),
    }
}

#[tokio::test]
async fn the_list_comes_by_name_in_pages_and_by_state() {
    let world = world();
    let now = world.clock.now();
    let heartbeats = ["c", "a", "b"].map(|name| (name.to_owned(), rule()));
    let policy = Policy { heartbeats: heartbeats.into(), ..Policy::default() };
    step(&mut world.state.lock(), now, Input::Configured { policy: Box::new(policy) });
    let beat = Input::Beat { heartbeat: "b".into(), is_failure: false, note: None };
    step(&mut world.state.lock(), now, beat);
    let first = world.get("/api/v1/heartbeats?limit=2").await.json();
    let names = |page: &Value| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&first), ["a", "b"]);
    insta::assert_snapshot!(first["items"][1], @r#"{"due_at":"2026-11-21T05:01:00.000Z","every":"1m","expected_since":"2026-11-21T05:00:00.000Z","grace":"5m","last_beat":{"at":"2026-11-21T05:00:00.000Z","by":"request"},"missing_at":"2026-11-21T05:06:00.000Z","name":"b","state":"alive"}"#);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = world.get(&format!("/api/v1/heartbeats?limit=2&cursor={cursor}")).await.json();
    assert_eq!((names(&second), &second["next_cursor"]), (vec!["c".to_owned()], &Value::Null));
    assert_eq!(names(&world.get("/api/v1/heartbeats?state=waiting").await.json()), ["a", "c"]);
    world.clock.advance(Span::from_mins(2));
    assert_eq!(names(&world.get("/api/v1/heartbeats?state=late").await.json()), ["a", "b", "c"]);
    for (query, name) in [("state=dead", "state"), ("cursor=YWJj", "cursor"), ("limit=0", "limit"), ("x=1", "x")] {
        let problem = world.get(&format!("/api/v1/heartbeats?{query}")).await.problem();
        assert!(problem.starts_with(&format!("400 `{name}`")), "{problem}");
    }
}
