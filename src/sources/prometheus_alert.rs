//! The alert object that Prometheus posts and Alertmanager repeats: labels, annotations, two times.
//!
//! Decides how it is read and how it becomes an event: identity from the labels alone (`startsAt`
//! changes when Prometheus restarts), severity from the `severity` label. Whether it fires or is over,
//! and when, is said by `prometheus.rs` and `alertmanager.rs`. Never looks at a clock.

use super::json::{self, Unknown};
use super::{Inbound, ParseError, Severities, check_limits, is_http_url};
use crate::model::{Event, EventStatus, Fingerprint, Labels, Severity, Timestamp};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// `FROM_ALERTMANAGER`: `status` and `fingerprint` are read, which Prometheus does not send.
#[derive(Debug, Default)]
pub struct PrometheusAlert<const FROM_ALERTMANAGER: bool> {
    pub status: Option<AlertStatus>,
    pub fingerprint: Option<String>,
    pub labels: Option<Labels>,
    pub annotations: Option<Labels>,
    /// Absent also when it was Go's zero time.
    pub starts_at: Option<Timestamp>,
    pub ends_at: Option<Timestamp>,
    pub generator_url: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertStatus {
    Firing,
    Resolved,
}

#[derive(Deserialize)]
#[serde(field_identifier)]
enum Key {
    #[serde(rename = "status")]
    Status,
    #[serde(rename = "fingerprint")]
    Fingerprint,
    #[serde(rename = "labels")]
    Labels,
    #[serde(rename = "annotations")]
    Annotations,
    #[serde(rename = "startsAt")]
    StartsAt,
    #[serde(rename = "endsAt")]
    EndsAt,
    #[serde(rename = "generatorURL")]
    GeneratorUrl,
    Other(String),
}

impl<'de, const FROM_ALERTMANAGER: bool> Deserialize<'de> for PrometheusAlert<FROM_ALERTMANAGER> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AlertVisitor::<FROM_ALERTMANAGER>)
    }
}

struct AlertVisitor<const FROM_ALERTMANAGER: bool>;

impl<'de, const FROM_ALERTMANAGER: bool> Visitor<'de> for AlertVisitor<FROM_ALERTMANAGER> {
    type Value = PrometheusAlert<FROM_ALERTMANAGER>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an alert object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        // The outer `Option` says that the name came, the inner one that it was not null.
        let (mut status, mut fingerprint, mut labels) = (None, None, None);
        let (mut annotations, mut starts_at, mut ends_at, mut generator_url) = (None, None, None, None);
        // `{"alerts":[{…}]}` from Alertmanager, `[{…}]` from Prometheus itself.
        let mut unknown = Unknown::at_depth(if FROM_ALERTMANAGER { 3 } else { 2 });
        while let Some(key) = map.next_key()? {
            match key {
                Key::Labels => json::fill(&mut labels, &mut map, "labels")?,
                Key::Annotations => json::fill(&mut annotations, &mut map, "annotations")?,
                Key::StartsAt => json::fill(&mut starts_at, &mut map, "startsAt")?,
                Key::EndsAt => json::fill(&mut ends_at, &mut map, "endsAt")?,
                Key::GeneratorUrl => json::fill(&mut generator_url, &mut map, "generatorURL")?,
                Key::Status if FROM_ALERTMANAGER => json::fill(&mut status, &mut map, "status")?,
                Key::Fingerprint if FROM_ALERTMANAGER => json::fill(&mut fingerprint, &mut map, "fingerprint")?,
                Key::Status => unknown.skip(&mut map, "status".to_owned())?,
                Key::Fingerprint => unknown.skip(&mut map, "fingerprint".to_owned())?,
                Key::Other(name) => unknown.skip(&mut map, name)?,
            }
        }
        let given = |at: Option<Option<Timestamp>>| at.flatten().filter(|at| !at.is_go_zero());
        Ok(PrometheusAlert {
            status,
            fingerprint: fingerprint.flatten(),
            labels,
            annotations: annotations.flatten(),
            starts_at: given(starts_at),
            ends_at: given(ends_at),
            generator_url: generator_url.flatten(),
        })
    }
}

/// What the two sources decide themselves.
pub struct Observation {
    pub status: EventStatus,
    pub at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub is_end_assumed: bool,
    pub started_at: Option<Timestamp>,
    /// What tells this observation from another one of the same alert; a redelivery has the same.
    pub identity: String,
    pub extra: BTreeMap<String, serde_json::Value>,
}

/// The keys of the configuration that both sources have.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    pub severities: Severities,
    pub service_label: Option<String>,
}

/// What `name` becomes when the labels hold no `alertname`.
const NAMELESS: &str = "alert";

/// Takes the labels out, without those that are empty, as Prometheus sees them.
pub fn take_labels<const A: bool>(alert: &mut PrometheusAlert<A>) -> Result<Labels, ParseError> {
    let expected = "an object with at least one label that is not empty";
    let Some(mut labels) = alert.labels.take() else {
        return Err(ParseError::new("labels", "nothing", expected));
    };
    let first_empty = |labels: &Labels| labels.iter().find(|(_, value)| value.is_empty()).map(|(n, _)| n.to_owned());
    while let Some(name) = first_empty(&labels) {
        labels.remove(&name);
    }
    if labels.is_empty() {
        return Err(ParseError::new("labels", "no label", expected));
    }
    Ok(labels)
}

impl Reading {
    pub fn event<const A: bool>(
        &self,
        inbound: &Inbound<'_>,
        alert: PrometheusAlert<A>,
        labels: Labels,
        observation: Observation,
    ) -> Result<Event, ParseError> {
        let dedup_key = labels.fingerprint().to_string();
        let id = Fingerprint::of([inbound.source, dedup_key.as_str(), observation.identity.as_str()]).to_string();
        let event = Event {
            id,
            at: observation.at,
            received_at: inbound.received_at,
            source: inbound.source.to_owned(),
            status: observation.status,
            name: labels.get("alertname").unwrap_or(NAMELESS).to_owned(),
            dedup_key,
            severity: self.severity(&labels),
            // Which label names the item is a matter of the naming rules, the same for all sources.
            configuration_item: None,
            service: self.service_label.as_deref().and_then(|name| labels.get(name)).map(str::to_owned),
            labels,
            annotations: alert.annotations.unwrap_or_default(),
            url: alert.generator_url.filter(|url| is_http_url(url)),
            expires_at: observation.expires_at,
            is_end_assumed: observation.is_end_assumed,
            started_at: observation.started_at,
            aliases: Vec::new(),
            parents: Vec::new(),
            marker: None,
            author: None,
            note: None,
            extra: observation.extra,
        };
        check_limits(&event)?;
        Ok(event)
    }

    /// Unknown words become a warning and stay in the label, where a route can match them.
    pub fn severity(&self, labels: &Labels) -> Severity {
        let Some(word) = labels.get("severity") else { return Severity::Warning };
        if let Some(severity) = self.severities.get(word) {
            return *severity;
        }
        match word {
            "critical" => Severity::Critical,
            "warning" => Severity::Warning,
            word => word.parse().unwrap_or(Severity::Warning),
        }
    }
}
