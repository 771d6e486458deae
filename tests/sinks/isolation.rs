//! Twenty sinks, one of them broken in one way after the other: the others hear everything, and the broken one
//! costs no more than what may be under way. How long that takes is measured by `benches/sinks.rs`.

use std::collections::BTreeSet;

use crate::support::receiver::{Answer, Blackhole, Receiver};
use crate::support::{Api, Site, eventually};
use crate::{EVENTUALLY, ops};

const HEALTHY: usize = 19;
const INCIDENTS: usize = 60;
/// Sends of one sink that may be under way (`runtime/outbox/worker.rs`), and some tries of the breaker.
const REQUESTS_MAX: usize = 32 + 10;

/// Patient, so that what hangs hangs for as long as the test takes.
fn webhook(name: &str, url: &str) -> String {
    format!(
        "kind: webhook, name: {name}, url: \"{url}\", allow_private: true, timeout: 2m, rate: {{ count: 1000, per: 1s }}"
    )
}

#[tokio::test]
async fn nineteen_hear_everything_while_the_twentieth_is_broken() {
    for answer in [Answer::Hang, Answer::Drip, Answer::Status(500), Answer::TooMany(3_600)] {
        let broken = Receiver::start(answer).await;
        check(&broken.url(), &format!("{answer:?}")).await;
        let count = broken.count();
        assert!((1..=REQUESTS_MAX).contains(&count), "{answer:?}: {count} requests");
    }
}

#[tokio::test]
async fn nineteen_hear_everything_while_the_twentieth_drops_packets() {
    check(&Blackhole::start().await.url(), "blackhole").await;
}

async fn check(broken: &str, how: &str) {
    let healthy = Receiver::start(Answer::Status(200)).await;
    let mut sinks: Vec<String> =
        (0..HEALTHY).map(|number| webhook(&format!("s{number}"), &format!("{}/{number}", healthy.url()))).collect();
    sinks.push(webhook("broken", broken));
    let site = Site::new(&ops(&sinks));
    let _daemon = site.start().await;
    let api = Api::new(&site);

    for number in 0..INCIDENTS {
        api.event("firing", &format!("db-{number}")).await;
    }
    eventually("nineteen have heard of everything", EVENTUALLY, async || {
        let requests = healthy.requests();
        let heard: BTreeSet<(&str, &str)> = requests.iter().map(|one| (one.path.as_str(), one.item())).collect();
        (heard.len() == HEALTHY * INCIDENTS).then_some(())
    })
    .await;
    assert_eq!(healthy.count(), HEALTHY * INCIDENTS, "{how}: each once");
    let pending = api.items("/api/v1/deliveries?state=pending&sink=ops%2Fbroken&limit=500").await;
    assert_eq!(pending.len(), INCIDENTS, "{how}: everything for the broken one waits");
}
