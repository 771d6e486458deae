//! What is noted of each firing: when it began and ended, and what kept people from hearing.

use super::scenario::Scenario;
use super::{CRITICAL, lab};
use crate::engine::input::Command;
use crate::model::muting::MutedBy;
use crate::model::{Muting, PastFiring, Severity, SilenceDraft, Span, Timestamp};

fn muted(s: &Scenario, item: &str) -> Vec<Muting> {
    let alert = s.state.alerts().find(|alert| alert.configuration_item.as_deref() == Some(item));
    alert.map(|alert| alert.muted.to_vec()).unwrap_or_default()
}

fn span(muting: &Muting) -> (MutedBy, Timestamp, Option<Timestamp>) {
    (muting.by, muting.from, muting.until)
}

fn periods(s: &Scenario) -> Vec<(Timestamp, Timestamp, bool)> {
    let own = |firing: &PastFiring| (firing.from, firing.until, firing.alert.is_some());
    s.changes.firings.iter().map(own).collect()
}

#[test]
fn a_firing_is_told_of_when_it_ends_and_kept_when_the_alert_fires_again() {
    let mut s = Scenario::new(lab());
    let began = s.now;
    s.fire("nagios", "web1", "down", CRITICAL);
    assert_eq!(periods(&s), [], "nothing is written when it fires");
    s.pass(Span::from_mins(3));
    let ended = s.now;
    s.resolve("nagios", "web1", "down");
    s.resolve("nagios", "web1", "down");
    assert_eq!(periods(&s), [(began, ended, false)]);
    s.pass(Span::from_mins(1));
    let again = s.now;
    s.fire("nagios", "web1", "down", CRITICAL);
    assert_eq!(periods(&s)[1..], [(began, ended, true)]);
    let kept = s.changes.firings[1].alert.clone().unwrap();
    assert_eq!((kept.fired_at, kept.resolved_at), (began, Some(ended)));
    s.pass(Span::from_mins(1));
    s.resolve("nagios", "web1", "down");
    assert_eq!(periods(&s)[2..], [(again, s.now, false)]);
}

#[test]
fn what_first_says_that_it_is_over_has_not_fired() {
    let mut s = Scenario::new(lab());
    s.resolve("nagios", "web1", "down");
    s.pass(Span::from_mins(1));
    s.fire("nagios", "web1", "down", CRITICAL);
    assert_eq!(periods(&s), []);
}

#[test]
fn what_memory_lets_go_of_while_it_fires_is_on_record() {
    let mut s = Scenario::new(lab());
    let began = s.now;
    s.fire("nagios", "web1", "down", CRITICAL);
    let id = s.open()[0].id;
    s.pass(Span::from_mins(1));
    s.command(Command::Resolve { incident: id.to_string(), note: None });
    s.pass(Span::from_hours(48));
    let [(from, until, false)] = periods(&s)[..] else { panic!("{:?}", periods(&s)) };
    assert!(from == began && until > began + Span::from_hours(20), "{from} {until}");
}

#[test]
fn a_silence_mutes_from_its_start_to_its_end() {
    let mut s = Scenario::new(lab());
    let begins = s.now;
    s.command(Command::Silence(Box::new(SilenceDraft {
        matchers: vec!["alertname=\"down\"".parse().unwrap()],
        starts_at: begins,
        ends_at: begins + Span::from_mins(30),
        comment: "moving".into(),
        ..SilenceDraft::default()
    })));
    s.pass(Span::from_mins(10));
    let began = s.now;
    s.fire("nagios", "mon1", "down", CRITICAL);
    s.pass(Span::from_mins(5));
    let id = s.state.silences().next().unwrap().id.clone();
    let [silenced] = &muted(&s, "mon1")[..] else { panic!("{:?}", muted(&s, "mon1")) };
    assert_eq!((span(silenced), &silenced.cause), ((MutedBy::Silence, began, None), &id));
    s.pass(Span::from_mins(30));
    assert_eq!(span(&muted(&s, "mon1")[0]), (MutedBy::Silence, began, Some(begins + Span::from_mins(30))));
    assert!(!s.deliveries.is_empty());
}

#[test]
fn who_waits_for_a_verdict_is_held_until_people_hear() {
    let mut s = Scenario::new(lab());
    let began = s.now;
    s.fire("nagios", "web1", "down", CRITICAL);
    s.pass(Span::from_mins(1));
    let told_at = s.deliveries[0].created_at;
    let held = muted(&s, "web1");
    assert_eq!(held.iter().map(span).collect::<Vec<_>>(), [(MutedBy::HoldDown, began, Some(told_at))]);
    assert_eq!(held[0].cause, s.open()[0].id.to_string());
}

#[test]
fn what_is_too_harmless_for_an_incident_says_so() {
    let mut s = Scenario::new(lab());
    let began = s.now;
    s.fire("nagios", "web1", "chatty", Severity::Info);
    assert_eq!(muted(&s, "web1").iter().map(span).collect::<Vec<_>>(), [(MutedBy::NoIncident, began, None)]);
    s.pass(Span::from_mins(1));
    s.resolve("nagios", "web1", "chatty");
    assert_eq!(span(&muted(&s, "web1")[0]), (MutedBy::NoIncident, began, Some(s.now)));
}
