//! `watchbell import`: the configuration that another system's comes to, as a file of ours. Never changes the file
//! that it reads and never overwrites one; secrets that stand in files stay there.
//!
//! ```text
//! $ watchbell import alertmanager /etc/alertmanager/alertmanager.yml -o /etc/watchbell/watchbell.yaml
//! note: 3 receivers with 5 sinks; `watchbell check --config /etc/watchbell/watchbell.yaml` judges it
//! ```

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

use super::check::write_problems;
use super::failure::{Failure, MISUSED, note, warn};
use super::output::{self, plural};
use crate::config::Problem;
use crate::config::alertmanager::{Exported, export};

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    pub system: System,
}

#[derive(Clone, Debug, clap::Subcommand)]
pub enum System {
    /// Prometheus Alertmanager's `alertmanager.yml`
    Alertmanager(Alertmanager),
}

#[derive(Clone, Debug, clap::Args)]
pub struct Alertmanager {
    /// The file to read
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The file to make, readable by its owner only; without it the result goes to stdout
    #[arg(short, long, value_name = "OUT")]
    pub out: Option<PathBuf>,
    /// Print what was made and what is wrong as JSON
    #[arg(long)]
    pub json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    file: &'a Path,
    out: Option<&'a Path>,
    problems: &'a [Problem],
    /// Keys of the new file that hold a secret themselves.
    inline_secrets: &'a [String],
    /// Absent when there are errors.
    yaml: Option<&'a str>,
}

/// # Errors
/// When the result cannot be written; a file that cannot be taken over is an exit code.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let System::Alertmanager(args) = &args.system;
    if let Some(out) = args.out.as_deref().filter(|out| out.exists()) {
        let failure = Failure::misuse(format!("`{}` is there already", out.display()));
        return Err(failure.hint("nothing is overwritten; name another file, or take that one away").into());
    }
    match export(&args.file) {
        Ok(exported) => finish(args, &exported),
        Err(problems) => refuse(args, &problems),
    }
}

fn refuse(args: &Alertmanager, problems: &[Problem]) -> anyhow::Result<ExitCode> {
    if args.json {
        output::json(&Report { file: &args.file, out: None, problems, inline_secrets: &[], yaml: None })?;
    } else {
        write_problems(problems, &mut anstream::stderr().lock())?;
    }
    Ok(ExitCode::from(MISUSED))
}

fn finish(args: &Alertmanager, exported: &Exported) -> anyhow::Result<ExitCode> {
    if let Some(out) = &args.out {
        write_new(out, &exported.yaml)?;
    }
    if args.json {
        output::json(&Report {
            file: &args.file,
            out: args.out.as_deref(),
            problems: &exported.warnings,
            inline_secrets: &exported.inline_secrets,
            yaml: Some(&exported.yaml),
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.out.is_none() {
        let mut stdout = anstream::stdout().lock();
        stdout.write_all(exported.yaml.as_bytes())?;
        stdout.flush()?;
    }
    write_problems(&exported.warnings, &mut anstream::stderr().lock())?;
    if !exported.inline_secrets.is_empty() {
        warn(secrets(&exported.inline_secrets));
    }
    let counts = format!("{} with {}", plural(exported.receivers, "receiver"), plural(exported.sinks, "sink"));
    match &args.out {
        Some(out) => note(format!("{counts}; `watchbell check --config {}` judges it", out.display())),
        None => note(counts),
    }
    Ok(ExitCode::SUCCESS)
}

/// Paths that a warning names.
const NAMED_MAX: usize = 5;

fn secrets(paths: &[String]) -> String {
    let named: Vec<String> = paths.iter().take(NAMED_MAX).map(|path| format!("`{}`", output::line(path))).collect();
    let more = paths.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(
        "{} in the new file as in the old one: {}{more}; a key that ends with `_file` names a file instead",
        if paths.len() == 1 { "a secret stands".to_owned() } else { format!("{} secrets stand", paths.len()) },
        named.join(", ")
    )
}

fn write_new(out: &Path, text: &str) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(out).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| Failure::new(format!("cannot write `{}`", out.display())).cause(error).into())
}
