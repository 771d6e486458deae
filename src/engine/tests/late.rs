//! What comes late or twice, and ids that are used long after.

use super::scenario::{Scenario, event, snapshot};
use super::{CRITICAL, lab};
use crate::engine::input::{Command, Input, Reply};
use crate::model::event::EventStatus;
use crate::model::{IncidentState, Span};

#[test]
fn the_end_of_an_earlier_firing_does_not_end_the_present_one() {
    let mut s = Scenario::new(lab());
    let end = |s: &Scenario| event(s.now, "prometheus", "db-1", "DatabaseDown", CRITICAL, EventStatus::Resolved);
    s.fire("prometheus", "db-1", "DatabaseDown", CRITICAL);
    s.pass(Span::from_mins(1));
    let mut end = end(&s);
    s.input(Input::Events { events: vec![end.clone()] });
    s.pass(Span::from_mins(1));
    s.fire("prometheus", "db-1", "DatabaseDown", CRITICAL);
    s.pass(Span::from_mins(1));
    end.received_at = s.now;
    s.input(Input::Events { events: vec![end] });
    assert_eq!(s.open().len(), 1, "its sender heard no answer and sent it again");
    s.resolve("prometheus", "db-1", "DatabaseDown");
    assert_eq!(s.open().len(), 0);
}

#[test]
fn an_id_leads_to_the_survivor_as_long_as_that_is_worked_on() {
    let mut s = Scenario::new(lab());
    s.fire("nagios", "web1", "host check", CRITICAL);
    s.pass(Span::from_secs(10));
    s.fire("nagios", "web2", "host check", CRITICAL);
    s.pass(Span::from_secs(20));
    s.fire("nagios", "rtr1", "host check", CRITICAL);
    let survivor = s.open()[0].id.to_string();
    let merged = s.state.incidents().find(|incident| incident.state == IncidentState::Merged).unwrap().id;
    s.pass(Span::from_hours(30));
    assert!(s.state.incident(&merged).is_none(), "memory let go of it");
    let reply = s.command(Command::Acknowledge { incident: merged.to_string(), note: None });
    assert_eq!(reply, Reply::Done(survivor));
}

#[test]
fn what_is_closed_is_closed_by_its_old_id_too() {
    let mut s = Scenario::new(lab());
    s.fire("nagios", "web1", "host check", CRITICAL);
    s.pass(Span::from_secs(10));
    s.fire("nagios", "web2", "host check", CRITICAL);
    s.fire("nagios", "rtr1", "host check", CRITICAL);
    let survivor = s.open()[0].id.to_string();
    let merged = s.state.incidents().find(|incident| incident.state == IncidentState::Merged).unwrap().id.to_string();
    ["web1", "web2", "rtr1"].into_iter().for_each(|item| s.resolve("nagios", item, "host check"));
    s.pass(Span::from_hours(23));
    for id in [&survivor, &merged] {
        let reply = s.command(Command::Comment { incident: id.clone(), text: "still slow".to_owned() });
        assert_eq!(reply, Reply::Done(survivor.clone()), "it is only resolved");
    }
    s.pass(Span::from_hours(2));
    for id in [survivor, merged] {
        let reply = s.command(Command::Comment { incident: id.clone(), text: "still slow".to_owned() });
        assert_eq!(reply, Reply::NotFound(id));
    }
}

#[test]
fn an_end_that_a_clock_moved_far_is_written_down_with_the_first_repetition() {
    let mut s = Scenario::new(lab());
    let mut firing = event(s.now, "prometheus", "db-1", "DatabaseDown", CRITICAL, EventStatus::Firing);
    firing.expires_at = Some(s.now + Span::from_mins(5));
    s.input(Input::Events { events: vec![firing.clone()] });
    s.input(Input::ClockSet { jumped: Span::ZERO, ahead: Span::from_hours(1) });
    s.input(Input::Events { events: vec![firing] });
    let in_memory = s.state.alerts().next().unwrap().expires_at;
    assert_eq!(in_memory, Some(s.now + Span::from_mins(65)));
    assert_eq!(snapshot(&s.changes).alerts[0].expires_at, in_memory);
}
