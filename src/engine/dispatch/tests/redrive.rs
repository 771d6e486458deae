//! Dead letters of groups that somebody wants sent after all.

use super::*;
use crate::engine::input::Reply;
use crate::model::DeliveryState;

impl World {
    fn row(&self, id: &str) -> Delivery {
        self.s.changes.deliveries.iter().rfind(|delivery| delivery.id == id).unwrap().clone()
    }

    fn redrive(&mut self, id: &str) -> Reply {
        let delivery = self.row(id);
        self.redrive_row(delivery)
    }

    fn redrive_row(&mut self, delivery: Delivery) -> Reply {
        let by = Principal { name: "root".into(), role: Role::Admin };
        self.s.input(Input::Command { by, command: Command::Redrive { delivery: Box::new(delivery) } });
        self.restart();
        self.s.replies.pop().unwrap()
    }

    /// A first letter that was given up, with doubt.
    fn dead(&mut self) -> String {
        self.fire("x site=1");
        self.pass(SECOND + SECOND);
        self.give_up(true)
    }
}

fn check_both(case: impl Fn(&mut World)) {
    for restarts in [false, true] {
        case(&mut World::by_hand(restarts));
    }
}

fn superseded(reply: &Reply) -> bool {
    matches!(reply, Reply::Needless { state: "superseded", .. })
}

#[test]
fn the_newest_goes_out_under_its_own_id_with_its_doubt_and_no_other_follows() {
    check_both(|w| {
        let id = w.dead();
        assert_eq!(w.redrive(&id), Reply::Done(id.clone()));
        assert_eq!(w.waiting(), ["+x -?"]);
        assert_eq!(w.redrive(&id), Reply::Already(id.clone()));
        w.pass(Span::from_secs(4));
        assert_eq!(w.waiting(), ["+x -?"], "what waits is no news");
        let stale = Delivery { state: DeliveryState::Exhausted { reason: String::new(), fallback: None }, ..w.next() };
        w.take(Some("T1"));
        let reply = w.redrive_row(stale);
        assert!(matches!(&reply, Reply::Refused(why) if why.contains("is not given up any more")), "{reply:?}");
    });
}

/// Redrives the first of two letters, of the second of which something has become.
fn check_first_of_two(second: impl Fn(&mut World)) {
    check_both(|w| {
        let first = w.dead();
        w.pass(Span::from_secs(3));
        let newer = w.next().id;
        second(w);
        let reply = w.redrive(&first);
        assert!(superseded(&reply), "{reply:?}");
        assert_eq!(w.row(&first).state, DeliveryState::Superseded { by: newer });
    });
}

#[test]
fn what_a_newer_one_says_better_is_superseded() {
    check_first_of_two(|_| {});
    check_first_of_two(|w| drop(w.take(None)));
    check_first_of_two(|w| drop(w.give_up(false)));
}

#[test]
fn nobody_is_called_once_nothing_of_it_fires() {
    check_both(|w| {
        let id = w.dead();
        w.resolve("x site=1");
        w.fire("y site=1");
        let reply = w.redrive(&id);
        let Reply::Needless { state: "cancelled", why, .. } = &reply else { panic!("{reply:?}") };
        assert!(why.starts_with("nothing of what it says fires in grp-"), "{why}");
        assert_eq!(w.row(&id).state, DeliveryState::Cancelled { by: "root".into() });
    });
}

#[test]
fn a_group_that_fires_anew_is_not_the_one_that_it_tells_of() {
    check_both(|w| {
        let id = w.dead();
        w.resolve("x site=1");
        w.pass(Span::from_secs(30));
        assert_eq!(w.s.state.book().groups().filter(|group| group.labels.get("site").is_some()).count(), 0);
        w.fire("x site=1");
        assert!(matches!(w.redrive(&id), Reply::Needless { state: "cancelled", .. }));
    });
}

#[test]
fn an_end_is_told_late_unless_it_fires_again_and_that_was_told() {
    check_both(|w| {
        w.fire("x site=1");
        w.pass(SECOND + SECOND);
        w.take(Some("T1"));
        w.resolve("x site=1");
        w.pass(Span::from_secs(3));
        let end = w.give_up(false);
        assert_eq!(w.redrive(&end), Reply::Done(end.clone()));
        assert_eq!(w.waiting(), ["-x T1"]);
        w.give_up(false);
        w.fire("x site=1");
        let before = w.s.state.clone();
        assert!(matches!(w.redrive(&end), Reply::Needless { state: "cancelled", .. }));
        w.s.state = before;
        w.pass(Span::from_secs(12));
        assert_eq!(w.waiting(), ["+x T1"], "its end was never told");
        w.take(None);
        let reply = w.redrive(&end);
        assert!(matches!(&reply, Reply::Refused(why) if why.contains("is cancelled, not given up")), "{reply:?}");
    });
}
