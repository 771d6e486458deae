//! `jira_configs`: one issue for each group, found again by a label that is a hash of the group's key.
//!
//! Decides which request comes next. Every delivery begins with the search, so an issue that a lost answer left
//! behind is found, and one that people closed for good is left alone.
//!
//! ```text
//! SEARCH ─┬ none, fires ──▶ CREATE ──▶ done        unclear before: SEARCH again
//!         ├ none, is over ──▶ done
//!         └ found ──▶ EDIT ─┬ state fits ──▶ done
//!                           └ TRANSITIONS ──▶ TRANSITION ──▶ done
//! ```

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::{
    Attempt, Connection, HttpRequest, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec,
};
use super::http_config::HttpConfig;
use super::template::{Template, Texts};
use super::{Receiver, below, default_true, delivered, key_hash, read_url, structured, truncate_chars};
use crate::error::{ConfigError, ErrorKind, Secret, Table, read_table};
use crate::model::{AlertStatus, GroupView, Span};

pub const SPEC: SinkSpec = SinkSpec {
    name: "alertmanager_jira",
    title: "`jira_configs` of an alertmanager.yml",
    docs: DOCS,
    example: "api_url: https://jira.example/rest/api/2/\n\
              project: OPS\n\
              issue_type: Incident\n\
              labels: [alertmanager]\n\
              resolve_transition: Close\n\
              reopen_transition: Reopen\n\
              reopen_duration: 2h\n\
              http_config:\n  basic_auth:\n    username: watchbell\n    password: Tr0ub4dor-horse\n",
    rate: Rate { count: 10, per_ms: 1_000 },
    build,
    #[cfg(test)]
    check: tests::check,
};

const DOCS: &str = "\
One issue for each group, with the label `ALERT{hash of the group's key}`.

- `api_url`: up to `/rest/api/2` or `/3`. `api_type`: `cloud`, `datacenter` or `auto` (default).
- `project`, `issue_type`, `priority`, `labels`, `fields` (of any shape): templates.
- `summary` (cut to 255 characters), `description` (32767): a template, or `template` with
  `enable_update`. For version 3 of the API the description is a document in JSON.
- `resolve_transition`, `reopen_transition`, `reopen_duration`, `wont_fix_resolution`: as there.
- `http_config`: with the account, as for `alertmanager_webhook`. `send_resolved`: default true.

Tried again after 408, 425, 429 and 5xx. What alerts say reaches Jira as the templates put it.
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    #[serde(default = "default_true")]
    send_resolved: bool,
    http_config: Option<HttpConfig>,
    api_url: String,
    api_type: Option<String>,
    project: String,
    summary: Option<FieldKeys>,
    description: Option<FieldKeys>,
    #[serde(default)]
    labels: Vec<String>,
    priority: Option<String>,
    issue_type: String,
    #[serde(default)]
    reopen_transition: String,
    #[serde(default)]
    resolve_transition: String,
    #[serde(default)]
    wont_fix_resolution: String,
    #[serde(default)]
    reopen_duration: Span,
    #[serde(default)]
    fields: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum FieldKeys {
    Text(String),
    Full(FullFieldKeys),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FullFieldKeys {
    template: Option<String>,
    enable_update: Option<bool>,
}

struct Jira {
    receiver: Receiver,
    url: reqwest::Url,
    search_url: reqwest::Url,
    project: Template,
    issue_type: Template,
    summary: Field,
    description: Field,
    labels: Vec<Template>,
    priority: Template,
    fields: Map<String, Value>,
    reopen_transition: String,
    resolve_transition: String,
    wont_fix_resolution: String,
    reopen_duration: Span,
}

struct Field {
    template: Template,
    /// Of an issue that is there already.
    is_updated: bool,
}

/// The issue that was found, as far as the following requests need it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Issue {
    key: String,
    is_done: bool,
    /// Once it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    transition: Option<String>,
}

const SUMMARY_CHARS_MAX: usize = 255;
const DESCRIPTION_CHARS_MAX: usize = 32_767;

const CREATE: u16 = 1;
const EDIT: u16 = 2;
const TRANSITIONS: u16 = 3;
const TRANSITION: u16 = 4;

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    for (key, value) in [("project", &keys.project), ("issue_type", &keys.issue_type)] {
        if value.is_empty() {
            return Err(ConfigError::new(key, "expected a name, got nothing"));
        }
    }
    let url = read_url("api_url", &keys.api_url)?;
    let receiver = Receiver::new(setting, keys.send_resolved, keys.http_config)?;
    for (name, value) in &keys.fields {
        structured::check(&setting.go_templates, &format!("fields.{name}"), value)?;
    }
    let labels = keys.labels.into_iter().enumerate();
    let labels = labels.map(|(index, text)| Template::new(setting, &format!("labels[{index}]"), text));
    let field = |key: &str, field: Option<FieldKeys>| {
        let (text, is_updated) = match field {
            None => (None, true),
            Some(FieldKeys::Text(text)) => (Some(text), true),
            // As there, an object without a template leaves the default one.
            Some(FieldKeys::Full(full)) => (full.template, full.enable_update.unwrap_or(true)),
        };
        let template = receiver.template(key, text, &format!("{{{{ template \"jira.default.{key}\" . }}}}"))?;
        Ok::<_, ConfigError>(Field { template, is_updated })
    };
    Ok(Box::new(Jira {
        search_url: search_url(&url, keys.api_type.as_deref())?,
        url,
        project: Template::new(setting, "project", keys.project)?,
        issue_type: Template::new(setting, "issue_type", keys.issue_type)?,
        summary: field("summary", keys.summary)?,
        description: field("description", keys.description)?,
        labels: labels.collect::<Result<_, _>>()?,
        priority: receiver.template("priority", keys.priority, "{{ template \"jira.default.priority\" . }}")?,
        fields: keys.fields,
        reopen_transition: keys.reopen_transition,
        resolve_transition: keys.resolve_transition,
        wont_fix_resolution: keys.wont_fix_resolution,
        reopen_duration: keys.reopen_duration,
        receiver,
    }))
}

/// The cloud searches elsewhere, and only with version 3 of its API.
fn search_url(url: &reqwest::Url, api_type: Option<&str>) -> Result<reqwest::Url, ConfigError> {
    let is_cloud = match api_type.unwrap_or("auto") {
        "auto" => url.host_str().is_some_and(|host| host.ends_with("atlassian.net")),
        "cloud" => true,
        "datacenter" => false,
        other => {
            let message = format!("expected `auto`, `cloud` or `datacenter`, got `{other}`");
            return Err(ConfigError::new("api_type", message));
        }
    };
    if !is_cloud {
        return Ok(below(url, "search"));
    }
    let mut search = below(url, "search/jql");
    search.set_path(&search.path().replacen("/rest/api/2/", "/rest/api/3/", 1));
    Ok(search)
}

/// The next request.
enum Call {
    Search,
    Create,
    Edit(Issue),
    Transitions(Issue),
    Transition(Issue, String),
}

fn call(attempt: &Attempt<'_>) -> Call {
    let progress = attempt.progress;
    let issue = progress.remote.as_deref().and_then(|remote| serde_json::from_str::<Issue>(remote).ok());
    match (progress.step, issue) {
        // A create whose answer was lost may have left its issue.
        (CREATE, _) if !progress.is_ambiguous => Call::Create,
        (EDIT, Some(issue)) => Call::Edit(issue),
        (TRANSITIONS, Some(issue)) => Call::Transitions(issue),
        (TRANSITION, Some(Issue { transition: Some(id), key, is_done })) => {
            Call::Transition(Issue { key, is_done, transition: None }, id)
        }
        _ => Call::Search,
    }
}

/// A text in JQL.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

impl Jira {
    fn jql(&self, texts: &Texts<'_>, group: &GroupView) -> Result<String, RenderError> {
        let mut jql = String::new();
        if !self.wont_fix_resolution.is_empty() {
            // What has no resolution yet is not unequal to one, in JQL.
            let resolution = quoted(&self.wont_fix_resolution);
            jql.push_str(&format!("(resolution is EMPTY or resolution != {resolution}) and "));
        }
        let minutes = self.reopen_duration.as_millis() / 60_000;
        let is_reopened = !self.reopen_transition.is_empty() && minutes > 0;
        if group.status() == AlertStatus::Firing && is_reopened {
            jql.push_str(&format!("(resolutiondate is EMPTY OR resolutiondate >= -{minutes}m) and "));
        } else {
            jql.push_str("statusCategory != Done and ");
        }
        let project = quoted(&texts.text(&self.project)?);
        let label = quoted(&label(group));
        jql.push_str(&format!("project={project} and labels={label} order by status ASC,resolutiondate DESC"));
        Ok(jql)
    }

    fn issue(&self, texts: &Texts<'_>, group: &GroupView, is_new: bool) -> Result<Value, RenderError> {
        let mut fields = Map::new();
        if is_new || self.summary.is_updated {
            let summary = texts.text(&self.summary.template)?;
            fields.insert("summary".into(), truncate_chars(&summary, SUMMARY_CHARS_MAX).into());
        }
        if is_new || self.description.is_updated {
            let description = self.description(texts)?;
            fields.extend(description.map(|description| ("description".to_owned(), description)));
        }
        fields.insert("project".into(), json!({ "key": texts.text(&self.project)? }));
        fields.insert("issuetype".into(), name(texts.text(&self.issue_type)?));
        let mut labels = vec![label(group)];
        for template in &self.labels {
            labels.push(texts.text(template)?);
        }
        labels.sort();
        fields.insert("labels".into(), labels.into());
        let priority = texts.text(&self.priority)?;
        if !priority.is_empty() {
            fields.insert("priority".into(), name(priority));
        }
        for (name, value) in &self.fields {
            fields.insert(name.clone(), structured::render(texts, &format!("fields.{name}"), value)?);
        }
        Ok(json!({ "fields": fields }))
    }

    /// Version 3 of the API takes a document, which the template must make.
    fn description(&self, texts: &Texts<'_>) -> Result<Option<Value>, RenderError> {
        let text = texts.text(&self.description.template)?;
        let text = truncate_chars(&text, DESCRIPTION_CHARS_MAX);
        if !self.url.path().trim_end_matches('/').ends_with("/3") {
            return Ok((!text.is_empty()).then(|| text.into()));
        }
        if text.trim().is_empty() {
            return Ok(None);
        }
        let invalid = |_| RenderError("`description`: expected JSON, which version 3 of the API takes".into());
        serde_json::from_str(text.trim()).map(Some).map_err(invalid)
    }

    fn to(&self, method: &'static str, path: &str, body: &Value) -> Result<HttpRequest, RenderError> {
        self.receiver.json(method, Secret::new(below(&self.url, path).into()), body)
    }

    /// The transition that the issue needs, by name.
    fn transition<'a>(&'a self, issue: &Issue, status: AlertStatus) -> Option<&'a str> {
        let name = match (status, issue.is_done) {
            (AlertStatus::Firing, true) => &self.reopen_transition,
            (AlertStatus::Resolved, false) => &self.resolve_transition,
            _ => return None,
        };
        (!name.is_empty()).then_some(name)
    }

    fn answered(&self, attempt: &Attempt<'_>, status: AlertStatus, response: &Response) -> Outcome {
        let Response::Http { body, .. } = response else { return super::super::foreign_response() };
        let reply = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let next = |issue: &Issue, step| Outcome::Next { remote: serde_json::to_string(issue).ok(), step };
        match call(attempt) {
            Call::Search => match reply["issues"].as_array() {
                None => unreadable("the search"),
                Some(issues) => match (issues.first(), status) {
                    (None, AlertStatus::Resolved) => {
                        Outcome::Delivered { remote: None, proof: "no issue is open".into() }
                    }
                    (None, AlertStatus::Firing) => Outcome::Next { remote: None, step: CREATE },
                    (Some(issue), _) => match issue["key"].as_str() {
                        None => unreadable("the search"),
                        Some(key) => {
                            let is_done = issue["fields"]["status"]["statusCategory"]["key"] == "done";
                            next(&Issue { key: key.to_owned(), is_done, transition: None }, EDIT)
                        }
                    },
                },
            },
            Call::Create => {
                let key = self.receiver.quote(reply["key"].as_str().unwrap_or("an issue"));
                Outcome::Delivered { remote: None, proof: format!("created {key}") }
            }
            Call::Edit(issue) => match self.transition(&issue, status) {
                Some(_) => next(&issue, TRANSITIONS),
                None => delivered(response),
            },
            Call::Transitions(issue) => {
                let Some(wanted) = self.transition(&issue, status) else { return delivered(response) };
                let known = reply["transitions"].as_array().map(Vec::as_slice).unwrap_or_default();
                match known.iter().find(|known| known["name"] == wanted).and_then(|known| known["id"].as_str()) {
                    Some(id) => next(&Issue { transition: Some(id.to_owned()), ..issue }, TRANSITION),
                    None => {
                        let reason = format!("{} has no transition `{wanted}`", self.receiver.quote(&issue.key));
                        Outcome::Rejected { kind: ErrorKind::Rejected, reason }
                    }
                }
            }
            Call::Transition(..) => delivered(response),
        }
    }
}

fn unreadable(what: &str) -> Outcome {
    let reason = format!("Jira answered {what} with something that cannot be read");
    Outcome::Rejected { kind: ErrorKind::Rejected, reason }
}

fn label(group: &GroupView) -> String {
    format!("ALERT{{{}}}", key_hash(&group.key))
}

fn name(name: String) -> Value {
    json!({ "name": name })
}

impl Sink for Jira {
    fn connection(&self) -> Connection<'_> {
        self.receiver.connection()
    }

    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        let group = match self.receiver.group(attempt) {
            Ok(group) => group,
            Err(why) => return Ok(Request::Skip(why)),
        };
        let texts = self.receiver.texts(&group, attempt.now);
        let mut request = match call(attempt) {
            Call::Search => {
                let body = json!({ "fields": ["status"], "jql": self.jql(&texts, &group)?, "maxResults": 2 });
                self.receiver.json("POST", Secret::new(self.search_url.to_string()), &body)?
            }
            Call::Create => self.to("POST", "issue", &self.issue(&texts, &group, true)?)?,
            Call::Edit(issue) => {
                self.to("PUT", &format!("issue/{}", issue.key), &self.issue(&texts, &group, false)?)?
            }
            Call::Transitions(issue) => {
                let url = below(&self.url, &format!("issue/{}/transitions", issue.key));
                self.receiver.get(Secret::new(url.into()))
            }
            Call::Transition(issue, id) => {
                let body = json!({ "transition": { "id": id } });
                self.to("POST", &format!("issue/{}/transitions", issue.key), &body)?
            }
        };
        // Names of transitions come in the language that is asked for.
        request.headers.push(("accept-language".into(), Secret::new("en".into())));
        Ok(Request::Http(request))
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        if let Some(failure) = self.receiver.failure(attempt, response, "Jira", &[429]) {
            return failure;
        }
        match self.receiver.group(attempt) {
            Ok(group) => self.answered(attempt, group.status(), response),
            Err(_) => delivered(response),
        }
    }
}

#[cfg(test)]
mod tests;
