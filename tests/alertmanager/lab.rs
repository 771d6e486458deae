//! The lab of one scenario: both programs with the same configuration, the same steps for both at the same
//! moments, and the verdict. Decides how far apart two sides may be in time: [`SECONDS_APART_MAX`], and what
//! the machine itself was late meanwhile.
//!
//! ```ignore
//! let Some(mut lab) = Lab::start(CONFIGURATION).await else { return };
//! lab.post(&[alert("a")]).await;
//! lab.at(3.0).await;
//! lab.agree(&["page: +a"]).await;
//! ```

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::alert::{Alert, moment};
use crate::compare::{compare, side_by_side};
use crate::difference::{Rules, differences, without_ids};
use crate::notification::{Heard, heard, lines};
use crate::program::{ALERTMANAGER, Kind};
use crate::receiver::{Answer, Request};
use crate::side::{Reply, Side};

/// Two sides do not decide at the same instant.
const SECONDS_APART_MAX: f64 = 0.7;
/// Moments inside payloads and answers that the sides set by themselves.
const MOMENTS_WITHIN: Duration = Duration::from_millis(1_500);
/// Between two looks of how late the machine is.
const LATE_LOOK: Duration = Duration::from_millis(20);
/// What is not told so much later was not told.
const LATE_AT_MOST: Duration = Duration::from_secs(2);
/// Between two looks of how long the disk takes.
const DISK_LOOK: Duration = Duration::from_millis(250);
/// Watchbell tells nothing before it has written it down: the alert, the decision, the attempt.
const WRITES: u32 = 3;

pub struct Lab {
    pub reference: Side,
    pub ours: Side,
    /// Added to what the sides may be apart, with the scenario's reason.
    pub patience: f64,
    began: Instant,
    epoch: jiff::Timestamp,
    exact_starts: Cell<bool>,
    /// What was found so far, told at the end.
    found: RefCell<String>,
    lateness: Lateness,
    _directory: TempDir,
}

/// A silence on both sides: the ids that they gave it.
pub struct Silence {
    theirs: String,
    ours: String,
}

impl Lab {
    /// Both programs with this `alertmanager.yml`, in which `@/` is the receiver's address.
    ///
    /// Returns `None`, and says so, unless the variable `WATCHBELL_E2E` is `1`.
    pub async fn start(configuration: &str) -> Option<Self> {
        Self::start_with([configuration, configuration]).await
    }

    /// As [`Lab::start`] with a configuration for each side, theirs first: for a difference on purpose.
    pub async fn start_with(configurations: [&str; 2]) -> Option<Self> {
        if std::env::var("WATCHBELL_E2E").as_deref() != Ok("1") {
            println!("skipped: set WATCHBELL_E2E=1 to start the real Alertmanager, or call tests/run");
            return None;
        }
        assert!(Path::new(ALERTMANAGER).exists(), "{ALERTMANAGER} is missing; ./tests/run installs it");
        let directory = tempfile::Builder::new().prefix("watchbell-beside-").tempdir().expect("a temporary folder");
        let reference = Side::new(Kind::Alertmanager, directory.path().join("reference")).await;
        let ours = Side::new(Kind::under_test(), directory.path().join("ours")).await;
        reference.configure(configurations[0]);
        ours.configure(configurations[1]);
        tokio::join!(reference.start(), ours.start());
        Some(Self {
            reference,
            ours,
            patience: 0.0,
            began: Instant::now(),
            epoch: jiff::Timestamp::now(),
            exact_starts: Cell::new(true),
            found: RefCell::default(),
            lateness: Lateness::watch(directory.path()),
            _directory: directory,
        })
    }

    /// Waits until so many seconds after the scenario began.
    pub async fn at(&self, seconds: f64) {
        let end = self.began + Duration::from_secs_f64(seconds);
        let late = Instant::now().saturating_duration_since(end).as_secs_f64();
        assert!(late < SECONDS_APART_MAX + self.lateness.seconds(), "the step of {seconds} s comes {late:.2} s late");
        tokio::time::sleep_until(end.into()).await;
    }

    /// RFC 3339, so many seconds after the scenario began.
    pub fn moment(&self, seconds: f64) -> String {
        moment(self.epoch, seconds)
    }

    /// Posts alerts that both must take.
    pub async fn post(&self, alerts: &[Alert]) {
        if alerts.iter().any(|alert| !alert.has_start()) {
            self.exact_starts.set(false);
        }
        let body: Value = alerts.iter().map(|alert| alert.json(self.epoch)).collect();
        let (theirs, ours) = self.both(async |side| side.post("/api/v2/alerts", &body).await).await;
        assert_eq!((theirs.status, ours.status), (200, 200), "{theirs:?}\n{ours:?}");
    }

    /// Silences what these matchers (`[name, operator, value]`) match between two seconds of the scenario.
    pub async fn silence(&self, matchers: &[[&str; 3]], from: f64, to: f64) -> Silence {
        let matchers: Vec<Value> = matchers.iter().map(matcher).collect();
        let body = json!({
            "matchers": matchers, "startsAt": self.moment(from), "endsAt": self.moment(to),
            "createdBy": "eva", "comment": "planned work",
        });
        let (theirs, ours) = self.both(async |side| side.post("/api/v2/silences", &body).await).await;
        assert_eq!((theirs.status, ours.status), (200, 200), "{theirs:?}\n{ours:?}");
        let id = |reply: &Reply| reply.body["silenceID"].as_str().expect("the id of a silence").to_owned();
        Silence { theirs: id(&theirs), ours: id(&ours) }
    }

    /// Ends a silence now.
    pub async fn expire(&self, silence: &Silence) {
        let path = |id: &str| format!("/api/v2/silence/{id}");
        let (theirs, ours) = (path(&silence.theirs), path(&silence.ours));
        let (theirs, ours) =
            tokio::join!(self.reference.ask("DELETE", &theirs, ""), self.ours.ask("DELETE", &ours, ""));
        assert_eq!((theirs.status, ours.status), (200, 200), "{theirs:?}\n{ours:?}");
    }

    /// What a hook answers from now on, on both sides.
    pub fn answer(&self, hook: &str, answer: Answer) {
        self.reference.receiver.answer(hook, answer);
        self.ours.receiver.answer(hook, answer);
    }

    /// Replaces `alertmanager.yml` and has it read by SIGHUP.
    pub fn reload(&self, configuration: &str) {
        for side in [&self.reference, &self.ours] {
            side.configure(configuration);
            side.signal("HUP");
        }
    }

    /// `kill -9` of both.
    pub fn kill(&self) {
        self.reference.kill();
        self.ours.kill();
    }

    /// SIGTERM to both, until they have ended.
    pub async fn terminate(&self) {
        self.both(async |side| side.terminate().await).await;
    }

    /// Starts both once more, with what they have on disk.
    pub async fn start_again(&self) {
        self.both(async |side| side.start().await).await;
    }

    /// Asks both the same question and compares the answers, field by field.
    pub async fn same(&self, path: &str) {
        let (theirs, ours) = self.both(async |side| side.get(path).await).await;
        self.same_replies(&format!("GET {path}"), &theirs, &ours);
    }

    /// As [`Lab::same`] for the questions about alerts, groups and silences that people's pages ask.
    pub async fn same_state(&self) {
        for path in ["/api/v2/alerts", "/api/v2/alerts/groups", "/api/v2/silences"] {
            self.same(path).await;
        }
    }

    pub fn same_replies(&self, what: &str, theirs: &Reply, ours: &Reply) {
        let mut found = Vec::new();
        if theirs.status != ours.status {
            found.push(format!(" they answer {}, we answer {}", theirs.status, ours.status));
        }
        // A silence cannot begin in the past, so its beginning is when it was taken.
        let exact_starts = self.exact_starts.get() && !what.contains("/api/v2/silence");
        found.extend(differences(&theirs.body, &ours.body, &Rules { exact_starts, ..self.rules() }));
        if !found.is_empty() {
            let at = self.began.elapsed().as_secs_f64();
            let (theirs, ours) = (without_ids(&theirs.body.to_string()), without_ids(&ours.body.to_string()));
            self.object(&format!("{what} at {at:.2} s:\n  {}\n  they: {theirs}\n  we:   {ours}", found.join("\n  ")));
        }
    }

    /// Keeps a complaint for the end.
    pub fn object(&self, complaint: &str) {
        let mut found = self.found.borrow_mut();
        found.push_str(complaint);
        found.push('\n');
    }

    /// Does the same with both sides at the same time.
    pub async fn both<T>(&self, act: impl AsyncFn(&Side) -> T) -> (T, T) {
        tokio::join!(act(&self.reference), act(&self.ours))
    }

    /// Alertmanager told exactly this (see [`lines`]), and we told the same at the same moments.
    pub async fn agree(self, expected: &[&str]) {
        self.settle().await;
        let verdict = self.verdict(expected);
        assert!(verdict.is_empty(), "{verdict}");
    }

    /// What [`Lab::agree`] complains about; empty when there is nothing.
    pub fn verdict(&self, expected: &[&str]) -> String {
        let (theirs, ours) = self.heard();
        let apart = SECONDS_APART_MAX + self.patience + self.lateness.seconds();
        if lines(&theirs) != expected {
            self.object(&format!("Alertmanager told {:#?}, expected {expected:#?}", lines(&theirs)));
        }
        let different = compare(&theirs, &ours, &self.rules(), apart);
        if !different.is_empty() {
            self.object(&different);
        }
        self.conclusion(&theirs, &ours)
    }

    /// Where we must differ, and why. `theirs` is what Alertmanager tells where that is sure.
    pub fn differ(self, why: &str, theirs_expected: Option<&[&str]>, ours_expected: &[&str]) {
        let (theirs, ours) = self.heard();
        println!("{why}\n  Alertmanager told {:?}\n  {} told {:?}", lines(&theirs), self.ours.name(), lines(&ours));
        let expected_of = |side: &Side| match side.kind {
            Kind::Alertmanager => theirs_expected,
            Kind::Watchbell => Some(ours_expected),
        };
        for (side, heard) in [(&self.reference, &theirs), (&self.ours, &ours)] {
            if let Some(expected) = expected_of(side)
                && lines(heard) != expected
            {
                self.object(&format!("{} told {:#?}, expected {expected:#?}", side.name(), lines(heard)));
            }
        }
        let conclusion = self.conclusion(&theirs, &ours);
        assert!(conclusion.is_empty(), "{conclusion}");
    }

    /// Whether both sides tried a hook at least so often in vain.
    pub fn tried(&self, hook: &str, times: usize) {
        let in_vain = |request: &&Request| request.hook == hook && !request.answer.is_final();
        for side in [&self.reference, &self.ours] {
            let tried = side.receiver.requests().iter().filter(in_vain).count();
            if tried < times {
                self.object(&format!("{} tried `{hook}` {tried} times in vain, expected {times}", side.name()));
            }
        }
    }

    /// Waits for a moment that the scenario does not set: both have told this hook so often.
    pub async fn until_both_heard(&self, hook: &str, times: usize, within: Duration) {
        let end = Instant::now() + within;
        let told = |side: &Side| side.receiver.requests().iter().filter(|request| request.hook == hook).count();
        while told(&self.reference).min(told(&self.ours)) < times {
            let (theirs, ours) = (told(&self.reference), told(&self.ours));
            assert!(Instant::now() < end, "`{hook}` was told {theirs} and {ours} times, expected {times} from both");
            tokio::time::sleep(LATE_LOOK).await;
        }
    }

    /// Waits a little when we have told less than they: late is not the same as never.
    async fn settle(&self) {
        let end = Instant::now() + LATE_AT_MOST;
        let count = |heard: &Heard| heard.values().map(Vec::len).sum::<usize>();
        while Instant::now() < end {
            let (theirs, ours) = self.heard();
            if count(&ours) >= count(&theirs) {
                return;
            }
            tokio::time::sleep(LATE_LOOK).await;
        }
    }

    fn heard(&self) -> (Heard, Heard) {
        let of = |side: &Side| heard(&side.receiver.requests(), self.began);
        (of(&self.reference), of(&self.ours))
    }

    fn conclusion(&self, theirs: &Heard, ours: &Heard) -> String {
        let found = self.found.borrow();
        if found.is_empty() {
            return String::new();
        }
        let (theirs, ours): (Vec<_>, Vec<_>) =
            (theirs.values().flatten().cloned().collect(), ours.values().flatten().cloned().collect());
        let late = self.lateness.seconds();
        format!("the machine was {late:.2} s late at most\n{}\n{found}", side_by_side(&theirs, &ours))
    }

    /// How strictly moments are compared.
    pub fn rules(&self) -> Rules {
        let late = Duration::from_secs_f64(self.lateness.seconds());
        Rules { times_within: MOMENTS_WITHIN + late, exact_starts: self.exact_starts.get() }
    }
}

fn matcher([name, operator, value]: &[&str; 3]) -> Value {
    let is_regex = operator.contains('~');
    json!({"name": name, "value": value, "isRegex": is_regex, "isEqual": !operator.starts_with('!')})
}

/// How late this process was woken at worst, and how long the disk took at worst: the programs were that late
/// too.
struct Lateness {
    worst: Arc<Mutex<Worst>>,
    watches: [JoinHandle<()>; 2],
}

#[derive(Default)]
struct Worst {
    waking: Duration,
    writing: Duration,
}

impl Lateness {
    /// Writes into this directory.
    fn watch(directory: &Path) -> Self {
        let worst = Arc::new(Mutex::new(Worst::default()));
        let waking = tokio::spawn({
            let worst = Arc::clone(&worst);
            async move {
                loop {
                    let before = Instant::now();
                    tokio::time::sleep(LATE_LOOK).await;
                    let late = before.elapsed().saturating_sub(LATE_LOOK);
                    let mut worst = worst.lock();
                    worst.waking = worst.waking.max(late);
                }
            }
        });
        let writing = tokio::spawn({
            let worst = Arc::clone(&worst);
            let path = directory.join("written");
            async move {
                loop {
                    let before = Instant::now();
                    let path = path.clone();
                    let written = tokio::task::spawn_blocking(move || write_through(&path)).await;
                    // The folder goes when the scenario is over.
                    let Ok(Ok(())) = written else { return };
                    let took = before.elapsed();
                    {
                        let mut worst = worst.lock();
                        worst.writing = worst.writing.max(took);
                    }
                    tokio::time::sleep(DISK_LOOK).await;
                }
            }
        });
        Self { worst, watches: [waking, writing] }
    }

    fn seconds(&self) -> f64 {
        let worst = self.worst.lock();
        (worst.waking + worst.writing * WRITES).as_secs_f64()
    }
}

fn write_through(path: &Path) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(b"written")?;
    file.sync_all()
}

impl Drop for Lateness {
    fn drop(&mut self) {
        self.watches.iter().for_each(JoinHandle::abort);
    }
}
