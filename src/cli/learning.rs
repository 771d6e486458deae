//! `watchbell learning`: what confirmed causes have taught, whether it helps, and forgetting one of them. Decides how
//! that is typed and told; what is learned and when it is used is decided in `engine/signature.rs`.
//!
//! ```text
//! EVIDENCE  GATE  WEIGHT  JUDGED  FIRST        RECIPROCAL RANK
//! traits    open  100 %   31      54 -> 71 %   .62 -> .78
//! ```

use std::io::Write;
use std::process::ExitCode;

use super::act::Outcome;
use super::common::{Common, hint_where_unknown};
use super::failure::note;
use super::output;
use crate::clock::Clock;
use crate::engine::signature::{EvidenceView, Figures, LearningView, SignatureView, TraitView};
use crate::model::Timestamp;

/// Traits and confirmations that are printed; `--json` has more.
const SHOWN_MAX: usize = 10;

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
    /// Forget what one confirmed cause taught; the incident keeps its cause
    Forget {
        /// Incident: its id or the beginning of it, with or without `inc-`
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        common: Common,
    },
}

/// # Errors
/// When the daemon cannot be reached or refuses.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.action {
        None => show(&args.common),
        Some(Action::Forget { id, common }) => forget(id, common),
    }
}

fn show(common: &Common) -> anyhow::Result<ExitCode> {
    let answer = common.client()?.get(&["learning"], &[])?;
    common.show(answer, |view: LearningView| {
        if view.confirmations > 0 {
            let mut stdout = anstream::stdout().lock();
            write(&mut stdout, &view, Clock::System.now())?;
            stdout.flush()?;
        }
        note(next_step(&view));
        Ok(())
    })
}

fn write(out: &mut impl Write, view: &LearningView, now: Timestamp) -> std::io::Result<()> {
    output::table(out, &gates(&view.evidence))?;
    if !view.traits.is_empty() {
        writeln!(out)?;
        output::table(out, &traits(&view.traits))?;
    }
    writeln!(out)?;
    output::table(out, &signatures(&view.signatures, now))
}

fn gates(evidence: &[EvidenceView]) -> Vec<Vec<String>> {
    let head = ["EVIDENCE", "GATE", "WEIGHT", "JUDGED", "FIRST", "RECIPROCAL RANK"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for one in evidence {
        rows.push(vec![
            format!("{:?}", one.evidence).to_lowercase(),
            if one.is_open { "open" } else { "shut" }.to_owned(),
            format!("{} %", one.weight / 10),
            one.figures.judged.to_string(),
            first(&one.figures),
            format!(
                "{} -> {}",
                thousandths(one.figures.reciprocal_rank_unlearned),
                thousandths(one.figures.reciprocal_rank_learned)
            ),
        ]);
    }
    rows
}

fn first(figures: &Figures) -> String {
    format!("{} -> {} %", figures.first_unlearned / 10, figures.first_learned / 10)
}

fn thousandths(value: i64) -> String {
    format!("{}.{:02}", value / 1_000, value % 1_000 / 10)
}

fn traits(traits: &[TraitView]) -> Vec<Vec<String>> {
    let mut rows = vec![["TRAIT", "BITS", "CAUSES", "OTHERS"].map(str::to_owned).to_vec()];
    for one in traits.iter().take(SHOWN_MAX) {
        let sign = if one.bits < 0 { '-' } else { '+' };
        rows.push(vec![
            output::clipped(&one.name, 56),
            format!("{sign}{}.{}", one.bits.abs() / 1_000, one.bits.abs() % 1_000 / 100),
            (one.with_cause / 1_000).to_string(),
            (one.elsewhere / 1_000).to_string(),
        ]);
    }
    rows
}

fn signatures(signatures: &[SignatureView], now: Timestamp) -> Vec<Vec<String>> {
    let mut rows = vec![["INCIDENT", "AGE", "BY", "RANK", "CAUSE", "TRAITS"].map(str::to_owned).to_vec()];
    for one in signatures.iter().take(SHOWN_MAX) {
        let rank = match (one.rank_unlearned, one.rank_learned) {
            (Some(unlearned), Some(learned)) => format!("{unlearned} -> {learned}"),
            _ => "-".to_owned(),
        };
        rows.push(vec![
            one.incident.to_string(),
            output::age(now, one.confirmed_at),
            output::clipped(&one.confirmed_by, 24),
            rank,
            output::clipped(&one.cause, 40),
            output::clipped(&one.traits.join(", "), 72),
        ]);
    }
    rows
}

fn next_step(view: &LearningView) -> String {
    if view.confirmations == 0 {
        return "no cause was confirmed yet; `watchbell confirm-root-cause ID ITEM` does, once you know it".to_owned();
    }
    let effect = if view.is_in_force {
        format!("in the ranking: the true cause came first {}", first(&view.in_force))
    } else {
        "not in the ranking, which has not been better with what was learned".to_owned()
    };
    let what = output::plural(view.confirmations, "confirmed cause");
    format!("{what}, {effect}; `watchbell learning forget ID` forgets one")
}

fn forget(id: &str, common: &Common) -> anyhow::Result<ExitCode> {
    let forgotten = common.client()?.delete(&["learning", id]);
    let answer =
        forgotten.map_err(|error| hint_where_unknown(error, "`watchbell learning` lists what was confirmed"))?;
    common.finish(answer, |done: Outcome| format!("what {} taught is forgotten", output::line(&done.id)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::signature::Evidence;

    #[test]
    fn what_was_learned_is_told_with_what_it_is_worth() {
        let figures = Figures {
            judged: 31,
            first_unlearned: 540,
            first_learned: 713,
            reciprocal_rank_unlearned: 620,
            reciprocal_rank_learned: 1_000,
        };
        let view = LearningView {
            confirmations: 31,
            confirmations_max: 512,
            is_in_force: true,
            in_force: figures,
            evidence: vec![EvidenceView { evidence: Evidence::Traits, is_open: true, weight: 640, figures }],
            traits: vec![TraitView {
                name: "alert Disk\nfull".to_owned(),
                bits: -1_250,
                with_cause: 4_000,
                elsewhere: 20_000,
            }],
            signatures: vec![SignatureView {
                incident: crate::model::incident_id::sample_id("inc-a"),
                cause: "db1".to_owned(),
                confirmed_by: "anna".to_owned(),
                confirmed_at: "2026-11-21T05:00:00Z".parse().unwrap(),
                traits: vec!["alert Disk full".to_owned(), "kind host".to_owned()],
                rank_unlearned: Some(3),
                rank_learned: Some(1),
            }],
        };
        let mut out = Vec::new();
        write(&mut out, &view, "2026-11-21T06:00:00Z".parse().unwrap()).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap() + &next_step(&view), @"
        EVIDENCE  GATE  WEIGHT  JUDGED  FIRST       RECIPROCAL RANK
        traits    open  64 %    31      54 -> 71 %  0.62 -> 1.00

        TRAIT            BITS  CAUSES  OTHERS
        alert Disk full  -1.2  4       20

        INCIDENT        AGE  BY    RANK    CAUSE  TRAITS
        inc-6epy6texa9  1h   anna  3 -> 1  db1    alert Disk full, kind host
        31 confirmed causes, in the ranking: the true cause came first 54 -> 71 %; `watchbell learning forget ID` forgets one
        ");
    }
}
