//! What every backend must do, as checks over the traits alone. A backend's tests run all of
//! [`CHECKS`], each on an empty store; what only one backend has is tested beside that backend.

mod paging;
pub(super) mod samples;

use serde_json::json;

use super::{Commit, QUARANTINE_BYTES_MAX, Reader, Rows, Store, StoreError};
use crate::engine::state::{Changes, Snapshot};
use samples::*;

/// An empty store: its reader, and two writers, of which `store` has been acquired last.
pub(super) struct Subjects {
    pub(super) store: Box<dyn Store>,
    pub(super) rival: Box<dyn Store>,
    pub(super) reader: Box<dyn Reader>,
}

/// What is promised, and the check of it.
type Check = (&'static str, fn(Subjects));

pub(super) const CHECKS: &[Check] = &[
    ("an empty store is empty", an_empty_store_is_empty),
    ("what was committed is loaded", what_was_committed_is_loaded),
    ("later rows replace earlier ones", later_rows_replace_earlier_ones),
    ("the journal has no gaps", the_journal_has_no_gaps),
    ("rows may be behind the journal", rows_may_be_behind_the_journal),
    ("a thousand rows go in at once", a_thousand_rows_go_in_at_once),
    ("a stale writer changes nothing", a_stale_writer_changes_nothing),
    ("a writer that never acquired is stale", a_writer_that_never_acquired_is_stale),
    ("pruning takes only what is old and over", pruning_takes_only_what_is_old_and_over),
    ("pruning goes in pieces", pruning_goes_in_pieces),
    ("numbers are not given out twice", numbers_are_not_given_out_twice),
    ("quarantined bodies are cut", quarantined_bodies_are_cut),
    ("incidents page from the newest", paging::incidents_page_from_the_newest),
    ("incidents are found by prefix", paging::incidents_are_found_by_prefix),
    ("alerts page from the newest", paging::alerts_page_from_the_newest),
    ("alerts are found by fingerprint", paging::alerts_are_found_by_fingerprint),
    ("silences page from the latest start", paging::silences_page_from_the_latest_start),
    ("changes page and filter", paging::changes_page_and_filter),
    ("a change has one row", paging::a_change_has_one_row),
    ("deliveries page and filter", paging::deliveries_page_and_filter),
    ("timelines page from the oldest", paging::timelines_page_from_the_oldest),
    ("problems are found by state and prefix", paging::problems_are_found_by_state_and_prefix),
    ("the rest pages too", paging::the_rest_pages_too),
    ("events are found by id", paging::events_are_found_by_id),
    ("foreign cursors are refused", paging::foreign_cursors_are_refused),
];

/// What a stranger can see of the store, for "nothing changed".
/// One horizon for everything.
fn horizon(at: i64) -> super::Horizon {
    super::Horizon { journal: minute(at), history: minute(at) }
}

fn everything_seen(reader: &dyn Reader) -> String {
    let seen = (
        reader.position().unwrap(),
        reader.journal(0, 1_000).unwrap(),
        reader.incidents(&Default::default()).unwrap(),
        reader.alerts(&Default::default()).unwrap(),
        reader.problems(&Default::default()).unwrap(),
        reader.deliveries(&Default::default()).unwrap(),
        reader.changes(&Default::default()).unwrap(),
        reader.timeline(&super::Subject::Incident(incident_id("inc-a")), &Default::default()).unwrap(),
        reader.audit(&Default::default()).unwrap(),
        reader.quarantine(&Default::default()).unwrap(),
    );
    format!("{seen:#?}")
}

fn an_empty_store_is_empty(mut on: Subjects) {
    assert_eq!(on.store.load().unwrap(), Snapshot::default());
    assert_eq!(on.reader.position().unwrap(), 0);
    assert_eq!(on.reader.find_incidents("inc-0").unwrap(), []);
    assert_eq!(on.reader.alert("00000000000000ff").unwrap(), None);
    assert_eq!(on.store.commit(&Commit::default()).unwrap(), 0);
    assert_eq!(on.store.prune(&horizon(0), 10).unwrap(), 0);
}

fn what_was_committed_is_loaded(mut on: Subjects) {
    let all = everything();
    assert_eq!(on.store.commit(&all).unwrap(), 2);
    let expected = Snapshot {
        position: 2,
        last_at: all.journal[1].at,
        alerts: vec![alert(1).into()],
        incidents: vec![incident("inc-a", "open", 0).into()],
        problems: vec![problem("prb-1", 0)],
        deliveries: vec![delivery("inc-a.1.ops/slack", "inc-a", 0)],
        facts: vec![("silence".into(), "s-1".into(), json!({"comment": "planned"}))],
    };
    assert_eq!(on.store.load().unwrap(), expected);
    assert_eq!(on.reader.incidents(&Default::default()).unwrap().items.len(), 2);
    assert_eq!(on.reader.alerts(&Default::default()).unwrap().items.len(), 2);
    assert_eq!(on.reader.deliveries(&Default::default()).unwrap().items.len(), 2);
    assert_eq!(on.reader.problems(&Default::default()).unwrap().items, all.rows.unwrap().changes.problems);
    assert_eq!(on.reader.changes(&Default::default()).unwrap().items, [change("c-1", 0)]);
    let audited = on.reader.audit(&Default::default()).unwrap().items;
    assert_eq!(audited.into_iter().map(|row| row.entry).collect::<Vec<_>>(), all.audit);
    assert_eq!(on.reader.quarantine(&Default::default()).unwrap().items, all.quarantine);
    let journal = on.reader.journal(0, 10).unwrap();
    let [events, tick] = &all.journal[..] else { panic!("two rows") };
    assert_eq!(journal[0], (1, events.at, "events".into(), events.payload.clone()));
    assert_eq!(journal[1], (2, tick.at, "tick".into(), tick.payload.clone()));
}

fn later_rows_replace_earlier_ones(mut on: Subjects) {
    on.store.commit(&everything()).unwrap();
    let mut joined = alert(1);
    joined.incident = Some(incident_id("inc-a"));
    joined.event_count = 4;
    let delivered = in_state(
        delivery("inc-a.1.ops/slack", "inc-a", 0),
        json!({"state": "exhausted", "reason": "404", "fallback": null}),
        3,
    );
    let mut redriven = delivery("inc-a.0.ops/slack", "inc-a", 0);
    redriven.finished_at = Some(minute(2));
    on.store
        .commit(&changes(Changes {
            alerts: shared([(joined.clone(), true), (alert(2), true)]),
            incidents: shared([(incident("inc-a", "resolved", 0), false), (incident("inc-b", "open", 1), true)]),
            problems: vec![],
            deliveries: vec![delivered, redriven.clone()],
            told: vec![],
            firings: vec![],
            facts: vec![fact("s-1", None), fact("s-2", Some(json!(7))), fact("never-there", None)],
        }))
        .unwrap();
    let loaded = on.store.load().unwrap();
    assert_eq!(loaded.alerts, [joined.clone().into(), alert(2).into()]);
    assert_eq!(loaded.incidents, [incident("inc-b", "open", 1).into()]);
    assert_eq!(loaded.deliveries, [redriven]);
    assert_eq!(loaded.facts, [("silence".into(), "s-2".into(), json!(7))]);
    // Counting on, then resolving in place: the plain update and the one that moves index entries.
    joined.event_count = 5;
    on.store.commit(&alerts([(joined.clone(), true)])).unwrap();
    assert_eq!(*on.store.load().unwrap().alerts[0], joined);
    let joined = resolved(joined, 6);
    on.store.commit(&alerts([(joined.clone(), true)])).unwrap();
    assert_eq!(*on.store.load().unwrap().alerts[0], joined);
    let resolved_only = super::AlertQuery { status: Some(crate::model::AlertStatus::Resolved), ..Default::default() };
    assert_eq!(on.reader.alerts(&resolved_only).unwrap().items, [joined]);
}

fn the_journal_has_no_gaps(mut on: Subjects) {
    assert_eq!(on.store.commit(&journal([tick(0), tick(1)])).unwrap(), 2);
    assert_eq!(on.store.commit(&alerts([(alert(1), true)])).unwrap(), 2);
    assert_eq!(on.store.commit(&journal([tick(2)])).unwrap(), 3);
    assert_eq!(on.reader.position().unwrap(), 3);
    let positions = |after, limit| -> Vec<u64> {
        on.reader.journal(after, limit).unwrap().into_iter().map(|(position, ..)| position).collect()
    };
    assert_eq!(positions(0, 10), [1, 2, 3]);
    assert_eq!(positions(1, 1), [2]);
    assert_eq!(positions(3, 10), [] as [u64; 0]);
    assert_eq!(positions(u64::MAX, 10), [] as [u64; 0]);
}

fn rows_may_be_behind_the_journal(mut on: Subjects) {
    let both = Commit { rows: alerts([(alert(1), true)]).rows, ..journal([tick(0), tick(1)]) };
    assert_eq!(on.store.commit(&both).unwrap(), 2);
    assert_eq!(on.store.commit(&journal([tick(2), tick(3), tick(4)])).unwrap(), 5);
    let loaded = on.store.load().unwrap();
    assert_eq!((loaded.position, loaded.alerts.len()), (2, 1));
    let missing = |store: &mut dyn Store, limit| -> Vec<u64> {
        store.journal(loaded.position, limit).unwrap().into_iter().map(|(position, ..)| position).collect()
    };
    assert_eq!(missing(&mut *on.store, 2), [3, 4]);
    assert_eq!(missing(&mut *on.store, 9), [3, 4, 5]);
    // What no row shows yet is never pruned, however old.
    assert_eq!(on.store.prune(&horizon(999), 100).unwrap(), 2);
    assert_eq!(missing(&mut *on.store, 9), [3, 4, 5]);
    assert_eq!(on.store.commit(&alerts([(alert(2), true)])).unwrap(), 5);
    assert_eq!(on.store.load().unwrap().position, 5);
}

fn a_thousand_rows_go_in_at_once(mut on: Subjects) {
    let rows = (0..1_000).map(|at| events(at, &format!("event-{at}")));
    let commit = Commit { rows: alerts((1..=1_000).map(|n| (alert(n), true))).rows, ..journal(rows) };
    assert_eq!(on.store.commit(&commit).unwrap(), 1_000);
    let rows = on.reader.journal(0, 2_000).unwrap();
    assert!(rows.iter().map(|(position, ..)| *position).eq(1..=1_000));
    assert_eq!(rows[999].3, commit.journal[999].payload);
    assert_eq!(on.store.load().unwrap().alerts.len(), 1_000);
}

fn a_stale_writer_changes_nothing(mut on: Subjects) {
    on.store.commit(&everything()).unwrap();
    let newer = on.rival.acquire().unwrap();
    let before = everything_seen(&*on.reader);
    let all = Commit { rows: alerts([(alert(9), true)]).rows, ..everything() };
    let error = on.store.commit(&all).unwrap_err();
    assert!(matches!(error, StoreError::Stale { ours } if ours < newer), "{error:?}");
    assert!(matches!(on.store.prune(&horizon(999), 100), Err(StoreError::Stale { .. })));
    assert_eq!(everything_seen(&*on.reader), before);
    assert_eq!(on.rival.commit(&journal([tick(2)])).unwrap(), 3);
    // Having taken over again, the first goes on where the other ended.
    assert!(on.store.acquire().unwrap() > newer);
    assert_eq!(on.store.commit(&journal([tick(3)])).unwrap(), 4);
    assert!(matches!(on.rival.commit(&Commit::default()), Err(StoreError::Stale { .. })));
}

fn a_writer_that_never_acquired_is_stale(mut on: Subjects) {
    assert!(matches!(on.rival.commit(&journal([tick(0)])), Err(StoreError::Stale { ours: 0 })));
    assert_eq!(on.reader.position().unwrap(), 0);
}

fn pruning_takes_only_what_is_old_and_over(mut on: Subjects) {
    let delivered =
        |id: &str, at| in_state(delivery(id, "inc-a", 0), json!({"state": "delivered", "proof": "200"}), at);
    on.store
        .commit(&Commit {
            journal: (0..4).map(tick).collect(),
            rows: Some(Rows {
                changes: Changes {
                    alerts: shared([(alert(1), true), (resolved(alert(2), 1), false), (resolved(alert(3), 9), false)]),
                    incidents: shared([
                        (incident("inc-live", "open", 0), true),
                        (incident("inc-old", "closed", 1), false),
                        (incident("inc-young", "closed", 9), false),
                        (merged("inc-alias", "inc-live"), false),
                        (merged("inc-orphan", "inc-gone"), false),
                    ]),
                    problems: vec![problem("prb-1", 0), resolved_problem("prb-2")],
                    deliveries: vec![delivery("d-pending", "inc-a", 0), delivered("d-old", 1), delivered("d-young", 9)],
                    told: vec![change("c-old", 0), change("c-young", 9)],
                    firings: vec![past(2, 0, 1), past(3, 3, 9)],
                    facts: vec![fact("s-1", Some(json!(1)))],
                },
                timeline: vec![
                    entry(0, Some("inc-live"), None, "still going on"),
                    entry(0, Some("inc-old"), None, "over"),
                    entry(0, None, Some(&alert(2)), "over, too"),
                    about_problem(0, "prb-1", "somebody works on it"),
                    about_problem(0, "prb-2", "it was resolved"),
                    entry(9, None, Some(&alert(3)), "young"),
                ],
            }),
            audit: vec![audit(0)],
            quarantine: vec![quarantined(0), quarantined(9)],
        })
        .unwrap();
    let live = on.store.load().unwrap();
    // Two of the journal, one alert, its firing, two incidents, one delivery, one change, three of the timeline, one
    // quarantined.
    assert_eq!(on.store.prune(&horizon(2), 100).unwrap(), 12);
    assert_eq!(on.store.load().unwrap(), live);
    assert_eq!(on.reader.journal(0, 10).unwrap().iter().map(|row| row.0).collect::<Vec<_>>(), [3, 4]);
    let alerts = on.reader.alerts(&Default::default()).unwrap().items;
    assert_eq!(alerts.iter().map(|alert| alert.number).collect::<Vec<_>>(), [3, 1]);
    let fired = on.reader.firings(&firings(0, 99, Default::default())).unwrap().items;
    assert_eq!(fired.iter().map(|firing| firing.alert.number).collect::<Vec<_>>(), [1, 3]);
    let incidents = on.reader.incidents(&Default::default()).unwrap().items;
    assert_eq!(incidents.iter().map(|one| name_of(one.id)).collect::<Vec<_>>(), ["inc-young", "inc-live"]);
    let deliveries = on.reader.deliveries(&Default::default()).unwrap().items;
    assert_eq!(deliveries.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["d-young", "d-pending"]);
    assert_eq!(on.reader.changes(&Default::default()).unwrap().items, [change("c-young", 9)]);
    let timeline =
        |id: &str| on.reader.timeline(&super::Subject::Incident(incident_id(id)), &Default::default()).unwrap().items;
    assert_eq!((timeline("inc-live").len(), timeline("inc-old").len()), (1, 0));
    let of_problem = |id| on.reader.timeline(&of_problem(id), &Default::default()).unwrap().items.len();
    assert_eq!((of_problem("prb-1"), of_problem("prb-2")), (1, 0));
    assert_eq!(on.reader.audit(&Default::default()).unwrap().items.len(), 1);
    assert_eq!(on.reader.quarantine(&Default::default()).unwrap().items, [quarantined(9)]);
    assert_eq!(on.store.prune(&horizon(2), 100).unwrap(), 0);
}

fn pruning_goes_in_pieces(mut on: Subjects) {
    on.store
        .commit(&Commit {
            rows: alerts((1..=5).map(|n| (resolved(alert(n), 1), false))).rows,
            ..journal((0..9).map(tick))
        })
        .unwrap();
    // Of the journal all but the last row can go.
    let pieces: Vec<u64> = (0..5).map(|_| on.store.prune(&horizon(100), 3).unwrap()).collect();
    assert_eq!(pieces, [6, 5, 2, 0, 0]);
    assert_eq!(on.reader.journal(0, 10).unwrap().len(), 1);
    assert_eq!(on.store.commit(&journal([tick(10)])).unwrap(), 10);
}

fn numbers_are_not_given_out_twice(mut on: Subjects) {
    on.store.commit(&Commit { quarantine: vec![quarantined(0), quarantined(1)], ..everything() }).unwrap();
    let page = super::PageQuery { cursor: None, limit: 1 };
    let first = on.reader.quarantine(&page).unwrap();
    on.store.prune(&horizon(999), 100).unwrap();
    on.store.commit(&Commit { quarantine: vec![quarantined(2)], ..Commit::default() }).unwrap();
    // What came after the cursor's row cannot show up behind it.
    let behind = on.reader.quarantine(&super::PageQuery { cursor: first.next_cursor, limit: 9 }).unwrap();
    assert_eq!(behind.items, []);
    assert_eq!(on.store.load().unwrap().position, 2);
}

fn quarantined_bodies_are_cut(mut on: Subjects) {
    let mut row = quarantined(0);
    row.body = vec![b'x'; QUARANTINE_BYTES_MAX + 1];
    on.store.commit(&Commit { quarantine: vec![row], ..Commit::default() }).unwrap();
    assert_eq!(on.reader.quarantine(&Default::default()).unwrap().items[0].body.len(), QUARANTINE_BYTES_MAX);
}
