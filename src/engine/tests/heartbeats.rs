//! Heartbeats that stay away, and those that only seem to: starts, jumps of the clock, other configurations.

use super::event;
use super::scenario::{Scenario, snapshot};
use crate::engine::heartbeat;
use crate::engine::input::{Input, Reply};
use crate::engine::policy::{HeartbeatRule, NotifyBy, Policy};
use crate::engine::state::State;
use crate::model::event::{Event, EventStatus};
use crate::model::heartbeat::HeartbeatState;
use crate::model::{Alert, Labels, NotificationKind, Severity, Span, Timestamp};
use proptest::prelude::*;

const NIGHTLY: &str = "nightly-backup";
const WATCHDOG: &str = "prod-prometheus";

fn rule(every: Span, grace: Span) -> HeartbeatRule {
    HeartbeatRule {
        every,
        grace,
        matchers: Vec::new(),
        notify: false,
        severity: Severity::Major,
        service: None,
        configuration_item: None,
        labels: Labels::new(),
    }
}

fn nightly() -> HeartbeatRule {
    let labels = Labels::from_iter([("team", "dba")]);
    HeartbeatRule { labels, service: Some("backup".to_owned()), ..rule(Span::from_hours(24), Span::from_mins(30)) }
}

fn watchdog() -> HeartbeatRule {
    let matchers = ["alertname=\"Watchdog\"", "cluster=\"prod\""].map(|text| text.parse().unwrap()).to_vec();
    HeartbeatRule { matchers, severity: Severity::Critical, ..rule(Span::from_mins(1), Span::from_mins(4)) }
}

fn expecting(rules: &[(&str, HeartbeatRule)]) -> Policy {
    let heartbeats = rules.iter().map(|(name, rule)| ((*name).to_owned(), rule.clone())).collect();
    Policy { heartbeats, ..Policy::default() }
}

/// Prometheus' alert that always fires.
fn watchdog_alert(now: Timestamp, status: EventStatus) -> Event {
    let mut event = event(now, "prometheus", "", "Watchdog", Severity::Critical, status);
    event.labels = Labels::from_iter([("alertname", "Watchdog"), ("cluster", "prod"), ("severity", "none")]);
    event.dedup_key = event.labels.fingerprint().to_string();
    event
}

impl Scenario {
    fn beat(&mut self, name: &str) {
        self.input(Input::Beat { heartbeat: name.to_owned(), is_failure: false, note: None });
    }

    fn fail(&mut self, name: &str, note: &str) {
        self.input(Input::Beat { heartbeat: name.to_owned(), is_failure: true, note: Some(note.to_owned()) });
    }

    fn watchdog(&mut self, status: EventStatus) {
        self.input(Input::Events { events: vec![watchdog_alert(self.now, status)] });
    }

    fn configure(&mut self, policy: Policy) {
        self.input(Input::Configured { policy: Box::new(policy) });
    }

    fn about(&self, name: &str) -> Vec<&Alert> {
        let is_about =
            |alert: &&Alert| &*alert.source == heartbeat::SOURCE && alert.labels.get("heartbeat") == Some(name);
        self.state.alerts().filter(|alert| alert.is_firing()).filter(is_about).collect()
    }

    fn is_missing(&self, name: &str) -> bool {
        self.about(name).iter().any(|alert| &*alert.name == "Heartbeat missed")
    }

    fn summary(&self, name: &str) -> String {
        let alerts = self.about(name);
        let [alert] = alerts[..] else { panic!("{} alerts about {name}", alerts.len()) };
        let text = |name| alert.annotations.get(name).unwrap_or_default();
        format!("{}\n{}", text("summary"), text("description"))
    }

    fn shown(&self, name: &str) -> HeartbeatState {
        let all = heartbeat::views(&self.state, self.now, None, None, 100);
        all.into_iter().find(|view| view.name == name).unwrap().state
    }

    /// What a start finds in the store.
    fn stored(&self) -> State {
        let mut stored = snapshot(&self.changes);
        stored.last_at = self.now;
        State::restore(stored).unwrap()
    }

    /// Nobody is there for so long.
    fn restart_after(&mut self, away: Span) {
        self.state = self.stored();
        self.now = self.now + away;
        self.input_unchecked(Input::Started);
    }

    fn jump(&mut self, jumped: Span) {
        self.now = self.now + jumped;
        self.input_unchecked(Input::ClockSet { jumped, ahead: Span::ZERO });
    }
}

#[test]
fn a_job_that_stays_away_is_told_and_its_next_beat_ends_it() {
    let mut s = Scenario::new(expecting(&[(NIGHTLY, nightly())]));
    s.pass(Span::from_hours(3));
    s.beat(NIGHTLY);
    assert_eq!(s.replies.pop(), Some(Reply::Done(NIGHTLY.to_owned())));
    s.pass(Span::from_hours(24));
    assert_eq!(s.shown(NIGHTLY), HeartbeatState::Alive);
    s.pass(Span::from_mins(29));
    assert_eq!((s.shown(NIGHTLY), s.is_missing(NIGHTLY)), (HeartbeatState::Late, false));
    s.pass(Span::from_mins(2));
    assert_eq!(s.shown(NIGHTLY), HeartbeatState::Missing);
    insta::assert_snapshot!(s.summary(NIGHTLY), @r#"
    nightly-backup is missing since 2026-11-22T08:00:00.000Z (expected every 1d, 30m late at most)
    Its last beat came at 2026-11-21T08:00:00.000Z.
    "#);
    let alert = s.about(NIGHTLY)[0].clone();
    assert_eq!((alert.severity, alert.service.as_deref()), (Severity::Major, Some("backup")));
    assert_eq!((alert.configuration_item.as_deref(), alert.labels.get("team")), (Some(NIGHTLY), Some("dba")));
    assert_eq!(s.kinds(), [NotificationKind::Opened]);
    insta::assert_snapshot!(s.open()[0].title, @"nightly-backup is missing since 2026-11-22T08:00:00.000Z (expected every 1d, 30m late at most)");
    s.pass(Span::from_mins(5));
    s.beat(NIGHTLY);
    s.pass(Span::from_mins(5));
    assert_eq!((s.shown(NIGHTLY), s.is_missing(NIGHTLY)), (HeartbeatState::Alive, false));
    assert_eq!(s.kinds(), [NotificationKind::Opened, NotificationKind::Resolved]);
    assert!(s.says("nightly-backup was heard again"));
}

#[test]
fn what_was_never_heard_is_missing_too() {
    let mut s = Scenario::new(expecting(&[(NIGHTLY, nightly())]));
    s.pass(Span::from_hours(24));
    assert_eq!(s.shown(NIGHTLY), HeartbeatState::Waiting);
    s.pass(Span::from_mins(31));
    insta::assert_snapshot!(s.summary(NIGHTLY), @r#"
    nightly-backup is missing since 2026-11-22T05:00:00.000Z (expected every 1d, 30m late at most)
    It was never heard since it is expected, 2026-11-21T05:00:00.000Z.
    "#);
}

#[test]
fn a_job_that_says_it_failed_is_alive_and_told_at_once() {
    let mut s = Scenario::new(expecting(&[(NIGHTLY, nightly())]));
    s.fail(NIGHTLY, "disk full");
    s.pass(Span::from_mins(1));
    insta::assert_snapshot!(s.summary(NIGHTLY), @r#"
    nightly-backup reports a failure
    disk full
    "#);
    assert_eq!((s.shown(NIGHTLY), s.kinds().len()), (HeartbeatState::Failed, 1));
    s.fail(NIGHTLY, "disk still full");
    assert!(s.summary(NIGHTLY).ends_with("disk still full"));
    s.pass(Span::from_hours(25));
    assert_eq!(s.about(NIGHTLY).len(), 2, "it fails, and now it is missing as well");
    s.fail(NIGHTLY, "no disk");
    assert_eq!(s.about(NIGHTLY).len(), 1, "it was heard, and it still fails");
    s.beat(NIGHTLY);
    assert!(s.about(NIGHTLY).is_empty());
    assert_eq!(s.shown(NIGHTLY), HeartbeatState::Alive);
}

#[test]
fn nobody_knows_what_is_not_configured() {
    let mut s = Scenario::new(expecting(&[(NIGHTLY, nightly())]));
    s.beat("nightly-bakcup");
    assert_eq!(s.replies.pop(), Some(Reply::NotFound("nightly-bakcup".to_owned())));
}

#[test]
fn a_watchdog_rings_nobody_while_it_fires_and_somebody_when_it_stops() {
    let mut s = Scenario::new(expecting(&[(WATCHDOG, watchdog())]));
    for _ in 0..90 {
        s.watchdog(EventStatus::Firing);
        s.pass(Span::from_mins(1));
    }
    assert!(s.deliveries.is_empty() && s.state.incidents().next().is_none());
    assert!(s.says("Watchdog is a beat of the heartbeat `prod-prometheus`: nobody is told of it"));
    // Its end is no beat.
    for _ in 0..4 {
        s.watchdog(EventStatus::Resolved);
        s.pass(Span::from_mins(1));
    }
    assert!(s.is_missing(WATCHDOG));
    s.pass(Span::from_mins(1));
    insta::assert_snapshot!(s.summary(WATCHDOG), @r#"
    prod-prometheus is missing since 2026-11-21T06:30:00.000Z (expected every 1m, 4m late at most)
    Its last beat came at 2026-11-21T06:29:00.000Z.
    "#);
    s.watchdog(EventStatus::Firing);
    assert!(!s.is_missing(WATCHDOG));
    s.pass(Span::from_mins(4));
    assert_eq!(s.kinds(), [NotificationKind::Opened, NotificationKind::Resolved]);
}

#[test]
fn another_watchdog_is_an_alert_like_others() {
    let mut s = Scenario::new(expecting(&[(WATCHDOG, watchdog())]));
    let mut other = watchdog_alert(s.now, EventStatus::Firing);
    other.labels.insert("cluster", "lab");
    s.input(Input::Events { events: vec![other] });
    assert_eq!(s.open().len(), 1);
}

#[test]
fn a_watchdog_that_people_want_to_hear_of_is_told_and_beats() {
    let mut s = Scenario::new(expecting(&[(WATCHDOG, HeartbeatRule { notify: true, ..watchdog() })]));
    s.watchdog(EventStatus::Firing);
    s.pass(Span::from_mins(1));
    assert_eq!((s.open().len(), s.shown(WATCHDOG)), (1, HeartbeatState::Alive));
}

#[test]
fn groups_are_told_of_what_is_missing_and_never_of_a_beat() {
    let policy = Policy { notify_by: NotifyBy::Group, ..expecting(&[(WATCHDOG, watchdog())]) };
    let mut s = Scenario::new(policy);
    for _ in 0..30 {
        s.watchdog(EventStatus::Firing);
        s.pass(Span::from_mins(1));
    }
    assert!(s.deliveries.is_empty() && s.state.book().group_count() == 0);
    s.watchdog(EventStatus::Resolved);
    s.pass(Span::from_mins(10));
    let [told] = &s.deliveries[..] else { panic!("{:?}", s.told()) };
    let alerts = &told.notification.group.as_ref().unwrap().alerts;
    let labels: Vec<String> = alerts[0].labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    insta::assert_snapshot!(labels.join(" "), @"alertname=Heartbeat missed heartbeat=prod-prometheus instance=prod-prometheus severity=critical");
    for _ in 0..10 {
        s.watchdog(EventStatus::Firing);
        s.pass(Span::from_mins(1));
    }
    let told: Vec<usize> = s.deliveries.iter().map(|told| told.notification.incident.firing_count as usize).collect();
    assert_eq!(told, [1, 0]);
}

#[test]
fn matchers_never_take_our_own_alerts_for_beats() {
    let all_critical = vec!["severity=\"critical\"".parse().unwrap()];
    let greedy = HeartbeatRule { matchers: all_critical, ..watchdog() };
    let mut s = Scenario::new(expecting(&[(WATCHDOG, greedy)]));
    s.pass(Span::from_hours(1));
    assert!(s.is_missing(WATCHDOG));
}

#[test]
fn a_start_gives_short_ones_their_whole_time_and_long_ones_an_hour() {
    let both = expecting(&[(NIGHTLY, nightly()), (WATCHDOG, watchdog())]);
    let mut s = Scenario::new(both);
    s.beat(NIGHTLY);
    s.watchdog(EventStatus::Firing);
    s.pass(Span::from_mins(1));
    s.restart_after(Span::from_hours(24));
    s.pass(Span::from_mins(4));
    assert!(!s.is_missing(NIGHTLY) && !s.is_missing(WATCHDOG));
    s.pass(Span::from_mins(2));
    assert!(s.is_missing(WATCHDOG), "five minutes are its whole time");
    s.pass(Span::from_mins(53));
    assert!(!s.is_missing(NIGHTLY));
    s.pass(Span::from_mins(2));
    assert!(s.is_missing(NIGHTLY), "an hour is enough");
    insta::assert_snapshot!(s.summary(NIGHTLY), @r#"
    nightly-backup is missing since 2026-11-22T05:00:00.000Z (expected every 1d, 30m late at most)
    Its last beat came at 2026-11-21T05:00:00.000Z. Watchbell was away for some time until 2026-11-22T05:01:00.000Z, and heard nothing then.
    "#);
}

#[test]
fn a_restart_in_the_middle_leaves_a_nightly_job_what_it_had_left() {
    let mut s = Scenario::new(expecting(&[(NIGHTLY, nightly())]));
    s.beat(NIGHTLY);
    for _ in 0..11 {
        s.pass(Span::from_hours(2));
        s.restart_after(Span::from_secs(2));
    }
    s.pass(Span::from_mins(149));
    assert!(!s.is_missing(NIGHTLY));
    s.pass(Span::from_mins(1));
    assert!(s.is_missing(NIGHTLY), "no restart gave it another day");
}

#[test]
fn what_is_missing_stays_so_over_a_restart_and_is_told_once() {
    let mut s = Scenario::new(expecting(&[(WATCHDOG, watchdog())]));
    s.pass(Span::from_mins(10));
    assert!(s.is_missing(WATCHDOG));
    s.restart_after(Span::from_mins(3));
    s.pass(Span::from_mins(30));
    assert!(s.is_missing(WATCHDOG));
    assert_eq!(s.kinds(), [NotificationKind::Opened]);
    s.watchdog(EventStatus::Firing);
    assert!(!s.is_missing(WATCHDOG));
}

#[test]
fn a_clock_that_is_set_ahead_makes_nothing_missing_at_once() {
    let mut s = Scenario::new(expecting(&[(WATCHDOG, watchdog())]));
    s.watchdog(EventStatus::Firing);
    s.jump(Span::from_hours(6));
    s.pass(Span::from_mins(4));
    assert!(!s.is_missing(WATCHDOG));
    s.watchdog(EventStatus::Firing);
    s.pass(Span::from_mins(4));
    assert!(!s.is_missing(WATCHDOG));
    s.jump(Span::from_hours(6));
    s.pass(Span::from_mins(5));
    assert!(s.is_missing(WATCHDOG));
}

#[test]
fn a_clock_that_is_set_back_changes_nothing() {
    let mut s = Scenario::new(expecting(&[(WATCHDOG, watchdog())]));
    s.watchdog(EventStatus::Firing);
    s.pass(Span::from_mins(2));
    s.input(Input::ClockSet { jumped: Span::ZERO, ahead: Span::from_hours(1) });
    s.pass(Span::from_mins(2));
    assert!(!s.is_missing(WATCHDOG));
    s.pass(Span::from_mins(1));
    assert!(s.is_missing(WATCHDOG));
    let views = heartbeat::views(&s.state, s.now - Span::from_hours(1), None, None, 1);
    assert_eq!(views[0].state, HeartbeatState::Missing);
}

#[test]
fn a_reload_adds_changes_and_removes() {
    let mut s = Scenario::new(expecting(&[(WATCHDOG, watchdog())]));
    s.pass(Span::from_mins(6));
    assert!(s.is_missing(WATCHDOG));
    // One is added, and what is missing is said with the labels of now.
    let labels = Labels::from_iter([("team", "infra")]);
    let changed = HeartbeatRule { labels, severity: Severity::Major, ..watchdog() };
    s.configure(expecting(&[(WATCHDOG, changed.clone()), (NIGHTLY, nightly())]));
    let alert = s.about(WATCHDOG)[0].clone();
    assert_eq!((alert.labels.get("team"), alert.severity), (Some("infra"), Severity::Major));
    assert_eq!(s.shown(NIGHTLY), HeartbeatState::Waiting);
    // A time within which it is not missing.
    let patient = HeartbeatRule { every: Span::from_hours(1), ..changed };
    s.configure(expecting(&[(WATCHDOG, patient.clone()), (NIGHTLY, nightly())]));
    assert!(!s.is_missing(WATCHDOG) && s.says("prod-prometheus is in time by the configuration of now"));
    s.pass(Span::from_hours(1));
    assert!(s.is_missing(WATCHDOG));
    s.configure(expecting(&[(NIGHTLY, nightly())]));
    assert!(!s.is_missing(WATCHDOG) && s.says("the heartbeat `prod-prometheus` is no longer configured"));
    s.pass(Span::from_mins(1));
    assert_eq!(s.kinds().last(), Some(&NotificationKind::Resolved));
    assert_eq!(s.stored().heartbeats().map(|(name, _)| name.to_owned()).collect::<Vec<_>>(), [NIGHTLY]);
}

#[test]
fn an_alert_that_becomes_a_beat_leaves_its_incident_and_returns_when_it_is_none_any_more() {
    let mut s = Scenario::new(Policy::default());
    s.watchdog(EventStatus::Firing);
    s.pass(Span::from_mins(1));
    assert_eq!(s.open().len(), 1);
    s.configure(expecting(&[(WATCHDOG, watchdog())]));
    s.pass(Span::from_mins(1));
    assert!(s.open().is_empty());
    assert_eq!(s.kinds(), [NotificationKind::Opened, NotificationKind::Resolved]);
    s.watchdog(EventStatus::Firing);
    s.configure(Policy::default());
    assert_eq!(s.open().len(), 1);
}

/// One thing that happens, then some time passes.
#[derive(Clone, Debug)]
enum Happening {
    Beat,
    Restart { away_ms: i64 },
    Jump { jumped_ms: i64 },
}

fn happenings() -> impl Strategy<Value = Vec<(Happening, i64)>> {
    let happening = prop_oneof![
        3 => Just(Happening::Beat),
        1 => (0..900_000i64).prop_map(|away_ms| Happening::Restart { away_ms }),
        1 => (60_000..900_000i64).prop_map(|jumped_ms| Happening::Jump { jumped_ms }),
    ];
    prop::collection::vec((happening, 0..400_000i64), 1..40)
}

proptest! {
    /// It is missing exactly when nothing was heard for its whole time, and for its whole time (here shorter than an
    /// hour) since anybody could be heard again.
    #[test]
    fn missing_is_what_was_not_heard_for_its_whole_time(happenings in happenings()) {
        let whole = Span::from_mins(5);
        let mut s = Scenario::new(expecting(&[(NIGHTLY, rule(Span::from_mins(3), Span::from_mins(2)))]));
        // The last beat, or the last moment from which beats could be heard; once missing it takes a beat.
        let mut since;
        let mut was_missing = false;
        for (happening, pause_ms) in happenings {
            match happening {
                Happening::Beat => {
                    s.beat(NIGHTLY);
                    (since, was_missing) = (s.now, false);
                }
                Happening::Restart { away_ms } => {
                    s.restart_after(Span::from_millis(away_ms));
                    since = s.now;
                }
                Happening::Jump { jumped_ms } => {
                    s.jump(Span::from_millis(jumped_ms));
                    since = s.now;
                }
            }
            prop_assert_eq!(s.is_missing(NIGHTLY), was_missing);
            s.pass(Span::from_millis(pause_ms));
            was_missing |= s.now.since(since) >= whole;
            prop_assert_eq!(s.is_missing(NIGHTLY), was_missing, "at {}", s.now);
            let view = &heartbeat::views(&s.state, s.now, None, None, 1)[0];
            prop_assert_eq!(view.state == HeartbeatState::Missing, was_missing);
        }
        let open = s.open().len();
        prop_assert_eq!(open, usize::from(was_missing));
    }

    /// A restart without a pause, at any moment, decides nothing differently.
    #[test]
    fn a_restart_forgets_nothing(happenings in happenings(), at in 0..40usize) {
        let told = |restart: Option<usize>| {
            let mut s = Scenario::new(expecting(&[(NIGHTLY, nightly()), (WATCHDOG, watchdog())]));
            for (index, (happening, pause_ms)) in happenings.iter().enumerate() {
                if restart == Some(index) {
                    s.state = s.stored();
                }
                match happening {
                    Happening::Beat => s.watchdog(EventStatus::Firing),
                    Happening::Restart { .. } => s.fail(NIGHTLY, "x"),
                    Happening::Jump { .. } => s.beat(NIGHTLY),
                }
                s.pass(Span::from_millis(*pause_ms));
            }
            let views = heartbeat::views(&s.state, s.now, None, None, 9);
            (s.told(), views)
        };
        prop_assert_eq!(told(None), told(Some(at)));
    }
}
