//! Planted bugs. The simulation must notice each of them (`tests/sim/mutants.rs`), or it proves nothing.
//!
//! Without the feature `mutants` every question is answered `false` by a constant, and the compiler drops
//! what hangs on it. With the feature one bug at a time can be switched on in the present thread. A
//! release build refuses the feature.
//!
//! ```text
//! if !mutant::is(Mutant::StaleEpochWrites) { check the epoch }
//! ```

/// What is done wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// A sender gets its answer when its input is stepped.
    AcknowledgedBeforeCommit,
    /// The outbox gets a delivery before its cause is committed.
    SentBeforeCommit,
    /// After a failed commit the engine goes on with what it had in memory.
    FailedCommitKeepsMemory,
    /// The store says that its rows are up to date when only the journal is.
    RowsCountAsApplied,
    /// Deliveries are left out when rows are written.
    DeliveriesNotStored,
    /// The store takes commits of a writer that was taken over from.
    StaleEpochWrites,
    /// A restart forgets when incidents want to be looked at.
    TimerLostOnRestart,
    /// A restart forgets silences.
    SilenceLostOnRestart,
    /// A restart forgets who stands in for whom.
    OverrideLostOnRestart,
    /// A restart forgets what to do about a known error.
    WorkaroundLostOnRestart,
    /// The id of a problem that was merged leads nowhere.
    ProblemAliasLost,
    /// The id of an incident that was merged means what it meant before.
    IncidentAliasLost,
    /// A restart forgets which alerts came together after a time of quiet.
    SplitForgottenOnRestart,
    /// Each alert of a second fault becomes an incident.
    SplitPagesTwice,
    /// What an incident began with leaves it when its first alert is over.
    FoundersLeave,
    /// An incident is parted whoever works on it.
    PinnedIncidentParts,
    /// An alert that leaves an incident still counts there.
    LeftAlertStillCounts,
    /// A group opens that nothing speaks for.
    OpensWithoutReason,
    /// Whose cause may lie further up waits on and on.
    HoldDownForEver,
    /// A pending group stays when its alerts are over.
    PendingNeverLapses,
    /// What a monitor says late is not taken in.
    LateEventDropped,
    /// A restart forgets what was pushed of the topology.
    OriginLostOnRestart,
    /// What was pushed of the topology and removed comes back with a restart.
    RemovedOriginComesBack,
    /// A restart forgets the dependencies that monitors taught.
    DependencyLostOnRestart,
    /// A restart forgets how often things have failed, and for what cause.
    LearnedLostOnRestart,
    /// A restart takes a person's word on a cause for a guess.
    ConfirmationLostOnRestart,
    /// What a person confirmed of one item is learned of the others.
    LearnedOfAnotherItem,
    /// What confirmed causes looked like is forgotten with a restart.
    SignatureLostOnRestart,
    /// What a person confirmed in one scope is learned of the item of that name in every other.
    LearnedAcrossScopes,
    /// After a restart the last level is asked once more.
    LevelAskedAgainOnRestart,
    /// After a restart nothing is in doubt: an attempt counts only once it is answered.
    DoubtLostOnRestart,
    /// An input on which the engine dies goes into the journal.
    PoisonInJournal,
    /// A deadline that is long past is left out: the clock was stepped.
    LateDeadlineSkipped,
    /// Our own time follows a clock that is set back.
    TimeGoesBack,
    /// A receiver that says "later" gets nothing more.
    TooManyRequestsIsFatal,
    /// Only our own back-off counts.
    RetryAfterIgnored,
    /// Each try has a key of its own.
    KeyOfItsOwnForEachTry,
    /// What follows does not wait for what is under way.
    OvertakesWhatIsUnderWay,
    /// What a newer delivery made needless is dropped without a word.
    SupersededInSilence,
    /// What is given up is given up.
    ExhaustedWithoutFallback,
    /// A dead letter is sent whatever its receiver has been told since.
    RedrivenAfterTheEnd,
    /// Two deliveries stand in for one.
    FallbackTwice,
    /// A stand-in is not told of the end.
    FallbackHearsNoEnd,
    /// What no route below the root takes reaches nobody.
    CatchAllDropped,
    /// Anyone may do anything.
    RolesNotChecked,
    /// What was refused is not in the audit.
    RefusalNotAudited,
    /// A repeated event makes another alert.
    RepeatIsAnotherAlert,
    /// A pending group that lasts is never looked at again.
    PendingForEver,
    /// An event below the threshold disappears without a word.
    BelowThresholdInSilence,
    /// A mute names no cause.
    MuteWithoutCause,
    /// The end of a silence wakes nobody.
    SilenceEndsUnnoticed,
    /// Whoever is being asked is asked on after somebody has acknowledged.
    ReachedAfterAnswer,
    /// An acknowledgement does not stop the escalation.
    AcknowledgedIsAskedOn,
    /// Who heard of an incident does not hear that it is over.
    EndNotTold,
    /// A restart forgets what sinks were told of groups.
    ToldLostOnRestart,
    /// A restart forgets what stands at receivers for groups.
    GroupThreadLostOnRestart,
    /// What stands at a receiver for a group goes on when the group fires again.
    GroupThreadNeverEnds,
    /// A restart forgets when groups began: they wait once more.
    GroupLostOnRestart,
    /// An alert of a group that is over is let go of before anybody hears that.
    OverLetGoUntold,
    /// What is over and told stays in its group.
    OverNeverLetGo,
    /// A group is looked at whenever something happens in it.
    GroupIntervalIgnored,
    /// What goes on is never said again.
    GroupNeverRepeated,
    /// The first word about an alert does not wait for what inhibits it.
    InhibitorNotWaitedFor,
    /// The first word of a group waits for each alert that comes meanwhile, and so for ever.
    FirstMomentPostponed,
    /// A group tells of what is muted as well.
    MutedInGroupTold,
    /// Nobody looks at the times at which a route is mute.
    MuteTimeIgnored,
    /// A route that says `continue` keeps what it takes.
    ContinueIgnored,
    /// A rule inhibits whatever the `equal` labels say.
    EqualIgnored,
    /// A refused notification of a group counts as told.
    RefusalCountsAsTold,
    /// Who wants no ends is told of them.
    UnwantedEndTold,
    /// What recurs keeps the hour that it had before clocks were put back.
    RecurrenceAnHourOff,
    /// A silence that recurs is over for good after its first time.
    RecursOnce,
    /// A silence ends for quiet although what it mutes fires.
    QuietWhileItFires,
    /// A silence never ends for quiet.
    NeverQuiet,
}

#[cfg(all(feature = "mutants", not(debug_assertions)))]
compile_error!("the feature `mutants` plants bugs; it is for tests and never for a release build");

#[cfg(feature = "mutants")]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Mutant>> = const { std::cell::Cell::new(None) };
}

/// Switches one bug on in this thread, or all off.
#[cfg(feature = "mutants")]
pub fn plant(mutant: Option<Mutant>) {
    PLANTED.set(mutant);
}

#[cfg(feature = "mutants")]
pub fn is(mutant: Mutant) -> bool {
    PLANTED.get() == Some(mutant)
}

#[cfg(not(feature = "mutants"))]
pub const fn is(_: Mutant) -> bool {
    false
}
