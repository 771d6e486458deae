//! Who is asked when: people by one way after the other, levels, promises, and who is left when nobody is there.

use super::CRITICAL;
use super::scenario::Scenario;
use crate::engine::input::{Command, Input, Principal, Reply, Role};
use crate::engine::policy::{EscalationPolicy, Level, Policy, Receiver, Schedule, SlaLevel, SlaTarget, Targets};
use crate::model::person::{ContactStep, Person, Team};
use crate::model::schedule::{Override, Rotation, Wall};
use crate::model::sla::Target;
use crate::model::{IncidentState, NotificationKind, Priority, Severity, Span};
use std::collections::BTreeMap;

const MINUTE: Span = Span::from_mins(1);

fn people(names: &[&str]) -> Targets {
    Targets { people: names.iter().map(|name| (*name).to_owned()).collect(), ..Targets::default() }
}

fn level(minutes: i64, targets: Targets) -> Level {
    Level { after: Span::from_mins(minutes), targets, ..Level::default() }
}

/// Anna and Ben: by app, after three minutes by text message, after five more by voice. When it is not urgent by mail.
fn policy(escalation: EscalationPolicy) -> Policy {
    let mut policy = Policy::default();
    for name in ["anna", "ben"] {
        let sink = |short: &str| format!("{name}/{short}");
        let step = |minutes, short: &str| ContactStep { after: Span::from_mins(minutes), sinks: vec![sink(short)] };
        let sinks = ["app", "sms", "voice", "mail"].map(sink).to_vec();
        policy.receivers.insert(name.into(), Receiver { sinks, ..Receiver::default() });
        policy.people.insert(
            name.into(),
            Person {
                urgent: vec![step(0, "app"), step(3, "sms"), step(5, "voice")],
                normal: vec![step(0, "mail")],
                ..Person::default()
            },
        );
    }
    policy.receivers.insert("ops".into(), Receiver { sinks: vec!["ops/chat".into()], ..Receiver::default() });
    policy.route.receiver = Some("ops".into());
    policy.escalation_policies.insert("primary".into(), escalation);
    policy.route.escalation_policy = Some("primary".into());
    policy
}

fn levels(levels: Vec<Level>) -> EscalationPolicy {
    EscalationPolicy { levels, ..EscalationPolicy::default() }
}

/// Fires once; and what was told since, each with its minute.
fn fired(policy: Policy) -> Scenario {
    let mut s = Scenario::new(policy);
    s.fire("nagios", "web1", "http", CRITICAL);
    s
}

fn told(s: &Scenario) -> Vec<String> {
    let first = s.deliveries.first().map_or(s.now, |delivery| delivery.created_at);
    s.deliveries
        .iter()
        .map(|delivery| {
            let minutes = delivery.created_at.since(first).as_millis() / 60_000;
            format!("{minutes} {} {}", delivery.notification.kind.as_str(), delivery.sink)
        })
        .collect()
}

fn by(s: &mut Scenario, name: &str, command: Command) -> Reply {
    let by = Principal { name: name.to_owned(), role: Role::Responder };
    s.input(Input::Command { by, command });
    s.replies.pop().unwrap()
}

fn acknowledge(s: &mut Scenario, name: &str) -> Reply {
    let incident = s.open()[0].id.to_string();
    by(s, name, Command::Acknowledge { incident, note: None })
}

#[test]
fn a_person_is_reached_by_one_way_after_the_other_until_somebody_acknowledges() {
    let mut s = fired(policy(levels(vec![level(0, people(&["anna"]))])));
    s.pass(MINUTE + MINUTE + MINUTE + MINUTE);
    assert_eq!(told(&s), ["0 opened ops/chat", "0 escalated anna/app", "3 escalated anna/sms"]);
    acknowledge(&mut s, "ben");
    assert!(s.open()[0].reaching.is_empty());
    s.pass(Span::from_hours(1));
    assert!(!s.told().iter().any(|(_, sink)| sink == "anna/voice"));
}

#[test]
fn the_next_level_does_not_begin_anew_with_whoever_is_being_asked() {
    let mut s = fired(policy(levels(vec![level(0, people(&["anna"])), level(5, people(&["anna", "ben"]))])));
    s.pass(Span::from_mins(30));
    let expected = [
        "0 opened ops/chat",
        "0 escalated anna/app",
        "3 escalated anna/sms",
        "5 escalated ben/app",
        "8 escalated anna/voice",
        "8 escalated ben/sms",
        "13 escalated ben/voice",
    ];
    assert_eq!(told(&s), expected);
}

#[test]
fn what_is_not_urgent_comes_the_quiet_way() {
    let mut policy = policy(levels(vec![level(0, people(&["anna"]))]));
    policy.correlation.open_severity = Severity::Warning;
    let mut s = Scenario::new(policy);
    s.fire("nagios", "web1", "http", Severity::Warning);
    s.pass(Span::from_mins(10));
    assert!(s.open()[0].priority > Priority::P2, "{:?}", s.open()[0].priority);
    assert_eq!(told(&s), ["0 opened ops/chat", "0 escalated anna/mail"]);
}

#[test]
fn a_route_that_leads_to_a_person_asks_the_same_way_and_tells_the_end_where_they_have_heard() {
    let mut policy = policy(levels(vec![level(60, people(&["ben"]))]));
    policy.route.receiver = Some("anna".into());
    let mut s = fired(policy);
    s.pass(Span::from_mins(4));
    s.resolve("nagios", "web1", "http");
    s.pass(Span::from_mins(30));
    let expected = ["0 opened anna/app", "3 escalated anna/sms", "4 resolved anna/app", "4 resolved anna/sms"];
    assert_eq!(told(&s), expected);
}

#[test]
fn where_nobody_is_on_call_the_next_level_is_asked_at_once_and_at_last_the_route() {
    let empty = Targets { schedules: vec!["night".into()], ..Targets::default() };
    let mut asked = policy(levels(vec![level(5, empty.clone()), level(20, people(&["ben"]))]));
    asked.schedules.insert("night".into(), Schedule { may_have_gaps: true, ..Schedule::default() });
    let mut s = fired(asked.clone());
    s.pass(Span::from_mins(6));
    assert_eq!(told(&s), ["0 opened ops/chat", "5 escalated ben/app"]);
    assert!(s.says("nobody is on call in night") && s.says("at level 1 of primary there is nobody to ask"));
    asked.escalation_policies.insert("primary".into(), levels(vec![level(5, empty)]));
    let mut s = fired(asked);
    s.pass(Span::from_mins(6));
    assert_eq!(told(&s), ["0 opened ops/chat", "5 escalated ops/chat"]);
}

#[test]
fn a_team_is_whoever_is_on_call_for_it_or_all_of_it() {
    let team = |name: &str| Targets { teams: vec![name.to_owned()], ..Targets::default() };
    let mut policy = policy(levels(vec![level(0, team("web")), level(30, team("db"))]));
    let start = "2026-11-01T00:00".parse::<Wall>().unwrap();
    let layer = Rotation {
        starts_at: start,
        ends_at: None,
        shift: Span::from_hours(24),
        rotation: vec!["ops".into()],
        only: Vec::new(),
    };
    let over = Override {
        starts_at: "2026-11-21T00:00:00Z".parse().unwrap(),
        ends_at: "2026-11-22T00:00:00Z".parse().unwrap(),
        receiver: "ben".into(),
    };
    policy
        .schedules
        .insert("week".into(), Schedule { layers: vec![layer], overrides: vec![over], ..Schedule::default() });
    let members = vec!["anna".to_owned(), "ben".to_owned()];
    policy.teams.insert("web".into(), Team { members: members.clone(), schedules: vec!["week".into()] });
    policy.teams.insert("db".into(), Team { members, schedules: Vec::new() });
    let mut s = fired(policy);
    s.pass(Span::from_mins(31));
    let told = told(&s);
    assert_eq!(told[1], "0 escalated ben/app");
    assert_eq!(told[4..], ["30 escalated anna/app", "30 escalated ben/app"], "{told:?}");
}

#[test]
fn levels_for_other_priorities_are_passed_by_and_the_last_resort_comes_last() {
    let only = |minutes, priority, name| Level { priorities: vec![priority], ..level(minutes, people(&[name])) };
    let mut escalation = levels(vec![only(2, Priority::P5, "anna"), only(4, Priority::P2, "ben")]);
    escalation.repeat = 1;
    escalation.last_resort = Some(level(10, Targets { receivers: vec!["ops".into()], ..Targets::default() }));
    let mut s = fired(policy(escalation));
    s.pass(Span::from_hours(2));
    let asked: Vec<String> = s
        .timeline
        .iter()
        .filter(|entry| entry.text.starts_with("nobody acknowledged"))
        .map(|entry| entry.text.clone())
        .collect();
    let level = "nobody acknowledged: level 2 of primary is asked (ben)";
    assert_eq!(asked, [level, level, "nobody acknowledged: the last resort of primary is asked (ops)"]);
    assert!(s.open()[0].escalating.is_none());
    assert!(!s.told().iter().any(|(_, sink)| sink.starts_with("anna")));
}

#[test]
fn where_all_must_acknowledge_the_others_are_asked_on() {
    let all = Level { all_must_acknowledge: true, ..level(0, people(&["anna", "ben"])) };
    let mut s =
        fired(policy(levels(vec![all, level(20, Targets { receivers: vec!["ops".into()], ..Targets::default() })])));
    s.pass(MINUTE);
    assert!(matches!(acknowledge(&mut s, "anna"), Reply::Done(_)));
    assert_eq!(s.open()[0].state, IncidentState::Acknowledged);
    assert!(matches!(acknowledge(&mut s, "anna"), Reply::Already(_)));
    s.pass(Span::from_mins(25));
    let told = told(&s);
    assert!(told.contains(&"3 escalated ben/sms".to_owned()), "{told:?}");
    assert!(told.contains(&"20 escalated ops/chat".to_owned()), "{told:?}");
    assert!(!told.contains(&"3 escalated anna/sms".to_owned()), "{told:?}");
    let all = Level { all_must_acknowledge: true, ..level(0, people(&["anna", "ben"])) };
    let mut s = fired(policy(levels(vec![all, level(20, people(&["anna"]))])));
    s.pass(MINUTE);
    acknowledge(&mut s, "anna");
    assert!(matches!(acknowledge(&mut s, "ben"), Reply::Done(_)));
    assert!(s.open()[0].escalating.is_none() && s.open()[0].unanswered.is_empty());
}

#[test]
fn somebody_of_a_later_level_acknowledges_in_the_place_of_those_who_must() {
    let all = Level { all_must_acknowledge: true, ..level(0, people(&["anna", "ben"])) };
    let ops = || Targets { receivers: vec!["ops".into()], ..Targets::default() };
    let mut s = fired(policy(levels(vec![all.clone(), level(20, ops()), level(20, ops())])));
    s.pass(MINUTE);
    acknowledge(&mut s, "anna");
    s.pass(Span::from_mins(25));
    assert_eq!(s.open()[0].unanswered.iter().collect::<Vec<_>>(), ["ben"], "still asked for");
    assert!(matches!(acknowledge(&mut s, "dora"), Reply::Done(_)));
    assert!(s.says("acknowledged, too, in the place of ben") && s.open()[0].escalating.is_none());
    // Where nobody of them has, one of a later level is enough.
    let mut s = fired(policy(levels(vec![all, level(20, ops())])));
    s.pass(Span::from_mins(25));
    acknowledge(&mut s, "dora");
    assert!(s.open()[0].unanswered.is_empty() && s.open()[0].reaching.is_empty());
}

#[test]
fn an_acknowledgement_that_has_run_out_asks_again_from_the_first_level() {
    let mut escalation = levels(vec![level(0, people(&["anna"]))]);
    escalation.acknowledged_for = Some(Span::from_hours(1));
    let mut s = fired(policy(escalation));
    s.pass(MINUTE);
    acknowledge(&mut s, "anna");
    s.pass(Span::from_mins(59));
    assert_eq!(s.open()[0].state, IncidentState::Acknowledged);
    s.pass(Span::from_mins(2));
    assert_eq!(s.open()[0].state, IncidentState::Open);
    assert!(s.says("the acknowledgement has run out"));
    assert_eq!(told(&s).last().unwrap(), "60 escalated anna/app");
}

#[test]
fn so_much_of_a_promise_passed_and_others_hear_of_it_even_while_somebody_has_it() {
    let mut escalation = levels(vec![level(0, people(&["anna"]))]);
    escalation.on_sla = vec![SlaLevel { clock: Target::Restore, percent: 75, targets: people(&["ben"]) }];
    let mut policy = policy(escalation);
    let target = SlaTarget { respond: None, restore: Some(Span::from_mins(40)) };
    policy.slas.insert("gold".into(), BTreeMap::from([(Priority::P2, target)]));
    policy.default_sla = Some("gold".into());
    let mut s = fired(policy);
    s.pass(MINUTE);
    acknowledge(&mut s, "anna");
    s.pass(Span::from_mins(38));
    let to_ben: Vec<String> = told(&s).into_iter().filter(|line| line.contains("ben/")).collect();
    // At 90 % it is news to whoever has heard.
    assert_eq!(to_ben, ["29 sla_threshold ben/app", "35 sla_threshold ben/app"]);
}

/// Two levels of one receiver each, five minutes apart.
pub fn with_escalation() -> Policy {
    let mut policy = Policy::default();
    let level = |receiver: &str| Level {
        after: Span::from_mins(5),
        targets: Targets { receivers: vec![receiver.to_owned()], ..Targets::default() },
        ..Level::default()
    };
    for name in ["first", "second"] {
        let receiver = Receiver { sinks: vec![format!("{name}/mail")], ..Default::default() };
        policy.receivers.insert(name.into(), receiver);
    }
    policy.escalation_policies.insert(
        "primary".into(),
        EscalationPolicy { levels: vec![level("first"), level("second")], ..EscalationPolicy::default() },
    );
    policy.route.escalation_policy = Some("primary".into());
    policy
}

#[test]
fn escalation_asks_level_after_level_until_somebody_acknowledges() {
    let mut s = Scenario::new(with_escalation());
    s.fire("nagios", "web1", "http", CRITICAL);
    s.pass(Span::from_mins(7));
    assert_eq!(s.told().last().unwrap(), &(NotificationKind::Escalated, "first/mail".to_owned()));
    let id = s.open()[0].id.to_string();
    assert_eq!(s.command(Command::Acknowledge { incident: id[4..8].to_owned(), note: None }), Reply::Done(id.clone()));
    s.pass(Span::from_hours(1));
    assert!(!s.told().iter().any(|(_, sink)| sink == "second/mail"));
    assert_eq!(s.command(Command::Acknowledge { incident: id.clone(), note: None }), Reply::Already(id));
}

#[test]
fn escalation_runs_out_of_levels_once() {
    let mut s = Scenario::new(with_escalation());
    s.fire("nagios", "web1", "http", CRITICAL);
    s.pass(Span::from_hours(2));
    let escalated = s.told().iter().filter(|(kind, _)| *kind == NotificationKind::Escalated).count();
    assert_eq!(escalated, 2);
    assert!(s.open()[0].escalating.is_none());
}
