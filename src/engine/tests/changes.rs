//! Changes in, and what is found of them before a fault.

use super::scenario::{Scenario, snapshot};
use super::{CRITICAL, lab};
use crate::engine::input::Input;
use crate::engine::policy::ServiceRule;
use crate::engine::state::State;
use crate::model::timeline::TimelineKind;
use crate::model::{Change, ChangeKind, ChangeState, Span, Timestamp};

fn change(id: &str, item: &str, at: Timestamp) -> Change {
    Change {
        id: id.into(),
        at,
        received_at: at,
        source: "ci".into(),
        kind: ChangeKind::Deploy,
        state: ChangeState::Succeeded,
        state_at: None,
        configuration_item: Some(item.into()),
        service: None,
        reference: Some("v2".into()),
        summary: String::new(),
        author: Some("ada".into()),
        url: None,
    }
}

fn told(s: &mut Scenario, change: Change) {
    s.input(Input::Changes { changes: vec![change] });
}

fn found(state: &State, item: &str, since: Timestamp, until: Timestamp) -> Vec<String> {
    state.recent_changes(item, since, until).map(|change| change.id.clone()).collect()
}

fn mins(minutes: i64) -> Span {
    Span::from_mins(minutes)
}

#[test]
fn what_was_altered_before_a_fault_is_found_by_the_items_own_name() {
    let mut s = Scenario::new(lab());
    let start = s.now;
    for (id, item, at) in [("a", "WEB1:443", 0), ("b", "web1", 5), ("c", "web2", 5), ("d", "web1.lab.example", 10)] {
        told(&mut s, change(id, item, start + mins(at)));
    }
    let all = |since, until| found(&s.state, "web1", start + mins(since), start + mins(until));
    assert_eq!(all(0, 10), ["a", "b", "d"]);
    assert_eq!(all(1, 9), ["b"]);
    assert_eq!(all(5, 5), ["b"], "both ends are included");
    assert_eq!(all(9, 1), [""; 0], "an empty span");
    assert_eq!(found(&s.state, "web2", start, start + mins(10)), ["c"], "nothing of another item");
    assert_eq!(found(&s.state, "web", start, start + mins(10)), [""; 0]);
}

#[test]
fn a_change_counts_from_its_beginning_and_at_its_end() {
    let mut s = Scenario::new(lab());
    let start = s.now;
    let state = |state, at| Change { state, ..change("a", "web1", start + mins(at)) };
    told(&mut s, state(ChangeState::Started, 0));
    told(&mut s, state(ChangeState::Succeeded, 60));
    let all = |since, until| found(&s.state, "web1", start + mins(since), start + mins(until));
    assert_eq!(all(0, 10), ["a"], "while it was going on");
    assert_eq!(all(30, 70), ["a"], "after it was over");
    assert_eq!(all(0, 70), ["a"], "once");
    assert_eq!(all(10, 50), [""; 0]);
    assert_eq!(s.state.known_changes().count(), 1);
}

#[test]
fn one_that_is_told_days_late_still_folds_with_what_is_told_of_it_next() {
    let mut s = Scenario::new(lab());
    let (began, now) = (s.now - Span::from_hours(7 * 24), s.now);
    let late = |state, at| Change { state, received_at: now, ..change("a", "web1", at) };
    told(&mut s, late(ChangeState::Started, began));
    s.pass(mins(30));
    told(&mut s, late(ChangeState::Succeeded, began + mins(3)));
    let known: Vec<&Change> = s.state.known_changes().collect();
    assert_eq!(known.len(), 1);
    assert_eq!((known[0].at, known[0].state), (began, ChangeState::Succeeded), "it began when it began");
}

#[test]
fn services_are_found_by_name_by_rule_and_by_topology() {
    let mut policy = lab();
    policy.topology.nodes[3].service = Some("orders".into());
    let rule = ServiceRule { matchers: vec!["configuration_item=~\"web.*\"".parse().unwrap()], ..Default::default() };
    policy.services.insert("shop".into(), rule);
    let mut s = Scenario::new(policy);
    let now = s.now;
    told(&mut s, change("a", "web1", now));
    told(&mut s, change("b", "db1", now));
    told(&mut s, Change { configuration_item: None, service: Some("shop".into()), ..change("c", "", now) });
    let of = |service: &str| -> Vec<&str> {
        s.state.recent_service_changes(service, now, now).map(|change| change.id.as_str()).collect()
    };
    assert_eq!((of("shop"), of("orders")), (vec!["a", "c"], vec!["b"]));
}

#[test]
fn a_change_teaches_no_names() {
    let mut s = Scenario::new(lab());
    let now = s.now;
    told(&mut s, change("a", "cache", now));
    s.fire("nagios", "cache.fra.example", "ping", CRITICAL);
    s.fire("nagios", "cache.ber.example", "ping", CRITICAL);
    let items: Vec<_> = s.state.alerts().filter_map(|alert| alert.configuration_item.as_deref()).collect();
    assert_eq!(items, ["cache.fra.example", "cache.ber.example"]);
}

#[test]
fn it_is_said_once_for_each_state_and_a_repetition_leaves_no_trace() {
    let mut s = Scenario::new(lab());
    let now = s.now;
    let started = Change { state: ChangeState::Started, ..change("a", "web1", now) };
    told(&mut s, started.clone());
    told(&mut s, Change { summary: "New checkout".into(), ..change("a", "web1", now + mins(3)) });
    let before = (snapshot(&s.changes), s.changes.told.len());
    told(&mut s, started);
    told(&mut s, change("a", "web1", now + mins(3)));
    assert_eq!((snapshot(&s.changes), s.changes.told.len()), before);
    let said: Vec<_> = s.timeline.iter().filter(|entry| entry.kind == TimelineKind::Change).collect();
    let texts: Vec<_> = said.iter().map(|entry| format!("{}: {}", entry.by, entry.text)).collect();
    insta::assert_snapshot!(texts.join("\n"), @r#"
    ci: deploy of web1 started: v2, by ada (2026-11-21T05:00:00.000Z)
    ci: deploy of web1 succeeded: v2, New checkout, by ada (2026-11-21T05:03:00.000Z)
    "#);
}

#[test]
fn old_ones_are_forgotten_and_none_before_its_time() {
    let mut policy = lab();
    policy.correlation.change_window = Span::from_hours(1);
    let mut s = Scenario::new(policy);
    let start = s.now;
    told(&mut s, change("a", "web1", start));
    told(&mut s, Change { state: ChangeState::Planned, ..change("b", "web1", start + Span::from_hours(48)) });
    s.pass(Span::from_hours(25));
    assert_eq!(s.state.known_changes().count(), 2);
    s.pass(Span::from_hours(1));
    assert_eq!(found(&s.state, "web1", start, start + Span::from_hours(99)), ["b"]);
    s.pass(Span::from_hours(60));
    assert_eq!(s.state.known_changes().count(), 0);
    assert!(snapshot(&s.changes).facts.iter().all(|(kind, ..)| kind != "change"), "no fact is left behind");
}

#[test]
fn a_flood_pushes_out_the_oldest() {
    let mut s = Scenario::new(lab());
    let start = s.now;
    let changes = (0..10_050).map(|n| change(&format!("{n:05}"), "web1", start + Span::from_secs(n))).collect();
    s.input(Input::Changes { changes });
    assert_eq!(s.state.known_changes().count(), 10_000);
    assert_eq!(s.state.known_changes().next().map(|change| change.id.as_str()), Some("00050"));
}

#[test]
fn a_restart_keeps_them() {
    let mut s = Scenario::new(lab());
    let now = s.now;
    told(&mut s, Change { state: ChangeState::Started, ..change("a", "web1", now) });
    told(&mut s, change("a", "web1", now + mins(3)));
    let restored = State::restore(snapshot(&s.changes)).unwrap();
    assert_eq!(found(&restored, "web1", now + mins(1), now + mins(9)), ["a"]);
    assert_eq!(crate::engine::next_deadline(&restored), crate::engine::next_deadline(&s.state));
}
