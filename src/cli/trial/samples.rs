//! The alerts that are tried, in whatever form a team has them: labels, what Prometheus posts, normalized events, a file
//! of tests. Decides which form a file is in, and that all of its alerts fire: when they began and ended on record says
//! nothing about where they go.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::{Value, json};

use super::misfit;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::config::{AlertTest, Configuration, read_alert_tests};
use crate::engine::input::Input;
use crate::error::Table;
use crate::model::event::EventStatus;
use crate::model::{Event, Matcher, Timestamp};
use crate::replay::record;
use crate::sources::{self, Inbound, ParseError, Source, generic};

/// What a file holds.
pub enum Samples {
    /// With expectations, perhaps.
    Tests(Vec<AlertTest>),
    /// A body as `POST /api/v2/alerts` takes it.
    Alerts(Vec<Event>),
    /// A journal, or JSON Lines of normalized events: perhaps too much to be held at once.
    Record,
}

/// Kinds of sources that read alerts as Prometheus sends them, the likelier first.
const PROMETHEUS: &str = "prometheus";
/// Bytes that are looked at to tell forms apart.
const HEAD_BYTES: u64 = 64 * 1_024;
const SQLITE: &[u8] = b"SQLite format 3\0";
const GZIP: &[u8] = &[0x1f, 0x8b];

/// Reads alerts as the daemon's own source for them does.
pub struct Reader {
    name: String,
    source: Box<dyn Source>,
}

impl Reader {
    /// # Errors
    /// Never where the configuration was found sound.
    pub fn of(configuration: &Configuration) -> Result<Self, Failure> {
        let configured = configuration.sources.iter().find(|(_, settings)| settings.kind == PROMETHEUS);
        let (name, table) = match configured {
            Some((name, settings)) => (name.clone(), settings.table.clone()),
            None => (PROMETHEUS.to_owned(), Table::new()),
        };
        let failed = || Failure::misuse(format!("cannot set up the source `{name}`"));
        let spec = sources::find(PROMETHEUS).ok_or_else(failed)?;
        let source = (spec.build)(&table).map_err(|error| failed().cause(error))?;
        Ok(Self { name, source })
    }

    /// # Errors
    /// When something is no label.
    pub fn labels(&self, words: &[String], at: Timestamp) -> Result<Event, Failure> {
        let mut labels = Table::new();
        for word in words {
            let shown = output::clipped(word, 80);
            let matchers = Matcher::parse_all(word);
            let matchers = matchers.map_err(|error| Failure::misuse(format!("`{shown}`: {error}")))?;
            for matcher in matchers {
                if matcher.operator() != "=" {
                    let message = format!("`{shown}`: expected a label such as `team=db`, got a matcher");
                    return Err(Failure::misuse(message));
                }
                labels.insert(matcher.name, matcher.value.into());
            }
        }
        let event = self.one(json!({ "labels": labels }), at);
        event.map_err(|error| Failure::misuse("these labels make no alert").cause(error))
    }

    /// An alert of a test, in either form.
    ///
    /// # Errors
    /// Names the field that does not fit.
    pub fn sample(&self, alert: &Table, at: Timestamp) -> Result<Event, ParseError> {
        if !alert.contains_key("name") {
            return self.one(Value::Object(alert.clone()), at);
        }
        let mut alert = alert.clone();
        alert.entry("at").or_insert_with(|| at.to_string().into());
        alert.insert("status".to_owned(), EventStatus::Firing.as_str().into());
        let event = generic::recorded(Value::Object(alert))?;
        sources::check_limits(&event).map(|()| event)
    }

    fn one(&self, alert: Value, at: Timestamp) -> Result<Event, ParseError> {
        let read = self.alerts(vec![alert], at).map_err(|error| {
            let field = error.field.strip_prefix("[0]").unwrap_or(&error.field).trim_start_matches('.').to_owned();
            ParseError { field, ..error }
        })?;
        read.into_iter().next().ok_or_else(|| ParseError::new("body", "nothing", "an alert"))
    }

    fn alerts(&self, mut alerts: Vec<Value>, at: Timestamp) -> Result<Vec<Event>, ParseError> {
        for alert in &mut alerts {
            let Value::Object(alert) = alert else { continue };
            // On record it has ended; where it would go is asked of one that fires.
            alert.remove("endsAt");
            let starts_at = alert.get("startsAt").and_then(Value::as_str).and_then(|text| text.parse().ok());
            if starts_at.is_some_and(|starts_at: Timestamp| starts_at > at) {
                alert.remove("startsAt");
            }
        }
        let body = Value::Array(alerts).to_string();
        let body = body.as_bytes();
        let inbound = Inbound { source: &self.name, content_type: "application/json", body, received_at: at };
        match self.source.parse(&inbound)? {
            sources::Parsed::Partly { mut refused, .. } if !refused.is_empty() => Err(refused.remove(0)),
            parsed => {
                parsed.check_limits()?;
                Ok(parsed.into_events())
            }
        }
    }

    /// Tells what the file holds, and reads what is not long.
    ///
    /// # Errors
    /// When it cannot be read, or something in it is not what it should be.
    pub fn file(&self, path: &Path, at: Timestamp) -> anyhow::Result<Samples> {
        let shown = path.display();
        let failed = |error| Failure::misuse(format!("cannot read `{shown}`")).cause(error);
        let mut head = Vec::new();
        File::open(path).and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head)).map_err(failed)?;
        if is_record(&head) {
            return Ok(Samples::Record);
        }
        let text = std::fs::read_to_string(path).map_err(failed)?;
        if !text.trim_start().starts_with('[') {
            let tests = read_alert_tests(&text, path);
            let message = format!("`{shown}` is no file of tests");
            return Ok(Samples::Tests(tests.map_err(|problems| misfit(message, &problems))?));
        }
        let wrong = || Failure::misuse(format!("`{shown}` holds no alerts as `POST /api/v2/alerts` takes them"));
        let alerts: Vec<Value> = serde_json::from_str(&text).map_err(|error| wrong().cause(error))?;
        Ok(Samples::Alerts(self.alerts(alerts, at).map_err(|error| wrong().cause(error))?))
    }
}

/// A store, something packed, or a first line that is one JSON object by itself.
fn is_record(head: &[u8]) -> bool {
    if head.starts_with(SQLITE) || head.starts_with(GZIP) {
        return true;
    }
    let text = String::from_utf8_lossy(head);
    let first = text.trim_start_matches('\u{feff}').lines().find(|line| !line.trim().is_empty());
    match first.and_then(|line| serde_json::from_str(line).ok()) {
        Some(Value::Object(object)) => !object.contains_key("tests"),
        _ => false,
    }
}

/// The events of a record in which something fires.
///
/// # Errors
/// When it cannot be read, or something in it is not what it should be.
pub fn firing(path: &Path) -> anyhow::Result<Vec<Event>> {
    let events = record::read(path)?.inputs.into_iter().flat_map(|(_, input)| match input {
        Input::Events { events } => events,
        _ => Vec::new(),
    });
    Ok(events.filter(|event| event.status == EventStatus::Firing).collect())
}
