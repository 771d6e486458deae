//! What fired at a time, against a plain look at everything that ever fired.

use proptest::prelude::*;
use serde_json::json;
use std::sync::Arc;

use crate::engine::inhibit::Eyes;
use crate::engine::state::Changes;
use crate::model::alert::AlertNumber;
use crate::model::{Alert, AlertStatus, Fingerprint, PastFiring, Timestamp};
use crate::store::sqlite::{SqliteReader, SqliteStore};
use crate::store::{Commit, FiringQuery, PageQuery, Reader, Rows, Store};

/// Number, beginning, end.
type Period = (AlertNumber, i64, Option<i64>);

/// What becomes of one alert: pauses and durations, and whether it still fires, or memory has let go of it.
#[derive(Clone, Debug)]
struct Life {
    firings: Vec<(i64, i64)>,
    fires: bool,
    is_left: bool,
}

fn lives() -> impl Strategy<Value = Vec<Life>> {
    let pause = prop_oneof![1..1_000i64, 1..10_000_000i64];
    // In every class, and at the borders between them.
    let length = prop_oneof![Just(0), 0..100_000i64, 59_990..60_010i64, 0..40_000_000i64, 0..30_000_000_000i64];
    let life = (prop::collection::vec((pause, length), 1..4), any::<bool>(), any::<bool>());
    let life = life.prop_map(|(firings, fires, is_left)| Life { firings, fires, is_left });
    prop::collection::vec(life, 1..30)
}

impl Life {
    fn periods(&self, number: AlertNumber) -> Vec<Period> {
        let (mut at, mut all) = (0, Vec::new());
        for (index, (pause, length)) in self.firings.iter().enumerate() {
            let from = at + pause;
            at = from + length;
            let goes_on = self.fires && index + 1 == self.firings.len();
            all.push((number, from, (!goes_on).then_some(at)));
        }
        all
    }
}

fn alert((number, from, until): Period) -> Alert {
    serde_json::from_value(json!({
        "number": number, "fingerprint": Fingerprint(number), "source": if number % 2 == 0 { "even" } else { "odd" },
        "dedup_key": number.to_string(), "name": "down", "severity": "critical",
        "status": if until.is_some() { AlertStatus::Resolved } else { AlertStatus::Firing },
        "labels": { "third": (number % 3).to_string() }, "started_at": Timestamp::from_millis(from),
        "fired_at": Timestamp::from_millis(from), "last_seen_at": Timestamp::from_millis(from),
        "resolved_at": until.map(Timestamp::from_millis), "opened_by": "x", "event_count": from,
    }))
    .unwrap()
}

/// Writes them as the engine would, in order of time, several to a commit.
fn store(lives: &[Life], per_commit: usize) -> (SqliteReader, Vec<Period>) {
    let all: Vec<Vec<Period>> = (1..).zip(lives).map(|(number, life)| life.periods(number)).collect();
    let mut moments: Vec<(i64, usize, usize, bool)> = Vec::new();
    for (life, periods) in all.iter().enumerate() {
        for (index, (_, from, until)) in periods.iter().enumerate() {
            moments.push((*from, life, index, true));
            moments.extend(until.map(|until| (until, life, index, false)));
        }
    }
    // A firing without length begins before it ends.
    moments.sort_by_key(|(at, life, index, begins)| (*at, *life, *index, !begins));
    let (mut store, reader) = SqliteStore::open_in_memory().unwrap();
    store.acquire().unwrap();
    for part in moments.chunks(per_commit) {
        let mut changes = Changes::default();
        for (_, life, index, begins) in part {
            let (number, from, until) = all[*life][*index];
            if *begins {
                changes.firings.extend(index.checked_sub(1).map(|before| {
                    let before = all[*life][before];
                    past(before, Some(alert(before)))
                }));
                changes.alerts.push((Arc::new(alert((number, from, None))), true));
            } else {
                changes.firings.push(past((number, from, until), None));
                let is_last = index + 1 == all[*life].len();
                let is_live = !(is_last && lives[*life].is_left);
                changes.alerts.push((Arc::new(alert((number, from, until))), is_live));
            }
        }
        store.commit(&Commit { rows: Some(Rows { changes, ..Rows::default() }), ..Commit::default() }).unwrap();
    }
    (reader, all.into_iter().flatten().collect())
}

fn past((number, from, until): Period, alert: Option<Alert>) -> PastFiring {
    let (from, until) = (Timestamp::from_millis(from), Timestamp::from_millis(until.unwrap()));
    PastFiring { number, from, until, groups: Vec::new(), alert: alert.map(Arc::new) }
}

/// Everything that the pages hold, in their order.
fn found(reader: &SqliteReader, query: &FiringQuery) -> Vec<Period> {
    let (mut all, mut query) = (Vec::new(), query.clone());
    loop {
        let page = reader.firings(&query).unwrap();
        assert!(page.items.len() <= query.page.limit as usize);
        for firing in &page.items {
            // The alert is the one of this firing, not of another.
            assert_eq!((firing.alert.fired_at, firing.alert.resolved_at), (firing.from, firing.until));
            assert_eq!(firing.alert.event_count as i64, firing.from.as_millis());
        }
        all.extend(
            page.items
                .iter()
                .map(|firing| (firing.alert.number, firing.from.as_millis(), firing.until.map(Timestamp::as_millis))),
        );
        let Some(cursor) = page.next_cursor else { return all };
        query.page.cursor = Some(cursor);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_fired_in_a_time_is_found_and_nothing_else(
        lives in lives(), per_commit in 1usize..6, limit in 1u32..20,
        asked in prop::collection::vec((any::<prop::sample::Index>(), -1..=1i64, prop_oneof![Just(0), 0..50_000_000i64]), 1..8),
        filter in prop::option::of(0..3u64), is_even in prop::option::of(any::<bool>()),
    ) {
        let (reader, all) = store(&lives, per_commit);
        // Where it is hard: at a beginning or an end, and right beside it.
        let moments: Vec<i64> = all.iter().flat_map(|(_, from, until)| [Some(*from), *until]).flatten().collect();
        for (moment, beside, length) in asked {
            let from = moment.get(&moments) + beside;
            let until = from + length;
            let is_in = |(_, began, ended): &&Period| {
                *began <= until && (*began >= from || ended.is_none_or(|ended| ended > from))
            };
            let is_wanted = |(number, ..): &&Period| {
                filter.is_none_or(|third| number % 3 == third) && is_even.is_none_or(|even| (number % 2 == 0) == even)
            };
            let mut expected: Vec<Period> = all.iter().filter(is_in).filter(is_wanted).copied().collect();
            expected.sort_by_key(|(number, _, until)| (until.is_some(), std::cmp::Reverse((*until, *number))));
            let query = FiringQuery {
                from: Timestamp::from_millis(from),
                until: Timestamp::from_millis(until),
                matchers: filter.map(|third| format!("third=\"{third}\"").parse().unwrap()).into_iter().collect(),
                eyes: Eyes::default(),
                source: is_even.map(|even| if even { "even" } else { "odd" }.to_owned()),
                page: PageQuery { cursor: None, limit },
            };
            let mut seen = found(&reader, &query);
            prop_assert!(seen.is_sorted_by_key(|(_, _, until)| (until.is_some(), std::cmp::Reverse(*until))));
            seen.sort_by_key(|(number, _, until)| (until.is_some(), std::cmp::Reverse((*until, *number))));
            prop_assert_eq!(seen, expected);
        }
    }
}
