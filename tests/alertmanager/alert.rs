//! An alert as Prometheus posts it, with times in seconds since the scenario began.
//!
//! ```ignore
//! alert("a").label("severity", "critical").ends(4.0)
//! ```

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// `alertname` of every alert that is not told another one.
const NAME: &str = "DiskFull";

#[derive(Clone)]
pub struct Alert {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    generator: Option<String>,
    starts: Option<f64>,
    ends: Option<f64>,
}

/// On this instance; it starts when the scenario begins.
pub fn alert(instance: &str) -> Alert {
    let labels = [("alertname", NAME), ("instance", instance)];
    let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Alert { labels, annotations: BTreeMap::new(), generator: None, starts: Some(0.0), ends: None }
}

impl Alert {
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn annotation(mut self, name: &str, value: &str) -> Self {
        self.annotations.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn generator(mut self, url: &str) -> Self {
        self.generator = Some(url.to_owned());
        self
    }

    pub fn starts(mut self, seconds: f64) -> Self {
        self.starts = Some(seconds);
        self
    }

    /// Leaves `startsAt` to whoever receives the alert.
    pub fn starts_when_posted(mut self) -> Self {
        self.starts = None;
        self
    }

    pub fn ends(mut self, seconds: f64) -> Self {
        self.ends = Some(seconds);
        self
    }

    pub fn has_start(&self) -> bool {
        self.starts.is_some()
    }

    /// `began` is second 0.
    pub fn json(&self, began: jiff::Timestamp) -> Value {
        let mut json = json!({"labels": self.labels, "annotations": self.annotations});
        for (key, seconds) in [("startsAt", self.starts), ("endsAt", self.ends)] {
            if let Some(seconds) = seconds {
                json[key] = moment(began, seconds).into();
            }
        }
        if let Some(url) = &self.generator {
            json["generatorURL"] = url.as_str().into();
        }
        json
    }
}

/// RFC 3339 with milliseconds.
pub fn moment(began: jiff::Timestamp, seconds: f64) -> String {
    let at = began + jiff::SignedDuration::from_millis((seconds * 1_000.0) as i64);
    format!("{at:.3}")
}
