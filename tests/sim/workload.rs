//! What happens to the daemon from outside: monitors that see faults come and go and post them, late,
//! twice and out of order, and people who act on what they see. Never looks at what the daemon makes of it.

use watchbell::model::{Span, Timestamp};

use super::monitors::{self, Condition, Monitor, Post, Word};
use super::people;
use super::scene::Act;
use super::world::{Answer, What, World};

/// So many happenings lie between two tellings of changes.
const CHANGE_EVERY: u64 = 7;

pub struct Workload {
    pub conditions: Vec<Condition>,
    /// Everything that was ever to be posted.
    posts: Vec<Post>,
    /// Not taken yet, oldest first.
    waiting: Vec<usize>,
    /// On its way: asked, not answered.
    under_way: Vec<usize>,
    /// Answers of the world that have been looked at.
    seen: usize,
    counter: u64,
    deployments: u64,
}

impl Workload {
    pub fn new(now: Timestamp) -> Self {
        let conditions = monitors::conditions(now);
        Self {
            conditions,
            posts: Vec::new(),
            waiting: Vec::new(),
            under_way: Vec::new(),
            seen: 0,
            counter: 0,
            deployments: 0,
        }
    }

    /// Something fails, recovers, repeats, or somebody does something in a monitor.
    pub fn happen(&mut self, now: Timestamp, random: &mut fastrand::Rng) -> String {
        // What is behind the pods has a story of its own.
        let index = random.usize(..monitors::PODS.start);
        self.counter += 1;
        let counter = self.counter;
        if counter.is_multiple_of(CHANGE_EVERY) {
            self.add(monitors::change(now, self.deployments));
            self.deployments += 1;
        }
        let condition = &mut self.conditions[index];
        let word = match (random.u32(..100), condition.monitor) {
            (0..70, _) => {
                condition.change(noticed(condition, now, random), 100 + counter);
                Word::State
            }
            (70..78, Monitor::Nagios | Monitor::Zabbix) if condition.is_firing => Word::Acknowledged,
            (78..81, Monitor::Nagios) => Word::DowntimeBegan,
            (81..84, Monitor::Nagios) => Word::DowntimeEnded,
            _ => Word::State,
        };
        if condition.problem == 0 {
            return "all is well".to_owned();
        }
        let condition = &self.conditions[index];
        let story = format!(
            "{:?} {} {:?}: {word:?}, firing {}",
            condition.monitor, condition.host, condition.check, condition.is_firing
        );
        self.say(index, word, now);
        story
    }

    /// The next act of a story; every monitor says at once what it sees.
    pub fn play(&mut self, act: Act, now: Timestamp) {
        let fails = act.fails();
        for index in act.who() {
            if self.conditions[index].is_firing != fails {
                self.counter += 1;
                self.conditions[index].change(now, 100 + self.counter);
                self.say(index, Word::State, now);
            }
        }
    }

    fn say(&mut self, index: usize, word: Word, now: Timestamp) {
        self.counter += 1;
        let condition = &self.conditions[index];
        let body = condition.say(word, now, self.counter);
        self.add(Post { source: condition.monitor.source(), body, condition: Some(index) });
    }

    fn add(&mut self, post: Post) {
        self.waiting.push(self.posts.len());
        self.posts.push(post);
    }

    pub fn poison(&mut self, now: Timestamp) {
        self.add(monitors::poison(now));
    }

    pub fn garbage(&mut self) {
        self.counter += 1;
        self.add(monitors::garbage(self.counter));
    }

    /// Posts something that waits: mostly the oldest, sometimes a later one first, unless that is about
    /// the same condition, whose words a monitor keeps in order.
    pub fn deliver(&mut self, world: &mut World, random: &mut fastrand::Rng) -> Option<usize> {
        self.look(world);
        let at = if random.u32(..4) == 0 { random.usize(..self.waiting.len().max(1)) } else { 0 };
        let index = *self.waiting.get(at)?;
        if !self.is_next(at) || !world.post(index, &self.posts[index]) {
            return None;
        }
        self.waiting.remove(at);
        self.under_way.push(index);
        Some(index)
    }

    /// A monitor keeps what it says about one condition in order.
    fn is_next(&self, at: usize) -> bool {
        let condition = self.posts[self.waiting[at]].condition;
        let mut before = self.waiting[..at].iter().chain(&self.under_way);
        condition.is_none() || !before.any(|other| self.posts[*other].condition == condition)
    }

    /// Posts something once more that was posted before: a sender that heard no answer. It may have said another thing
    /// since, which only a steady clock tells apart.
    pub fn repeat(&self, world: &mut World, random: &mut fastrand::Rng, is_steady: bool) -> bool {
        let recent = self.posts.len().min(12);
        if recent == 0 {
            return false;
        }
        let index = self.posts.len() - 1 - random.usize(..recent);
        let condition = self.posts[index].condition;
        let is_overtaken =
            condition.is_some() && self.posts[index + 1..].iter().any(|post| post.condition == condition);
        let is_posted = !self.waiting.contains(&index);
        is_posted && (is_steady || !is_overtaken) && world.post(index, &self.posts[index])
    }

    /// What was not taken waits again.
    fn look(&mut self, world: &World) {
        let mut settled = self.seen;
        for asked in &world.asked[self.seen..] {
            if asked.answer == Answer::Waiting {
                break;
            }
            settled += 1;
            let (What::Events { post, .. } | What::Garbage { post, .. }) = &asked.what else { continue };
            let Some(at) = self.under_way.iter().position(|index| index == post) else { continue };
            self.under_way.remove(at);
            if !matches!(asked.answer, Answer::Taken(_)) {
                self.waiting.push(*post);
                self.waiting.sort_unstable();
            }
        }
        self.seen = settled;
    }

    pub fn act(&self, world: &mut World, random: &mut fastrand::Rng) -> Option<String> {
        let (by, command) = people::wish(world, random)?;
        let story = format!("{} wants {command:?}", by.name);
        world.command(by, command).then(|| story.chars().take(160).collect())
    }

    /// Every monitor says once more how things are.
    pub fn say_all(&mut self, now: Timestamp) {
        for index in 0..self.conditions.len() {
            if self.conditions[index].problem > 0 {
                self.say(index, Word::State, now);
            }
        }
    }

    /// Prometheus keeps its alerts alive.
    pub fn refresh(&mut self, now: Timestamp) {
        for index in 0..self.conditions.len() {
            let condition = &self.conditions[index];
            if condition.monitor == Monitor::Prometheus && condition.is_firing {
                self.say(index, Word::State, now);
            }
        }
    }

    pub fn end_all(&mut self, now: Timestamp) {
        for condition in self.conditions.iter_mut().filter(|condition| condition.is_firing) {
            condition.change(now, 0);
        }
    }

    /// Posts everything that waits; false while something does.
    pub fn deliver_all(&mut self, world: &mut World) -> bool {
        self.look(world);
        let mut at = 0;
        while let Some(index) = self.waiting.get(at).copied() {
            if self.is_next(at) && world.post(index, &self.posts[index]) {
                self.waiting.remove(at);
                self.under_way.push(index);
            } else {
                at += 1;
            }
        }
        self.waiting.is_empty() && self.under_way.is_empty()
    }

    pub fn some_time(random: &mut fastrand::Rng) -> Span {
        let ms = match random.u32(..100) {
            0..40 => random.i64(1..1_000),
            40..75 => random.i64(1_000..10_000),
            75..92 => random.i64(10_000..300_000),
            _ => random.i64(300_000..4_000_000),
        };
        Span::from_millis(ms)
    }
}

/// When something happened that a monitor has noticed by now: most at once, some after a few looks, or much later.
fn noticed(condition: &Condition, now: Timestamp, random: &mut fastrand::Rng) -> Timestamp {
    let late = match random.u32(..100) {
        0..10 => random.i64(60_000..540_000),
        10..14 => random.i64(660_000..2_400_000),
        _ => return now,
    };
    let before = condition.began.max(condition.ended) + Span::from_millis(1);
    (now - Span::from_millis(late)).max(before).min(now)
}
