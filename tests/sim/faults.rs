//! What can go wrong and how often in this run. Each seed takes some kinds of trouble and leaves out
//! others: a run in which everything fails reaches less than many in which a few things do.

use tokio::sync::oneshot;
use watchbell::engine::input::Input;
use watchbell::engine::policy::NotifyBy;
use watchbell::model::Span;
use watchbell::runtime::driver::RowsNow;
use watchbell::runtime::inbox::Job;

use super::disk::Trouble;
use super::oracle::{Oracle, Violation};
use super::receivers::{MODES, Mode};
use super::world::World;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9` between two steps of anybody.
    Crash,
    /// `kill -9` before or after one of the next effects on the disk: between a step and its commit, between
    /// a commit and all that follows from it, within a recovery.
    CrashAtDisk,
    /// `kill -9` when what follows from a commit is handed over, and nobody has an answer.
    CrashUnheard,
    /// `kill -9`, and once more in the start that follows.
    CrashInStart,
    /// An orderly stop and a start.
    Stop,
    /// The machine is off for a while.
    Outage,
    Disk,
    /// A second process takes over while the first goes on, or such a first one writes.
    Usurper,
    /// Somebody sets the clock on the wall.
    ClockStep,
    Reload,
    /// A receiver begins to behave in another way.
    Receiver,
}

pub const ALL: [Fault; 11] = [
    Fault::Crash,
    Fault::CrashAtDisk,
    Fault::CrashUnheard,
    Fault::CrashInStart,
    Fault::Stop,
    Fault::Outage,
    Fault::Disk,
    Fault::Usurper,
    Fault::ClockStep,
    Fault::Reload,
    Fault::Receiver,
];

/// Sinks of all configurations that can misbehave; the last two hear of groups only.
pub const SINKS: [&str; 9] = [
    "ops/webhook",
    "ops/servicenow",
    "duty/webhook",
    "backup/webhook",
    "ada/app",
    "eve/app",
    "eve/sms",
    "team/webhook",
    "ops/second",
];
const SINKS_OF_INCIDENTS: usize = 7;

/// By how many seconds the clock on the wall is set; our own time never goes back (decision 0006).
const CLOCK_STEPS: [i64; 8] = [-86_400, -3_600, -60, -1, 1, 60, 3_600, 86_400];

/// The kinds of trouble of one run.
pub fn chosen(random: &mut fastrand::Rng) -> Vec<Fault> {
    ALL.into_iter().filter(|_| random.u32(..100) < 55).collect()
}

/// Lets one thing go wrong; says what.
///
/// # Errors
/// A promise that is broken at once.
pub fn strike(
    world: &mut World,
    oracle: &mut Oracle,
    fault: Fault,
    random: &mut fastrand::Rng,
) -> Result<String, Violation> {
    match fault {
        Fault::Crash => {
            world.crash();
            world.start();
        }
        Fault::CrashAtDisk => {
            let moments = random.u32(..8);
            world.disk.kill_after(moments);
            return Ok(format!("CrashAtDisk after {moments} moments"));
        }
        Fault::CrashUnheard => {
            let rows = if random.bool() { RowsNow::Yes } else { RowsNow::Later };
            world.crash_unheard(rows);
            world.start();
        }
        Fault::CrashInStart => {
            world.crash();
            let moments = random.u32(..8);
            world.disk.kill_after(moments);
            let is_up = world.start();
            return Ok(format!("CrashInStart after {moments} moments; is up: {is_up}"));
        }
        Fault::Stop => stop(world, oracle)?,
        Fault::Outage => {
            world.crash();
            let span = Span::from_secs(random.i64(1..1_500));
            world.pass(span);
            world.start();
            return Ok(format!("Outage of {}", span.human()));
        }
        Fault::Disk => {
            let trouble = [
                Trouble::Refused,
                Trouble::Refused,
                Trouble::Refused,
                Trouble::SyncLost,
                Trouble::SyncKept,
                Trouble::Unreadable,
            ];
            let trouble = trouble[random.usize(..trouble.len())];
            world.disk.break_next(trouble);
            return Ok(format!("Disk: {trouble:?}"));
        }
        Fault::Usurper if !world.deposed.is_empty() && random.bool() => {
            deposed_writes(world)?;
            return Ok("Usurper: the one before it writes".to_owned());
        }
        Fault::Usurper => world.usurp(),
        Fault::ClockStep => {
            let seconds = CLOCK_STEPS[random.usize(..CLOCK_STEPS.len())];
            world.clock.set_by(Span::from_secs(seconds));
            return Ok(format!("ClockStep of {seconds} s"));
        }
        Fault::Reload => {
            let index = random.usize(..world.configurations.len());
            world.reconfigure(&world.configurations[index]);
            return Ok(format!("Reload of configuration {index}"));
        }
        Fault::Receiver => {
            let sinks = if is_by_group(world) { &SINKS[..] } else { &SINKS[..SINKS_OF_INCIDENTS] };
            let (sink, mode) = (sinks[random.usize(..sinks.len())], MODES[random.usize(..MODES.len())]);
            world.receivers.set_mode(sink, mode);
            return Ok(format!("Receiver {sink} is {mode:?}"));
        }
    }
    Ok(format!("{fault:?}"))
}

fn is_by_group(world: &World) -> bool {
    world.configurations[0].policy.notify_by == NotifyBy::Group
}

/// Where people hear of groups a receiver may refuse from the start: dead letters are rare there, since a newer letter
/// follows soon.
pub fn refuse(world: &World, random: &mut fastrand::Rng) -> Option<String> {
    if !is_by_group(world) || random.bool() {
        return None;
    }
    let sink = random.choice(SINKS)?;
    world.receivers.set_mode(sink, Mode::Broken);
    Some(format!("Receiver {sink} refuses"))
}

/// What is due is still sent, then the last rows are written. Somebody loses patience in the end.
fn stop(world: &mut World, oracle: &mut Oracle) -> Result<(), Violation> {
    world.begin_stop();
    for _ in 0..40 {
        world.pass_control(4);
        oracle.check(world)?;
        if world.is_drained() {
            break;
        }
        world.cycle(RowsNow::Later);
        world.receivers.release();
        oracle.check(world)?;
    }
    world.finish();
    world.start();
    Ok(())
}

/// I6: whatever a deposed writer still wants to write, nothing of it takes effect.
pub fn deposed_writes(world: &mut World) -> Result<(), Violation> {
    let Some(mut deposed) = world.deposed.pop() else { return Ok(()) };
    let before = world.position();
    let mut is_refused = false;
    while deposed.stepped_count() > 0 {
        is_refused |= deposed.commit().is_err();
    }
    let (done, mut answer) = oneshot::channel();
    let payload = serde_json::to_vec(&Input::Tick).unwrap();
    let job = Job::Input { input: Box::new(Input::Tick), payload, source: None, done };
    is_refused |= deposed.cycle(vec![job], RowsNow::Yes).is_err();
    let after = world.position();
    if after != before || !is_refused || matches!(answer.try_recv(), Ok(Ok(_))) {
        let text = format!("a writer that was taken over from moved the journal from {before} to {after}");
        return Err(Violation::new("I6", text));
    }
    Ok(())
}
