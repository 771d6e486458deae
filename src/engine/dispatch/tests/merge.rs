//! Several words about one alert, with times of their own.

use super::*;

const WAIT: Span = Span::from_secs(3);

/// What the webhooks say of the alert, with its annotation and when it began and ended, in seconds from the start.
struct Sender {
    w: World,
}

impl Sender {
    fn new() -> Self {
        Self { w: World::new(plain(), false) }
    }

    fn seconds(&self, at: i64) -> Timestamp {
        self.w.start + Span::from_secs(at)
    }

    fn fires(&mut self, since: i64, end: Option<i64>, word: &str) {
        let expires_at = end.map_or(self.w.s.now + Span::from_secs(6), |at| self.seconds(at));
        let mut event = event(self.w.s.now, "x site=1", EventStatus::Firing, Some(expires_at));
        event.is_end_assumed = end.is_none();
        event.at = self.seconds(since);
        event.annotations.insert("summary", word);
        self.w.events(vec![event]);
    }

    fn is_over(&mut self, since: i64, end: i64, word: &str) {
        let mut event = event(self.seconds(end), "x site=1", EventStatus::Resolved, None);
        event.received_at = self.w.s.now;
        event.started_at = Some(self.seconds(since));
        event.annotations.insert("summary", word);
        self.w.events(vec![event]);
    }

    fn pass(&mut self, span: Span) {
        self.w.pass(span);
    }

    /// What the last notification says.
    fn last(&self) -> (String, i64, Option<i64>) {
        let group = self.w.s.deliveries.last().unwrap().notification.group.clone().unwrap();
        let alert = &group.alerts[0];
        let seconds = |at: Timestamp| at.since(self.w.start).as_millis() / 1_000;
        let word = alert.annotations.get("summary").unwrap_or_default().to_owned();
        (word, seconds(alert.starts_at), alert.ends_at.map(seconds))
    }
}

#[test]
fn an_end_that_is_said_comes_before_one_that_was_assumed() {
    let mut s = Sender::new();
    s.fires(0, None, "a");
    s.pass(SECOND + SECOND);
    s.fires(0, Some(3), "b");
    s.pass(WAIT);
    assert_eq!(s.w.told, ["1.0 ops/a: +x", "4.0 ops/a: -x"]);
    assert_eq!(s.last(), ("b".into(), 0, Some(3)));
}

#[test]
fn of_two_ends_that_were_said_the_later_one_counts() {
    let mut s = Sender::new();
    s.fires(0, Some(8), "a");
    s.pass(SECOND + SECOND);
    s.fires(0, Some(3), "b");
    s.pass(Span::from_secs(9));
    assert_eq!(s.w.told, ["1.0 ops/a: +x", "10.0 ops/a: -x"]);
}

#[test]
fn an_end_brings_its_own_words_and_the_latest_are_told() {
    let mut s = Sender::new();
    s.fires(0, None, "95 %");
    s.pass(SECOND + SECOND);
    s.is_over(0, 2, "10 %");
    s.is_over(0, 1, "5 %");
    s.pass(WAIT);
    assert_eq!(s.w.told, ["1.0 ops/a: +x", "4.0 ops/a: -x"]);
    assert_eq!(s.last(), ("5 %".into(), 0, Some(2)));
}

#[test]
fn what_fires_again_with_the_same_beginning_never_ended() {
    let mut s = Sender::new();
    s.fires(0, Some(30), "a");
    s.pass(SECOND + SECOND);
    s.is_over(0, 1, "b");
    s.pass(Span::from_millis(500));
    s.fires(0, Some(30), "c");
    s.pass(Span::from_secs(9));
    assert_eq!(s.w.told, ["1.0 ops/a: +x"]);
}

#[test]
fn what_begins_after_its_end_is_another_firing_and_an_end_elsewhere_in_time_replaces_all() {
    let mut s = Sender::new();
    s.fires(0, None, "a");
    s.pass(SECOND + SECOND);
    s.is_over(0, 1, "a");
    s.fires(2, None, "b");
    s.fires(2, None, "c");
    s.pass(WAIT);
    assert_eq!(s.w.told, ["1.0 ops/a: +x"]);
    assert_eq!(s.w.s.state.alerts().next().unwrap().started_at, s.seconds(2));
    s.is_over(-100, -50, "d");
    s.pass(WAIT);
    assert_eq!(s.last(), ("d".into(), -100, Some(-50)));
}
