//! Problems: how they come, what people do with them, and who hears of it.

use super::scenario::{Scenario, snapshot};
use super::{CRITICAL, Command, Policy, Reply, Span};
use crate::engine::input::{Input, Principal, ProblemCommand, Role};
use crate::engine::state::State;
use crate::model::problem::{Problem, ProblemId, ProblemState};
use crate::model::topology::{ConfigurationItem, TopologyFile};
use crate::model::{IncidentId, Notification, NotificationKind, Severity};
use NotificationKind::{Opened, ProblemAccepted, ProblemKnownError, ProblemProposed, ProblemResolved, Resolved};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// An item fails, people are told, it recovers, and people are told.
fn fail(s: &mut Scenario, item: &str, name: &str) -> IncidentId {
    s.fire("nagios", item, name, CRITICAL);
    s.pass(Span::from_secs(30));
    let id = s.open()[0].id;
    s.resolve("nagios", item, name);
    s.pass(Span::from_secs(30));
    id
}

/// A daemon on which web1 has failed three times, hours apart.
fn recurring() -> (Scenario, ProblemId) {
    let mut s = Scenario::new(Policy::default());
    for _ in 0..3 {
        fail(&mut s, "web1", "disk");
        s.pass(Span::from_hours(2));
    }
    let id = s.state.problems().next().unwrap().id.clone();
    (s, id)
}

fn problem<'a>(s: &'a Scenario, id: &ProblemId) -> &'a Problem {
    s.state.problem(id).unwrap()
}

fn ask(s: &mut Scenario, command: ProblemCommand) -> Reply {
    s.command(Command::Problem(command))
}

fn accept(id: &ProblemId) -> ProblemCommand {
    ProblemCommand::Accept { problem: id.to_string() }
}

fn analyse(id: &ProblemId, text: &str) -> ProblemCommand {
    ProblemCommand::Analyse { problem: id.to_string(), root_cause_analysis: text.into() }
}

fn work_around(id: &ProblemId, text: &str) -> ProblemCommand {
    ProblemCommand::SetWorkaround { problem: id.to_string(), workaround: text.into() }
}

fn resolve(id: &ProblemId) -> ProblemCommand {
    ProblemCommand::Resolve { problem: id.to_string(), note: Some("new disk".into()) }
}

fn reject(id: &ProblemId) -> ProblemCommand {
    ProblemCommand::Reject { problem: id.to_string(), note: None }
}

fn merge(id: &ProblemId, into: &ProblemId) -> ProblemCommand {
    ProblemCommand::Merge { problem: id.to_string(), into: into.to_string() }
}

fn done(s: &mut Scenario, command: ProblemCommand) {
    let reply = ask(s, command.clone());
    assert!(matches!(reply, Reply::Done(_)), "{command:?}: {reply:?}");
    let before = (s.state.problems().cloned().collect::<Vec<_>>(), s.deliveries.len(), s.timeline.len());
    let again = ask(s, command.clone());
    assert!(matches!(again, Reply::Already(_)), "{command:?} again: {again:?}");
    let after = (s.state.problems().cloned().collect::<Vec<_>>(), s.deliveries.len(), s.timeline.len());
    assert_eq!(before, after, "{command:?} again");
}

fn refusal(s: &mut Scenario, command: ProblemCommand) -> String {
    match ask(s, command.clone()) {
        Reply::Refused(text) => text,
        other => panic!("{command:?}: {other:?}"),
    }
}

fn last(s: &Scenario) -> &Notification {
    &s.deliveries.last().unwrap().notification
}

/// The third part of an id is derived from times and differs in each scenario.
fn named(text: &str, id: &ProblemId) -> String {
    text.replace(&id.to_string(), "prb-x")
}

#[test]
fn a_problem_goes_from_proposal_to_resolution_and_people_hear_of_it() {
    let (mut s, id) = recurring();
    assert_eq!(problem(&s, &id).state, ProblemState::Proposed);
    assert_eq!(s.kinds(), [Opened, Resolved, Opened, Resolved, Opened, Resolved, ProblemProposed]);
    insta::assert_snapshot!(named(&last(&s).reason, &id), @"prb-x “web1 keeps failing: disk”: 3 similar incidents");
    done(&mut s, accept(&id));
    done(&mut s, analyse(&id, "the log is never rotated"));
    assert_eq!(problem(&s, &id).state, ProblemState::Analysed);
    done(&mut s, work_around(&id, "rotate it by hand"));
    assert_eq!(problem(&s, &id).state, ProblemState::KnownError);
    insta::assert_snapshot!(named(&last(&s).reason, &id), @"prb-x “web1 keeps failing: disk”; workaround: rotate it by hand");
    done(&mut s, ProblemCommand::Assign { problem: id.to_string(), to: "team-web".into() });
    done(&mut s, ProblemCommand::Retitle { problem: id.to_string(), title: "web1's log".into() });

    fail(&mut s, "web1", "disk");
    let opened = s.deliveries.iter().rfind(|delivery| delivery.notification.kind == Opened).unwrap();
    let shown = opened.notification.incident.problem.clone().unwrap();
    assert_eq!((shown.workaround.as_deref(), shown.state), (Some("rotate it by hand"), ProblemState::KnownError));
    done(&mut s, resolve(&id));
    let kinds = &s.kinds()[6..];
    assert_eq!(kinds, [ProblemProposed, ProblemAccepted, ProblemKnownError, Opened, Resolved, ProblemResolved]);
    let end = problem(&s, &id);
    assert_eq!((end.state, end.incident_count, end.incidents.len()), (ProblemState::Resolved, 4, 4));
    assert!(end.accepted_at < end.known_error_at && end.known_error_at < end.resolved_at || end.resolved_at.is_some());
    assert_eq!((end.created_by.as_str(), end.accepted_by.as_deref()), ("watchbell", Some("anna")));
    for incident in s.state.incidents() {
        assert_eq!(incident.problem.as_ref(), Some(&id));
    }
    let story: Vec<String> = s
        .timeline
        .iter()
        .filter(|entry| entry.problem.as_ref() == Some(&id))
        .map(|entry| format!("{} {}", entry.by, entry.text).replace(&end.incidents[3].to_string(), "inc-4"))
        .collect();
    insta::assert_snapshot!(story.join("\n"), @"
    watchbell proposed: 3 similar incidents on web1
    anna accepted
    anna root cause: the log is never rotated
    anna workaround: rotate it by hand
    anna assigned to team-web
    anna now called “web1's log”, before “web1 keeps failing: disk”
    watchbell inc-4 belongs to it
    anna resolved: new disk
    ");
}

#[test]
fn a_recurrence_opens_it_again_and_the_notification_says_so() {
    let (mut s, id) = recurring();
    done(&mut s, accept(&id));
    done(&mut s, analyse(&id, "the log"));
    done(&mut s, work_around(&id, "rotate it"));
    done(&mut s, resolve(&id));
    s.pass(Span::from_hours(50));
    fail(&mut s, "web1", "disk");
    let again = problem(&s, &id);
    assert_eq!((again.state, again.resolved_at), (ProblemState::KnownError, None));
    assert!(again.reopened_at.is_some());
    let opened = s.deliveries.iter().rfind(|delivery| delivery.notification.kind == Opened).unwrap();
    assert!(opened.notification.incident.problem.as_ref().unwrap().reopened_at.is_some());
    assert!(s.says("open again: it had been resolved, and inc-"));
    assert_eq!(s.state.problems().count(), 1);
    // An incident that was there before the resolution shows nothing.
    s.fire("nagios", "web1", "disk", CRITICAL);
    s.pass(Span::from_secs(30));
    done(&mut s, resolve(&id));
    s.resolve("nagios", "web1", "disk");
    s.pass(Span::from_secs(30));
    assert_eq!(problem(&s, &id).state, ProblemState::Resolved);
    // But when it comes back after it, it does.
    s.fire("nagios", "web1", "disk", CRITICAL);
    s.pass(Span::from_secs(30));
    assert_eq!(problem(&s, &id).state, ProblemState::KnownError);
}

#[test]
fn what_was_rejected_is_not_proposed_again_until_somebody_accepts_it() {
    let (mut s, id) = recurring();
    done(&mut s, reject(&id));
    for _ in 0..4 {
        fail(&mut s, "web1", "disk");
        assert!(last(&s).incident.problem.is_none(), "{:?}", last(&s));
        s.pass(Span::from_hours(2));
    }
    assert_eq!(s.state.problems().count(), 1);
    // Something else on the same item is another matter.
    for _ in 0..3 {
        fail(&mut s, "web1", "http");
        s.pass(Span::from_hours(2));
    }
    assert_eq!(s.state.problems().count(), 2);
    done(&mut s, accept(&id));
    fail(&mut s, "web1", "disk");
    assert_eq!(problem(&s, &id).incident_count, 4);
}

#[test]
fn every_refusal_says_what_the_state_is_and_what_is_needed() {
    let (mut s, id) = recurring();
    let reopen = || ProblemCommand::Reopen { problem: id.to_string(), note: None };
    let mut refusals = Vec::new();
    for command in [analyse(&id, "x"), work_around(&id, "x"), resolve(&id), reopen(), merge(&id, &id)] {
        refusals.push(refusal(&mut s, command));
    }
    done(&mut s, accept(&id));
    for command in [reject(&id), analyse(&id, " "), work_around(&id, &"x".repeat(20_000))] {
        refusals.push(refusal(&mut s, command));
    }
    done(&mut s, resolve(&id));
    for command in [accept(&id), reject(&id), analyse(&id, "x")] {
        refusals.push(refusal(&mut s, command));
    }
    insta::assert_snapshot!(named(&refusals.join("\n"), &id), @"
    prb-x is proposed, and this takes one that is accepted and not resolved; accept it first
    prb-x is proposed, and this takes one that is accepted and not resolved; accept it first
    prb-x is proposed, and this takes one that is accepted and not resolved; accept it first
    prb-x is proposed, and this takes one that is resolved
    prb-x cannot be merged into itself
    prb-x is open, and only a proposal is rejected; resolve it
    `root_cause_analysis`: expected 1 to 16384 bytes of text, got nothing
    `workaround`: expected 1 to 16384 bytes of text, got 20000 bytes
    prb-x is resolved, and this takes one that is proposed or rejected; reopen it instead
    prb-x is resolved, and this takes one that is proposed
    prb-x is resolved, and this takes one that is accepted and not resolved; reopen it first
    ");
    assert_eq!(ask(&mut s, accept(&ProblemId("prb-none".into()))), Reply::NotFound("prb-none".into()));
    let by = Principal { name: "vic".to_owned(), role: Role::Viewer };
    s.input(Input::Command { by, command: Command::Problem(reopen()) });
    insta::assert_snapshot!(format!("{:?}", s.replies.pop().unwrap()), @r#"Refused("problem.reopen needs the role responder, vic is viewer")"#);
}

#[test]
fn a_merged_problem_leads_to_its_survivor_and_so_do_its_incidents() {
    let (mut s, first) = recurring();
    for _ in 0..3 {
        fail(&mut s, "web2", "disk");
        s.pass(Span::from_hours(2));
    }
    let second = s.state.problems().find(|problem| problem.id != first).unwrap().id.clone();
    insta::assert_snapshot!(named(&refusal(&mut s, merge(&second, &first)), &first), @"prb-x is proposed, and this takes one that is accepted and not resolved; accept it first");
    done(&mut s, accept(&first));
    done(&mut s, accept(&second));
    done(&mut s, analyse(&second, "one image for both"));
    done(&mut s, work_around(&second, "rotate it"));
    done(&mut s, merge(&second, &first));
    let survivor = problem(&s, &first);
    assert_eq!((survivor.state, survivor.incident_count), (ProblemState::KnownError, 6));
    assert_eq!(survivor.merged_from, std::slice::from_ref(&second));
    assert_eq!(last(&s).kind, ProblemKnownError, "what it took over makes it one");
    assert_eq!(s.state.surviving_problem(&second).unwrap().id, first);
    for incident in s.state.incidents() {
        assert_eq!(incident.problem.as_ref(), Some(&first));
    }
    // What looks like the merged one belongs to the survivor, under either id.
    fail(&mut s, "web2", "disk");
    assert_eq!(problem(&s, &first).incident_count, 7);
    assert_eq!(ask(&mut s, resolve(&second)), Reply::Done(first.to_string()));
}

#[test]
fn people_open_problems_and_say_which_incidents_belong_to_them() {
    let mut s = Scenario::new(Policy::default());
    let (one, two) = (fail(&mut s, "web1", "disk"), fail(&mut s, "db1", "slow"));
    let open = |ids: &[IncidentId]| ProblemCommand::Open {
        title: Some("the storage".into()),
        incidents: ids.iter().map(ToString::to_string).collect(),
    };
    done(&mut s, open(&[one]));
    let id = s.state.problems().next().unwrap().id.clone();
    let own = problem(&s, &id);
    assert_eq!((own.state, own.created_by.as_str()), (ProblemState::Open, "anna"));
    let of = |incident: &IncidentId| (id.to_string(), incident.to_string());
    let link = |(problem, incident)| ProblemCommand::Link { problem, incident };
    let unlink = |(problem, incident)| ProblemCommand::Unlink { problem, incident };
    done(&mut s, link(of(&two)));
    assert_eq!(problem(&s, &id).incident_count, 2);
    done(&mut s, unlink(of(&one)));
    assert_eq!(problem(&s, &id).incidents, [two]);
    assert_eq!(s.state.incident(&one).unwrap().problem, None);
    // It comes back by hand only.
    s.fire("nagios", "web1", "disk", CRITICAL);
    s.pass(Span::from_secs(30));
    assert_eq!(s.open()[0].id, one, "reopened");
    s.resolve("nagios", "web1", "disk");
    s.pass(Span::from_secs(30));
    assert_eq!(s.state.incident(&one).unwrap().problem, None);
    done(&mut s, link(of(&one)));
    // Days later it is remembered, although it has left memory.
    s.pass(Span::from_hours(72));
    assert!(s.state.incident(&two).is_none());
    done(&mut s, unlink(of(&two)));
    let text = refusal(&mut s, open(&[one, two]));
    assert!(text.ends_with("which is open; unlink it there first"), "{text}");
    assert!(refusal(&mut s, open(&[])).starts_with("`incidents`: expected 1 to 100 incidents"));
    fail(&mut s, "web1", "disk");
    assert_eq!(problem(&s, &id).incident_count, 2, "the like of the first one belongs to it");
}

#[test]
fn three_items_of_a_kind_that_fail_alike_are_a_problem_of_the_kind() {
    let node = |id: &str| ConfigurationItem { id: id.into(), kind: Some("switch".into()), ..Default::default() };
    let topology = TopologyFile { nodes: ["sw1", "sw2", "sw3", "sw4"].map(node).to_vec(), edges: Vec::new() };
    let mut s = Scenario::new(Policy { topology, ..Policy::default() });
    for item in ["sw1", "sw1", "sw2"] {
        fail(&mut s, item, "fan");
        s.pass(Span::from_hours(2));
        fail(&mut s, "web1", "fan");
        s.pass(Span::from_hours(2));
    }
    assert!(s.state.problems().all(|problem| problem.title.starts_with("web1")), "two switches are none");
    fail(&mut s, "sw3", "fan");
    let of_kind = s.state.problems().find(|problem| problem.title.contains("switch")).unwrap().clone();
    insta::assert_snapshot!(of_kind.title, @"3 items of the kind switch keep failing: fan");
    assert_eq!(of_kind.incident_count, 4);
    s.pass(Span::from_hours(2));
    fail(&mut s, "sw4", "fan");
    assert_eq!(problem(&s, &of_kind.id).incident_count, 5);
    fail(&mut s, "sw4", "power");
    assert_eq!(problem(&s, &of_kind.id).incident_count, 5, "another fault");
}

#[test]
fn news_waits_for_the_end_of_the_incident_and_goes_where_it_went_even_after_it_is_closed() {
    let (mut s, id) = recurring();
    let thread = problem(&s, &id).incidents[2];
    let remote = Some("C1/17".to_owned());
    let of_thread = s.deliveries.iter().find(|delivery| delivery.incident == thread).unwrap().id.clone();
    s.sent(&of_thread, crate::engine::input::SendResult::Delivered { proof: "200".into(), remote: remote.clone() });
    s.pass(Span::from_hours(72));
    assert!(s.state.incident(&thread).is_none(), "it has left memory");
    let state = State::restore(snapshot(&s.changes)).unwrap();
    let mut s = Scenario { state, ..s };
    done(&mut s, accept(&id));
    let delivery = s.deliveries.last().unwrap();
    assert_eq!((delivery.incident, delivery.notification.kind), (thread, ProblemAccepted));
    assert_eq!(delivery.progress.remote, remote, "the same message at the receiver");
    let of_thread = s.deliveries.iter().filter(|delivery| delivery.incident == thread);
    let numbers: BTreeSet<u32> = of_thread.map(|delivery| delivery.notification.number).collect();
    assert_eq!(numbers, BTreeSet::from([1, 2, 3, 4]), "opened, resolved, proposed, accepted");
}

#[test]
fn nobody_hears_of_a_problem_behind_incidents_that_nobody_heard_of() {
    let mut s = Scenario::new(Policy::default());
    for _ in 0..3 {
        s.fire("nagios", "web1", "disk", Severity::Critical);
        s.resolve("nagios", "web1", "disk");
        s.pass(Span::from_hours(2));
    }
    assert_eq!((s.state.problems().count(), s.deliveries.len()), (1, 0));
    // The first one that somebody hears of carries it, and that is all that has to be said.
    fail(&mut s, "web1", "disk");
    assert_eq!(s.kinds(), [Opened, Resolved]);
    assert!(s.deliveries[0].notification.incident.problem.is_some());
}

#[test]
fn an_incident_that_becomes_part_of_another_takes_its_problem_along() {
    let mut s = Scenario::new(super::lab());
    for _ in 0..3 {
        fail(&mut s, "web1", "host check");
        s.pass(Span::from_hours(2));
    }
    let id = s.state.problems().next().unwrap().id.clone();
    s.fire("nagios", "web2", "host check", CRITICAL);
    s.pass(Span::from_secs(60));
    s.fire("nagios", "web1", "host check", CRITICAL);
    s.pass(Span::from_secs(60));
    assert_eq!(s.open().len(), 2);
    s.fire("nagios", "rtr1", "host check", CRITICAL);
    s.pass(Span::from_secs(60));
    assert_eq!(s.open().len(), 1, "merged");
    assert_eq!(s.open()[0].problem.as_ref(), Some(&id));
    let own = problem(&s, &id);
    assert_eq!((own.incident_count, own.incidents.contains(&s.open()[0].id)), (4, true));
}

/// Something happens: an item fails once more, or somebody works on a problem.
#[derive(Clone, Debug)]
enum Step {
    Fail(usize),
    Work { step: u8, problem: usize, other: usize, incident: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let fail = (0..3usize).prop_map(Step::Fail);
    let work = (0..12u8, 0..9usize, 0..9usize, 0..9usize).prop_map(|(step, problem, other, incident)| Step::Work {
        step,
        problem,
        other,
        incident,
    });
    prop::collection::vec(prop_oneof![fail, work], 1..40)
}

fn command(s: &Scenario, step: u8, problem: usize, other: usize, incident: usize) -> Option<ProblemCommand> {
    let problems: Vec<String> = s.state.problems().map(|problem| problem.id.to_string()).collect();
    let incidents: Vec<String> = s.state.incidents().map(|incident| incident.id.to_string()).collect();
    let nth = |all: &[String], at: usize| all.get(at % all.len().max(1)).cloned();
    let incident = nth(&incidents, incident)?;
    if step == 0 {
        return Some(ProblemCommand::Open { title: None, incidents: vec![incident] });
    }
    let (problem, into) = (nth(&problems, problem)?, nth(&problems, other)?);
    let text = || format!("text {other}");
    Some(match step {
        1 | 2 => ProblemCommand::Accept { problem },
        3 => ProblemCommand::Reject { problem, note: None },
        4 => ProblemCommand::Merge { problem, into },
        5 => ProblemCommand::Analyse { problem, root_cause_analysis: text() },
        6 => ProblemCommand::SetWorkaround { problem, workaround: text() },
        7 => ProblemCommand::Resolve { problem, note: None },
        8 => ProblemCommand::Reopen { problem, note: None },
        9 => ProblemCommand::Assign { problem, to: text() },
        10 => ProblemCommand::Link { problem, incident },
        _ => ProblemCommand::Unlink { problem, incident },
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_people_do_to_problems_holds_once_and_leads_on(steps in steps()) {
        let mut s = Scenario::new(Policy::default());
        s.input(Input::Configured { policy: Box::new(Policy {
            problems: crate::engine::policy::ProblemRule { incidents_min: 2, ..Default::default() },
            ..Policy::default()
        })});
        for step in steps {
            match step {
                Step::Fail(item) => {
                    fail(&mut s, ["web1", "web2", "db1"][item], "disk");
                    s.pass(Span::from_hours(2));
                }
                Step::Work { step, problem, other, incident } => {
                    let Some(command) = command(&s, step, problem, other, incident) else { continue };
                    if let Reply::Done(_) = ask(&mut s, command.clone()) {
                        let before: Vec<Problem> = s.state.problems().cloned().collect();
                        let told = s.deliveries.len();
                        let again = ask(&mut s, command.clone());
                        prop_assert!(matches!(again, Reply::Already(_)), "{:?} again: {:?}", command, again);
                        prop_assert_eq!(&before, &s.state.problems().cloned().collect::<Vec<_>>());
                        prop_assert_eq!(told, s.deliveries.len());
                    }
                }
            }
            for problem in s.state.problems() {
                let end = s.state.surviving_problem(&problem.id).unwrap();
                prop_assert!(end.state != ProblemState::Merged, "{:?}", problem);
                for incident in problem.incidents.iter().filter_map(|id| s.state.incident(id)) {
                    let owner = incident.problem.as_ref().and_then(|id| s.state.surviving_problem(id));
                    prop_assert_eq!(owner.map(|owner| &owner.id), Some(&end.id));
                }
            }
        }
        let restarted = State::restore(snapshot(&s.changes)).unwrap();
        prop_assert!(s.state.problems().eq(restarted.problems()));
    }
}
