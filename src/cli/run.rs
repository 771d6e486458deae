//! `watchbell run`: the daemon in the foreground, until a signal ends it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use super::demo::{self, Show, Stage};
use super::failure::Failure;
use super::store;
use crate::app::{self, Daemon, Loader, environment};
use crate::clock::Clock;
use crate::config::{self, Configuration, Problem};
use crate::telemetry::{DEFAULT_FILTER, LogFormat, init_logging};

#[derive(Clone, Debug, Default, clap::Args)]
pub struct Args {
    /// Configuration file; may be given several times, later files override earlier ones. Without one:
    /// loopback only, SQLite in the state directory, notifications to this terminal
    #[arg(short, long = "config", value_name = "FILE")]
    pub config: Vec<PathBuf>,
    /// Also replay a recorded outage and show what comes of it; configuration and data are temporary
    #[arg(long, conflicts_with = "config")]
    pub demo: bool,
    /// End once the demo has been shown instead of running on
    #[arg(long, requires = "demo")]
    pub exit_after_demo: bool,
    /// How fast to replay, 0.5 to 1000; 2 is twice as fast
    #[arg(long, requires = "demo", value_name = "FACTOR", default_value = "1", value_parser = demo::parse_speed)]
    pub demo_speed: f64,
}

/// # Errors
/// When the daemon cannot start, had to stop by itself, or the demo did not come out as it must.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let format = LogFormat::from_environment()?;
    if args.demo {
        init_logging(format, demo::LOG_FILTER)?;
        let stage = Stage::new()?;
        return start(stage.load()?, app::files(vec![stage.file()]), Some((&stage, &args)));
    }
    init_logging(format, DEFAULT_FILTER)?;
    let configuration = config::load(&args.config, environment())
        .map_err(|problems| refused(&problems, "`watchbell check` shows each with its line"))?;
    start(configuration, app::files(args.config), None)
}

/// Logs each problem, and is the failure that comes of them.
pub(super) fn refused(problems: &[Problem], hint: &'static str) -> Failure {
    let (warnings, errors): (Vec<_>, Vec<_>) = problems.iter().partition(|problem| problem.is_warning);
    warnings.iter().chain(&errors).for_each(|problem| problem.log());
    let plural = if errors.len() == 1 { "" } else { "s" };
    Failure::misuse(format!("the configuration has {} error{plural}", errors.len())).hint(hint)
}

pub(super) fn start(
    configuration: Configuration,
    loader: Loader,
    demo: Option<(&Stage, &Args)>,
) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(serve(configuration, loader, demo));
    if result.is_err() {
        // The last connection to close would move the log into the file. After a sync that failed the log
        // itself may not be on the disk, which the next start sees to first.
        std::mem::forget(runtime);
    }
    result
}

async fn serve(
    configuration: Configuration,
    loader: Loader,
    demo: Option<(&Stage, &Args)>,
) -> anyhow::Result<ExitCode> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut daemon = Daemon::start(configuration, loader).await.map_err(store::with_way_out)?;
    let mut show = pin!(show(demo, daemon.address));
    let mut is_showing = demo.is_some();
    let ends_after = demo.is_some_and(|(_, args)| args.exit_after_demo);
    let result = loop {
        tokio::select! {
            _ = hangup.recv() => drop(daemon.reload().await), // The reloader has logged what came of it.
            _ = terminate.recv() => break Ok(()),
            _ = interrupt.recv() => break Ok(()),
            error = daemon.failed() => return Err(store::with_way_out(error)),
            shown = &mut show, if is_showing => {
                is_showing = false;
                if shown.is_err() || ends_after {
                    break shown.context("the demo failed");
                }
            }
        }
    };
    daemon.stop().await;
    result.map(|()| ExitCode::SUCCESS)
}

async fn show(demo: Option<(&Stage, &Args)>, address: SocketAddr) -> anyhow::Result<()> {
    let Some((stage, args)) = demo else { return Ok(()) };
    let show = Show {
        base_url: format!("http://{address}"),
        configuration: stage.file(),
        clock: Clock::System,
        speed: args.demo_speed,
        stays: !args.exit_after_demo,
    };
    demo::play(&show, &mut anstream::stderr()).await
}
