//! Every deadline comes exactly once, and in its time, whatever is done to the wall clock: set ahead or
//! back by a second, an hour, a day; a machine that stands still; a restart after any of them.

use super::room::{MORNING, Room, back, escalating, policy, told};
use super::*;
use crate::engine::input::{Command, Principal, Role};
use crate::engine::policy::{Schedule, SlaTarget};
use crate::model::event::Marker;
use crate::model::schedule::{Rotation, Wall};
use crate::model::silence::Maintenance;
use crate::model::{NotificationKind, Priority, SilenceDraft};

const SECOND: Span = Span::from_secs(1);
const HOUR: Span = Span::from_hours(1);
const DAY: Span = Span::from_hours(24);

/// A deadline: what sets it, after how long it is due, and how often it has come.
struct Case {
    name: &'static str,
    policy: fn() -> Policy,
    set: fn(&mut Room),
    due_after: Span,
    count: fn(&Room) -> usize,
}

fn sla() -> Policy {
    let mut policy = policy();
    let target = SlaTarget { respond: None, restore: Some(Span::from_mins(40)) };
    policy.slas.insert("gold".into(), Priority::ALL.into_iter().map(|priority| (priority, target.clone())).collect());
    policy.default_sla = Some("gold".into());
    policy.route.repeat_interval = Some(Span::ZERO);
    policy
}

fn silenced(room: &mut Room) {
    let now = room.clock.now();
    let command = Command::Silence(Box::new(SilenceDraft {
        matchers: vec!["alertname=\"db1\"".parse().unwrap()],
        starts_at: now,
        ends_at: now + Span::from_mins(30),
        comment: "moving".into(),
        ..SilenceDraft::default()
    }));
    room.input(Input::Command { by: Principal { name: "anna".into(), role: Role::Responder }, command });
    room.fire("db1");
}

fn in_downtime(room: &mut Room) {
    room.event("db1", |event| event.marker = Some(Marker::DowntimeStarted));
    room.fire("db1");
}

fn flapping(room: &mut Room) {
    for _ in 0..3 {
        room.fire("db1");
        room.pass(SECOND);
        room.resolve("db1");
        room.pass(SECOND);
    }
    assert_eq!(room.said("db1 flaps"), 1);
    room.fire("db1");
}

fn closing(room: &mut Room) {
    told(room);
    room.resolve("db1");
}

fn put_off(room: &mut Room) {
    room.event("db1", |event| event.severity = Severity::Warning);
    room.pass(Span::from_secs(5));
    room.event("db2", |event| event.severity = Severity::Warning);
    room.pass(Span::from_secs(5));
    assert_eq!(room.said("has had its share"), 1);
}

fn limited() -> Policy {
    let mut policy = policy();
    policy.receivers.get_mut("log").unwrap().loud_per_minute_max = 1;
    policy.correlation.open_severity = Severity::Warning;
    policy
}

fn short_close() -> Policy {
    let mut policy = policy();
    policy.correlation.close_after = Span::from_mins(45);
    policy
}

fn repeating() -> Policy {
    let mut policy = policy();
    policy.route.repeat_interval = Some(Span::from_mins(50));
    policy
}

const fn minutes(minutes: i64) -> Span {
    Span::from_mins(minutes)
}

#[rustfmt::skip] // One deadline a line reads as the table that it is.
const CASES: &[Case] = &[
    Case { name: "group wait", policy, set: |room| room.fire("db1"), due_after: Span::from_secs(5), count: |room| room.sent_of(NotificationKind::Opened) },
    Case { name: "hold-down", policy, set: |room| room.fire("web1"), due_after: Span::from_secs(10), count: |room| room.sent_of(NotificationKind::Opened) },
    Case { name: "group interval", policy, set: |room| { told(room); room.event("db1", |event| event.dedup_key = "other".into()) }, due_after: minutes(5), count: |room| room.sent_of(NotificationKind::Updated) },
    Case { name: "a warning lasts", policy, set: |room| room.event("db1", |event| event.severity = Severity::Warning), due_after: minutes(5), count: |room| room.said("has lasted for") },
    Case { name: "repeat", policy: repeating, set: told, due_after: minutes(50), count: |room| room.sent_of(NotificationKind::Repeated) },
    Case { name: "first level", policy: || escalating(0), set: told, due_after: minutes(5), count: |room| room.said("level 1 of primary") },
    Case { name: "second level", policy: || escalating(0), set: |room| { told(room); room.pass(minutes(5)) }, due_after: minutes(10), count: |room| room.said("level 2 of primary") },
    Case { name: "SLA at half", policy: sla, set: |room| room.fire("db1"), due_after: minutes(20), count: |room| room.said("of the 40m to restore") + room.said("breached") },
    Case { name: "end of a silence", policy, set: silenced, due_after: minutes(30), count: |room| room.sent_of(NotificationKind::Opened) },
    Case { name: "end of a downtime never ended", policy, set: in_downtime, due_after: Span::from_hours(7 * 24), count: |room| room.sent_of(NotificationKind::Opened) },
    Case { name: "expiry", policy, set: |room| { let at = room.clock.now() + minutes(10); room.event("db1", |event| event.expires_at = Some(at)) }, due_after: minutes(10), count: |room| room.said("was not sent again") },
    Case { name: "flapping settles", policy, set: flapping, due_after: minutes(5), count: |room| room.said("no longer flaps") },
    Case { name: "close", policy: short_close, set: closing, due_after: minutes(45), count: |room| room.said("closed: it stayed resolved") },
    Case { name: "storm limit", policy: limited, set: put_off, due_after: Span::from_secs(55), count: |room| room.sent_of(NotificationKind::Opened) - 1 },
];

/// The wall clock is set by `by` halfway; when the deadline came by the steady clock, which must be once.
fn comes_after(case: &Case, at: &str, by: Span) -> Span {
    let mut room = Room::new((case.policy)(), at);
    (case.set)(&mut room);
    let start = room.clock.elapsed();
    let half = Span::from_millis(case.due_after.as_millis() / 2);
    room.pass(half);
    assert_eq!((case.count)(&room), 0, "{}: before its time", case.name);
    room.clock.set_by(by);
    room.cycle();
    let passed = |room: &Room| room.clock.elapsed().as_millis() - start.as_millis();
    let due = case.due_after.as_millis();
    while (case.count)(&room) == 0 {
        assert!(passed(&room) < due * 12 / 10 + 400_000, "{}: it never came", case.name);
        // In large steps until it comes near.
        room.pass(Span::from_millis(((due - passed(&room)) / 10).max(due / 60).max(1_000)));
    }
    let came = Span::from_millis(passed(&room));
    room.pass(Span::from_millis(due / 10) + minutes(6));
    let count = (case.count)(&room);
    // What follows from the same clock later on (the next threshold of an SLA) is not counted here.
    let is_once = count == 1 || case.name.starts_with("SLA") && count <= 2;
    assert!(is_once, "{}: {count} times with the clock set by {}", case.name, by.human());
    came
}

#[test]
fn set_back_a_deadline_comes_once_and_hardly_later() {
    for case in CASES {
        for by in [SECOND, HOUR, DAY] {
            let came = comes_after(case, MORNING, back(by)).as_millis();
            let due = case.due_after.as_millis();
            assert!(came >= due, "{}: after {came} ms with {by} back", case.name);
            assert!(came <= due * 10 / 9 + due / 50 + 2_000, "{}: only after {came} ms with {by} back", case.name);
        }
    }
}

#[test]
fn set_ahead_a_deadline_comes_once_and_as_if_that_time_had_passed() {
    for case in CASES {
        for by in [SECOND, HOUR, DAY] {
            let came = comes_after(case, MORNING, by).as_millis();
            let half = case.due_after.as_millis() / 2;
            let mut due = (case.due_after.as_millis() - by.as_millis()).max(half);
            if case.name == "expiry" && by >= HOUR {
                due += 300_000; // Nobody could refresh it.
            }
            assert!(came >= due && came <= due + due / 50 + 2_000, "{}: after {came} ms with {by} ahead", case.name);
        }
    }
}

#[test]
fn calendars_have_no_edges() {
    // Summer time begins and ends in Europe, and a clock kept in local time is set with it.
    let summer_time = [("2027-03-28T00:59:58Z", HOUR), ("2026-10-25T00:59:58Z", back(HOUR))];
    // A leap day begins and ends, a year ends.
    let dates = ["2028-02-28T23:59:58Z", "2028-02-29T23:59:58Z", "2026-12-31T23:59:58Z"];
    let unset = summer_time.iter().map(|(at, _)| *at).chain(dates).map(|at| (at, Span::ZERO));
    for (at, by) in unset.chain(summer_time) {
        for case in CASES.iter().filter(|case| case.due_after < HOUR) {
            let (came, due) = (comes_after(case, at, by).as_millis(), case.due_after.as_millis());
            assert!(came <= due * 12 / 10 + 302_000 && (came >= due || by == HOUR), "{} at {at}: {came}", case.name);
        }
    }
}

#[test]
fn a_clock_put_right_disturbs_nothing() {
    let mut room = Room::new(escalating(0), MORNING);
    told(&mut room);
    room.clock.set_by(back(DAY));
    room.pass(minutes(1));
    room.clock.set_by(DAY);
    room.pass(Span::from_secs(3 * 60));
    assert_eq!(room.said("level 1"), 0);
    room.pass(Span::from_secs(66));
    assert_eq!((room.said("level 1"), room.said("level 2")), (1, 0));
}

#[test]
fn a_machine_that_stood_still_catches_up_once_level_by_level() {
    let mut room = Room::new(escalating(1), MORNING);
    told(&mut room);
    room.clock.set_by(DAY);
    room.pass(SECOND);
    assert_eq!(room.said("is asked"), 1, "the levels after it have their own time");
    room.pass(minutes(60));
    assert_eq!((room.said("level 1"), room.said("level 2")), (2, 2));
}

#[test]
fn a_restart_on_a_clock_set_back_neither_skips_nor_doubles() {
    for by in [SECOND, HOUR, DAY] {
        let mut room = Room::new(escalating(0), MORNING);
        told(&mut room);
        room.pass(minutes(4));
        room.end_and_restart(back(by));
        room.pass(Span::from_secs(30));
        assert_eq!(room.said("level 1"), 0);
        room.pass(Span::from_secs(60));
        assert_eq!(room.said("level 1"), 1, "set back by {by}");
        room.restart();
        room.pass(minutes(30));
        assert_eq!((room.said("level 1"), room.said("level 2")), (1, 1));
        assert_eq!(room.sent_of(NotificationKind::Escalated), 2);
    }
}

#[test]
fn times_in_the_journal_never_go_back() {
    let mut room = Room::new(policy(), MORNING);
    for by in [back(DAY), HOUR, back(HOUR), DAY, back(SECOND)] {
        room.fire("db1");
        room.clock.set_by(by);
        room.pass(SECOND);
        room.restart();
    }
    let rows = room.reader.journal(0, 1_000).unwrap();
    assert!(rows.len() > 10);
    assert!(rows.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{rows:#?}");
}

/// What stands in the configuration with a date follows the wall clock, not ours.
#[test]
fn calendars_follow_the_wall_clock_even_after_it_was_set_back() {
    let mut policy = escalating(0);
    let now: Timestamp = MORNING.parse().unwrap();
    let layer = Rotation {
        starts_at: Wall::Instant(now + back(DAY) + back(DAY)),
        ends_at: None,
        shift: DAY,
        rotation: vec!["anna".into(), "ben".into()],
        only: Vec::new(),
    };
    let schedule = Schedule { layers: vec![layer], ..Schedule::default() };
    policy.schedules.insert("ops".into(), schedule);
    policy.escalation_policies.get_mut("primary").unwrap().levels[0].targets.schedules = vec!["ops".into()];
    policy.maintenance.push(Maintenance {
        id: "planned".into(),
        configuration_item: Some("db2".into()),
        matchers: Vec::new(),
        recurrence: None,
        dedup_key: None,
        starts_at: now + back(DAY),
        ends_at: Some(now + back(DAY) + HOUR),
        reason: "new disks".into(),
    });
    let mut room = Room::new(policy, MORNING);
    // The hand-over was at this very moment; a day earlier it was ben's turn.
    told(&mut room);
    room.clock.set_by(back(DAY));
    room.pass(minutes(6));
    assert_eq!(room.said("is asked (log, ben)"), 1);
    room.fire("db2");
    room.pass(minutes(1));
    assert_eq!(room.said("in maintenance: db2 (new disks)"), 1);
    let before = room.sent_of(NotificationKind::Opened);
    room.pass(HOUR);
    assert_eq!(room.sent_of(NotificationKind::Opened), before + 1, "the window ends by the wall clock");
}

#[test]
fn a_silence_made_on_a_clock_set_back_has_its_full_length() {
    let mut room = Room::new(policy(), MORNING);
    room.fire("db2");
    room.clock.set_by(back(DAY));
    room.cycle();
    let before = room.sent_of(NotificationKind::Opened);
    silenced(&mut room);
    room.pass(minutes(29));
    assert_eq!(room.sent_of(NotificationKind::Opened), before + 1, "db2 only");
    room.pass(minutes(6));
    assert_eq!(room.sent_of(NotificationKind::Opened), before + 2);
}

#[test]
fn an_alert_refreshed_on_a_clock_set_back_lives_on() {
    let mut room = Room::new(policy(), MORNING);
    room.clock.set_by(back(DAY));
    for _ in 0..10 {
        let at = room.clock.now() + minutes(4);
        room.event("db1", |event| event.expires_at = Some(at));
        room.pass(minutes(1));
    }
    assert_eq!(room.said("was not sent again"), 0);
    room.pass(minutes(5));
    assert_eq!(room.said("was not sent again"), 1);
}

#[test]
fn history_is_not_deleted_by_a_clock_that_was_set_wrong() {
    let mut room = Room::new(policy(), MORNING);
    room.fire("db1");
    let first = |room: &Room| room.reader.journal(0, 1).unwrap()[0].0;
    let year = Span::from_hours(365 * 24);
    room.clock.set_by(year);
    room.cycle();
    room.driver.committer.prune();
    room.clock.set_by(back(year));
    room.pass(minutes(90));
    room.driver.committer.prune();
    assert_eq!(first(&room), 1);
    // Once the time has really passed, it goes.
    for _ in 0..400 {
        room.clock.advance(DAY);
        room.cycle();
    }
    room.driver.committer.prune();
    assert!(first(&room) > 1);
}
