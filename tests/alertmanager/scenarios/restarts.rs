//! Reloads, restarts and deaths. After an orderly stop both go on where they were; after `kill -9` Alertmanager
//! has lost what it held in memory, and Watchbell must not have.

use super::{SIMPLE, with_route};
use crate::alert::alert;
use crate::lab::Lab;
use crate::receiver::Answer;

const LATER: f64 = 600.0;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reload_with_another_receiver() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.post(&[alert("a")]).await;
    lab.at(2.0).await;
    lab.reload(&SIMPLE.replace("page", "mail"));
    lab.at(2.5).await;
    lab.same_state().await;
    lab.same("/api/v2/receivers").await;
    lab.at(4.0).await;
    // For the other receiver it is news, and old enough not to wait.
    lab.agree(&["mail: +a", "page: +a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reload_without_a_change_repeats_nothing() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.post(&[alert("a")]).await;
    lab.at(2.0).await;
    lab.reload(SIMPLE);
    lab.at(3.0).await;
    lab.same_state().await;
    lab.post(&[alert("a")]).await;
    lab.at(5.0).await;
    lab.agree(&["page: +a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reload_with_a_mistake_changes_nothing() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.reload("route: { receiver: nobody }\nreceivers: []\n");
    lab.at(0.5).await;
    lab.same("/api/v2/receivers").await;
    lab.post(&[alert("a")]).await;
    lab.at(2.5).await;
    lab.agree(&["page: +a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reload_during_the_group_wait() {
    let route = "{ receiver: page, group_by: [alertname], group_wait: 2s, group_interval: 2s }";
    let Some(mut lab) = Lab::start(&with_route(route)).await else { return };
    lab.post(&[alert("a")]).await;
    lab.at(1.0).await;
    lab.reload(&with_route(route));
    lab.at(5.0).await;
    // Their wait begins anew with a reload, so they tell at 3; ours need not.
    lab.patience = 1.0;
    lab.agree(&["page: +a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_and_started_after_the_page() {
    let Some(mut lab) = Lab::start(SIMPLE).await else { return };
    lab.post(&[alert("a")]).await;
    lab.at(2.0).await;
    lab.terminate().await;
    lab.start_again().await;
    lab.at(5.0).await;
    // As Prometheus does every minute.
    lab.post(&[alert("a")]).await;
    lab.at(6.0).await;
    lab.post(&[alert("a").ends(5.8)]).await;
    lab.at(9.0).await;
    // The flushes of both count from moments of their own after the start.
    lab.patience = 2.0;
    lab.agree(&["page: +a | -a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_and_started_with_silences() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.silence(&[["instance", "=", "a"]], 0.0, LATER).await;
    lab.at(0.5).await;
    lab.terminate().await;
    lab.start_again().await;
    lab.at(4.0).await;
    lab.same("/api/v2/silences").await;
    lab.post(&[alert("a").starts(3.9), alert("b").starts(3.9)]).await;
    lab.at(6.0).await;
    lab.agree(&["page: +b"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_during_the_group_wait() {
    let route = "{ receiver: page, group_by: [alertname], group_wait: 2s, group_interval: 2s }";
    let Some(lab) = Lab::start(&with_route(route)).await else { return };
    lab.post(&[alert("a")]).await;
    lab.at(1.0).await;
    lab.kill();
    lab.start_again().await;
    lab.at(7.0).await;
    lab.differ("an alert in its group wait is lost by them", Some(&[]), &["page: +a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_as_soon_as_the_alert_was_taken() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.post(&[alert("a")]).await;
    lab.kill();
    lab.start_again().await;
    lab.at(6.0).await;
    lab.differ("what was acknowledged a moment ago is lost by them", Some(&[]), &["page: +a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_before_the_end_was_told() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.post(&[alert("a")]).await;
    lab.at(1.8).await;
    lab.post(&[alert("a").ends(1.7)]).await;
    lab.at(2.0).await;
    lab.kill();
    lab.start_again().await;
    lab.at(7.0).await;
    lab.differ("an end that was not told yet is lost by them", Some(&["page: +a"]), &["page: +a | -a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_after_the_page() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.post(&[alert("a")]).await;
    lab.at(2.0).await;
    lab.kill();
    lab.start_again().await;
    lab.at(5.0).await;
    lab.post(&[alert("a")]).await;
    lab.at(8.0).await;
    let why = "they have forgotten that they told it and page once more when Prometheus posts it again";
    lab.differ(why, Some(&["page: +a | +a"]), &["page: +a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_with_silences() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.silence(&[["instance", "=", "a"]], 0.0, LATER).await;
    lab.at(0.5).await;
    lab.kill();
    lab.start_again().await;
    lab.at(4.0).await;
    lab.post(&[alert("a")]).await;
    lab.at(6.5).await;
    lab.differ("they have forgotten the silence", Some(&["page: +a"]), &[]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_after_a_silence_was_expired() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    let silence = lab.silence(&[["instance", "=", "a"]], 0.0, LATER).await;
    lab.post(&[alert("a")]).await;
    lab.at(2.0).await;
    lab.expire(&silence).await;
    lab.kill();
    lab.start_again().await;
    lab.at(7.0).await;
    lab.differ("they have forgotten the alert together with its silence", Some(&[]), &["page: +a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_a_send_hangs() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.answer("page", Answer::Hang);
    lab.post(&[alert("a")]).await;
    lab.at(2.0).await;
    lab.tried("page", 1);
    lab.kill();
    lab.answer("page", Answer::Status(200));
    lab.start_again().await;
    lab.at(14.0).await;
    lab.differ("a send without an answer is lost by them", Some(&[]), &["page: +a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_between_two_repetitions() {
    let Some(lab) = Lab::start(&SIMPLE.replace("1h", "5s")).await else { return };
    lab.post(&[alert("a")]).await;
    lab.at(2.0).await;
    lab.kill();
    lab.start_again().await;
    lab.at(9.5).await;
    // Told at 1; the first flush that is five seconds later comes at 6 to 8, the one after it not before 11.
    lab.differ("they have forgotten what they had to repeat", Some(&["page: +a"]), &["page: +a | +a"]);
}
