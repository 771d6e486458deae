//! `watchbell check`: every problem of a configuration with its line. Reads only; never opens the
//! store or a connection, so that it can run before a start, before a reload and in a pipeline.
//!
//! ```text
//! error: unknown sink `slak` in `receivers.ops.sinks[0].kind`
//!   --> watchbell.yaml:14
//!   hint: did you mean `slack`? `watchbell integrations` lists all sinks
//! watchbell.yaml: 1 error
//! ```
//!
//! With `--alerts` it says where those would go: against what is expected of each, or which part of the configuration
//! none of them uses.

mod coverage;
mod expectations;
mod gaps;

use owo_colors::OwoColorize;
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use self::coverage::Gaps;
use self::expectations::Tested;
use super::failure::FAILED;
use super::trial;
use super::trial::samples::{Reader, Samples};
use crate::clock::Clock;
use crate::config::{Configuration, Problem};
use crate::replay::coverage::Covered;

#[derive(Clone, Debug, Default, clap::Args)]
pub struct Args {
    /// Configuration file; may be given several times, later files override earlier ones
    #[arg(short, long = "config", value_name = "FILE")]
    pub config: Vec<PathBuf>,
    /// An Alertmanager's configuration instead
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    pub alertmanager: Option<PathBuf>,
    /// Alerts that are tried: tests with expectations, or recorded ones for what they use
    #[arg(long, value_name = "FILE")]
    pub alerts: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Exit code of a configuration with errors.
const ERRORS: u8 = 2;

/// Checks the configuration that the daemon would run with.
///
/// # Errors
/// When the alerts cannot be read or the result cannot be written; a bad configuration is an exit code.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut result = trial::read(&args.config, args.alertmanager.as_deref());
    if let Ok(configuration) = &mut result {
        configuration.warnings.extend(gaps::warnings(&configuration.policy, Clock::System.now()));
    }
    let tried = match (&result, &args.alerts) {
        (Ok(configuration), Some(alerts)) => Some(try_alerts(alerts, configuration)?),
        _ => None,
    };
    let files = args.alertmanager.map_or(args.config, |file| vec![file]);
    let report = Report { tried, ..Report::of(&files, result) };
    let mut stdout = anstream::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut stdout, &report)?;
        writeln!(stdout)?;
    } else {
        report.write(&mut stdout)?;
        if let (Some(tried), Some(alerts)) = (&report.tried, &args.alerts) {
            tried.write(alerts, &mut stdout)?;
        }
    }
    stdout.flush()?;
    let has_failed = matches!(&report.tried, Some(Tried::Tests(tested)) if tested.failed > 0);
    Ok(match report.errors {
        0 if has_failed => ExitCode::from(FAILED),
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(ERRORS),
    })
}

/// What alerts came to.
#[derive(Serialize)]
#[serde(untagged)]
enum Tried {
    Tests(Tested),
    Coverage { covered: Box<Covered>, unused: Gaps },
}

/// Tests where anything is expected, otherwise what of the configuration the alerts use.
fn try_alerts(file: &Path, configuration: &Configuration) -> anyhow::Result<Tried> {
    let (reader, now) = (Reader::of(configuration)?, Clock::System.now());
    let covered = match reader.file(file, now)? {
        Samples::Tests(tests) => {
            if tests.iter().flat_map(|test| &test.alerts).any(|sample| sample.expect.is_some()) {
                return Ok(Tried::Tests(expectations::test(&tests, configuration, &reader, file, now)?));
            }
            coverage::of_tests(&tests, configuration, &reader, file, now)?
        }
        Samples::Alerts(alerts) => coverage::of_alerts(&alerts, configuration, now),
        Samples::Record => coverage::of_record(file, configuration)?,
    };
    let unused = Gaps::of(&covered.coverage);
    Ok(Tried::Coverage { covered: Box::new(covered), unused })
}

impl Tried {
    fn write(&self, file: &Path, out: &mut impl Write) -> std::io::Result<()> {
        match self {
            Self::Tests(tested) => {
                tested.write(file, out)?;
                writeln!(out, "{}", tested.summary())
            }
            Self::Coverage { covered, unused } => unused.write(covered, out),
        }
    }
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
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    tried: Option<Tried>,
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
        Self { files: files.to_vec(), errors: problems.len() - warnings, warnings, problems, contents, tried: None }
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
    use crate::config;
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
    fn what_nothing_reaches_is_a_warning() {
        let text = r#"
sources: { a: { kind: generic, token: abcdef } }
receivers:
  ops: { sinks: [{ kind: log }] }
  dba: { sinks: [{ kind: log }], fallback: spare }
  spare: { sinks: [{ kind: log }] }
  lost: { sinks: [{ kind: log }], fallback: hidden }
  hidden: { sinks: [{ kind: log }] }
  asked: { sinks: [{ kind: log }] }
  called: { sinks: [{ kind: log }] }
schedules: { on: { starts_at: 2026-11-21T05:00:00Z, shift: 1d, rotation: [called] } }
escalation_policies: { up: { levels: [{ after: 5m, receivers: [asked], schedules: [on] }] } }
route:
  receiver: ops
  routes:
    - { matchers: ['site="fra1"'] }
    - matchers: ['team="db"']
      routes:
        - { matchers: ['a="1"', 'b="2"'], continue: true }
        - { matchers: ['b="2"'], receiver: dba, escalation_policy: up }
        - { matchers: ['c="3"', 'b="2"'] }
        - { matchers: ['b="3"'] }
    - { matchers: ['team="db"'] }
"#;
        assert_snapshot!(check(text).0, @r#"
        warning: no route leads to the receiver `lost`
          --> watchbell.yaml:7
        warning: no route leads to the receiver `hidden`
          --> watchbell.yaml:8
        warning: `route.routes[1].routes[2]` is never reached: `route.routes[1].routes[1]` takes all that it would
          --> watchbell.yaml:21
          hint: the narrower of two routes comes first, or the first one has `continue: true`
        warning: `route.routes[2]` is never reached: `route.routes[1]` takes all that it would
          --> watchbell.yaml:23
          hint: the narrower of two routes comes first, or the first one has `continue: true`
        ok: 1 source, 8 receivers, 8 sinks, 4 warnings
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
