//! Sentry: the webhooks of an internal integration, for issues, issue alerts and metric alerts.
//!
//! Decides that the issue is the condition, so that one resolved in Sentry ends what an alert rule opened; a metric alert
//! is one of its own. The kind of message stands in a header only, so its body tells it; what is neither (installations,
//! single errors) is taken and left alone. Never resolves anything in Sentry.
//!
//! ```text
//! {"action":"triggered","data":{"event":{"issue_id":"1117540176","level":"error","title":"…",…},"triggered_rule":"…"},…}
//! ```
//!
//! Bodies: <https://docs.sentry.io/organization/integrations/integration-platform/webhooks/> (read 2026-11-29).

use super::draft::{Tags, annotation, believed, blank, finish, label, meaning, severity, tags};
use super::fields::{Fields, clipped, required};
use super::{Inbound, Overload, ParseError, Parsed, Severities, Source, SourceSpec, json};
use crate::error::{ConfigError, Table, read_table};
use crate::model::event::TEXT_BYTES_MAX;
use crate::model::{Event, EventStatus, Severity};
use serde::Deserialize;
use serde_json::Value;

pub const SPEC: SourceSpec = SourceSpec {
    name: "sentry",
    title: "Sentry (internal integration, webhooks)",
    docs: include_str!("../../docs/sources/sentry.md"),
    examples: &[TRIGGERED, RESOLVED, CREATED, COMMENT, METRIC_CRITICAL, METRIC_RESOLVED],
    // It never tries again, and counts whoever takes more than a second.
    overload: Overload::TooManyRequests,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    #[serde(default)]
    severities: Severities,
}

fn build(table: &Table) -> Result<Box<dyn Source>, ConfigError> {
    let Configuration { severities } = read_table(table)?;
    Ok(Box::new(Sentry { severities }))
}

struct Sentry {
    severities: Severities,
}

const LEVELS: [(&str, Severity); 6] = [
    ("fatal", Severity::Critical),
    ("error", Severity::Major),
    ("warning", Severity::Warning),
    ("info", Severity::Info),
    ("debug", Severity::Info),
    ("sample", Severity::Info),
];

const METRIC_ACTIONS: [(&str, Severity); 3] =
    [("critical", Severity::Critical), ("warning", Severity::Warning), ("resolved", Severity::Info)];

const ISSUE_ACTIONS: [(&str, EventStatus); 6] = [
    ("created", EventStatus::Firing),
    ("unresolved", EventStatus::Firing),
    ("resolved", EventStatus::Resolved),
    // Nobody wants to hear of it any more; when Sentry thinks otherwise it is unresolved again.
    ("archived", EventStatus::Resolved),
    ("ignored", EventStatus::Resolved),
    ("assigned", EventStatus::Commented),
];

/// What a comment, which does not say it, is called.
const NAMELESS: &str = "Sentry issue";

impl Source for Sentry {
    fn parse(&self, inbound: &Inbound<'_>) -> Result<Parsed, ParseError> {
        let mut body = Fields::read(json::text(inbound.body)?)?;
        let action = body.need_word("action", "what happened, for example `triggered`")?;
        let actor = body.object("actor")?.map(|mut actor| actor.word("name")).transpose()?.flatten();
        let mut data = required(body.object("data")?, "data", "an object")?;
        let event = if let Some(alert) = data.object("metric_alert")? {
            Some(self.metric_alert(inbound, &action, data, alert)?)
        } else if let Some(issue) = data.object("issue")? {
            Some(self.issue(inbound, &action, actor, issue)?)
        } else if let Some(event) = data.object("event")? {
            Some(self.issue_alert(inbound, data, event)?)
        } else if data.has("comment") && action == "created" {
            Some(comment(inbound, actor, data)?)
        } else {
            None
        };
        Ok(Vec::from_iter(event).into())
    }
}

impl Sentry {
    /// A state of an issue that changed.
    fn issue(
        &self,
        inbound: &Inbound<'_>,
        action: &str,
        actor: Option<String>,
        mut issue: Fields,
    ) -> Result<Event, ParseError> {
        let mut event = blank(inbound);
        event.status = meaning("action", action, &ISSUE_ACTIONS)?;
        event.dedup_key = format!("issue/{}", issue.need_word("id", "the number of the issue")?);
        event.name = issue.need_word("title", "the title of the issue")?;
        event.severity = self.level(&mut issue, "data.issue.level")?;
        let first_seen = issue.time("firstSeen")?;
        event.at = if action == "created" { believed(first_seen, inbound) } else { inbound.received_at };
        if let Some(mut project) = issue.object("project")? {
            event.configuration_item = project.word("slug")?.or(project.word("name")?);
        }
        label(&mut event, "issue", issue.word("shortId")?.as_deref());
        label(&mut event, "platform", issue.word("platform")?.as_deref());
        label(&mut event, "substatus", issue.word("substatus")?.as_deref());
        let (web_url, permalink) = (issue.link("web_url")?, issue.link("permalink")?);
        event.url = web_url.or(permalink);
        annotation(&mut event, "culprit", issue.prose("culprit", TEXT_BYTES_MAX)?);
        event.note = match action {
            "assigned" => Some(assigned_to(&mut issue)?),
            "archived" | "ignored" => Some("archived in Sentry".to_owned()),
            _ => None,
        };
        event.author = actor.filter(|_| event.status != EventStatus::Firing);
        // Sentry does not say when it was done, and never says it twice.
        finish(event, &[action, &inbound.received_at.to_string()])
    }

    /// An alert rule that saw an event of an issue.
    fn issue_alert(&self, inbound: &Inbound<'_>, mut data: Fields, mut seen: Fields) -> Result<Event, ParseError> {
        let mut event = blank(inbound);
        event.dedup_key = format!("issue/{}", seen.need_word("issue_id", "the number of the issue")?);
        event.name = seen.need_word("title", "the title of the event")?;
        event.severity = self.level(&mut seen, "data.event.level")?;
        event.at = believed(seen.time("datetime")?, inbound);
        // Its project is a number here, and a name in its address: …/projects/<organization>/<project>/events/…
        let api_url = seen.word("url")?.unwrap_or_default();
        let project = api_url.split("/projects/").nth(1).and_then(|rest| rest.split('/').nth(1));
        event.configuration_item = project.map(str::to_owned);
        tags(&mut event, read_tags(seen.take("tags")?));
        label(&mut event, "environment", seen.word("environment")?.as_deref());
        label(&mut event, "release", seen.word("release")?.as_deref());
        label(&mut event, "platform", seen.word("platform")?.as_deref());
        label(&mut event, "rule", data.word("triggered_rule")?.as_deref());
        event.url = seen.link("web_url")?;
        annotation(&mut event, "culprit", seen.prose("culprit", TEXT_BYTES_MAX)?);
        annotation(&mut event, "description", seen.prose("message", TEXT_BYTES_MAX)?);
        let id = seen.word("event_id")?.unwrap_or_else(|| inbound.received_at.to_string());
        finish(event, &[&id])
    }

    fn metric_alert(
        &self,
        inbound: &Inbound<'_>,
        action: &str,
        mut data: Fields,
        mut alert: Fields,
    ) -> Result<Event, ParseError> {
        let mut event = blank(inbound);
        event.severity = severity("action", action, &self.severities, &METRIC_ACTIONS)?;
        event.status = if action == "resolved" { EventStatus::Resolved } else { EventStatus::Firing };
        let organization = alert.word("organization_id")?.unwrap_or_default();
        let id = alert.need_word("id", "the number of the incident")?;
        event.dedup_key = format!("metric/{organization}/{id}");
        let mut rule = required(alert.object("alert_rule")?, "data.metric_alert.alert_rule", "an object")?;
        event.name = rule.need_word("name", "the name of the rule")?;
        let projects = alert.list("projects")?;
        event.configuration_item = projects.first().cloned();
        label(&mut event, "projects", Some(&projects.join(",")).filter(|_| projects.len() > 1).map(String::as_str));
        label(&mut event, "environment", rule.word("environment")?.as_deref());
        label(&mut event, "aggregate", rule.word("aggregate")?.as_deref());
        let (started_at, closed_at) = (alert.time("date_started")?, alert.time("date_closed")?);
        let at = if event.status == EventStatus::Resolved { closed_at } else { started_at };
        event.at = believed(at, inbound);
        event.url = data.link("web_url")?;
        annotation(&mut event, "summary", data.word("description_title")?.map(|text| clipped(&text, TEXT_BYTES_MAX)));
        annotation(&mut event, "description", data.prose("description_text", TEXT_BYTES_MAX)?);
        annotation(&mut event, "query", rule.prose("query", TEXT_BYTES_MAX)?);
        finish(event, &[action, &inbound.received_at.to_string()])
    }

    fn level(&self, fields: &mut Fields, name: &str) -> Result<Severity, ParseError> {
        match fields.word("level")? {
            Some(word) => severity(name, &word, &self.severities, &LEVELS),
            None => Ok(Severity::Major),
        }
    }
}

/// Something that a person wrote about an issue.
fn comment(inbound: &Inbound<'_>, actor: Option<String>, mut data: Fields) -> Result<Event, ParseError> {
    let mut event = blank(inbound);
    event.status = EventStatus::Commented;
    event.name = NAMELESS.to_owned();
    event.dedup_key = format!("issue/{}", data.need_word("issue_id", "the number of the issue")?);
    event.configuration_item = data.word("project_slug")?;
    event.at = believed(data.time("timestamp")?, inbound);
    event.author = actor;
    event.note = data.prose("comment", TEXT_BYTES_MAX)?;
    let id = data.word("comment_id")?.unwrap_or_else(|| inbound.received_at.to_string());
    finish(event, &[&id])
}

fn assigned_to(issue: &mut Fields) -> Result<String, ParseError> {
    let name = issue.object("assignedTo")?.map(|mut whom| whom.word("name")).transpose()?.flatten();
    Ok(format!("assigned to {} in Sentry", name.as_deref().unwrap_or("nobody")))
}

/// `[["browser","Chrome"]]` or `[{"key":"browser","value":"Chrome"}]`; what is neither is not worth an alert.
fn read_tags(tags: Option<Vec<Value>>) -> Tags {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let pair = |tag: Value| match &tag {
        Value::Array(pair) => Some((text(pair.first())?, text(pair.get(1))?)),
        Value::Object(tag) => Some((text(tag.get("key"))?, text(tag.get("value"))?)),
        _ => None,
    };
    tags.unwrap_or_default().into_iter().filter_map(pair).collect()
}

const TRIGGERED: &str = r#"{"action":"triggered","actor":{"id":"sentry","name":"Sentry","type":"application"},"data":{"event":{"culprit":"checkout(cart)","datetime":"2026-11-21T05:36:51.677000Z","dist":null,"event_id":"e4874d664c3540c1a32eab185f12c5ab","environment":"production","exception":{"values":[{"type":"ReferenceError","value":"heck is not defined","stacktrace":{"frames":[{"filename":"/js/cart.js","lineno":3}]}}]},"fingerprint":["{{ default }}"],"issue_url":"https://sentry.io/api/0/issues/1117540176/","issue_id":"1117540176","level":"error","location":"<anonymous>","logger":"","message":"","platform":"javascript","project":1,"received":1795239411.677,"release":"shop@1.4.2","tags":[["browser","Chrome 142"],["handled","no"],["level","error"],["server_name","web1"]],"timestamp":1795239411.677,"title":"ReferenceError: heck is not defined","type":"error","url":"https://sentry.io/api/0/projects/lab/front-end/events/e4874d664c3540c1a32eab185f12c5ab/","version":"7","web_url":"https://sentry.io/organizations/lab/issues/1117540176/events/e4874d664c3540c1a32eab185f12c5ab/"},"triggered_rule":"Very important alert rule","issue_alert":{"title":"Very important alert rule","settings":[]}},"installation":{"uuid":"a8e5d37a-696c-4c54-adb5-b3f28d64c7de"}}"#;

const RESOLVED: &str = r#"{"action":"resolved","actor":{"id":4711,"name":"Ada","type":"user"},"data":{"issue":{"annotations":[],"assignedTo":null,"count":"12","culprit":"checkout(cart)","firstSeen":"2026-11-21T05:36:51.677000Z","id":"1117540176","lastSeen":"2026-11-21T05:40:02.000000Z","level":"error","logger":null,"metadata":{"type":"ReferenceError","value":"heck is not defined"},"numComments":0,"permalink":null,"platform":"javascript","project":{"id":"1","name":"front-end","platform":"javascript","slug":"front-end"},"shortId":"FRONT-END-9","status":"resolved","statusDetails":{"inNextRelease":true},"substatus":null,"title":"ReferenceError: heck is not defined","type":"error","userCount":7,"web_url":"https://sentry.io/organizations/lab/issues/1117540176/"}},"installation":{"uuid":"a8e5d37a-696c-4c54-adb5-b3f28d64c7de"}}"#;

const CREATED: &str = r#"{"action":"created","actor":{"id":"sentry","name":"Sentry","type":"application"},"data":{"issue":{"count":"1","culprit":"?(runner)","firstSeen":"2026-11-21T05:38:37.391000Z","id":"1170820242","lastSeen":"2026-11-21T05:38:37.391000Z","level":"fatal","permalink":"https://sentry.io/organizations/lab/issues/1170820242/","platform":"python","project":{"id":"2","name":"orders","slug":"orders"},"shortId":"ORDERS-3","status":"unresolved","substatus":"new","title":"OperationalError: connection refused","type":"error"}},"installation":{"uuid":"a8e5d37a-696c-4c54-adb5-b3f28d64c7de"}}"#;

const COMMENT: &str = r#"{"action":"created","actor":{"id":4711,"name":"Ada","type":"user"},"data":{"comment":"the database is being moved","project_slug":"orders","comment_id":1234,"issue_id":1170820242,"timestamp":"2026-11-21T05:39:10.000Z"},"installation":{"uuid":"a8e5d37a-696c-4c54-adb5-b3f28d64c7de"}}"#;

const METRIC_CRITICAL: &str = r#"{"action":"critical","actor":{"id":"sentry","name":"Sentry","type":"application"},"data":{"description_text":"1000 events in the last 10 minutes\nFilter: level:error","description_title":"Critical: Too many errors","metric_alert":{"alert_rule":{"aggregate":"count()","dataset":"events","environment":null,"id":"7","name":"Too many errors","organization_id":"5","projects":["orders"],"query":"level:error","status":0,"time_window":10,"triggers":[]},"date_closed":null,"date_created":"2026-11-21T05:37:40.000000Z","date_detected":"2026-11-21T05:37:00.000000Z","date_started":"2026-11-21T05:36:40.000000Z","id":"4","identifier":"1","organization_id":"5","projects":["orders"],"status":20,"title":"Sacred Marmot","type":2},"web_url":"https://sentry.io/organizations/lab/alerts/1/"},"installation":{"uuid":"a8e5d37a-696c-4c54-adb5-b3f28d64c7de"}}"#;

const METRIC_RESOLVED: &str = r#"{"action":"resolved","actor":{"id":"sentry","name":"Sentry","type":"application"},"data":{"description_text":"10 events in the last 10 minutes\nFilter: level:error","description_title":"Resolved: Too many errors","metric_alert":{"alert_rule":{"aggregate":"count()","id":"7","name":"Too many errors","organization_id":"5","projects":["orders"],"query":"level:error"},"date_closed":"2026-11-21T05:43:40.000000Z","date_started":"2026-11-21T05:36:40.000000Z","id":"4","identifier":"1","organization_id":"5","projects":["orders"],"status":2},"web_url":"https://sentry.io/organizations/lab/alerts/1/"},"installation":{"uuid":"a8e5d37a-696c-4c54-adb5-b3f28d64c7de"}}"#;

#[cfg(test)]
mod tests;
