//! GitLab's webhooks about deployments and feature flags.
//!
//! Decides what each status means to a change, and that one deployment is one change, whatever is posted of it. Other
//! kinds of events are taken and left alone, because a webhook may be set to send them. Never asks GitLab anything.
//!
//! ```text
//! {"object_kind":"deployment","status":"success","status_changed_at":"2026-11-21 05:03:00 +0000","deployment_id":15,…}
//! ```
//!
//! Events: <https://docs.gitlab.com/user/project/integrations/webhook_events/#deployment-events>, the secret token:
//! <https://docs.gitlab.com/user/project/integrations/webhooks/>. The fields of a deployment event are not confirmed
//! against that page yet.

use super::deployment::{Names, Targets, blank_change};
use super::fields::{Fields, clipped};
use super::{Inbound, Overload, ParseError, Parsed, Source, SourceSpec, check_change_limits, is_http_url, json};
use crate::error::{ConfigError, Table, read_table};
use crate::model::change::{NAME_BYTES_MAX, TEXT_BYTES_MAX};
use crate::model::{Change, ChangeKind, ChangeState, Timestamp};
use serde::Deserialize;

pub const SPEC: SourceSpec = SourceSpec {
    name: "gitlab",
    title: "GitLab (webhook, deployments and feature flags)",
    docs: DOCS,
    examples: &[RUNNING, SUCCESS, FLAG],
    // Whatever the answer is, GitLab does not send again.
    overload: Overload::TooManyRequests,
    build,
};

const DOCS: &str = r#"In the project or the group under "Settings > Webhooks" add one: URL
`https://watchbell.example/in/gitlab`, a secret token, and of the triggers "Deployment events" (and "Feature flag
events", if flags change what users see). GitLab sends the token in a header of its own:

```yaml
sources:
  gitlab:
    kind: gitlab
    token_file: /etc/watchbell/gitlab.token
    token_header: X-Gitlab-Token
    environments: [production]
    items: { "acme/shop": shop-web }
```

Each deployment is one change from its start to its end. It is about the item that is named like the project, without
its group, unless `items` or `services` say otherwise. GitLab switches a webhook off that fails again and again.

| key | default | meaning |
|---|---|---|
| `items`, `services` | | by project, or by project and environment: `{ "acme/shop@production": shop-web }` |
| `environments` | all | names or tiers of the environments that count |
"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    #[serde(default)]
    items: Names,
    #[serde(default)]
    services: Names,
    #[serde(default)]
    environments: Vec<String>,
}

fn build(table: &Table) -> Result<Box<dyn Source>, ConfigError> {
    let Configuration { items, services, environments } = read_table(table)?;
    Ok(Box::new(GitLab { targets: Targets::new(items, services, environments)? }))
}

struct GitLab {
    targets: Targets,
}

impl Source for GitLab {
    fn parse(&self, inbound: &Inbound<'_>) -> Result<Parsed, ParseError> {
        let mut body = Fields::read(json::text(inbound.body)?)?;
        let kind: Option<String> = body.text("object_kind")?;
        let change = match kind.as_deref() {
            Some("deployment") => self.deployment(inbound, &mut body)?,
            Some("feature_flag") => Some(self.flag(inbound, &mut body)?),
            Some(_) => None,
            // Events of groups and members have a name instead of a kind.
            None if body.has("event_name") => None,
            None => return Err(ParseError::new("object_kind", "nothing", "the kind of a webhook event of GitLab")),
        };
        Ok(Vec::from_iter(change).into())
    }
}

impl GitLab {
    fn deployment(&self, inbound: &Inbound<'_>, body: &mut Fields) -> Result<Option<Change>, ParseError> {
        let project = Project::take(body)?;
        let state = read_status(&body.need::<String>("status", STATUSES)?)?;
        let at = body.text("status_changed_at")?.map(|text| read_time(&text)).transpose()?;
        let id: u64 = body.need("deployment_id", "a number")?;
        let environment: String = body.need("environment", "the name of an environment")?;
        let tier = body.prose("environment_tier", NAME_BYTES_MAX)?;
        let title = body.prose("commit_title", TEXT_BYTES_MAX / 2)?;
        let what = body.prose("ref", NAME_BYTES_MAX)?.unwrap_or_else(|| "a commit".to_owned());
        let url = body.prose("deployable_url", TEXT_BYTES_MAX)?.filter(|url| is_http_url(url));
        let title = title.map(|title| format!(": {title}")).unwrap_or_default();
        let mut change = Change {
            id: format!("deployment/{id}"),
            state: state.unwrap_or_default(),
            reference: body.prose("short_sha", NAME_BYTES_MAX)?,
            summary: clipped(&format!("{what} to {environment}{title}"), TEXT_BYTES_MAX),
            author: user(body)?,
            url: url.or(project.url),
            ..blank_change(inbound, ChangeKind::Deploy, at)
        };
        let names = [Some(environment.as_str()), tier.as_deref()].into_iter().flatten();
        if state.is_none() || !self.targets.has_environment(names) {
            return Ok(None);
        }
        self.targets.name(&mut change, &project.name, Some(&environment));
        check_change_limits(&change)?;
        Ok(Some(change))
    }

    fn flag(&self, inbound: &Inbound<'_>, body: &mut Fields) -> Result<Change, ParseError> {
        let project = Project::take(body)?;
        let Some(mut flag) = body.object("object_attributes")? else {
            return Err(ParseError::new("object_attributes", "nothing", "the flag that was switched"));
        };
        let (id, name): (u64, String) = (flag.need("id", "a number")?, flag.need("name", "the name of a flag")?);
        let is_active: bool = flag.need("active", "`true` or `false`")?;
        let mut change = Change {
            // The event has no time and no number of its own: each switch is a change.
            id: format!("feature_flag/{id}/{}", inbound.received_at.as_millis()),
            reference: Some(clipped(&name, NAME_BYTES_MAX)),
            summary: if is_active { "switched on" } else { "switched off" }.to_owned(),
            author: user(body)?,
            url: project.url,
            ..blank_change(inbound, ChangeKind::Flag, None)
        };
        self.targets.name(&mut change, &project.name, None);
        check_change_limits(&change)?;
        Ok(change)
    }
}

struct Project {
    name: String,
    url: Option<String>,
}

impl Project {
    fn take(body: &mut Fields) -> Result<Self, ParseError> {
        let Some(mut project) = body.object("project")? else {
            return Err(ParseError::new("project", "nothing", "the project of the event"));
        };
        Ok(Self {
            name: project.need("path_with_namespace", "a path such as `acme/shop`")?,
            url: project.prose("web_url", TEXT_BYTES_MAX)?.filter(|url| is_http_url(url)),
        })
    }
}

fn user(body: &mut Fields) -> Result<Option<String>, ParseError> {
    let Some(mut user) = body.object("user")? else { return Ok(None) };
    Ok(user.prose("username", NAME_BYTES_MAX)?.or(user.prose("name", NAME_BYTES_MAX)?))
}

const STATUSES: &str = "`created`, `blocked`, `running`, `success`, `failed`, `canceled` or `skipped`";

/// None for one that never was.
fn read_status(word: &str) -> Result<Option<ChangeState>, ParseError> {
    Ok(Some(match word {
        "created" | "blocked" => ChangeState::Planned,
        "running" => ChangeState::Started,
        "success" => ChangeState::Succeeded,
        "failed" | "canceled" => ChangeState::Failed,
        "skipped" => return Ok(None),
        other => return Err(ParseError::new("status", other, STATUSES)),
    }))
}

/// `2026-11-21 05:03:00 +0100` or `2026-11-21 05:03:00 UTC`, in Ruby's form, or RFC 3339.
fn read_time(text: &str) -> Result<Timestamp, ParseError> {
    let parts: Vec<&str> = text.split_whitespace().collect();
    let rfc3339 = match parts[..] {
        [date, time, "UTC"] => format!("{date}T{time}Z"),
        [date, time, zone] => match zone.split_at_checked(3) {
            Some((hours, minutes)) if !minutes.starts_with(':') => format!("{date}T{time}{hours}:{minutes}"),
            _ => format!("{date}T{time}{zone}"),
        },
        _ => text.to_owned(),
    };
    rfc3339
        .parse()
        .map_err(|_| ParseError::new("status_changed_at", text, "a time such as `2026-11-21 05:00:00 +0100`"))
}

const RUNNING: &str = r#"{"object_kind":"deployment","status":"running","status_changed_at":"2026-11-21 06:00:10 +0100","deployment_id":15,"deployable_id":796,"deployable_url":"https://gitlab.lab.example/acme/shop/-/jobs/796","environment":"production","environment_tier":"production","environment_slug":"production","environment_external_url":"https://shop.lab.example","project":{"id":30,"name":"shop","description":"","web_url":"https://gitlab.lab.example/acme/shop","namespace":"Acme","path_with_namespace":"acme/shop","default_branch":"main"},"ref":"main","short_sha":"279484c0","user":{"id":1,"name":"Ada","username":"ada","email":"[REDACTED]"},"user_url":"https://gitlab.lab.example/ada","commit_url":"https://gitlab.lab.example/acme/shop/-/commit/279484c09fbe69ededfced8c1bb6e6d24616b468","commit_title":"Cache prices"}"#;

const SUCCESS: &str = r#"{"object_kind":"deployment","status":"success","status_changed_at":"2026-11-21 06:03:00 +0100","deployment_id":15,"deployable_id":796,"deployable_url":"https://gitlab.lab.example/acme/shop/-/jobs/796","environment":"production","environment_tier":"production","project":{"id":30,"name":"shop","web_url":"https://gitlab.lab.example/acme/shop","path_with_namespace":"acme/shop"},"ref":"main","short_sha":"279484c0","user":{"id":1,"name":"Ada","username":"ada"},"commit_title":"Cache prices"}"#;

const FLAG: &str = r#"{"object_kind":"feature_flag","project":{"id":30,"name":"shop","web_url":"https://gitlab.lab.example/acme/shop","path_with_namespace":"acme/shop"},"user":{"id":1,"name":"Ada","username":"ada"},"user_url":"https://gitlab.lab.example/ada","object_attributes":{"id":6,"name":"new-checkout","description":"","active":true}}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests::{changes_with, check_change, parse_changes, parse_error};
    use serde_json::json;

    const NOW: &str = "2026-11-21T05:45:40.000Z";

    #[test]
    fn one_deployment_is_one_change_in_its_states() {
        insta::assert_snapshot!(check_change(&SPEC, RUNNING, NOW, 0), @r#"
        {
          "id": "deployment/15",
          "at": "2026-11-21T05:00:10.000Z",
          "received_at": "2026-11-21T05:45:40.000Z",
          "source": "gitlab",
          "kind": "deploy",
          "state": "started",
          "configuration_item": "shop",
          "reference": "279484c0",
          "summary": "main to production: Cache prices",
          "author": "ada",
          "url": "https://gitlab.lab.example/acme/shop/-/jobs/796"
        }
        "#);
        insta::assert_snapshot!(check_change(&SPEC, SUCCESS, NOW, 0), @r#"
        {
          "id": "deployment/15",
          "at": "2026-11-21T05:03:00.000Z",
          "received_at": "2026-11-21T05:45:40.000Z",
          "source": "gitlab",
          "kind": "deploy",
          "state": "succeeded",
          "configuration_item": "shop",
          "reference": "279484c0",
          "summary": "main to production: Cache prices",
          "author": "ada",
          "url": "https://gitlab.lab.example/acme/shop/-/jobs/796"
        }
        "#);
    }

    #[test]
    fn a_flag_is_a_change_too() {
        insta::assert_snapshot!(check_change(&SPEC, FLAG, NOW, 0), @r#"
        {
          "id": "feature_flag/6/1795239940000",
          "at": "2026-11-21T05:45:40.000Z",
          "received_at": "2026-11-21T05:45:40.000Z",
          "source": "gitlab",
          "kind": "flag",
          "state": "succeeded",
          "configuration_item": "shop",
          "reference": "new-checkout",
          "summary": "switched on",
          "author": "ada",
          "url": "https://gitlab.lab.example/acme/shop"
        }
        "#);
    }

    #[test]
    fn every_status_is_known() {
        let state = |word: &str| {
            let body = SUCCESS.replace(r#""status":"success""#, &format!(r#""status":"{word}""#));
            parse_changes(&SPEC, &body, NOW).first().map_or("none", |change| change.state.as_str())
        };
        let words = ["created", "blocked", "running", "success", "failed", "canceled", "skipped"];
        assert_eq!(words.map(state), ["planned", "planned", "started", "succeeded", "failed", "failed", "none"]);
    }

    #[test]
    fn times_are_read_in_every_form() {
        for text in [
            "2026-11-21 06:03:00 +0100",
            "2026-11-21 05:03:00 UTC",
            "2026-11-21T05:03:00Z",
            "2026-11-21 06:03:00 +01:00",
        ] {
            assert_eq!(read_time(text).unwrap().to_string(), "2026-11-21T05:03:00.000Z", "{text}");
        }
        insta::assert_snapshot!(read_time("yesterday at noon").unwrap_err(), @"`status_changed_at`: expected a time such as `2026-11-21 05:00:00 +0100`, got yesterday at noon");
    }

    #[test]
    fn projects_and_environments_are_named_as_configured() {
        let item = |table: serde_json::Value| {
            let changes = changes_with(&SPEC, &table, SUCCESS, NOW);
            changes.into_iter().next().and_then(|change| change.configuration_item)
        };
        assert_eq!(item(json!({})).as_deref(), Some("shop"));
        assert_eq!(item(json!({"items": {"acme/shop@production": "shop-web"}})).as_deref(), Some("shop-web"));
        assert_eq!(item(json!({"environments": ["staging"]})), None);
        let staged = SUCCESS.replace(r#""environment":"production""#, r#""environment":"eu-1""#);
        assert_eq!(changes_with(&SPEC, &json!({"environments": ["production"]}), &staged, NOW).len(), 1, "by tier");
    }

    #[test]
    fn other_news_are_left_alone() {
        assert!(parse_changes(&SPEC, r#"{"object_kind":"push","ref":"refs/heads/main"}"#, NOW).is_empty());
        assert!(parse_changes(&SPEC, r#"{"event_name":"user_add_to_group"}"#, NOW).is_empty());
    }

    #[test]
    fn says_what_is_wrong() {
        let check = |from: &str, to: &str| parse_error(&SPEC, &SUCCESS.replace(from, to), NOW);
        insta::assert_snapshot!(parse_error(&SPEC, "{}", NOW), @"`object_kind`: expected the kind of a webhook event of GitLab, got nothing");
        insta::assert_snapshot!(check(r#""status":"success""#, r#""status":"fine""#), @"`status`: expected `created`, `blocked`, `running`, `success`, `failed`, `canceled` or `skipped`, got fine");
        insta::assert_snapshot!(check("2026-11-21 06:03:00 +0100", "soon"), @"`status_changed_at`: expected a time such as `2026-11-21 05:00:00 +0100`, got soon");
        insta::assert_snapshot!(check(r#""deployment_id":15,"#, ""), @"`deployment_id`: expected a number, got nothing");
        insta::assert_snapshot!(check(r#""path_with_namespace":"acme/shop""#, r#""path_with_namespace":[]"#), @"`project.path_with_namespace`: expected a string, got an array");
    }
}
