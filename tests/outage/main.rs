//! A sink is away for hours while deliveries pile up, then comes back and asks for patience again and again.
//! In one thread, under a clock and a network of our own: nothing here waits in real time.
//!
//! Judged at the receiver, request by request: nothing comes before the time that it asked for, also right
//! after a restart; what needs a person comes first and by priority; what is over comes as one message; and
//! in the end there is an end for each delivery. Twice: fifty thousand deliveries for the real outbox, with a
//! writer that only keeps them (`backlog.rs`), and fewer of them all the way from events to the store.

mod backlog;
mod installation;
mod receiver;

use std::collections::{BTreeMap, BTreeSet};

use watchbell::model::{NotificationKind, Span};
use watchbell::store::{DeliveryQuery, PAGE_LIMIT_MAX, PageQuery, Reader};

use backlog::Backlog;
use installation::Installation;
use receiver::{Mode, Received};

/// The sink is away so long; something happens every ten minutes.
const ROUNDS: usize = 6 * 6;
/// What it does meanwhile, for half an hour each.
const AWAY: [Mode; 4] = [Mode::Unreachable, Mode::Silent, Mode::Failing, Mode::Later(Span::from_mins(25))];
/// Sends of one sink that may be under way (`runtime/outbox/worker.rs`).
const IN_FLIGHT_MAX: usize = 32;

/// Incidents, and how many of them, the first, end before the sink is back.
#[derive(Clone, Copy)]
struct Size {
    incidents: usize,
    ended: usize,
}

impl Size {
    const fn deliveries(self) -> usize {
        self.incidents + self.ended
    }
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(test);
}

#[test]
fn fifty_thousand_wait_for_hours_and_go_out_in_order() {
    run(async {
        let size = Size { incidents: 30_000, ended: 20_000 };
        let mut world = Backlog::new();
        for round in 0..ROUNDS {
            world.receiver.set_mode(AWAY[round / 3 % AWAY.len()]);
            world.open(share(size.incidents, round));
            world.resolve(share(size.ended, round));
            world.pass(Span::from_mins(10)).await;
        }
        assert_eq!(world.pending.len(), size.deliveries(), "each notification waits");
        let tried = world.receiver.read(keys);
        world.receiver.set_mode(Mode::Limited { count: 4_000, pause: Span::from_mins(7) });
        let mut has_restarted = false;
        for minute in 0.. {
            if !has_restarted && world.receiver.wants_peace() {
                world.restart().await;
                has_restarted = true;
            }
            world.pass(Span::from_mins(1)).await;
            assert!(minute < 48 * 60, "{} still wait", world.pending.len());
            if world.pending.is_empty() {
                break;
            }
        }
        assert!(has_restarted);
        judge(&world.receiver.read(<[Received]>::to_vec), &tried, size);
        assert_eq!((world.delivered, world.superseded), (size.incidents, size.ended));
        assert!(world.receiver.in_flight_max() <= IN_FLIGHT_MAX, "{} at a time", world.receiver.in_flight_max());
    });
}

#[test]
fn what_happened_meanwhile_is_told_and_stored_as_it_is() {
    run(async {
        let size = Size { incidents: 1_500, ended: 1_000 };
        let mut world = Installation::new();
        for round in 0..ROUNDS {
            world.receiver.set_mode(AWAY[round / 3 % AWAY.len()]);
            world.fire(share(size.incidents, round));
            world.resolve(share(size.ended, round));
            world.pass(Span::from_mins(10)).await;
        }
        // Of an incident that is over only the end waits, once that has been tried.
        let waiting = world.driver().state().deliveries().count();
        assert!((size.incidents..=size.deliveries()).contains(&waiting), "{waiting} wait");
        let tried = world.receiver.read(keys);
        world.receiver.set_mode(Mode::Limited { count: 300, pause: Span::from_mins(7) });
        let mut has_restarted = false;
        for minute in 0.. {
            if !has_restarted && world.receiver.wants_peace() {
                world.restart().await;
                has_restarted = true;
            }
            world.pass(Span::from_mins(1)).await;
            assert!(minute < 48 * 60, "{} still wait", world.driver().state().deliveries().count());
            if world.driver().state().deliveries().next().is_none() {
                break;
            }
        }
        assert!(has_restarted);
        judge(&world.receiver.read(<[Received]>::to_vec), &tried, size);
        judge_store(&world, size);
    });
}

/// What of so many happens in this round.
fn share(all: usize, round: usize) -> std::ops::Range<usize> {
    let step = all.div_ceil(ROUNDS);
    (round * step).min(all)..((round + 1) * step).min(all)
}

fn keys(log: &[Received]) -> Vec<String> {
    log.iter().map(|got| got.key.clone()).collect()
}

fn judge(log: &[Received], tried: &[String], size: Size) {
    assert!((10..1_000).contains(&tried.len()), "a dead sink is asked now and then: {} times", tried.len());
    judge_order(&log[tried.len()..], tried, size);
    judge_last_words(log, size);
}

/// What had never been tried goes by urgency: the open ones by priority, then what is over. (What had been
/// tried waits for its own time.)
fn judge_order(back: &[Received], tried: &[String], size: Size) {
    let mut seen: BTreeSet<&String> = tried.iter().collect();
    let first = back.iter().filter(|got| seen.insert(&got.key));
    let order: Vec<_> = first.map(|got| (got.kind == NotificationKind::Resolved, got.priority)).collect();
    assert!(order.len() > size.incidents - tried.len(), "only {} were never tried", order.len());
    let wrong = order.windows(2).position(|pair| pair[0] > pair[1]);
    assert_eq!(wrong, None, "{:?}", wrong.map(|at| &order[at..at + 2]));
    let priorities: BTreeSet<_> = order.iter().map(|(_, priority)| *priority).collect();
    assert!(priorities.len() > 1, "all have the priority {priorities:?}");
}

/// The present state, once: whoever is still open was opened, and whoever is over is over.
fn judge_last_words(log: &[Received], size: Size) {
    let mut heard: BTreeMap<&str, Vec<NotificationKind>> = BTreeMap::new();
    for got in log.iter().filter(|got| got.took_effect) {
        heard.entry(&got.item).or_default().push(got.kind);
    }
    assert_eq!(heard.len(), size.incidents, "everyone is heard of");
    for (item, kinds) in heard {
        let number: usize = item.trim_start_matches("db-").parse().unwrap();
        let expected = if number < size.ended { NotificationKind::Resolved } else { NotificationKind::Opened };
        assert_eq!(kinds, [expected], "{item}");
    }
}

fn judge_store(world: &Installation, size: Size) {
    let count = |state: &str| {
        let (mut count, mut cursor) = (0, None);
        loop {
            let page = PageQuery { cursor, limit: PAGE_LIMIT_MAX };
            let query = DeliveryQuery { state: Some(state.to_owned()), page, ..DeliveryQuery::default() };
            let page = world.reader.deliveries(&query).unwrap();
            count += page.items.len();
            cursor = page.next_cursor;
            if cursor.is_none() {
                return count;
            }
        }
    };
    let counts = ["delivered", "superseded", "pending", "exhausted", "cancelled"].map(count);
    assert_eq!(counts, [size.incidents, size.ended, 0, 0, 0]);
}
