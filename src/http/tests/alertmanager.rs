//! The listener in an Alertmanager's place: what clients, probes and browsers meet apart from the lists themselves.
//! Texts are those of Alertmanager 0.34, measured.

use super::*;
use crate::engine::input::Command;
use crate::http::alertmanager::Member;
use crate::model::silence::SilenceDraft;
use crate::sources::{self, prometheus};

fn world(facade: Facade) -> World {
    let table = [("relative_urls".to_owned(), true.into()), ("classic_names".to_owned(), facade.classic_names.into())];
    let source = SourceInstance {
        source: (sources::find("prometheus").unwrap().build)(&table.into_iter().collect()).unwrap(),
        ..source(&prometheus::SPEC, Auth::None)
    };
    World::with_facade([("prometheus", source)], Vec::new(), Facade { is_open: true, ..facade })
}

fn in_place() -> World {
    world(Facade { receivers: vec!["default".into(), "team-a".into()], ..Facade::default() })
}

async fn ask(world: &World, method: &str, path: &str) -> Answered {
    send(world, method, path, &[], "").await
}

async fn send(world: &World, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answered {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    world.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

async fn post(world: &World, path: &str, body: &str) -> Answered {
    send(world, "POST", path, &[("content-type", "application/json")], body).await
}

/// Status, `Allow` and body.
async fn check(world: &World, method: &str, path: &str, expected: (u16, &str, &str)) {
    let answer = ask(world, method, path).await;
    let got = (answer.status.as_u16(), answer.header("allow"), answer.body.as_str());
    assert_eq!(got, expected, "{method} {path}");
}

#[tokio::test]
async fn a_probe_finds_a_page_and_nothing_else_is_text() {
    let world = in_place();
    let page = ask(&world, "GET", "/").await;
    assert_eq!((page.status, page.header("content-type")), (StatusCode::OK, "text/html; charset=utf-8"));
    assert!(page.body.contains("Watchbell") && page.body.contains("href=\"api/v2/status\""), "{}", page.body);
    check(&world, "GET", "/nope", (404, "", "404 page not found\n")).await;
    check(&world, "GET", "/-/quit", (404, "", "404 page not found\n")).await;
    check(&world, "HEAD", "/", (405, "GET, OPTIONS", "")).await;
    check(&world, "POST", "/-/healthy", (405, "GET, HEAD, OPTIONS", "Method Not Allowed\n")).await;
    check(&world, "GET", "/-/reload", (405, "OPTIONS, POST", "Method Not Allowed\n")).await;
    check(&world, "OPTIONS", "/", (200, "GET, OPTIONS", "")).await;
    check(&world, "GET", "/-/healthy", (200, "", "OK")).await;
    let ours = World::new([], tokens());
    assert_eq!(ask(&ours, "GET", "/").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_api_names_the_methods_it_knows_and_takes_a_slash_at_the_end() {
    let world = in_place();
    assert_eq!(ask(&world, "GET", "/api/v2/alerts/").await.body, "[]\n");
    assert_eq!(ask(&world, "GET", "/api/v2").await.header("location"), "/api/v2/");
    let text = r#"{"code":405,"message":"method DELETE is not allowed, but [GET,POST] are"}"#;
    check(&world, "DELETE", "/api/v2/alerts", (405, "GET,POST", text)).await;
    check(&world, "HEAD", "/api/v2/status", (405, "GET", "")).await;
    let text = r#"{"code":404,"message":"path /api/v2/nope was not found"}"#;
    check(&world, "GET", "/api/v2/nope", (404, "", text)).await;
    let id = "/api/v2/silence/00000000-0000-4000-8000-000000000000";
    let text = r#"{"code":405,"message":"method POST is not allowed, but [DELETE,GET] are"}"#;
    check(&world, "POST", id, (405, "DELETE,GET", text)).await;
}

#[tokio::test]
async fn the_old_api_is_gone_where_the_path_is_not_ours() {
    let world = in_place();
    for (method, path) in [
        ("GET", "/api/v1/status"),
        ("GET", "/api/v1/receivers"),
        ("POST", "/api/v1/alerts"),
        ("DELETE", "/api/v1/silence/x"),
    ] {
        let answer = ask(&world, method, path).await;
        assert_eq!((answer.status, answer.json()["status"].as_str()), (StatusCode::GONE, Some("deprecated")), "{path}");
    }
    // Ours, which asks for a token.
    for path in ["/api/v1/alerts", "/api/v1/silences"] {
        assert_eq!(ask(&world, "GET", path).await.header("content-type"), "application/problem+json");
    }
    assert_eq!(ask(&world, "GET", "/api/v1/nope").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn below_a_prefix_the_root_leads_there() {
    let world = world(Facade { route_prefix: "/foo".into(), ..Facade::default() });
    for (path, status, location) in [("/", 302, "/foo"), ("/foo", 301, "/foo/"), ("/foo/api/v2", 301, "/foo/api/v2/")] {
        let answer = ask(&world, "GET", path).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (status, location), "{path}");
    }
    assert!(ask(&world, "GET", "/foo/").await.body.contains("<h1>Watchbell</h1>"));
    check(&world, "GET", "/foo/-/ready", (503, "", &ask(&world, "GET", "/foo/-/ready").await.body)).await;
    check(&world, "GET", "/foo/api/v2/alerts", (200, "", "[]\n")).await;
    check(&world, "GET", "/api/v2/alerts", (404, "", "404 page not found\n")).await;
    check(&world, "GET", "/foobar", (404, "", "404 page not found\n")).await;
}

#[tokio::test]
async fn pages_of_other_hosts_may_ask_as_they_may_there() {
    let world = in_place();
    let origin = ("origin", "http://x.example");
    let answer = send(&world, "GET", "/api/v2/alerts", &[origin], "").await;
    let seen = (answer.header("access-control-allow-origin"), answer.header("vary"), answer.header("cache-control"));
    assert_eq!(seen, ("*", "Origin", "no-store"));
    let wants = |method: &'static str| ("access-control-request-method", method);
    let names = ("access-control-request-headers", "content-type");
    let answer = send(&world, "OPTIONS", "/api/v2/alerts", &[origin, wants("POST"), names], "").await;
    let allow = |name: &str| answer.header(&format!("access-control-allow-{name}")).to_owned();
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (204, ""));
    assert_eq!([allow("origin"), allow("methods"), allow("headers")], ["*", "POST", "content-type"]);
    for headers in [[origin, wants("DELETE")], [origin, wants("POST")]] {
        let refused = [&headers[..], &[("access-control-request-headers", "authorization")]].concat();
        let answer = send(&world, "OPTIONS", "/api/v2/alerts", &refused, "").await;
        assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (204, ""));
    }
    let ours = World::new([], tokens());
    let answer = send(&ours, "GET", "/api/v2/status", &[origin], "").await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn a_body_says_that_it_is_json() {
    let world = in_place();
    for (media, named) in [(None, "application/octet-stream"), (Some("text/plain"), "text/plain")] {
        let headers: Vec<_> = media.map(|media| ("content-type", media)).into_iter().collect();
        let answer = send(&world, "POST", "/api/v2/alerts", &headers, "[]").await;
        let message = format!("unsupported media type \"{named}\", only [application/json] are allowed");
        assert_eq!((answer.status.as_u16(), answer.json()), (415, json!({"code": 415, "message": message})));
    }
    let json = [("content-type", "application/json; charset=utf-8")];
    assert_eq!(send(&world, "POST", "/api/v2/alerts", &json, "[]").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_reload_answers_in_its_words() {
    let mut world = in_place();
    let router = world.router.clone();
    for (result, status, body) in [
        (Ok("a new configuration is in force".to_owned()), 200, ""),
        (Err("no `route`".to_owned()), 500, "failed to reload config: no `route`\n"),
    ] {
        let router = router.clone();
        let asked = tokio::spawn(async move {
            Answered::read(router.oneshot(Request::post("/-/reload").body(Body::empty()).unwrap()).await.unwrap()).await
        });
        world.reloads.recv().await.unwrap().done.send(result).unwrap();
        let answer = asked.await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (status, body));
    }
}

#[tokio::test]
async fn it_is_a_cluster_of_one_or_of_none() {
    let status = ask(&in_place(), "GET", "/api/v2/status").await.json();
    assert_eq!(status["cluster"], json!({"peers": [], "status": "disabled"}));
    let member = Member { name: "01ARYZ6S41".into(), address: "10.0.0.1:9094".into() };
    let status =
        ask(&world(Facade { member: Some(member), ..Facade::default() }), "GET", "/api/v2/status").await.json();
    let peers = json!([{"address": "10.0.0.1:9094", "name": "01ARYZ6S41"}]);
    assert_eq!(status["cluster"], json!({"name": "01ARYZ6S41", "peers": peers, "status": "ready"}));
}

#[tokio::test]
async fn parameters_are_read_as_there() {
    let world = in_place();
    let names = async |query: &str| {
        let answer = ask(&world, "GET", &format!("/api/v2/receivers?receiver_matchers={query}")).await;
        answer
            .json()
            .as_array()
            .map(|all| all.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(names("name%3Dteam-a").await.unwrap(), ["team-a"]);
    assert_eq!(names("name%3D~%22team.*|default%22").await.unwrap(), ["default", "team-a"]);
    assert_eq!(
        ask(&world, "GET", "/api/v2/receivers").await.json()[0],
        json!({"labels": {"name": "default"}, "name": "default"})
    );
    for (query, expected) in [
        ("alerts?receiver=&active=&silenced=", "200 []"),
        ("alerts?filter=a%3DA,B", "200 []"),
        ("alerts?filter=%7Ba%3D%22A%22%7D", "400 unexpected open or close brace: {a=\"A\"}"),
        ("alerts?filter=a%3D~%22(%22", "400 error parsing regexp: missing closing ): `^(?:()$`"),
        ("alerts?filter=nonsense", "400 bad matcher format: nonsense"),
        ("alerts?receiver=(", "400 failed to parse receiver param: error parsing regexp: missing closing ): `^(?:()$`"),
        ("alerts/groups?receiver_matchers=x", "400 failed to parse receiver_matchers param: bad matcher format: x"),
        ("receivers?receiver_matchers=x", "400 failed to parse receiver_matchers param: bad matcher format: x"),
    ] {
        let answer = ask(&world, "GET", &format!("/api/v2/{query}")).await;
        let said = answer.json().as_str().map_or_else(|| answer.body.trim().to_owned(), str::to_owned);
        assert_eq!(format!("{} {said}", answer.status.as_u16()), expected, "{query}");
    }
}

/// What comes of a posted body: status and sentence, and the names and urls of the alerts that are taken.
async fn posted(world: &World, body: &str) -> (String, Vec<(String, Option<String>)>) {
    let answer = post(world, "/api/v2/alerts", body).await;
    let said = match answer.body.as_str() {
        "" => String::new(),
        text => {
            let json: Value = serde_json::from_str(text).unwrap();
            let coded = || format!("{} {}", json["code"], json["message"].as_str().unwrap());
            json.as_str().map_or_else(coded, str::to_owned)
        }
    };
    let mut taken = Vec::new();
    for recorded in world.take_recorded() {
        if let Recorded::Input(Input::Events { events }, _) = recorded {
            taken.extend(events.into_iter().map(|event| (event.name, event.url)));
        }
    }
    (format!("{} {said}", answer.status.as_u16()).trim().to_owned(), taken)
}

#[tokio::test]
async fn bodies_of_alerts_are_taken_and_refused_as_there() {
    let world = in_place();
    let one = |name: &str, url: Option<&str>| vec![(name.to_owned(), url.map(str::to_owned))];
    for (body, expected, taken) in [
        ("null", "200", vec![]),
        (r#"[{"labels":{"alertname":"x"},"startsAt":""}]"#, "200", one("x", None)),
        (r#"[{"labels":{"alertname":"x"},"startsAt":"2026-01-01T00:00:00"}]"#, "200", one("x", None)),
        (r#"[{"labels":{"alertname":"a","alertname":"b"}}]"#, "200", one("b", None)),
        (r#"[{"labels":{"alertname":"x"}}] trailing"#, "200", one("x", None)),
        (r#"[{"labels":{"alertname":"x","e":null}}]"#, "200", one("x", None)),
        (
            r#"[{"labels":{"alertname":"x"},"generatorURL":"/graph?g0.expr=up"}]"#,
            "200",
            one("x", Some("/graph?g0.expr=up")),
        ),
        (r#"[{"labels":{"alertname":"x"},"generatorURL":"foo"}]"#, "200", one("x", None)),
        ("", "422 602 alerts in body is required", vec![]),
        (r#"[{"labels":null}]"#, "422 602 0.labels in body is required", vec![]),
        (r#"[{"labels":{"alertname":"x","":"v"}}]"#, r#"400 invalid label set: invalid name """#, vec![]),
        (
            r#"[{"labels":{"alertname":"x"},"annotations":{"":"v"}}]"#,
            r#"400 invalid annotations: invalid name """#,
            vec![],
        ),
        (
            r#"[{"labels":{"alertname":"x"}},{"labels":{}},{"labels":{"":"x"}}]"#,
            "400 at least one label pair required\ninvalid label set: invalid name \"\"",
            one("x", None),
        ),
    ] {
        assert_eq!(posted(&world, body).await, (expected.to_owned(), taken), "{body}");
    }
}

#[tokio::test]
async fn classic_mode_knows_classic_names_only() {
    let world = world(Facade { classic_names: true, ..Facade::default() });
    let body = r#"[{"labels":{"alertname":"x","bad-label":"v"}},{"labels":{"alertname":"y"}}]"#;
    let (said, taken) = posted(&world, body).await;
    assert_eq!((said.as_str(), taken.len()), (r#"400 invalid label set: invalid name "bad-label""#, 1));
    let answer = silence(&world, r#"[{"name":"a-b","value":"x","isRegex":false}]"#, "").await;
    assert_eq!(answer.refusal(), r#"400 invalid silence: invalid label matcher 0 in set 0: invalid label name "a-b""#);
}

async fn silence(world: &World, matchers: &str, more: &str) -> Answered {
    let times = r#""startsAt":"2026-11-21T05:00:00Z","endsAt":"2026-11-21T06:00:00Z""#;
    post(world, "/api/v2/silences", &format!(r#"{{"matchers":{matchers},{times},"createdBy":"","comment":"c"{more}}}"#))
        .await
}

#[tokio::test]
async fn silences_are_refused_in_its_words() {
    let world = in_place();
    let answer = post(&world, "/api/v2/silences", "").await;
    assert_eq!(answer.json(), json!({"code": 602, "message": "silence in body is required"}));
    let all_empty = "matcher set 0: at least one matcher must not match the empty string";
    let pattern = "invalid label matcher 0 in set 0: invalid regular expression \"(\": error parsing regexp: missing closing ): `(`";
    for (name, value, is_regex, why) in [
        ("", "x", false, "invalid label matcher 0 in set 0: invalid label name \"\""),
        ("foo", "", false, all_empty),
        ("foo", ".*", true, all_empty),
        ("foo", "(", true, pattern),
    ] {
        let matchers = json!([{"name": name, "value": value, "isRegex": is_regex}]).to_string();
        assert_eq!(silence(&world, &matchers, "").await.refusal(), format!("400 invalid silence: {why}"));
    }
    world.take_recorded();
    let answer = silence(&world, r#"[{"name":"a","value":"b","isRegex":false}]"#, r#","annotations":{"k":"v"}"#).await;
    assert_eq!(answer.json(), json!({"silenceID": "the-id"}));
    let [Recorded::Input(Input::Command { command: Command::Silence(draft), .. }, _)] = &world.take_recorded()[..]
    else {
        panic!("no silence was asked for");
    };
    let SilenceDraft { annotations, created_by, .. } = &**draft;
    assert_eq!((annotations.get("k").map(String::as_str), created_by.as_deref()), (Some("v"), Some("")));
}

#[tokio::test]
async fn limits_of_silences_are_kept() {
    let world = world(Facade { silence_bytes_max: Some(40), ..Facade::default() });
    let long = format!(r#"[{{"name":"a","value":"{}","isRegex":false}}]"#, "b".repeat(60));
    let refusal = silence(&world, &long, "").await.refusal();
    assert!(
        refusal.starts_with("400 silence exceeded maximum size: ") && refusal.ends_with("bytes (limit: 40 bytes)"),
        "{refusal}"
    );
}

#[tokio::test]
async fn metrics_count_what_prometheus_sent_and_how_long_answers_took() {
    let world = in_place();
    world.app.metrics.ingest_events.with_label_values(&["watchbell/self-check", "self-check"]).inc();
    posted(&world, r#"[{"labels":{"alertname":"x"}},{"labels":{}}]"#).await;
    posted(&world, r#"[{"labels":{}}]"#).await;
    posted(&world, "{").await;
    let page = ask(&world, "GET", "/metrics").await.body;
    for line in [
        "alertmanager_alerts_received_total{status=\"firing\",version=\"v2\"} 3",
        "alertmanager_alerts_invalid_total{version=\"v2\"} 2",
        "alertmanager_integrations 0",
        "alertmanager_cluster_enabled 0",
        "alertmanager_http_requests_in_flight{method=\"get\"} 1",
        "alertmanager_http_request_duration_seconds_count{code=\"400\",handler=\"/api/v2/alerts\",method=\"post\"} 3",
    ] {
        assert!(page.lines().any(|shown| shown == line), "{line} is not in {page}");
    }
    assert!(!page.contains("integration=\"log\""));
}
