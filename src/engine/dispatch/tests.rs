//! Alertmanager's times and rules, one by one, with the clock in hand; and every case once more with restarts.

mod again;
mod along_dependencies;
mod merge;
mod redrive;
mod relabelled;
mod remote;
mod start;

use std::collections::BTreeSet;

use crate::engine::input::{Command, Input, Principal, Role, SendResult};
use crate::engine::policy::{NotifyBy, Policy, Receiver};
use crate::engine::state::State;
use crate::engine::tests::scenario::{Scenario, snapshot};
use crate::model::event::{Event, EventStatus};
use crate::model::{AlertStatus, Delivery, Labels, Severity, Span, Timestamp};

const SECOND: Span = Span::from_secs(1);

struct World {
    s: Scenario,
    start: Timestamp,
    /// What the receivers were told: `2.0 ops/a: +x -y`.
    told: Vec<String>,
    seen: usize,
    refused: BTreeSet<String>,
    restarts: bool,
}

fn policy(route: serde_json::Value) -> Policy {
    let receiver =
        |sinks: &[&str]| Receiver { sinks: sinks.iter().map(|s| (*s).to_owned()).collect(), ..Receiver::default() };
    Policy {
        notify_by: NotifyBy::Group,
        route: serde_json::from_value(route).unwrap(),
        receivers: [
            ("ops", receiver(&["ops/a"])),
            ("two", receiver(&["two/a", "two/b"])),
            ("log", receiver(&["log/log"])),
        ]
        .map(|(name, receiver)| (name.to_owned(), receiver))
        .into(),
        ..Policy::default()
    }
}

/// Waits one second, looks every three, repeats after ten.
fn plain() -> Policy {
    policy(serde_json::json!({"receiver": "ops", "group_by": ["site"],
        "group_wait": "1s", "group_interval": "3s", "repeat_interval": "10s"}))
}

impl World {
    fn new(policy: Policy, restarts: bool) -> Self {
        let s = Scenario::new(policy);
        Self { start: s.now, s, told: Vec::new(), seen: 0, refused: BTreeSet::new(), restarts }
    }

    fn post(&mut self, labels: &str, status: EventStatus, expires_in: Option<Span>) {
        let now = self.s.now;
        let event = event(now, labels, status, expires_in.map(|span| now + span));
        self.events(vec![event]);
    }

    fn events(&mut self, events: Vec<Event>) {
        self.s.input(Input::Events { events });
        self.deliver();
        self.restart();
    }

    fn fire(&mut self, labels: &str) {
        self.post(labels, EventStatus::Firing, None);
    }

    fn resolve(&mut self, labels: &str) {
        self.post(labels, EventStatus::Resolved, None);
    }

    fn pass(&mut self, span: Span) {
        let until = self.s.now + span;
        while self.s.now < until {
            let left = until.since(self.s.now);
            self.s.pass(if left < Span::from_millis(100) { left } else { Span::from_millis(100) });
            self.deliver();
            self.restart();
        }
    }

    /// Every receiver takes what it gets at once, but those that refuse.
    fn deliver(&mut self) {
        while self.seen < self.s.deliveries.len() {
            let delivery = self.s.deliveries[self.seen].clone();
            self.seen += 1;
            if self.refused.contains(&delivery.sink) {
                continue;
            }
            self.told.push(self.text(&delivery));
            self.s.sent(&delivery.id, SendResult::Delivered { proof: "ok".into(), remote: None });
        }
    }

    fn text(&self, delivery: &Delivery) -> String {
        let group = delivery.notification.group.as_ref().expect("a group");
        let alerts: Vec<String> = group
            .alerts
            .iter()
            .map(|alert| {
                let sign = if alert.status == AlertStatus::Firing { '+' } else { '-' };
                format!("{sign}{}", alert.labels.get("alertname").unwrap_or("?"))
            })
            .collect();
        let at = self.s.now.since(self.start).as_millis();
        format!("{}.{} {}: {}", at / 1_000, at % 1_000 / 100, delivery.sink, alerts.join(" "))
    }

    /// The state that the store holds takes over.
    fn restart(&mut self) {
        if self.restarts {
            let mut stored = snapshot(&self.s.changes);
            stored.last_at = self.s.now;
            self.s.state = State::restore(stored).unwrap();
        }
    }

    fn silence(&mut self, matcher: &str, span: Span) {
        let command: Command = serde_json::from_value(serde_json::json!({"command": "silence", "matchers": [matcher],
            "starts_at": self.s.now, "ends_at": self.s.now + span, "comment": "work"}))
        .unwrap();
        let by = Principal { name: "anna".to_owned(), role: Role::Responder };
        self.s.input(Input::Command { by, command });
        self.restart();
    }
}

/// `x site=1` is an alert named x with that label.
fn event(now: Timestamp, labels: &str, status: EventStatus, expires_at: Option<Timestamp>) -> Event {
    let mut words = labels.split(' ');
    let name = words.next().unwrap_or_default();
    let mut labels = Labels::from_iter(words.filter_map(|word| word.split_once('=')));
    labels.insert("alertname", name);
    Event {
        labels: labels.clone(),
        dedup_key: labels.fingerprint().to_string(),
        expires_at,
        ..crate::engine::tests::event(now, "prometheus", "", name, Severity::Critical, status)
    }
}

/// Runs a case as it is, and with a restart after everything that happens; it must come out the same.
fn check(policy: Policy, case: impl Fn(&mut World), expected: &[&str]) {
    for restarts in [false, true] {
        let mut world = World::new(policy.clone(), restarts);
        case(&mut world);
        assert_eq!(world.told, expected, "with restarts: {restarts}");
    }
}

#[test]
fn a_group_waits_then_is_looked_at_every_interval_and_repeated() {
    check(
        plain(),
        |w| {
            w.fire("x site=1");
            w.pass(Span::from_millis(500));
            w.fire("y site=1");
            w.fire("z site=2");
            w.pass(SECOND);
            w.fire("w site=1");
            w.pass(SECOND + SECOND + SECOND);
            w.pass(Span::from_secs(20));
        },
        &["1.0 ops/a: +x +y", "1.5 ops/a: +z", "4.0 ops/a: +w +x +y", "13.5 ops/a: +z", "16.0 ops/a: +w +x +y"],
    );
}

#[test]
fn an_end_is_told_at_the_next_moment_and_the_group_is_gone() {
    check(
        plain(),
        |w| {
            w.fire("x site=1");
            w.fire("y site=1");
            w.pass(SECOND + SECOND);
            w.resolve("x site=1");
            w.pass(SECOND + SECOND + SECOND);
            w.resolve("y site=1");
            w.pass(SECOND + SECOND + SECOND);
            assert_eq!(w.s.state.book().group_count(), 0);
            assert_eq!(w.s.state.alerts().count(), 0);
            w.fire("x site=1");
            w.pass(SECOND + SECOND);
        },
        &["1.0 ops/a: +x +y", "4.0 ops/a: -x +y", "7.0 ops/a: -y", "9.0 ops/a: +x"],
    );
}

#[test]
fn what_is_over_before_anyone_was_told_is_told_to_nobody() {
    check(
        plain(),
        |w| {
            w.fire("x site=1");
            w.resolve("x site=1");
            w.resolve("y site=1");
            w.pass(Span::from_secs(20));
            assert_eq!(w.s.state.book().group_count(), 0);
        },
        &[],
    );
}

#[test]
fn an_alert_is_over_when_its_sender_does_not_repeat_it() {
    // A restart gives senders time once more (`system::expires_at`), so it is no part of this.
    let mut w = World::new(plain(), false);
    w.post("x site=1", EventStatus::Firing, Some(Span::from_secs(5)));
    w.pass(Span::from_secs(3));
    w.post("x site=1", EventStatus::Firing, Some(Span::from_secs(5)));
    w.pass(Span::from_secs(9));
    assert_eq!(w.told, ["1.0 ops/a: +x", "10.0 ops/a: -x"]);
}

#[test]
fn who_does_not_want_ends_hears_the_next_firing_all_the_same() {
    let mut policy = plain();
    policy.receivers.get_mut("ops").unwrap().without_resolved = vec!["ops/a".to_owned()];
    check(
        policy,
        |w| {
            w.fire("x site=1");
            w.fire("y site=1");
            w.pass(SECOND + SECOND);
            w.resolve("x site=1");
            w.pass(SECOND + SECOND + SECOND);
            w.resolve("y site=1");
            w.pass(SECOND + SECOND + SECOND);
            w.fire("x site=1");
            w.pass(SECOND + SECOND);
        },
        &["1.0 ops/a: +x +y", "9.0 ops/a: +x"],
    );
}

#[test]
fn continue_reaches_two_receivers_and_each_sink_is_told() {
    let tree = serde_json::json!({"receiver": "ops", "group_wait": "1s", "group_interval": "3s",
        "routes": [{"matchers": ["site=\"1\""], "receiver": "two", "continue": true},
            {"matchers": ["site=\"1\""], "receiver": "ops", "group_wait": "2s"}]});
    check(
        policy(tree),
        |w| {
            w.fire("x site=1");
            w.fire("y site=2");
            w.pass(Span::from_secs(3));
        },
        &["1.0 ops/a: +y", "1.0 two/a: +x", "1.0 two/b: +x", "2.0 ops/a: +x"],
    );
}

#[test]
fn one_that_has_stood_for_long_does_not_wait() {
    check(
        plain(),
        |w| {
            let mut old = event(w.s.now, "x site=1", EventStatus::Firing, None);
            old.at = w.s.now - Span::from_secs(2);
            w.events(vec![old]);
            w.pass(SECOND);
        },
        &["0.0 ops/a: +x"],
    );
}

#[test]
fn a_silence_is_looked_at_at_each_moment_and_what_outlives_it_is_heard() {
    check(
        plain(),
        |w| {
            w.silence("alertname=x", Span::from_secs(5));
            w.fire("x site=1");
            w.fire("y site=1");
            w.pass(Span::from_secs(8));
        },
        &["1.0 ops/a: +y", "7.0 ops/a: +x +y"],
    );
}

fn with_rule() -> Policy {
    let mut policy = plain();
    policy.route.group_wait = Some(Span::ZERO);
    policy.inhibit_rules = vec![
        serde_json::from_value(serde_json::json!({"source_matchers": ["alertname=~\"router|x\""],
            "target_matchers": ["alertname!=\"router\""], "equal": ["site"]}))
        .unwrap(),
    ];
    policy
}

#[test]
fn an_inhibitor_in_the_next_request_is_waited_for() {
    check(
        with_rule(),
        |w| {
            w.fire("y site=1");
            w.pass(Span::from_millis(200));
            w.fire("router site=1");
            w.pass(Span::from_secs(10));
            w.resolve("router site=1");
            w.pass(Span::from_secs(4));
        },
        &["0.3 ops/a: +router", "12.3 ops/a: -router +y"],
    );
}

#[test]
fn one_on_both_sides_of_a_rule_is_inhibited_by_others_only() {
    check(
        with_rule(),
        |w| {
            w.fire("x site=1");
            w.pass(SECOND);
            w.fire("y site=1");
            w.pass(Span::from_secs(4));
            w.fire("router site=1");
            w.resolve("x site=1");
            w.pass(Span::from_secs(3));
        },
        &["0.3 ops/a: +x", "6.3 ops/a: +router"],
    );
}

#[test]
fn a_receiver_that_takes_nothing_hears_the_present_once_it_does() {
    check(
        plain(),
        |w| {
            w.refused.insert("ops/a".to_owned());
            w.fire("x site=1");
            w.pass(Span::from_secs(2));
            w.fire("y site=1");
            w.pass(Span::from_secs(10));
            let waiting: Vec<&Delivery> = w.s.state.deliveries().collect();
            let texts: Vec<String> = waiting.iter().map(|delivery| w.text(delivery)).collect();
            assert_eq!(texts, ["12.0 ops/a: +x", "12.0 ops/a: +x +y"]);
            let ids: Vec<String> = waiting.iter().map(|delivery| delivery.id.clone()).collect();
            w.s.sent(&ids[0], SendResult::Superseded { by: ids[1].clone() });
            w.s.sent(&ids[1], SendResult::Delivered { proof: "ok".into(), remote: None });
            w.refused.clear();
            w.resolve("x site=1");
            w.pass(Span::from_secs(3));
        },
        &["13.0 ops/a: -x +y"],
    );
}

#[test]
fn a_refusal_is_tried_again_at_the_next_moment() {
    check(
        plain(),
        |w| {
            w.refused.insert("ops/a".to_owned());
            w.fire("x site=1");
            w.pass(Span::from_secs(2));
            let id = w.s.state.deliveries().next().unwrap().id.clone();
            w.s.sent(&id, SendResult::Exhausted { reason: "answered 400".to_owned() });
            w.refused.clear();
            w.pass(Span::from_secs(3));
        },
        // The log takes what nobody else does, and word of our own that somebody should look.
        &["2.1 log/log: +x", "2.1 log/log: +Notifications cannot be delivered", "4.0 ops/a: +x"],
    );
}

#[test]
fn times_of_the_week_keep_a_route_quiet_until_they_are_over() {
    let mut policy = plain();
    // 05:00 to 05:01.
    let minute = serde_json::json!([{"times": [[300, 301]]}]);
    policy.time_intervals.insert("first".to_owned(), serde_json::from_value(minute).unwrap());
    policy.route.mute_time_intervals = vec!["first".to_owned()];
    check(
        policy.clone(),
        |w| {
            w.fire("x site=1");
            w.pass(Span::from_secs(62));
        },
        &["61.0 ops/a: +x"],
    );
    policy.route.mute_time_intervals.clear();
    policy.route.active_time_intervals = vec!["first".to_owned()];
    check(
        policy,
        |w| {
            w.pass(Span::from_secs(30));
            w.fire("x site=1");
            w.pass(Span::from_secs(32));
            w.resolve("x site=1");
            w.pass(Span::from_secs(32));
        },
        &["31.0 ops/a: +x", "43.0 ops/a: +x", "55.0 ops/a: +x"],
    );
}

#[test]
fn another_configuration_repeats_nothing_that_was_told() {
    check(
        plain(),
        |w| {
            w.fire("x site=1");
            w.pass(Span::from_secs(2));
            let mut other = plain();
            other.route.routes = vec![
                serde_json::from_value(serde_json::json!({"matchers": ["site=\"2\""], "receiver": "two"})).unwrap(),
            ];
            w.s.input(Input::Configured { policy: Box::new(other) });
            w.pass(Span::from_secs(2));
            w.fire("y site=1");
            w.fire("z site=2");
            w.pass(Span::from_secs(3));
        },
        &["1.0 ops/a: +x", "5.0 two/a: +z", "5.0 two/b: +z", "5.0 ops/a: +x +y"],
    );
}

#[test]
fn a_planned_window_is_quiet_and_what_outlives_it_is_heard() {
    let mut policy = plain();
    let window = serde_json::json!({"id": "w", "matchers": ["site=\"1\""], "starts_at": "2026-11-21T04:00:00Z",
        "ends_at": "2026-11-21T05:00:05Z", "reason": "new switch"});
    policy.maintenance = vec![serde_json::from_value(window).unwrap()];
    check(
        policy,
        |w| {
            w.fire("x site=1");
            w.fire("y site=2");
            w.pass(Span::from_secs(8));
        },
        &["1.0 ops/a: +y", "7.0 ops/a: +x"],
    );
}

#[test]
fn who_changes_to_groups_ends_the_incidents_and_hears_of_what_fires() {
    let mut w = World::new(Policy { notify_by: NotifyBy::Incident, ..plain() }, false);
    w.fire("x site=1");
    w.s.pass(Span::from_secs(20));
    assert_eq!(w.s.open().len(), 1);
    w.seen = w.s.deliveries.len();
    w.s.input(Input::Configured { policy: Box::new(plain()) });
    assert_eq!(w.s.open().len(), 0);
    let ends = |w: &World| w.s.deliveries.iter().filter(|delivery| delivery.notification.kind.is_final()).count();
    w.s.pass(Span::from_secs(60));
    assert_eq!(ends(&w), 1, "whoever heard of the incident hears its end");
    let told: Vec<String> =
        w.s.deliveries[w.seen..].iter().filter(|d| d.incident.is_group()).map(|d| w.text(d)).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].ends_with("ops/a: +x"), "{told:?}");
}

#[test]
fn who_changes_to_incidents_has_one_for_what_fires_and_no_groups() {
    let mut w = World::new(plain(), false);
    w.fire("x site=1");
    w.pass(Span::from_secs(5));
    w.s.input(Input::Configured { policy: Box::new(Policy { notify_by: NotifyBy::Incident, ..plain() }) });
    w.s.pass(Span::from_secs(30));
    assert_eq!((w.s.open().len(), w.s.state.book().group_count()), (1, 0));
    let facts: Vec<_> = snapshot(&w.s.changes).facts.into_iter().filter(|(kind, _, _)| kind == "alert_group").collect();
    assert!(facts.is_empty(), "{facts:?}");
}
