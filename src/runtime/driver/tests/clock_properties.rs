//! What holds for every deed that is done to a clock, not only for the ones somebody thought of.

use super::room::{MORNING, Room, escalating, told};
use super::*;
use crate::model::NotificationKind;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// One thing that happens to a daemon and its clock.
#[derive(Clone, Debug)]
enum Happening {
    Pass(i64),
    SetBy(i64),
    Restart,
    Fire,
}

fn happenings(set_by: impl Strategy<Value = i64> + 'static) -> impl Strategy<Value = Vec<Happening>> {
    let one = prop_oneof![
        4 => (0..400i64).prop_map(Happening::Pass),
        3 => set_by.prop_map(Happening::SetBy),
        1 => Just(Happening::Restart),
        1 => Just(Happening::Fire),
    ];
    prop::collection::vec(one, 0..24)
}

/// Plays it; returns when each level was asked, by the steady clock, and how far the clock had been set
/// ahead by then in all.
fn play(happenings: &[Happening]) -> (Room, Vec<(Span, Span)>) {
    let mut room = Room::new(escalating(2), MORNING);
    told(&mut room);
    let (mut ahead_s, mut asked) = (0, Vec::new());
    let end = [Happening::Pass(60 * 60 * 2)];
    for happening in happenings.iter().chain(&end) {
        match happening {
            Happening::Pass(seconds) => room.pass(Span::from_secs(*seconds)),
            Happening::SetBy(seconds) => {
                ahead_s += (*seconds).max(0);
                room.clock.set_by(Span::from_secs(*seconds));
                room.cycle();
            }
            Happening::Restart => room.end_and_restart(Span::ZERO),
            Happening::Fire => room.fire("db1"),
        }
        let escalated =
            room.sent.iter().filter(|(_, delivery)| delivery.notification.kind == NotificationKind::Escalated);
        asked.extend(escalated.skip(asked.len()).map(|(at, _)| (*at, Span::from_secs(ahead_s))).collect::<Vec<_>>());
    }
    (room, asked)
}

/// Each level asked once a round, three rounds, in their order, and nothing told twice.
fn check_once(room: &Room, asked: &[(Span, Span)]) -> Result<(), TestCaseError> {
    prop_assert_eq!(asked.len(), 6);
    prop_assert_eq!((room.said("level 1"), room.said("level 2")), (3, 3));
    prop_assert_eq!(room.sent_of(NotificationKind::Opened), 1);
    let ids: BTreeSet<&str> = room.sent.iter().map(|(_, delivery)| delivery.id.as_str()).collect();
    prop_assert_eq!(ids.len(), room.sent.len(), "a notification went out twice");
    Ok(())
}

const fn level_wait(index: usize) -> i64 {
    if index.is_multiple_of(2) { 300_000 } else { 600_000 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_level_is_asked_once_whatever_happens_to_the_clock(happenings in happenings(-200_000..200_000i64)) {
        let (room, asked) = play(&happenings);
        check_once(&room, &asked)?;
        let mut before = (Span::from_secs(5), Span::ZERO);
        for (index, (at, ahead)) in asked.into_iter().enumerate() {
            // What the clock was set ahead counts as passed: the machine may have stood still.
            let waited = at.as_millis() - before.0.as_millis() + ahead.as_millis() - before.1.as_millis();
            prop_assert!(waited >= level_wait(index), "level {index} was asked after {waited} ms");
            before = (at, ahead);
        }
    }

    #[test]
    fn on_a_clock_that_is_only_set_back_every_level_has_its_full_time_and_little_more(happenings in happenings(-200_000..0i64)) {
        let (room, asked) = play(&happenings);
        check_once(&room, &asked)?;
        let mut before = Span::from_secs(5);
        for (index, (at, _)) in asked.into_iter().enumerate() {
            let waited = at.as_millis() - before.as_millis();
            let wait = level_wait(index);
            prop_assert!(waited >= wait && waited <= wait * 10 / 9 + 5_000, "level {index} was asked after {waited} ms");
            before = at;
        }
    }
}
