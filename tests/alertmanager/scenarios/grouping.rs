//! Who is told together, and when: group wait, group interval, repeat interval, grouping by labels.

use super::{SIMPLE, with_route};
use crate::alert::alert;
use crate::lab::Lab;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn group_wait() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.post(&[alert("a")]).await;
    lab.at(0.5).await;
    lab.same_state().await;
    lab.at(2.0).await;
    lab.agree(&["page: +a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_is_added_and_told_after_the_group_interval() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.post(&[alert("a")]).await;
    lab.at(2.0).await;
    lab.post(&[alert("b").starts(1.8)]).await;
    lab.at(4.0).await;
    lab.same_state().await;
    lab.agree(&["page: +a | +a +b"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_is_added_before_the_first_flush() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.post(&[alert("b")]).await;
    lab.at(0.4).await;
    lab.post(&[alert("a").starts(0.3)]).await;
    lab.at(4.0).await;
    lab.agree(&["page: +a +b"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_groups_by_label() {
    let route = "{ receiver: page, group_by: [alertname, cluster], group_wait: 1s, group_interval: 2s }";
    let Some(lab) = Lab::start(&with_route(route)).await else { return };
    let (red, blue) = (alert("b").label("cluster", "red"), alert("a").label("cluster", "blue"));
    lab.post(&[red, blue, alert("c").label("cluster", "red"), alert("d")]).await;
    lab.at(0.5).await;
    lab.same_state().await;
    lab.at(2.0).await;
    // The group without the label comes last: a longer list of labels does not come before a shorter one.
    lab.agree(&["page: +a", "page: +b +c", "page: +d"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_by_all_labels() {
    let route = "{ receiver: page, group_by: ['...'], group_wait: 1s, group_interval: 2s }";
    let Some(lab) = Lab::start(&with_route(route)).await else { return };
    lab.post(&[alert("a"), alert("b"), alert("b").label("zone", "1")]).await;
    lab.at(2.0).await;
    lab.same_state().await;
    lab.agree(&["page: +a", "page: +b", "page: +b"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_grouping_is_one_group() {
    let route = "{ receiver: page, group_wait: 1s, group_interval: 2s }";
    let Some(lab) = Lab::start(&with_route(route)).await else { return };
    lab.post(&[alert("b").label("alertname", "CpuHot"), alert("a")]).await;
    lab.at(2.0).await;
    lab.same_state().await;
    lab.agree(&["page: +a +b"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeat_interval() {
    let route = "{ receiver: page, group_by: [alertname], group_wait: 1s, group_interval: 2s, repeat_interval: 3s }";
    let Some(lab) = Lab::start(&with_route(route)).await else { return };
    lab.post(&[alert("a")]).await;
    lab.at(10.0).await;
    // Told again at the first flush after three seconds, which comes four seconds later.
    lab.agree(&["page: +a | +a | +a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_starts_the_repeat_interval_anew() {
    let route = "{ receiver: page, group_by: [alertname], group_wait: 1s, group_interval: 2s, repeat_interval: 3s }";
    let Some(lab) = Lab::start(&with_route(route)).await else { return };
    lab.post(&[alert("a")]).await;
    lab.at(2.0).await;
    lab.post(&[alert("b").starts(1.9)]).await;
    lab.at(6.0).await;
    lab.agree(&["page: +a | +a +b"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicates_are_told_once() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    for at in [0.0, 0.3, 1.8, 2.0, 2.2, 4.0] {
        lab.at(at).await;
        lab.post(&[alert("a"), alert("a")]).await;
    }
    lab.at(6.0).await;
    lab.same_state().await;
    lab.agree(&["page: +a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_alert_does_not_wait() {
    let route = "{ receiver: page, group_by: [alertname], group_wait: 3s, group_interval: 2s }";
    let Some(lab) = Lab::start(&with_route(route)).await else { return };
    lab.post(&[alert("a").starts(-60.0)]).await;
    lab.at(1.0).await;
    lab.post(&[alert("b").starts(0.8)]).await;
    lab.at(4.0).await;
    lab.agree(&["page: +a | +a +b"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_alert_joins_a_group_that_waits() {
    let route = "{ receiver: page, group_by: [alertname], group_wait: 2s, group_interval: 4s }";
    let Some(mut lab) = Lab::start(&with_route(route)).await else { return };
    lab.post(&[alert("a")]).await;
    lab.at(0.5).await;
    lab.post(&[alert("b").starts(-60.0)]).await;
    lab.at(3.5).await;
    // 0.25 ends the wait at once, 0.34 only looks at the alert that makes the group: 1.5 seconds apart.
    lab.patience = 1.5;
    lab.agree(&["page: +a +b"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_group_has_its_own_clock() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    let other = |instance: &str| alert(instance).label("alertname", "CpuHot");
    lab.post(&[alert("a")]).await;
    lab.at(1.0).await;
    lab.post(&[other("x").starts(0.9)]).await;
    lab.at(2.5).await;
    lab.post(&[alert("b").starts(2.4), other("y").starts(2.4)]).await;
    lab.at(5.0).await;
    lab.same_state().await;
    lab.agree(&["page: +x | +x +y", "page: +a | +a +b"]).await;
}
