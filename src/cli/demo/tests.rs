//! The recording is sound, and the engine makes one incident of it.

use super::*;
use crate::engine::effect::Effect;
use crate::engine::input::Input;
use crate::engine::state::{Snapshot, State};
use crate::engine::{next_deadline, step};
use crate::error::Table;
use crate::model::{Delivery, Event, EventStatus, Incident, IncidentState};
use crate::sources::{self, Inbound};
use std::collections::{BTreeMap, BTreeSet};

const BEGAN_AT: &str = "2026-11-21T05:00:00.250Z";

fn playback(speed: f64, repair_at: Option<Timestamp>) -> Playback {
    Playback { outage_at: BEGAN_AT.parse().unwrap(), repair_at, speed }
}

/// What the source makes of one request that arrives as soon as it is due.
fn events(request: &Request, playback: &Playback) -> Vec<Event> {
    let body = request.body(playback).unwrap();
    let source = (sources::find(&request.monitor).unwrap().build)(&Table::new()).unwrap();
    let inbound = Inbound {
        source: &request.monitor,
        content_type: "application/json",
        body: body.as_bytes(),
        received_at: playback.moment(request.act, request.at_ms).unwrap(),
    };
    source.parse(&inbound).unwrap_or_else(|error| panic!("{}: {error}", request.says)).into_events()
}

/// The whole recording at its own speed, the repair 20 s after the outage.
fn all_events() -> Vec<(Request, Vec<Event>)> {
    let playback = playback(1.0, Some("2026-11-21T05:00:20.250Z".parse().unwrap()));
    let read = |request: Request| {
        let events = events(&request, &playback);
        (request, events)
    };
    outage::recording().unwrap().into_iter().map(read).collect()
}

#[test]
fn three_monitors_send_about_a_hundred_requests() {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for request in outage::recording().unwrap() {
        *counts.entry(format!("{:?} {}", request.act, request.monitor)).or_default() += 1;
    }
    insta::assert_debug_snapshot!(counts, @r#"
    {
        "Outage nagios": 24,
        "Outage prometheus": 20,
        "Outage zabbix": 24,
        "Repair nagios": 10,
        "Repair prometheus": 8,
        "Repair zabbix": 15,
    }
    "#);
}

#[test]
fn requests_are_in_order_and_go_where_their_monitor_posts() {
    let requests = outage::recording().unwrap();
    assert!(requests.is_sorted_by_key(|request| (request.act == Act::Repair, request.at_ms)));
    for request in &requests {
        let expected = match request.monitor.as_str() {
            "prometheus" => "/api/v2/alerts".to_owned(),
            monitor => format!("/in/{monitor}"),
        };
        assert_eq!(request.path, expected);
    }
}

#[test]
fn children_are_reported_before_the_router() {
    let all = all_events();
    let item = |event: &Event| event.configuration_item.clone().or(event.labels.get("host").map(str::to_owned));
    let first =
        |wanted: &str| all.iter().position(|(_, events)| events.iter().any(|e| item(e).as_deref() == Some(wanted)));
    let router = first(outage::ROOT_CAUSE).unwrap();
    for child in ["web1", "web2", "db1"] {
        assert!(first(child).unwrap() < router, "{child}");
    }
}

#[test]
fn every_firing_has_its_end() {
    let mut firing = BTreeSet::new();
    let mut count = 0;
    for (request, events) in all_events() {
        for event in events {
            let key = (event.source, event.dedup_key);
            match event.status {
                EventStatus::Firing => {
                    assert_eq!(request.act, Act::Outage, "{}", request.says);
                    count += usize::from(firing.insert(key));
                }
                EventStatus::Resolved => {
                    assert_eq!(request.act, Act::Repair, "{}", request.says);
                    firing.remove(&key);
                }
                _ => {}
            }
        }
    }
    assert_eq!((count, firing.len()), (31, 0), "{firing:?}");
}

#[test]
fn no_time_is_stale_or_ahead() {
    for (request, events) in all_events() {
        for event in events {
            let age = event.received_at.since(event.at);
            assert!(age >= Span::ZERO && age < Span::from_mins(1), "{}: {age:?} old", request.says);
            let left = event.expires_at.map(|at| at.since(event.received_at));
            assert!(left.is_none_or(|left| left > Span::from_mins(3)), "{}: {left:?} left", request.says);
        }
    }
}

#[test]
fn the_speed_of_the_show_changes_no_life_time() {
    let fast = playback(1_000.0, None);
    let requests = outage::recording().unwrap();
    let firing = requests.iter().filter(|r| r.act == Act::Outage && r.monitor == "prometheus");
    for event in firing.flat_map(|request| events(request, &fast)) {
        assert_eq!(event.status, EventStatus::Firing);
        assert!(event.expires_at.unwrap().since(event.received_at) > Span::from_mins(3));
    }
}

/// A state under the demo's own configuration, and the clock that goes with it.
struct Engine {
    state: State,
    now: Timestamp,
    deliveries: Vec<Delivery>,
}

impl Engine {
    fn new() -> Self {
        let policy = Box::new(Stage::new().unwrap().load().unwrap().policy);
        let state = State::restore(Snapshot::default()).unwrap();
        let mut engine = Self { state, now: BEGAN_AT.parse().unwrap(), deliveries: Vec::new() };
        engine.input(Input::Configured { policy });
        engine
    }

    fn input(&mut self, input: Input) {
        for effect in step(&mut self.state, self.now, input) {
            if let Effect::Deliver(delivery) = effect {
                self.deliveries.push(*delivery);
            }
        }
    }

    /// Lets time pass, ticking whenever the engine asks for it.
    fn pass_until(&mut self, until: Timestamp) {
        while let Some(at) = next_deadline(&self.state).filter(|at| *at <= until) {
            self.now = at.max(self.now);
            self.input(Input::Tick);
        }
        self.now = until;
    }

    fn play(&mut self, act: Act, playback: &Playback) {
        for request in outage::recording().unwrap().iter().filter(|request| request.act == act) {
            self.pass_until(playback.moment(act, request.at_ms).unwrap());
            self.input(Input::Events { events: events(request, playback) });
        }
    }

    /// As the demo itself looks at it over HTTP, with the deliveries done.
    fn observed(&self) -> Observed {
        let is_shown = |incident: &&Incident| incident.state != IncidentState::Merged;
        let mut deliveries = self.deliveries.clone();
        for delivery in &mut deliveries {
            delivery.state = crate::model::DeliveryState::Delivered { proof: "written".into() };
        }
        Observed { incidents: self.state.incidents().filter(is_shown).cloned().collect(), deliveries }
    }
}

fn check(speed: f64) {
    let mut engine = Engine::new();
    let mut playback = playback(speed, None);
    engine.play(Act::Outage, &playback);
    engine.pass_until(engine.now.max(playback.outage_at + Span::from_secs(15)));
    let observed = engine.observed();
    let incident = observed.judge(&[NotificationKind::Opened]).unwrap();
    assert_eq!((incident.alert_count, incident.firing_count), (31, 31));
    assert_eq!((incident.priority.as_str(), incident.state), ("P1", IncidentState::Open));

    playback.repair_at = Some(engine.now);
    engine.play(Act::Repair, &playback);
    engine.pass_until(engine.now + Span::from_secs(30));
    let observed = engine.observed();
    let incident = observed.judge(&[NotificationKind::Opened, NotificationKind::Resolved]).unwrap();
    assert_eq!((incident.firing_count, incident.state), (0, IncidentState::Resolved));
}

#[test]
fn one_router_is_one_incident_and_one_notification() {
    for speed in [1.0, *SPEEDS.start(), 7.0, *SPEEDS.end()] {
        check(speed);
    }
}

#[test]
fn the_demo_runs_on_a_clean_configuration() {
    let stage = Stage::new().unwrap();
    let loaded = stage.load().unwrap();
    assert!(loaded.listen.ip().is_loopback());
    let crate::config::StoreSettings::Sqlite { path } = &loaded.store;
    assert!(path.starts_with(stage.file().parent().unwrap()), "{}", path.display());
    let other = configuration("127.0.0.1:7".parse().unwrap());
    assert!(other.contains("\nlisten: 127.0.0.1:7\n"), "{other}");
}

#[test]
fn another_port_is_taken_while_the_usual_one_is_in_use() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let usual = taken.local_addr().unwrap();
    let other = free_address(usual).unwrap();
    assert_ne!(other, usual);
    assert!(other.ip().is_loopback());
}

#[test]
fn a_wrong_outcome_is_said_in_words() {
    let check = |observed: Observed, expected: &[NotificationKind]| observed.judge(expected).unwrap_err().to_string();
    let nothing = Observed { incidents: Vec::new(), deliveries: Vec::new() };
    insta::assert_snapshot!(check(nothing, &[]), @"expected one incident, got 0: ");
    let mut engine = Engine::new();
    engine.play(Act::Outage, &playback(1.0, None));
    let both = [NotificationKind::Opened, NotificationKind::Resolved];
    insta::assert_snapshot!(check(engine.observed(), &both), @"expected the notifications `opened, resolved`, got `opened`");
}
