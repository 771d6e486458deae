//! Every limit at its edge, against a running daemon: what is just inside is taken, what is just outside is
//! refused by name, and whoever is refused hurts nobody else.

// Real processes live in real time.
#![allow(clippy::disallowed_methods)]

mod support;

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use hmac::{Hmac, Mac};
use serde_json::{Map, Value, json};
use sha2::Sha256;
use support::{Api, Reply, Site, client, eventually};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use watchbell::sources::{SOURCES, SourceSpec};

/// Long enough for a machine that does other things as well.
const EVENTUALLY: Duration = Duration::from_secs(60);

async fn post(site: &Site, path: &str, body: impl Into<reqwest::Body>, headers: &[(&str, &str)]) -> Reply {
    let mut request = client().post(site.url(path)).header("content-type", "application/json").body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Reply::of(request.send().await.expect("the daemon answers")).await
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// The first example of a source, and the object in it that describes an event.
fn example(spec: &SourceSpec) -> Value {
    serde_json::from_str(spec.examples[0]).expect("the first example of each source is one JSON text")
}

fn inner(body: &mut Value) -> &mut Map<String, Value> {
    let event = match body {
        Value::Array(_) => &mut body[0],
        _ if body.get("alerts").is_some() => &mut body["alerts"][0],
        _ => body,
    };
    event.as_object_mut().expect("an event is an object")
}

/// A body that is nested so deep, in a field that nobody reads.
fn nested(spec: &SourceSpec, levels: usize) -> String {
    let mut body = example(spec);
    let mut value = json!("bottom");
    loop {
        inner(&mut body).insert("zz_unknown".to_owned(), value.clone());
        if depth(&body) >= levels {
            return body.to_string();
        }
        value = json!([value]);
    }
}

fn labelled(spec: &SourceSpec, labels: impl Iterator<Item = (String, String)>) -> String {
    let mut body = example(spec);
    let labels: Map<String, Value> = labels.map(|(name, value)| (name, value.into())).collect();
    inner(&mut body).insert("labels".to_owned(), labels.into());
    body.to_string()
}

fn refused_for(what: &str, reply: &Reply, expected: &str) {
    assert_eq!(reply.status, 400, "{what}: {reply:?}");
    let detail = reply.body["detail"].as_str().unwrap_or_default();
    assert!(detail.contains(expected), "{what}: {detail}");
}

#[tokio::test]
async fn events_are_taken_up_to_the_limits_and_not_beyond() {
    let sources: String = SOURCES.iter().map(|spec| format!("  {0}: {{ kind: {0} }}\n", spec.name)).collect();
    let site = Site::new(&format!("sources:\n{sources}"));
    let _daemon = site.start().await;
    for spec in SOURCES {
        let path = format!("/in/{}", spec.name);
        let deepest = post(&site, &path, nested(spec, 64), &[]).await;
        assert_eq!(deepest.status, 200, "64 levels to {}: {deepest:?}", spec.name);
        let deep = post(&site, &path, nested(spec, 65), &[]).await;
        refused_for(spec.name, &deep, "at most 64 levels");
    }
    let with_labels = |spec: &&&SourceSpec| inner(&mut example(spec)).contains_key("labels");
    let mut count = 0;
    for spec in SOURCES.iter().filter(with_labels) {
        let path = format!("/in/{}", spec.name);
        let many = |count: usize| {
            let more = (1..count).map(|number| (format!("l{number}"), "x".to_owned()));
            labelled(spec, std::iter::once(("alertname".to_owned(), "Full".to_owned())).chain(more))
        };
        let long = |bytes: usize| {
            let labels = [("alertname", "Full".to_owned()), ("long", "x".repeat(bytes))];
            labelled(spec, labels.map(|(name, value)| (name.to_owned(), value)).into_iter())
        };
        assert_eq!(post(&site, &path, many(64), &[]).await.status, 200, "64 labels to {}", spec.name);
        // An `alertname` may become the name of the event and leave 64 of 65.
        refused_for(spec.name, &post(&site, &path, many(66), &[]).await, "at most 64 entries");
        assert_eq!(post(&site, &path, long(4_096), &[]).await.status, 200, "4 KiB to {}", spec.name);
        refused_for(spec.name, &post(&site, &path, long(4_097), &[]).await, "0 to 4096 bytes");
        count += 1;
    }
    assert!(count >= 3, "{count} sources have labels");
}

#[tokio::test]
async fn a_source_beyond_its_quota_waits_alone() {
    let site = Site::new(
        "sources:
  busy: { kind: generic, events_per_second: 1 }
  calm: { kind: generic }
  prometheus: { kind: prometheus, events_per_second: 1 }
",
    );
    let _daemon = site.start().await;
    let batch = |count: usize| {
        let event = json!({ "status": "firing", "name": "Disk full", "configuration_item": "db-1" });
        Value::Array(vec![event; count]).to_string()
    };
    // In debt for a minute: as long as this test may take on a slow machine.
    assert_eq!(post(&site, "/in/generic/busy", batch(100), &[]).await.status, 200);
    let request = client().post(site.url("/in/generic/busy")).header("content-type", "application/json");
    let later = request.body(batch(1)).send().await.expect("an answer");
    assert_eq!(later.status(), 429);
    let wait = later.headers()["retry-after"].to_str().expect("text").parse::<u64>().expect("seconds");
    assert!((1..=61).contains(&wait), "{wait}");
    let reply = Reply::of(later).await;
    assert_eq!(reply.content_type, "application/problem+json");
    assert_eq!(post(&site, "/in/generic/calm", batch(100), &[]).await.status, 200, "others are not held back");

    let alerts = Value::Array(vec![json!({ "labels": { "alertname": "Full", "instance": "db-1" } }); 100]).to_string();
    assert_eq!(post(&site, "/api/v2/alerts", alerts.clone(), &[]).await.status, 200);
    // What Prometheus understands as "later".
    assert_eq!(post(&site, "/api/v2/alerts", alerts, &[]).await.status, 503);
}

#[tokio::test]
async fn nothing_is_unpacked_for_a_stranger() {
    let site = Site::new(
        "sources:
  token: { kind: generic, token: tok-source-1 }
  signed: { kind: generic, hmac: { secret: tok-secret-1, header: x-signature } }
",
    );
    let _daemon = site.start().await;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    (0..64).for_each(|_| encoder.write_all(&[b' '; 1 << 20]).expect("memory takes everything"));
    let bomb = encoder.finish().expect("memory takes everything");
    assert!(bomb.len() < 1 << 20, "within the limit while packed: {} bytes", bomb.len());
    let signature = |secret: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length is a key");
        mac.update(&bomb);
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let (right, wrong) = (signature("tok-secret-1"), signature("tok-secret-2"));
    for (source, name, value, status) in [
        ("token", "authorization", "Bearer tok-source-2", 401),
        ("token", "authorization", "Bearer tok-source-1", 413),
        ("signed", "x-signature", &wrong, 401),
        ("signed", "x-signature", &right, 413),
    ] {
        let headers = [("content-encoding", "gzip"), (name, value)];
        let reply = post(&site, &format!("/in/generic/{source}"), bomb.clone(), &headers).await;
        assert_eq!(reply.status, status, "{source} with {value}: {reply:?}");
    }
}

#[tokio::test]
async fn the_operator_gets_through_when_all_places_are_taken() {
    const PLACES: usize = 64;
    let site = Site::new(&format!("limits: {{ connections_max: {PLACES}, header_timeout: 2s }}\n"));
    let _daemon = site.start().await;
    // Twice as many as there are places say nothing, and come back as soon as they are sent away.
    let port = site.port();
    let silent: Vec<_> = (0..2 * PLACES)
        .map(|_| {
            tokio::spawn(async move {
                loop {
                    if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await {
                        let _ = stream.read(&mut [0; 16]).await;
                    }
                }
            })
        })
        .collect();
    eventually("all places are taken", EVENTUALLY, async || {
        site.log().contains("as many connections as allowed are open").then_some(())
    })
    .await;
    let api = Api::new(&site);
    for _ in 0..2 {
        assert_eq!(api.get("/-/healthy").await.status, 200);
    }
    silent.iter().for_each(tokio::task::JoinHandle::abort);
    let said = site.log().matches("as many connections as allowed are open").count();
    assert!(said <= 2, "said {said} times");
}
