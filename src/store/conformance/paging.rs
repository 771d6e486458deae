//! What readers are promised: order, filters, cursors, look-ups.

use serde_json::json;

use super::Subjects;
use super::samples::*;
use crate::engine::state::{Changes, Fact};
use crate::model::audit::AuditRow;
use crate::model::problem::ProblemState;
use crate::model::{
    Alert, AlertStatus, Change, ChangeState, Delivery, Incident, IncidentState, Priority, Problem, Silence,
    SilenceState, TimelineEntry, Timestamp,
};
use crate::store::{
    AlertQuery, ChangeQuery, Commit, DeliveryQuery, IncidentQuery, Page, PageQuery, ProblemQuery, QuarantineRow,
    SilenceQuery, StoreError, Subject,
};

/// Walks all pages of `limit` rows and says which names were on them: `b a | c`.
fn walk<T>(limit: u32, name: impl Fn(&T) -> String, list: impl Fn(PageQuery) -> Page<T>) -> String {
    let mut pages = Vec::new();
    let mut cursor = None;
    loop {
        let page = list(PageQuery { cursor, limit });
        assert!(page.items.len() <= limit as usize);
        pages.push(page.items.iter().map(&name).collect::<Vec<_>>().join(" "));
        cursor = page.next_cursor;
        assert!(pages.len() < 20, "the pages do not end: {pages:?}");
        if cursor.is_none() {
            return pages.join(" | ");
        }
    }
}

pub(super) fn incidents_page_from_the_newest(mut on: Subjects) {
    let mut urgent = incident("inc-e", "open", 4);
    urgent.priority = Priority::P1;
    on.store
        .commit(&incidents([
            (incident("inc-a", "open", 1), true),
            (incident("inc-b", "closed", 3), false),
            (incident("inc-c", "acknowledged", 2), true),
            (incident("inc-d", "open", 2), true),
            (urgent, true),
            (incident("inc-f", "pending", 9), true),
        ]))
        .unwrap();
    let listed = |limit, states: &[IncidentState], priority| {
        walk(
            limit,
            |incident: &Incident| name_of(incident.id).to_owned(),
            |page| on.reader.incidents(&IncidentQuery { states: states.to_vec(), priority, page }).unwrap(),
        )
    };
    assert_eq!(listed(2, &[], None), "inc-e inc-b | inc-c inc-d | inc-a");
    assert_eq!(listed(1, &[IncidentState::Open], None), "inc-e | inc-d | inc-a");
    let twice = [IncidentState::Closed, IncidentState::Acknowledged, IncidentState::Closed];
    assert_eq!(listed(9, &twice, None), "inc-b inc-c");
    assert_eq!(listed(9, &[IncidentState::Pending], None), "inc-f");
    assert_eq!(listed(9, &[], Some(Priority::P1)), "inc-e");
    assert_eq!(listed(9, &[IncidentState::Closed], Some(Priority::P1)), "");
    let most = PageQuery { cursor: None, limit: u32::MAX };
    let all = on.reader.incidents(&IncidentQuery { page: most, ..Default::default() }).unwrap();
    assert_eq!((all.items.len(), all.next_cursor), (5, None));
}

pub(super) fn incidents_are_found_by_prefix(mut on: Subjects) {
    on.store
        .commit(&incidents([
            (incident("inc-a", "open", 0), true),
            (incident("inc-b", "closed", 0), false),
            (merged("inc-c", "inc-d"), false),
            (merged("inc-d", "inc-a"), false),
            (merged("inc-e", "inc-gone"), false),
            (merged("inc-f", "inc-f"), false),
        ]))
        .unwrap();
    let found = |prefix: &str| -> String {
        let found = on.reader.find_incidents(prefix).unwrap();
        found.iter().map(|incident: &Incident| name_of(incident.id)).collect::<Vec<_>>().join(" ")
    };
    let text = |name| incident_id(name).to_string();
    assert_eq!(found(&text("inc-a")), "inc-a");
    assert_eq!(found(&text("inc-a")[4..10]), "inc-a");
    assert_eq!(found(&format!(" {} ", text("inc-b")[..9].to_uppercase())), "inc-b");
    assert_eq!(found(&text("inc-c")), "inc-a", "merged twice");
    assert_eq!(found(&text("inc-c")[..10]), "inc-a", "merged twice");
    assert_eq!(found(&text("inc-e")), "inc-e", "its survivor is not there");
    assert_eq!(found(&text("inc-f")), "inc-f");
    let longer = format!("{}0", text("inc-a"));
    for prefix in ["", "inc-", "%", "_", "7k_m", &longer, "'", "\u{10ffff}", "in", "incident"] {
        assert_eq!(found(prefix), "", "{prefix}");
    }
    let many = (0..400).map(|n| (incident(&format!("inc-many{n:03}"), "open", n), true));
    on.store.commit(&incidents(many)).unwrap();
    let first = text("inc-many000")[..5].to_owned();
    let several = on.reader.find_incidents(&first).unwrap();
    assert!(several.len() > 1 && several.len() <= 10, "{}", several.len());
    // Merged ones begin with something of their own, and stand for their survivor.
    let survivor = incident_id("inc-a");
    assert!(several.iter().all(|incident| incident.id == survivor || incident.id.starts_with(&first)));
}

pub(super) fn alerts_page_from_the_newest(mut on: Subjects) {
    let joined = |number| {
        let mut alert = alert(number);
        alert.incident = Some(incident_id("inc-a"));
        alert
    };
    on.store
        .commit(&alerts([
            (alert(1), true),
            (joined(2), true),
            (resolved(joined(3), 5), true),
            (resolved(alert(4), 5), false),
            (joined(5), true),
        ]))
        .unwrap();
    let listed = |limit, status, incident: Option<&str>| {
        walk(
            limit,
            |alert: &Alert| alert.number.to_string(),
            |page| on.reader.alerts(&AlertQuery { status, incident: incident.map(incident_id), page }).unwrap(),
        )
    };
    assert_eq!(listed(2, None, None), "5 4 | 3 2 | 1");
    assert_eq!(listed(2, Some(AlertStatus::Firing), None), "5 2 | 1");
    assert_eq!(listed(1, Some(AlertStatus::Resolved), None), "4 | 3");
    assert_eq!(listed(2, None, Some("inc-a")), "5 3 | 2");
    assert_eq!(listed(9, Some(AlertStatus::Firing), Some("inc-a")), "5 2");
    assert_eq!(listed(9, None, Some("inc-unknown")), "");
}

pub(super) fn alerts_are_found_by_fingerprint(mut on: Subjects) {
    let again = |number| {
        let mut again = alert(number);
        again.fingerprint = alert(1).fingerprint;
        again
    };
    let number = |id: &str| on.reader.alert(id).unwrap().map(|alert| alert.number);
    let id = alert(1).id();
    on.store.commit(&alerts([(alert(1), true), (alert(2), true)])).unwrap();
    assert_eq!(number(&id), Some(1));
    on.store.commit(&alerts([(resolved(alert(1), 5), false)])).unwrap();
    assert_eq!(number(&id), Some(1));
    on.store.commit(&alerts([(again(3), true)])).unwrap();
    assert_eq!(number(&id), Some(3));
    on.store.commit(&alerts([(resolved(again(3), 6), false)])).unwrap();
    assert_eq!(number(&id), Some(3));
    assert_eq!(number(&id.to_uppercase()), Some(3));
    for id in ["", "ffffffffffffffff", "no hex", "11111111111111111"] {
        assert_eq!(number(id), None, "{id}");
    }
}

pub(super) fn silences_page_from_the_latest_start(mut on: Subjects) {
    let listed = |on: &Subjects, limit| {
        walk(
            limit,
            |silence: &Silence| silence.id.clone(),
            |page| on.reader.silences(&SilenceQuery { state: None, page }).unwrap(),
        )
    };
    assert_eq!(listed(&on, 9), "");
    let facts = [("sil-a", 1), ("sil-b", 3), ("sil-c", 2), ("sil-d", 3), ("sil-e", 0)];
    let facts = facts.map(|(id, starts_at)| fact(id, Some(silence(id, starts_at))));
    let other = Fact { kind: "maintenance", key: "m-1".into(), value: Some(json!(true)) };
    on.store
        .commit(&changes(Changes { facts: facts.into_iter().chain([other]).collect(), ..Changes::default() }))
        .unwrap();
    assert_eq!(listed(&on, 9), "sil-d sil-b sil-c sil-a sil-e");
    assert_eq!(listed(&on, 2), "sil-d sil-b | sil-c sil-a | sil-e");
    on.store.commit(&changes(Changes { facts: vec![fact("sil-c", None)], ..Changes::default() })).unwrap();
    assert_eq!(listed(&on, 4), "sil-d sil-b sil-a sil-e", "what is forgotten is gone");
    let over = |state: &str| json!({ "state": state }).as_object().cloned().unwrap_or_default();
    let with = |id: &str, state: &str| {
        let mut body = silence(id, 1);
        body.as_object_mut().unwrap().extend(over(state));
        fact(id, Some(body))
    };
    let facts = vec![with("sil-d", "pending"), with("sil-b", "expired")];
    on.store.commit(&changes(Changes { facts, ..Changes::default() })).unwrap();
    assert_eq!(listed(&on, 4), "sil-d sil-a sil-e", "what is over is shown to those who ask for it");
    let only = |state| {
        let query = SilenceQuery { state: Some(state), ..SilenceQuery::default() };
        on.reader.silences(&query).unwrap().items.into_iter().map(|silence| silence.id).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(SilenceState::ALL.map(only), ["sil-d", "sil-a sil-e", "sil-b"]);
}

fn told(changes_told: impl IntoIterator<Item = Change>) -> Commit {
    changes(Changes { told: changes_told.into_iter().collect(), ..Changes::default() })
}

pub(super) fn changes_page_and_filter(mut on: Subjects) {
    let elsewhere = Change { configuration_item: Some("db-1".into()), ..change("c-d", 3) };
    let of_service = Change { configuration_item: None, ..change("c-e", 4) };
    on.store
        .commit(&told([change("c-a", 1), change("c-b", 2), change("c-c", 2), elsewhere, of_service, change("c-f", 5)]))
        .unwrap();
    let listed = |limit, item: Option<&str>, since: Option<Timestamp>, until: Option<Timestamp>| {
        walk(
            limit,
            |change: &Change| change.id.clone(),
            |page| {
                let configuration_item = item.map(String::from);
                on.reader.changes(&ChangeQuery { configuration_item, since, until, page }).unwrap()
            },
        )
    };
    assert_eq!(listed(4, None, None, None), "c-f c-e c-d c-c | c-b c-a");
    assert_eq!(listed(1, Some("shop-web"), None, None), "c-f | c-c | c-b | c-a");
    assert_eq!(listed(9, Some("db-1"), None, None), "c-d");
    assert_eq!(listed(9, Some("unknown"), None, None), "");
    assert_eq!(listed(2, None, Some(minute(2)), Some(minute(4))), "c-e c-d | c-c c-b");
    assert_eq!(listed(9, Some("shop-web"), Some(minute(2)), Some(minute(2))), "c-c c-b");
    assert_eq!(listed(9, None, Some(minute(9)), None), "");
    assert_eq!(listed(9, None, None, Some(minute(0))), "");
}

pub(super) fn a_change_has_one_row(mut on: Subjects) {
    let started = Change { state: ChangeState::Started, state_at: None, ..change("c-a", 1) };
    on.store.commit(&told([started])).unwrap();
    let moved = Change { configuration_item: Some("db-1".into()), ..change("c-a", 0) };
    let namesake = Change { source: "cd".into(), ..change("c-a", 2) };
    on.store.commit(&told([moved.clone(), namesake.clone()])).unwrap();
    assert_eq!(on.reader.changes(&Default::default()).unwrap().items, [namesake, moved]);
}

pub(super) fn deliveries_page_and_filter(mut on: Subjects) {
    let exhausted = json!({"state": "exhausted", "reason": "404", "fallback": "d-4"});
    let mut mail = delivery("d-4", "inc-b", 4);
    mail.sink = "ops/mail".into();
    on.store
        .commit(&deliveries([
            delivery("d-1", "inc-a", 1),
            in_state(delivery("d-2", "inc-a", 2), json!({"state": "superseded", "by": "d-1"}), 3),
            in_state(delivery("d-3", "inc-b", 2), exhausted, 3),
            mail,
        ]))
        .unwrap();
    let listed = |limit, state: Option<&str>, incident: Option<&str>, sink: Option<&str>| {
        let own = |text: Option<&str>| text.map(String::from);
        walk(
            limit,
            |delivery: &Delivery| delivery.id.clone(),
            |page| {
                let query =
                    DeliveryQuery { state: own(state), incident: incident.map(incident_id), sink: own(sink), page };
                on.reader.deliveries(&query).unwrap()
            },
        )
    };
    assert_eq!(listed(2, None, None, None), "d-4 d-3 | d-2 d-1");
    assert_eq!(listed(1, Some("pending"), None, None), "d-4 | d-1");
    assert_eq!(listed(9, Some("exhausted"), None, None), "d-3");
    let dead = on.reader.dead_letters().unwrap();
    assert_eq!(dead, [(delivery("d-3", "inc-b", 2).sink, 1)]);
    assert_eq!(listed(9, Some("superseded"), None, None), "d-2");
    assert_eq!(listed(9, Some("unknown"), None, None), "");
    assert_eq!(listed(1, None, Some("inc-a"), None), "d-2 | d-1");
    assert_eq!(listed(9, Some("pending"), Some("inc-b"), None), "d-4");
    assert_eq!(listed(9, None, None, Some("ops/mail")), "d-4");
    assert_eq!(listed(9, Some("pending"), Some("inc-a"), Some("ops/mail")), "");
}

pub(super) fn timelines_page_from_the_oldest(mut on: Subjects) {
    let entries = [
        entry(0, None, Some(&alert(1)), "fired"),
        entry(1, Some("inc-a"), Some(&alert(1)), "joined"),
        entry(1, Some("inc-a"), Some(&alert(2)), "joined-2"),
    ];
    on.store.commit(&said(alerts([(alert(1), true), (alert(2), true)]), entries)).unwrap();
    // Without a change of the alert beside it, hence without its number.
    on.store.commit(&timeline([entry(2, Some("inc-a"), Some(&alert(1)), "muted")])).unwrap();
    on.store.commit(&timeline([entry(3, Some("inc-b"), None, "elsewhere")])).unwrap();
    let mut again = alert(7);
    again.fingerprint = alert(1).fingerprint;
    let both = alerts([(resolved(alert(1), 4), false), (again.clone(), true)]);
    on.store.commit(&said(both, [entry(4, None, Some(&again), "again")])).unwrap();
    let told = |limit, subject: Subject| {
        walk(limit, |entry: &TimelineEntry| entry.text.clone(), |page| on.reader.timeline(&subject, &page).unwrap())
    };
    assert_eq!(told(2, Subject::Incident(incident_id("inc-a"))), "joined joined-2 | muted");
    assert_eq!(told(3, Subject::Alert(alert(1).id())), "fired joined muted | again");
    assert_eq!(told(9, Subject::Alert(alert(2).id())), "joined-2");
    assert_eq!(told(9, Subject::Alert("no hex".into())), "");
    assert_eq!(told(9, Subject::Incident(incident_id("inc-unknown"))), "");
}

pub(super) fn the_rest_pages_too(mut on: Subjects) {
    let problems = vec![problem("prb-a", 1), problem("prb-b", 2), problem("prb-c", 2)];
    on.store
        .commit(&Commit {
            rows: changes(Changes { problems, ..Changes::default() }).rows,
            audit: (0..3).map(audit).collect(),
            quarantine: (0..3).map(quarantined).collect(),
            ..Commit::default()
        })
        .unwrap();
    let reader = &on.reader;
    assert_eq!(
        walk(
            2,
            |one: &Problem| one.id.to_string(),
            |page| reader.problems(&ProblemQuery { page, ..Default::default() }).unwrap()
        ),
        "prb-c prb-b | prb-a"
    );
    assert_eq!(
        walk(2, |one: &AuditRow| one.entry.subject.clone(), |page| reader.audit(&page).unwrap()),
        "inc-2 inc-1 | inc-0"
    );
    assert_eq!(
        walk(1, |one: &QuarantineRow| one.at.clock_text(), |page| reader.quarantine(&page).unwrap()),
        "05:02 | 05:01 | 05:00"
    );
}

pub(super) fn problems_are_found_by_state_and_prefix(mut on: Subjects) {
    let problems = vec![
        problem("prb-ab", 3),
        resolved_problem("prb-ac"),
        merged_problem("prb-ad", "prb-ae"),
        merged_problem("prb-ae", "prb-ab"),
        merged_problem("prb-b", "prb-gone"),
    ];
    let entries = [about_problem(0, "prb-ab", "proposed"), about_problem(1, "prb-ab", "accepted")];
    on.store.commit(&said(changes(Changes { problems, ..Changes::default() }), entries)).unwrap();
    on.store.commit(&timeline([about_problem(2, "prb-ac", "elsewhere")])).unwrap();
    let listed = |states: &[ProblemState]| {
        let query = |page| ProblemQuery { states: states.to_vec(), page };
        walk(1, |one: &Problem| one.id.to_string(), |page| on.reader.problems(&query(page)).unwrap())
    };
    assert_eq!(listed(&[]), "prb-ab | prb-ac");
    assert_eq!(listed(&[ProblemState::Resolved]), "prb-ac");
    assert_eq!(listed(&[ProblemState::Merged, ProblemState::KnownError]), "prb-ab | prb-b | prb-ae | prb-ad");
    let found = |prefix: &str| -> String {
        let found = on.reader.find_problems(prefix).unwrap();
        found.iter().map(|problem: &Problem| problem.id.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(found("prb-ac"), "prb-ac");
    assert_eq!(found(" AB"), "prb-ab");
    assert_eq!(found("ad"), "prb-ab", "merged twice");
    assert_eq!(found("a"), "prb-ab prb-ac");
    assert_eq!(found("b"), "prb-b", "its survivor is not there");
    for prefix in ["", "prb-", "x", "%", "prb-abc", "'"] {
        assert_eq!(found(prefix), "", "{prefix}");
    }
    let told = |id| {
        let page = |page| on.reader.timeline(&of_problem(id), &page).unwrap();
        walk(1, |entry: &TimelineEntry| entry.text.clone(), page)
    };
    assert_eq!(told("prb-ab"), "proposed | accepted");
    assert_eq!(told("prb-none"), "");
}

pub(super) fn events_are_found_by_id(mut on: Subjects) {
    let odd = r#"a "quoted" \ id – 磁盘"#;
    on.store.commit(&journal([events(0, "event-1"), tick(1), events(2, odd), events(3, "event-1")])).unwrap();
    let position = |id: &str| on.reader.find_event(id).unwrap().map(|(position, _)| position);
    assert_eq!(position("event-1"), Some(4), "the newest");
    assert_eq!(on.reader.find_event(odd).unwrap(), Some((3, events(2, odd).payload)));
    for id in ["event", "event-11", "quoted-in-event-1", "", "%"] {
        assert_eq!(position(id), None, "{id}");
    }
}

pub(super) fn foreign_cursors_are_refused(mut on: Subjects) {
    on.store.commit(&Commit { audit: (0..3).map(audit).collect(), ..Commit::default() }).unwrap();
    let of_audit = on.reader.audit(&PageQuery { cursor: None, limit: 1 }).unwrap().next_cursor;
    assert!(of_audit.is_some());
    for cursor in [of_audit, Some("nonsense".into()), Some(String::new())] {
        let page = PageQuery { cursor, limit: 5 };
        let answers = [
            on.reader.incidents(&IncidentQuery { page: page.clone(), ..Default::default() }).err(),
            on.reader.alerts(&AlertQuery { page: page.clone(), ..Default::default() }).err(),
            on.reader.deliveries(&DeliveryQuery { page: page.clone(), ..Default::default() }).err(),
            on.reader.changes(&ChangeQuery { page: page.clone(), ..Default::default() }).err(),
            on.reader.problems(&ProblemQuery { page: page.clone(), ..Default::default() }).err(),
            on.reader.timeline(&of_problem("prb-1"), &page).err(),
            on.reader.timeline(&Subject::Incident(incident_id("inc-a")), &page).err(),
            on.reader.timeline(&Subject::Alert(alert(1).id()), &page).err(),
            on.reader.quarantine(&page).err(),
            on.reader.firings(&firings(0, 9, page.clone())).err(),
            on.reader.silences(&SilenceQuery { page: page.clone(), ..Default::default() }).err(),
        ];
        assert!(answers.iter().all(|answer| matches!(answer, Some(StoreError::BadCursor { .. }))), "{answers:?}");
    }
}
