//! Dead letters that somebody wants sent after all: under their old key, in order, and to nobody who has
//! been told better since.

use super::fallback::{give_up, of, opened, with_fallback};
use super::scenario::{Scenario, snapshot};
use super::{CRITICAL, SendResult};
use crate::engine::input::{Command, Input, Principal, Reply, Role};
use crate::engine::policy::Policy;
use crate::engine::state::State;
use crate::model::delivery::Progress;
use crate::model::{Delivery, DeliveryState, NotificationKind, Span};

/// The newest row of a delivery.
fn row(s: &Scenario, id: &str) -> Delivery {
    s.changes.deliveries.iter().rfind(|delivery| delivery.id == id).unwrap().clone()
}

fn redrive(s: &mut Scenario, id: &str) -> Reply {
    let by = Principal { name: "root".into(), role: Role::Admin };
    let command = Command::Redrive { delivery: Box::new(row(s, id)) };
    s.input(Input::Command { by, command });
    s.replies.pop().unwrap()
}

/// The first delivery to the tickets, given up.
fn dead(policy: Policy) -> (Scenario, String) {
    let mut s = opened(policy);
    let id = of(&s, "ops/tickets")[0].id.clone();
    give_up(&mut s, "ops/tickets");
    (s, id)
}

/// One that is over without anything having been done.
fn needless(reply: &Reply) -> (&str, &str) {
    match reply {
        Reply::Needless { state, why, .. } => (state, why),
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_goes_out_under_its_own_id_and_in_doubt_if_it_was() {
    let mut s = opened(with_fallback());
    let id = of(&s, "ops/tickets")[0].id.clone();
    let progress = Progress { is_ambiguous: true, is_deferred: true, ..Progress::default() };
    s.sent(&id, SendResult::Retry { at: s.now, reason: "no answer".into(), progress });
    give_up(&mut s, "ops/tickets");
    s.pass(Span::from_mins(1));
    assert_eq!(redrive(&mut s, &id), Reply::Done(id.clone()));
    let again = s.state.delivery(&id).unwrap();
    assert_eq!((again.attempts, again.due_at, again.finished_at), (3, s.now, None));
    assert!(again.progress.is_ambiguous && !again.progress.is_deferred);
    assert_eq!(again.redriven.as_ref().unwrap().by, "root");
    assert!(s.says("opened goes to ops/tickets once more"), "{:#?}", s.timeline);
    assert_eq!(redrive(&mut s, &id), Reply::Already(id.clone()));
    s.sent(&id, SendResult::Delivered { proof: "201".into(), remote: None });
    let dead = row(&s, &id);
    assert!(matches!(dead.state, DeliveryState::Delivered { .. }));
}

#[test]
fn who_stood_in_is_not_told_again_when_it_fails_once_more() {
    let (mut s, id) = dead(with_fallback());
    redrive(&mut s, &id);
    give_up(&mut s, "ops/tickets");
    assert_eq!(of(&s, "backup/mail").len(), 1);
    let DeliveryState::Exhausted { fallback, .. } = row(&s, &id).state else { panic!() };
    assert_eq!(fallback.as_deref(), Some(of(&s, "backup/mail")[0].id.as_str()));
    assert_eq!(redrive(&mut s, &id), Reply::Done(id), "as often as one likes");
}

#[test]
fn the_beginning_never_comes_after_the_end() {
    let (mut s, id) = dead(with_fallback());
    s.resolve("nagios", "web1", "http");
    let reply = redrive(&mut s, &id);
    assert!(matches!(&reply, Reply::Refused(why) if why.contains("hears of that soon")), "{reply:?}");
    s.pass(Span::from_secs(10));
    let end = of(&s, "ops/tickets").last().unwrap().id.clone();
    let reply = redrive(&mut s, &id);
    assert_eq!(needless(&reply), ("superseded", &*format!("`{end}` says the present state to the same sink")));
    assert_eq!(row(&s, &id).state, DeliveryState::Superseded { by: end });
    assert!(s.state.delivery(&id).is_none());
    assert!(s.says("opened is not sent to ops/tickets once more"), "{:#?}", s.timeline);
    let reply = redrive(&mut s, &id);
    assert!(matches!(&reply, Reply::Refused(why) if why.contains("is superseded, not given up")), "{reply:?}");
}

#[test]
fn of_two_dead_letters_the_newer_one_goes_out() {
    let (mut s, first) = dead(with_fallback());
    s.resolve("nagios", "web1", "http");
    s.pass(Span::from_secs(10));
    let end = of(&s, "ops/tickets").last().unwrap().id.clone();
    give_up(&mut s, "ops/tickets");
    assert_eq!(redrive(&mut s, &end), Reply::Done(end.clone()));
    assert_eq!(needless(&redrive(&mut s, &first)).0, "superseded");
    assert_eq!(s.state.delivery(&end).unwrap().notification.kind, NotificationKind::Resolved);
}

#[test]
fn a_quiet_edit_does_not_make_a_page_needless_and_the_page_says_what_it_says() {
    let (mut s, id) = dead(with_fallback());
    let incident = s.state.delivery(&of(&s, "ops/chat")[0].id).unwrap().incident;
    s.command(Command::Assign { incident: incident.to_string(), to: "eve".into() });
    s.pass(Span::from_mins(10));
    let edit = of(&s, "ops/tickets").last().copied().unwrap();
    assert_eq!(edit.notification.kind, NotificationKind::Updated);
    assert_eq!(redrive(&mut s, &id), Reply::Done(id.clone()));
    let again = s.state.delivery(&id).unwrap();
    assert_eq!((again.notification.kind, again.notification.number), (NotificationKind::Opened, 1));
    assert_eq!(again.notification.incident.assignee.as_deref(), Some("eve"));
}

#[test]
fn a_sink_that_was_away_at_the_end_gets_the_end() {
    let (mut s, id) = dead(with_fallback());
    let mut without = with_fallback();
    without.receivers.get_mut("ops").unwrap().sinks.pop();
    s.input(Input::Configured { policy: Box::new(without) });
    let reply = redrive(&mut s, &id);
    assert!(matches!(&reply, Reply::Refused(why) if why.contains("`ops/tickets` is not configured")), "{reply:?}");
    s.resolve("nagios", "web1", "http");
    s.pass(Span::from_secs(10));
    s.input(Input::Configured { policy: Box::new(with_fallback()) });
    assert_eq!(of(&s, "ops/tickets").len(), 1);
    assert_eq!(needless(&redrive(&mut s, &id)).0, "superseded");
    let end = of(&s, "ops/tickets").last().copied().unwrap();
    assert_eq!(end.notification.kind, NotificationKind::Resolved);
    assert_eq!(row(&s, &id).state, DeliveryState::Superseded { by: end.id.clone() });
}

#[test]
fn once_all_of_it_has_left_memory_only_the_end_is_still_sent() {
    let (mut s, first) = dead(with_fallback());
    s.resolve("nagios", "web1", "http");
    s.pass(Span::from_secs(10));
    let end = of(&s, "ops/tickets").last().unwrap().id.clone();
    give_up(&mut s, "ops/tickets");
    let incident = of(&s, "ops/tickets")[0].incident;
    s.pass(Span::from_hours(100));
    assert!(s.state.incident(&incident).is_none());
    assert_eq!(needless(&redrive(&mut s, &first)).0, "cancelled");
    assert_eq!(row(&s, &first).state, DeliveryState::Cancelled { by: "root".into() });
    assert_eq!(redrive(&mut s, &end), Reply::Done(end));
}

#[test]
fn a_restart_forgets_no_dead_letter_and_who_may_not_may_not() {
    let (mut s, id) = dead(with_fallback());
    let reply = s.command(Command::Redrive { delivery: Box::new(row(&s, &id)) });
    assert!(matches!(&reply, Reply::Refused(why) if why.contains("needs the role admin")), "{reply:?}");
    s.resolve("nagios", "web1", "http");
    s.pass(Span::from_secs(10));
    let mut restarted =
        Scenario { state: State::restore(snapshot(&s.changes)).unwrap(), ..Scenario::new(Policy::default()) };
    (restarted.now, restarted.changes) = (s.now, s.changes.clone());
    assert_eq!(redrive(&mut restarted, &id), redrive(&mut s, &id));
    s.fire("nagios", "web1", "http", CRITICAL);
    s.pass(Span::from_secs(10));
    assert!(s.says("once more"));
}
