//! A driver whose clock a test moves: it wakes for its deadlines as its loop would, and what it sends is
//! delivered at once.

use super::*;
use crate::engine::input::SendResult;
use crate::engine::policy::{EscalationPolicy, Level, Targets};
use crate::model::event::EventStatus;
use crate::model::timeline::TimelineKind;
use crate::model::topology::{ConfigurationItem, Edge, TopologyFile};
use crate::model::{NotificationKind, TimelineEntry};
use crate::store::Subject;

pub const MORNING: &str = "2026-11-21T05:00:00Z";

pub fn back(span: Span) -> Span {
    Span::from_millis(-span.as_millis())
}

/// The driver as its loop runs it, cycle by cycle, with everything it sends taken at once.
pub struct Room {
    pub driver: Driver,
    pub reader: SqliteReader,
    pub clock: Clock,
    outgoing: mpsc::UnboundedReceiver<Outgoing>,
    /// What was sent, and when by the steady clock.
    pub sent: Vec<(Span, Delivery)>,
    policy: Policy,
}

impl Room {
    pub fn new(policy: Policy, at: &str) -> Self {
        let (store, reader) = SqliteStore::open_in_memory().unwrap();
        let clock = Clock::manual(at.parse().unwrap());
        let (driver, outgoing) = Self::start(Box::new(store), &clock, &policy);
        Self { driver, reader, clock, outgoing, sent: Vec::new(), policy }
    }

    pub fn start(store: Box<dyn Store>, clock: &Clock, policy: &Policy) -> (Driver, mpsc::UnboundedReceiver<Outgoing>) {
        let (sender, outgoing) = mpsc::unbounded_channel();
        let metrics = Arc::new(Metrics::new());
        (Driver::start(store, clock.clone(), policy, sender, metrics, Retention::default()).unwrap(), outgoing)
    }

    pub fn restart(&mut self) {
        let store = Box::new(self.reader.writer().unwrap());
        (self.driver, self.outgoing) = Self::start(store, &self.clock, &self.policy);
        self.take_sent();
    }

    /// The daemon ends, soon after it has written something: the self check sees to that every minute.
    pub fn end_and_restart(&mut self, set_by: Span) {
        self.fire("db1");
        self.clock.set_by(set_by);
        self.restart();
    }

    pub fn input(&mut self, input: Input) {
        let (done, mut answer) = oneshot::channel();
        let payload = serde_json::to_vec(&input).unwrap();
        self.driver
            .cycle(vec![Job::Input { input: Box::new(input), payload, source: None, done }], RowsNow::Yes)
            .unwrap();
        answer.try_recv().unwrap().unwrap();
        self.take_sent();
    }

    /// Takes what was sent, and answers that it was delivered.
    pub fn take_sent(&mut self) {
        let mut ids = Vec::new();
        while let Ok(message) = self.outgoing.try_recv() {
            if let Outgoing::Deliver(delivery) = message {
                ids.push(delivery.id.clone());
                self.sent.push((self.clock.elapsed(), *delivery));
            }
        }
        for delivery in ids {
            let result = SendResult::Delivered { proof: "200".into(), remote: None };
            self.input(Input::Sent { delivery, result });
        }
    }

    pub fn event(&mut self, item: &str, change: impl FnOnce(&mut Event)) {
        let mut event = event(item, self.clock.now());
        event.id = format!("{item}/{:?}", self.clock.elapsed());
        change(&mut event);
        self.input(Input::Events { events: vec![event] });
    }

    pub fn fire(&mut self, item: &str) {
        self.event(item, |_| {});
    }

    pub fn resolve(&mut self, item: &str) {
        self.event(item, |event| event.status = EventStatus::Resolved);
    }

    pub fn cycle(&mut self) {
        self.driver.cycle(Vec::new(), RowsNow::Yes).unwrap();
        self.take_sent();
    }

    /// Lets time pass; the driver wakes for its next deadline, and every ten minutes.
    pub fn pass(&mut self, span: Span) {
        let mut left = span.as_millis();
        while left > 0 {
            let due = next_deadline(self.driver.state()).map(|at| at.since(self.driver.clock().now()).as_millis());
            let step = due.unwrap_or(left).clamp(1, 600_000).min(left);
            left -= step;
            self.clock.advance(Span::from_millis(step));
            self.cycle();
        }
    }

    pub fn sent_of(&self, kind: NotificationKind) -> usize {
        self.sent.iter().filter(|(_, delivery)| delivery.notification.kind == kind).count()
    }

    /// Entries that hold the words, of the one incident or of the alerts without one.
    pub fn said(&self, words: &str) -> usize {
        let incidents = self.reader.incidents(&Default::default());
        let alerts = self.reader.alerts(&Default::default()).unwrap().items;
        let subjects = incidents.unwrap().items.into_iter().map(|incident| Subject::Incident(incident.id));
        let subjects = subjects.chain(alerts.into_iter().map(|alert| Subject::Alert(alert.fingerprint.to_string())));
        let mut seen: Vec<TimelineEntry> = Vec::new();
        for subject in subjects {
            let page = PageQuery { limit: 500, ..Default::default() };
            for entry in self.reader.timeline(&subject, &page).unwrap().items {
                if !seen.contains(&entry) {
                    seen.push(entry);
                }
            }
        }
        // What was told repeats the reason for telling it.
        let reasons = seen.iter().filter(|entry| entry.kind != TimelineKind::Notified);
        reasons.filter(|entry| entry.text.contains(words)).count()
    }
}

pub fn policy() -> Policy {
    let edge = |from: &str, to: &str| Edge { from: from.into(), to: to.into(), kind: Default::default() };
    let node = |id: &str| ConfigurationItem { id: id.into(), ..Default::default() };
    let topology = TopologyFile { nodes: ["rtr1", "web1"].map(node).to_vec(), edges: vec![edge("web1", "rtr1")] };
    Policy { topology, ..Policy::default() }
}

pub fn escalating(repeat: u32) -> Policy {
    let mut policy = policy();
    let level = |minutes: i64| Level {
        after: Span::from_mins(minutes),
        targets: Targets { receivers: vec!["log".into()], ..Targets::default() },
        ..Level::default()
    };
    let levels = vec![level(5), level(10)];
    policy
        .escalation_policies
        .insert("primary".into(), EscalationPolicy { levels, repeat, ..EscalationPolicy::default() });
    policy.route.escalation_policy = Some("primary".into());
    policy.route.repeat_interval = Some(Span::ZERO);
    policy
}

pub fn told(room: &mut Room) {
    room.fire("db1");
    room.pass(Span::from_secs(5));
    assert_eq!(room.sent_of(NotificationKind::Opened), 1);
}
