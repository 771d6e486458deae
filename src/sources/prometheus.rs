//! Prometheus, and whatever else speaks Alertmanager's API: the body of `POST /api/v2/alerts`.
//!
//! Decides from the two times whether an alert fires: there is no status in the body. It fires until
//! `endsAt` and is over afterwards; the sender repeats both. Never keeps one from the last request, and never lets one
//! that cannot be read take the others with it.
//!
//! ```text
//! [{"labels":{"alertname":"HostDown",…},"annotations":{…},"startsAt":"…","endsAt":"…","generatorURL":"…"}]
//! ```

use super::prometheus_alert::{Observation, PrometheusAlert, Reading, take_labels};
use super::{Inbound, Overload, ParseError, Parsed, Severities, Source, SourceSpec, json};
use crate::error::{ConfigError, Table, read_table};
use crate::model::{Event, EventStatus, Labels, Span, Timestamp};
use serde::Deserialize;
use std::collections::BTreeMap;

pub const SPEC: SourceSpec = SourceSpec {
    name: "prometheus",
    title: "Prometheus, vmalert, amtool: Watchbell in Alertmanager's place (API v2)",
    docs: DOCS,
    examples: &[FIRING, RESOLVED, AMTOOL],
    // Prometheus tries no batch again but sends what still fires a minute later.
    overload: Overload::ServiceUnavailable,
    build,
};

const DOCS: &str = r#"Prometheus sends its alerts here as it would to an Alertmanager. In `prometheus.yml`
(a whole one is `config/examples/prometheus.yml`):

```yaml
alerting:
  alertmanagers:
    - api_version: v2
      static_configs:
        - targets: ["127.0.0.1:9494"]
```

Prometheus posts to `/api/v2/alerts`, repeats a firing alert every minute and a resolved one for
15 minutes. It does not try a failed request again, but the next repetition carries the same state.
An alert without `endsAt` (as `amtool alert add` sends it) is over when it was not repeated for
`resolve_timeout`. Two Prometheus servers that watch the same things must send equal labels: drop the
label that tells them apart with `alert_relabel_configs`.

| key | default | meaning |
|---|---|---|
| `severities` | | words of the `severity` label: `{ page: critical, ticket: minor }` |
| `service_label` | | label that holds the business service; without it the service is found from the item |
| `resolve_timeout` | `5m` | life of an alert without `endsAt` |
| `relative_urls` | `false` | keep a `generatorURL` without a host, as Alertmanager does |
| `classic_names` | `false` | refuse names of labels that are more than letters, digits and `_` |
"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    #[serde(default)]
    severities: Severities,
    service_label: Option<String>,
    #[serde(default = "default_resolve_timeout")]
    resolve_timeout: Span,
    #[serde(default)]
    relative_urls: bool,
    #[serde(default)]
    classic_names: bool,
}

fn default_resolve_timeout() -> Span {
    Span::from_mins(5)
}

fn build(table: &Table) -> Result<Box<dyn Source>, ConfigError> {
    let configuration: Configuration = read_table(table)?;
    if configuration.resolve_timeout.is_zero() {
        return Err(ConfigError::new("resolve_timeout", "expected more than `0s`: alerts would be over at once"));
    }
    Ok(Box::new(Prometheus {
        reading: Reading { severities: configuration.severities, service_label: configuration.service_label },
        resolve_timeout: configuration.resolve_timeout,
        relative_urls: configuration.relative_urls,
        classic_names: configuration.classic_names,
    }))
}

struct Prometheus {
    reading: Reading,
    resolve_timeout: Span,
    relative_urls: bool,
    classic_names: bool,
}

impl Source for Prometheus {
    fn parse(&self, inbound: &Inbound<'_>) -> Result<Parsed, ParseError> {
        let alerts: Vec<PrometheusAlert<false>> = json::read(json::text(inbound.body)?)?;
        let (mut events, mut refused) = (Vec::with_capacity(alerts.len()), Vec::new());
        for (index, alert) in alerts.into_iter().enumerate() {
            match self.event(inbound, alert) {
                Ok(event) => events.push(event),
                Err(error) => refused.push(error.inside(&format!("[{index}]"))),
            }
        }
        match refused.len() {
            0 => Ok(events.into()),
            1 if events.is_empty() => Err(refused.remove(0)),
            _ => Ok(Parsed::Partly { events, refused }),
        }
    }
}

impl Prometheus {
    fn event(&self, inbound: &Inbound<'_>, mut alert: PrometheusAlert<false>) -> Result<Event, ParseError> {
        let labels = take_labels(&mut alert)?;
        let observation = self.observe(alert.starts_at, alert.ends_at, inbound.received_at)?;
        if self.classic_names {
            check_names("labels", &labels)?;
            alert.annotations.as_ref().map_or(Ok(()), |annotations| check_names("annotations", annotations))?;
        }
        let relative = alert.generator_url.clone().filter(|url| self.relative_urls && url.starts_with('/'));
        let event = self.reading.event(inbound, alert, labels, observation)?;
        if relative.is_none() {
            return Ok(event);
        }
        let event = Event { url: relative, ..event };
        super::check_limits(&event)?;
        Ok(event)
    }

    fn observe(
        &self,
        starts_at: Option<Timestamp>,
        ends_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Observation, ParseError> {
        if let (Some(starts_at), Some(ends_at)) = (starts_at, ends_at)
            && ends_at < starts_at
        {
            let expected = format!("a time not before `startsAt` ({starts_at})");
            return Err(ParseError::new("endsAt", ends_at.to_string(), expected));
        }
        if let Some(ends_at) = ends_at.filter(|ends_at| *ends_at <= now) {
            let started = starts_at.unwrap_or(ends_at).as_millis();
            let identity = format!("resolved {started} {}", ends_at.as_millis());
            return Ok(Observation {
                status: EventStatus::Resolved,
                at: ends_at,
                expires_at: None,
                is_end_assumed: false,
                started_at: starts_at,
                identity,
                extra: BTreeMap::new(),
            });
        }
        let expires_at = ends_at.unwrap_or(now + self.resolve_timeout);
        let started = starts_at.map_or(0, Timestamp::as_millis);
        Ok(Observation {
            status: EventStatus::Firing,
            at: starts_at.unwrap_or(now),
            // A repetition is an observation of its own: it moves the end.
            identity: format!("firing {started} {}", expires_at.as_millis()),
            expires_at: Some(expires_at),
            is_end_assumed: ends_at.is_none(),
            started_at: None,
            extra: BTreeMap::new(),
        })
    }
}

/// What a name of Prometheus before its third version is.
pub const CLASSIC_NAME: &str = "a name of letters, digits and `_`";

/// Letters, digits and `_`, no digit first.
pub fn is_classic_name(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(is_part)
}

fn check_names(field: &str, labels: &Labels) -> Result<(), ParseError> {
    match labels.iter().find(|(name, _)| !is_classic_name(name)) {
        Some((name, _)) => Err(ParseError::new(field, name, CLASSIC_NAME)),
        None => Ok(()),
    }
}

/// Prometheus 3.5: two hosts stop answering.
const FIRING: &str = r#"[{"annotations":{"description":"No scrape of db1:9100 succeeds (value 0).","runbook_url":"https://runbooks.lab.example/HostDown","summary":"Host db1 does not answer"},"endsAt":"2026-11-21T05:48:24.838Z","startsAt":"2026-11-21T05:44:24.838Z","generatorURL":"http://prometheus.lab.example:9090/graph?g0.expr=up%7Bjob%3D%22hosts%22%7D+%3D%3D+0\u0026g0.tab=1","labels":{"alertname":"HostDown","group":"db","host":"db1","instance":"db1:9100","job":"hosts","severity":"critical","site":"lab1"}},{"annotations":{"description":"No scrape of web1:9100 succeeds (value 0).","runbook_url":"https://runbooks.lab.example/HostDown","summary":"Host web1 does not answer"},"endsAt":"2026-11-21T05:48:24.838Z","startsAt":"2026-11-21T05:44:24.838Z","generatorURL":"http://prometheus.lab.example:9090/graph?g0.expr=up%7Bjob%3D%22hosts%22%7D+%3D%3D+0\u0026g0.tab=1","labels":{"alertname":"HostDown","group":"web","host":"web1","instance":"web1:9100","job":"hosts","severity":"critical","site":"lab1"}}]"#;

/// One of them is back.
const RESOLVED: &str = r#"[{"annotations":{"description":"No scrape of db1:9100 succeeds (value 0).","runbook_url":"https://runbooks.lab.example/HostDown","summary":"Host db1 does not answer"},"endsAt":"2026-11-21T05:45:37.838Z","startsAt":"2026-11-21T05:44:24.838Z","generatorURL":"http://prometheus.lab.example:9090/graph?g0.expr=up%7Bjob%3D%22hosts%22%7D+%3D%3D+0\u0026g0.tab=1","labels":{"alertname":"HostDown","group":"db","host":"db1","instance":"db1:9100","job":"hosts","severity":"critical","site":"lab1"}}]"#;

/// `amtool alert add`: both times are Go's zero.
const AMTOOL: &str = r#"[{"annotations":{"summary":"byhand"},"endsAt":"0001-01-01T00:00:00.000Z","startsAt":"0001-01-01T00:00:00.000Z","labels":{"alertname":"Manual","host":"web1","severity":"critical"}}]"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests::{check_event, inbound_at, parse_at, parse_error};

    /// Between the firing's start and its end.
    const NOW: &str = "2026-11-21T05:45:00.000Z";
    /// After the resolve.
    const LATER: &str = "2026-11-21T05:45:38.000Z";

    fn times(fields: &str) -> String {
        format!(r#"[{{"labels":{{"alertname":"A"}}{fields}}}]"#)
    }

    #[test]
    fn fires_until_its_end() {
        insta::assert_snapshot!(check_event(&SPEC, FIRING, NOW, 0), @r#"
        {
          "id": "5fced11d6a99ff81",
          "at": "2026-11-21T05:44:24.838Z",
          "received_at": "2026-11-21T05:45:00.000Z",
          "source": "prometheus",
          "status": "firing",
          "name": "HostDown",
          "dedup_key": "702aaa029f712d73",
          "severity": "critical",
          "labels": {
            "alertname": "HostDown",
            "group": "db",
            "host": "db1",
            "instance": "db1:9100",
            "job": "hosts",
            "severity": "critical",
            "site": "lab1"
          },
          "annotations": {
            "description": "No scrape of db1:9100 succeeds (value 0).",
            "runbook_url": "https://runbooks.lab.example/HostDown",
            "summary": "Host db1 does not answer"
          },
          "url": "http://prometheus.lab.example:9090/graph?g0.expr=up%7Bjob%3D%22hosts%22%7D+%3D%3D+0&g0.tab=1",
          "expires_at": "2026-11-21T05:48:24.838Z"
        }
        "#);
    }

    #[test]
    fn is_over_from_its_end_on() {
        let end = "2026-11-21T05:45:37.838Z";
        let [event] = &parse_at(&SPEC, RESOLVED, end)[..] else { panic!("one event") };
        assert_eq!((event.status, event.at.to_string(), event.expires_at), (EventStatus::Resolved, end.into(), None));
        assert_eq!(event.dedup_key, parse_at(&SPEC, FIRING, NOW)[0].dedup_key);
        let [event] = &parse_at(&SPEC, RESOLVED, "2026-11-21T05:45:37.837Z")[..] else { panic!("one event") };
        assert_eq!(event.status, EventStatus::Firing);
    }

    #[test]
    fn a_repetition_moves_the_end_and_a_repeated_resolve_changes_nothing() {
        let later = FIRING.replace("05:48:24.838", "05:49:25.838");
        let (first, second) = (parse_at(&SPEC, FIRING, NOW), parse_at(&SPEC, &later, LATER));
        assert_eq!(first[0].dedup_key, second[0].dedup_key);
        assert_ne!(first[0].id, second[0].id);
        assert!(first[0].expires_at < second[0].expires_at);
        let again = parse_at(&SPEC, RESOLVED, "2026-11-21T05:50:00Z");
        assert_eq!(parse_at(&SPEC, RESOLVED, LATER)[0].id, again[0].id);
    }

    #[test]
    fn a_restart_of_prometheus_does_not_change_the_identity() {
        let restarted = FIRING.replace("05:44:24.838", "05:44:59.000");
        assert_eq!(parse_at(&SPEC, FIRING, NOW)[0].dedup_key, parse_at(&SPEC, &restarted, NOW)[0].dedup_key);
    }

    #[test]
    fn times_that_are_not_given_are_filled_in() {
        let at = |body: &str| {
            let event = parse_at(&SPEC, body, NOW).remove(0);
            (event.status.as_str(), event.at.to_string(), event.expires_at.map(|at| at.to_string()))
        };
        let expires = Some("2026-11-21T05:50:00.000Z".to_owned());
        assert_eq!(at(AMTOOL), ("firing", NOW.to_owned(), expires.clone()));
        assert_eq!(at(&times("")), ("firing", NOW.to_owned(), expires.clone()));
        assert_eq!(at(&times(r#","startsAt":null,"endsAt":null"#)), ("firing", NOW.to_owned(), expires));
        let past = "2026-11-21T05:00:00.000Z";
        assert_eq!(at(&times(&format!(r#","endsAt":"{past}""#))), ("resolved", past.to_owned(), None));
        let future = "2026-11-21T05:46:00.000Z";
        let expected = ("firing", NOW.to_owned(), Some(future.to_owned()));
        assert_eq!(at(&times(&format!(r#","endsAt":"{future}""#))), expected);
    }

    #[test]
    fn an_empty_label_is_no_label() {
        let body = r#"[{"labels":{"alertname":"A","site":"","größe":"x"}}]"#;
        let labels = parse_at(&SPEC, body, NOW).remove(0).labels;
        assert_eq!(serde_json::to_string(&labels).unwrap(), r#"{"alertname":"A","größe":"x"}"#);
    }

    #[test]
    fn severities_and_services_can_be_configured() {
        let body = r#"[{"labels":{"alertname":"A","severity":"ticket","team_service":"orders","service":"http"}},
            {"labels":{"alertname":"B","severity":"weird"}},{"labels":{"alertname":"C"}}]"#;
        let table = serde_json::json!({"severities": {"ticket": "minor"}, "service_label": "team_service"});
        let source = build(table.as_object().unwrap()).unwrap();
        let events = source.parse(&inbound_at("prometheus", body, NOW)).unwrap().into_events();
        let read: Vec<_> = events.iter().map(|event| (event.severity.as_str(), event.service.as_deref())).collect();
        assert_eq!(read, [("minor", Some("orders")), ("warning", None), ("warning", None)]);
        assert_eq!(parse_at(&SPEC, body, NOW)[0].service, None);
    }

    #[test]
    fn one_that_cannot_be_read_does_not_take_the_others_along() {
        let body = r#"[{"labels":{"alertname":"A"}},{"labels":{}},{"labels":{"alertname":"B"}},{}]"#;
        let source = build(&Table::new()).unwrap();
        let Parsed::Partly { events, refused } = source.parse(&inbound_at("prometheus", body, NOW)).unwrap() else {
            panic!("some of them are good")
        };
        assert_eq!(events.iter().map(|event| event.name.as_str()).collect::<Vec<_>>(), ["A", "B"]);
        assert_eq!(refused.iter().map(|error| error.field.as_str()).collect::<Vec<_>>(), ["[1].labels", "[3].labels"]);
    }

    #[test]
    fn says_what_is_wrong() {
        let check = |body: &str| parse_error(&SPEC, body, NOW);
        insta::assert_snapshot!(check("{}"), @"`body`: expected an array, got an object");
        insta::assert_snapshot!(check(r#"["x"]"#), @r#"`[0]`: expected an alert object, got string "x""#);
        insta::assert_snapshot!(check(r#"[{}]"#), @"`[0].labels`: expected an object with at least one label that is not empty, got nothing");
        insta::assert_snapshot!(check(r#"[{"labels":{"a":""}}]"#), @"`[0].labels`: expected an object with at least one label that is not empty, got no label");
        insta::assert_snapshot!(check(r#"[{"labels":{"":"b"}}]"#), @"`[0].labels`: expected names of 1 to 256 bytes, got a name of 0 bytes");
        insta::assert_snapshot!(check(r#"[{"labels":{"a":"b","severity":3}}]"#), @"`[0].labels.severity`: expected a string, got integer `3`");
        insta::assert_snapshot!(check(&times(r#","startsAt":"yesterday""#)), @"`[0].startsAt`: expected an RFC 3339 time such as `2026-11-21T05:00:00Z`, got `yesterday`");
        insta::assert_snapshot!(
            check(&times(r#","startsAt":"2026-11-21T05:00:00Z","endsAt":"2026-11-21T04:00:00Z""#)), @"`[0].endsAt`: expected a time not before `startsAt` (2026-11-21T05:00:00.000Z), got 2026-11-21T04:00:00.000Z");
        insta::assert_snapshot!(check(&times(r#","startsAt":"2026-12-21T05:00:00Z""#)), @"`[0].at`: expected a time not more than 24 h ahead of ours, got 2026-12-21T05:00:00.000Z");
        insta::assert_snapshot!(check(&times(r#","labels":{}"#)), @"`[0]`: expected each name once, got duplicate name `labels`");
    }
}
