//! Who may do what: the whole table with every role, and the API without any token.

use super::*;
use crate::http::{Access, ROUTES, Route, document};

/// The path with something in each of its parameters.
fn filled(path: &str) -> String {
    path.replace("{fingerprint}", "00000000000000ff")
        .replace("{id}", "inc-aaaaaaaaaa")
        .replace("{kind}", "zabbix")
        .replace("{name}", "z")
        .replace("{origin}", "cmdb")
        .replace("{item}", "web1")
}

#[tokio::test]
async fn every_route_lets_in_its_role_and_higher_ones_only() {
    let world = World::new([], tokens());
    let mut world = world;
    let mut reloads = std::mem::replace(&mut world.reloads, mpsc::channel(1).1);
    tokio::spawn(async move {
        while let Some(request) = reloads.recv().await {
            let _ = request.done.send(Ok("reloaded".into()));
        }
    });
    let roles = [None, Some(Role::Viewer), Some(Role::Responder), Some(Role::Admin)];
    for route in ROUTES {
        for (token, role) in ["wrong", "viewer", "responder", "admin"].into_iter().zip(roles) {
            let answer = world.ask(token, route.method, &filled(route.path), "").await;
            let what = format!("{} {} as {token}: {answer:?}", route.method, route.path);
            let status = answer.status.as_u16();
            match (route.access, role) {
                (Access::Role(_) | Access::Alertmanager(_), None) => assert_eq!(status, 401, "{what}"),
                (Access::Role(needed) | Access::Alertmanager(needed), Some(role)) if role < needed => {
                    assert_eq!(status, 403, "{what}")
                }
                (Access::Source, _) => assert_eq!(status, 404, "no source is configured: {what}"),
                // Readiness and what is not there are not a matter of who asks.
                (Access::Open | Access::Role(_) | Access::Alertmanager(_), _) => {
                    assert!(![401, 403, 405, 500].contains(&status), "{what}")
                }
            }
        }
    }
}

#[tokio::test]
async fn refused_changes_are_audited_and_refused_reads_are_not() {
    let world = World::new([], tokens());
    let answer = world.ask("viewer", "POST", "/api/v1/incidents/inc-a%2Fb/acknowledge", "").await;
    insta::assert_snapshot!(answer.problem(), @"403 this takes the role responder, and the token `viewer-token` has the role viewer");
    assert_eq!(world.ask("responder", "GET", "/api/v1/audit", "").await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.ask("wrong", "GET", "/api/v1/audit", "").await.status, StatusCode::UNAUTHORIZED);
    let recorded = world.take_recorded();
    let [Recorded::Audit(entry)] = &recorded[..] else { panic!("{recorded:?}") };
    insta::assert_snapshot!(serde_json::to_string(entry).unwrap(), @r#"{"at":"2026-11-21T05:00:00.000Z","principal":"viewer-token","action":"incident.acknowledge","subject":"inc-a/b","outcome":"refused: this takes the role responder, and the token `viewer-token` has the role viewer"}"#);
}

#[tokio::test]
async fn strangers_who_try_to_change_something_are_audited_but_cannot_fill_the_log() {
    let world = World::new([], tokens());
    let is_guarded = |route: &&Route| matches!(route.access, Access::Role(_) | Access::Alertmanager(_));
    for route in ROUTES.iter().filter(|route| is_guarded(route) && route.method != "GET") {
        assert_eq!(world.ask("wrong", route.method, &filled(route.path), "").await.status, StatusCode::UNAUTHORIZED);
        let recorded = world.take_recorded();
        let [Recorded::Audit(entry)] = &recorded[..] else { panic!("{recorded:?}") };
        assert_eq!((entry.principal.as_str(), entry.action.as_str()), ("(unknown)", route.action));
        assert!(entry.outcome.starts_with("refused: the token is not one of those"), "{entry:?}");
        world.clock.advance(crate::model::Span::from_mins(1));
    }
    for _ in 0..100 {
        assert_eq!(world.ask("wrong", "POST", "/-/reload", "").await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(world.take_recorded().len(), 10);
    world.clock.advance(crate::model::Span::from_mins(1));
    assert_eq!(world.ask("wrong", "POST", "/-/reload", "").await.status, StatusCode::UNAUTHORIZED);
    insta::assert_snapshot!(format!("{:?}", world.take_recorded()), @r#"[Audit(AuditEntry { at: Timestamp(1795239180000), principal: "(unknown)", action: "configuration.reload", subject: "/-/reload", outcome: "refused: the token is not one of those configured here; 90 more attempts before this one are not written down" })]"#);
}

#[tokio::test]
async fn without_tokens_the_machine_itself_may_do_all_but_its_browser_nothing() {
    let world = World::new([], Vec::new());
    let ask = |method: &str, headers: &[(&str, &str)]| {
        let mut request = Request::builder().method(method).uri("/api/v1/incidents/inc-a/acknowledge");
        if method == "GET" {
            request = Request::builder().method(method).uri("/api/v1/audit");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        world.send(request.body(Body::empty()).unwrap())
    };
    assert_eq!(ask("POST", &[("host", "localhost:9494")]).await.status, StatusCode::OK);
    assert_eq!(ask("GET", &[("host", "127.0.0.1:9494"), ("sec-fetch-site", "none")]).await.status, StatusCode::OK);
    assert!(
        matches!(&world.take_recorded()[..], [Recorded::Input(Input::Command { by, .. }, None)] if by.name == "local")
    );
    for headers in [
        &[("host", "evil.example")][..],
        &[],
        &[("host", "localhost:9494"), ("origin", "http://localhost:9494")],
        &[("host", "localhost:9494"), ("sec-fetch-site", "cross-site")],
    ] {
        for method in ["GET", "POST"] {
            assert_eq!(ask(method, headers).await.status, StatusCode::FORBIDDEN, "{method} {headers:?}");
        }
    }
    let recorded = world.take_recorded();
    let of_strangers = |one: &Recorded| matches!(one, Recorded::Audit(entry) if entry.principal == "(unknown)");
    assert!(recorded.len() == 4 && recorded.iter().all(of_strangers), "{recorded:?}");
    insta::assert_snapshot!(ask("GET", &[("host", "evil.example")]).await.problem(), @"403 without a token the API answers only under a loopback name (`localhost`, `127.0.0.1`, `[::1]`), and the header `Host` holds another one");
    insta::assert_snapshot!(ask("GET", &[("origin", "null")]).await.problem(), @"403 the request comes from a web page, and no token protects this address; configure one to allow it");
}

#[test]
fn the_document_lists_exactly_the_routes_of_the_table() {
    let document = serde_json::to_value(document()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let mut described = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let is_guarded = operation["security"].to_string().contains("api_token");
            described.push((path.clone(), method.to_uppercase(), is_guarded));
            for parameter in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
                let parameters = operation["parameters"].to_string();
                assert!(parameters.contains(&format!(r#""name":"{parameter}""#)), "{method} {path}: {parameters}");
            }
        }
    }
    let mut table: Vec<_> = ROUTES
        .iter()
        .map(|route| {
            (
                route.path.to_owned(),
                route.method.to_owned(),
                matches!(route.access, Access::Role(_) | Access::Alertmanager(_)),
            )
        })
        .collect();
    described.sort();
    table.sort();
    assert_eq!(described, table);
}

#[test]
fn the_document_describes_every_type_it_refers_to() {
    let document = serde_json::to_value(document()).unwrap();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let text = document.to_string();
    for reference in text.split(r##""$ref":"#/components/schemas/"##).skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "`{name}` is not described");
    }
    // An alias that is not spelt out becomes a schema of its own that says nothing.
    for primitive in ["String", "u64"] {
        assert!(!schemas.contains_key(primitive), "{primitive}");
    }
    let incident = &schemas["Incident"]["properties"];
    for field in ["id", "state", "priority", "title", "root_cause"] {
        assert!(incident[field].is_object(), "{field}");
    }
}
