//! Time intervals in which a route is mute or active.

use crate::alert::alert;
use crate::lab::Lab;

fn with_route(keys: &str) -> String {
    format!(
        r#"
route:
  receiver: page
  group_by: [alertname]
  group_wait: 1s
  group_interval: 2s
  routes:
    - {{ receiver: child, matchers: [ instance="a" ], {keys} }}
receivers:
  - {{ name: page, webhook_configs: [ {{ url: "@/page" }} ] }}
  - {{ name: child, webhook_configs: [ {{ url: "@/child" }} ] }}
time_intervals:
  - {{ name: always, time_intervals: [ {{ times: [ {{ start_time: "00:00", end_time: "24:00" }} ] }} ] }}
  - {{ name: never, time_intervals: [ {{ years: ["2001"], months: [february], weekdays: ["monday:friday"] }} ] }}
"#
    )
}

async fn check(keys: &str, expected: &[&str]) {
    let Some(lab) = Lab::start(&with_route(keys)).await else { return };
    lab.post(&[alert("a"), alert("b")]).await;
    lab.at(2.0).await;
    lab.same_state().await;
    lab.post(&[alert("a").ends(1.8)]).await;
    lab.at(4.0).await;
    lab.agree(expected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mute_always() {
    check("mute_time_intervals: [never, always]", &["page: +b"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mute_never() {
    check("mute_time_intervals: [never]", &["child: +a | -a", "page: +b"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn active_always() {
    check("active_time_intervals: [never, always]", &["child: +a | -a", "page: +b"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn active_never() {
    check("active_time_intervals: [never]", &["page: +b"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn active_and_mute_at_once() {
    check("active_time_intervals: [always], mute_time_intervals: [always]", &["page: +b"]).await;
}
