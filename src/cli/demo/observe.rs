//! What the demo asks the daemon, over the same HTTP interface as everyone else, and the judgement of
//! what it answered. Sends and reads; says nothing to the user.

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

use super::outage::ROOT_CAUSE;
use crate::model::{Delivery, Incident, IncidentState, NotificationKind};

/// Of one request; the daemon is on this machine.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Characters of an answer that an error repeats.
const ANSWER_CHARS_MAX: usize = 300;

pub struct Daemon {
    client: reqwest::Client,
    base_url: String,
}

/// What the daemon makes of it at one moment.
pub struct Observed {
    /// Without those that became part of another one.
    pub incidents: Vec<Incident>,
    /// Oldest first.
    pub deliveries: Vec<Delivery>,
}

impl Daemon {
    /// # Errors
    /// When the TLS roots of the system cannot be read.
    pub fn new(base_url: &str) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build()?;
        Ok(Self { client, base_url: base_url.trim_end_matches('/').to_owned() })
    }

    /// Posts one webhook.
    ///
    /// # Errors
    /// When it was not accepted, with the daemon's own words.
    pub async fn post(&self, path: &str, body: String) -> anyhow::Result<()> {
        let request = self.client.post(format!("{}{path}", self.base_url)).header("content-type", "application/json");
        let response = request.body(body).send().await.with_context(|| format!("cannot post to `{path}`"))?;
        let status = response.status();
        if !status.is_success() {
            let answer = response.text().await.unwrap_or_default();
            let answer: String = answer.chars().take(ANSWER_CHARS_MAX).collect();
            bail!("`{path}` answered {status}: {answer}");
        }
        Ok(())
    }

    /// # Errors
    /// When the daemon does not answer, or with something else than its documented lists.
    pub async fn observe(&self) -> anyhow::Result<Observed> {
        let mut incidents: Vec<Incident> = self.list("/api/v1/incidents").await?;
        incidents.retain(|incident| {
            !matches!(incident.state, IncidentState::Merged | IncidentState::Pending | IncidentState::Lapsed)
        });
        let mut deliveries: Vec<Delivery> = self.list("/api/v1/deliveries").await?;
        deliveries.sort_by_key(|delivery| (delivery.created_at, delivery.notification.number));
        Ok(Observed { incidents, deliveries })
    }

    async fn list<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<Vec<T>> {
        #[derive(Deserialize)]
        struct Page<T> {
            items: Vec<T>,
        }
        let url = format!("{}{path}?limit=500", self.base_url);
        let response = self.client.get(url).send().await.with_context(|| format!("cannot read `{path}`"))?;
        let status = response.status();
        ensure!(status.is_success(), "`{path}` answered {status}");
        let bytes = response.bytes().await.with_context(|| format!("cannot read `{path}`"))?;
        let page: Page<T> =
            serde_json::from_slice(&bytes).with_context(|| format!("cannot read the answer of `{path}`"))?;
        Ok(page.items)
    }
}

impl Observed {
    /// The finished delivery of the first notification of a kind.
    pub fn delivered(&self, kind: NotificationKind) -> Option<&Delivery> {
        let mut of_kind = self.deliveries.iter().filter(|delivery| delivery.notification.kind == kind);
        of_kind.find(|delivery| delivery.finished_at.is_some())
    }

    /// The one incident, if everything is as it must be: one incident, blamed on the router, and exactly
    /// these notifications, all of them delivered.
    ///
    /// # Errors
    /// What is different, in words.
    pub fn judge(&self, expected: &[NotificationKind]) -> anyhow::Result<&Incident> {
        let [incident] = self.incidents.as_slice() else {
            let titles: Vec<&str> = self.incidents.iter().map(|incident| incident.title.as_str()).collect();
            bail!("expected one incident, got {}: {}", titles.len(), titles.join("; "));
        };
        let cause = incident.root_cause.as_ref().map_or("none", |cause| cause.configuration_item.as_str());
        ensure!(cause == ROOT_CAUSE, "expected the root cause `{ROOT_CAUSE}`, got `{cause}`");
        let words = |kinds: &mut dyn Iterator<Item = NotificationKind>| {
            kinds.map(NotificationKind::as_str).collect::<Vec<_>>().join(", ")
        };
        let got = words(&mut self.deliveries.iter().map(|delivery| delivery.notification.kind));
        let expected = words(&mut expected.iter().copied());
        ensure!(got == expected, "expected the notifications `{expected}`, got `{got}`");
        let undelivered = self.deliveries.iter().find(|delivery| delivery.state.as_str() != "delivered");
        if let Some(delivery) = undelivered {
            bail!("expected `{}` to be delivered, but it is {}", delivery.id, delivery.state.as_str());
        }
        Ok(incident)
    }
}
