//! What stands at a receiver for a group: known to what follows, and gone with the end.

use super::*;
use crate::model::delivery::Progress;

impl World {
    fn letters(&self) -> Vec<&Delivery> {
        let mut letters: Vec<&Delivery> = self.s.state.deliveries().filter(|letter| letter.sink == "ops/a").collect();
        letters.sort_by_key(|letter| letter.notification.number);
        letters
    }

    /// What waits for `ops/a`, in order, each letter with the object that it knows and whether it is in doubt.
    pub(super) fn waiting(&self) -> Vec<String> {
        let line = |delivery: &&Delivery| {
            let progress = &delivery.progress;
            let doubt = if progress.is_ambiguous { "?" } else { "" };
            format!("{} {}{doubt}", self.says(delivery), progress.remote.as_deref().unwrap_or("-"))
        };
        self.letters().iter().map(line).collect()
    }

    fn says(&self, delivery: &Delivery) -> String {
        let text = self.text(delivery);
        text.split_once(": ").map_or_else(String::new, |(_, alerts)| alerts.to_owned())
    }

    /// The one that goes first.
    pub(super) fn next(&self) -> Delivery {
        self.letters()[0].clone()
    }

    pub(super) fn end_with(&mut self, result: SendResult) -> String {
        let id = self.next().id;
        self.s.sent(&id, result);
        self.restart();
        id
    }

    pub(super) fn take(&mut self, remote: Option<&str>) -> String {
        self.end_with(SendResult::Delivered { proof: "ok".into(), remote: remote.map(str::to_owned) })
    }

    pub(super) fn give_up(&mut self, is_ambiguous: bool) -> String {
        let delivery = self.next().id;
        let progress = Progress { is_ambiguous, ..self.next().progress };
        self.s.sent(&delivery, SendResult::Retry { at: self.s.now, reason: "no answer".into(), progress });
        self.end_with(SendResult::Exhausted { reason: "answered 400".into() })
    }

    /// A world in which letters to `ops/a` wait until the case says what becomes of them.
    pub(super) fn by_hand(restarts: bool) -> Self {
        let mut world = Self::new(plain(), restarts);
        world.refused.insert("ops/a".to_owned());
        world
    }
}

fn check_both(case: impl Fn(&mut World)) {
    for restarts in [false, true] {
        case(&mut World::by_hand(restarts));
    }
}

#[test]
fn a_group_has_one_ticket_until_its_end_is_told_and_then_another() {
    check_both(|w| {
        w.fire("x site=1");
        w.pass(SECOND + SECOND);
        assert_eq!(w.waiting(), ["+x -"]);
        w.take(Some("T1"));
        w.fire("y site=1");
        w.pass(Span::from_secs(3));
        assert_eq!(w.waiting(), ["+x +y T1"]);
        w.take(None);
        w.resolve("x site=1");
        w.resolve("y site=1");
        w.pass(Span::from_secs(3));
        assert_eq!(w.waiting(), ["-x -y T1"]);
        w.take(None);
        assert_eq!(w.s.state.book().threads.entries().count(), 0);
        w.fire("x site=1");
        w.pass(SECOND + SECOND);
        assert_eq!(w.waiting(), ["+x -"]);
    });
}

#[test]
fn what_waits_learns_of_the_ticket_up_to_the_end_and_what_follows_begins_anew() {
    check_both(|w| {
        w.fire("x site=1");
        w.pass(SECOND + SECOND);
        w.resolve("x site=1");
        w.pass(Span::from_secs(3));
        w.fire("x site=1");
        w.pass(Span::from_secs(3));
        assert_eq!(w.waiting(), ["+x -", "-x -", "+x -"]);
        w.take(Some("T1"));
        assert_eq!(w.waiting(), ["-x T1", "+x -"]);
        w.take(None);
        assert_eq!(w.waiting(), ["+x -"]);
        w.take(Some("T2"));
        w.pass(Span::from_secs(13));
        assert_eq!(w.waiting(), ["+x T2"]);
    });
}

#[test]
fn what_was_given_up_without_an_answer_is_looked_for() {
    check_both(|w| {
        w.fire("x site=1");
        w.pass(SECOND + SECOND);
        w.give_up(true);
        w.fire("y site=1");
        w.pass(Span::from_secs(3));
        assert_eq!(w.waiting(), ["+x +y -?"]);
        let progress = Progress { remote: Some("T1".into()), step: 1, ..Progress::default() };
        w.end_with(SendResult::Advanced { progress });
        w.take(None);
        w.pass(Span::from_secs(13));
        assert_eq!(w.waiting(), ["+x +y T1"]);
    });
}

#[test]
fn who_hears_no_ends_gets_another_message_as_well() {
    let mut policy = plain();
    policy.receivers.get_mut("ops").unwrap().without_resolved = vec!["ops/a".to_owned()];
    let mut w = World::new(policy, true);
    w.refused.insert("ops/a".to_owned());
    w.fire("x site=1");
    w.pass(SECOND + SECOND);
    w.take(Some("T1"));
    w.resolve("x site=1");
    w.pass(Span::from_secs(3));
    w.fire("x site=1");
    w.pass(SECOND + SECOND);
    assert_eq!(w.waiting(), ["+x -"]);
}

#[test]
fn what_nobody_hears_of_for_long_is_forgotten() {
    let mut w = World::by_hand(false);
    w.fire("x site=1");
    w.pass(SECOND + SECOND);
    w.take(Some("T1"));
    w.silence("alertname=x", Span::from_mins(5));
    w.pass(Span::from_secs(30));
    assert_eq!(w.s.state.book().threads.entries().count(), 1);
    // The next that is noted takes along what is older.
    w.fire("z site=2");
    w.pass(SECOND + SECOND);
    w.take(Some("T2"));
    assert_eq!(w.s.state.book().threads.entries().count(), 1);
    let facts = snapshot(&w.s.changes).facts;
    assert_eq!(facts.iter().filter(|(kind, _, _)| kind == "group_thread").count(), 1);
}
