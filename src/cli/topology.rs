//! `watchbell topology`: who told what of the items and their dependencies, what is around one of them, and
//! pushing what a CMDB knows. Decides how that is typed and told; which topology is sound is decided in
//! `model/topology.rs`, what becomes of it in the engine.
//!
//! ```text
//! watchbell topology show web1 --hops 2
//! watchbell topology put cmdb export.json
//! ```

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Deserialize;

use super::common::{Common, hint_where_unknown};
use super::failure::{Failure, note};
use super::output;
use crate::clock::Clock;
use crate::config::{Problem, read_topology};
use crate::engine::origins;
use crate::engine::survey::{ItemView, OriginSummary, Overview};
use crate::engine::topology::Kinship;
use crate::model::Timestamp;
use crate::model::topology::TopologyFile;

/// Faults of a file that are printed.
const FAULTS_MAX: usize = 20;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    pub action: Option<Action>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Tell what is known of an item, what it depends on and what depends on it
    Show {
        /// The item's name, or another name that monitors use for it
        #[arg(value_name = "ITEM")]
        item: String,
        /// Steps along dependencies
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=3))]
        hops: u8,
        #[command(flatten)]
        common: Common,
    },
    /// Put everything that an origin knows in the place of what it knew before
    Put {
        /// Who knows it: `cmdb`, `zabbix/prod`
        #[arg(value_name = "ORIGIN")]
        origin: String,
        /// Topology file, JSON or YAML; `-` reads it from stdin
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// Remove an origin and everything that only it knew
    Remove {
        #[arg(value_name = "ORIGIN")]
        origin: String,
        #[command(flatten)]
        common: Common,
    },
}

/// # Errors
/// When a file does not fit, the daemon cannot be reached or refuses.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.action {
        None => summary(&args.common),
        Some(Action::Show { item, hops, common }) => show(item, *hops, common),
        Some(Action::Put { origin, file, common }) => put(origin, file, common),
        Some(Action::Remove { origin, common }) => remove(origin, common),
    }
}

fn summary(common: &Common) -> anyhow::Result<ExitCode> {
    let answer = common.client()?.get(&["topology"], &[])?;
    common.show(answer, |overview: Overview| tell_origins(&overview))
}

fn tell_origins(overview: &Overview) -> anyhow::Result<()> {
    if !overview.origins.is_empty() {
        let mut stdout = anstream::stdout().lock();
        output::table(&mut stdout, &origins_table(&overview.origins, Clock::System.now()))?;
        stdout.flush()?;
    }
    for cycle in &overview.cycles {
        note(format!("items depend on each other in a circle: {}", output::line(&cycle.join(" -> "))));
    }
    let more = overview.cycle_count - overview.cycles.len().min(overview.cycle_count);
    if more > 0 {
        note(format!("{} more", output::plural(more, "such circle")));
    }
    note(next_step(overview));
    Ok(())
}

fn origins_table(origins: &[OriginSummary], now: Timestamp) -> Vec<Vec<String>> {
    let mut rows = vec![["ORIGIN", "ITEMS", "DEPENDENCIES", "VERSION", "CHANGED", "BY"].map(str::to_owned).to_vec()];
    for origin in origins {
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        rows.push(vec![
            output::line(&origin.name),
            origin.node_count.to_string(),
            origin.edge_count.to_string(),
            or_none(origin.version.map(|version| version.to_string())),
            or_none(origin.changed_at.map(|at| output::age(now, at))),
            or_none(origin.by.as_deref().map(|by| output::clipped(by, 24))),
        ]);
    }
    rows
}

fn next_step(overview: &Overview) -> String {
    if overview.origins.is_empty() {
        return "no topology is known; `topology.files` in the configuration names files, \
                `watchbell topology put ORIGIN FILE` pushes one"
            .to_owned();
    }
    format!(
        "version {}: {} and {} together; `watchbell topology show ITEM` says what is around one",
        overview.version,
        output::plural(overview.node_count, "item"),
        dependencies(overview.edge_count)
    )
}

fn dependencies(count: usize) -> String {
    if count == 1 { "1 dependency".to_owned() } else { format!("{count} dependencies") }
}

fn show(item: &str, hops: u8, common: &Common) -> anyhow::Result<ExitCode> {
    let steps = hops.to_string();
    let answer = common.client()?.get(&["topology", "items", item], &[("hops", &steps)]);
    let answer = answer.map_err(|error| hint_where_unknown(error, "`watchbell topology` says who told how much"))?;
    common.show(answer, |view: ItemView| tell_item(&view))
}

fn tell_item(view: &ItemView) -> anyhow::Result<()> {
    let mut stdout = anstream::stdout().lock();
    describe(&mut stdout, view)?;
    stdout.flush()?;
    if view.is_cut {
        note("more is around it than is shown");
    }
    if !view.is_described {
        note("no origin describes it; it is known as an end of dependencies");
    }
    Ok(())
}

fn describe(out: &mut impl Write, view: &ItemView) -> io::Result<()> {
    let item = &view.item;
    writeln!(out, "{}", output::line(&item.id))?;
    let tier = item.tier.map(|tier| tier.to_string());
    let labels: Vec<String> = item.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let joined = |all: &[String]| (!all.is_empty()).then(|| all.join(", "));
    let facts = [
        ("kind", item.kind.clone()),
        ("service", item.service.clone()),
        ("tier", tier),
        ("owner", item.owner.clone()),
        ("labels", joined(&labels)),
        ("aliases", joined(&item.aliases)),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            writeln!(out, "  {name:<10}{}", output::line(&value))?;
        }
    }
    for (kinship, title) in [(Kinship::Dependency, "depends on"), (Kinship::Dependant, "needed by")] {
        let mut of_kind = view.near.iter().filter(|near| near.kinship == kinship).peekable();
        if of_kind.peek().is_some() {
            writeln!(out, "\n{title}")?;
        }
        for near in of_kind {
            writeln!(out, "  {}  {}", near.distance, output::line(&near.item))?;
        }
    }
    Ok(())
}

fn put(origin: &str, file: &Path, common: &Common) -> anyhow::Result<ExitCode> {
    // Checked here too, so that a slip is answered without a daemon and with the exit code for usage.
    origins::check_name(origin).map_err(|fault| Failure::misuse(fault.to_string()))?;
    let topology = read(file)?;
    let answer = common.client()?.put(&["topology", "origins", origin], &topology)?;
    common.finish(answer, |kept: Kept| {
        let size = format!("{} and {}", output::plural(kept.node_count, "item"), dependencies(kept.edge_count));
        match kept.is_changed {
            true => format!("{origin} tells {size}; the topology is at version {}", kept.version),
            false => format!("{origin} told the same {size} before; nothing changed"),
        }
    })
}

fn remove(origin: &str, common: &Common) -> anyhow::Result<ExitCode> {
    origins::check_name(origin).map_err(|fault| Failure::misuse(fault.to_string()))?;
    let answer = common.client()?.delete(&["topology", "origins", origin]);
    let answer = answer.map_err(|error| hint_where_unknown(error, "`watchbell topology` lists the origins"))?;
    common.finish(answer, |kept: Kept| format!("{origin} is removed; the topology is at version {}", kept.version))
}

/// What the daemon says of an origin after a change.
#[derive(Deserialize)]
struct Kept {
    version: u64,
    node_count: usize,
    edge_count: usize,
    is_changed: bool,
}

fn read(file: &Path) -> Result<TopologyFile, Failure> {
    let is_stdin = file == Path::new("-");
    let shown = if is_stdin { PathBuf::from("stdin") } else { file.to_path_buf() };
    let bytes = if is_stdin {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(file)
    };
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other));
    let cannot = || format!("cannot read the topology in `{}`", shown.display());
    let text = text.map_err(|error| Failure::misuse(cannot()).cause(error))?;
    let topology = read_topology(&text, &shown).map_err(|problems| unsound(&shown, &problems))?;
    topology.check().map_err(|fault| Failure::misuse(cannot()).cause(fault))?;
    Ok(topology)
}

fn unsound(file: &Path, problems: &[Problem]) -> Failure {
    let sentence = |problem: &Problem| match problem.line {
        Some(line) => format!("{} (line {line})", output::line(&problem.message)),
        None => output::line(&problem.message),
    };
    let mut faults: Vec<String> = problems.iter().take(FAULTS_MAX).map(sentence).collect();
    if problems.len() > FAULTS_MAX {
        faults.push(format!("{} more", problems.len() - FAULTS_MAX));
    }
    let failure = Failure::misuse(format!("the topology in `{}` is not sound", file.display()));
    let failure = failure.cause(faults.join("; "));
    match problems.iter().find_map(|problem| problem.hint.as_ref()) {
        Some(hint) => failure.hint(output::line(hint)),
        None => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::survey::Neighbour;
    use crate::model::topology::ConfigurationItem;

    #[test]
    fn origins_are_a_table_whoever_told_them() {
        let now: Timestamp = "2026-11-21T06:00:00Z".parse().unwrap();
        let origin = |name: &str, version, by: Option<&str>| OriginSummary {
            name: name.into(),
            version,
            changed_at: version.map(|_| "2026-11-21T05:48:00Z".parse().unwrap()),
            by: by.map(str::to_owned),
            node_count: 120,
            edge_count: 3,
        };
        let origins = [origin("cmdb", Some(7), Some("sync\u{1b}[31m")), origin("monitors", None, None)];
        let mut out = Vec::new();
        output::table(&mut out, &origins_table(&origins, now)).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @"
        ORIGIN    ITEMS  DEPENDENCIES  VERSION  CHANGED  BY
        cmdb      120    3             7        12m      sync [31m
        monitors  120    3             -        -        -
        ");
    }

    #[test]
    fn an_item_is_told_with_what_is_around_it() {
        let near = |item: &str, kinship, distance| Neighbour { item: item.into(), kinship, distance };
        let view = ItemView {
            item: ConfigurationItem {
                id: "web1".into(),
                kind: Some("host".into()),
                tier: Some(2),
                labels: [("site", "fra1")].into_iter().collect(),
                aliases: vec!["10.0.0.5".into()],
                ..ConfigurationItem::default()
            },
            is_described: true,
            near: vec![
                near("rtr1", Kinship::Dependency, 1),
                near("core", Kinship::Dependency, 2),
                near("shop", Kinship::Dependant, 1),
            ],
            is_cut: false,
        };
        let mut out = Vec::new();
        describe(&mut out, &view).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @"
        web1
          kind      host
          tier      2
          labels    site=fra1
          aliases   10.0.0.5

        depends on
          1  rtr1
          2  core

        needed by
          1  shop
        ");
    }

    #[test]
    fn faults_of_a_file_have_their_lines() {
        let path = Path::new("cmdb.yaml");
        let refused = |text: &str| {
            let problems = read_topology(text, path).unwrap_err();
            format!("{:#}", anyhow::Error::from(unsound(path, &problems)))
        };
        insta::assert_snapshot!(refused("nodes:\n  - { id: a, teir: 1 }\n"), @"the topology in `cmdb.yaml` is not sound: unknown key `teir` in `nodes[0]` (line 2)");
        assert!(read_topology("{\"nodes\":[{\"id\":\"a\"}]}", path).is_ok());
        assert!(read_topology("nodes: [{ id: a }]\n", path).is_ok());
    }
}
