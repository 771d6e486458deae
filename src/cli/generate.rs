//! `watchbell generate`: a labelled alert stream out of a seed, to try and measure the engine on. Reads what
//! was typed and says what came out; the stream is made in `generate/`.
//!
//! ```text
//! $ watchbell generate --out streams/busy --set busy --seed 7
//! ```

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};

use super::failure::Failure;
use super::output;
use crate::generate::{self, FaultKind, GenerateError, Parameters, Set, Summary, write};

/// Percentages of what may not be everything.
fn share() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(0..=i64::from(Parameters::PERCENT_MAX))
}

fn percent() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(0..=100)
}

fn from_to(low: u32, high: u32) -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(i64::from(low)..=i64::from(high))
}

/// Make a labelled alert stream to try and measure correlation and root cause on
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Directory to make; has to be empty
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Write into a directory that is not empty, over the files of an earlier stream
    #[arg(long)]
    pub force: bool,
    /// The same seed and options give the same bytes
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Usual choices for everything below
    #[arg(long, value_name = "SET", default_value = "busy")]
    pub set: Set,
    /// Nodes of the topology [default: 2400]
    #[arg(long, value_name = "N", value_parser = from_to(Parameters::NODES_MIN, Parameters::NODES_MAX))]
    pub nodes: Option<u32>,
    /// Failures [default: 200]
    #[arg(long, value_name = "N", value_parser = from_to(1, Parameters::FAULTS_MAX))]
    pub faults: Option<u32>,
    /// Only faults of this kind; may be given several times
    #[arg(long = "kind", value_name = "KIND")]
    pub kinds: Vec<FaultKind>,
    /// Length of the stream [default: 336 calm, 168 busy, 72 storm]
    #[arg(long, value_name = "N", value_parser = from_to(1, Parameters::HOURS_MAX))]
    pub hours: Option<u32>,
    /// Failures at the same time, at most [default: 1 calm, 3 busy, 20 storm]
    #[arg(long, value_name = "N", value_parser = from_to(1, Parameters::CONCURRENT_MAX))]
    pub concurrent: Option<u32>,
    /// Failures that come again and again at the same few roots [default: 25]
    #[arg(long, value_name = "PERCENT", value_parser = percent())]
    pub recurring: Option<u32>,
    /// Failures whose root sends nothing although it is monitored [default: 3 calm, 5 busy, 8 storm]
    #[arg(long, value_name = "PERCENT", value_parser = percent())]
    pub silent_roots: Option<u32>,
    /// Alerts of failures that never arrive [default: 3 calm, 10 busy, 20 storm]
    #[arg(long, value_name = "PERCENT", value_parser = share())]
    pub missed: Option<u32>,
    /// Alerts that arrive minutes late [default: 1 calm, 3 busy, 10 storm]
    #[arg(long, value_name = "PERCENT", value_parser = percent())]
    pub late: Option<u32>,
    /// How far a monitor's clock is ahead or behind, at most [default: 1 calm, 5 busy, 20 storm]
    #[arg(long, value_name = "SECONDS", value_parser = from_to(0, Parameters::SKEW_MAX_S))]
    pub skew: Option<u32>,
    /// Noise among all alerts [default: 15 calm, 35 busy, 50 storm]
    #[arg(long, value_name = "PERCENT", value_parser = share())]
    pub noise: Option<u32>,
    /// Services that alert at the least disturbance [default: 1 calm, 3 busy, 6 storm]
    #[arg(long, value_name = "PERCENT", value_parser = percent())]
    pub chronic: Option<u32>,
    /// Changes that cause nothing, for each failure [default: 1 calm, 3 busy, 6 storm]
    #[arg(long, value_name = "N", value_parser = from_to(0, Parameters::DECOYS_MAX))]
    pub decoys: Option<u32>,
    /// True edges that the topology lacks [default: 1 calm, 5 busy, 12 storm]
    #[arg(long, value_name = "PERCENT", value_parser = percent())]
    pub missing_edges: Option<u32>,
    /// Edges of the topology that do not exist [default: 0 calm, 2 busy, 5 storm]
    #[arg(long, value_name = "PERCENT", value_parser = percent())]
    pub wrong_edges: Option<u32>,
    /// Print what was made as JSON
    #[arg(long)]
    pub json: bool,
}

impl Args {
    /// The set, with what was typed in its place.
    pub fn parameters(&self) -> Parameters {
        let set = Parameters::of(self.set);
        let mut kinds = if self.kinds.is_empty() { set.kinds } else { self.kinds.clone() };
        kinds.sort();
        kinds.dedup();
        Parameters {
            seed: self.seed,
            set: self.set,
            nodes: self.nodes.unwrap_or(set.nodes),
            faults: self.faults.unwrap_or(set.faults),
            kinds,
            hours: self.hours.unwrap_or(set.hours),
            concurrent: self.concurrent.unwrap_or(set.concurrent),
            recurring_percent: self.recurring.unwrap_or(set.recurring_percent),
            silent_roots_percent: self.silent_roots.unwrap_or(set.silent_roots_percent),
            missed_percent: self.missed.unwrap_or(set.missed_percent),
            late_percent: self.late.unwrap_or(set.late_percent),
            skew_s: self.skew.unwrap_or(set.skew_s),
            noise_percent: self.noise.unwrap_or(set.noise_percent),
            chronic_percent: self.chronic.unwrap_or(set.chronic_percent),
            decoys: self.decoys.unwrap_or(set.decoys),
            missing_edges_percent: self.missing_edges.unwrap_or(set.missing_edges_percent),
            wrong_edges_percent: self.wrong_edges.unwrap_or(set.wrong_edges_percent),
        }
    }
}

/// # Errors
/// When the options do not fit together, the directory is not empty, or a file cannot be written.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    write::check_free(&args.out, args.force).map_err(with_way_out)?;
    let bar = progress_bar();
    let generated = generate::generate(&args.parameters(), &mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let generated = generated.map_err(with_way_out)?;
    write::write(&args.out, &generated)?;
    let summary = &generated.description.summary;
    if args.json {
        output::json(summary)?;
    } else {
        tell(&mut anstream::stderr().lock(), args, summary)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// For people on stderr; without a terminal nothing is drawn.
fn progress_bar() -> ProgressBar {
    let template = "{msg:8} [{bar:40}] {pos} of {len} failures, {eta} left";
    // The template is a constant that can be read; otherwise the bar would only be plainer.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style.progress_chars("=> ")).with_message("breaking")
}

fn with_way_out(error: GenerateError) -> anyhow::Error {
    let hint = match &error {
        GenerateError::TooShort { hours, .. } => {
            format!("`--hours {hours}` is long enough; a higher `--concurrent` or fewer `--faults` need less time")
        }
        GenerateError::NoRoot { .. } => "more `--nodes`, or other kinds with `--kind`".to_owned(),
        GenerateError::NotEmpty { .. } => "name another directory, or write over it with `--force`".to_owned(),
        GenerateError::Write { .. } => return error.into(),
    };
    Failure::misuse(error.to_string()).hint(hint).into()
}

fn tell(out: &mut impl Write, args: &Args, summary: &Summary) -> std::io::Result<()> {
    let Summary { nodes, edges, missing_edges, wrong_edges, .. } = summary;
    let Summary { failures, silent_failures, recurring_failures, alerts, noise_alerts, .. } = summary;
    let Summary { changes, guilty_changes, failures_by_kind, .. } = summary;
    let percent = summary.noise_percent();
    writeln!(out, "{}: seed {}", args.out.display(), args.seed)?;
    writeln!(out, "  topology  {nodes} nodes, {edges} edges ({missing_edges} missing, {wrong_edges} wrong)")?;
    writeln!(out, "  failures  {failures} ({silent_failures} with a silent root, {recurring_failures} recurring)")?;
    for (kind, count) in failures_by_kind {
        writeln!(out, "            {count:>4} {kind}")?;
    }
    writeln!(out, "  alerts    {alerts} ({noise_alerts} noise, {percent}%)")?;
    writeln!(out, "  changes   {changes} ({guilty_changes} caused a failure)")
}
