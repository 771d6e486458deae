//! `watchbell check`: every problem of a configuration with its line. Reads only; never opens the
//! store or a connection, so that it can run before a start, before a reload and in a pipeline.
//!
//! ```text
//! error: unknown sink `slak` in `receivers.ops.sinks[0].kind`
//!   --> watchbell.yaml:14
//!   hint: did you mean `slack`? `watchbell integrations` lists all sinks
//! watchbell.yaml: 1 error
//! ```

use owo_colors::OwoColorize;
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::app::environment;
use crate::config::{self, Configuration, Problem};

#[derive(Clone, Debug, Default, clap::Args)]
pub struct Args {
    /// Configuration file; may be given several times, later files override earlier ones
    #[arg(short, long = "config", value_name = "FILE")]
    pub config: Vec<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Exit code of a configuration with errors.
const ERRORS: u8 = 2;

/// Checks the configuration that the daemon would run with.
///
/// # Errors
/// Only when the result cannot be written; a bad configuration is an exit code.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let result = config::load(&args.config, environment());
    let report = Report::of(&args.config, result);
    let mut stdout = anstream::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut stdout, &report)?;
        writeln!(stdout)?;
    } else {
        report.write(&mut stdout)?;
    }
    stdout.flush()?;
    Ok(if report.errors > 0 { ExitCode::from(ERRORS) } else { ExitCode::SUCCESS })
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    files: Vec<PathBuf>,
    errors: usize,
    warnings: usize,
    problems: Vec<Problem>,
    /// Absent when there are errors.
    contents: Option<Contents>,
}

#[derive(Serialize)]
struct Contents {
    sources: usize,
    receivers: usize,
    sinks: usize,
    services: usize,
    configuration_items: usize,
}

impl Report {
    fn of(files: &[PathBuf], result: Result<Configuration, Vec<Problem>>) -> Self {
        let (problems, contents) = match result {
            Ok(configuration) => {
                let contents = Contents {
                    sources: configuration.sources.len(),
                    receivers: configuration.policy.receivers.len(),
                    sinks: configuration.sinks.len(),
                    services: configuration.policy.services.len(),
                    configuration_items: configuration.policy.topology.nodes.len(),
                };
                (configuration.warnings, Some(contents))
            }
            Err(problems) => (problems, None),
        };
        let warnings = problems.iter().filter(|problem| problem.is_warning).count();
        Self { files: files.to_vec(), errors: problems.len() - warnings, warnings, problems, contents }
    }

    fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        write_problems(&self.problems, out)?;
        writeln!(out, "{}", self.summary())
    }

    fn summary(&self) -> String {
        let mut counts = Vec::new();
        if let Some(contents) = &self.contents {
            counts.push(plural(contents.sources, "source"));
            counts.push(plural(contents.receivers, "receiver"));
            counts.push(plural(contents.sinks, "sink"));
            for (count, what) in [(contents.services, "service"), (contents.configuration_items, "configuration item")]
            {
                if count > 0 {
                    counts.push(plural(count, what));
                }
            }
        } else {
            counts.push(plural(self.errors, "error"));
        }
        if self.warnings > 0 {
            counts.push(plural(self.warnings, "warning"));
        }
        let subject = match (&self.contents, self.files.as_slice()) {
            (Some(_), _) => "ok".to_owned(),
            (None, []) => "built-in configuration".to_owned(),
            (None, files) => files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", "),
        };
        format!("{subject}: {}", counts.join(", "))
    }
}

/// Each with its place and the way out.
pub(super) fn write_problems(problems: &[Problem], out: &mut impl Write) -> std::io::Result<()> {
    for problem in problems {
        if problem.is_warning {
            write!(out, "{}", "warning".yellow().bold())?;
        } else {
            write!(out, "{}", "error".red().bold())?;
        }
        writeln!(out, ": {}", problem.message)?;
        if let Some(place) = problem.place() {
            writeln!(out, "  {} {place}", "-->".blue())?;
        }
        if let Some(hint) = &problem.hint {
            writeln!(out, "  {}: {hint}", "hint".cyan())?;
        }
    }
    Ok(())
}

fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    /// What is printed for a file with that text, and the counts of errors and warnings.
    fn check(text: &str) -> (String, usize, usize) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("watchbell.yaml");
        std::fs::write(&file, text).unwrap();
        let files = [file];
        let report = Report::of(&files, config::load(&files, std::iter::empty()));
        let mut out = Vec::new();
        report.write(&mut out).unwrap();
        let out = anstream::adapter::strip_str(&String::from_utf8(out).unwrap()).to_string();
        (out.replace(&format!("{}/", folder.path().display()), ""), report.errors, report.warnings)
    }

    #[test]
    fn problems_come_with_place_and_hint_and_then_the_count() {
        let text = "sources:\n  a: { kind: zabbix }\nreceivers:\n  ops:\n    sinks: [{ kind: slak }]\nroute: { receiver: op }\n";
        let (out, errors, warnings) = check(text);
        assert_snapshot!(out, @r#"
warning: `sources.a` has no authentication: any program on this machine can send
  --> watchbell.yaml:2
  hint: add `token_file`, `user` with `password_file`, `hmac`, or `client_certificate`
error: unknown sink `slak` in `receivers.ops.sinks[0].kind`
  --> watchbell.yaml:5
  hint: did you mean `slack`? `watchbell integrations` lists all sinks
error: unknown receiver `op` in `route.receiver`
  --> watchbell.yaml:6
  hint: did you mean `ops`?
watchbell.yaml: 2 errors, 1 warning
"#);
        assert_eq!((errors, warnings), (2, 1));
    }

    #[test]
    fn a_sound_file_is_counted() {
        assert_snapshot!(check("sources: { a: { kind: generic, token: abcdef } }\nservices: { shop: {} }").0, @r#"
ok: 1 source, 1 receiver, 1 sink, 1 service
"#);
        assert_snapshot!(check("sources: { a: { kind: generic } }").0, @r#"
warning: `sources.a` has no authentication: any program on this machine can send
  --> watchbell.yaml:1
  hint: add `token_file`, `user` with `password_file`, `hmac`, or `client_certificate`
ok: 1 source, 1 receiver, 1 sink, 1 warning
"#);
    }

    #[test]
    fn without_files_the_built_in_configuration_is_meant() {
        let report = Report::of(&[], Err(vec![Problem::default()]));
        assert_eq!(report.summary(), "built-in configuration: 1 error");
    }

    #[test]
    fn json_has_the_same() {
        let file = PathBuf::from("watchbell.yaml");
        let problem = Problem {
            file: Some(file.clone()),
            line: Some(14),
            path: "listen".to_owned(),
            message: "unknown".to_owned(),
            ..Problem::default()
        };
        let report = Report::of(&[file], Err(vec![problem]));
        assert_snapshot!(serde_json::to_string(&report).unwrap(), @r#"
{"files":["watchbell.yaml"],"errors":1,"warnings":0,"problems":[{"is_warning":false,"file":"watchbell.yaml","line":14,"column":null,"path":"listen","message":"unknown","hint":null}],"contents":null}
"#);
    }
}
