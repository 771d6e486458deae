//! Receivers in trouble: down, refusing, hanging, slow, one of two.

use std::time::Duration;

use super::SIMPLE;
use crate::alert::alert;
use crate::lab::Lab;
use crate::receiver::Answer;

/// Between two tries Alertmanager waits half a second, then half as long again each time, give or take half.
const BETWEEN_TRIES: f64 = 2.0;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn down_and_soon_up_again() {
    let Some(mut lab) = Lab::start(SIMPLE).await else { return };
    lab.answer("page", Answer::Status(500));
    lab.post(&[alert("a")]).await;
    lab.at(2.5).await;
    lab.answer("page", Answer::Status(200));
    lab.at(6.5).await;
    lab.tried("page", 1);
    lab.patience = BETWEEN_TRIES;
    lab.agree(&["page: +a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_is_tried_at_the_next_flush_only() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.answer("page", Answer::Status(400));
    lab.post(&[alert("a")]).await;
    lab.at(4.0).await;
    lab.answer("page", Answer::Status(200));
    lab.at(8.0).await;
    lab.agree(&["page: +a (400) | +a (400) | +a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resolve_that_was_refused_is_told_at_the_next_flush() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.post(&[alert("a")]).await;
    lab.at(2.0).await;
    lab.answer("page", Answer::Status(404));
    lab.post(&[alert("a").ends(1.8)]).await;
    lab.at(4.0).await;
    lab.answer("page", Answer::Status(200));
    lab.at(6.0).await;
    lab.agree(&["page: +a | -a (404) | -a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_requests_is_a_refusal() {
    let Some(mut lab) = Lab::start(SIMPLE).await else { return };
    lab.answer("page", Answer::Status(429));
    lab.post(&[alert("a")]).await;
    lab.at(2.0).await;
    lab.answer("page", Answer::Status(200));
    lab.at(4.0).await;
    // They wait for the next flush (3); who is asked to come later may come sooner than that.
    lab.patience = 1.0;
    lab.agree(&["page: +a (429) | +a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hanging() {
    let Some(mut lab) = Lab::start(SIMPLE).await else { return };
    lab.answer("page", Answer::Hang);
    lab.post(&[alert("a")]).await;
    lab.at(2.0).await;
    lab.answer("page", Answer::Status(200));
    lab.at(14.0).await;
    lab.tried("page", 1);
    // They give up after ten seconds and tell at the flush that is overdue by then; sooner is as good.
    lab.patience = 10.0;
    lab.agree(&["page: +a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slower_than_the_group_interval() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.answer("page", Answer::Slow(Duration::from_secs(3)));
    lab.post(&[alert("a")]).await;
    lab.at(8.0).await;
    lab.agree(&["page: +a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_while_the_receiver_is_down() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    lab.answer("page", Answer::Status(503));
    lab.post(&[alert("a")]).await;
    lab.at(2.0).await;
    lab.post(&[alert("a").ends(1.8)]).await;
    lab.at(3.5).await;
    lab.answer("page", Answer::Status(200));
    lab.at(9.0).await;
    lab.tried("page", 2);
    lab.differ(
        "Alertmanager goes on trying what was to be told then, and tells the end behind it; we tell how it is now",
        Some(&["page: +a | -a"]),
        &["page: -a"],
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_integrations_is_down() {
    let configuration = r#"
route: { receiver: page, group_by: [alertname], group_wait: 1s, group_interval: 2s }
receivers: [ { name: page, webhook_configs: [ { url: "@/broken" }, { url: "@/sound" } ] } ]
"#;
    let Some(mut lab) = Lab::start(configuration).await else { return };
    lab.answer("broken", Answer::Status(400));
    lab.post(&[alert("a")]).await;
    lab.at(4.0).await;
    lab.answer("broken", Answer::Status(200));
    lab.at(6.0).await;
    lab.patience = 0.3;
    lab.agree(&["broken: +a (400) | +a (400) | +a", "sound: +a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_receiver_does_not_hold_up_another() {
    let configuration = r#"
route:
  receiver: sound
  group_by: [alertname]
  group_wait: 1s
  group_interval: 2s
  routes: [ { receiver: broken, matchers: [ instance="a" ] } ]
receivers:
  - { name: sound, webhook_configs: [ { url: "@/sound" } ] }
  - { name: broken, webhook_configs: [ { url: "@/broken" } ] }
"#;
    let Some(lab) = Lab::start(configuration).await else { return };
    lab.answer("broken", Answer::Hang);
    lab.post(&[alert("a"), alert("b")]).await;
    lab.at(2.0).await;
    lab.post(&[alert("b").ends(1.8)]).await;
    lab.at(4.0).await;
    lab.tried("broken", 1);
    lab.agree(&["sound: +b | -b"]).await;
}
