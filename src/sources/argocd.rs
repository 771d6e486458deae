//! Argo CD: what its notifications tell of each sync operation, in the form of a template that comes with Watchbell.
//!
//! Decides that one operation is one change, known by its application and its start, and which item an application
//! stands for. Argo CD has no body of its own for webhooks; `config/examples/argocd-notifications.yml` makes this one:
//!
//! ```text
//! {"app":"shop-web","namespace":"argocd","phase":"Succeeded","started_at":"…","finished_at":"…","revision":"…",…}
//! ```
//!
//! The webhook service and its retries: <https://argo-cd.readthedocs.io/en/stable/operator-manual/notifications/services/webhook/>,
//! triggers: <https://argo-cd.readthedocs.io/en/stable/operator-manual/notifications/triggers/>, templates and their
//! functions: <https://argo-cd.readthedocs.io/en/stable/operator-manual/notifications/templates/> (read 2026-11-28).

use super::deployment::{Names, Targets, blank_change};
use super::fields::{Fields, clipped, required};
use super::{Inbound, Overload, ParseError, Parsed, Source, SourceSpec, check_change_limits, is_http_url, json};
use crate::error::{ConfigError, Table, read_table};
use crate::model::change::{NAME_BYTES_MAX, TEXT_BYTES_MAX};
use crate::model::{Change, ChangeKind, ChangeState};
use serde::Deserialize;
use std::collections::BTreeMap;

pub const SPEC: SourceSpec = SourceSpec {
    name: "argocd",
    title: "Argo CD (notifications, webhook service)",
    docs: DOCS,
    examples: &[RUNNING, SUCCEEDED, FAILED],
    // Argo CD tries again after a 5xx only.
    overload: Overload::ServiceUnavailable,
    build,
};

const DOCS: &str = r#"`config/examples/argocd-notifications.yml` has the service, the template and the trigger for the ConfigMap
`argocd-notifications-cm`; merge them into yours, put the token into the Secret `argocd-notifications-secret` as
`watchbell-token`, and subscribe each Application, or its AppProject, with an annotation:

```
kubectl annotate application shop-web -n argocd \
  notifications.argoproj.io/subscribe.watchbell-change.watchbell=""
```

The service posts to `https://watchbell.example/in/argocd`. Each sync operation is one change, told when it runs and when
it has ended. It is about the item that is named like the Application, unless `items` or `services` say otherwise.

| key | default | meaning |
|---|---|---|
| `items`, `services` | | by application, or by namespace and application: `{ "argocd/shop": shop-web }` |
| `service_label` | | label of the Application that holds the business service |
"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    #[serde(default)]
    items: Names,
    #[serde(default)]
    services: Names,
    service_label: Option<String>,
}

fn build(table: &Table) -> Result<Box<dyn Source>, ConfigError> {
    let Configuration { items, services, service_label } = read_table(table)?;
    Ok(Box::new(ArgoCd { targets: Targets::new(items, services, Vec::new())?, service_label }))
}

struct ArgoCd {
    targets: Targets,
    service_label: Option<String>,
}

impl Source for ArgoCd {
    fn parse(&self, inbound: &Inbound<'_>) -> Result<Parsed, ParseError> {
        let body = Fields::read(json::text(inbound.body)?)?;
        Ok(vec![self.change(inbound, body)?].into())
    }
}

impl ArgoCd {
    fn change(&self, inbound: &Inbound<'_>, mut body: Fields) -> Result<Change, ParseError> {
        let app = required(body.prose("app", NAME_BYTES_MAX / 2)?, "app", "the name of an Application")?;
        let namespace = body.prose("namespace", NAME_BYTES_MAX / 2)?;
        let state = read_phase(&body.need::<String>("phase", PHASES)?)?;
        let started_at = body.time("started_at")?.unwrap_or(inbound.received_at);
        let ended_at = body.time("finished_at")?.unwrap_or(inbound.received_at).max(started_at);
        let state_at = Some(ended_at).filter(|at| state != ChangeState::Started && *at > started_at);
        let mut revisions: Vec<String> = body.take("revisions")?.unwrap_or_default();
        revisions.extend(body.prose("revision", NAME_BYTES_MAX)?);
        let labels: BTreeMap<String, String> = body.take("app_labels")?.unwrap_or_default();
        let service = self.service_label.as_ref().and_then(|name| labels.get(name)).filter(|name| !name.is_empty());
        // A tag or a chart's version is short enough as it is.
        let short = |text: &String| text.chars().take(if text.len() == 40 { 8 } else { 64 }).collect::<String>();
        let revisions: Vec<String> = revisions.iter().filter(|text| !text.is_empty()).map(short).collect();
        let place = namespace.map_or_else(|| app.clone(), |namespace| format!("{namespace}/{app}"));
        let mut change = Change {
            id: format!("{place}@{started_at}"),
            state,
            state_at,
            service: service.cloned(),
            reference: (!revisions.is_empty()).then(|| clipped(&revisions.join(" "), NAME_BYTES_MAX)),
            summary: body.prose("message", TEXT_BYTES_MAX)?.unwrap_or_default(),
            author: body.prose("initiated_by", NAME_BYTES_MAX)?,
            url: body.prose("url", TEXT_BYTES_MAX)?.filter(|url| is_http_url(url)),
            ..blank_change(inbound, ChangeKind::Deploy, Some(started_at))
        };
        self.targets.name_application(&mut change, &app, &place);
        check_change_limits(&change)?;
        Ok(change)
    }
}

const PHASES: &str = "`Running`, `Terminating`, `Succeeded`, `Failed` or `Error`";

fn read_phase(word: &str) -> Result<ChangeState, ParseError> {
    Ok(match word {
        "Running" | "Terminating" => ChangeState::Started,
        "Succeeded" => ChangeState::Succeeded,
        "Failed" | "Error" => ChangeState::Failed,
        other => return Err(ParseError::new("phase", other, PHASES)),
    })
}

const RUNNING: &str = r#"{"app":"shop-web","namespace":"argocd","project":"shop","app_labels":{"team":"web"},"phase":"Running","started_at":"2026-11-21T05:00:10Z","finished_at":null,"revision":null,"revisions":null,"message":"waiting for healthy state of apps/Deployment/shop-web","initiated_by":"ada","url":"https://argocd.lab.example/applications/argocd/shop-web"}"#;

const SUCCEEDED: &str = r#"{"app":"shop-web","namespace":"argocd","project":"shop","app_labels":{"team":"web"},"phase":"Succeeded","started_at":"2026-11-21T05:00:10Z","finished_at":"2026-11-21T05:03:00Z","revision":"f95f852bd8fca8fcc58a9a2d6c842781e32a215e","revisions":null,"message":"successfully synced (all tasks run)","initiated_by":"ada","url":"https://argocd.lab.example/applications/argocd/shop-web"}"#;

const FAILED: &str = r#"{"app":"orders","namespace":"team-orders","project":"orders","app_labels":null,"phase":"Failed","started_at":"2026-11-21T05:10:00Z","finished_at":"2026-11-21T05:10:07Z","revision":"","revisions":["1.8.2","a10867b14bb761a232cd80139fbd4c0d33264240"],"message":"one or more synchronization tasks completed unsuccessfully","initiated_by":null,"url":"https://argocd.lab.example/applications/team-orders/orders"}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests::{changes_with, check_change, parse_changes, parse_error};
    use serde_json::json;

    const NOW: &str = "2026-11-21T05:45:40.000Z";

    #[test]
    fn one_operation_is_one_change_in_its_states() {
        insta::assert_snapshot!(check_change(&SPEC, RUNNING, NOW, 0), @r#"
        {
          "id": "argocd/shop-web@2026-11-21T05:00:10.000Z",
          "at": "2026-11-21T05:00:10.000Z",
          "received_at": "2026-11-21T05:45:40.000Z",
          "source": "argocd",
          "kind": "deploy",
          "state": "started",
          "configuration_item": "shop-web",
          "summary": "waiting for healthy state of apps/Deployment/shop-web",
          "author": "ada",
          "url": "https://argocd.lab.example/applications/argocd/shop-web"
        }
        "#);
        insta::assert_snapshot!(check_change(&SPEC, SUCCEEDED, NOW, 0), @r#"
        {
          "id": "argocd/shop-web@2026-11-21T05:00:10.000Z",
          "at": "2026-11-21T05:00:10.000Z",
          "received_at": "2026-11-21T05:45:40.000Z",
          "source": "argocd",
          "kind": "deploy",
          "state": "succeeded",
          "state_at": "2026-11-21T05:03:00.000Z",
          "configuration_item": "shop-web",
          "reference": "f95f852b",
          "summary": "successfully synced (all tasks run)",
          "author": "ada",
          "url": "https://argocd.lab.example/applications/argocd/shop-web"
        }
        "#);
        insta::assert_snapshot!(check_change(&SPEC, FAILED, NOW, 0), @r#"
        {
          "id": "team-orders/orders@2026-11-21T05:10:00.000Z",
          "at": "2026-11-21T05:10:00.000Z",
          "received_at": "2026-11-21T05:45:40.000Z",
          "source": "argocd",
          "kind": "deploy",
          "state": "failed",
          "state_at": "2026-11-21T05:10:07.000Z",
          "configuration_item": "orders",
          "reference": "1.8.2 a10867b1",
          "summary": "one or more synchronization tasks completed unsuccessfully",
          "url": "https://argocd.lab.example/applications/team-orders/orders"
        }
        "#);
    }

    #[test]
    fn applications_are_named_as_configured() {
        let named = |table: serde_json::Value| {
            let change = changes_with(&SPEC, &table, SUCCEEDED, NOW).remove(0);
            (change.configuration_item.unwrap_or_default(), change.service.unwrap_or_default())
        };
        let both = |item: &str, service: &str| (item.to_owned(), service.to_owned());
        assert_eq!(named(json!({})), both("shop-web", ""));
        assert_eq!(named(json!({"items": {"shop-web": "web"}})), both("web", ""));
        assert_eq!(named(json!({"items": {"argocd/shop-web": "a", "shop-web": "b"}})), both("a", ""));
        assert_eq!(named(json!({"items": {"other/shop-web": "a"}})), both("shop-web", ""));
        assert_eq!(named(json!({"services": {"shop-web": "shop"}})), both("", "shop"));
        assert_eq!(named(json!({"service_label": "team"})), both("shop-web", "web"));
        assert_eq!(named(json!({"service_label": "missing"})), both("shop-web", ""));
    }

    /// What the template fills in for an Application, read with the values that Argo CD has.
    #[test]
    fn the_template_makes_the_body_that_is_read() {
        let template = include_str!("../../config/examples/argocd-notifications.yml");
        let body = &template[template.find("body: |").unwrap()..];
        for name in serde_json::from_str::<serde_json::Value>(SUCCEEDED).unwrap().as_object().unwrap().keys() {
            assert!(body.contains(&format!("\"{name}\":")), "the template lacks `{name}`");
        }
        assert!(template.contains("/in/argocd") && template.contains("$watchbell-token"));
    }

    #[test]
    fn an_operation_without_times_counts_from_its_receipt() {
        let change = parse_changes(&SPEC, r#"{"app":"shop-web","phase":"Succeeded"}"#, NOW).remove(0);
        assert_eq!((change.at.to_string(), change.state_at), (NOW.to_owned(), None));
    }

    #[test]
    fn says_what_is_wrong() {
        let check = |from: &str, to: &str| parse_error(&SPEC, &SUCCEEDED.replace(from, to), NOW);
        insta::assert_snapshot!(parse_error(&SPEC, "{}", NOW), @"`app`: expected the name of an Application, got nothing");
        insta::assert_snapshot!(parse_error(&SPEC, "{\"app\":\"<no value>\"", NOW), @"`body`: expected the rest of the JSON text, got its end at line 1, column 19");
        insta::assert_snapshot!(check("Succeeded", "Synced"), @"`phase`: expected `Running`, `Terminating`, `Succeeded`, `Failed` or `Error`, got Synced");
        insta::assert_snapshot!(check("2026-11-21T05:00:10Z", "<no value>"), @"`started_at`: expected an RFC 3339 time such as `2026-11-21T05:00:00Z`, got `<no value>`");
        insta::assert_snapshot!(check(r#""app":"shop-web""#, r#""app":"""#), @"`app`: expected the name of an Application, got nothing");
    }
}
