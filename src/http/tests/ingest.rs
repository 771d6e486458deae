//! Events in: the order of the checks, and what each refusal says.

use super::*;
use axum::body::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Frame;
use std::convert::Infallible;
use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::model::Span;

/// A body that nobody may read.
pub(super) struct Untouchable;

impl hyper::body::Body for Untouchable {
    type Data = Bytes;
    type Error = Infallible;
    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("the body was read")
    }
}

/// A body of unknown length in pieces of 64 KiB, for ever.
struct Endless;

impl hyper::body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;
    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![b' '; 64 * 1_024])))))
    }
}

pub(super) fn post(path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::builder().method("POST").uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).unwrap()
}

pub(super) fn untouchable(path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    post(path, headers, Body::new(Untouchable))
}

fn open_world() -> World {
    World::new([("zabbix", source(&ZABBIX, Auth::None)), ("prom-a", source(&PROMETHEUS, Auth::None))], tokens())
}

#[tokio::test]
async fn answers_with_the_count_once_it_is_durable() {
    let world = open_world();
    let answer = world.send(post("/in/zabbix", &[], "2 events")).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, r#"{"accepted":2}"#));
    let recorded = world.take_recorded();
    let [Recorded::Input(Input::Events { events }, source)] = &recorded[..] else { panic!("{recorded:?}") };
    assert_eq!((events.len(), source.as_deref()), (2, Some("zabbix")));
    let metrics = world.send(Request::get("/metrics").body(Body::empty()).unwrap()).await.body;
    assert!(metrics.contains(r#"watchbell_ingest_events_total{kind="zabbix",source="zabbix"} 2"#), "{metrics}");
    assert!(metrics.contains(r#"watchbell_ingest_requests_total{source="zabbix",status="200"} 1"#), "{metrics}");
}

#[tokio::test]
async fn an_empty_batch_is_fine_and_writes_nothing() {
    let world = open_world();
    assert_eq!(world.send(post("/in/zabbix", &[], "0 events")).await.body, r#"{"accepted":0}"#);
    assert_eq!(world.take_recorded(), []);
}

#[tokio::test]
async fn finds_the_source_by_kind_or_name() {
    let other = source(&ZABBIX, Auth::None);
    let world = World::new(
        [("zabbix-b", source(&ZABBIX, Auth::None)), ("zabbix-a", other), ("prom-a", source(&PROMETHEUS, Auth::None))],
        tokens(),
    );
    for path in ["/in/zabbix/zabbix-a", "/in/prometheus", "/in/prometheus/prom-a", "/in/zabbix/zabbix%2Db"] {
        assert_eq!(world.send(post(path, &[], "1 events")).await.status, StatusCode::OK, "{path}");
    }
    let mut refusals = Vec::new();
    for path in ["/in/zabbix", "/in/zabbix/prom-a", "/in/zabbix/none", "/in/nosuch", "/in/%ff", "/in"] {
        refusals.push(world.send(untouchable(path, &[])).await.problem());
    }
    insta::assert_snapshot!(refusals.join("\n"), @r#"
    404 several sources of kind `zabbix` are configured: post to `/in/zabbix/<name>`
    404 no source `prom-a` of kind `zabbix` is configured
    404 no source `none` of kind `zabbix` is configured
    404 there is no kind of source `nosuch`; `watchbell integrations` lists all
    404 the path is not UTF-8 once its `%` are decoded
    404 nothing is served at `/in`; `/api/v1/openapi.json` lists all paths
    "#);
}

#[tokio::test]
async fn prometheus_is_answered_as_alertmanager_would() {
    let world = open_world();
    for path in ["/api/v2/alerts", "/in/prometheus/api/v2/alerts", "/in/prometheus/prom-a/api/v2/alerts"] {
        let answer = world.send(post(path, &[("content-type", "application/json")], "1 events")).await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, ""), "{path}");
    }
    assert_eq!(world.take_recorded().len(), 3);
    let status = world.send(Request::get("/api/v2/status").body(Body::empty()).unwrap()).await.json();
    assert_eq!(status["cluster"]["status"], "disabled");
    assert!(status["versionInfo"]["version"].is_string() && status["config"]["original"].is_string());
}

#[tokio::test]
async fn authenticates_by_a_token_in_a_header_of_the_senders_own() {
    let auth = Auth::HeaderTokens { header: "x-gitlab-token".into(), tokens: vec![sha256("old"), sha256("new")] };
    let world = World::new([("zabbix", source(&ZABBIX, auth))], tokens());
    let mut refusals = Vec::new();
    for headers in [
        &[][..],
        &[("x-gitlab-token", "wrong")],
        &[("x-gitlab-token", "")],
        &[("x-gitlab-token", "Bearer new")],
        &[("authorization", "Bearer new")],
    ] {
        let answer = world.send(untouchable("/in/zabbix", headers)).await;
        assert_eq!(answer.header("www-authenticate"), "Token header=\"x-gitlab-token\"");
        refusals.push(answer.problem());
    }
    insta::assert_snapshot!(refusals.join("\n"), @r#"
    401 this source wants a token in the header `x-gitlab-token`
    401 the token is not one of those configured here
    401 this source wants a token in the header `x-gitlab-token`
    401 the token is not one of those configured here
    401 this source wants a token in the header `x-gitlab-token`
    "#);
    for token in ["old", "new"] {
        let answer = world.send(post("/in/zabbix", &[("x-gitlab-token", token)], "1 events")).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn authenticates_by_a_token_in_the_url() {
    let auth = Auth::ParameterTokens { parameter: "token".into(), tokens: vec![sha256("s3cret")] };
    let world = World::new([("zabbix", source(&ZABBIX, auth))], tokens());
    let mut refusals = Vec::new();
    for path in ["/in/zabbix", "/in/zabbix?token=odd", "/in/zabbix?key=s3cret"] {
        let answer = world.send(untouchable(path, &[("authorization", "Bearer s3cret")])).await;
        assert_eq!(answer.header("www-authenticate"), "Token parameter=\"token\"");
        refusals.push(answer.problem());
    }
    insta::assert_snapshot!(refusals.join("\n"), @r"
    401 this source wants a token in the URL, once: `?token=<token>`
    401 the token is not one of those configured here
    401 this source wants a token in the URL, once: `?token=<token>`
    ");
    let answer = world.send(post("/in/zabbix?token=s3cret", &[], "1 events")).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn authenticates_by_token_before_the_body_is_read() {
    let auth = Auth::Tokens(vec![sha256("old"), sha256("new")]);
    let world = World::new([("zabbix", source(&ZABBIX, auth))], tokens());
    let mut refusals = Vec::new();
    for headers in [
        &[][..],
        &[("authorization", "Bearer wrong")],
        &[("authorization", "Bearer ")],
        &[("authorization", "Basic bmV3Om5ldw==")],
        // The API's token opens no source.
        &[("authorization", "Bearer admin")],
    ] {
        let answer = world.send(untouchable("/in/zabbix", headers)).await;
        assert!(answer.header("www-authenticate").starts_with("Bearer"), "{answer:?}");
        refusals.push(answer.problem());
    }
    insta::assert_snapshot!(refusals.join("\n"), @r#"
    401 this source wants a token in the header `Authorization: Bearer <token>`
    401 the token is not one of those configured here
    401 this source wants a token in the header `Authorization: Bearer <token>`
    401 this source wants a token in the header `Authorization: Bearer <token>`
    401 the token is not one of those configured here
    "#);
    for token in ["Bearer old", "bearer new"] {
        let answer = world.send(post("/in/zabbix", &[("authorization", token)], "1 events")).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn authenticates_by_user_and_password_before_the_body_is_read() {
    let auth = Auth::Basic { user: "zbx".into(), password_sha256: sha256("pa:ss") };
    let world = World::new([("zabbix", source(&ZABBIX, auth))], tokens());
    let mut refusals = Vec::new();
    // No header, no Base64, `zbx:pa`, `zby:pa:ss`, `zbx`.
    for value in ["", "Basic %%", "Basic emJ4OnBh", "Basic emJ5OnBhOnNz", "Basic emJ4"] {
        let answer = world.send(untouchable("/in/zabbix", &[("authorization", value)])).await;
        assert!(answer.header("www-authenticate").starts_with("Basic"), "{answer:?}");
        refusals.push(answer.problem());
    }
    insta::assert_snapshot!(refusals.join("\n"), @r#"
    401 this source wants a user and a password (HTTP basic authentication)
    401 the basic credentials are not Base64
    401 the user or the password is wrong
    401 the user or the password is wrong
    401 the user or the password is wrong
    "#);
    let answer = world.send(post("/in/zabbix", &[("authorization", "Basic emJ4OnBhOnNz")], "1 events")).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn a_web_page_cannot_post_to_a_source_without_authentication() {
    let world = open_world();
    for header in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site"), ("origin", "null")] {
        assert_eq!(world.send(untouchable("/in/zabbix", &[header])).await.status, StatusCode::FORBIDDEN);
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn unpacks_compressed_bodies_within_the_limit() {
    let world = open_world();
    let send = |encoding: &'static str, body: Vec<u8>| {
        let request = post("/in/zabbix", &[("content-encoding", encoding)], body);
        world.send(request)
    };
    assert_eq!(send("gzip", gzip(b"2 events")).await.body, r#"{"accepted":2}"#);
    assert_eq!(send("identity", b"2 events".to_vec()).await.status, StatusCode::OK);
    // 64 MiB of blanks in 64 KiB.
    let bomb = send("gzip", gzip(&vec![b' '; 64 << 20])).await;
    insta::assert_snapshot!(bomb.problem(), @"413 the body is refused: its decompressed size is more than 262144 bytes, the limit here");
    world.take_recorded();
    let damaged = send("gzip", b"2 events".to_vec()).await;
    insta::assert_snapshot!(damaged.problem(), @"400 `body`: expected a whole gzip stream, got unexpected end of file");
    assert!(matches!(&world.take_recorded()[..], [Recorded::Quarantine(row)] if row.body == b"2 events"));
    let unknown = send("br", b"2 events".to_vec()).await;
    assert_eq!(unknown.header("accept-encoding"), "gzip, deflate");
    insta::assert_snapshot!(unknown.problem(), @"415 `Content-Encoding`: expected `gzip`, `deflate` or none, got `br`");
}

#[tokio::test]
async fn a_parser_that_panics_on_its_own_thread_costs_one_request() {
    let world = open_world();
    let answer = world.send(post("/in/zabbix", &[("content-encoding", "gzip")], gzip(b"panic"))).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(world.send(post("/in/zabbix", &[], "1 events")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_as_early_as_it_shows() {
    let world = open_world();
    let asking = [("content-length", "262145"), ("expect", "100-continue")];
    let announced = world.send(untouchable("/in/zabbix", &asking)).await;
    insta::assert_snapshot!(announced.problem(), @"413 the body is refused: its size is more than 262144 bytes, the limit here");
    // Who sends without asking is heard out for a while, or it would see no answer.
    for headers in [&[][..], &[("content-length", "262145")]] {
        let endless = world.send(post("/in/zabbix", headers, Body::new(Endless))).await;
        assert_eq!(endless.status, StatusCode::PAYLOAD_TOO_LARGE);
    }
    assert_eq!(world.take_recorded(), []);
    // Exactly the limit, on the thread for long bodies.
    let full = format!("{}3 events", " ".repeat(256 * 1_024 - 8));
    assert_eq!(world.send(post("/in/zabbix", &[], full)).await.body, r#"{"accepted":3}"#);
}

#[tokio::test]
async fn an_unreadable_body_is_kept_and_explained() {
    let world = open_world();
    let answer = world.send(post("/in/zabbix", &[], "on fire")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    insta::assert_snapshot!(answer.body, @r#"{"type":"urn:watchbell:problem:invalid-body","title":"the body does not fit","status":400,"detail":"`alerts[0].status`: expected `firing` or `resolved`, got on fire","field":"alerts[0].status","got":"on fire","expected":"`firing` or `resolved`"}"#);
    let recorded = world.take_recorded();
    let [Recorded::Quarantine(row)] = &recorded[..] else { panic!("{recorded:?}") };
    assert_eq!((row.source.as_str(), row.body.as_slice(), row.at.as_millis()), ("zabbix", &b"on fire"[..], NOW_MS));
    insta::assert_snapshot!(row.reason, @"`alerts[0].status`: expected `firing` or `resolved`, got on fire");
}

#[tokio::test]
async fn a_store_in_trouble_does_not_change_the_blame() {
    let world = open_world();
    for error in [SubmitError::Overloaded, SubmitError::Unavailable("no space left".into())] {
        world.answer_next(Err(error));
        assert_eq!(world.send(post("/in/zabbix", &[], "on fire")).await.status, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn says_later_in_the_way_the_sender_understands() {
    let world = open_world();
    let mut refusals = Vec::new();
    for (path, error) in [
        ("/in/zabbix", SubmitError::Overloaded),
        ("/api/v2/alerts", SubmitError::Overloaded),
        ("/in/zabbix", SubmitError::Unavailable("no space left on /dev/sda1".into())),
    ] {
        world.answer_next(Err(error));
        let answer = world.send(post(path, &[], "1 events")).await;
        assert_eq!(answer.header("retry-after"), "1");
        refusals.push(if path == "/in/zabbix" { answer.problem() } else { answer.refusal() });
    }
    insta::assert_snapshot!(refusals.join("\n"), @r#"
    429 too much is waiting to be written; nothing of this request was taken
    503 too much is waiting to be written; nothing of this request was taken
    503 the store takes no writes at present; nothing of this request was taken
    "#);
}

#[tokio::test]
async fn a_source_over_its_quota_waits() {
    let limited = |kind| SourceInstance { events_per_second: Some(10), ..source(kind, Auth::None) };
    let world = World::new([("zabbix", limited(&ZABBIX)), ("prometheus", limited(&PROMETHEUS))], tokens());
    for (path, status) in [("/in/zabbix", 429), ("/api/v2/alerts", 503)] {
        assert_eq!(world.send(post(path, &[], "30 events")).await.status, StatusCode::OK);
        let answer = world.send(untouchable(path, &[])).await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (status, "3"), "{answer:?}");
        let refusal = if path == "/in/zabbix" { answer.problem() } else { answer.refusal() };
        assert!(refusal.contains("over its quota of 10 events per second"));
    }
    world.clock.advance(Span::from_millis(2_001));
    assert_eq!(world.send(post("/in/zabbix", &[], "on fire")).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_reload_swaps_sources_and_tokens() {
    let world = open_world();
    let renamed = source(&ZABBIX, Auth::Tokens(vec![sha256("t")]));
    let token = ApiToken { name: "next".into(), role: Role::Viewer, token_sha256: sha256("next") };
    world.app.replace(BTreeMap::from([("zabbix-2".to_owned(), renamed)]), vec![token]);
    assert_eq!(world.send(untouchable("/in/zabbix/zabbix", &[])).await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.send(untouchable("/in/zabbix", &[])).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(world.get("/api/v1/incidents").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(world.ask("next", "GET", "/api/v1/incidents", "").await.status, StatusCode::OK);
}
