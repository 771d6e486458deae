//! Confirmed causes: what they teach, when that is used, and what becomes of it.

use std::collections::BTreeSet;

use super::*;
use crate::engine::rank::term;
use crate::engine::signature::{Evidence, LearningView};
use crate::model::Timestamp;
use crate::model::incident::RootCause;

/// Two tenants, each with a database and a job that depends on it.
fn tenants() -> Policy {
    let node = |tenant: &str, kind: &str| ConfigurationItem {
        id: format!("{tenant}/{kind}"),
        kind: Some(kind.into()),
        labels: [("namespace", tenant)].into_iter().collect(),
        ..Default::default()
    };
    let edge = |from: &str, to: &str| Edge { from: from.into(), to: to.into(), kind: Default::default() };
    let topology = TopologyFile {
        nodes: ["shop", "bank"].into_iter().flat_map(|tenant| [node(tenant, "job"), node(tenant, "db")]).collect(),
        edges: vec![edge("shop/job", "shop/db"), edge("bank/job", "bank/db")],
    };
    Policy { topology, ..Policy::default() }
}

/// The job brings the database down. All that can be seen speaks against the database: it is worse off, in a way that
/// it never was before, and the job depends on it.
fn outage(s: &mut Scenario, tenant: &str) -> RootCause {
    s.fire("m", &format!("{tenant}/job"), "Rows locked", Severity::Minor);
    s.fire("m", &format!("{tenant}/db"), &format!("Fault {}", s.now), CRITICAL);
    s.pass(Span::from_mins(1));
    s.open()[0].root_cause.clone().unwrap()
}

fn end(s: &mut Scenario, tenant: &str) {
    s.resolve("m", &format!("{tenant}/job"), "Rows locked");
    s.resolve("m", &format!("{tenant}/db"), &format!("Fault {}", s.now - Span::from_mins(1)));
    s.pass(Span::from_hours(3));
}

/// One outage, and a person who names its cause; what the engine had said.
fn confirmed(s: &mut Scenario, tenant: &str, cause: &str) -> RootCause {
    let said = outage(s, tenant);
    let id = s.open()[0].id.to_string();
    let item = format!("{tenant}/{cause}");
    let reply = s.command(Command::ConfirmRootCause { incident: id, configuration_item: item });
    assert!(matches!(reply, Reply::Done(_)), "{reply:?}");
    end(s, tenant);
    said
}

fn learned(cause: &RootCause, item: &str) -> i64 {
    let candidate = cause.candidates.iter().find(|candidate| candidate.configuration_item == item).unwrap();
    candidate.terms.iter().find(|(name, _)| name == term::SIGNATURE).map_or(0, |(_, bits)| *bits)
}

fn weight(s: &Scenario, evidence: Evidence) -> i64 {
    let view = LearningView::of(&s.state);
    view.evidence.iter().find(|one| one.evidence == evidence).unwrap().weight
}

#[test]
fn what_people_confirm_is_believed_once_it_has_helped() {
    let mut s = Scenario::new(tenants());
    for number in 0..5 {
        let said = confirmed(&mut s, "shop", "job");
        assert_eq!((said.configuration_item.as_str(), learned(&said, "shop/job")), ("shop/db", 0), "{number}");
    }
    let view = LearningView::of(&s.state);
    assert_eq!((view.confirmations, view.is_in_force), (5, true));
    let said = outage(&mut s, "shop");
    assert_eq!(said.configuration_item, "shop/job", "{said:#?}");
    assert!(learned(&said, "shop/job") > 1_000 && learned(&said, "shop/db") < 0, "{said:#?}");
    let latest = &view.signatures[0];
    assert!(said.why.ends_with("; confirmed causes looked like this"), "{}", said.why);
    let ranks = (latest.rank_unlearned, latest.rank_learned, latest.cause.as_str(), latest.confirmed_by.as_str());
    assert_eq!(ranks, (Some(2), Some(2), "shop/job", "anna"));
}

#[test]
fn a_new_mind_replaces_the_old_one() {
    let mut s = Scenario::new(tenants());
    outage(&mut s, "shop");
    let id = s.open()[0].id.to_string();
    for item in ["shop/job", "shop/db"] {
        s.command(Command::ConfirmRootCause { incident: id.clone(), configuration_item: item.into() });
    }
    let view = LearningView::of(&s.state);
    assert_eq!((view.confirmations, view.signatures[0].cause.as_str()), (1, "shop/db"));
}

#[test]
fn a_streak_of_wrong_confirmations_is_not_followed_for_long() {
    let mut s = Scenario::new(tenants());
    (0..6).for_each(|_| drop(confirmed(&mut s, "shop", "job")));
    assert!(weight(&s, Evidence::Traits) > 0);
    let mut causes = Vec::new();
    for _ in 0..12 {
        causes.push(confirmed(&mut s, "shop", "db").configuration_item);
    }
    let back = causes.iter().position(|cause| cause == "shop/db");
    assert!(back.is_some_and(|back| (1..6).contains(&back)), "{causes:?}");
    assert!(causes[back.unwrap_or_default()..].iter().all(|cause| cause == "shop/db"), "{causes:?}");
}

#[test]
fn another_tenant_gets_only_what_holds_for_every_item() {
    let mut s = Scenario::new(tenants());
    (0..8).for_each(|_| drop(confirmed(&mut s, "shop", "job")));
    let own = outage(&mut s, "shop");
    end(&mut s, "shop");
    let other = outage(&mut s, "bank");
    let (own, other, why) = (learned(&own, "shop/job"), learned(&other, "bank/job"), other.why);
    assert!(0 < other && other <= own, "{other} {own}");
    assert!(!why.contains("inc-"), "{why}");
}

#[test]
fn what_was_learned_outlives_a_restart_and_can_be_forgotten() {
    let mut s = Scenario::new(tenants());
    (0..7).for_each(|_| drop(confirmed(&mut s, "shop", "job")));
    let view = LearningView::of(&s.state);
    let again = State::restore(snapshot(&s.changes)).unwrap();
    assert_eq!(LearningView::of(&again), view);

    let id = view.signatures[0].incident.to_string();
    let forget = |id: &str| Command::ForgetConfirmation { incident: id.to_owned() };
    assert_eq!(
        s.command(forget(&id)),
        Reply::Refused("learning.forget needs the role admin, anna is responder".to_owned())
    );
    let admin = |s: &mut Scenario, command| {
        let by = Principal { name: "root".to_owned(), role: Role::Admin };
        s.input(Input::Command { by, command });
        s.replies.pop().unwrap()
    };
    assert_eq!(admin(&mut s, forget("")), Reply::NotFound(String::new()));
    assert!(matches!(admin(&mut s, forget("inc-")), Reply::Ambiguous(ids) if ids.len() == 7));
    for signature in &view.signatures {
        let id = signature.incident.to_string();
        assert_eq!(admin(&mut s, forget(&id[4..])), Reply::Done(id.clone()));
        assert_eq!(admin(&mut s, forget(&id)), Reply::NotFound(id));
    }
    let nothing = LearningView::of(&State::default());
    assert_eq!(LearningView::of(&s.state), nothing);
    assert_eq!(LearningView::of(&State::restore(snapshot(&s.changes)).unwrap()), nothing);
}

#[test]
fn an_item_of_the_same_name_in_another_scope_is_another_one() {
    let edges = vec![Edge { from: "job".into(), to: "db".into(), kind: Default::default() }];
    let topology = TopologyFile { nodes: Vec::new(), edges };
    let mut s = Scenario::new(Policy { topology, ..Policy::default() });
    let fire = |s: &mut Scenario, namespace: &str, status: EventStatus| {
        let fault = format!("Fault {}", s.state.incidents().count());
        let mut events = Vec::new();
        for (item, name, severity) in [("job", "Rows locked", Severity::Minor), ("db", &*fault, CRITICAL)] {
            let mut event = event(s.now, "m", item, name, severity, status);
            event.labels.insert("namespace", namespace);
            event.dedup_key = format!("{namespace}/{item}");
            events.push(event);
        }
        s.input(Input::Events { events });
        s.pass(Span::from_mins(1));
    };
    for _ in 0..8 {
        fire(&mut s, "shop", EventStatus::Firing);
        let id = s.open()[0].id.to_string();
        s.command(Command::ConfirmRootCause { incident: id, configuration_item: "job".into() });
        fire(&mut s, "shop", EventStatus::Resolved);
        s.pass(Span::from_hours(3));
    }
    let places: BTreeSet<_> = s.state.learning().iter().map(|(_, one)| one.place()).collect();
    assert_eq!(places.len(), 1);
    fire(&mut s, "bank", EventStatus::Firing);
    let id = s.open()[0].id.to_string();
    s.command(Command::ConfirmRootCause { incident: id, configuration_item: "job".into() });
    let places: BTreeSet<_> = s.state.learning().iter().map(|(_, one)| one.place()).collect();
    assert_eq!(places.len(), 2);
}

#[test]
fn no_more_is_remembered_than_there_is_room_for() {
    let mut s = Scenario::new(tenants());
    let first: Timestamp = s.now;
    for _ in 0..crate::engine::signature::KEPT_MAX + 3 {
        confirmed(&mut s, "shop", "job");
    }
    let remembered: Vec<Timestamp> = s.state.learning().iter().map(|(_, one)| one.at).collect();
    assert_eq!(remembered.len(), crate::engine::signature::KEPT_MAX);
    assert!(remembered.iter().all(|at| *at > first + Span::from_hours(8)));
}
