//! Changes from anything that can send JSON: a pipeline's last step, a feature flag service, a change calendar.
//!
//! Decides what may be left out and how it is then made. What it says of one change again, in another state, is
//! the same change if the `id` is the same. A body is one object, an array of them, or JSON Lines.
//!
//! ```text
//! {"id":"shop-417","kind":"deploy","configuration_item":"shop-web","reference":"v1.4.2","state":"started"}
//! ```

use super::fields::{self, Fields};
use super::{Inbound, Overload, ParseError, Parsed, Source, SourceSpec, check_change_limits};
use crate::error::{ConfigError, Table, read_table};
use crate::model::{Change, ChangeKind, ChangeState, Fingerprint};
use serde::Deserialize;
use serde_json::Value;

pub const SPEC: SourceSpec = SourceSpec {
    name: "changes",
    title: "Changes from any sender of JSON (the normalized change)",
    docs: DOCS,
    examples: &[STARTED, SUCCEEDED, ARRAY],
    overload: Overload::TooManyRequests,
    build,
};

const DOCS: &str = r#"What changed shortly before a fault is its first suspect. Let whatever deploys say so, before and after:

```
curl -H 'Content-Type: application/json' http://127.0.0.1:9494/in/changes \
  -d '{"id":"shop-417","kind":"deploy","configuration_item":"shop-web","reference":"v1.4.2","state":"started"}'
curl -H 'Content-Type: application/json' http://127.0.0.1:9494/in/changes \
  -d '{"id":"shop-417","kind":"deploy","configuration_item":"shop-web","reference":"v1.4.2","state":"succeeded"}'
```

The body is one object, an array of them, or JSON Lines (`application/x-ndjson`, `application/jsonl`).

| field | default | meaning |
|---|---|---|
| `configuration_item`, `service` | one is required | what was altered, by a name that alerts use as well |
| `kind` | `deploy` | `deploy`, `commit`, `flag`, `config` or `maintenance` |
| `state` | `succeeded` | `planned`, `started`, `succeeded`, `failed` or `rolled_back` |
| `at` | time of receipt | RFC 3339: when it came to this state; of a plan, when it shall begin |
| `id` | from what was altered and `reference` | the same for each state of one change |
| `reference` | | version, commit or ticket |
| `summary`, `author`, `url` | | for people; `url` is an `http` or `https` link |

Several tellings of one change are one: it counts from the earliest time at which it touched anything, and its state
is the latest. Without an `id` and without a `reference` each telling is a change of its own.
"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {}

fn build(table: &Table) -> Result<Box<dyn Source>, ConfigError> {
    let Configuration {} = read_table(table)?;
    Ok(Box::new(Changes))
}

struct Changes;

impl Source for Changes {
    fn parse(&self, inbound: &Inbound<'_>) -> Result<Parsed, ParseError> {
        let changes = fields::objects(inbound)?
            .into_iter()
            .map(|(path, fields)| change(inbound, fields).map_err(|error| error.inside(&path)));
        Ok(changes.collect::<Result<Vec<_>, _>>()?.into())
    }
}

/// A recorded change, which brings its source and the time of its receipt.
///
/// # Errors
/// When a field is missing or not what it should be.
pub fn recorded(value: Value) -> Result<Change, ParseError> {
    let (source, received_at) = fields::origin(&value, SPEC.name)?;
    let inbound = Inbound { source: &source, content_type: "application/json", body: &[], received_at };
    change(&inbound, Fields::of(value)?)
}

fn change(inbound: &Inbound<'_>, mut fields: Fields) -> Result<Change, ParseError> {
    let kind: ChangeKind = fields.take("kind")?.unwrap_or_default();
    let (configuration_item, service) = (fields.text("configuration_item")?, fields.text("service")?);
    let (reference, given_at) = (fields.text("reference")?, fields.time("at")?);
    let at = given_at.unwrap_or(inbound.received_at);
    let id = match fields.text("id")? {
        Some(id) => id,
        None => {
            let of_its_own = if reference.is_none() { at.to_string() } else { String::new() };
            let texts = [&configuration_item, &service, &reference].map(|text| text.as_deref().unwrap_or_default());
            Fingerprint::of([kind.as_str(), &of_its_own].into_iter().chain(texts)).to_string()
        }
    };
    // Of a journal that is sent again: its own times say it all.
    let state_at = fields.time("state_at")?.filter(|state_at| *state_at > at);
    let change = Change {
        id,
        at,
        received_at: inbound.received_at,
        source: inbound.source.to_owned(),
        kind,
        state: fields.take::<ChangeState>("state")?.unwrap_or_default(),
        state_at,
        configuration_item,
        service,
        reference,
        summary: fields.text("summary")?.unwrap_or_default(),
        author: fields.text("author")?,
        url: fields.url("url")?,
    };
    check_change_limits(&change)?;
    Ok(change)
}

const STARTED: &str = r#"{"id":"shop-417","at":"2026-11-21T05:00:00Z","kind":"deploy","state":"started","configuration_item":"shop-web","service":"shop","reference":"v1.4.2","summary":"New checkout","author":"ada","url":"https://ci.lab.example/shop/417"}"#;

const SUCCEEDED: &str = r#"{"id":"shop-417","at":"2026-11-21T05:03:00Z","kind":"deploy","state":"succeeded","configuration_item":"shop-web"}"#;

const ARRAY: &str = r#"[{"kind":"flag","service":"shop","reference":"new-checkout","summary":"switched on for all"},{"kind":"maintenance","state":"planned","at":"2026-11-22T01:00:00Z","configuration_item":"sw-core-1","reference":"CHG0030017"}]"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests::{check_change, parse_changes, parse_error};

    const NOW: &str = "2026-11-21T05:45:40.000Z";

    #[test]
    fn a_whole_change_is_taken_over() {
        insta::assert_snapshot!(check_change(&SPEC, STARTED, NOW, 0), @r#"
        {
          "id": "shop-417",
          "at": "2026-11-21T05:00:00.000Z",
          "received_at": "2026-11-21T05:45:40.000Z",
          "source": "changes",
          "kind": "deploy",
          "state": "started",
          "configuration_item": "shop-web",
          "service": "shop",
          "reference": "v1.4.2",
          "summary": "New checkout",
          "author": "ada",
          "url": "https://ci.lab.example/shop/417"
        }
        "#);
    }

    #[test]
    fn what_is_left_out_is_made() {
        insta::assert_snapshot!(check_change(&SPEC, ARRAY, NOW, 0), @r#"
        {
          "id": "f8b21ace38b1fc47",
          "at": "2026-11-21T05:45:40.000Z",
          "received_at": "2026-11-21T05:45:40.000Z",
          "source": "changes",
          "kind": "flag",
          "state": "succeeded",
          "service": "shop",
          "reference": "new-checkout",
          "summary": "switched on for all"
        }
        "#);
        let id = |fields: &str, now: &str| {
            parse_changes(&SPEC, &format!(r#"{{"configuration_item":"shop-web",{fields}}}"#), now).remove(0).id
        };
        let later = "2026-11-21T05:50:00Z";
        assert_eq!(id(r#""reference":"v1","state":"started""#, NOW), id(r#""reference":"v1""#, later));
        assert_ne!(id(r#""reference":"v1""#, NOW), id(r#""reference":"v2""#, NOW));
        assert_ne!(id(r#""kind":"flag""#, NOW), id(r#""kind":"flag""#, later));
    }

    #[test]
    fn the_documented_requests_are_read() {
        let bodies: Vec<_> =
            DOCS.lines().filter_map(|line| line.trim().strip_prefix("-d '")?.strip_suffix('\'')).collect();
        let changes: Vec<_> = bodies.iter().map(|body| parse_changes(&SPEC, body, NOW).remove(0)).collect();
        let [started, succeeded] = &changes[..] else { panic!("{} requests", changes.len()) };
        assert_eq!((started.state, succeeded.state), (ChangeState::Started, ChangeState::Succeeded));
        assert_eq!(started.id, succeeded.id);
    }

    #[test]
    fn says_what_is_wrong() {
        let check = |fields: &str| parse_error(&SPEC, &format!(r#"{{"configuration_item":"x",{fields}}}"#), NOW);
        insta::assert_snapshot!(parse_error(&SPEC, "5", NOW), @"`body`: expected an object, got 5");
        insta::assert_snapshot!(parse_error(&SPEC, "{}", NOW), @"`configuration_item`: expected the name of what was altered, here or as `service`, got nothing");
        insta::assert_snapshot!(parse_error(&SPEC, r#"[{"service":"a"},{"kind":"flag"}]"#, NOW), @"`[1].configuration_item`: expected the name of what was altered, here or as `service`, got nothing");
        insta::assert_snapshot!(check(r#""kind":"deployment""#), @"`kind`: expected `deploy`, `commit`, `flag`, `config`, `maintenance`, got `deployment`");
        insta::assert_snapshot!(check(r#""state":"done""#), @"`state`: expected `planned`, `started`, `succeeded`, `failed`, `rolled_back`, got `done`");
        insta::assert_snapshot!(check(r#""at":"yesterday""#), @"`at`: expected an RFC 3339 time such as `2026-11-21T05:00:00Z`, got `yesterday`");
        insta::assert_snapshot!(check(r#""at":"2027-11-21T05:00:00Z""#), @"`at`: expected a time not more than 24 h ahead of ours, got 2027-11-21T05:00:00.000Z");
        insta::assert_snapshot!(check(r#""state":"planned","at":"2028-11-21T05:00:00Z""#), @"`at`: expected a time not more than a year ahead of ours, got 2028-11-21T05:00:00.000Z");
        insta::assert_snapshot!(check(r#""url":"javascript:alert(1)""#), @"`url`: expected an `http` or `https` address, got javascript:alert(1)");
        insta::assert_snapshot!(check(r#""id":"""#), @"`id`: expected 1 to 1024 bytes, got 0 bytes");
        insta::assert_snapshot!(check(&format!(r#""summary":"{}""#, "x".repeat(4_097))), @"`summary`: expected 0 to 4096 bytes, got 4097 bytes");
    }
}
