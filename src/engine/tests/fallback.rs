//! What a delivery that is given up leaves behind: who stands in, what they hear later, and what is in
//! doubt. Each of these was found by the simulation (`tests/sim`).

use super::scenario::Scenario;
use super::{CRITICAL, SendResult};
use crate::engine::input::Input;
use crate::engine::policy::{Policy, Receiver, Route};
use crate::model::delivery::Progress;
use crate::model::{Delivery, NotificationKind, Span};

/// Everything goes to two sinks of `ops`, and from each of them to `backup`.
pub fn with_fallback() -> Policy {
    let mut policy = Policy::default();
    let receiver = |sinks: &[&str], fallback: Option<&str>| Receiver {
        sinks: sinks.iter().map(|sink| (*sink).to_owned()).collect(),
        fallback: fallback.map(str::to_owned),
        ..Receiver::default()
    };
    policy.receivers.insert("ops".into(), receiver(&["ops/chat", "ops/tickets"], Some("backup")));
    policy.receivers.insert("backup".into(), receiver(&["backup/mail"], None));
    policy.route = Route { receiver: Some("ops".into()), ..Route::default() };
    policy
}

/// A fault that both sinks of `ops` are about to hear of.
pub fn opened(policy: Policy) -> Scenario {
    let mut s = Scenario::new(policy);
    s.fire("nagios", "web1", "http", CRITICAL);
    s.pass(Span::from_secs(10));
    s
}

pub fn of<'a>(s: &'a Scenario, sink: &str) -> Vec<&'a Delivery> {
    let incident = s.deliveries[0].incident;
    s.deliveries.iter().filter(|delivery| delivery.sink == sink && delivery.incident == incident).collect()
}

pub fn give_up(s: &mut Scenario, sink: &str) {
    let id = of(s, sink).last().unwrap().id.clone();
    s.sent(&id, SendResult::Exhausted { reason: "the server says no".into() });
}

#[test]
fn who_stands_in_hears_the_end() {
    let mut s = opened(with_fallback());
    give_up(&mut s, "ops/chat");
    s.resolve("nagios", "web1", "http");
    s.pass(Span::from_secs(10));
    let kinds: Vec<NotificationKind> = of(&s, "backup/mail").iter().map(|d| d.notification.kind).collect();
    assert_eq!(kinds, [NotificationKind::Opened, NotificationKind::Resolved]);
}

#[test]
fn one_stands_in_for_two() {
    let mut s = opened(with_fallback());
    give_up(&mut s, "ops/chat");
    give_up(&mut s, "ops/tickets");
    assert_eq!(of(&s, "backup/mail").len(), 1);
    assert!(s.says("gave up on ops/tickets: the server says no; goes to"), "{:#?}", s.timeline);
}

#[test]
fn who_hears_anyway_is_not_told_twice_and_two_dead_sinks_end_at_the_log() {
    let mut policy = with_fallback();
    policy.route.routes = ["ops", "backup"]
        .map(|receiver| Route { receiver: Some(receiver.into()), continues: true, ..Route::default() })
        .to_vec();
    let mut s = opened(policy);
    give_up(&mut s, "ops/chat");
    assert_eq!(of(&s, "backup/mail").len(), 1);
    give_up(&mut s, "backup/mail");
    assert_eq!(of(&s, "log/log").len(), 1);
}

#[test]
fn who_stands_in_after_the_end_hears_of_the_end_only() {
    let mut s = opened(with_fallback());
    let first = of(&s, "ops/chat")[0].id.clone();
    s.resolve("nagios", "web1", "http");
    s.pass(Span::from_secs(10));
    s.sent(&first, SendResult::Exhausted { reason: "the server says no".into() });
    let late = of(&s, "backup/mail")[0];
    assert_eq!((late.notification.kind, late.notification.number), (NotificationKind::Resolved, 3));
}

#[test]
fn who_stands_in_when_it_has_left_memory_hears_that_it_is_over() {
    let mut s = opened(with_fallback());
    let first = of(&s, "ops/chat")[0].id.clone();
    s.resolve("nagios", "web1", "http");
    s.pass(Span::from_hours(30));
    s.sent(&first, SendResult::Exhausted { reason: "the server says no".into() });
    let late = of(&s, "backup/mail")[0];
    assert_eq!((late.notification.kind, late.notification.number), (NotificationKind::Resolved, 1));
    assert_eq!(late.notification.reason, "it has ended since ops/chat was to say: new incident at P2");
}

#[test]
fn who_stands_in_for_two_after_the_end_is_named_by_both() {
    let mut s = opened(with_fallback());
    let (chat, tickets) = (of(&s, "ops/chat")[0].id.clone(), of(&s, "ops/tickets")[0].id.clone());
    s.resolve("nagios", "web1", "http");
    s.pass(Span::from_secs(10));
    for id in [chat, tickets] {
        s.sent(&id, SendResult::Exhausted { reason: "the server says no".into() });
    }
    let told: Vec<String> = of(&s, "backup/mail").iter().map(|delivery| delivery.id.clone()).collect();
    let [stand_in] = told.as_slice() else { panic!("told {told:?}") };
    for sink in ["ops/chat", "ops/tickets"] {
        let text = format!("gave up on {sink}: the server says no; goes to {stand_in} instead");
        assert!(s.says(&text), "{:#?}", s.timeline);
    }
}

#[test]
fn what_was_given_up_without_an_answer_is_looked_for_before_it_is_made_again() {
    let mut s = opened(with_fallback());
    let id = of(&s, "ops/tickets")[0].id.clone();
    let progress = Progress { is_ambiguous: true, ..Progress::default() };
    s.sent(&id, SendResult::Retry { at: s.now, reason: "no answer".into(), progress });
    give_up(&mut s, "ops/tickets");
    s.resolve("nagios", "web1", "http");
    s.pass(Span::from_secs(10));
    assert!(of(&s, "ops/tickets").last().unwrap().progress.is_ambiguous);
    assert!(!of(&s, "ops/chat").last().unwrap().progress.is_ambiguous);
}

#[test]
fn a_sink_that_went_while_it_was_sent_to_is_in_doubt_when_it_comes_back() {
    let mut s = opened(with_fallback());
    let mut without = with_fallback();
    without.receivers.get_mut("ops").unwrap().sinks.pop();
    for policy in [without, with_fallback()] {
        s.input(Input::Configured { policy: Box::new(policy) });
    }
    s.resolve("nagios", "web1", "http");
    s.pass(Span::from_secs(10));
    let last = of(&s, "ops/tickets").last().copied().unwrap();
    assert!(last.notification.kind.is_final() && last.progress.is_ambiguous, "{last:?}");
}
