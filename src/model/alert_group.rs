//! A group of alerts as the receiver of a notification sees it: what Alertmanager calls an aggregation group.
//! Only where people are told of groups instead of incidents (`notify_by: group`).

use serde::{Deserialize, Serialize};

use super::{AlertStatus, Labels, Timestamp};

/// The group at the moment of a notification, all of its alerts that nothing mutes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct GroupView {
    /// Route and labels: `{}/{severity="critical"}:{alertname="HostDown"}`. The same for the life of the group.
    pub key: String,
    pub receiver: String,
    /// Why it is sent now, in Alertmanager's words: `first notification`, `new alerts added`, …
    pub reason: String,
    /// The labels that its alerts share because the route groups by them.
    pub labels: Labels,
    /// In the order of job, instance, then all labels.
    pub alerts: Vec<GroupAlert>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct GroupAlert {
    /// Of the labels, sixteen hexadecimal digits, as Alertmanager computes it.
    pub fingerprint: String,
    pub status: AlertStatus,
    pub labels: Labels,
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub annotations: Labels,
    pub starts_at: Timestamp,
    /// Absent while it fires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generator_url: Option<String>,
}

impl GroupView {
    /// Firing while any of its alerts is.
    pub fn status(&self) -> AlertStatus {
        let fires = self.alerts.iter().any(|alert| alert.status == AlertStatus::Firing);
        if fires { AlertStatus::Firing } else { AlertStatus::Resolved }
    }

    /// What all its alerts have in common.
    pub fn common_labels(&self) -> Labels {
        common(self.alerts.iter().map(|alert| &alert.labels))
    }

    pub fn common_annotations(&self) -> Labels {
        common(self.alerts.iter().map(|alert| &alert.annotations))
    }
}

fn common<'a>(mut sets: impl Iterator<Item = &'a Labels>) -> Labels {
    let Some(first) = sets.next() else { return Labels::new() };
    let mut shared: Vec<(&str, &str)> = first.iter().collect();
    for set in sets {
        if shared.is_empty() {
            break;
        }
        shared.retain(|(name, value)| set.get(name) == Some(value));
    }
    Labels::from_iter(shared)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_common_is_in_every_alert() {
        let sets = [Labels::from_iter([("a", "1"), ("b", "2")]), Labels::from_iter([("a", "1"), ("b", "3")])];
        assert_eq!(common(sets.iter()), Labels::from_iter([("a", "1")]));
        assert_eq!(common(sets[..1].iter()), sets[0]);
        assert_eq!(common([].into_iter()), Labels::new());
    }
}
