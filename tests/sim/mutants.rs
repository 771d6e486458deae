//! The simulation notices every planted bug, or a test fails: otherwise its silence would mean nothing.

use std::sync::atomic::{AtomicUsize, Ordering};

use watchbell::mutant::{self, Mutant};

use super::installation;
use super::oracle::Violation;
use super::seeds;

/// Seeds that a bug may hide from: those of a normal run.
const SEEDS: usize = 750;
/// The same of the runs in which people hear of groups, which are a quarter of all.
const SEEDS_IN_GROUPS: usize = 250;

/// Each bug, and the promises by which it may be noticed.
const PLANTED: [(Mutant, &[&str]); 57] = [
    (Mutant::AcknowledgedBeforeCommit, &["I1", "I6"]),
    (Mutant::SentBeforeCommit, &["I3"]),
    (Mutant::FailedCommitKeepsMemory, &["P5", "I2", "I5"]),
    (Mutant::RowsCountAsApplied, &["P5"]),
    (Mutant::DeliveriesNotStored, &["P5", "I3", "I4"]),
    (Mutant::StaleEpochWrites, &["I6"]),
    (Mutant::TimerLostOnRestart, &["I5", "P5"]),
    (Mutant::SilenceLostOnRestart, &["P5"]),
    (Mutant::OverrideLostOnRestart, &["P5"]),
    (Mutant::WorkaroundLostOnRestart, &["P5"]),
    (Mutant::ProblemAliasLost, &["problems"]),
    (Mutant::IncidentAliasLost, &["aliases"]),
    (Mutant::SplitForgottenOnRestart, &["P5"]),
    (Mutant::SplitPagesTwice, &["P3"]),
    (Mutant::FoundersLeave, &["P3"]),
    (Mutant::PinnedIncidentParts, &["P3"]),
    (Mutant::LeftAlertStillCounts, &["P3"]),
    (Mutant::OpensWithoutReason, &["P3"]),
    (Mutant::HoldDownForEver, &["hold-down"]),
    (Mutant::PendingNeverLapses, &["hold-down"]),
    (Mutant::LateEventDropped, &["I2"]),
    (Mutant::OriginLostOnRestart, &["P5"]),
    (Mutant::RemovedOriginComesBack, &["P5"]),
    (Mutant::DependencyLostOnRestart, &["P5"]),
    (Mutant::LearnedLostOnRestart, &["P5"]),
    (Mutant::ConfirmationLostOnRestart, &["P5"]),
    (Mutant::LearnedOfAnotherItem, &["learned"]),
    (Mutant::SignatureLostOnRestart, &["P5"]),
    (Mutant::LearnedAcrossScopes, &["learned"]),
    (Mutant::LevelAskedAgainOnRestart, &["I5"]),
    (Mutant::DoubtLostOnRestart, &["I8"]),
    (Mutant::PoisonInJournal, &["poison"]),
    (Mutant::LateDeadlineSkipped, &["I5"]),
    (Mutant::TimeGoesBack, &["time"]),
    (Mutant::TooManyRequestsIsFatal, &["I4"]),
    (Mutant::RetryAfterIgnored, &["Retry-After"]),
    (Mutant::KeyOfItsOwnForEachTry, &["I8"]),
    (Mutant::OvertakesWhatIsUnderWay, &["I7", "I8"]),
    (Mutant::SupersededInSilence, &["I11", "I7"]),
    (Mutant::ExhaustedWithoutFallback, &["I4"]),
    (Mutant::RedrivenAfterTheEnd, &["I7"]),
    (Mutant::FallbackTwice, &["I4"]),
    (Mutant::FallbackHearsNoEnd, &["I11"]),
    (Mutant::CatchAllDropped, &["I9"]),
    (Mutant::RolesNotChecked, &["I10"]),
    (Mutant::RefusalNotAudited, &["I10"]),
    (Mutant::RepeatIsAnotherAlert, &["I2"]),
    (Mutant::PendingForEver, &["I5"]),
    (Mutant::BelowThresholdInSilence, &["I2"]),
    (Mutant::MuteWithoutCause, &["I2"]),
    (Mutant::SilenceEndsUnnoticed, &["I2"]),
    (Mutant::AcknowledgedIsAskedOn, &["I5"]),
    (Mutant::EndNotTold, &["I11"]),
    (Mutant::RecurrenceAnHourOff, &["silences"]),
    (Mutant::RecursOnce, &["silences"]),
    (Mutant::QuietWhileItFires, &["silences"]),
    (Mutant::NeverQuiet, &["silences"]),
];

/// Those where people are told of groups.
const PLANTED_IN_GROUPS: [(Mutant, &[&str]); 14] = [
    (Mutant::ToldLostOnRestart, &["P5"]),
    (Mutant::GroupLostOnRestart, &["P5"]),
    (Mutant::OverLetGoUntold, &["groups", "memory"]),
    (Mutant::OverNeverLetGo, &["memory"]),
    (Mutant::GroupIntervalIgnored, &["groups"]),
    (Mutant::GroupNeverRepeated, &["groups"]),
    (Mutant::InhibitorNotWaitedFor, &["groups"]),
    (Mutant::FirstMomentPostponed, &["groups"]),
    (Mutant::MutedInGroupTold, &["groups"]),
    (Mutant::MuteTimeIgnored, &["groups"]),
    (Mutant::ContinueIgnored, &["groups"]),
    (Mutant::EqualIgnored, &["groups"]),
    (Mutant::RefusalCountsAsTold, &["groups"]),
    (Mutant::SecondFiringNotTold, &["groups", "I7"]),
];

/// The first seed that notices, and by what.
fn noticed(mutant: Mutant, seeds: impl IntoIterator<Item = u64>) -> Option<(u64, Violation)> {
    mutant::plant(Some(mutant));
    let found = seeds.into_iter().find_map(|seed| seeds::check(seed).err().map(|failure| (seed, failure.violation)));
    mutant::plant(None);
    found
}

/// All bugs, each with seeds of the kind of run in which it can show.
fn planted() -> Vec<(Mutant, &'static [&'static str], Vec<u64>)> {
    let of = |by_group: bool| move |seed: &u64| installation::is_by_group(*seed) == by_group;
    let by_incident =
        PLANTED.into_iter().map(|(mutant, promises)| (mutant, promises, (1..).filter(of(false)).take(SEEDS).collect()));
    let by_group = PLANTED_IN_GROUPS
        .into_iter()
        .map(|(mutant, promises)| (mutant, promises, (1..).filter(of(true)).take(SEEDS_IN_GROUPS).collect()));
    by_incident.chain(by_group).collect()
}

#[test]
fn every_planted_bug_is_noticed() {
    let (next, planted) = (AtomicUsize::new(0), planted());
    let report = parking_lot::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((mutant, promises, seeds)) = planted.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let line = match noticed(*mutant, seeds.iter().copied()) {
                        None => (false, format!("{mutant:?} goes unnoticed")),
                        Some((seed, violation)) => {
                            let text: String = violation.to_string().chars().take(160).collect();
                            (promises.contains(&violation.promise), format!("{mutant:?}: seed {seed}: {text}"))
                        }
                    };
                    println!("{}", line.1);
                    report.lock().push(line);
                }
            });
        }
    });
    let report = report.into_inner();
    let missed: Vec<&String> = report.iter().filter(|(is_noticed, _)| !is_noticed).map(|(_, line)| line).collect();
    assert!(missed.is_empty(), "unnoticed, or by another promise than expected:\n{missed:#?}");
}
