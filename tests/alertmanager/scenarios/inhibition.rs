//! Inhibition: an alert that is the reason for others keeps them quiet while it fires.

use crate::alert::{Alert, alert};
use crate::lab::Lab;

const CONFIGURATION: &str = r#"
route: { receiver: page, group_by: [alertname], group_wait: 1s, group_interval: 2s, repeat_interval: 1h }
receivers: [ { name: page, webhook_configs: [ { url: "@/page" } ] } ]
inhibit_rules:
  - source_matchers: [ severity="critical" ]
    target_matchers: [ severity=~"warning|info" ]
    equal: [cluster, rack]
"#;

fn source(instance: &str) -> Alert {
    alert(instance).label("alertname", "SiteDown").label("severity", "critical")
}

fn target(instance: &str) -> Alert {
    alert(instance).label("severity", "warning")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_source_comes_first() {
    let Some(lab) = Lab::start(CONFIGURATION).await else { return };
    lab.post(&[source("s").label("cluster", "red")]).await;
    lab.at(0.3).await;
    lab.post(&[target("a").label("cluster", "red"), target("b").label("cluster", "blue")]).await;
    lab.at(2.3).await;
    lab.same_state().await;
    lab.agree(&["page: +b", "page: +s"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_target_comes_first_in_the_same_request() {
    let Some(lab) = Lab::start(CONFIGURATION).await else { return };
    lab.post(&[target("a").label("cluster", "red"), source("s").label("cluster", "red")]).await;
    lab.at(2.0).await;
    lab.same_state().await;
    lab.agree(&["page: +s"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_source_comes_after_the_target_was_told() {
    let Some(lab) = Lab::start(CONFIGURATION).await else { return };
    lab.post(&[target("a")]).await;
    lab.at(2.0).await;
    lab.post(&[source("s").starts(1.9), target("b").starts(1.9)]).await;
    lab.at(4.0).await;
    lab.same_state().await;
    // The end of an inhibited alert is inhibited too.
    lab.post(&[target("a").ends(3.8)]).await;
    lab.at(6.0).await;
    lab.agree(&["page: +a", "page: +s"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_source_ends_and_the_target_is_told() {
    let Some(lab) = Lab::start(CONFIGURATION).await else { return };
    lab.post(&[source("s"), target("a")]).await;
    lab.at(2.0).await;
    lab.post(&[source("s").ends(1.8)]).await;
    lab.same_state().await;
    lab.at(4.0).await;
    lab.same_state().await;
    lab.agree(&["page: +a", "page: +s | -s"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_source_ends_by_time() {
    let Some(lab) = Lab::start(CONFIGURATION).await else { return };
    lab.post(&[source("s").ends(2.0), target("a")]).await;
    lab.at(4.0).await;
    lab.same_state().await;
    lab.agree(&["page: +a", "page: +s | -s"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_labels_that_both_lack_are_equal() {
    let Some(lab) = Lab::start(CONFIGURATION).await else { return };
    lab.post(&[source("s").label("rack", "7"), target("a").label("rack", "7"), target("b")]).await;
    lab.at(2.0).await;
    lab.same_state().await;
    lab.agree(&["page: +b", "page: +s"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_that_is_source_and_target_is_not_inhibited_by_its_like() {
    let configuration = CONFIGURATION.replace("severity=~\"warning|info\"", "severity=~\".+\"");
    let Some(lab) = Lab::start(&configuration).await else { return };
    lab.post(&[source("s"), source("t"), target("a")]).await;
    lab.at(2.0).await;
    // Which of the two sources the API names is chance, so it is not asked.
    lab.agree(&["page: +s +t"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silenced_source_still_inhibits() {
    let Some(lab) = Lab::start(CONFIGURATION).await else { return };
    lab.silence(&[["severity", "=", "critical"]], 0.0, 600.0).await;
    lab.post(&[source("s"), target("a")]).await;
    lab.at(2.0).await;
    lab.same_state().await;
    lab.agree(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn source_match_and_target_match_re() {
    let configuration = CONFIGURATION
        .replace("source_matchers: [ severity=\"critical\" ]", "source_match: { severity: critical }")
        .replace("target_matchers: [ severity=~\"warning|info\" ]", "target_match_re: { severity: warn.* }");
    let Some(lab) = Lab::start(&configuration).await else { return };
    lab.post(&[source("s"), target("a"), alert("b").label("severity", "info")]).await;
    lab.at(2.0).await;
    lab.same_state().await;
    lab.agree(&["page: +b", "page: +s"]).await;
}
