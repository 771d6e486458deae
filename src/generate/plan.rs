//! Which failure happens when and where, and the change behind it. Failures come in groups that overlap;
//! between two groups everything is well again. Knows nothing of what they do.

use std::collections::{BTreeMap, BTreeSet};

use super::GenerateError;
use super::faults::FaultKind;
use super::parameters::Parameters;
use super::random::Random;
use super::world::World;

/// Monday, 5 January 2026, midnight UTC.
pub const START_MS: i64 = 1_767_571_200_000;
/// Failures of one group begin within this time, in seconds.
const GROUP_S: i64 = 240;
/// Quiet at the end of each slot, so that what is late still arrives before the next group, in seconds.
const QUIET_S: i64 = 600;
/// A slot holds the longest failure that begins last.
const SLOT_S: i64 = 2_400;
/// How often the same root fails, about.
const RECURRENCES: usize = 4;

#[derive(Clone, Debug)]
pub struct Failure {
    pub kind: FaultKind,
    pub root: usize,
    /// From here to the repair, by our clock.
    pub begins_ms: i64,
    pub ends_ms: i64,
    pub change: Option<Change>,
    /// Number of the first failure with this fault at this root.
    pub recurrence_of: Option<usize>,
}

#[derive(Clone, Debug)]
pub struct Change {
    pub id: String,
    pub at_ms: i64,
    pub kind: &'static str,
    pub node: usize,
    pub reference: String,
    pub summary: String,
}

/// All failures in order of time.
///
/// # Errors
/// When the time is too short for so many, or no node can have such a fault.
pub fn failures(parameters: &Parameters, world: &World) -> Result<Vec<Failure>, GenerateError> {
    let mut random = Random::of(parameters.seed, "plan", 0);
    let groups = group_sizes(parameters, &mut random);
    let slot_ms = parameters.span_ms() / groups.len().max(1) as i64;
    if slot_ms < SLOT_S * 1_000 {
        let hours = (groups.len() as u64 * SLOT_S as u64).div_ceil(3_600);
        let Parameters { faults, hours: given, concurrent, .. } = *parameters;
        return Err(GenerateError::TooShort { given, faults, concurrent, hours });
    }
    let mut roots = Roots::new(parameters, world)?;
    let mut wanted = roots.wanted(parameters, &mut random).into_iter();
    let mut failures = Vec::new();
    for (number, size) in groups.iter().enumerate() {
        let slot_at = START_MS + number as i64 * slot_ms;
        let free_ms = slot_ms - SLOT_S * 1_000;
        let group_at = slot_at + random.between(0, free_ms);
        let mut taken = BTreeSet::new();
        for (kind, root) in wanted.by_ref().take(*size) {
            let root = roots.not_among(kind, root, &mut taken, &mut random);
            let begins_ms = group_at + random.between(0, GROUP_S * 1_000);
            let latest = slot_at + slot_ms - QUIET_S * 1_000;
            let (low, high) = kind.lasts_s();
            let ends_ms = (begins_ms + random.between(low * 1_000, high * 1_000)).min(latest);
            failures.push(Failure { kind, root, begins_ms, ends_ms, change: None, recurrence_of: None });
        }
    }
    failures.sort_by_key(|failure| (failure.begins_ms, failure.root));
    let mut first = BTreeMap::new();
    for (number, failure) in failures.iter_mut().enumerate() {
        let known = first.get(&(failure.kind, failure.root)).copied();
        first.entry((failure.kind, failure.root)).or_insert(number);
        failure.recurrence_of = known;
        failure.change = cause(parameters, world, failure, number);
    }
    Ok(failures)
}

/// How many begin together. Small groups are more frequent; one has the full size.
fn group_sizes(parameters: &Parameters, random: &mut Random) -> Vec<usize> {
    let largest = parameters.concurrent as usize;
    let mut left = parameters.faults as usize;
    let mut sizes = Vec::new();
    while left > 0 {
        let drawn = 1 + random.below(largest).min(random.below(largest));
        let size = if sizes.is_empty() { largest } else { drawn }.min(left);
        left -= size;
        sizes.push(size);
    }
    random.shuffle(&mut sizes);
    sizes
}

/// Where each kind can sit.
struct Roots {
    by_kind: BTreeMap<FaultKind, Vec<usize>>,
}

impl Roots {
    fn new(parameters: &Parameters, world: &World) -> Result<Self, GenerateError> {
        let mut by_kind = BTreeMap::new();
        for kind in &parameters.kinds {
            let roots = kind.roots(world);
            if roots.is_empty() {
                return Err(GenerateError::NoRoot { kind: kind.as_str(), nodes: parameters.nodes });
            }
            by_kind.insert(*kind, roots);
        }
        Ok(Self { by_kind })
    }

    fn draw(&self, kind: FaultKind, random: &mut Random) -> usize {
        random.pick(&self.by_kind[&kind]).copied().unwrap_or_default()
    }

    /// Kind and root of every failure: each kind at least once where there is room for it, and a few roots
    /// that fail again and again.
    fn wanted(&self, parameters: &Parameters, random: &mut Random) -> Vec<(FaultKind, usize)> {
        let count = parameters.faults as usize;
        let recurring = count * parameters.recurring_percent as usize / 100;
        let mut kinds: Vec<FaultKind> = self.by_kind.keys().copied().collect();
        random.shuffle(&mut kinds);
        let mut wanted: Vec<(FaultKind, usize)> = Vec::new();
        for kind in kinds.into_iter().take(count) {
            wanted.push((kind, self.draw(kind, random)));
        }
        while wanted.len() < count - recurring {
            let kind = self.weighted(random);
            wanted.push((kind, self.draw(kind, random)));
        }
        let problems = recurring.div_ceil(RECURRENCES).max(1);
        let mut sick: Vec<(FaultKind, usize)> = Vec::new();
        while wanted.len() < count {
            let number = wanted.len() % problems;
            if sick.len() < problems {
                let kind = self.weighted(random);
                sick.push((kind, self.draw(kind, random)));
            }
            wanted.push(sick[number.min(sick.len() - 1)]);
        }
        random.shuffle(&mut wanted);
        wanted
    }

    fn weighted(&self, random: &mut Random) -> FaultKind {
        let total: u32 = self.by_kind.keys().map(|kind| kind.weight()).sum();
        let mut lot = random.below(total as usize) as u32;
        for kind in self.by_kind.keys() {
            match lot.checked_sub(kind.weight()) {
                None => return *kind,
                Some(rest) => lot = rest,
            }
        }
        FaultKind::BadDeploy // the weights add up to the total
    }

    /// Two faults at one root at the same time could not be told apart, so the second one moves.
    fn not_among(&mut self, kind: FaultKind, root: usize, taken: &mut BTreeSet<usize>, random: &mut Random) -> usize {
        let mut root = root;
        for _ in 0..100 {
            if taken.insert(root) {
                break;
            }
            root = self.draw(kind, random);
        }
        root
    }
}

/// The change that brought the fault, minutes before.
fn cause(parameters: &Parameters, world: &World, failure: &Failure, number: usize) -> Option<Change> {
    let mut random = Random::of(parameters.seed, "cause", number as u64);
    let kind = match failure.kind {
        FaultKind::BadDeploy => *random.pick(&["deploy", "deploy", "deploy", "commit"])?,
        FaultKind::ConfigError => *random.pick(&["flag", "config"])?,
        _ => return None,
    };
    let at_ms = failure.begins_ms - random.between(5_000, 600_000);
    Some(change(world, at_ms, kind, failure.root, &mut random))
}

/// A change in the words of whoever makes such changes.
pub fn change(world: &World, at_ms: i64, kind: &'static str, node: usize, random: &mut Random) -> Change {
    const FLAGS: [&str; 6] =
        ["new-checkout-flow", "async-writes", "strict-validation", "prefetch", "batch-events", "cache-v2"];
    const SETTINGS: [&str; 6] =
        ["pool size", "request timeout", "memory limit", "retry policy", "upstream address", "log level"];
    let name = &world.nodes[node].id;
    let (reference, summary) = match kind {
        "deploy" => {
            let version = format!("v{}.{}.{}", random.between(1, 4), random.between(0, 60), random.between(0, 9));
            let summary = format!("deploy {name} {version}");
            (version, summary)
        }
        "commit" => {
            let commit = format!("{:010x}", random.bits() >> 24);
            let summary = format!("merge {commit} into main of {name}");
            (commit, summary)
        }
        "flag" => {
            let flag = FLAGS[random.below(FLAGS.len())];
            let share = random.between(1, 10) * 10;
            (flag.to_owned(), format!("flag {flag} of {name} on for {share}% of users"))
        }
        _ => {
            let ticket = format!("CHG{:07}", random.between(10_000, 99_999));
            let setting = SETTINGS[random.below(SETTINGS.len())];
            let summary = format!("{ticket}: other {setting} for {name}");
            (ticket, summary)
        }
    };
    Change { id: format!("c{:015x}", random.bits() >> 4), at_ms, kind, node, reference, summary }
}
