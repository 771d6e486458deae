//! The daemon's own output as a sink: what runs with no configuration at all.
//!
//! Decides what one notification looks like between log lines: the first line is complete in
//! itself, below it one indented line per section. Never colours, never fails.
//!
//! ```text
//! 2026-11-21 05:12 UTC opened [P1] rtr1: Host down – 12 items affected (inc-7h3kq0v9zd): New incident – …
//!   Root cause: rtr1 went down first (87 % sure)
//! ```

use serde::Deserialize;

use super::{Attempt, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec, document};
use crate::error::{ConfigError, Table, read_table};
use crate::render::text::{self, Unit};
use crate::render::{Templates, dialect};

pub const SPEC: SinkSpec = SinkSpec {
    name: "log",
    title: "the daemon's own log",
    docs: "Needs nothing. `title_template` replaces the headline, `template` everything below it (minijinja).",
    example: "title_template: \"{{ incident.priority }} {{ incident.title }}\"\n",
    rate: Rate { count: 1_000, per_ms: 1_000 },
    build,
    #[cfg(test)]
    check: tests::check,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    title_template: Option<String>,
    template: Option<String>,
}

struct Log {
    setting: Setting,
    templates: Templates,
}

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    let templates = Templates::new(keys.title_template.as_deref(), keys.template.as_deref())?;
    Ok(Box::new(Log { setting: setting.clone(), templates }))
}

/// Characters of one notification; a log keeps them for long.
const TEXT_CHARS_MAX: usize = 4_000;

impl Sink for Log {
    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        let notification = attempt.notification;
        let document = document(&self.setting, &self.templates, notification);
        // The headline of an end already says how it ended.
        let news: Vec<&str> =
            document.news.iter().map(String::as_str).filter(|news| !document.headline.contains(news)).collect();
        let news = if news.is_empty() { String::new() } else { format!(": {}", news.join(" – ")) };
        let mut text = format!(
            "{} {} {} ({}){} [{}]",
            self.setting.reader().date_time(notification.at),
            notification.kind.as_str(),
            document.headline,
            notification.incident.id,
            news,
            document.status,
        );
        for section in &document.sections {
            text.push_str("\n  ");
            if !section.label.is_empty() {
                text.push_str(&section.label);
                text.push_str(": ");
            }
            let lines: Vec<String> = section.lines.iter().map(dialect::plain_line).collect();
            text.push_str(&lines.join("; "));
        }
        Ok(Request::Line(text::clip(&text, TEXT_CHARS_MAX, Unit::Chars)))
    }

    fn outcome(&self, _attempt: &Attempt<'_>, response: &Response) -> Outcome {
        match response {
            Response::Written => Outcome::Delivered { remote: None, proof: "written".into() },
            Response::Http { .. } | Response::Mail { .. } => super::foreign_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{NotificationKind, Timestamp};
    use crate::render::sample_notification;
    use crate::sinks::tests::{attempt_request, build_from, setting};

    pub fn check(request: &Request) -> Result<(), String> {
        let Request::Line(text) = request else { return Err("not a line".into()) };
        match text.chars().find(|c| c.is_control() && *c != '\n') {
            Some(c) => Err(format!("control character {c:?}")),
            None if text.chars().count() > TEXT_CHARS_MAX => Err("too long".into()),
            None => Ok(()),
        }
    }

    #[test]
    fn reads_well_between_log_lines() {
        let sink = build_from(&SPEC, "{}", &setting());
        let now: Timestamp = "2026-11-21T05:12:00Z".parse().unwrap();
        let notification = sample_notification(NotificationKind::Opened, now);
        let Request::Line(text) = attempt_request(&*sink, &notification, &Default::default()) else { panic!() };
        insta::assert_snapshot!(text, @"
        2026-11-21 05:12 UTC opened [P1] rtr1: Host down – 12 items affected (inc-7h3kq0v9zd): New incident [critical · open · began 2026-11-21 05:00 UTC]
          Root cause: rtr1 went down first; 11 other items that depend on it followed within 40 s (87 % sure)
          Impact: high, urgency high; 2 services: orders, payments; 12 items: rtr1, sw-fra-1, db-3, 9 more; 31 of 31 alerts are firing
          Service level: Respond by 2026-11-21 05:15 UTC (gold); Restore by 2026-11-21 09:00 UTC (gold)
          What to do: Known error “rtr1 loses its power supply”: Switch rtr1 to the second power feed, then wait two minutes.; Runbook for Host down: https://wiki.example/runbooks/host-down
          Evidence: 05:00 critical rtr1: Host down – rtr1 does not answer to ping (nagios); 05:00 major db-3: Unreachable – db-3 does not answer to ping (zabbix); and 29 more alerts
          Links: Incident inc-7h3kq0v9zd: https://watchbell.example/incidents/inc-7h3kq0v9zd; Host down in nagios: https://nagios.example/alerts?host=rtr1&open=1; Unreachable in zabbix: https://zabbix.example/alerts?host=db-3&open=1
        ");
    }
}
