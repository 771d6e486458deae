//! Signed requests: what is signed over, how old it may be, and that the same one counts once.

use super::ingest::{Untouchable, post, untouchable};
use super::*;
use hmac::{Hmac, Mac};

use crate::error::Secret;
use crate::http::SignatureEncoding;
use crate::model::Span;

fn signed(secret: &str, parts: &[&str]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    parts.iter().for_each(|part| mac.update(part.as_bytes()));
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hmac_auth(secrets: &[&str], prefix: &str, timestamp_header: Option<&str>) -> Auth {
    Auth::Hmac {
        secrets: secrets.iter().map(|secret| Secret::new(secret.as_bytes().to_vec())).collect(),
        header: "X-Signature".into(),
        prefix: prefix.into(),
        encoding: SignatureEncoding::Hex,
        timestamp_header: timestamp_header.map(Into::into),
    }
}

#[tokio::test]
async fn checks_signatures_over_the_raw_bytes() {
    let world = World::new([("zabbix", source(&ZABBIX, hmac_auth(&["s3cret"], "sha256=", None)))], tokens());
    let good = format!("sha256={}", signed("s3cret", &["1 events"]));
    assert_eq!(world.send(post("/in/zabbix", &[("x-signature", &good)], "1 events")).await.status, StatusCode::OK);
    world.take_recorded();
    let wrong_secret = format!("sha256={}", signed("other", &["1 events"]));
    let mut refusals = Vec::new();
    for (headers, body) in [
        (vec![("x-signature", wrong_secret.as_str())], Body::from("1 events")),
        (vec![("x-signature", good.as_str())], Body::from("2 events")),
        // What is not even a signature is refused before the body is read.
        (vec![], Body::new(Untouchable)),
        (vec![("x-signature", &good[7..])], Body::new(Untouchable)),
        (vec![("x-signature", "sha256=zz")], Body::new(Untouchable)),
    ] {
        refusals.push(world.send(post("/in/zabbix", &headers, body)).await.problem());
    }
    insta::assert_snapshot!(refusals.join("\n"), @r#"
    401 the signature does not fit the body; is it the same secret on both sides?
    401 the signature does not fit the body; is it the same secret on both sides?
    401 this source signs its requests: the header `x-signature` is missing
    401 the header `x-signature` holds no HMAC-SHA256 signature in hex after `sha256=`
    401 the header `x-signature` holds no HMAC-SHA256 signature in hex after `sha256=`
    "#);
    assert_eq!(world.take_recorded(), [], "a stranger's body is not kept");
}

#[tokio::test]
async fn refuses_old_and_unsigned_timestamps() {
    let world = World::new([("zabbix", source(&ZABBIX, hmac_auth(&["s3cret"], "", Some("X-Timestamp"))))], tokens());
    let now_s = NOW_MS / 1_000;
    for (shift_s, expected) in [(0, 200), (-300, 200), (300, 200), (-301, 401), (301, 401)] {
        let time = (now_s + shift_s).to_string();
        let signature = signed("s3cret", &[&time, ":", "1 events"]);
        let headers = [("x-signature", signature.as_str()), ("x-timestamp", time.as_str())];
        let body = if expected == 200 { Body::from("1 events") } else { Body::new(Untouchable) };
        let answer = world.send(post("/in/zabbix", &headers, body)).await;
        assert_eq!(answer.status.as_u16(), expected, "{shift_s}: {answer:?}");
    }
    let time = now_s.to_string();
    let over_body_only = signed("s3cret", &["1 events"]);
    let headers = [("x-signature", over_body_only.as_str()), ("x-timestamp", time.as_str())];
    assert_eq!(world.send(post("/in/zabbix", &headers, "1 events")).await.status, StatusCode::UNAUTHORIZED);
    for time in ["", "soon", "9999999999999999999999", "-9223372036854775808"] {
        let headers = [("x-signature", over_body_only.as_str()), ("x-timestamp", time)];
        assert_eq!(world.send(untouchable("/in/zabbix", &headers)).await.status, StatusCode::UNAUTHORIZED, "{time}");
    }
}

/// The request that `secret` signs at `seconds` by our clock.
fn timed(secret: &str, seconds: i64, body: &str) -> Request<Body> {
    let time = (NOW_MS / 1_000 + seconds).to_string();
    let signature = signed(secret, &[&time, ":", body]);
    post("/in/zabbix", &[("x-signature", &signature), ("x-timestamp", &time)], body.to_owned())
}

fn timed_world(secrets: &[&str]) -> World {
    World::new([("zabbix", source(&ZABBIX, hmac_auth(secrets, "", Some("X-Timestamp"))))], tokens())
}

#[tokio::test]
async fn a_request_that_comes_again_is_answered_alike_and_taken_once() {
    let world = timed_world(&["s3cret"]);
    for _ in 0..3 {
        let answer = world.send(timed("s3cret", 0, "2 events")).await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, r#"{"accepted":2}"#));
    }
    assert_eq!(world.take_recorded().len(), 1);
    let metrics = world.send(Request::get("/metrics").body(Body::empty()).unwrap()).await.body;
    for line in [
        r#"watchbell_ingest_events_total{kind="zabbix",source="zabbix"} 2"#,
        r#"watchbell_ingest_requests_total{source="zabbix",status="200"} 3"#,
        r#"watchbell_ingest_repeated_total{source="zabbix"} 2"#,
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    // The same body signed at another second is another request: the monitor says it again.
    assert_eq!(world.send(timed("s3cret", 1, "2 events")).await.status, StatusCode::OK);
    assert_eq!(world.take_recorded().len(), 1);
    // Later than its time allows, it is not even known any more.
    world.clock.advance(Span::from_secs(301));
    assert_eq!(world.send(timed("s3cret", 0, "2 events")).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(world.take_recorded(), []);
}

#[tokio::test]
async fn without_a_signed_time_the_same_body_is_news_each_time() {
    let world = World::new([("zabbix", source(&ZABBIX, hmac_auth(&["s3cret"], "", None)))], tokens());
    let signature = signed("s3cret", &["1 events"]);
    for _ in 0..2 {
        let answer = world.send(post("/in/zabbix", &[("x-signature", &signature)], "1 events")).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    assert_eq!(world.take_recorded().len(), 2, "down, up and down again within five minutes must ring");
}

#[tokio::test]
async fn what_was_not_taken_may_come_again() {
    let world = timed_world(&["s3cret"]);
    world.answer_next(Err(SubmitError::Unavailable("no space left".into())));
    assert_eq!(world.send(timed("s3cret", 0, "1 events")).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(world.send(timed("s3cret", 0, "1 events")).await.body, r#"{"accepted":1}"#);
    assert_eq!(world.take_recorded().len(), 2);
    for _ in 0..2 {
        assert_eq!(world.send(timed("s3cret", 0, "on fire")).await.status, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn a_sender_that_hangs_up_finds_out_what_became_of_its_request() {
    let world = timed_world(&["s3cret"]);
    let held = world.gate.clone().lock_owned().await;
    let router = world.router.clone();
    let first = tokio::spawn(async move { router.oneshot(timed("s3cret", 0, "1 events")).await });
    while world.recorded_count() == 0 {
        tokio::task::yield_now().await;
    }
    let meanwhile = world.send(timed("s3cret", 0, "1 events")).await;
    assert_eq!(meanwhile.header("retry-after"), "1");
    insta::assert_snapshot!(meanwhile.problem(), @"429 the same signed request came before and is still being worked on");
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    let again = tokio::time::timeout(std::time::Duration::from_secs(30), world.send(timed("s3cret", 0, "1 events")));
    assert_eq!(again.await.expect("an answer, not a second try").status, StatusCode::TOO_MANY_REQUESTS);
    drop(held);
    loop {
        let answer = world.send(timed("s3cret", 0, "1 events")).await;
        if answer.status == StatusCode::OK {
            break;
        }
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{answer:?}");
        tokio::task::yield_now().await;
    }
    assert_eq!(world.take_recorded().len(), 1);
}

#[tokio::test]
async fn a_reload_forgets_no_signature() {
    let world = timed_world(&["s3cret"]);
    assert_eq!(world.send(timed("s3cret", 0, "1 events")).await.status, StatusCode::OK);
    let same = source(&ZABBIX, hmac_auth(&["s3cret"], "", Some("X-Timestamp")));
    world.app.replace(BTreeMap::from([("zabbix".to_owned(), same)]), tokens());
    assert_eq!(world.send(timed("s3cret", 0, "1 events")).await.status, StatusCode::OK);
    assert_eq!(world.take_recorded().len(), 1);
}

#[tokio::test]
async fn any_of_several_secrets_signs() {
    let world = timed_world(&["new", "old"]);
    for (second, secret) in [(0, "new"), (1, "old"), (2, "new")] {
        assert_eq!(world.send(timed(secret, second, "1 events")).await.status, StatusCode::OK, "{secret}");
    }
    assert_eq!(world.send(timed("older", 3, "1 events")).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(world.take_recorded().len(), 3);
}
