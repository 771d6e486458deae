//! What holds for every stream of events, not only for the ones somebody thought of.

use super::scenario::{Scenario, event, snapshot};
use super::{CRITICAL, lab};
use crate::engine::input::Input;
use crate::engine::state::State;
use crate::model::event::EventStatus;
use crate::model::{AlertStatus, NotificationKind, PastFiring, Severity, SilenceDraft, Span, Timestamp};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One thing that happens: a monitor speaks about an item, then some time passes.
#[derive(Clone, Debug)]
struct Moment {
    source: usize,
    item: usize,
    is_firing: bool,
    pause_ms: i64,
}

const SOURCES: [&str; 3] = ["nagios", "zabbix", "prometheus"];
const ITEMS: [&str; 5] = ["rtr1", "web1", "web2", "db1", "mon1"];

fn moments() -> impl Strategy<Value = Vec<Moment>> {
    let moment = (0..SOURCES.len(), 0..ITEMS.len(), prop::bool::weighted(0.6), prop_oneof![0..3_000i64, 0..600_000i64])
        .prop_map(|(source, item, is_firing, pause_ms)| Moment { source, item, is_firing, pause_ms });
    prop::collection::vec(moment, 1..40)
}

fn play(s: &mut Scenario, moments: &[Moment], copies: usize) {
    for moment in moments {
        let status = if moment.is_firing { EventStatus::Firing } else { EventStatus::Resolved };
        let event = event(s.now, SOURCES[moment.source], ITEMS[moment.item], "down", CRITICAL, status);
        for _ in 0..copies {
            s.input(Input::Events { events: vec![event.clone()] });
        }
        s.pass(Span::from_millis(moment.pause_ms));
    }
}

/// Ends everything that fires and lets it settle.
fn heal(s: &mut Scenario) {
    for source in SOURCES {
        for item in ITEMS {
            s.resolve(source, item, "down");
        }
    }
    s.pass(Span::from_mins(20));
}

/// What a start may take back of an alert, which is how often and until when it was repeated, left out.
fn firings(s: &Scenario) -> Vec<PastFiring> {
    let steady = |firing: &PastFiring| {
        let mut firing = firing.clone();
        if let Some(alert) = firing.alert.as_mut().map(Arc::make_mut) {
            (alert.event_count, alert.last_seen_at) = (0, Timestamp::default());
            alert.recorded_at = Timestamp::default();
        }
        firing
    };
    s.changes.firings.iter().map(steady).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn redelivery_changes_nothing_that_people_hear(moments in moments()) {
        let (mut once, mut twice) = (Scenario::new(lab()), Scenario::new(lab()));
        play(&mut once, &moments, 1);
        play(&mut twice, &moments, 2);
        prop_assert_eq!(once.told(), twice.told());
    }

    #[test]
    fn a_restart_at_any_moment_changes_nothing(moments in moments(), at in 0usize..40) {
        let at = at.min(moments.len());
        let mut steady = Scenario::new(lab());
        play(&mut steady, &moments, 1);
        let mut first = Scenario::new(lab());
        play(&mut first, &moments[..at], 1);
        let state = State::restore(snapshot(&first.changes)).unwrap();
        let mut second = Scenario { state, ..first };
        play(&mut second, &moments[at..], 1);
        prop_assert_eq!(&steady.deliveries, &second.deliveries);
        prop_assert_eq!(&steady.timeline, &second.timeline);
        prop_assert_eq!(firings(&steady), firings(&second));
        let muted = |s: &Scenario| s.state.alerts().map(|alert| alert.muted.clone()).collect::<Vec<_>>();
        prop_assert_eq!(muted(&steady), muted(&second));
    }

    #[test]
    fn every_firing_alert_is_in_exactly_one_live_incident_or_flaps(moments in moments()) {
        let mut s = Scenario::new(lab());
        play(&mut s, &moments, 1);
        for alert in s.state.alerts().filter(|alert| alert.status == AlertStatus::Firing) {
            let incident = alert.incident.as_ref().and_then(|id| s.state.incident(id));
            let is_live = incident.is_some_and(|incident| incident.state.is_active());
            prop_assert!(is_live || alert.flap.is_flapping, "{:?}", alert);
        }
        for incident in s.state.incidents().filter(|incident| incident.state.is_active()) {
            let members = s.state.alerts().filter(|alert| alert.incident.as_ref() == Some(&incident.id)).count();
            prop_assert_eq!(members as u32, incident.alert_count);
        }
    }

    #[test]
    fn memory_lets_go_of_everything_once_it_is_over(moments in moments()) {
        let mut s = Scenario::new(lab());
        play(&mut s, &moments, 1);
        // An alert that fires again long after its incident ended must not leave with that incident.
        s.pass(Span::from_hours(20));
        for alert in s.state.alerts().filter(|alert| alert.status == AlertStatus::Firing && !alert.flap.is_flapping) {
            prop_assert!(alert.incident.is_some());
        }
        let firing = s.state.firing_count();
        s.pass(Span::from_hours(20));
        prop_assert_eq!(s.state.firing_count(), firing);
        heal(&mut s);
        s.pass(Span::from_hours(30));
        prop_assert_eq!((s.state.alerts().count(), s.state.incidents().count()), (0, 0));
    }

    #[test]
    fn whoever_heard_of_it_hears_its_end_once_and_last(moments in moments()) {
        let mut s = Scenario::new(lab());
        play(&mut s, &moments, 1);
        heal(&mut s);
        prop_assert_eq!(s.open().len(), 0);
        let mut told: BTreeMap<_, Vec<NotificationKind>> = BTreeMap::new();
        // Word of its problem asks nothing of anyone and may come after the end.
        for delivery in s.deliveries.iter().filter(|delivery| !delivery.notification.kind.is_about_problem()) {
            told.entry(delivery.incident).or_default().push(delivery.notification.kind);
        }
        for (incident, kinds) in told {
            prop_assert!(kinds[0].is_loud(), "{} begins with {:?}", incident, kinds);
            prop_assert!(kinds.last().unwrap().is_final(), "{} ends with {:?}", incident, kinds);
            let doubled = kinds.windows(2).any(|pair| pair[0].is_final() && pair[1].is_final());
            prop_assert!(!doubled, "{}: {:?}", incident, kinds);
        }
    }

    #[test]
    fn what_is_silenced_rings_nobody(moments in moments()) {
        let mut s = Scenario::new(lab());
        let silence = crate::engine::input::Command::Silence(Box::new(SilenceDraft {
            matchers: vec!["alertname=\"down\"".parse().unwrap()],
            starts_at: s.now,
            ends_at: s.now + Span::from_hours(24 * 30),
            comment: "moving".into(), ..SilenceDraft::default() }));
        s.command(silence);
        play(&mut s, &moments, 1);
        prop_assert!(s.deliveries.is_empty(), "{:?}", s.told());
    }

    #[test]
    fn severity_never_lowers_the_priority_by_itself(moments in moments()) {
        let mut s = Scenario::new(lab());
        play(&mut s, &moments, 1);
        let before: BTreeMap<_, _> = s.state.incidents().map(|i| (i.id, i.priority)).collect();
        s.fire("nagios", "web1", "slow", Severity::Warning);
        for incident in s.state.incidents() {
            if let Some(priority) = before.get(&incident.id) {
                prop_assert!(incident.priority <= *priority);
            }
        }
    }

    #[test]
    fn what_has_nothing_to_do_with_each_other_commutes(
        (first, second) in (moments(), moments()), order in prop::collection::vec(any::<bool>(), 80)
    ) {
        // The second half of the lab is another site: nothing ties it to the first, neither topology nor place. What
        // ends is history from then on, for all sites; so it keeps its place before or after what fires.
        let grouped = |is_swapped: bool| {
            let mut s = Scenario::new(lab());
            let (mut here, mut there) = (first.iter(), second.iter());
            for takes_first in &order {
                let mut pair = [(here.as_slice().first(), ""), (there.as_slice().first(), "far-")];
                if !takes_first { pair.reverse(); }
                let fires = |at: usize| pair[at].0.map(|moment| moment.is_firing);
                if is_swapped && fires(0) == fires(1) { pair.reverse(); }
                for (moment, site) in pair {
                    let Some(moment) = moment else { continue };
                    let status = if moment.is_firing { EventStatus::Firing } else { EventStatus::Resolved };
                    let item = format!("{site}{}", ITEMS[moment.item]);
                    let event = event(s.now, SOURCES[moment.source], &item, "down", CRITICAL, status);
                    s.input(Input::Events { events: vec![event] });
                }
                let pause = here.next().into_iter().chain(there.next()).map(|moment| moment.pause_ms).max();
                s.pass(Span::from_millis(pause.unwrap_or(0)));
            }
            let mut groups: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
            for alert in s.state.alerts().filter(|alert| alert.incident.is_some()) {
                groups.entry(alert.incident).or_default().insert(alert.dedup_key.to_string());
            }
            let mut groups: Vec<BTreeSet<String>> = groups.into_values().collect();
            groups.sort();
            groups
        };
        prop_assert_eq!(grouped(false), grouped(true));
    }
}
