//! What one sink gets next. Pure: deliveries and time in, decisions out.
//!
//! Within an incident: one at a time, in order, and what a newer one says as well is left out. Between
//! incidents: what asks for a person first, by priority; ends and edits later.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::incident::RemoteId;
use crate::model::{Delivery, IncidentId, Priority, Timestamp};
use crate::mutant::{self, Mutant};

#[derive(Debug, Default)]
pub struct Queue {
    /// Waiting, by incident and number within it.
    lines: BTreeMap<IncidentId, Line>,
    /// Being sent; the rest of its incident waits.
    busy: BTreeSet<IncidentId>,
    /// Incidents whose turn comes at a time, and those whose turn it is: an outage may leave tens of
    /// thousands waiting, and a pick must not walk over all of them.
    later: BTreeSet<(Timestamp, IncidentId)>,
    ready: BTreeSet<(Urgency, IncidentId)>,
    places: BTreeMap<IncidentId, Place>,
    count: usize,
}

#[derive(Debug)]
enum Place {
    Later(Timestamp),
    Ready(Urgency),
}

/// Smaller is sooner: somebody is needed, then priority, then age.
type Urgency = (bool, bool, Priority, Timestamp);

/// The next delivery to send, and those that it makes needless.
#[derive(Debug, PartialEq)]
pub struct Pick {
    pub delivery: Delivery,
    /// Deliveries that end as superseded by this one.
    pub superseded: Vec<Delivery>,
}

impl Queue {
    /// Takes in a delivery, or a newer version of one that waits.
    pub fn put(&mut self, delivery: Delivery) {
        let incident = delivery.incident;
        let line = self.lines.entry(incident).or_default();
        if line.insert((delivery.notification.number, delivery.id.clone()), delivery).is_none() {
            self.count += 1;
        }
        self.place(&incident);
    }

    pub fn remove(&mut self, incident: &IncidentId, id: &str) {
        let Some(line) = self.lines.get_mut(incident) else { return };
        let before = line.len();
        line.retain(|(_, other), _| other != id);
        self.count -= before - line.len();
        self.place(incident);
    }

    /// The send of a delivery of this incident has ended, in whatever way; what it leaves behind is what
    /// the next one must know.
    pub fn release(&mut self, incident: &IncidentId, remote: Option<&RemoteId>, is_in_doubt: bool) {
        self.busy.remove(incident);
        // What waits must not create the object again, even before the driver's word of it arrives.
        for delivery in self.lines.get_mut(incident).into_iter().flat_map(Line::values_mut) {
            delivery.progress.is_ambiguous |= is_in_doubt;
            if remote.is_some() {
                delivery.progress.remote = remote.cloned();
            }
            // What follows the end of a group is another firing.
            if incident.is_group() && delivery.notification.kind.is_final() {
                break;
            }
        }
        self.place(incident);
    }

    pub fn len(&self) -> usize {
        self.count
    }

    /// The delivery that goes next, if one is due.
    pub fn pick(&mut self, now: Timestamp) -> Option<Pick> {
        while let Some((at, incident)) = self.later.first().filter(|(at, _)| *at <= now).cloned() {
            self.later.remove(&(at, incident));
            if let Some(line) = self.lines.get(&incident) {
                let urgency = urgency(line);
                self.ready.insert((urgency, incident));
                self.places.insert(incident, Place::Ready(urgency));
            }
        }
        let (_, incident) = *self.ready.first()?;
        let line = self.lines.get_mut(&incident)?;
        let key = choose(line)?;
        let newer = line.split_off(&key);
        let superseded: Vec<Delivery> = std::mem::replace(line, newer).into_values().collect();
        let mut delivery = line.remove(&key)?;
        superseded.iter().for_each(|gone| inherit(&mut delivery, gone));
        self.count -= 1 + superseded.len();
        self.busy.insert(incident);
        self.place(&incident);
        Some(Pick { delivery, superseded })
    }

    /// When something becomes due; a time that has passed when something is due now.
    pub fn next_due(&self) -> Option<Timestamp> {
        if self.ready.is_empty() { self.later.first().map(|(at, _)| *at) } else { Some(Timestamp::default()) }
    }

    /// Files an incident anew after its line changed.
    fn place(&mut self, incident: &IncidentId) {
        match self.places.remove(incident) {
            Some(Place::Later(at)) => drop(self.later.remove(&(at, *incident))),
            Some(Place::Ready(urgency)) => drop(self.ready.remove(&(urgency, *incident))),
            None => {}
        }
        let Some(line) = self.lines.get(incident) else { return };
        if line.is_empty() {
            self.lines.remove(incident);
        } else if !self.busy.contains(incident) || mutant::is(Mutant::OvertakesWhatIsUnderWay) {
            let at = due_at(line);
            self.later.insert((at, *incident));
            self.places.insert(*incident, Place::Later(at));
        }
    }
}

type Line = BTreeMap<(u32, String), Delivery>;

/// A back-off of the first holds the whole line: order within an incident is kept. What was never tried
/// is due at once, also when the clock was put back since it was made.
fn due_at(line: &Line) -> Timestamp {
    let first = line.values().next().filter(|delivery| delivery.due_at != delivery.created_at);
    first.map_or(Timestamp::default(), |delivery| delivery.due_at)
}

fn urgency(line: &Line) -> Urgency {
    let has_end = line.values().any(|delivery| delivery.notification.kind.is_final());
    let has_loud = line.values().any(|delivery| delivery.notification.kind.is_loud());
    let priority = line.values().map(|d| d.notification.incident.priority).min().unwrap_or(Priority::P5);
    let created_at = line.values().map(|delivery| delivery.created_at).min().unwrap_or_default();
    (has_end, !has_loud, priority, created_at)
}

/// The newest that makes needless everything before it; see [`NotificationKind::outdates`].
///
/// [`NotificationKind::outdates`]: crate::model::NotificationKind::outdates
fn choose(line: &Line) -> Option<(u32, String)> {
    let is_end = |delivery: &&Delivery| delivery.notification.kind.is_final();
    let is_loud = |delivery: &&Delivery| delivery.notification.kind.is_loud();
    let pick =
        line.values().rfind(is_end).or_else(|| line.values().rfind(is_loud)).or_else(|| line.values().next_back())?;
    Some((pick.notification.number, pick.id.clone()))
}

/// What an unfinished predecessor may have left at the other side is the successor's to find.
fn inherit(delivery: &mut Delivery, gone: &Delivery) {
    delivery.progress.is_ambiguous |= gone.progress.is_ambiguous;
    if delivery.progress.remote.is_none() {
        delivery.progress.remote.clone_from(&gone.progress.remote);
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample_delivery;
    use super::*;
    use crate::model::incident_id::sample_id;
    use crate::model::{Fingerprint, NotificationKind};
    use NotificationKind::{Acknowledged, Escalated, Opened, Resolved, Updated};
    use std::sync::Arc;

    fn delivery(incident: &str, number: u32, kind: NotificationKind) -> Delivery {
        let sample = sample_delivery(kind, Timestamp::from_millis(1_000));
        let incident = sample_id(incident);
        let mut notification = (*sample.notification).clone();
        notification.number = number;
        notification.incident.id = incident;
        Delivery {
            id: format!("{incident}.{number}.ops/slack"),
            incident,
            notification: Arc::new(notification),
            ..sample
        }
    }

    /// Fills a queue and says in which order it empties, with what was left out.
    fn check(deliveries: &[(u32, NotificationKind)], expected: &[(u32, usize)]) {
        let mut queue = Queue::default();
        for (number, kind) in deliveries {
            queue.put(delivery("inc-a", *number, *kind));
        }
        let now = Timestamp::from_millis(2_000);
        let mut sent = Vec::new();
        while let Some(pick) = queue.pick(now) {
            assert!(queue.pick(now).is_none(), "one at a time within an incident");
            queue.release(&pick.delivery.incident, None, false);
            sent.push((pick.delivery.notification.number, pick.superseded.len()));
        }
        assert_eq!(sent, expected);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn a_backlog_becomes_the_present_state() {
        check(&[(1, Opened)], &[(1, 0)]);
        check(&[(1, Opened), (2, Updated), (3, Updated)], &[(1, 0), (3, 1)]);
        check(&[(1, Opened), (2, Escalated), (3, Acknowledged)], &[(2, 1), (3, 0)]);
        check(&[(1, Opened), (2, Acknowledged), (3, Resolved)], &[(3, 2)]);
        check(&[(1, Resolved), (2, Opened)], &[(1, 0), (2, 0)]);
    }

    #[test]
    fn open_incidents_go_before_ended_ones_and_doubt_is_inherited() {
        let mut queue = Queue::default();
        let mut doubtful = delivery("inc-a", 1, Opened);
        doubtful.progress.is_ambiguous = true;
        queue.put(doubtful);
        queue.put(delivery("inc-a", 2, Resolved));
        queue.put(delivery("inc-b", 1, Opened));
        let now = Timestamp::from_millis(2_000);
        assert_eq!(queue.pick(now).unwrap().delivery.incident, sample_id("inc-b"));
        let last = queue.pick(now).unwrap();
        assert!(last.delivery.progress.is_ambiguous);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn what_waits_knows_the_remote_object_as_soon_as_the_send_before_it_has_ended() {
        let mut queue = Queue::default();
        queue.put(delivery("inc-a", 1, Opened));
        let now = Timestamp::from_millis(2_000);
        let first = queue.pick(now).unwrap().delivery;
        queue.put(delivery("inc-a", 2, Updated));
        queue.release(&first.incident, Some(&"ts-1".to_owned()), false);
        assert_eq!(queue.pick(now).unwrap().delivery.progress.remote.as_deref(), Some("ts-1"));
    }

    #[test]
    fn what_follows_the_end_of_a_group_does_not_learn_what_stood_there_before() {
        let id = IncidentId::of_group(Fingerprint(7), 0);
        let of_group = |number, kind| Delivery { incident: id, ..delivery("inc-a", number, kind) };
        let mut queue = Queue::default();
        queue.put(of_group(1, Opened));
        let now = Timestamp::from_millis(2_000);
        queue.pick(now).unwrap();
        queue.put(of_group(2, Resolved));
        queue.put(of_group(3, Opened));
        queue.release(&id, Some(&"ts-1".to_owned()), false);
        let end = queue.pick(now).unwrap().delivery;
        assert_eq!((end.notification.number, end.progress.remote.as_deref()), (2, Some("ts-1")));
        queue.release(&id, None, false);
        let next = queue.pick(now).unwrap().delivery;
        assert_eq!((next.notification.number, next.progress.remote), (3, None));
    }

    #[test]
    fn a_retry_keeps_its_time_whatever_is_done_to_the_wall_clock() {
        use crate::clock::Clock;
        use crate::model::Span;
        use crate::runtime::engine_clock::EngineClock;
        let day_ms = 86_400_000;
        for (set_by_ms, latest_ms) in
            [(0, 10_000), (-1_000, 11_000), (-3_600_000, 12_000), (-day_ms, 12_000), (day_ms, 1_000)]
        {
            let clock = Clock::manual(Timestamp::from_millis(10 * day_ms));
            let ours = EngineClock::new(clock.clone(), Timestamp::default());
            let mut queue = Queue::default();
            let mut first = delivery("inc-a", 1, Opened);
            first.due_at = ours.now() + Span::from_secs(10);
            queue.put(first);
            clock.set_by(Span::from_millis(set_by_ms));
            let mut waited_ms = 0;
            while queue.pick(ours.now()).is_none() {
                clock.advance(Span::from_millis(1_000));
                waited_ms += 1_000;
                assert!(waited_ms <= latest_ms, "set by {set_by_ms} ms");
            }
            assert!(waited_ms >= 10_000 || set_by_ms > 0, "after {waited_ms} ms, set by {set_by_ms} ms");
            assert!(queue.pick(ours.now()).is_none(), "once");
        }
    }

    #[test]
    fn what_waits_inherits_the_doubt_of_what_was_given_up_before_it() {
        let mut queue = Queue::default();
        queue.put(delivery("inc-a", 1, Opened));
        let now = Timestamp::from_millis(2_000);
        let first = queue.pick(now).unwrap().delivery;
        queue.put(delivery("inc-a", 2, Updated));
        queue.release(&first.incident, None, true);
        assert!(queue.pick(now).unwrap().delivery.progress.is_ambiguous);
    }

    #[test]
    fn what_was_never_tried_does_not_wait_for_a_clock_that_was_put_back() {
        let mut queue = Queue::default();
        queue.put(delivery("inc-a", 1, Opened));
        assert!(queue.pick(Timestamp::from_millis(10)).is_some());
    }

    #[test]
    fn a_back_off_holds_the_line() {
        let mut queue = Queue::default();
        let mut first = delivery("inc-a", 1, Opened);
        first.due_at = Timestamp::from_millis(9_000);
        queue.put(first);
        queue.put(delivery("inc-a", 2, Updated));
        assert!(queue.pick(Timestamp::from_millis(8_000)).is_none());
        assert_eq!(queue.next_due(), Some(Timestamp::from_millis(9_000)));
        assert_eq!(queue.pick(Timestamp::from_millis(9_000)).unwrap().delivery.notification.number, 1);
    }
}
