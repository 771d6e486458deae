//! The daemon stops, or is given another configuration, while it has things to tell.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::receiver::{Answer, Receiver};
use crate::support::{Api, Site, eventually};
use crate::{EVENTUALLY, PROMPTLY, ops, webhook};

const OK: Answer = Answer::Status(200);
/// The listener's grace and the outbox's, and something for a busy machine.
const STOP_WITHIN: Duration = Duration::from_secs(35);

#[tokio::test]
async fn a_graceful_stop_is_bounded_and_loses_nothing() {
    let hanging = Receiver::start(Answer::Hang).await;
    let slow = Receiver::start(Answer::Slow(Duration::from_millis(700))).await;
    let site = Site::new(&ops(&[webhook("hanging", &hanging.url()), webhook("slow", &slow.url())]));
    let mut daemon = site.start().await;
    let api = Api::new(&site);

    api.event("firing", "db-1").await;
    let first = hanging.waits_for("a send that hangs", PROMPTLY, |_| true).await;
    slow.waits_for("a send that is slow", PROMPTLY, |_| true).await;
    let asked = Instant::now();
    daemon.signal("TERM");
    let status = daemon.ended(STOP_WITHIN).await;
    assert_eq!(status.code(), Some(0), "after {:?}", asked.elapsed());

    hanging.answer(OK);
    let _daemon = site.start().await;
    api.settled(EVENTUALLY).await;
    assert_eq!(slow.count(), 1, "the slow answer was waited for, so nothing is repeated");
    let requests = hanging.requests();
    assert!(requests.iter().all(|one| one.webhook_id() == first.webhook_id()), "{requests:?}");
    let taken = requests.iter().filter(|one| one.answer == OK).count();
    assert_eq!(taken, 1, "what hung is sent after the next start: {requests:?}");
}

/// `watchbell_config_last_reload_successful`.
async fn reload_metric(api: &Api) -> Option<f64> {
    let reply = api.get("/metrics").await;
    let line = reply.text().lines().find(|line| line.starts_with("watchbell_config_last_reload_successful "))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[tokio::test]
async fn a_reload_takes_a_good_file_and_keeps_the_old_one_for_a_bad_one() {
    let (first, second) = (Receiver::start(OK).await, Receiver::start(OK).await);
    let one_sink = ops(&[webhook("first", &first.url())]);
    let two_sinks = ops(&[webhook("first", &first.url()), webhook("second", &second.url())]);
    let site = Site::new(&one_sink);
    let daemon = site.start().await;
    let api = Api::new(&site);
    let heard = async |receiver: &Receiver, item: &str| {
        receiver.waits_for(item, PROMPTLY, |one| one.item() == item && one.kind() == "opened").await;
    };

    api.event("firing", "db-1").await;
    heard(&first, "db-1").await;
    site.configure(&two_sinks);
    daemon.signal("HUP");
    eventually("the reload is in the log", PROMPTLY, async || {
        site.log().contains("a new configuration is in force").then_some(())
    })
    .await;
    api.event("firing", "db-2").await;
    heard(&first, "db-2").await;
    heard(&second, "db-2").await;

    site.configure("receivers: { ops: { sinks: [ { kind: webhok } ] } }\n");
    let refused = api.post("/-/reload", &Value::Null).await;
    assert_eq!((refused.status, refused.content_type.as_str()), (422, "application/problem+json"), "{refused:?}");
    let detail = refused.body["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("unknown sink `webhok` in `receivers.ops.sinks[0].kind`"), "{detail}");
    assert_eq!(reload_metric(&api).await, Some(0.0));
    assert!(site.log().contains("the configuration was not reloaded, the old one stays in force"), "{}", site.log());
    let ready = api.get("/-/ready").await;
    assert_eq!(ready.status, 200, "{ready:?}");
    assert!(ready.text().contains("was refused"), "{ready:?}");
    api.event("firing", "db-3").await;
    heard(&second, "db-3").await;

    site.configure(&one_sink);
    let accepted = api.post("/-/reload", &Value::Null).await;
    assert_eq!(accepted.status, 200, "{accepted:?}");
    assert_eq!(reload_metric(&api).await, Some(1.0));
    api.event("firing", "db-4").await;
    heard(&first, "db-4").await;
    api.settled(EVENTUALLY).await;
    assert!(second.requests().iter().all(|one| one.item() != "db-4"), "the second sink is gone");
}
