//! One run: a seed decides each step, the oracle looks after each of them, and in the end everything
//! heals and must come to rest.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Once;

use watchbell::engine::input::Command;
use watchbell::engine::next_deadline;
use watchbell::model::{Delivery, NotificationKind, SilenceState, Span};
use watchbell::runtime::driver::RowsNow;

use super::faults::{self, Fault};
use super::oracle::{Oracle, Violation};
use super::people;
use super::scene::{Act, Scene};
use super::workload::Workload;
use super::world::{Answer, World};

/// Steps before everything heals: short runs and many of them find more than long ones.
const STEPS: std::ops::Range<u32> = 30..110;
/// Healing takes this long at most.
const REST_WITHIN: Span = Span::from_hours(2);

/// What must happen in some of the runs, or they prove little.
pub const REACHED: [&str; 62] = [
    "taken",
    "refused",
    "lost",
    "Crash",
    "CrashAtDisk",
    "CrashUnheard",
    "CrashInStart",
    "killed at the disk",
    "Stop",
    "Outage",
    "Disk",
    "Usurper",
    "ClockStep",
    "Reload",
    "Receiver",
    "poison",
    "opened",
    "resolved",
    "escalated",
    "person asked",
    "person asked by another way",
    "repeated",
    "acknowledged",
    "merged",
    "fallback",
    "redriven",
    "redriven in a group",
    "problem_proposed",
    "problem_accepted",
    "problem_known_error",
    "problems merged",
    "problem_resolved",
    "straggler left",
    "second wave",
    "merged id used",
    "waited for a verdict",
    "pending group opened for lasting",
    "pending group opened by agreement",
    "pending group lapsed",
    "late event",
    "late event attached",
    "event later than the watermark",
    "topology pushed while an incident is open",
    "topology removed while an incident is open",
    "memory after a restart",
    "somebody stands in",
    "two exchange shifts",
    "confirmed cause learned",
    "confirmed cause blamed again",
    "cause confirmed in a scope",
    "group told",
    "group told again",
    "end in a group told",
    "alert in two groups",
    "alert of a group inhibited",
    "route mute",
    "silence began",
    "recurring silence began",
    "silence ended for quiet",
    "incident silenced",
    "alert of a group silenced",
    "change between incidents and groups",
];

pub struct Done {
    pub story: Vec<String>,
    /// How often what happened.
    pub counts: BTreeMap<String, u64>,
}

#[derive(Debug)]
pub struct Failure {
    pub seed: u64,
    pub violation: Violation,
    pub story: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: {}", self.seed, self.violation)
    }
}

impl std::error::Error for Failure {}

/// Runs one seed from the first start to the last rest.
///
/// # Errors
/// The first promise that is broken, and what happened until then.
pub fn run(seed: u64) -> Result<Done, Failure> {
    keep_quiet_about_poison();
    let mut play = Play::new(seed);
    match play.all() {
        Ok(()) => Ok(Done { counts: play.counts(), story: play.story }),
        Err(violation) => {
            play.tell_requests();
            Err(Failure { seed, violation, story: play.story })
        }
    }
}

/// The engine is made to panic on purpose; nobody needs to read about it.
fn keep_quiet_about_poison() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.payload().downcast_ref::<&str>() != Some(&super::monitors::POISON)
                && info.payload().downcast_ref::<String>().is_none_or(|text| text != super::monitors::POISON)
            {
                before(info);
            }
        }));
    });
}

struct Play {
    world: World,
    workload: Workload,
    oracle: Oracle,
    scene: Scene,
    random: fastrand::Rng,
    story: Vec<String>,
    faults: BTreeMap<String, u64>,
}

impl Play {
    fn new(seed: u64) -> Self {
        let world = World::new(seed);
        let workload = Workload::new(world.now());
        let mut random = fastrand::Rng::with_seed(seed);
        let scene = Scene::chosen(&mut random);
        Self { world, workload, oracle: Oracle::new(), scene, random, story: Vec::new(), faults: BTreeMap::new() }
    }

    fn all(&mut self) -> Result<(), Violation> {
        let faults = faults::chosen(&mut self.random);
        self.note(format!("faults: {faults:?}"));
        self.world.start();
        if let Some(story) = faults::refuse(&self.world, &mut self.random) {
            self.note(story);
        }
        for _ in 0..self.random.u32(STEPS) {
            self.one(&faults)?;
            self.oracle.check(&self.world)?;
        }
        self.heal()?;
        self.note("healed");
        self.rest()?;
        self.oracle.judge_rest(&self.world, &self.workload.conditions)?;
        let early: Vec<_> = people::dead_letters(&self.world).into_iter().filter(|_| self.random.bool()).collect();
        self.redrive(early)?;
        self.oracle.judge_rest(&self.world, &self.workload.conditions)?;
        self.end()?;
        self.oracle.judge_rest(&self.world, &self.workload.conditions)?;
        self.redrive(people::dead_letters(&self.world))?;
        self.oracle.judge_rest(&self.world, &self.workload.conditions)?;
        self.oracle.judge_end(&self.world)?;
        // And once more from what is stored.
        self.world.crash();
        self.world.start();
        self.oracle.check(&self.world)
    }

    fn note(&mut self, text: impl Into<String>) {
        self.story.push(format!("{} {}", self.world.now(), text.into()));
    }

    /// What receivers got, for whoever looks into a failure.
    fn tell_requests(&mut self) {
        let lines = self.world.receivers.read(|log, _| {
            let line = |got: &super::receivers::Received| {
                let (label, heard) = (&got.label, got.heard);
                let what = if got.is_lookup { "look-up" } else { label.kind.as_str() };
                format!(
                    "{} life {} {} {what}: effect {}, heard {heard:?} at {:?}",
                    got.at, got.life, label.delivery, got.took_effect, got.heard_at
                )
            };
            log.iter().map(line).collect::<Vec<_>>()
        });
        self.story.extend(lines);
    }

    /// One step of anybody.
    fn one(&mut self, faults: &[Fault]) -> Result<(), Violation> {
        let random = &mut self.random;
        // Somebody starts it again, but not at once.
        if self.world.daemon.is_none() && random.u32(..4) == 0 {
            let is_up = self.world.start();
            self.note(format!("start; is up: {is_up}"));
            return Ok(());
        }
        if let Some((act, wait)) = self.scene.next(random) {
            self.play(act, wait);
            return Ok(());
        }
        // A group makes a newer letter soon, so whoever wants the old one sent after all is quick.
        if let Some(dead) = people::fresh_dead_letter(&self.world).filter(|_| random.bool()) {
            self.note(format!("{} is redriven", dead.id));
            self.world.command(people::root(), Command::Redrive { delivery: Box::new(dead) });
            return Ok(());
        }
        match random.u32(..110) {
            0..14 => {
                // A monitor that tells milliseconds never sees two things in one of them.
                self.world.pass(Span::from_millis(1));
                let story = self.workload.happen(self.world.true_time, random);
                self.note(story);
            }
            14..30 => {
                if let Some(post) = self.workload.deliver(&mut self.world, random) {
                    self.note(format!("post {post} arrives"));
                }
            }
            30..33 => {
                let is_steady = !faults.contains(&Fault::ClockStep);
                let is_sent = self.workload.repeat(&mut self.world, random, is_steady);
                self.note(format!("a post arrives again: {is_sent}"));
            }
            // Working on a problem takes several people's wishes, one after the other.
            33..39 | 100..110 => {
                if let Some(story) = self.workload.act(&mut self.world, random) {
                    self.note(story);
                }
            }
            39 if random.bool() => self.workload.poison(self.world.true_time),
            39 => self.workload.garbage(),
            40..52 => {
                let span = Workload::some_time(random);
                self.world.pass(span);
                self.note(format!("{} pass", span.human()));
            }
            52..56 => self.world.collect_jobs(),
            56..70 => {
                let (count, rows) = (random.usize(1..6), self.rows());
                self.world.collect_jobs();
                let waiting = self.world.daemon.as_ref().map_or(0, |daemon| daemon.driver.stepped_count());
                // The threads keep one batch on its way besides the one that is committed.
                if waiting < 3 {
                    self.world.step(count, rows);
                    self.note(format!("step {count}"));
                }
            }
            70..82 => {
                self.world.commit();
                self.note("commit");
            }
            82..88 => {
                let rows = self.rows();
                self.world.cycle(rows);
                self.note(format!("cycle, rows {rows:?}"));
                self.punctual()?;
            }
            88..92 => {
                let times = self.random.usize(1..12);
                self.world.pass_control(times);
            }
            92..94 => {
                let is_released = self.world.receivers.release();
                self.note(format!("an answer arrives: {is_released}"));
            }
            _ => {
                if let Some(fault) = self.random.choice(faults.iter().copied()) {
                    let story = faults::strike(&mut self.world, &mut self.oracle, fault, &mut self.random)?;
                    *self.faults.entry(format!("{fault:?}")).or_default() += 1;
                    self.note(story);
                }
            }
        }
        Ok(())
    }

    fn play(&mut self, act: Act, wait: Span) {
        self.world.pass(wait);
        self.workload.play(act, self.world.true_time);
        self.workload.deliver_all(&mut self.world);
        let rows = self.rows();
        self.world.cycle(rows);
        self.note(format!("the shop: {act:?}"));
    }

    fn rows(&mut self) -> RowsNow {
        if self.random.u32(..3) == 0 { RowsNow::Yes } else { RowsNow::Later }
    }

    /// Right after a cycle nothing is overdue, unless that cycle failed.
    fn punctual(&mut self) -> Result<(), Violation> {
        self.oracle.check(&self.world)?;
        self.oracle.judge_punctuality(&self.world)
    }

    /// All faults end, and monitors say once more how things are.
    fn heal(&mut self) -> Result<(), Violation> {
        self.world.disk.heal();
        self.world.agree_on_time();
        self.world.receivers.heal();
        while !self.world.deposed.is_empty() {
            faults::deposed_writes(&mut self.world)?;
        }
        if self.world.daemon.is_none() {
            self.world.start();
        }
        // Not in the same millisecond as before: that would be the same word twice.
        self.world.pass(Span::from_secs(1));
        self.workload.say_all(self.world.true_time);
        self.breathe()
    }

    /// A silence ends when whoever asked for it wrote, by the clock on the wall. When that is set back before
    /// the writer takes the silence in, it is as long as the clock was set by, and people have to see to it. What recurs
    /// ends by people anyway.
    fn end_long_silences(&mut self) {
        let Some(daemon) = &self.world.daemon else { return };
        let latest = self.world.now() + people::SILENCE_MAX;
        let long: Vec<String> = daemon
            .driver
            .state()
            .silences()
            .filter(|silence| silence.ends_at > latest || silence.recurrence.is_some())
            .filter(|silence| silence.state != SilenceState::Expired)
            .map(|silence| silence.id.clone())
            .collect();
        for silence in long {
            self.world.command(people::ada(), Command::ExpireSilence { silence });
        }
    }

    /// Lets everything go on that can, without time passing.
    fn breathe(&mut self) -> Result<(), Violation> {
        for round in 0..200 {
            let is_posted = self.workload.deliver_all(&mut self.world);
            while self.world.receivers.release() {}
            self.world.pass_control(8);
            self.oracle.check(&self.world)?;
            self.world.collect_jobs();
            let is_idle = is_posted && self.world.inbox.is_empty() && self.world.receivers.held_count() == 0;
            self.world.cycle(if round % 3 == 0 { RowsNow::Yes } else { RowsNow::Later });
            self.oracle.check(&self.world)?;
            if is_idle && round > 1 {
                self.world.cycle(RowsNow::Yes);
                return self.punctual();
            }
        }
        Err(Violation::new("I11", format!("no end of work without time passing: {:?}", self.world.work())))
    }

    /// Time passes until nothing is pending any more.
    fn rest(&mut self) -> Result<(), Violation> {
        // By our own time, which is what waits are promised in. It goes a tenth slower than the true one while
        // it is ahead of the clock on the wall.
        let until = self.world.now() + REST_WITHIN;
        let (mut refreshed, mut patience) = (self.world.now(), 1_000);
        while self.world.now() < until {
            self.end_long_silences();
            self.breathe()?;
            let Some(daemon) = &self.world.daemon else { return Err(Violation::new("I11", "the daemon is gone")) };
            let state = daemon.driver.state();
            let now = self.world.now();
            let is_telling = state.incidents().any(|incident| incident.notifying.flush_at.is_some());
            let is_flapping = state.alerts().any(|alert| alert.flap.is_flapping && !alert.flap.is_from_source);
            let is_silenced = state.silences().any(|silence| silence.state != SilenceState::Expired);
            let is_quiet = self.oracle.is_quiet() && !is_flapping && !is_silenced;
            if state.deliveries().next().is_none() && !is_telling && is_quiet {
                return Ok(());
            }
            let due = state.deliveries().map(|delivery| delivery.due_at).min();
            let next = [next_deadline(state), due].into_iter().flatten().min().unwrap_or(now);
            patience = if next > now { 1_000 } else { (patience * 2).min(300_000) };
            let span = Span::from_millis(next.since(now).as_millis().clamp(patience, 3_600_000));
            self.world.pass(span);
            if self.world.now().since(refreshed) >= Span::from_mins(1) {
                refreshed = self.world.now();
                self.workload.refresh(self.world.true_time);
            }
        }
        let state = self.world.daemon.as_ref().map(|daemon| daemon.driver.state());
        let text = state.map_or_else(String::new, |state| {
            let telling = state.incidents().filter(|incident| incident.notifying.flush_at.is_some());
            let flapping = state.alerts().filter(|alert| alert.flap.is_flapping);
            let (deliveries, telling) = (state.deliveries().collect::<Vec<_>>(), telling.collect::<Vec<_>>());
            let silences = state.silences().collect::<Vec<_>>();
            let groups = state.book().groups().collect::<Vec<_>>();
            format!("{deliveries:?} {telling:?} {:?} {silences:?} {groups:?}", flapping.collect::<Vec<_>>())
        });
        Err(Violation::new("I11", format!("after {} still: {text}", REST_WITHIN.human())))
    }

    /// Now that all sinks work, somebody wants sent what was given up: some of it at once, some when all is over.
    fn redrive(&mut self, dead: Vec<Delivery>) -> Result<(), Violation> {
        self.note(format!("{} dead letters are redriven", dead.len()));
        for delivery in dead {
            self.world.command(people::root(), Command::Redrive { delivery: Box::new(delivery) });
        }
        self.rest()
    }

    /// Every fault is repaired, and people close what monitors do not.
    fn end(&mut self) -> Result<(), Violation> {
        self.world.pass(Span::from_secs(1));
        let now = self.world.true_time;
        self.workload.end_all(now);
        self.workload.say_all(now);
        self.note("all conditions end");
        self.rest()?;
        for wish in people::last_wishes(&self.world) {
            self.world.command(people::ada(), Command::Problem(wish));
        }
        for _ in 0..3 {
            let Some(daemon) = &self.world.daemon else { break };
            let active = daemon.driver.state().incidents().filter(|incident| incident.state.is_active());
            // A source that does not believe our clock may tell the same event as two: people see to it.
            let was_stepped = self.faults.contains_key("ClockStep");
            let is_own = |item: &String| item.starts_with("watchbell ");
            let active: Vec<String> = active
                .filter(|incident| was_stepped || incident.configuration_items.iter().all(is_own))
                .map(|incident| incident.id.to_string())
                .collect();
            for incident in active {
                self.world.command(people::ada(), Command::Resolve { incident, note: None });
            }
            self.rest()?;
        }
        Ok(())
    }

    fn counts(&self) -> BTreeMap<String, u64> {
        let mut counts = self.faults.clone();
        let mut count = |what: &str, number: usize| {
            if number > 0 {
                *counts.entry(what.to_owned()).or_default() += number as u64;
            }
        };
        let answers =
            |wanted: fn(&Answer) -> bool| self.world.asked.iter().filter(|asked| wanted(&asked.answer)).count();
        count("taken", answers(|answer| matches!(answer, Answer::Taken(_))));
        count("refused", answers(|answer| *answer == Answer::Refused));
        count("lost", answers(|answer| *answer == Answer::Lost));
        let is_poison = |what: &super::world::What| matches!(what, super::world::What::Events { is_poison: true, .. });
        count("poison", self.world.asked.iter().filter(|asked| is_poison(&asked.what)).count());
        count("killed at the disk", self.world.killed);
        count("fallback", self.oracle.fallback_count());
        count("redriven", self.oracle.redriven_count());
        count("problems merged", self.oracle.merged_problem_count());
        for (what, number) in self.oracle.reached() {
            count(what, *number);
        }
        for kind in [
            NotificationKind::Opened,
            NotificationKind::Resolved,
            NotificationKind::Escalated,
            NotificationKind::Repeated,
            NotificationKind::Acknowledged,
            NotificationKind::Merged,
            NotificationKind::ProblemProposed,
            NotificationKind::ProblemAccepted,
            NotificationKind::ProblemKnownError,
            NotificationKind::ProblemResolved,
        ] {
            let number = self.world.receivers.read(|log, _| log.iter().filter(|got| got.label.kind == kind).count());
            count(kind.as_str(), number);
        }
        counts
    }
}
