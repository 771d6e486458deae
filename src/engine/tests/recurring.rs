//! Silences and windows that come again and again, end by themselves when it is quiet, and what one would mute.

use super::scenario::{Scenario, snapshot};
use crate::engine::input::{Command, Input, Principal, Reply, Role};
use crate::engine::policy::Policy;
use crate::engine::silence;
use crate::engine::state::{Snapshot, State};
use crate::model::silence::Maintenance;
use crate::model::{
    Matcher, NotificationKind, Recurrence, Severity, Silence, SilenceDraft, SilenceState, Span, Timestamp,
};

const CRITICAL: Severity = Severity::Critical;
const HOUR: Span = Span::from_hours(1);
const DAY: Span = Span::from_hours(24);

fn daily(s: &Scenario, starts_in: Span) -> Recurrence {
    Recurrence {
        rrule: "FREQ=DAILY".into(),
        time_zone: "Europe/Berlin".into(),
        starts_at: s.now + starts_in,
        duration: HOUR,
        until: None,
    }
}

fn draft(matchers: &str, recurrence: Recurrence) -> SilenceDraft {
    SilenceDraft {
        matchers: Matcher::parse_all(matchers).unwrap(),
        comment: "backup".into(),
        recurrence: Some(recurrence),
        ..SilenceDraft::default()
    }
}

fn put(s: &mut Scenario, draft: SilenceDraft) -> String {
    match s.command(Command::Silence(Box::new(draft))) {
        Reply::Done(id) => id,
        other => panic!("{other:?}"),
    }
}

fn of<'s>(s: &'s Scenario, id: &str) -> &'s Silence {
    s.state.silence(id).unwrap()
}

/// What people heard of incidents.
fn heard(s: &Scenario) -> Vec<NotificationKind> {
    s.kinds().into_iter().filter(|kind| *kind != NotificationKind::ProblemProposed).collect()
}

fn restart(s: &mut Scenario) {
    s.state = State::restore(Snapshot { last_at: s.now, ..snapshot(&s.changes) }).unwrap();
    s.input(Input::Started);
}

#[test]
fn each_time_mutes_and_each_end_is_heard_whenever_the_daemon_restarts() {
    for restarts in [false, true] {
        let mut s = Scenario::new(Policy::default());
        let wanted = draft("configuration_item=web1", daily(&s, HOUR));
        let id = put(&mut s, wanted);
        for day in 1..4 {
            assert_eq!((of(&s, &id).state, of(&s, &id).starts_at.since(s.now)), (SilenceState::Pending, HOUR));
            s.pass(HOUR + Span::from_mins(1));
            if restarts {
                restart(&mut s);
            }
            assert_eq!(of(&s, &id).state, SilenceState::Active);
            s.fire("nagios", "web1", "http", CRITICAL);
            s.pass(Span::from_mins(30));
            if restarts {
                restart(&mut s);
            }
            assert_eq!(heard(&s).len(), 2 * (day - 1), "muted on day {day}");
            s.pass(Span::from_mins(30));
            assert_eq!(heard(&s).len(), 2 * day - 1, "heard on day {day}");
            s.resolve("nagios", "web1", "http");
            s.pass(DAY - HOUR - HOUR - Span::from_mins(1));
            assert_eq!(heard(&s).last(), Some(&NotificationKind::Resolved));
        }
        assert!(s.says("its next time is from"));
    }
}

#[test]
fn times_that_were_slept_through_are_left_out_and_the_last_one_is_the_end() {
    let mut s = Scenario::new(Policy::default());
    let mut rule = daily(&s, HOUR);
    rule.rrule = "FREQ=DAILY;COUNT=5".into();
    let begin = rule.starts_at;
    let id = put(&mut s, draft("team=ops", rule));
    s.now = begin + DAY + DAY + DAY + Span::from_mins(30);
    s.input(Input::Tick);
    assert_eq!((of(&s, &id).state, of(&s, &id).starts_at), (SilenceState::Active, begin + DAY + DAY + DAY));
    s.pass(HOUR);
    assert_eq!((of(&s, &id).state, of(&s, &id).starts_at), (SilenceState::Pending, begin + DAY + DAY + DAY + DAY));
    s.pass(DAY);
    assert_eq!(of(&s, &id).state, SilenceState::Expired);
    // Ended by hand it does not come again.
    let wanted = draft("team=ops", daily(&s, HOUR));
    let id = put(&mut s, wanted);
    s.command(Command::ExpireSilence { silence: id.clone() });
    s.pass(DAY);
    assert_eq!(of(&s, &id).state, SilenceState::Expired);
}

#[test]
fn what_recurs_follows_the_wall_clock() {
    let mut s = Scenario::new(Policy::default());
    let wanted = draft("team=ops", daily(&s, HOUR));
    let id = put(&mut s, wanted);
    s.pass(HOUR + Span::from_mins(10));
    assert_eq!(of(&s, &id).state, SilenceState::Active);
    s.input(Input::ClockSet { jumped: Span::ZERO, ahead: Span::from_mins(30) });
    assert_eq!((of(&s, &id).state, of(&s, &id).starts_at.since(s.now)), (SilenceState::Pending, Span::from_mins(20)));
}

#[test]
fn a_change_keeps_a_recurring_silence_and_another_rule_makes_a_new_one() {
    let mut s = Scenario::new(Policy::default());
    let rule = daily(&s, HOUR);
    let id = put(&mut s, draft("team=ops", rule.clone()));
    let times = |s: &Scenario| (of(s, &id).starts_at, of(s, &id).ends_at);
    let before = times(&s);
    let wanted = SilenceDraft { id: Some(id.clone()), comment: "other".into(), ..draft("team=ops", rule.clone()) };
    assert_eq!(put(&mut s, wanted.clone()), id);
    assert_eq!((times(&s), of(&s, &id).comment.as_str()), (before, "other"));
    let rule = Recurrence { rrule: "FREQ=WEEKLY".into(), ..rule };
    assert_ne!(put(&mut s, SilenceDraft { recurrence: Some(rule), ..wanted }), id);
    assert_eq!(of(&s, &id).state, SilenceState::Expired);
}

#[test]
fn it_ends_when_it_has_been_quiet_for_long_enough_and_not_before() {
    for restarts in [false, true] {
        let mut s = Scenario::new(Policy::default());
        let quiet = Span::from_mins(30);
        let wanted = SilenceDraft {
            matchers: Matcher::parse_all("configuration_item=web1").unwrap(),
            starts_at: s.now,
            ends_at: s.now + DAY,
            comment: "reboot".into(),
            expire_when_quiet: Some(quiet),
            ..SilenceDraft::default()
        };
        let id = put(&mut s, wanted);
        s.pass(Span::from_mins(29));
        s.fire("nagios", "web1", "http", CRITICAL);
        s.fire("nagios", "web2", "http", CRITICAL);
        s.pass(Span::from_hours(3));
        if restarts {
            restart(&mut s);
        }
        assert_eq!(of(&s, &id).state, SilenceState::Active, "it fires still");
        s.resolve("nagios", "web1", "http");
        let over = s.now;
        s.pass(quiet - Span::from_secs(1));
        assert_eq!(of(&s, &id).state, SilenceState::Active);
        s.pass(Span::from_secs(1));
        assert_eq!((of(&s, &id).state, of(&s, &id).ends_at), (SilenceState::Expired, over + quiet));
        assert!(s.says("nothing that it mutes has fired for 30m"));
    }
}

#[test]
fn of_one_that_recurs_quiet_ends_this_time_only() {
    let mut s = Scenario::new(Policy::default());
    let rule = daily(&s, HOUR);
    let next = rule.starts_at + DAY;
    let quiet = Some(Span::from_mins(10));
    let id = put(&mut s, SilenceDraft { expire_when_quiet: quiet, ..draft("team=ops", rule) });
    s.pass(HOUR + Span::from_mins(11));
    assert_eq!((of(&s, &id).state, of(&s, &id).starts_at), (SilenceState::Pending, next));
}

fn window(s: &Scenario, id: &str, item: Option<&str>, matchers: &str) -> Maintenance {
    Maintenance {
        id: id.into(),
        configuration_item: item.map(str::to_owned),
        dedup_key: None,
        matchers: Matcher::parse_all(matchers).unwrap(),
        starts_at: s.now,
        ends_at: None,
        recurrence: Some(daily(s, HOUR)),
        reason: "patches".into(),
    }
}

#[test]
fn planned_windows_come_again_whenever_the_daemon_restarts() {
    for (item, matchers) in [(Some("rtr1"), ""), (None, "alertname=HostDown"), (Some("rtr1"), "severity=critical")] {
        for restarts in [false, true] {
            let mut s = Scenario::new(super::lab());
            let window = window(&s, "patches", item, matchers);
            let policy = Policy { maintenance: vec![window], ..super::lab() };
            s.input(Input::Configured { policy: Box::new(policy) });
            for day in 1..3 {
                s.pass(HOUR + Span::from_mins(1));
                if restarts {
                    restart(&mut s);
                }
                s.fire("prometheus", "web1", "HostDown", CRITICAL);
                s.pass(Span::from_mins(30));
                assert!(s.says("in maintenance: ") && heard(&s).len() == 2 * (day - 1), "{item:?} {matchers} {day}");
                s.pass(Span::from_mins(30));
                assert_eq!(heard(&s).len(), 2 * day - 1, "the end is heard: {item:?} {matchers} on day {day}");
                s.resolve("prometheus", "web1", "HostDown");
                s.pass(DAY - HOUR - HOUR - Span::from_mins(1));
                assert_eq!(heard(&s).last(), Some(&NotificationKind::Resolved));
            }
        }
    }
}

#[test]
fn a_look_says_what_would_be_muted_and_makes_nothing() {
    let mut s = Scenario::new(super::lab());
    s.fire("prometheus", "web1", "HostDown", CRITICAL);
    s.fire("prometheus", "web1", "Slow", CRITICAL);
    s.fire("prometheus", "web2", "Gone", CRITICAL);
    s.resolve("prometheus", "web2", "Gone");
    s.pass(Span::from_mins(1));
    let by = Principal { name: "wall".into(), role: Role::Viewer };
    let look = |matchers: &str, covers_dependants| {
        let starts_at: Timestamp = s.now + HOUR;
        let wanted = SilenceDraft {
            matchers: Matcher::parse_all(matchers).unwrap(),
            starts_at,
            ends_at: starts_at + HOUR,
            covers_dependants,
            ..SilenceDraft::default()
        };
        silence::preview::of(&s.state, s.now, &by, wanted).map(|found| {
            let muted = found.incidents.iter().filter(|incident| incident.is_muted).count();
            (found.alert_count, found.alerts.len(), found.incident_count, muted)
        })
    };
    assert_eq!(look("alertname=HostDown", false), Ok((1, 1, 1, 0)));
    assert_eq!(look("configuration_item=web1", false), Ok((2, 2, 1, 1)));
    assert_eq!(look("configuration_item=rtr1", false), Ok((0, 0, 0, 0)));
    assert_eq!(look("configuration_item=rtr1", true), Ok((2, 2, 1, 1)));
    assert!(look("team=~\".*\"", false).unwrap_err().contains("`matchers`"));
    assert!(look("team=ops", true).unwrap_err().contains("`covers_dependants`"));
    assert_eq!(s.state.silences().count(), 0);
}
