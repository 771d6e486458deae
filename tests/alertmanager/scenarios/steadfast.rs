//! The comparison itself: it complains when the two sides really differ.

use super::SIMPLE;
use crate::alert::alert;
use crate::lab::Lab;

/// What it says when only our side has `replacement` in place of `original`.
async fn verdict(original: &str, replacement: &str) -> Option<String> {
    let lab = Lab::start_with([SIMPLE, &SIMPLE.replace(original, replacement)]).await?;
    lab.post(&[alert("a"), alert("b")]).await;
    lab.same("/api/v2/receivers").await;
    lab.at(2.0).await;
    lab.post(&[alert("b").ends(1.8)]).await;
    lab.at(4.0).await;
    Some(lab.verdict(&["page: +a +b | +a -b"]))
}

async fn check(original: &str, replacement: &str, expected: &str) {
    let Some(verdict) = verdict(original, replacement).await else { return };
    assert!(verdict.contains(expected), "expected a complaint with `{expected}`, got: {verdict}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_notices_another_moment() {
    check("group_wait: 1s", "group_wait: 2500ms", "we told it +1.").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_notices_what_is_missing() {
    check("\"@/page\"", "\"@/page\", send_resolved: false", "they told 2 times, we told 1 times").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_notices_another_payload() {
    check("\"@/page\"", "\"@/page\", max_alerts: 1", ".truncatedAlerts: they say `0`, we say `1`").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_notices_another_answer() {
    let receiver = "receivers: [ { name: other }, ";
    check("receivers: [ ", receiver, "GET /api/v2/receivers").await;
}
