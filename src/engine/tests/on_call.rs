//! What people change of schedules while the daemon runs, and what is said of times with nobody.

use super::scenario::{Scenario, snapshot};
use crate::engine::input::{Command, Input, Reply};
use crate::engine::on_call;
use crate::engine::policy::{Policy, Receiver, Schedule};
use crate::engine::state::State;
use crate::model::schedule::{Override, Rotation};
use crate::model::{Span, Timestamp};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Anna and Ben, a week each, from Monday 09:00 on.
fn policy() -> Policy {
    let mut policy = Policy::default();
    for name in ["anna", "ben", "cleo", "ops"] {
        policy.receivers.insert(name.into(), Receiver { sinks: vec![format!("{name}/app")], ..Receiver::default() });
    }
    policy.route.receiver = Some("ops".into());
    policy.schedules.insert("week".into(), Schedule { layers: vec![layer()], ..Schedule::default() });
    policy
}

fn layer() -> Rotation {
    Rotation {
        starts_at: "2026-11-02T09:00".parse().unwrap(),
        ends_at: None,
        shift: Span::from_hours(7 * 24),
        rotation: vec!["anna".into(), "ben".into()],
        only: Vec::new(),
    }
}

fn shift(receiver: &str, from: &str, until: &str) -> Override {
    Override { starts_at: at(from), ends_at: at(until), receiver: receiver.into() }
}

fn put(s: &mut Scenario, receiver: &str, from: &str, until: &str) -> Reply {
    s.command(Command::OverrideShift { schedule: "week".into(), shift: shift(receiver, from, until) })
}

#[track_caller]
fn done(reply: Reply) -> String {
    match reply {
        Reply::Done(id) => id,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused(reply: Reply) -> String {
    match reply {
        Reply::Refused(why) => why,
        other => panic!("{other:?}"),
    }
}

fn who(state: &State, when: &str) -> String {
    on_call::who(state, "week", at(when)).unwrap_or_else(|| "nobody".into())
}

#[test]
fn somebody_stands_in_and_the_last_word_counts() {
    let mut s = Scenario::new(policy());
    assert_eq!(who(&s.state, "2026-11-24T12:00:00Z"), "ben");
    done(put(&mut s, "cleo", "2026-11-24T00:00:00Z", "2026-11-26T00:00:00Z"));
    let second = done(put(&mut s, "anna", "2026-11-24T12:00:00Z", "2026-11-25T00:00:00Z"));
    assert_eq!(who(&s.state, "2026-11-24T11:59:59Z"), "cleo");
    assert_eq!(who(&s.state, "2026-11-24T12:00:00Z"), "anna");
    assert_eq!(who(&s.state, "2026-11-26T00:00:00Z"), "ben");
    done(s.command(Command::RemoveOverride { schedule: "week".into(), id: second.clone() }));
    assert_eq!(who(&s.state, "2026-11-24T12:00:00Z"), "cleo");
    let again = s.command(Command::RemoveOverride { schedule: "week".into(), id: second.clone() });
    assert_eq!(again, Reply::NotFound(second));
    assert!(s.says("anna puts cleo from 2026-11-24T00:00:00.000Z to 2026-11-26T00:00:00.000Z on call in week"));
}

#[test]
fn two_exchange_what_they_have_and_that_is_taken_back_as_a_whole() {
    let mut s = Scenario::new(policy());
    let swap = |one: Override, other: Override| Command::SwapShifts { schedule: "week".into(), one, other };
    let anna = || shift("anna", "2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z");
    let ben = || shift("ben", "2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z");
    let id = done(s.command(swap(anna(), ben())));
    assert_eq!(
        (who(&s.state, "2026-12-01T10:00:00Z"), who(&s.state, "2026-11-24T10:00:00Z")),
        ("ben".into(), "anna".into())
    );
    assert_eq!(
        (who(&s.state, "2026-12-02T00:00:00Z"), who(&s.state, "2026-11-25T00:00:00Z")),
        ("anna".into(), "ben".into())
    );
    insta::assert_snapshot!(refused(s.command(swap(anna(), ben()))), @"anna from 2026-12-01T00:00:00.000Z to 2026-12-02T00:00:00.000Z cannot give that away: at 2026-12-01T00:00:00.000Z ben is on call");
    let same = shift("anna", "2026-12-03T00:00:00Z", "2026-12-04T00:00:00Z");
    insta::assert_snapshot!(refused(s.command(swap(same.clone(), same.clone()))), @"`other.receiver`: got anna, expected somebody else");
    let beyond = shift("anna", "2026-12-03T00:00:00Z", "2026-12-09T00:00:00Z");
    insta::assert_snapshot!(refused(s.command(swap(ben(), beyond))), @"ben from 2026-11-24T00:00:00.000Z to 2026-11-25T00:00:00.000Z cannot give that away: at 2026-11-24T00:00:00.000Z anna is on call");
    done(s.command(Command::RemoveOverride { schedule: "week".into(), id }));
    assert_eq!(
        (who(&s.state, "2026-12-01T10:00:00Z"), who(&s.state, "2026-11-24T10:00:00Z")),
        ("anna".into(), "ben".into())
    );
}

#[test]
fn what_is_refused_says_why() {
    let mut s = Scenario::new(policy());
    let unknown = Command::OverrideShift {
        schedule: "month".into(),
        shift: shift("anna", "2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z"),
    };
    assert_eq!(s.command(unknown), Reply::NotFound("month".into()));
    insta::assert_snapshot!(refused(put(&mut s, "dora", "2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z")), @"`receiver`: there is no person and no receiver `dora`");
    insta::assert_snapshot!(refused(put(&mut s, "anna", "2026-11-24T00:00:00Z", "2026-11-24T00:00:00Z")), @"`ends_at`: got 2026-11-24T00:00:00.000Z, expected a time after `starts_at` (2026-11-24T00:00:00.000Z)");
    insta::assert_snapshot!(refused(put(&mut s, "anna", "2026-11-20T00:00:00Z", "2026-11-21T05:00:00Z")), @"`ends_at`: got 2026-11-21T05:00:00.000Z, expected a time that has not passed");
    insta::assert_snapshot!(refused(put(&mut s, "anna", "2026-11-24T00:00:00Z", "2027-11-26T00:00:00Z")), @"`ends_at`: the override would last 367d, expected at most 366d");
    for _ in 0..1_000 {
        done(put(&mut s, "cleo", "2026-11-24T00:00:00Z", "2026-11-24T00:00:01Z"));
    }
    insta::assert_snapshot!(refused(put(&mut s, "anna", "2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z")), @"week has 1000 overrides that are not over, expected at most 1000: remove some");
}

#[test]
fn what_has_begun_stays_true_when_it_is_taken_back() {
    let mut s = Scenario::new(policy());
    // Nobody can say afterwards that they were on call.
    let id = done(put(&mut s, "cleo", "2026-11-21T00:00:00Z", "2026-11-21T12:00:00Z"));
    assert_eq!(who(&s.state, "2026-11-21T04:59:59.999Z"), "anna");
    s.pass(Span::from_hours(2));
    let remove = Command::RemoveOverride { schedule: "week".into(), id: id.clone() };
    done(s.command(remove.clone()));
    assert_eq!(
        (who(&s.state, "2026-11-21T06:59:59Z"), who(&s.state, "2026-11-21T07:00:00Z")),
        ("cleo".into(), "anna".into())
    );
    assert_eq!(s.command(remove), Reply::Already(id));
}

#[test]
fn overrides_outlive_a_restart_and_are_forgotten_in_the_end() {
    let mut s = Scenario::new(policy());
    for name in ["cleo", "anna", "cleo", "anna"] {
        done(put(&mut s, name, "2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z"));
    }
    let restored = State::restore(snapshot(&s.changes)).unwrap();
    assert_eq!((restored.overrides(), who(&restored, "2026-11-24T12:00:00Z")), (s.state.overrides(), "anna".into()));
    s.pass(Span::from_hours(24 * 403));
    assert_eq!(s.state.overrides().all().count(), 4);
    s.pass(Span::from_hours(24));
    assert_eq!(s.state.overrides().all().count(), 0);
    assert_eq!(State::restore(snapshot(&s.changes)).unwrap().overrides().all().count(), 0);
}

#[test]
fn whoever_is_no_longer_configured_is_passed_over_until_they_are_again() {
    let mut s = Scenario::new(policy());
    done(put(&mut s, "cleo", "2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z"));
    let mut without = policy();
    without.receivers.remove("cleo");
    s.input(Input::Configured { policy: Box::new(without) });
    assert_eq!(who(&s.state, "2026-11-24T12:00:00Z"), "ben");
    s.input(Input::Configured { policy: Box::new(policy()) });
    assert_eq!(who(&s.state, "2026-11-24T12:00:00Z"), "cleo");
}

#[test]
fn a_gap_is_an_alert_days_before_until_somebody_is_found() {
    let mut policy = policy();
    let mut ending = layer();
    ending.ends_at = Some("2026-11-25T09:00".parse().unwrap());
    policy.schedules.insert("week".into(), Schedule { layers: vec![ending], ..Schedule::default() });
    policy.schedules.insert("office".into(), Schedule { may_have_gaps: true, ..Schedule::default() });
    let mut s = Scenario::new(policy);
    s.pass(Span::from_hours(27));
    assert_eq!(s.open().len(), 0);
    s.pass(Span::from_hours(2));
    assert_eq!(s.open().len(), 1);
    insta::assert_snapshot!(s.open()[0].title, @"watchbell week: nobody is on call in week from 2026-11-25T09:00:00.000Z on");
    let summary = |s: &Scenario| s.state.alerts().next().unwrap().annotations.get("summary").unwrap().to_owned();
    insta::assert_snapshot!(summary(&s), @"nobody is on call in week from 2026-11-25T09:00:00.000Z on");
    // One day less of it is still too much.
    done(put(&mut s, "cleo", "2026-11-24T09:00:00Z", "2026-11-25T08:00:00Z"));
    assert_eq!(s.open().len(), 1);
    done(put(&mut s, "cleo", "2026-11-25T09:00:00Z", "2026-11-27T09:00:00Z"));
    s.pass(Span::from_mins(1));
    assert_eq!(s.open().len(), 0);
    // And it comes nearer again.
    s.pass(Span::from_hours(72));
    assert_eq!(s.open().len(), 1);
}
