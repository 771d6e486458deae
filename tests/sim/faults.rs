//! What can go wrong and how often in this run. Each seed takes some kinds of trouble and leaves out
//! others: a run in which everything fails reaches less than many in which a few things do.

use tokio::sync::oneshot;
use watchbell::engine::input::Input;
use watchbell::model::Span;
use watchbell::runtime::driver::RowsNow;
use watchbell::runtime::inbox::Job;

use super::disk::Trouble;
use super::installation;
use super::oracle::Violation;
use super::receivers::MODES;
use super::world::World;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Crash,
    /// The machine is off for a while.
    Outage,
    Disk,
    /// A second process takes over while the first goes on.
    Usurper,
    ClockStep,
    Reload,
    /// A receiver begins to behave in another way.
    Receiver,
}

pub const ALL: [Fault; 7] =
    [Fault::Crash, Fault::Outage, Fault::Disk, Fault::Usurper, Fault::ClockStep, Fault::Reload, Fault::Receiver];

/// Sinks of all configurations that can misbehave.
pub const SINKS: [&str; 4] = ["ops/webhook", "ops/servicenow", "duty/webhook", "backup/webhook"];

/// The kinds of trouble of one run.
pub fn chosen(random: &mut fastrand::Rng) -> Vec<Fault> {
    ALL.into_iter().filter(|_| random.u32(..100) < 55).collect()
}

/// Lets one thing go wrong; says what.
pub async fn strike(world: &mut World, fault: Fault, random: &mut fastrand::Rng) -> Result<String, Violation> {
    match fault {
        Fault::Crash => {
            world.crash().await;
            world.start();
        }
        Fault::Outage => {
            world.crash().await;
            let span = Span::from_secs(random.i64(1..1_500));
            world.pass(span).await;
            world.start();
            return Ok(format!("Outage of {}", span.human()));
        }
        Fault::Disk => {
            let trouble = [Trouble::Refused, Trouble::Refused, Trouble::SyncLost, Trouble::SyncKept];
            let trouble = trouble[random.usize(..trouble.len())];
            world.disk.break_next(trouble);
            return Ok(format!("Disk: {trouble:?}"));
        }
        Fault::Usurper => usurp(world).await?,
        Fault::ClockStep => {
            // Back by more than a second is the matter of `runtime/driver/tests/clock.rs`: our time then runs slower for days.
            let steps = [-1, 1, 60, 3_600, 86_400];
            let seconds = steps[random.usize(..steps.len())];
            world.clock.set_by(Span::from_secs(seconds));
            return Ok(format!("ClockStep of {seconds} s"));
        }
        Fault::Reload => {
            let index = random.usize(..installation::configurations().len());
            world.reconfigure(&installation::configurations()[index]);
            return Ok(format!("Reload of configuration {index}"));
        }
        Fault::Receiver => {
            let (sink, mode) = (SINKS[random.usize(..SINKS.len())], MODES[random.usize(..MODES.len())]);
            world.receivers.set_mode(sink, mode);
            return Ok(format!("Receiver {sink} is {mode:?}"));
        }
    }
    Ok(format!("{fault:?}"))
}

/// I6: whatever the deposed writer still wants to write, nothing of it takes effect.
async fn usurp(world: &mut World) -> Result<(), Violation> {
    world.disk.heal();
    let Some(mut deposed) = world.usurp().await else { return Ok(()) };
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
