//! A trial as people read it, and as programs do. Decides the words and their order; never what is true.
//!
//! ```text
//! HostDown  alertname="HostDown", team="db"
//!   muted by a silence: --silence-1 of --silence, team="db"
//!   -> dba by route.routes[0] {team="db"}
//!      group  {}/{team="db"}:{alertname="HostDown"}
//!      waits  30s, then looks every 5m, repeats every 4h
//!      sinks  dba/slack
//! ```

use std::io::{self, Write};

use owo_colors::OwoColorize;
use serde_json::{Value, json};

use crate::cli::output::{self, moment};
use crate::cli::trial::rendered::Renderer;
use crate::engine::trial::{Mute, Trial, Verdict, Way};
use crate::model::{Delivery, Labels};

pub struct Shown<'a> {
    pub trial: &'a Trial,
    /// Absent where nobody asked for the texts.
    pub renderer: Option<&'a Renderer<'a>>,
}

/// `alertname="HostDown", team="db"`, safe for a terminal.
pub fn labels_text(labels: &Labels) -> String {
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    output::line(&pairs.join(", "))
}

/// Why people do not hear of it, in a clause.
pub fn mute_text(mute: &Mute) -> String {
    let text = match mute {
        Mute::Inhibition { rule, alert, labels, .. } => {
            format!("inhibited by {alert} ({}) by {rule}", labels_text(labels))
        }
        Mute::Silence { silence } => {
            let matchers: Vec<String> = silence.matchers.iter().map(ToString::to_string).collect();
            let comment = if silence.comment.is_empty() { String::new() } else { format!(" ({})", silence.comment) };
            format!("silenced by {}{comment}: {}", silence.id, matchers.join(", "))
        }
        Mute::Maintenance { reason } => reason.clone(),
        Mute::TimeInterval { names } => format!("time interval {}", names.join(", ")),
    };
    output::line(&text)
}

impl<'t> Shown<'t> {
    pub fn json(&self, name: Option<&str>) -> serde_json::Result<Value> {
        let mut value = serde_json::to_value(self.trial)?;
        if let Some(name) = name {
            value["name"] = name.into();
        }
        if self.renderer.is_some() {
            for (verdict, shown) in self.trial.alerts.iter().zip(0..) {
                for (way, place) in verdict.routes.iter().zip(0..) {
                    let requests: Vec<Value> = self.trial.deliveries_of(way).map(|sent| self.request(sent)).collect();
                    value["alerts"][shown as usize]["routes"][place as usize]["requests"] = requests.into();
                }
            }
        }
        Ok(value)
    }

    fn request(&self, delivery: &Delivery) -> Value {
        let rendered = self.renderer.map(|renderer| renderer.preview(delivery, self.trial.at));
        match rendered {
            Some(Ok(preview)) => json!({ "sink": delivery.sink, "sent": preview }),
            Some(Err(error)) => json!({ "sink": delivery.sink, "error": error }),
            None => Value::Null,
        }
    }

    pub fn write(&self, name: Option<&str>, out: &mut impl Write) -> io::Result<()> {
        if let Some(name) = name {
            writeln!(out, "{} ({})", output::line(name).bold(), moment(self.trial.at))?;
        }
        let mut told = Vec::new();
        for verdict in &self.trial.alerts {
            self.write_verdict(verdict, &mut told, out)?;
        }
        Ok(())
    }

    fn write_verdict(&self, verdict: &'t Verdict, told: &mut Vec<&'t str>, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{}  {}", output::line(&verdict.name).bold(), labels_text(&verdict.labels))?;
        if let Some(why) = &verdict.unrouted {
            writeln!(out, "  nobody hears of it: {why}")?;
        }
        for mute in &verdict.muted_by {
            writeln!(out, "  {}: {}", "muted".yellow(), mute_text(mute))?;
        }
        if let Some(incident) = &verdict.incident {
            let cause = incident.root_cause.as_ref().map(|item| format!(", cause {item}")).unwrap_or_default();
            let opens = match incident.opens_after.is_zero() {
                true => "at once".to_owned(),
                false => format!("after {}", incident.opens_after.human()),
            };
            let title = output::line(&incident.title);
            let count = output::plural(incident.alert_count as usize, "alert");
            writeln!(out, "  incident {title}: {}, {count}{}, opens {opens}", incident.priority, output::line(&cause))?;
            if !verdict.muted_by.is_empty() && !incident.is_muted {
                writeln!(out, "  people hear of the incident: not everything in it is muted")?;
            }
        }
        for way in &verdict.routes {
            write_way(way, out)?;
            self.write_sent(verdict, way, told, out)?;
        }
        Ok(())
    }

    /// What is sent by one way, once for all alerts in it.
    fn write_sent(
        &self,
        verdict: &Verdict,
        way: &'t Way,
        told: &mut Vec<&'t str>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let Some(renderer) = self.renderer else { return Ok(()) };
        let deliveries: Vec<&'t Delivery> = self.trial.deliveries_of(way).collect();
        if deliveries.is_empty() {
            let why = if verdict.is_muted || !way.muted_by.is_empty() { "muted" } else { "it has no sinks" };
            return writeln!(out, "     nothing is sent: {why}");
        }
        for delivery in deliveries {
            if told.contains(&delivery.id.as_str()) {
                writeln!(out, "     {}: as above", delivery.sink)?;
                continue;
            }
            told.push(&delivery.id);
            writeln!(out, "     {}:", delivery.sink.cyan())?;
            let mut text = Vec::new();
            match renderer.preview(delivery, self.trial.at) {
                Ok(preview) => preview.write(&mut text)?,
                Err(error) => writeln!(text, "it cannot say that: {error}")?,
            }
            for line in String::from_utf8_lossy(&text).trim_end().lines() {
                writeln!(out, "{}", format!("       {}", visible(line)).trim_end())?;
            }
        }
        Ok(())
    }
}

/// A line as it stands, without what a terminal would obey.
fn visible(line: &str) -> String {
    line.chars().filter(|c| !c.is_control() || *c == '\t').collect()
}

fn write_way(way: &Way, out: &mut impl Write) -> io::Result<()> {
    let matchers: Vec<String> =
        way.steps.iter().flat_map(|step| &step.matchers).map(|matcher| output::line(matcher)).collect();
    let matchers = if matchers.is_empty() { "takes everything".to_owned() } else { matchers.join(", ") };
    writeln!(out, "  {} {} by {} ({matchers})", "->".blue(), output::line(&way.receiver).bold(), way.path)?;
    if let Some(group) = &way.group {
        writeln!(out, "     group  {}", output::line(&group.key))?;
    }
    let wait = if way.group_wait.is_zero() { "not at all".to_owned() } else { way.group_wait.human() };
    let (interval, repeat) = (way.group_interval.human(), way.repeat_interval.human());
    writeln!(out, "     waits  {wait}, then looks every {interval}, repeats every {repeat}")?;
    if let Some(policy) = &way.escalation_policy {
        writeln!(out, "     asks   {policy} when nobody acknowledges")?;
    }
    let sinks = if way.sinks.is_empty() { "none: nobody is told".to_owned() } else { way.sinks.join(", ") };
    writeln!(out, "     sinks  {}", output::line(&sinks))?;
    if !way.muted_by.is_empty() {
        writeln!(out, "     {}  time interval {}", "muted".yellow(), output::line(&way.muted_by.join(", ")))?;
    }
    if let Some(path) = &way.continued_by {
        writeln!(out, "     goes on, for {path} has `continue`")?;
    }
    Ok(())
}
