//! A person parts an incident, and what they did stays; what the engine only suggests while somebody works on it.

use super::scenario::{Scenario, snapshot};
use super::split::{items, second_wave_after, shop, six_pods_and_a_straggler};
use super::{CRITICAL, lab};
use crate::engine::input::{Command, Reply};
use crate::engine::state::State;
use crate::model::event::EventStatus;
use crate::model::{Fingerprint, Incident, IncidentId, IncidentState, NotificationKind, Severity, Span};

fn split(incident: &IncidentId, alerts: &[Fingerprint], into: Option<&IncidentId>) -> Command {
    let into = into.map(ToString::to_string);
    Command::SplitIncident { incident: incident.to_string(), alerts: alerts.to_vec(), into }
}

fn acknowledge(s: &mut Scenario) {
    let incident = s.open()[0].id.to_string();
    s.command(Command::Acknowledge { incident, note: None });
}

fn alert(s: &Scenario, item: &str) -> Fingerprint {
    let found = s.state.alerts().find(|alert| alert.configuration_item.as_deref() == Some(item));
    found.unwrap_or_else(|| panic!("no alert on {item}")).fingerprint
}

fn place(s: &Scenario, item: &str) -> IncidentId {
    let fingerprint = alert(s, item);
    s.state.alerts().find(|alert| alert.fingerprint == fingerprint).and_then(|alert| alert.incident).unwrap()
}

fn incident<'a>(s: &'a Scenario, id: &IncidentId) -> &'a Incident {
    s.state.incident(id).unwrap()
}

fn done(reply: &Reply) -> IncidentId {
    let Reply::Done(id) = reply else { panic!("{reply:?}") };
    id.parse().unwrap()
}

fn refused(reply: Reply, s: &Scenario) -> String {
    let Reply::Refused(mut why) = reply else { panic!("{reply:?}") };
    for (number, incident) in s.state.incidents().enumerate() {
        why = why.replace(&*incident.id.to_string(), &format!("inc-{number}"));
    }
    why
}

/// Six pods fail at once, and somebody says that two of them have something else.
fn parted() -> (Scenario, IncidentId, IncidentId) {
    let mut s = Scenario::new(lab());
    items().for_each(|item| shop(&mut s, &item, "HighErrorRate", CRITICAL, EventStatus::Firing));
    s.pass(Span::from_secs(20));
    let old = s.open()[0].id;
    let alerts = [alert(&s, "pod5"), alert(&s, "pod6")];
    let new = done(&s.command(split(&old, &alerts, None)));
    (s, old, new)
}

#[test]
fn the_alerts_become_an_incident_that_people_hear_of_once() {
    let (mut s, old, new) = parted();
    assert_ne!(old, new);
    let counts = [&old, &new].map(|id| (incident(&s, id).state, incident(&s, id).alert_count));
    assert_eq!(counts, [(IncidentState::Open, 4), (IncidentState::Open, 2)]);
    assert_eq!((&incident(&s, &old).split_into, &incident(&s, &new).split_from), (&vec![new], &vec![old]));
    assert!(incident(&s, &new).root_cause.is_some());
    for (id, text) in [(old, format!("2 alerts of another fault went to {new}")), (new, format!("came from {old}"))] {
        let told = |entry: &crate::model::TimelineEntry| entry.text.contains(&text) && entry.by == "anna";
        assert!(s.timeline.iter().any(|entry| entry.incident == Some(id) && told(entry)), "{text}: {:#?}", s.timeline);
    }
    s.pass(Span::from_mins(2));
    let heard: Vec<_> = s.deliveries.iter().map(|sent| (sent.incident, sent.notification.kind)).collect();
    assert_eq!(heard, [(old, NotificationKind::Opened), (new, NotificationKind::Opened)]);
    // Whoever asks twice has what was asked for.
    let again = split(&old, &[alert(&s, "pod5")], None);
    assert_eq!(s.command(again), Reply::Already(new.to_string()));
}

#[test]
fn the_alerts_may_go_to_another_incident() {
    let mut s = Scenario::new(lab());
    items().for_each(|item| shop(&mut s, &item, "HighErrorRate", CRITICAL, EventStatus::Firing));
    s.fire("nagios", "mon1", "load", CRITICAL);
    s.pass(Span::from_secs(20));
    let (old, other) = (place(&s, "pod1"), place(&s, "mon1"));
    assert_ne!(old, other);
    let command = split(&old, &[alert(&s, "pod6")], Some(&other));
    assert_eq!(done(&s.command(command)), other);
    assert_eq!((place(&s, "pod6"), incident(&s, &other).alert_count, incident(&s, &old).alert_count), (other, 2, 5));
    assert_eq!((&incident(&s, &old).split_into, &incident(&s, &other).split_from), (&vec![other], &vec![old]));
    assert_eq!(s.open().len(), 2);
}

#[test]
fn what_cannot_be_parted_is_refused_with_the_field() {
    let mut s = six_pods_and_a_straggler();
    s.fire("nagios", "mon1", "load", CRITICAL);
    let (old, other) = (place(&s, "pod1"), place(&s, "mon1"));
    let of_it: Vec<Fingerprint> = items().map(|item| alert(&s, &item)).chain([alert(&s, "batch1")]).collect();
    let (one, foreign) = (of_it[0], alert(&s, "mon1"));
    let mut told = Vec::new();
    for command in [
        split(&old, &[], None),
        split(&old, &[one, Fingerprint(7)], None),
        split(&old, &[one, foreign], None),
        split(&old, &of_it, None),
        split(&old, &[one, one], Some(&old)),
    ] {
        told.push(s.command(command));
    }
    told.push(s.command(Command::SplitIncident {
        incident: old.to_string(),
        alerts: vec![one],
        into: Some("zzz".into()),
    }));
    s.command(Command::Resolve { incident: other.to_string(), note: None });
    told.push(s.command(split(&other, &[foreign], None)));
    told.push(s.command(split(&old, &[one], Some(&other))));
    let told: Vec<String> = told.into_iter().map(|reply| refused(reply, &s)).collect();
    insta::assert_snapshot!(told.join("\n"), @"
    `alerts`: expected 1 to 500 alerts, got 0
    `alerts[1]`: no alert here has the id `0000000000000007`
    `alerts`: expected alerts of inc-0, but a0be7790451ee6e4 belongs to inc-1
    `alerts`: expected some of the 7 alerts of inc-0, got all of them
    `into`: expected another incident, got inc-0 itself
    `into`: nothing here has the id `zzz`
    `incident`: expected one that is open or acknowledged, inc-1 is resolved
    `into`: expected one that is open or acknowledged, inc-1 is resolved
    ");
    let unknown = Command::SplitIncident { incident: "zzz".into(), alerts: vec![one], into: None };
    assert_eq!(s.command(unknown), Reply::NotFound("zzz".into()));
    assert_eq!(incident(&s, &old).alert_count, 7);
}

#[test]
fn an_id_that_was_merged_leads_to_the_incident_that_is_parted() {
    let mut s = Scenario::new(lab());
    s.fire("nagios", "web1", "host check", CRITICAL);
    s.fire("nagios", "web2", "host check", CRITICAL);
    s.fire("nagios", "rtr1", "host check", CRITICAL);
    s.pass(Span::from_secs(20));
    let merged = s.state.incidents().find(|incident| incident.state == IncidentState::Merged).unwrap().id;
    let survivor = place(&s, "rtr1");
    let new = done(&s.command(split(&merged, &[alert(&s, "web2")], None)));
    assert_eq!(incident(&s, &new).split_from, [survivor]);
    assert_eq!(incident(&s, &survivor).alert_count, 2);
}

#[test]
fn what_a_person_has_parted_is_not_merged_again() {
    let mut s = Scenario::new(lab());
    s.fire("nagios", "web1", "host check", CRITICAL);
    s.fire("nagios", "web1", "http", CRITICAL);
    let command = split(&place(&s, "web1"), &[s.state.alerts().last().unwrap().fingerprint], None);
    let (old, new) = (place(&s, "web1"), done(&s.command(command)));
    // Without the person, what fails above would make one of the two.
    s.fire("nagios", "rtr1", "host check", CRITICAL);
    s.pass(Span::from_mins(1));
    let states = [&old, &new].map(|id| incident(&s, id).state);
    assert_eq!(states, [IncidentState::Open, IncidentState::Open], "{:#?}", s.timeline);
}

#[test]
fn what_a_person_has_placed_stays_over_a_restart() {
    let mut s = six_pods_and_a_straggler();
    let old = s.open()[0].id;
    let alerts = [alert(&s, "pod6"), alert(&s, "batch1")];
    let new = done(&s.command(split(&old, &alerts, None)));
    let state = State::restore(snapshot(&s.changes)).unwrap();
    let mut s = Scenario { state, ..s };
    // Fires again as what belongs to the others, and flaps.
    for _ in 0..10 {
        shop(&mut s, "batch1", "QueueGrows", Severity::Warning, EventStatus::Resolved);
        s.pass(Span::from_secs(1));
        shop(&mut s, "batch1", "QueueGrows", Severity::Warning, EventStatus::Firing);
        s.pass(Span::from_secs(1));
    }
    shop(&mut s, "pod6", "HighErrorRate", CRITICAL, EventStatus::Resolved);
    assert_eq!((place(&s, "batch1"), incident(&s, &new).state), (new, IncidentState::Open), "{:#?}", s.timeline);
    s.pass(Span::from_mins(20));
    assert_eq!((place(&s, "batch1"), incident(&s, &new).state), (new, IncidentState::Open));
    assert_eq!(incident(&s, &old).firing_count, 5);
}

#[test]
fn a_second_wave_leaves_what_a_person_has_placed() {
    let place_two = |s: &mut Scenario| {
        s.fire("nagios", "mon1", "load", CRITICAL);
        let alerts = [alert(s, "pod5"), alert(s, "pod6")];
        // They are parted, and one is put back on purpose.
        let old = place(s, "pod1");
        let new = done(&s.command(split(&old, &alerts, None)));
        assert_eq!(done(&s.command(split(&new, &alerts[..1], Some(&old)))), old);
    };
    let mut s = second_wave_after(place_two, 5);
    let old = place(&s, "pod1");
    for item in ["pod7", "pod8"] {
        shop(&mut s, item, "HighErrorRate", CRITICAL, EventStatus::Firing);
    }
    assert_eq!(place(&s, "pod5"), old);
    assert_ne!(place(&s, "pod2"), old, "five others are a second fault");
}

#[test]
fn the_last_that_fires_leaves_and_the_incident_is_over() {
    let (mut s, old, new) = parted();
    s.command(Command::Acknowledge { incident: old.to_string(), note: None });
    (1..=3).for_each(|number| {
        shop(&mut s, &format!("pod{number}"), "HighErrorRate", CRITICAL, EventStatus::Resolved);
    });
    let command = split(&old, &[alert(&s, "pod4")], Some(&new));
    assert_eq!(done(&s.command(command)), new);
    assert_eq!((incident(&s, &old).state, incident(&s, &new).firing_count), (IncidentState::Resolved, 3));
    assert!(s.says(&format!("what still fired went to {new}")));
}

#[test]
fn a_second_fault_in_what_somebody_works_on_is_a_suggestion_made_once() {
    let mut s = second_wave_after(acknowledge, 5);
    let id = s.open()[0].id;
    assert_eq!((s.open().len(), s.open()[0].firing_count), (1, 6));
    let suggestion = s.open()[0].split_suggestion.clone().unwrap();
    let expected: Vec<String> = (2..=6).map(|number| alert(&s, &format!("pod{number}")).to_string()).collect();
    assert_eq!(suggestion.alerts, expected);
    assert_eq!(suggestion.command, format!("watchbell split {id} --alerts {}", expected.join(",")));
    insta::assert_snapshot!(suggestion.why, @"5 alerts that came together after a time of quiet may be another fault");
    // The wave grows, and so does the suggestion, in silence.
    shop(&mut s, "pod7", "HighErrorRate", CRITICAL, EventStatus::Firing);
    assert_eq!(s.open()[0].split_suggestion.as_ref().unwrap().alerts.len(), 6);
    let said = s.timeline.iter().filter(|entry| entry.text.contains("nothing is parted")).count();
    assert_eq!(said, 1);

    let alerts: Vec<Fingerprint> = suggestion.alerts.iter().map(|id| id.parse().unwrap()).collect();
    done(&s.command(split(&id, &alerts, None)));
    assert_eq!(incident(&s, &id).split_suggestion, None);
    assert_eq!(s.open().len(), 2);
}

#[test]
fn a_suggestion_outlives_a_restart_and_ends_with_its_incident() {
    let s = second_wave_after(acknowledge, 5);
    let state = State::restore(snapshot(&s.changes)).unwrap();
    let mut s = Scenario { state, ..s };
    assert!(s.open()[0].split_suggestion.is_some());
    let incident = s.open()[0].id;
    s.command(Command::Resolve { incident: incident.to_string(), note: None });
    assert_eq!(s.state.incident(&incident).unwrap().split_suggestion, None);
}
