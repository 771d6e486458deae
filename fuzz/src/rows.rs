//! Rows as the store keeps them, as JSON: what a start reads is what was written.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use watchbell::engine::state::{Changes, Snapshot};
use watchbell::model::{Alert, Delivery, Incident, IncidentId, Problem, Timestamp};

#[derive(Default)]
pub struct Rows {
    pub alerts: BTreeMap<u64, Value>,
    pub incidents: BTreeMap<IncidentId, Value>,
    problems: BTreeMap<String, Value>,
    pub deliveries: BTreeMap<String, Value>,
    facts: BTreeMap<(String, String), Value>,
}

impl Rows {
    /// What has ended is no row any more, and is returned.
    pub fn keep(&mut self, changes: Changes) -> Vec<Delivery> {
        fn json(row: &impl serde::Serialize) -> Value {
            serde_json::to_value(row).expect("a row is JSON")
        }
        for (alert, is_live) in &changes.alerts {
            match is_live {
                true => drop(self.alerts.insert(alert.number, json(alert))),
                false => drop(self.alerts.remove(&alert.number)),
            }
        }
        for (incident, is_live) in &changes.incidents {
            match is_live {
                true => drop(self.incidents.insert(incident.id, json(incident))),
                false => drop(self.incidents.remove(&incident.id)),
            }
        }
        for problem in &changes.problems {
            self.problems.insert(problem.id.to_string(), json(problem));
        }
        for fact in changes.facts {
            let key = (fact.kind.to_owned(), fact.key);
            match fact.value {
                Some(value) => drop(self.facts.insert(key, value)),
                None => drop(self.facts.remove(&key)),
            }
        }
        let (pending, ended): (Vec<_>, Vec<_>) =
            changes.deliveries.into_iter().partition(|delivery| delivery.state.as_str() == "pending");
        for delivery in &ended {
            self.deliveries.remove(&delivery.id);
        }
        for delivery in pending {
            self.deliveries.insert(delivery.id.clone(), json(&delivery));
        }
        ended
    }

    pub fn read(&self) -> Snapshot {
        fn row<T: serde::de::DeserializeOwned>(value: &Value) -> T {
            serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"))
        }
        let facts = self.facts.iter().map(|((kind, key), value)| (kind.clone(), key.clone(), value.clone()));
        Snapshot {
            position: 0,
            last_at: Timestamp::default(),
            alerts: self.alerts.values().map(row::<Arc<Alert>>).collect(),
            incidents: self.incidents.values().map(row::<Arc<Incident>>).collect(),
            problems: self.problems.values().map(row::<Problem>).collect(),
            deliveries: self.deliveries.values().map(row::<Delivery>).collect(),
            facts: facts.collect(),
        }
    }
}
