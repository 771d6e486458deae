//! How alerts end: told, expired, forgotten by their sender, and back again.

use super::{SIMPLE, with_route};
use crate::alert::alert;
use crate::lab::Lab;

/// Alerts without an end are over two seconds after they were last heard of.
fn forgetful() -> String {
    format!("global: {{ resolve_timeout: 2s }}\n{SIMPLE}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_in_the_past_resolves() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.post(&[alert("a")]).await;
    lab.at(2.0).await;
    lab.post(&[alert("a").ends(1.5)]).await;
    lab.same_state().await;
    lab.at(6.0).await;
    lab.same_state().await;
    lab.agree(&["page: +a | -a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_in_the_future_resolves_when_it_comes() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.post(&[alert("a").ends(2.0)]).await;
    lab.at(0.5).await;
    lab.same_state().await;
    lab.at(4.0).await;
    lab.same_state().await;
    lab.agree(&["page: +a | -a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_end_the_resolve_timeout_counts() {
    let Some(lab) = Lab::start(&forgetful()).await else { return };
    lab.post(&[alert("a")]).await;
    lab.at(0.5).await;
    lab.same_state().await;
    lab.at(4.0).await;
    lab.same_state().await;
    lab.agree(&["page: +a | -a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hearing_of_it_again_prolongs_the_resolve_timeout() {
    let Some(lab) = Lab::start(&forgetful()).await else { return };
    lab.post(&[alert("a")]).await;
    lab.at(1.7).await;
    lab.post(&[alert("a")]).await;
    lab.at(3.2).await;
    lab.same_state().await;
    lab.at(6.0).await;
    lab.agree(&["page: +a | -a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resolved_before_the_first_flush_is_not_told() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.post(&[alert("a")]).await;
    lab.at(0.5).await;
    lab.post(&[alert("a").ends(0.3)]).await;
    lab.same_state().await;
    lab.at(4.0).await;
    lab.agree(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_resolved_before_the_first_flush_is_told_with_the_other() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.post(&[alert("a"), alert("b")]).await;
    lab.at(0.5).await;
    lab.post(&[alert("a").ends(0.3)]).await;
    lab.at(4.0).await;
    lab.agree(&["page: -a +b"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn posted_when_it_was_over_is_not_told() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.post(&[alert("a").starts(-20.0).ends(-10.0)]).await;
    lab.at(0.5).await;
    lab.same_state().await;
    lab.at(2.0).await;
    lab.agree(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fires_again_before_the_end_was_told() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.post(&[alert("a")]).await;
    lab.at(1.7).await;
    lab.post(&[alert("a").ends(1.6)]).await;
    lab.at(2.3).await;
    lab.post(&[alert("a").starts(2.2)]).await;
    lab.same_state().await;
    lab.at(4.0).await;
    lab.agree(&["page: +a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fires_again_after_the_end_was_told() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.post(&[alert("a")]).await;
    lab.at(2.0).await;
    lab.post(&[alert("a").ends(1.8)]).await;
    lab.at(4.0).await;
    // 0.25 keeps the empty group's clock (a flush at 5), 0.34 waits anew for a second: the same moment.
    lab.post(&[alert("a").starts(3.9)]).await;
    lab.at(6.0).await;
    lab.same_state().await;
    lab.agree(&["page: +a | -a | +a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fires_again_in_a_group_that_has_emptied() {
    let route = "{ receiver: page, group_by: [alertname], group_wait: 500ms, group_interval: 3s }";
    let Some(mut lab) = Lab::start(&with_route(route)).await else { return };
    lab.post(&[alert("a")]).await;
    lab.at(2.0).await;
    lab.post(&[alert("a").ends(1.8)]).await;
    lab.at(4.5).await;
    lab.post(&[alert("a").starts(4.4)]).await;
    lab.at(8.0).await;
    // 0.25 forgets an empty group up to half a minute later and tells at its next flush (6.5), 0.34 forgets
    // it at once and begins with the group wait (5).
    lab.patience = 1.5;
    lab.agree(&["page: +a | -a | +a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_several_resolves() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.post(&[alert("a"), alert("b"), alert("c")]).await;
    lab.at(2.0).await;
    lab.post(&[alert("b").ends(1.5)]).await;
    lab.at(6.0).await;
    lab.same_state().await;
    lab.post(&[alert("a").ends(5.5), alert("c").ends(5.5)]).await;
    lab.at(8.0).await;
    lab.agree(&["page: +a +b +c | +a -b +c | -a -c"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_send_resolved_the_end_is_not_told() {
    let configuration = SIMPLE.replace("\"@/page\"", "\"@/page\", send_resolved: false");
    let Some(lab) = Lab::start(&configuration).await else { return };
    lab.post(&[alert("a"), alert("b")]).await;
    lab.at(2.0).await;
    lab.post(&[alert("a").ends(1.5)]).await;
    lab.at(4.0).await;
    lab.post(&[alert("b").ends(3.5)]).await;
    lab.at(6.0).await;
    lab.post(&[alert("b").starts(5.9)]).await;
    lab.at(8.0).await;
    lab.agree(&["page: +a +b | +b"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_send_resolved_a_new_alert_is_told_without_the_ended_one() {
    let configuration = SIMPLE.replace("\"@/page\"", "\"@/page\", send_resolved: false");
    let Some(lab) = Lab::start(&configuration).await else { return };
    lab.post(&[alert("a"), alert("b")]).await;
    lab.at(2.0).await;
    lab.post(&[alert("a").ends(1.5), alert("c").starts(1.9)]).await;
    lab.at(4.0).await;
    lab.agree(&["page: +a +b | +b +c"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_disagree_about_the_end() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.post(&[alert("a").ends(20.0)]).await;
    lab.at(0.2).await;
    lab.post(&[alert("a").ends(30.0)]).await;
    lab.same("/api/v2/alerts").await;
    lab.at(0.4).await;
    lab.post(&[alert("a").ends(25.0).starts(-0.3)]).await;
    lab.same("/api/v2/alerts").await;
    lab.at(2.0).await;
    // One of them says that it is over; the other one still sees it.
    lab.post(&[alert("a").ends(1.9)]).await;
    lab.same("/api/v2/alerts").await;
    lab.at(2.2).await;
    lab.post(&[alert("a").ends(30.0)]).await;
    lab.same("/api/v2/alerts").await;
    lab.at(4.0).await;
    lab.agree(&["page: +a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_without_times() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.post(&[alert("a").starts_when_posted()]).await;
    lab.at(0.5).await;
    lab.same_state().await;
    lab.at(2.0).await;
    lab.post(&[alert("a").starts_when_posted()]).await;
    lab.same("/api/v2/alerts").await;
    lab.at(4.0).await;
    lab.post(&[alert("a").starts_when_posted().ends(3.8)]).await;
    lab.at(6.0).await;
    lab.agree(&["page: +a | -a"]).await;
}
