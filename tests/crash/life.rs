//! The lives and deaths of one daemon over one store. Decides how each life ends and brings that about;
//! judges only what belongs to a life: that it began, ended as it should, and left a sound file.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use watchbell::clock::Clock;
use watchbell::crash_point::{self, CrashPoint};
use watchbell::model::{IncidentState, Timestamp};
use watchbell::store::{Commit, IncidentQuery, QuarantineRow, Reader, SqliteStore, Store};

use crate::support::fakes::servicenow::{self, ServiceNow};
use crate::support::receiver::{Answer, Receiver};
use crate::support::{Api, Daemon, Random, Site, all_pages, eventually};

/// How long a daemon lives that is killed at a random instant, in milliseconds.
const LIFE_MS: (u64, u64) = (20, 700);
/// Requests that wait for their answers when the daemon is killed over them.
const UNANSWERED: (u64, u64) = (1, 33);
/// Passages of a point that an event or a send comes by: early enough to be reached within moments.
const PASSAGES: (u64, u64) = (1, 30);
/// What other threads have when one stands at its last point.
const GRACE_MS: u64 = 40;
/// A writer prunes only once it has lived for a while, so this death comes once in so many, at its turn.
const PRUNING_EVERY: u64 = 100;
const PRUNING_AT: u64 = 31;
/// The rarest point is passed when the writer has had time to prune.
const REACHED_WITHIN: Duration = Duration::from_secs(120);
/// Until a start after a kill had nothing to replay so often that there never is anything.
const REPLAYS_TRIED_MAX: u32 = 50;
const STOPS_WITHIN: Duration = Duration::from_secs(60);
pub const KILL: i32 = 9;
/// Rows that are older than any retention. One pruning takes only some of them.
const OLD_ROWS: usize = 3_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// At any instant.
    Random,
    /// Requests are written, and their answers do not come.
    Unanswered,
    /// By itself.
    At(CrashPoint),
}

impl Death {
    /// Every other death is at a random instant; between them all others take turns.
    pub fn of(number: u64) -> Self {
        let has_points = cfg!(feature = "crash-points");
        if has_points && number % PRUNING_EVERY == PRUNING_AT {
            return Self::At(CrashPoint::Pruning);
        }
        let mut named = vec![Self::Unanswered];
        if has_points {
            // A copy is made by a process of its own: see `backup.rs`.
            let apart = [CrashPoint::Pruning, CrashPoint::BackingUp];
            named.extend(CrashPoint::ALL.into_iter().filter(|point| !apart.contains(point)).map(Self::At));
        }
        match number % 2 {
            0 => Self::Random,
            _ => named[(number / 2) as usize % named.len()],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Unanswered => "unanswered",
            Self::At(point) => point.name(),
        }
    }
}

/// What a process is told to die of.
pub struct Armed {
    point: CrashPoint,
    passage: u64,
    grace_ms: u64,
}

impl Armed {
    fn at(point: CrashPoint, random: &mut Random) -> Self {
        let passage = match point {
            // Once in a life.
            CrashPoint::Replaying
            | CrashPoint::Recovered
            | CrashPoint::Reloading
            | CrashPoint::Reloaded
            | CrashPoint::Pruning
            | CrashPoint::Draining
            | CrashPoint::Finishing => 1,
            _ => random.between(PASSAGES.0, PASSAGES.1),
        };
        // At once, or when the others had time to do what they should not do yet.
        let grace_ms = if random.between(0, 2) == 0 { 0 } else { GRACE_MS };
        Self { point, passage, grace_ms }
    }
}

/// One process.
pub struct Life {
    /// Before its first step, and after the last of the life before.
    pub began: Timestamp,
    /// From being ready to its death.
    pub up: Duration,
    /// Until it was ready, if it ever was.
    start: Option<Duration>,
    death: Option<Death>,
}

pub struct World {
    pub site: Site,
    pub receiver: Receiver,
    pub tickets: ServiceNow,
    pub lives: Vec<Life>,
    reloads: u64,
}

impl World {
    pub async fn new() -> Self {
        let (receiver, tickets) = (Receiver::start(Answer::Status(200)).await, ServiceNow::start().await);
        Self { site: Site::new(""), receiver, tickets, lives: Vec::new(), reloads: 0 }
    }

    /// Gives the pruning something to delete.
    pub fn keep_old_history(&self) {
        let (mut store, _) = SqliteStore::open(&self.site.store_path()).expect("a new store");
        store.acquire().expect("a store of one's own");
        let row = |number: usize| QuarantineRow {
            at: Timestamp::from_millis(number as i64),
            source: "generic".to_owned(),
            reason: "long ago".to_owned(),
            body: Vec::new(),
        };
        let quarantine = (0..OLD_ROWS).map(row).collect();
        store.commit(&Commit { quarantine, ..Commit::default() }).expect("a commit");
    }

    /// Each life sends to a path of its own, so that every request says which life it is from.
    fn configuration(&self) -> String {
        const SHARED: &str = "allow_private: true, rate: { count: 5000, per: 1s }";
        let url = format!("{}/{}", self.receiver.url(), self.lives.len() - 1);
        let hook = format!("{{ kind: webhook, name: hook, url: \"{url}\", {SHARED} }}");
        let tickets = format!(
            "{{ kind: servicenow, url: \"{}\", user: {}, password: {}, {SHARED} }}",
            self.tickets.url(),
            servicenow::USER,
            servicenow::PASSWORD
        );
        // What a reload changes.
        let hours = 4 + self.reloads % 2;
        format!(
            "receivers:\n  ops: {{ sinks: [{hook}] }}\n  boss: {{ sinks: [{hook}] }}\n  \
             desk: {{ sinks: [{hook}, {tickets}] }}\n\
             route:\n  receiver: ops\n  group_wait: 0s\n  group_interval: 1s\n  repeat_interval: {hours}h\n  \
             escalation_policy: later\n  routes: [{{ matchers: ['source=\"zabbix\"'], receiver: desk }}]\n\
             correlation: {{ reopen_within: 1s, close_after: 2s }}\n\
             escalation_policies: {{ later: {{ levels: [{{ after: 3s, receivers: [boss] }}] }} }}\n",
        )
    }

    /// The next life, up to where it takes events; or how it ended before that.
    pub async fn begin(&mut self, armed: Option<Armed>) -> Result<Daemon, ExitStatus> {
        self.lives.push(Life { began: Clock::System.now(), up: Duration::ZERO, start: None, death: None });
        self.site.configure(&self.configuration());
        let text = armed.map(|Armed { point, passage, grace_ms }| format!("{}:{passage}:{grace_ms}", point.name()));
        let variables: Vec<(&str, &str)> = text.iter().map(|text| (crash_point::VARIABLE, text.as_str())).collect();
        let spawned = Instant::now();
        let daemon = self.site.try_start_with(&variables).await;
        if let (Some(life), Ok(_)) = (self.lives.last_mut(), &daemon) {
            life.start = Some(spawned.elapsed());
        }
        daemon
    }

    /// One more life, and the end of it.
    pub async fn live_and_die(&mut self, death: Death, random: &mut Random) {
        let ready = match death {
            Death::Random => {
                let (mut daemon, ready) = self.begin_unarmed().await;
                tokio::time::sleep(Duration::from_millis(random.between(LIFE_MS.0, LIFE_MS.1))).await;
                daemon.kill();
                Some(ready)
            }
            Death::Unanswered => {
                let (mut daemon, ready) = self.begin_unarmed().await;
                self.receiver.answer(Answer::Hang);
                let wanted = self.receiver.unanswered() + random.between(UNANSWERED.0, UNANSWERED.1) as usize;
                eventually("requests wait for an answer", REACHED_WITHIN, async || {
                    (self.receiver.unanswered() >= wanted).then_some(())
                })
                .await;
                daemon.kill();
                self.receiver.answer(Answer::Status(200));
                Some(ready)
            }
            Death::At(CrashPoint::Replaying) => self.die_in_a_replay(random).await,
            Death::At(point) => self.die_at(point, random).await,
        };
        self.ended(death, ready).await;
    }

    /// Notes how a life was that is over, and waits until nothing of it is on its way any more.
    async fn ended(&mut self, death: Death, ready: Option<Instant>) {
        let life = self.lives.last_mut().expect("it has just ended");
        life.up = ready.map_or(Duration::ZERO, |ready| ready.elapsed());
        life.death = Some(death);
        // What it sent with its last breath counts as sent before the next life begins.
        self.receiver.has_taken_all().await;
        self.tickets.has_taken_all().await;
    }

    async fn begin_unarmed(&mut self) -> (Daemon, Instant) {
        let daemon = self.begin(None).await;
        let daemon = daemon.unwrap_or_else(|status| panic!("a start ended with {status}\n{}", self.site.log()));
        (daemon, Instant::now())
    }

    /// Returns since when it was ready, if it ever was.
    async fn die_at(&mut self, point: CrashPoint, random: &mut Random) -> Option<Instant> {
        let mut daemon = match self.begin(Some(Armed::at(point, random))).await {
            Ok(daemon) => daemon,
            Err(status) => {
                self.check_killed(point, status);
                return None;
            }
        };
        let ready = Instant::now();
        match point {
            CrashPoint::Reloading | CrashPoint::Reloaded => {
                self.reloads += 1;
                self.site.configure(&self.configuration());
                daemon.signal("HUP");
            }
            CrashPoint::Draining | CrashPoint::Finishing => daemon.signal("TERM"),
            _ => {}
        }
        let what = format!("the point `{}` is reached", point.name());
        let status = eventually(&what, REACHED_WITHIN, async || daemon.exited()).await;
        self.check_killed(point, status);
        Some(ready)
    }

    /// Whether there is anything to replay depends on the instant of the death before.
    async fn die_in_a_replay(&mut self, random: &mut Random) -> Option<Instant> {
        for _ in 0..REPLAYS_TRIED_MAX {
            let mut daemon = match self.begin(Some(Armed::at(CrashPoint::Replaying, random))).await {
                Ok(daemon) => daemon,
                Err(status) => {
                    self.check_killed(CrashPoint::Replaying, status);
                    return None;
                }
            };
            let ready = Instant::now();
            tokio::time::sleep(Duration::from_millis(random.between(LIFE_MS.0, LIFE_MS.1) / 4)).await;
            daemon.kill();
            self.ended(Death::Random, Some(ready)).await;
        }
        panic!("after {REPLAYS_TRIED_MAX} kills there was nothing to replay");
    }

    fn check_killed(&self, point: CrashPoint, status: ExitStatus) {
        let (name, log) = (point.name(), self.site.log());
        assert_eq!(status.signal(), Some(KILL), "`{name}`: the daemon ended with {status}\n{log}");
    }

    /// Waits until everybody has heard everything and nobody is still to be asked.
    pub async fn settled(&self, within: Duration) {
        let store = self.site.reader();
        eventually("nobody is still to be asked", within, async || {
            let open = IncidentQuery { states: vec![IncidentState::Open], ..IncidentQuery::default() };
            let incidents = all_pages(|page| store.incidents(&IncidentQuery { page: page.clone(), ..open.clone() }));
            incidents.iter().all(|incident| incident.escalating.is_none()).then_some(())
        })
        .await;
        Api::new(&self.site).settled(within).await;
    }

    /// The one orderly end.
    pub async fn end(&mut self, daemon: &mut Daemon) {
        daemon.signal("TERM");
        let status = daemon.ended(STOPS_WITHIN).await;
        assert!(status.success(), "the stop ended with {status}\n{}", self.site.log());
    }

    /// The file is whole, no life had to complain, and what was being pruned is there in full steps.
    pub fn check_file(&self) {
        let file = rusqlite::Connection::open(self.site.store_path()).expect("the store's file");
        let text = |sql: &str| file.query_row(sql, [], |row| row.get::<_, String>(0)).expect(sql);
        assert_eq!(text("PRAGMA integrity_check"), "ok");
        let old = text("SELECT count(*) || '' FROM quarantine WHERE reason = 'long ago'");
        assert!(["3000", "1000", "1"].contains(&old.as_str()), "half a pruning: {old} of {OLD_ROWS} rows are left");
        let log = self.site.log();
        let complaints: Vec<&str> =
            log.lines().filter(|line| ["ERROR", "panicked"].iter().any(|word| line.contains(word))).collect();
        assert!(complaints.is_empty(), "{complaints:#?}");
    }

    /// How often it died in which way.
    pub fn deaths(&self) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for death in self.lives.iter().filter_map(|life| life.death) {
            *counts.entry(death.name()).or_default() += 1;
        }
        let counts: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
        counts.join(", ")
    }

    /// How long its starts took.
    pub fn starts(&self) -> String {
        let mut starts: Vec<u128> =
            self.lives.iter().filter_map(|life| life.start).map(|span| span.as_millis()).collect();
        starts.sort_unstable();
        let (median, slowest) = (starts[starts.len() / 2], starts[starts.len() - 1]);
        format!("{} starts to readiness: median {median} ms, slowest {slowest} ms", starts.len())
    }
}
