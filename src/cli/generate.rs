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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser, ValueEnum};

    #[derive(clap::Parser)]
    struct Typed {
        #[command(flatten)]
        args: Args,
    }

    const PAGE: &str = include_str!("../../docs/generate.md");

    fn parameters(typed: &[&str]) -> Parameters {
        Typed::parse_from(["generate", "--out", "x"].iter().chain(typed)).args.parameters()
    }

    /// Value of an option in the parameters, by the name that is typed.
    fn value(parameters: &Parameters, option: &str) -> Option<serde_json::Value> {
        let fields = serde_json::to_value(parameters).unwrap();
        let name = option.replace('-', "_");
        [name.clone(), format!("{name}_percent"), format!("{name}_s")].iter().find_map(|name| fields.get(name)).cloned()
    }

    #[test]
    fn what_is_typed_overrides_the_set_and_nothing_else() {
        assert_eq!(parameters(&[]), Parameters::of(Set::Busy));
        assert_eq!(parameters(&["--set", "storm"]), Parameters::of(Set::Storm));
        for option in Typed::command().get_arguments().filter_map(clap::Arg::get_long) {
            let before = Parameters::of(Set::Calm);
            let Some(default) = value(&before, option).filter(serde_json::Value::is_u64) else { continue };
            let other = default.as_u64().unwrap() + 7;
            let other = other.min(20).max(if option == "nodes" { 300 } else { 0 }).to_string();
            let after = parameters(&["--set", "calm", &format!("--{option}"), &other]);
            assert_eq!(value(&after, option), Some(other.parse::<u64>().unwrap().into()), "--{option}");
            let fields = |parameters| serde_json::to_value(parameters).unwrap().as_object().unwrap().clone();
            let (before, after) = (fields(before), fields(after));
            assert_eq!(before.iter().filter(|(name, value)| after[*name] != **value).count(), 1, "--{option}");
        }
        let kinds = parameters(&["--kind", "dns_failure", "--kind", "host_down", "--kind", "dns_failure"]).kinds;
        assert_eq!(kinds, [FaultKind::HostDown, FaultKind::DnsFailure]);
    }

    #[test]
    fn the_help_and_the_page_say_the_defaults_that_hold() {
        let sets = [Set::Calm, Set::Busy, Set::Storm].map(Parameters::of);
        let mut count = 0;
        for argument in Typed::command().get_arguments() {
            let Some(option) = argument.get_long() else { continue };
            let values: Vec<String> = sets
                .iter()
                .filter_map(|set| value(set, option))
                .filter(|value| value.is_u64())
                .map(|value| value.to_string())
                .collect();
            let [calm, busy, storm] = &values[..] else { continue };
            let row = format!("| `--{option}` | {calm} | {busy} | {storm} | ");
            assert!(PAGE.contains(&row), "docs/generate.md does not say `{row}`");
            let help = argument.get_help().unwrap().to_string();
            let same = format!("[default: {calm}]");
            let expected =
                if calm == storm { same } else { format!("[default: {calm} calm, {busy} busy, {storm} storm]") };
            assert!(option == "seed" || help.ends_with(&expected), "--{option}: {help}: {expected}");
            count += 1;
        }
        assert_eq!(count, 15);
    }

    #[test]
    fn the_page_describes_every_kind() {
        for kind in FaultKind::value_variants() {
            let help = kind.to_possible_value().unwrap();
            let help = help.get_help().unwrap().to_string();
            let row = PAGE.lines().find(|line| line.starts_with(&format!("| `{}` | ", kind.as_str())));
            assert!(row.is_some_and(|row| row.ends_with(&format!(" | {help} |"))), "{}", kind.as_str());
            assert_eq!(help.lines().count(), 1);
            assert_eq!(kind.to_possible_value().unwrap().get_name(), kind.as_str());
        }
    }
}
