//! `watchbell explain`: why did this page me, or not? Finds out what an id means, asks the daemon for all
//! that is known about it, and leaves the words to `story.rs`. Explains nothing by itself: every reason
//! was written down by the engine when it decided.
//!
//! ```text
//! watchbell explain 7h3k                  an incident, by its id or the beginning of it
//! watchbell explain prb-2c8d              a problem
//! watchbell explain grp-4bz0q81mxe        a group of alerts, where people are told of those
//! watchbell explain 9f2c5d1e7a3b4c60      an alert by its fingerprint, or an event by its id
//! ```

mod groups;
mod story;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::process::ExitCode;

use serde::Deserialize;
use serde_json::{Value, json};

use self::groups::Group;
use super::client::{self, Client, Connection};
use super::failure::{Failure, note};
use super::{output, problem};
use crate::clock::Clock;
use crate::engine::dedup;
use crate::engine::dispatch::listing::GroupDetails;
use crate::model::notification::ProblemView;
use crate::model::{Alert, Delivery, Event, Fingerprint, Incident, TimelineEntry};

/// Timeline entries and deliveries that are fetched; a storm has more of them than anyone reads.
const ENTRIES_MAX: usize = 2_000;
/// Alerts of an incident that are named.
const ALERTS_MAX: usize = 10;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Incident, problem, group, alert or event: an id of an incident or its beginning, an id of a problem (`prb-…`) or
    /// of a group of alerts (`grp-…`), a fingerprint, an id of an event
    #[arg(value_name = "ID")]
    pub id: String,
    /// Print everything that is known as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub connection: Connection,
}

type Lines = Vec<(&'static str, String)>;

/// All that is known about what was asked for.
#[derive(Default)]
struct Known {
    event: Option<Value>,
    alert: Option<Value>,
    /// Of the alert, oldest first.
    alert_timeline: Vec<Value>,
    incident: Option<Value>,
    alerts: Vec<Value>,
    deliveries: Vec<Value>,
    /// Of the incident, oldest first.
    incident_timeline: Vec<Value>,
    /// Those that there are now.
    groups: Vec<Value>,
    /// Those, and those that were.
    group_ids: Vec<String>,
    group_timeline: Vec<Value>,
    is_cut: bool,
}

/// The same, understood.
struct Facts {
    event: Option<Event>,
    alert: Option<Alert>,
    incident: Option<Incident>,
    /// The problem that it belongs to.
    problem: Option<ProblemView>,
    /// Some alerts of the incident, when the incident itself was asked for.
    alerts: Vec<Alert>,
    deliveries: Vec<Delivery>,
    groups: Vec<Group>,
    timeline: Vec<TimelineEntry>,
}

/// # Errors
/// When nothing is known under the id, or the daemon cannot be reached or refuses.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let client = Client::new(&args.connection)?;
    if args.id.trim().to_ascii_lowercase().starts_with("prb-")
        && let Some(found) = client.find(&["problems", args.id.trim()], &[])?
    {
        return problem::tell(&client, found, args.json);
    }
    let known = Known::gather(&client, args.id.trim())?;
    if args.json {
        output::json(&known.to_json())?;
        return Ok(ExitCode::SUCCESS);
    }
    let is_cut = known.is_cut;
    let facts = known.understand()?;
    let mut stdout = anstream::stdout().lock();
    story::tell(&facts, Clock::System.now(), &mut stdout)?;
    stdout.flush()?;
    if is_cut {
        note(format!("only the first {ENTRIES_MAX} entries are shown"));
    }
    Ok(ExitCode::SUCCESS)
}

fn is_fingerprint(id: &str) -> bool {
    id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Known {
    fn gather(client: &Client, id: &str) -> anyhow::Result<Self> {
        let mut known = Self::default();
        // Sixteen hex digits are too long for the id of an incident, but fit alerts and events.
        if id.to_ascii_lowercase().starts_with("grp-") {
            groups::add_group(&mut known, client, &id.to_ascii_lowercase())?;
        } else if is_fingerprint(id) {
            known.add_alert(client, id)?;
        } else if !id.is_empty() {
            known.add_incident(client, id)?;
        }
        let is_found = |known: &Self| known.alert.is_some() || known.incident.is_some() || !known.group_ids.is_empty();
        if !is_found(&known) && !id.is_empty() {
            known.add_event(client, id)?;
        }
        let is_nothing = known.event.is_none() && !is_found(&known);
        if is_nothing {
            let hint = "`watchbell incidents --state all` lists incidents; an alert goes by its fingerprint of 16 hex \
                        digits, an event by its whole id";
            return Err(Failure::new(format!("nothing is known under `{}`", output::line(id))).hint(hint).into());
        }
        Ok(known)
    }

    /// The event as it came, and the alert it was folded into.
    fn add_event(&mut self, client: &Client, id: &str) -> anyhow::Result<()> {
        #[derive(Deserialize)]
        struct Found {
            event: Value,
        }
        let Some(found) = client.find(&["events", id], &[])? else { return Ok(()) };
        let Found { event: value } = client::read(found)?;
        let event: Event = client::read(value.clone())?;
        self.event = Some(value);
        self.add_alert(client, &dedup::fingerprint(&event.source, &event.dedup_key).to_string())
    }

    fn add_alert(&mut self, client: &Client, fingerprint: &str) -> anyhow::Result<()> {
        #[derive(Deserialize)]
        struct Found {
            incident: Option<String>,
        }
        let Some(alert) = client.find(&["alerts", fingerprint], &[])? else { return Ok(()) };
        let Found { incident } = client::read(alert.clone())?;
        self.alert = Some(alert.clone());
        let (entries, is_cut) = client.list(&["alerts", fingerprint, "timeline"], &[], ENTRIES_MAX)?;
        self.alert_timeline = entries;
        self.is_cut |= is_cut;
        match incident {
            Some(incident) => self.add_incident(client, &incident),
            None => groups::of_alert(self, client, &alert),
        }
    }

    fn add_incident(&mut self, client: &Client, id: &str) -> anyhow::Result<()> {
        #[derive(Deserialize)]
        struct Found {
            id: String,
        }
        let Some(incident) = client.find(&["incidents", id], &[])? else { return Ok(()) };
        let Found { id } = client::read(incident.clone())?;
        self.incident = Some(incident);
        let of_it = [("incident", id.as_str())];
        let (entries, is_cut) = client.list(&["incidents", &id, "timeline"], &[], ENTRIES_MAX)?;
        let (deliveries, are_cut) = client.list(&["deliveries"], &of_it, ENTRIES_MAX)?;
        if self.alert.is_none() {
            self.alerts = client.list(&["incidents", &id, "alerts"], &[], ALERTS_MAX)?.0;
        }
        (self.incident_timeline, self.deliveries) = (entries, deliveries);
        self.is_cut |= is_cut || are_cut;
        Ok(())
    }

    fn to_json(&self) -> Value {
        let kind = match (&self.event, &self.alert, &self.incident) {
            (Some(_), ..) => "event",
            (None, Some(_), _) => "alert",
            (None, None, Some(_)) => "incident",
            (None, None, None) => "group",
        };
        json!({
            "kind": kind, "event": self.event, "alert": self.alert, "alert_timeline": self.alert_timeline,
            "incident": self.incident, "incident_timeline": self.incident_timeline, "alerts": self.alerts,
            "deliveries": self.deliveries, "groups": self.groups, "group_ids": self.group_ids,
            "group_timeline": self.group_timeline, "is_cut": self.is_cut,
        })
    }

    fn understand(self) -> anyhow::Result<Facts> {
        fn all<T: serde::de::DeserializeOwned>(values: Vec<Value>) -> anyhow::Result<Vec<T>> {
            values.into_iter().map(client::read).collect()
        }
        let alert: Option<Alert> = self.alert.map(client::read).transpose()?;
        let now: Vec<GroupDetails> = all(self.groups)?;
        let groups = self.group_ids.iter().filter_map(|id| {
            let id = id.parse().ok()?;
            Some(Group { id, now: now.iter().find(|group| group.id == id).cloned() })
        });
        let groups = groups.collect();
        let timeline = story_of(
            all(self.incident_timeline.into_iter().chain(self.group_timeline).collect())?,
            all(self.alert_timeline)?,
            alert.as_ref().map(|alert| alert.fingerprint),
        );
        let mut deliveries: Vec<Delivery> = all(self.deliveries)?;
        deliveries.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(Facts {
            event: self.event.map(client::read).transpose()?,
            alert,
            problem: self
                .incident
                .as_ref()
                .and_then(|incident| incident.get("known_problem"))
                .cloned()
                .map(client::read)
                .transpose()?,
            incident: self.incident.map(client::read).transpose()?,
            alerts: all(self.alerts)?,
            deliveries,
            groups,
            timeline,
        })
    }
}

/// One timeline. With an alert in question, what the incident's other alerts did is left out.
fn story_of(
    incident: Vec<TimelineEntry>,
    alert: Vec<TimelineEntry>,
    fingerprint: Option<Fingerprint>,
) -> Vec<TimelineEntry> {
    let Some(fingerprint) = fingerprint else {
        let mut entries = incident;
        entries.sort_by_key(|entry| entry.at);
        return entries;
    };
    let mut entries: Vec<TimelineEntry> =
        incident.into_iter().filter(|entry| entry.alert.is_none_or(|alert| alert == fingerprint)).collect();
    for entry in alert {
        if !entries.contains(&entry) {
            entries.push(entry);
        }
    }
    entries.sort_by_key(|entry| entry.at);
    entries
}
