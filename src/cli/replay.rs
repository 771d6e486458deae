//! `watchbell replay`: recorded traffic through the engine, for the question what it would have come to. Starts no
//! daemon and tells nobody anything.
//!
//! ```text
//! watchbell replay --events /var/backups/watchbell.db --out incidents.jsonl    as it was
//! watchbell replay --events last-month.jsonl --config now.yaml --compare new.yaml    what a new rule would change
//! ```

use indicatif::{ProgressBar, ProgressStyle};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::failure::{Failure, note};
use super::output;
use crate::app::environment;
use crate::config::{self, Problem};
use crate::engine::policy::Policy;
use crate::replay::compare::{Comparison, Difference, compare};
use crate::replay::player::Outcome;
use crate::replay::record::{self, Record};

/// Where the environment says which topology files there are.
const TOPOLOGY_VARIABLE: &str = "WATCHBELL__TOPOLOGY__FILES";

#[derive(Debug, clap::Args)]
pub struct Args {
    /// What is replayed: JSON Lines of normalized events (also as `.gz`), or a store or backup with its journal
    #[arg(long, value_name = "FILE")]
    pub events: PathBuf,
    /// Topology file in place of those that the configuration names
    #[arg(long, value_name = "FILE")]
    pub topology: Option<PathBuf>,
    /// Changes that were made meanwhile, JSON Lines as `/in/changes` takes them
    #[arg(long, value_name = "FILE")]
    pub changes: Option<PathBuf>,
    /// Configuration that decides; without one a journal is played under those that were in force
    #[arg(short, long = "config", value_name = "FILE")]
    pub config: Vec<PathBuf>,
    /// Write one line of JSON for each incident to this file, `-` for stdout
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Play once more under this configuration and say what would be different
    #[arg(long, value_name = "FILE")]
    pub compare: Option<PathBuf>,
    /// Print the summary or the comparison as JSON
    #[arg(long)]
    pub json: bool,
}

/// # Errors
/// When a file cannot be read or written, or the configuration does not fit.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut record = record::read(&args.events)?;
    if let Some(file) = &args.changes {
        record.add_changes(file)?;
    }
    let own = !args.config.is_empty() || args.topology.is_some();
    let policy = own.then(|| policy(&args.config, args.topology.as_deref())).transpose()?;
    let outcome = play(&record, policy.as_ref(), "playing");
    if let Some(out) = &args.out {
        write(out, &outcome)?;
    }
    match &args.compare {
        Some(file) => {
            let other = self::policy(std::slice::from_ref(file), args.topology.as_deref())?;
            let comparison = compare(&outcome, &play(&record, Some(&other), "once more"));
            show_comparison(&comparison, args.json)?;
        }
        None => summarize(args, &record, &outcome)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn play(record: &Record, policy: Option<&Policy>, message: &'static str) -> Outcome {
    let template = "{msg:9} [{bar:40}] {pos} of {len} inputs, {eta} left";
    // The template is a constant that can be read; otherwise the bar would only be plainer.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar =
        ProgressBar::new(record.inputs.len() as u64).with_style(style.progress_chars("=> ")).with_message(message);
    let outcome = crate::replay::run(record, policy, || bar.inc(1));
    bar.finish_and_clear();
    outcome
}

fn policy(files: &[PathBuf], topology: Option<&Path>) -> anyhow::Result<Policy> {
    let topology = topology.map(std::path::absolute).transpose()?;
    let topology = topology.map(|path| (TOPOLOGY_VARIABLE.to_owned(), path.display().to_string()));
    match config::load(files, environment().chain(topology)) {
        Ok(configuration) => Ok(configuration.policy),
        Err(problems) => {
            let first = problems.iter().find(|problem| !problem.is_warning).map(Problem::to_string);
            let failure = Failure::misuse("the configuration does not fit").cause(first.unwrap_or_default());
            Err(failure.hint("`watchbell check -c FILE` shows each problem with its line").into())
        }
    }
}

fn write(path: &Path, outcome: &Outcome) -> anyhow::Result<()> {
    let mut out: Box<dyn Write> = if path == Path::new("-") {
        Box::new(anstream::stdout().lock())
    } else {
        let file = std::fs::File::create(path)
            .map_err(|error| Failure::new(format!("cannot write `{}`", path.display())).cause(error))?;
        Box::new(std::io::BufWriter::new(file))
    };
    for incident in &outcome.incidents {
        serde_json::to_writer(&mut out, incident)?;
        writeln!(out)?;
    }
    out.flush()?;
    Ok(())
}

fn summarize(args: &Args, record: &Record, outcome: &Outcome) -> anyhow::Result<()> {
    let (inputs, incidents, pages) = (record.inputs.len(), outcome.incidents.len(), outcome.pages.len());
    if args.json && args.out.as_deref() != Some(Path::new("-")) {
        return output::json(&serde_json::json!({ "inputs": inputs, "incidents": incidents, "pages": pages }));
    }
    let text = [output::plural(inputs, "input"), output::plural(incidents, "incident"), output::plural(pages, "page")];
    note(text.join(", "));
    Ok(())
}

fn show_comparison(comparison: &Comparison, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        return output::json(comparison);
    }
    let mut stdout = anstream::stdout().lock();
    let (incidents, pages) = (comparison.incidents, comparison.pages);
    writeln!(stdout, "incidents  {} → {}", incidents.before, incidents.after)?;
    writeln!(stdout, "pages      {} → {}", pages.before, pages.after)?;
    if !comparison.differences.is_empty() {
        writeln!(stdout)?;
        output::table(&mut stdout, &table(&comparison.differences))?;
    }
    stdout.flush()?;
    Ok(())
}

fn table(differences: &[Difference]) -> Vec<Vec<String>> {
    let mut table = vec![["INCIDENT", "WHAT", "ROOT CAUSE", "PRIORITY", "ALERTS", "PAGES"].map(str::to_owned).to_vec()];
    let pair = |before: String, after: String| if before == after { before } else { format!("{before} → {after}") };
    for difference in differences {
        table.push(match difference {
            Difference::Gone { incident, root, alerts, pages } => {
                row(incident, "no longer", root.clone(), String::new(), alerts.to_string(), pages.to_string())
            }
            Difference::New { incident, root, alerts, pages } => {
                row(incident, "new", root.clone(), String::new(), alerts.to_string(), pages.to_string())
            }
            Difference::Changed { incident, priority, alerts, pages, root, .. } => row(
                incident,
                "changed",
                pair(root.before.clone(), root.after.clone()),
                pair(priority.before.to_string(), priority.after.to_string()),
                pair(alerts.before.to_string(), alerts.after.to_string()),
                pair(pages.before.to_string(), pages.after.to_string()),
            ),
        });
    }
    table
}

fn row(
    id: &crate::model::IncidentId,
    what: &str,
    root: String,
    priority: String,
    alerts: String,
    pages: String,
) -> Vec<String> {
    vec![id.to_string(), what.to_owned(), output::clipped(&root, 48), priority, alerts, pages]
}
