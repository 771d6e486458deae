//! Where people are told of groups of alerts: which groups an alert was in, what keeps it quiet there, who was told.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::{ENTRIES_MAX, Known, Lines, output};
use crate::cli::client::{self, Client};
use crate::engine::dispatch::listing::{GroupDetails, GroupMember};
use crate::model::{Alert, Fingerprint, IncidentId, Timestamp};

/// A group that there is, or was.
#[derive(Clone, Debug)]
pub struct Group {
    pub id: IncidentId,
    /// Absent once it is gone.
    pub now: Option<GroupDetails>,
}

/// What is known of the groups that an alert is or was in.
pub fn of_alert(known: &mut Known, client: &Client, alert: &Value) -> anyhow::Result<()> {
    let alert: Alert = client::read(alert.clone())?;
    let fingerprint = alert.fingerprint.to_string();
    let mut ids = BTreeSet::new();
    if let Some(page) = client.find(&["alerts", &fingerprint, "groups"], &[])? {
        for group in items(&page) {
            ids.extend(group_id(&group["id"]));
            known.groups.push(group.clone());
        }
    }
    ids.extend(known.alert_timeline.iter().filter_map(|entry| group_id(&entry["incident"])));
    ids.extend(in_history(client, &alert)?);
    let labels = alert.labels.fingerprint().to_string();
    for id in ids {
        let is_about = |delivery: &Value| {
            let shown = delivery.pointer("/notification/group/alerts").and_then(Value::as_array);
            shown.is_some_and(|alerts| alerts.iter().any(|alert| alert["fingerprint"] == *labels))
        };
        add(known, client, &id, is_about)?;
    }
    Ok(())
}

/// What is known of one group.
pub fn add_group(known: &mut Known, client: &Client, id: &str) -> anyhow::Result<()> {
    known.groups.extend(client.find(&["alert-groups", id], &[])?);
    add(known, client, id, |_| true)
}

fn add(known: &mut Known, client: &Client, id: &str, is_about: impl Fn(&Value) -> bool) -> anyhow::Result<()> {
    let (entries, is_cut) = client.list(&["alert-groups", id, "timeline"], &[], ENTRIES_MAX)?;
    let (deliveries, are_cut) = client.list(&["deliveries"], &[("incident", id)], ENTRIES_MAX)?;
    if !entries.is_empty() || !deliveries.is_empty() || known.groups.iter().any(|group| group["id"] == *id) {
        known.group_ids.push(id.to_owned());
    }
    known.group_timeline.extend(entries);
    known.deliveries.extend(deliveries.into_iter().filter(is_about));
    known.is_cut |= is_cut || are_cut;
    Ok(())
}

/// The groups that its last firing was in, which may be gone.
fn in_history(client: &Client, alert: &Alert) -> anyhow::Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Firing {
        alert: Named,
        #[serde(default)]
        groups: Vec<Value>,
    }
    #[derive(Deserialize)]
    struct Named {
        fingerprint: Fingerprint,
    }
    let at = alert.fired_at.to_string();
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let filters: Vec<String> =
        alert.labels.iter().map(|(name, value)| format!("\"{}\"=\"{}\"", quoted(name), quoted(value))).collect();
    let mut query = vec![("at", at.as_str()), ("source", &*alert.source)];
    query.extend(filters.iter().map(|filter| ("filter", filter.as_str())));
    let (firings, _) = client.list(&["alerts"], &query, ENTRIES_MAX)?;
    let mut ids = Vec::new();
    for firing in firings {
        let firing: Firing = client::read(firing)?;
        if firing.alert.fingerprint == alert.fingerprint {
            ids.extend(firing.groups.iter().filter_map(|group| group_id(&group["id"])));
        }
    }
    Ok(ids)
}

fn items(page: &Value) -> &[Value] {
    page["items"].as_array().map_or(&[], Vec::as_slice)
}

fn group_id(value: &Value) -> Option<String> {
    value.as_str().filter(|id| id.starts_with("grp-")).map(str::to_owned)
}

impl Group {
    pub fn title(&self) -> String {
        let Some(now) = &self.now else { return format!("group {} (gone: all of it is over and told)", self.id) };
        let labels: Vec<String> = now.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let labels = if labels.is_empty() { "all alerts of its route".to_owned() } else { labels.join(", ") };
        format!("group {}: {labels}", self.id)
    }

    pub fn lines(&self) -> Lines {
        let Some(now) = &self.now else { return Vec::new() };
        let muted = now.alerts.iter().filter(|alert| alert.muted_by.is_some()).count();
        let looked_at = match now.flushed_at {
            Some(at) => format!("{}, next time at {}", output::moment(at), output::moment(now.flush_at)),
            None => format!("for the first time at {}", output::moment(now.flush_at)),
        };
        vec![
            ("receiver", format!("{} by {}", now.receiver, now.route)),
            ("alerts", format!("{}, {muted} muted", output::plural(now.alert_count, "alert"))),
            ("looked at", looked_at),
        ]
    }

    /// Why nobody has heard of the alert in this group, or of any in it.
    pub fn why_quiet(&self, alert: Option<&Alert>, at: Timestamp) -> Option<String> {
        let now = self.now.as_ref()?;
        let is_meant = |member: &&GroupMember| alert.is_none_or(|alert| alert.fingerprint == member.fingerprint);
        let members: Vec<&GroupMember> = now.alerts.iter().filter(is_meant).collect();
        if !now.muted_by.is_empty() {
            return Some(format!("nobody is told: muted by the time interval {}", now.muted_by.join(", ")));
        }
        if let Some(cause) = members.iter().find_map(|member| member.muted_by.as_ref())
            && members.iter().all(|member| member.muted_by.is_some())
        {
            return Some(format!("nobody is told: {cause}"));
        }
        let moment = output::moment(now.flush_at.max(at));
        Some(match now.flushed_at {
            None => format!("nobody was told yet: the group waits for company until {moment}"),
            Some(_) => format!("nobody was told yet: the group is looked at next at {moment}"),
        })
    }
}
