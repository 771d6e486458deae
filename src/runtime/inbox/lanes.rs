//! What waits for the writer, in a lane for each source and one for the daemon itself. Decides who may
//! still put something in and who is served next; never waits and never drops what it took.
//!
//! - The daemon's own jobs (commands, results of sends, audit) go first and need no place of the sources'.
//! - A source is refused once it holds as much as is free: alone it gets half of the places, two floods get a
//!   third each, and there is always room for one that has nothing here yet.
//! - While more than one source is there a batch is small, so that nobody waits long for what another sent.
//! - Of the sources the one goes next that has been served least, counted in bytes. One that was idle gets no
//!   credit for that, but goes before those that have been served since.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use super::Job;

/// What a job costs besides its bytes: a flood of empty ones is a flood all the same.
const JOB_BYTES: u64 = 256;
/// While sources share the writer a batch holds this part of the bytes that one alone may fill it with: more
/// commits, but a page waits for a few milliseconds of a flood only.
const SHARED_BATCH: usize = 32;
/// So many results of sends are worth a commit of their own.
const RESULTS_TOGETHER: usize = 16;
/// A source has the writer to itself once it has been the only one in so many batches.
const BATCHES_ALONE: u32 = 256;

#[derive(Debug)]
pub(super) struct Lanes {
    jobs_max: usize,
    bytes_max: usize,
    own: Lane,
    /// Of the daemon's own jobs those that may wait for others.
    patient: usize,
    /// One for each source that ever sent something; their names are configured, so there are few.
    sources: Vec<Lane>,
    by_name: BTreeMap<String, usize>,
    /// Sources with something to be done, the least served first.
    turns: BinaryHeap<Reverse<(u64, usize)>>,
    /// How much the source that was served last had had by then.
    served: u64,
    /// The source that was served last, and for how many batches it has been the only one.
    last: Option<usize>,
    batches_alone: u32,
    /// Jobs and bytes of all sources.
    count: usize,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Lane {
    jobs: VecDeque<Job>,
    bytes: usize,
    served: u64,
}

impl Lane {
    fn push(&mut self, job: Job, bytes: usize) {
        self.jobs.push_back(job);
        self.bytes += bytes;
    }

    fn pop(&mut self) -> Option<(Job, usize)> {
        let job = self.jobs.pop_front()?;
        let bytes = job.bytes();
        self.bytes -= bytes;
        Some((job, bytes))
    }
}

impl Lanes {
    pub(super) fn new(jobs_max: usize, bytes_max: usize) -> Self {
        Self {
            jobs_max: jobs_max.max(1),
            bytes_max,
            own: Lane::default(),
            patient: 0,
            sources: Vec::new(),
            by_name: BTreeMap::new(),
            turns: BinaryHeap::new(),
            served: 0,
            last: None,
            batches_alone: BATCHES_ALONE,
            count: 0,
            bytes: 0,
        }
    }

    /// Jobs that wait.
    pub(super) fn len(&self) -> usize {
        self.own.jobs.len() + self.count
    }

    /// Something is there that should not wait for company.
    pub(super) fn is_urgent(&self) -> bool {
        self.count > 0 || self.own.jobs.len() > self.patient || self.patient >= RESULTS_TOGETHER
    }

    /// Takes a job in; false when there is no place for one of its sender, and then it is dropped.
    pub(super) fn put(&mut self, job: Job) -> bool {
        let bytes = job.bytes();
        let Some(source) = job.source() else {
            let has_room = self.own.jobs.len() < self.jobs_max && self.own.bytes <= self.bytes_max;
            if has_room {
                self.patient += usize::from(job.is_patient());
                self.own.push(job, bytes);
            }
            return has_room;
        };
        let index = match self.by_name.get(source) {
            Some(index) => *index,
            None => {
                self.by_name.insert(source.to_owned(), self.sources.len());
                self.sources.push(Lane::default());
                self.sources.len() - 1
            }
        };
        let (free, free_bytes) = (self.jobs_max - self.count, self.bytes_max.saturating_sub(self.bytes));
        let lane = &mut self.sources[index];
        // A first job may be larger than what is free, or a large one would never get in.
        let has_bytes = if lane.bytes == 0 { free_bytes > 0 } else { lane.bytes + bytes <= free_bytes };
        if lane.jobs.len() >= free || !has_bytes {
            return false;
        }
        if lane.jobs.is_empty() {
            lane.served = lane.served.max(self.served);
            self.turns.push(Reverse((lane.served, index)));
        }
        lane.push(job, bytes);
        self.count += 1;
        self.bytes += bytes;
        true
    }

    /// The next job.
    pub(super) fn next(&mut self) -> Option<Job> {
        self.next_own().or_else(|| self.next_of_sources().map(|(job, _)| job))
    }

    fn next_own(&mut self) -> Option<Job> {
        let (job, _) = self.own.pop()?;
        self.patient -= usize::from(job.is_patient());
        Some(job)
    }

    /// The next jobs, up to so many and, of those of sources, so many bytes; at least one of a source, if
    /// there is one, whatever the daemon itself has to say.
    pub(super) fn take(&mut self, batch: &mut Vec<Job>, count_max: usize, bytes_max: usize) {
        let before = batch.len();
        while batch.len() - before < count_max
            && let Some(job) = self.next_own()
        {
            batch.push(job);
        }
        self.batches_alone = self.batches_alone.saturating_add(u32::from(!self.turns.is_empty()));
        let mut taken = 0;
        let mut is_first = true;
        while let Some(bytes) = self.next_bytes()
            && (is_first || batch.len() - before < count_max && taken + bytes <= self.batch_bytes(bytes_max))
            && let Some((job, bytes)) = self.next_of_sources()
        {
            batch.push(job);
            taken += bytes;
            is_first = false;
        }
    }

    /// Of the job that is next: what does not fit into a batch any more is left for the one after it, so that a
    /// page is not committed together with the part of a flood that follows it.
    fn next_bytes(&self) -> Option<usize> {
        let Reverse((_, index)) = self.turns.peek()?;
        self.sources[*index].jobs.front().map(Job::bytes)
    }

    fn batch_bytes(&self, bytes_max: usize) -> usize {
        if self.batches_alone >= BATCHES_ALONE { bytes_max } else { bytes_max / SHARED_BATCH }
    }

    fn next_of_sources(&mut self) -> Option<(Job, usize)> {
        let Reverse((served, index)) = self.turns.pop()?;
        let lane = &mut self.sources[index];
        let (job, bytes) = lane.pop()?;
        self.served = served;
        if self.last.replace(index).is_some_and(|last| last != index) {
            self.batches_alone = 0;
        }
        lane.served = served + bytes as u64 + JOB_BYTES;
        if !lane.jobs.is_empty() {
            self.turns.push(Reverse((lane.served, index)));
        }
        self.count -= 1;
        self.bytes -= bytes;
        Some((job, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::input::Input;
    use tokio::sync::oneshot;

    fn job(source: &str, bytes: usize) -> Job {
        let source = (!source.is_empty()).then(|| source.to_owned());
        Job::Input { input: Box::new(Input::Tick), payload: vec![0; bytes], source, done: oneshot::channel().0 }
    }

    /// Puts in as many as there is room for.
    fn flood(lanes: &mut Lanes, source: &str, bytes: usize) -> usize {
        (0..).take_while(|_| lanes.put(job(source, bytes))).count()
    }

    /// The senders of the next batch, `*` for the daemon itself.
    fn batch(lanes: &mut Lanes, count_max: usize, bytes_max: usize) -> String {
        let mut batch = Vec::new();
        lanes.take(&mut batch, count_max, bytes_max);
        batch.iter().map(|job| job.source().unwrap_or("*")).collect()
    }

    #[test]
    fn a_flood_leaves_room_for_everybody_else() {
        let mut lanes = Lanes::new(100, 1 << 20);
        assert_eq!(flood(&mut lanes, "a", 10), 50, "half of the places");
        assert_eq!(flood(&mut lanes, "b", 10), 25);
        assert_eq!(flood(&mut lanes, "c", 10), 13);
        assert!(lanes.put(job("d", 10)), "whoever has nothing here yet gets in");
        assert!(!lanes.put(job("a", 10)));
        assert_eq!(flood(&mut lanes, "", 10), 100, "the daemon's own need no place of theirs");
        assert_eq!(lanes.len(), 50 + 25 + 13 + 1 + 100);
    }

    #[test]
    fn a_flood_of_bytes_leaves_room_for_everybody_else() {
        let mut lanes = Lanes::new(1_000, 1_000);
        assert_eq!(flood(&mut lanes, "a", 100), 5, "half of the bytes");
        assert!(lanes.put(job("b", 400)) && lanes.put(job("c", 1)));
        assert!(!lanes.put(job("a", 1)));
        let mut lanes = Lanes::new(1_000, 1_000);
        assert!(lanes.put(job("a", 5_000)), "one that is larger than all gets in where nothing is");
        assert!(!lanes.put(job("a", 1)) && !lanes.put(job("b", 1)));
        assert!(lanes.next().is_some());
        assert!(lanes.put(job("b", 1)), "what was taken is free again");
    }

    #[test]
    fn sources_take_turns_and_the_daemons_own_go_first() {
        let mut lanes = Lanes::new(100, 1 << 20);
        (0..4).for_each(|_| assert!(lanes.put(job("a", 10))));
        (0..2).for_each(|_| assert!(lanes.put(job("b", 10)) && lanes.put(job("", 10))));
        assert_eq!(batch(&mut lanes, 100, 1 << 20), "**ababaa");
        assert_eq!(lanes.len(), 0);
    }

    #[test]
    fn a_small_sender_goes_before_a_flood_and_saves_nothing_up() {
        let mut lanes = Lanes::new(100, 1 << 20);
        (0..10).for_each(|_| assert!(lanes.put(job("a", 1_000))));
        assert_eq!(batch(&mut lanes, 100, 2_500), "aa", "a batch ends where the next one does not fit in");
        (0..8).for_each(|_| assert!(lanes.put(job("b", 10))));
        assert_eq!(batch(&mut lanes, 100, SHARED_BATCH * 2_500), "bbbbbabbba", "by bytes, from when it came on");
        (0..8).for_each(|_| drop(lanes.next()));
        (0..3).for_each(|_| assert!(lanes.put(job("a", 1_000)) && lanes.put(job("c", 1_000))));
        assert_eq!(batch(&mut lanes, 4, 1 << 20).matches('c').count(), 2, "being new is no credit");
    }

    #[test]
    fn a_batch_is_small_while_sources_share_the_writer() {
        let mut lanes = Lanes::new(10_000, 1 << 30);
        (0..1_000).for_each(|_| assert!(lanes.put(job("a", 1_000))));
        let bytes = SHARED_BATCH * 2_000;
        assert_eq!(batch(&mut lanes, 100, bytes).len(), bytes / 1_000, "alone");
        assert!(lanes.put(job("b", 10)));
        assert_eq!(batch(&mut lanes, 100, bytes), "ba");
        let shared = (1..).find(|_| batch(&mut lanes, 100, bytes).len() > 2);
        assert_eq!(shared, Some(BATCHES_ALONE), "until the other has not been seen for a while");
    }

    #[test]
    fn a_batch_has_something_of_a_source_whatever_the_daemon_has_to_say() {
        let mut lanes = Lanes::new(100, 1 << 20);
        (0..10).for_each(|_| assert!(lanes.put(job("", 10))));
        (0..2).for_each(|_| assert!(lanes.put(job("a", 10))));
        assert_eq!(batch(&mut lanes, 3, 1), "***a");
    }
}
