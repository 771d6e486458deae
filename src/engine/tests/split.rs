//! What leaves an incident: stragglers when the rest is over, and a second fault after a time of quiet.

use super::scenario::{Scenario, event, snapshot};
use super::{CRITICAL, lab};
use crate::engine::input::{Command, Input};
use crate::engine::state::State;
use crate::model::event::EventStatus;
use crate::model::{IncidentState, NotificationKind, Severity, Span};

/// One alert of a place: without a topology, that is all that ties them.
pub fn shop(s: &mut Scenario, item: &str, name: &str, severity: Severity, status: EventStatus) {
    let mut event = event(s.now, "prometheus", item, name, severity, status);
    event.labels.insert("namespace", "shop");
    s.input(Input::Events { events: vec![event] });
}

pub fn items() -> impl Iterator<Item = String> {
    (1..=6).map(|number| format!("pod{number}"))
}

/// Six pods fail at once, and a straggler a minute and a half later.
pub fn six_pods_and_a_straggler() -> Scenario {
    let mut s = Scenario::new(lab());
    items().for_each(|item| shop(&mut s, &item, "HighErrorRate", CRITICAL, EventStatus::Firing));
    s.pass(Span::from_secs(100));
    shop(&mut s, "batch1", "QueueGrows", Severity::Warning, EventStatus::Firing);
    assert_eq!(s.open().len(), 1, "{:#?}", s.timeline);
    assert_eq!(s.open()[0].alert_count, 7);
    s
}

#[test]
fn a_straggler_does_not_keep_the_incident_open() {
    let mut s = six_pods_and_a_straggler();
    let first = s.open()[0].id;
    s.pass(Span::from_secs(20));
    items().for_each(|item| shop(&mut s, &item, "HighErrorRate", CRITICAL, EventStatus::Resolved));
    assert_eq!(s.state.incident(&first).unwrap().state, IncidentState::Resolved);
    let straggler = s.state.alerts().find(|alert| &*alert.name == "QueueGrows").unwrap();
    let group = s.state.incident(straggler.incident.as_ref().unwrap()).unwrap();
    assert_eq!((group.id == first, group.state), (false, IncidentState::Pending));
    // It is not forgotten: when it lasts, somebody hears of it.
    s.pass(Span::from_mins(6));
    assert_eq!(s.kinds(), [NotificationKind::Opened, NotificationKind::Resolved, NotificationKind::Opened]);
}

#[test]
fn who_was_there_from_the_beginning_pages_once() {
    let mut s = Scenario::new(lab());
    items().for_each(|item| shop(&mut s, &item, "HighErrorRate", CRITICAL, EventStatus::Firing));
    s.pass(Span::from_mins(4));
    for item in items().take(5) {
        shop(&mut s, &item, "HighErrorRate", CRITICAL, EventStatus::Resolved);
        s.pass(Span::from_mins(1));
        assert_eq!(s.open().len(), 1, "{:#?}", s.timeline);
    }
    shop(&mut s, "pod6", "HighErrorRate", CRITICAL, EventStatus::Resolved);
    s.pass(Span::from_mins(1));
    assert_eq!(s.kinds(), [NotificationKind::Opened, NotificationKind::Resolved]);
}

#[test]
fn what_somebody_works_on_is_not_parted() {
    let mut s = six_pods_and_a_straggler();
    let first = s.open()[0].id;
    s.command(Command::Acknowledge { incident: first.to_string(), note: None });
    items().for_each(|item| shop(&mut s, &item, "HighErrorRate", CRITICAL, EventStatus::Resolved));
    assert_eq!(s.state.incident(&first).unwrap().state, IncidentState::Acknowledged);
    shop(&mut s, "batch1", "QueueGrows", Severity::Warning, EventStatus::Resolved);
    assert_eq!(s.state.incident(&first).unwrap().state, IncidentState::Resolved);
}

/// Six pods failed, recovered but for one, and all fail again together three minutes later.
fn a_second_wave(again: usize) -> Scenario {
    second_wave_after(|_| {}, again)
}

/// The same, with somebody who does something before it.
pub fn second_wave_after(work: impl FnOnce(&mut Scenario), again: usize) -> Scenario {
    let mut s = Scenario::new(lab());
    items().for_each(|item| shop(&mut s, &item, "HighErrorRate", CRITICAL, EventStatus::Firing));
    s.pass(Span::from_secs(90));
    work(&mut s);
    items().skip(1).for_each(|item| shop(&mut s, &item, "HighErrorRate", CRITICAL, EventStatus::Resolved));
    s.pass(Span::from_secs(100));
    items().skip(1).take(again).for_each(|item| shop(&mut s, &item, "HighErrorRate", CRITICAL, EventStatus::Firing));
    s.pass(Span::from_secs(10));
    s
}

#[test]
fn many_at_once_after_a_time_of_quiet_are_a_second_fault() {
    let s = a_second_wave(5);
    assert_eq!(s.open().len(), 2, "{:#?}", s.timeline);
    assert_eq!(s.kinds(), [NotificationKind::Opened, NotificationKind::Opened]);
    let counts: Vec<u32> = s.open().iter().map(|incident| incident.firing_count).collect();
    assert_eq!(counts, [1, 5]);
}

#[test]
fn after_a_second_fault_has_left_the_first_is_put_down_to_what_stayed() {
    let mut s = Scenario::new(lab());
    items().for_each(|item| shop(&mut s, &item, "HighErrorRate", Severity::Major, EventStatus::Firing));
    s.pass(Span::from_secs(200));
    items().skip(1).for_each(|item| shop(&mut s, &item, "OomKilled", CRITICAL, EventStatus::Firing));
    s.pass(Span::from_secs(10));
    assert_eq!(s.open().len(), 2, "{:#?}", s.timeline);
    let first = s.open()[0];
    let cause = first.root_cause.as_ref().unwrap();
    let [(_, own)] = cause.candidates[0].terms[..] else { panic!("{:?}", cause.candidates) };
    assert_eq!((&*cause.configuration_item, own), ("pod1", 1_500), "the same on all of them, and no worse alert");
}

#[test]
fn what_is_over_already_is_part_of_no_second_fault() {
    let mut s = a_second_wave(4);
    items().skip(1).take(3).for_each(|item| shop(&mut s, &item, "HighErrorRate", CRITICAL, EventStatus::Resolved));
    shop(&mut s, "pod6", "HighErrorRate", CRITICAL, EventStatus::Firing);
    assert_eq!((s.open().len(), s.open()[0].firing_count), (1, 3), "three fire, and one of those never stopped");
}

#[test]
fn one_that_fires_again_is_no_second_fault() {
    let s = a_second_wave(1);
    assert_eq!((s.open().len(), s.open()[0].firing_count), (1, 2));
}

#[test]
fn who_is_only_loosely_part_of_it_outlives_a_restart() {
    let first = six_pods_and_a_straggler();
    let state = State::restore(snapshot(&first.changes)).unwrap();
    let mut s = Scenario { state, ..first };
    items().for_each(|item| shop(&mut s, &item, "HighErrorRate", CRITICAL, EventStatus::Resolved));
    assert_eq!(s.open().len(), 0);
}
