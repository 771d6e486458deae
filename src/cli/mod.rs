//! The command line; one file for each command. Decides what is a command and how it is called; what a
//! command does is its own file's matter. stdout is data, stderr is talk.
//!
//! ```text
//! watchbell incidents --json | jq '.items[].id'
//! ```

pub mod ack;
pub mod act;
pub mod alertmanager;
pub mod alerts;
pub mod assign;
pub mod audit;
pub mod backup;
pub mod changes;
pub mod check;
pub mod client;
pub mod comment;
pub mod common;
pub mod confirm_root_cause;
pub mod deliveries;
pub mod demo;
pub mod evaluate;
pub mod explain;
pub mod failure;
pub mod generate;
pub mod heartbeats;
pub mod import;
pub mod incidents;
pub mod integrations;
pub mod learning;
pub mod on_call;
pub mod output;
pub mod r#override;
pub mod problem;
pub mod problems;
pub mod redrive;
pub mod replay;
pub mod resolve;
pub mod restore;
pub mod run;
pub mod schedule;
pub mod send;
pub mod silence;
pub mod silences;
pub mod split;
pub mod store;
pub mod swap;
pub mod test_route;
pub mod test_sink;
pub mod topology;
pub mod trial;

use std::process::ExitCode;

/// Stands between monitoring and people: rings once, for the root cause, and never loses a bell
#[derive(Debug, clap::Parser)]
#[command(name = "watchbell", version, about, arg_required_else_help = true, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Start the daemon
    Run(run::Args),
    /// Start the daemon in an Alertmanager's place, with its flags and its alertmanager.yml
    Alertmanager(Box<alertmanager::Args>),
    /// Report every problem of a configuration, each with its line
    Check(check::Args),
    /// List what fires, or what fired at a time with what muted it and who was told
    Alerts(alerts::Args),
    /// List incidents
    Incidents(incidents::Args),
    /// Say why something paged you, or did not
    Explain(explain::Args),
    /// Acknowledge incidents: you have them, escalation stops
    #[command(visible_alias = "acknowledge")]
    Ack(ack::Args),
    /// Resolve incidents: the service is back, whatever the monitors still say
    Resolve(resolve::Args),
    /// Give an incident to a person or a team
    Assign(assign::Args),
    /// Add words to an incident's timeline
    Comment(comment::Args),
    /// Say which item was the cause; the ranking leaves it alone from then on
    ConfirmRootCause(confirm_root_cause::Args),
    /// Say that alerts of an incident are another fault: they become an incident of their own
    Split(split::Args),
    /// Say what confirmed causes have taught and whether it helps, and forget one
    Learning(learning::Args),
    /// Keep people from hearing about what matches, for a time
    Silence(silence::Args),
    /// List what is silenced, now or later
    Silences(silences::Args),
    /// Say who is on call, now or at another time
    OnCall(on_call::Args),
    /// Show the shifts of a schedule, and the times with nobody
    Schedule(schedule::Args),
    /// Put somebody on call instead of whoever has the turn, or take that back
    Override(r#override::Args),
    /// Have two people exchange shifts
    Swap(swap::Args),
    /// List the heartbeats that are expected, and which are missing
    Heartbeats(heartbeats::Args),
    /// List problems: what keeps failing
    Problems(problems::Args),
    /// Work on a problem: accept it, say what the cause is and what to do meanwhile, resolve it
    Problem(problem::Args),
    /// List what was altered lately: deployments, flags, planned work
    Changes(changes::Args),
    /// Say what depends on what and who told it, and push what a CMDB knows
    Topology(topology::Args),
    /// List deliveries: what went where, what waits, what was given up
    Deliveries(deliveries::Args),
    /// Send what was given up once more
    Redrive(redrive::Args),
    /// Who changed what, and whether that record is as it was written
    Audit(audit::Args),
    /// Hand a monitor's notification or own events to the daemon, and keep them while it is away
    Send(send::Args),
    /// Judge grouping and root causes on alerts whose failures are known
    Evaluate(evaluate::Args),
    /// Write the configuration that another system's comes to
    Import(import::Args),
    /// Say where alerts would go, with every reason, without a daemon
    TestRoute(test_route::Args),
    /// Try one configured sink with a sample notification
    TestSink(test_sink::Args),
    /// List every source and sink, and how to set each up
    Integrations(integrations::Args),
    /// Play recorded events once more, and say what another configuration would have made of them
    Replay(replay::Args),
    /// Make a labelled alert stream to try and measure the engine on
    Generate(generate::Args),
    /// Copy the store while the daemon goes on
    Backup(backup::Args),
    /// Put a copy of the store in its place
    Restore(restore::Args),
}

/// The exit code of words that cannot be read; where an Alertmanager is expected it is Alertmanager's.
pub fn code_of_misuse(error: &clap::Error) -> ExitCode {
    let is_alertmanager = std::env::args_os().nth(1).is_some_and(|command| command == "alertmanager");
    match (error.use_stderr(), is_alertmanager) {
        (false, _) => ExitCode::SUCCESS,
        (true, true) => ExitCode::from(failure::FAILED),
        (true, false) => ExitCode::from(failure::MISUSED),
    }
}

/// Carries out what was typed.
///
/// # Errors
/// What made the command fail; [`failure::report`] renders it and knows its exit code.
pub fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Run(args) => run::run(args),
        Command::Alertmanager(args) => alertmanager::run(&args),
        Command::Check(args) => check::run(args),
        Command::Alerts(args) => alerts::run(&args),
        Command::Incidents(args) => incidents::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Ack(args) => ack::run(&args),
        Command::Resolve(args) => resolve::run(&args),
        Command::Assign(args) => assign::run(&args),
        Command::Comment(args) => comment::run(&args),
        Command::ConfirmRootCause(args) => confirm_root_cause::run(&args),
        Command::Split(args) => split::run(&args),
        Command::Learning(args) => learning::run(&args),
        Command::Silence(args) => silence::run(&args),
        Command::Silences(args) => silences::run(&args),
        Command::OnCall(args) => on_call::run(&args),
        Command::Schedule(args) => schedule::run(&args),
        Command::Override(args) => r#override::run(&args),
        Command::Swap(args) => swap::run(&args),
        Command::Heartbeats(args) => heartbeats::run(&args),
        Command::Problems(args) => problems::run(&args),
        Command::Problem(args) => problem::run(&args),
        Command::Changes(args) => changes::run(&args),
        Command::Topology(args) => topology::run(&args),
        Command::Deliveries(args) => deliveries::run(&args),
        Command::Redrive(args) => redrive::run(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Send(args) => send::run(args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Import(args) => import::run(&args),
        Command::TestRoute(args) => test_route::run(&args),
        Command::TestSink(args) => test_sink::run(args),
        Command::Integrations(args) => integrations::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Generate(args) => generate::run(&args),
        Command::Backup(args) => backup::run(&args),
        Command::Restore(args) => restore::run(&args),
    }
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
