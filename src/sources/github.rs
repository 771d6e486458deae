//! GitHub's webhooks about deployments: `deployment` and `deployment_status`, and pushes where they are asked for.
//!
//! Decides what each state means to a change, and that one deployment is one change, whatever is posted of it. The
//! event's name stands in a header only, so its body tells it. News about anything else are taken and left alone,
//! because a webhook may be set to send everything. Never asks GitHub anything.
//!
//! ```text
//! {"action":"created","deployment":{"id":7,"sha":"…",…},"deployment_status":{"state":"success",…},"repository":{…}}
//! ```
//!
//! Events: <https://docs.github.com/en/webhooks/webhook-events-and-payloads#deployment_status>, signatures:
//! <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>, what an `inactive` deployment
//! is: <https://docs.github.com/en/rest/deployments/statuses> (read 2026-11-28).

use super::deployment::{Names, Targets, blank_change};
use super::fields::{Fields, clipped};
use super::monitor_macros::decode;
use super::{Inbound, Overload, ParseError, Parsed, Source, SourceSpec, check_change_limits, is_http_url, json};
use crate::error::{ConfigError, Table, read_table};
use crate::model::change::{NAME_BYTES_MAX, TEXT_BYTES_MAX};
use crate::model::{Change, ChangeKind, ChangeState, Timestamp};
use serde::Deserialize;
use serde_json::Value;

pub const SPEC: SourceSpec = SourceSpec {
    name: "github",
    title: "GitHub (webhook, deployments)",
    docs: DOCS,
    examples: &[IN_PROGRESS, SUCCESS, CREATED],
    // GitHub never tries again by itself; whoever looks at its list of deliveries sees what was meant.
    overload: Overload::TooManyRequests,
    build,
};

const DOCS: &str = r#"In the settings of the repository or the organization add a webhook: payload URL
`https://watchbell.example/in/github`, content type `application/json`, a secret, and of the individual events
"Deployments" and "Deployment statuses". GitHub signs with the secret:

```yaml
sources:
  github:
    kind: github
    hmac: { secret_file: /etc/watchbell/github.secret, header: X-Hub-Signature-256, prefix: "sha256=" }
    environments: [production]
    items: { "acme/shop": shop-web }
```

Each deployment is one change from its first status to its last. It is about the item that is named like the
repository, without its owner, unless `items` or `services` say otherwise. Preview environments (`transient`) do not
count. GitHub does not send again what it could not deliver: redeliver it from the webhook's page.

| key | default | meaning |
|---|---|---|
| `items`, `services` | | by repository, or by repository and environment: `{ "acme/shop@production": shop-web }` |
| `environments` | all | names of the environments that count |
| `pushes` | `false` | a push to the default branch is a change, for what goes live when it is merged |
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
    #[serde(default)]
    pushes: bool,
}

fn build(table: &Table) -> Result<Box<dyn Source>, ConfigError> {
    let Configuration { items, services, environments, pushes } = read_table(table)?;
    Ok(Box::new(GitHub { targets: Targets::new(items, services, environments)?, pushes }))
}

struct GitHub {
    targets: Targets,
    pushes: bool,
}

impl Source for GitHub {
    fn parse(&self, inbound: &Inbound<'_>) -> Result<Parsed, ParseError> {
        let text = json::text(inbound.body)?;
        let change = match text.trim_start().strip_prefix("payload=") {
            Some(form) => {
                let value = form.split('&').next().and_then(decode);
                let json = value.ok_or_else(|| ParseError::new("payload", form, "JSON in the encoding of forms"))?;
                self.change(inbound, Fields::read(json::text(json.as_bytes())?)?)?
            }
            None => self.change(inbound, Fields::read(text)?)?,
        };
        Ok(Vec::from_iter(change).into())
    }
}

impl GitHub {
    fn change(&self, inbound: &Inbound<'_>, mut body: Fields) -> Result<Option<Change>, ParseError> {
        // Other events name a deployment as well, but none of them under this action.
        let is_created = body.text("action")?.as_deref() == Some("created");
        if is_created && (body.has("deployment") || body.has("deployment_status")) {
            return self.deployment(inbound, &mut body);
        }
        if self.pushes && body.has("ref") && body.has("after") && body.has("pusher") {
            return self.push(inbound, &mut body);
        }
        // Every event says who caused it; the first one greets.
        if body.has("sender") || body.has("zen") || body.has("repository") {
            return Ok(None);
        }
        Err(ParseError::new("deployment", "nothing", "the deployment of a webhook event of GitHub"))
    }

    fn deployment(&self, inbound: &Inbound<'_>, body: &mut Fields) -> Result<Option<Change>, ParseError> {
        let mut repository = Repository::take(body)?;
        let Some(mut deployment) = body.object("deployment")? else {
            return Err(ParseError::new("deployment", "nothing", "the deployment that the status is of"));
        };
        let environment: String = deployment.need("environment", "the name of an environment")?;
        let id: u64 = deployment.need("id", "a number")?;
        let sha = deployment.prose("sha", NAME_BYTES_MAX)?;
        let branch = deployment.prose("ref", NAME_BYTES_MAX)?;
        let mut said = deployment.prose("description", TEXT_BYTES_MAX / 2)?;
        let is_transient = deployment.take("transient_environment")?.unwrap_or(false);
        let author = login(&mut deployment, "creator")?;
        let mut at = deployment.time("created_at")?;
        let mut state = Some(ChangeState::Planned);
        let mut url = None;
        if let Some(mut status) = body.object("deployment_status")? {
            state = read_state(&status.need::<String>("state", STATES)?)?;
            at = status.time("created_at")?;
            url = status.prose("log_url", TEXT_BYTES_MAX)?.or(status.prose("target_url", TEXT_BYTES_MAX)?);
            said = status.prose("description", TEXT_BYTES_MAX / 2)?.or(said);
        }
        let Some(state) = state else { return Ok(None) };
        if is_transient || !self.targets.has_environment([environment.as_str()].into_iter()) {
            return Ok(None);
        }
        let what = branch.unwrap_or_else(|| "a commit".to_owned());
        let said = said.map(|said| format!(": {said}")).unwrap_or_default();
        let change = Change {
            id: format!("deployment/{id}"),
            state,
            reference: sha.as_deref().map(short),
            summary: clipped(&format!("{what} to {environment}{said}"), TEXT_BYTES_MAX),
            author,
            url: url.filter(|url| is_http_url(url)).or_else(|| repository.url.take()),
            ..blank_change(inbound, ChangeKind::Deploy, at)
        };
        self.finish(change, &repository.name, Some(&environment))
    }

    fn push(&self, inbound: &Inbound<'_>, body: &mut Fields) -> Result<Option<Change>, ParseError> {
        let mut repository = Repository::take(body)?;
        let branch: String = body.need("ref", "the name of a branch")?;
        let after: String = body.need("after", "the commit after the push")?;
        let is_deleted = body.take("deleted")?.unwrap_or(false);
        let is_default =
            repository.default_branch.as_deref().is_some_and(|name| branch == format!("refs/heads/{name}"));
        if is_deleted || !is_default {
            return Ok(None);
        }
        let message =
            body.object("head_commit")?.map(|mut commit| commit.prose("message", TEXT_BYTES_MAX)).transpose()?;
        let pusher = body.object("pusher")?.map(|mut pusher| pusher.prose("name", NAME_BYTES_MAX)).transpose()?;
        let compare = body.prose("compare", TEXT_BYTES_MAX)?;
        let change = Change {
            id: format!("push/{after}"),
            reference: Some(short(&after)),
            summary: message.flatten().and_then(|text| text.lines().next().map(str::to_owned)).unwrap_or_default(),
            author: pusher.flatten(),
            url: compare.filter(|url| is_http_url(url)).or_else(|| repository.url.take()),
            ..blank_change(inbound, ChangeKind::Commit, repository.pushed_at)
        };
        self.finish(change, &repository.name, None)
    }

    fn finish(
        &self,
        mut change: Change,
        repository: &str,
        environment: Option<&str>,
    ) -> Result<Option<Change>, ParseError> {
        self.targets.name(&mut change, repository, environment);
        check_change_limits(&change)?;
        Ok(Some(change))
    }
}

/// What every event says of its repository.
struct Repository {
    name: String,
    url: Option<String>,
    default_branch: Option<String>,
    /// Seconds since 1970 in a push, a text elsewhere.
    pushed_at: Option<Timestamp>,
}

impl Repository {
    fn take(body: &mut Fields) -> Result<Self, ParseError> {
        let Some(mut repository) = body.object("repository")? else {
            return Err(ParseError::new("repository", "nothing", "the repository of the event"));
        };
        let pushed_at: Option<Value> = repository.take("pushed_at")?;
        let seconds = pushed_at.as_ref().and_then(Value::as_i64).and_then(|seconds| seconds.checked_mul(1_000));
        Ok(Self {
            name: repository.need("full_name", "a name such as `acme/shop`")?,
            url: repository.prose("html_url", TEXT_BYTES_MAX)?.filter(|url| is_http_url(url)),
            default_branch: repository.prose("default_branch", NAME_BYTES_MAX)?,
            pushed_at: seconds.map(Timestamp::from_millis),
        })
    }
}

const STATES: &str = "`queued`, `pending`, `waiting`, `in_progress`, `success`, `failure`, `error` or `inactive`";

/// None for one that was only replaced by a later one.
fn read_state(word: &str) -> Result<Option<ChangeState>, ParseError> {
    Ok(Some(match word {
        "queued" | "pending" | "waiting" => ChangeState::Planned,
        "in_progress" => ChangeState::Started,
        "success" => ChangeState::Succeeded,
        "failure" | "error" => ChangeState::Failed,
        "inactive" => return Ok(None),
        other => return Err(ParseError::new("deployment_status.state", other, STATES)),
    }))
}

fn login(of: &mut Fields, name: &str) -> Result<Option<String>, ParseError> {
    of.object(name)?.map(|mut user| user.prose("login", NAME_BYTES_MAX)).transpose().map(Option::flatten)
}

/// As people write a commit.
fn short(sha: &str) -> String {
    sha.chars().take(8).collect()
}

const IN_PROGRESS: &str = r#"{"action":"created","deployment_status":{"id":209916254,"state":"in_progress","creator":{"login":"ada"},"description":"","environment":"production","target_url":"https://github.com/acme/shop/runs/145988746","created_at":"2026-11-21T05:00:10Z","updated_at":"2026-11-21T05:00:10Z","environment_url":"","log_url":"https://github.com/acme/shop/runs/145988746"},"deployment":{"id":145988746,"task":"deploy","original_environment":"production","environment":"production","description":null,"created_at":"2026-11-21T05:00:00Z","updated_at":"2026-11-21T05:00:10Z","creator":{"login":"ada"},"sha":"f95f852bd8fca8fcc58a9a2d6c842781e32a215e","ref":"main","payload":{},"transient_environment":false,"production_environment":true},"check_run":null,"workflow_run":null,"repository":{"id":186853002,"name":"shop","full_name":"acme/shop","private":true,"html_url":"https://github.com/acme/shop","pushed_at":"2026-11-21T04:58:00Z","default_branch":"main"},"sender":{"login":"ada"}}"#;

const SUCCESS: &str = r#"{"action":"created","deployment_status":{"id":209916300,"state":"success","creator":{"login":"ada"},"description":"rolled out to 12 pods","environment":"production","target_url":"","created_at":"2026-11-21T05:03:00Z","updated_at":"2026-11-21T05:03:00Z","log_url":""},"deployment":{"id":145988746,"task":"deploy","environment":"production","description":null,"created_at":"2026-11-21T05:00:00Z","updated_at":"2026-11-21T05:03:00Z","creator":{"login":"ada"},"sha":"f95f852bd8fca8fcc58a9a2d6c842781e32a215e","ref":"main","transient_environment":false,"production_environment":true},"repository":{"id":186853002,"name":"shop","full_name":"acme/shop","html_url":"https://github.com/acme/shop","default_branch":"main"},"sender":{"login":"ada"}}"#;

const CREATED: &str = r#"{"action":"created","deployment":{"id":145988747,"task":"deploy","environment":"staging","description":"nightly","created_at":"2026-11-21T05:10:00Z","creator":{"login":"release[bot]"},"sha":"a10867b14bb761a232cd80139fbd4c0d33264240","ref":"v1.4.3","transient_environment":false,"production_environment":false},"workflow":null,"workflow_run":null,"repository":{"id":186853002,"name":"shop","full_name":"acme/shop","html_url":"https://github.com/acme/shop","default_branch":"main"},"sender":{"login":"release[bot]"}}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests::{changes_with, check_change, parse_changes, parse_error};
    use serde_json::json;

    const NOW: &str = "2026-11-21T05:45:40.000Z";

    #[test]
    fn one_deployment_is_one_change_in_its_states() {
        insta::assert_snapshot!(check_change(&SPEC, IN_PROGRESS, NOW, 0), @r#"
        {
          "id": "deployment/145988746",
          "at": "2026-11-21T05:00:10.000Z",
          "received_at": "2026-11-21T05:45:40.000Z",
          "source": "github",
          "kind": "deploy",
          "state": "started",
          "configuration_item": "shop",
          "reference": "f95f852b",
          "summary": "main to production",
          "author": "ada",
          "url": "https://github.com/acme/shop/runs/145988746"
        }
        "#);
        insta::assert_snapshot!(check_change(&SPEC, SUCCESS, NOW, 0), @r#"
        {
          "id": "deployment/145988746",
          "at": "2026-11-21T05:03:00.000Z",
          "received_at": "2026-11-21T05:45:40.000Z",
          "source": "github",
          "kind": "deploy",
          "state": "succeeded",
          "configuration_item": "shop",
          "reference": "f95f852b",
          "summary": "main to production: rolled out to 12 pods",
          "author": "ada",
          "url": "https://github.com/acme/shop"
        }
        "#);
        insta::assert_snapshot!(check_change(&SPEC, CREATED, NOW, 0), @r#"
        {
          "id": "deployment/145988747",
          "at": "2026-11-21T05:10:00.000Z",
          "received_at": "2026-11-21T05:45:40.000Z",
          "source": "github",
          "kind": "deploy",
          "state": "planned",
          "configuration_item": "shop",
          "reference": "a10867b1",
          "summary": "v1.4.3 to staging: nightly",
          "author": "release[bot]",
          "url": "https://github.com/acme/shop"
        }
        "#);
    }

    #[test]
    fn every_state_is_known() {
        let state = |word: &str| {
            let body = SUCCESS.replace(r#""state":"success""#, &format!(r#""state":"{word}""#));
            parse_changes(&SPEC, &body, NOW).first().map(|change| change.state.as_str())
        };
        let words = ["queued", "pending", "waiting", "in_progress", "success", "failure", "error", "inactive"];
        let states = words.map(|word| state(word).unwrap_or("none"));
        assert_eq!(states, ["planned", "planned", "planned", "started", "succeeded", "failed", "failed", "none"]);
    }

    #[test]
    fn repositories_and_environments_are_named_as_configured() {
        let named = |table: serde_json::Value, body: &str| {
            let changes = changes_with(&SPEC, &table, body, NOW);
            changes.first().map(|change| (change.configuration_item.clone(), change.service.clone()))
        };
        let own = |text: &str| Some(text.to_owned());
        let items = json!({"items": {"Acme/Shop": "shop-web", "acme/shop@staging": "shop-web-staging"}});
        assert_eq!(named(items.clone(), SUCCESS), Some((own("shop-web"), None)));
        assert_eq!(named(items, CREATED), Some((own("shop-web-staging"), None)));
        assert_eq!(named(json!({"services": {"acme/shop": "shop"}}), SUCCESS), Some((None, own("shop"))));
        let both = json!({"items": {"acme/shop": "web"}, "services": {"acme/shop": "shop"}});
        assert_eq!(named(both, SUCCESS), Some((own("web"), own("shop"))));
        assert_eq!(named(json!({"environments": ["Production"]}), SUCCESS), Some((own("shop"), None)));
        assert_eq!(named(json!({"environments": ["production"]}), CREATED), None);
        let preview = SUCCESS.replace(r#""transient_environment":false"#, r#""transient_environment":true"#);
        assert_eq!(named(json!({}), &preview), None);
        let error = build(json!({"items": {"acme/shop": ""}}).as_object().unwrap()).err().unwrap();
        insta::assert_snapshot!(error.to_string(), @"`items.acme/shop`: expected a name of 1 to 1024 bytes, got 0 bytes");
    }

    /// A push as GitHub sends it, without what nobody reads.
    const PUSH: &str = r#"{"ref":"refs/heads/main","before":"0","after":"f95f852bd8fca8fcc58a9a2d6c842781e32a215e","deleted":false,"compare":"https://github.com/acme/shop/compare/a...b","head_commit":{"message":"Cache prices\n\nfor an hour"},"pusher":{"name":"ada"},"repository":{"full_name":"acme/shop","pushed_at":1795237440,"default_branch":"main"},"sender":{"login":"ada"}}"#;

    #[test]
    fn pushes_count_where_they_are_asked_for() {
        assert!(parse_changes(&SPEC, PUSH, NOW).is_empty());
        let table = json!({"pushes": true});
        let changes = changes_with(&SPEC, &table, PUSH, NOW);
        insta::assert_snapshot!(serde_json::to_string(&changes).unwrap(), @r#"[{"id":"push/f95f852bd8fca8fcc58a9a2d6c842781e32a215e","at":"2026-11-21T05:04:00.000Z","received_at":"2026-11-21T05:45:40.000Z","source":"github","kind":"commit","state":"succeeded","configuration_item":"shop","reference":"f95f852b","summary":"Cache prices","author":"ada","url":"https://github.com/acme/shop/compare/a...b"}]"#);
        for other in [PUSH.replace("refs/heads/main", "refs/heads/try"), PUSH.replace("false", "true")] {
            assert!(changes_with(&SPEC, &table, &other, NOW).is_empty());
        }
    }

    #[test]
    fn other_news_and_forms_are_taken() {
        for other in [
            r#"{"zen":"Keep it logically awesome.","hook_id":1,"repository":{"full_name":"acme/shop"}}"#,
            r#"{"action":"requested","deployment":{"id":1},"deployment_callback_url":"x","sender":{"login":"ada"}}"#,
            r#"{"action":"queued","workflow_job":{},"deployment":{"id":1},"sender":{"login":"ada"}}"#,
        ] {
            assert!(parse_changes(&SPEC, other, NOW).is_empty(), "{other}");
        }
        let encoded: String = SUCCESS.bytes().map(|byte| format!("%{byte:02X}")).collect();
        assert_eq!(parse_changes(&SPEC, &format!("payload={encoded}"), NOW), parse_changes(&SPEC, SUCCESS, NOW));
    }

    #[test]
    fn says_what_is_wrong() {
        let check = |from: &str, to: &str| parse_error(&SPEC, &SUCCESS.replace(from, to), NOW);
        insta::assert_snapshot!(parse_error(&SPEC, "{}", NOW), @"`deployment`: expected the deployment of a webhook event of GitHub, got nothing");
        insta::assert_snapshot!(parse_error(&SPEC, "[{}]", NOW), @"`body`: expected an object, got [{}]");
        insta::assert_snapshot!(parse_error(&SPEC, "payload=%7", NOW), @"`payload`: expected JSON in the encoding of forms, got %7");
        insta::assert_snapshot!(check(r#""state":"success""#, r#""state":"done""#), @"`deployment_status.state`: expected `queued`, `pending`, `waiting`, `in_progress`, `success`, `failure`, `error` or `inactive`, got done");
        insta::assert_snapshot!(check(r#""full_name":"acme/shop""#, r#""full_name":7"#), @"`repository.full_name`: expected a string, got integer `7`");
        insta::assert_snapshot!(check(r#""id":145988746"#, r#""id":"x""#), @r#"`deployment.id`: expected u64, got string "x""#);
        insta::assert_snapshot!(check("2026-11-21T05:03:00Z", "2027-11-21T05:03:00Z"), @"`at`: expected a time not more than 24 h ahead of ours, got 2027-11-21T05:03:00.000Z");
        insta::assert_snapshot!(check(r#""environment":"production","description":null"#, r#""description":null"#), @"`deployment.environment`: expected the name of an environment, got nothing");
    }
}
