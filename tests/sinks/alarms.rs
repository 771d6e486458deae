//! Alarms end to end: one alert under one key, whatever is lost, and no text message twice.

use crate::support::fakes::alarms::Alarms;
use crate::support::{Api, Site, eventually};
use crate::{EVENTUALLY, ops};

#[tokio::test]
async fn pagerduty_hears_of_one_alert_under_one_key() {
    let alarms = Alarms::start().await;
    alarms.lose_next_answer();
    let site = Site::new(&ops(&[alarms.sink("kind: pagerduty, routing_key: a-routing-key")]));
    let _daemon = site.start().await;
    let api = Api::new(&site);

    api.event("firing", "db-1").await;
    eventually("it is triggered again", EVENTUALLY, async || (alarms.events().len() >= 2).then_some(())).await;
    api.settled(EVENTUALLY).await;
    api.event("resolved", "db-1").await;
    let resolved = async || alarms.events().iter().any(|event| event["event_action"] == "resolve").then_some(());
    eventually("it is resolved", EVENTUALLY, resolved).await;
    let events = alarms.events();
    let actions: Vec<_> = events.iter().filter_map(|event| event["event_action"].as_str()).collect();
    assert_eq!(actions, ["trigger", "trigger", "resolve"]);
    assert!(events.iter().all(|event| event["dedup_key"] == events[0]["dedup_key"]), "{events:?}");
}

#[tokio::test]
async fn opsgenie_is_asked_until_the_alert_is_there() {
    let alarms = Alarms::start().await;
    let site = Site::new(&ops(&[alarms.sink("kind: opsgenie, api_key: k")]));
    let _daemon = site.start().await;
    let api = Api::new(&site);

    api.event("firing", "db-1").await;
    let is_done = async || alarms.calls().contains(&"done".to_owned()).then_some(());
    eventually("the alert is created", EVENTUALLY, is_done).await;
    api.settled(EVENTUALLY).await;
    api.event("resolved", "db-1").await;
    let is_closed = async || alarms.calls().iter().any(|call| call.starts_with("close")).then_some(());
    eventually("it is closed", EVENTUALLY, is_closed).await;
    let calls = alarms.calls();
    let alias = calls[0].trim_start_matches("create ").to_owned();
    assert!(alias.starts_with("watchbell:inc-"), "{alias}");
    assert_eq!(calls, [format!("create {alias}"), "not yet".into(), "done".into(), format!("close {alias}")]);
}

#[tokio::test]
async fn a_text_message_whose_answer_was_lost_is_not_sent_again() {
    let alarms = Alarms::start().await;
    alarms.lose_next_answer();
    let keys = "kind: twilio_sms, account_sid: AC1, auth_token: t, from: '+15005550006', to: '+4915112345678'";
    let site = Site::new(&ops(&[alarms.sink(keys)]));
    let _daemon = site.start().await;
    let api = Api::new(&site);

    api.event("firing", "db-1").await;
    api.settled(EVENTUALLY).await;
    api.event("resolved", "db-1").await;
    let is_over = async || alarms.texts().iter().any(|text| text.contains("esolved")).then_some(());
    eventually("the end is told", EVENTUALLY, is_over).await;
    api.settled(EVENTUALLY).await;
    let texts = alarms.texts();
    assert_eq!(texts.len(), 2, "{texts:?}");
}
