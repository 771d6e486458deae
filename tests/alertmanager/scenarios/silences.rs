//! Silences: set before and after the page, ended by people and by time, with every kind of matcher.

use super::SIMPLE;
use crate::alert::alert;
use crate::lab::Lab;

/// Long after every scenario.
const LATER: f64 = 600.0;
const ON_A: [[&str; 3]; 1] = [["instance", "=", "a"]];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silenced_before_it_fires() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.silence(&ON_A, 0.0, LATER).await;
    lab.at(0.3).await;
    lab.post(&[alert("a").starts(0.2)]).await;
    lab.at(2.3).await;
    lab.same_state().await;
    lab.at(4.0).await;
    lab.agree(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silenced_after_the_page_and_expired_by_a_person() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.post(&[alert("a")]).await;
    lab.at(2.0).await;
    let silence = lab.silence(&ON_A, 0.0, LATER).await;
    lab.at(4.0).await;
    lab.same_state().await;
    lab.expire(&silence).await;
    lab.at(6.0).await;
    lab.same_state().await;
    // It was told before, so nobody hears it again.
    lab.agree(&["page: +a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silence_ends_by_itself_while_the_alert_fires() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.silence(&ON_A, 0.0, 2.0).await;
    lab.post(&[alert("a")]).await;
    lab.at(4.0).await;
    lab.same_state().await;
    lab.agree(&["page: +a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silence_that_begins_later() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.silence(&[["alertname", "=", "DiskFull"]], 2.0, LATER).await;
    lab.post(&[alert("a")]).await;
    lab.at(0.5).await;
    lab.same_state().await;
    lab.at(2.2).await;
    lab.post(&[alert("b").starts(2.1)]).await;
    lab.at(4.0).await;
    lab.same_state().await;
    lab.agree(&["page: +a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silences_with_every_kind_of_matcher() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.silence(&[["instance", "=~", "a|b"], ["zone", "!=", "2"]], 0.0, LATER).await;
    // Silences that end at the same moment come in any order.
    lab.silence(&[["alertname", "=", "DiskFull"], ["instance", "!~", "a|b|c"]], 0.0, LATER + 60.0).await;
    lab.at(0.3).await;
    let b_elsewhere = alert("b").label("zone", "2");
    // `ab` shows that expressions are anchored: the first silence does not match it, the second one does.
    lab.post(&[alert("a"), b_elsewhere, alert("c"), alert("d"), alert("ab")]).await;
    lab.at(2.3).await;
    lab.same_state().await;
    lab.agree(&["page: +b +c"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resolved_while_silenced() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.post(&[alert("a")]).await;
    lab.at(1.8).await;
    let silence = lab.silence(&ON_A, 0.0, LATER).await;
    lab.at(2.0).await;
    lab.post(&[alert("a").ends(1.9)]).await;
    lab.at(4.0).await;
    lab.same_state().await;
    lab.expire(&silence).await;
    lab.at(6.0).await;
    // The end that came under a silence is never told.
    lab.agree(&["page: +a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_alerts_of_a_group_is_silenced() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    let silence = lab.silence(&ON_A, 0.0, LATER).await;
    lab.post(&[alert("a"), alert("b")]).await;
    lab.at(2.0).await;
    lab.same_state().await;
    lab.expire(&silence).await;
    lab.at(4.0).await;
    lab.agree(&["page: +b | +a +b"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silenced_longer_than_the_repeat_interval() {
    let configuration = SIMPLE.replace("1h", "3s");
    let Some(lab) = Lab::start(&configuration).await else { return };
    lab.post(&[alert("a")]).await;
    lab.at(2.0).await;
    let silence = lab.silence(&ON_A, 0.0, LATER).await;
    lab.at(6.0).await;
    lab.expire(&silence).await;
    lab.at(8.0).await;
    // The repetition that was due at second 5 comes with the first flush after the silence.
    lab.agree(&["page: +a | +a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_silences_on_one_alert() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    let first = lab.silence(&ON_A, 0.0, LATER).await;
    lab.silence(&[["alertname", "=~", "Disk.*"]], 0.0, 4.0).await;
    lab.at(0.3).await;
    lab.post(&[alert("a")]).await;
    lab.at(2.3).await;
    lab.same_state().await;
    lab.expire(&first).await;
    lab.at(3.6).await;
    lab.same_state().await;
    lab.at(6.3).await;
    lab.agree(&["page: +a"]).await;
}
