//! What a notification holds: labels and annotations in common, changed annotations, truncation.

use super::{SIMPLE, with_route};
use crate::alert::alert;
use crate::lab::Lab;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_alerts_have_in_common() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    let one = |instance: &str| {
        alert(instance)
            .label("job", "node")
            .label("empty", "")
            .annotation("runbook", "https://wiki.example/disk")
            .generator("http://prometheus.example/graph?g0.expr=up&g0.tab=1")
    };
    let a = one("a").label("zone", "1").annotation("summary", "a is full");
    let b = one("b").label("zone", "1").annotation("summary", "b is full").label("job", "disk");
    lab.post(&[a, b]).await;
    lab.at(0.5).await;
    lab.same_state().await;
    lab.at(2.0).await;
    // In the order of `job`, then `instance`.
    lab.agree(&["page: +b +a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_annotations_are_not_told_by_themselves() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.post(&[alert("a").annotation("summary", "80 % full")]).await;
    lab.at(2.0).await;
    lab.post(&[alert("a").annotation("summary", "95 % full").annotation("owner", "eva")]).await;
    lab.same_state().await;
    lab.at(4.0).await;
    lab.post(&[alert("b").starts(3.9)]).await;
    lab.at(6.0).await;
    lab.agree(&["page: +a | +a +b"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn max_alerts_truncates() {
    let configuration = SIMPLE.replace("\"@/page\"", "\"@/page\", max_alerts: 2");
    let Some(lab) = Lab::start(&configuration).await else { return };
    lab.post(&["d", "c", "b", "a"].map(alert)).await;
    lab.at(2.0).await;
    lab.post(&[alert("a").ends(1.5)]).await;
    lab.at(4.0).await;
    lab.post(&[alert("c").ends(3.5), alert("d").ends(3.5)]).await;
    lab.at(6.0).await;
    lab.agree(&["page: +a +b | -a +b | +b -c"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_label_that_some_alerts_lack() {
    let route = "{ receiver: page, group_by: [cluster], group_wait: 1s, group_interval: 2s }";
    let Some(lab) = Lab::start(&with_route(route)).await else { return };
    lab.post(&[alert("a"), alert("b").label("cluster", ""), alert("c").label("cluster", "red")]).await;
    lab.at(2.0).await;
    lab.same_state().await;
    lab.agree(&["page: +c", "page: +a +b"]).await;
}
