//! What a notification says, before any vendor's syntax: headline, news, cause, harm, what to do.
//!
//! Decides what a tired person reads first and how much of it. Every foreign text is cleaned and
//! clipped on its way in, and is still plain: `dialect.rs` and the sinks escape it on its way out.

use super::reader::Reader;
use super::text::{self, Argument, message};
use crate::model::incident::RootCause;
use crate::model::notification::{AlertView, ClockView, IncidentView};
use crate::model::{AlertStatus, Notification, NotificationKind, Span, Timestamp};

/// Characters of a title, a name, a sentence, a workaround that are shown.
const TITLE_CHARS_MAX: usize = 200;
const NAME_CHARS_MAX: usize = 80;
const SENTENCE_CHARS_MAX: usize = 500;
const WORKAROUND_CHARS_MAX: usize = 1_200;

/// Names in one list, alerts as evidence, runbooks, clocks.
const NAMES_MAX: usize = 10;
const EVIDENCE_MAX: usize = 5;
const RUNBOOKS_MAX: usize = 3;
const CLOCKS_MAX: usize = 4;

/// Texts without markup, most important first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// `[P1] rtr1: Host down – 12 items affected`.
    pub headline: String,
    /// What happened just now and why it is told, one sentence each.
    pub news: Vec<String>,
    /// `critical · open · began 2026-11-21 05:00 UTC`.
    pub status: String,
    pub sections: Vec<Section>,
    pub footer: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Empty for running text.
    pub label: String,
    pub lines: Vec<Line>,
}

/// One line of text; `address` makes it a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub text: String,
    pub address: Option<String>,
}

impl Line {
    /// The text has to be clean.
    pub fn plain(text: &str) -> Self {
        Self { text: text.to_owned(), address: None }
    }

    /// A link, or the bare address as text where it is none that people may be sent to.
    fn link(text: String, address: &str) -> Self {
        match text::web_address(address) {
            Some(address) => Self { text, address: Some(address) },
            None => Self { text: format!("{text}: {}", text::excerpt(address, SENTENCE_CHARS_MAX)), address: None },
        }
    }
}

impl Section {
    pub fn new(label: String, lines: Vec<Line>) -> Self {
        Self { label, lines }
    }

    pub fn unlabelled(lines: Vec<Line>) -> Self {
        Self { label: String::new(), lines }
    }
}

impl Document {
    pub fn of(notification: &Notification, reader: &Reader) -> Self {
        let writer = Writer { reader };
        let incident = &notification.incident;
        let sections = [
            writer.root_cause(incident.root_cause.as_ref()),
            writer.impact(incident),
            writer.service_level(&incident.clocks),
            writer.what_to_do(incident),
            writer.evidence(incident),
            writer.links(incident),
        ];
        Self {
            headline: writer.headline(notification),
            news: writer.news(notification),
            status: writer.status(incident),
            sections: sections.into_iter().filter(|section| !section.lines.is_empty()).collect(),
            footer: writer.message(
                "footer",
                &[
                    ("incident", (&incident.id.to_string()).into()),
                    ("number", (&notification.number.to_string()).into()),
                ],
            ),
        }
    }
}

struct Writer<'r> {
    reader: &'r Reader,
}

impl Writer<'_> {
    fn message(&self, key: &str, arguments: &[(&'static str, Argument<'_>)]) -> String {
        message(self.reader.language, key, arguments)
    }

    fn section(&self, label: &str, lines: Vec<Line>) -> Section {
        Section::new(self.message(label, &[]), lines)
    }

    fn headline(&self, notification: &Notification) -> String {
        let incident = &notification.incident;
        let title = text::excerpt(&incident.title, TITLE_CHARS_MAX);
        let headline = format!("[{}] {title}", incident.priority);
        let rest = match notification.kind {
            NotificationKind::Resolved | NotificationKind::Merged => self.what_happened(notification),
            _ if incident.configuration_item_count > 1 => {
                self.message("headline-items", &[("count", incident.configuration_item_count.into())])
            }
            _ => return headline,
        };
        format!("{headline} – {rest}")
    }

    fn news(&self, notification: &Notification) -> Vec<String> {
        use NotificationKind::{Acknowledged, Opened, PriorityRaised, Reopened, Repeated, Resolved};
        // For these the reason only repeats, in English, what happened.
        let is_said =
            matches!(notification.kind, Opened | Acknowledged | PriorityRaised | Repeated | Reopened | Resolved);
        let reason = if is_said { String::new() } else { text::excerpt(&notification.reason, SENTENCE_CHARS_MAX) };
        [self.what_happened(notification), reason].into_iter().filter(|text| !text.is_empty()).collect()
    }

    fn what_happened(&self, notification: &Notification) -> String {
        let incident = &notification.incident;
        let lasted = |until: Timestamp| until.since(incident.started_at).max(Span::ZERO).human();
        match notification.kind {
            NotificationKind::Opened => self.message("news-opened", &[]),
            NotificationKind::Updated => self.message("news-updated", &[]),
            NotificationKind::PriorityRaised => self.message("news-priority-raised", &[]),
            NotificationKind::Acknowledged => {
                self.by_person("news-acknowledged", "news-acknowledged-by", incident.acknowledged_by.as_ref(), &[])
            }
            NotificationKind::Repeated => {
                self.message("news-repeated", &[("duration", (&lasted(notification.at)).into())])
            }
            NotificationKind::Escalated => self.message("news-escalated", &[]),
            NotificationKind::SlaThreshold if incident.clocks.iter().any(|clock| clock.is_breached) => {
                self.message("news-sla-breached", &[])
            }
            NotificationKind::SlaThreshold => self.message("news-sla-threshold", &[]),
            NotificationKind::Reopened => self.message("news-reopened", &[]),
            NotificationKind::Resolved => {
                let duration = lasted(incident.resolved_at.unwrap_or(notification.at));
                let arguments = [("duration", Argument::from(&duration))];
                self.by_person("news-resolved", "news-resolved-by", incident.resolved_by.as_ref(), &arguments)
            }
            NotificationKind::Merged => match &incident.merged_into {
                Some(other) => self.message("news-merged-into", &[("incident", (&other.to_string()).into())]),
                None => self.message("news-merged", &[]),
            },
            NotificationKind::ProblemProposed => self.message("news-problem-proposed", &[]),
            NotificationKind::ProblemAccepted => self.message("news-problem-accepted", &[]),
            NotificationKind::ProblemKnownError => self.message("news-problem-known-error", &[]),
            NotificationKind::ProblemResolved => self.message("news-problem-resolved", &[]),
            NotificationKind::Test => self.message("news-test", &[]),
        }
    }

    fn by_person(
        &self,
        alone: &str,
        by: &str,
        person: Option<&String>,
        arguments: &[(&'static str, Argument<'_>)],
    ) -> String {
        let Some(person) = person.map(|person| name(person)).filter(|person| !person.is_empty()) else {
            return self.message(alone, arguments);
        };
        let mut arguments = arguments.to_vec();
        arguments.push(("person", (&person).into()));
        self.message(by, &arguments)
    }

    fn status(&self, incident: &IncidentView) -> String {
        let mut parts = vec![
            self.message("severity", &[("severity", incident.severity.as_str().into())]),
            self.message("state", &[("state", incident.state.as_str().into())]),
            self.message("began", &[("at", (&self.reader.date_time(incident.started_at)).into())]),
        ];
        if let Some(assignee) = &incident.assignee {
            parts.push(self.message("assigned-to", &[("person", (&name(assignee)).into())]));
        }
        parts.join(" · ")
    }

    fn root_cause(&self, cause: Option<&RootCause>) -> Section {
        let Some(cause) = cause else {
            let unknown = self.message("root-cause-unknown", &[]);
            return self.section("label-root-cause", vec![Line::plain(&unknown)]);
        };
        let sure = match &cause.confirmed_by {
            Some(person) => self.message("confirmed-by", &[("person", (&name(person)).into())]),
            None => {
                let percent = cause.confidence_percent.min(100).to_string();
                self.message("confidence", &[("percent", (&percent).into())])
            }
        };
        let why = text::excerpt(&cause.why, SENTENCE_CHARS_MAX);
        let suspect = cause.suspect_changes.first();
        let item = name(&cause.configuration_item);
        let cause = match (why.is_empty(), why.contains(&item)) {
            (true, _) => item,
            (false, true) => why,
            (false, false) => format!("{item}: {why}"),
        };
        let mut lines = vec![Line::plain(&format!("{cause} ({sure})"))];
        if let Some(suspect) = suspect {
            let text = text::excerpt(&suspect.text, SENTENCE_CHARS_MAX);
            lines.push(Line::plain(&self.message("suspect-change", &[("change", (&text).into())])));
        }
        self.section("label-root-cause", lines)
    }

    fn what_to_do(&self, incident: &IncidentView) -> Section {
        let mut lines = Vec::new();
        if let Some(problem) = &incident.problem {
            let title = text::excerpt(&problem.title, TITLE_CHARS_MAX);
            let workaround = problem.workaround.as_ref();
            let workaround = workaround.map(|text| text::excerpt_of_paragraphs(text, WORKAROUND_CHARS_MAX));
            let text = match workaround.filter(|text| !text.is_empty()) {
                Some(workaround) => {
                    self.message("workaround", &[("problem", (&title).into()), ("workaround", (&workaround).into())])
                }
                None => self.message("problem", &[("problem", (&title).into())]),
            };
            lines.extend(text.lines().filter(|line| !line.is_empty()).map(Line::plain));
            if let Some(at) = problem.reopened_at {
                let text = self.message("problem-reopened", &[("at", (&self.reader.date_time(at)).into())]);
                lines.push(Line::plain(&text));
            }
        }
        let mut seen: Vec<&str> = Vec::new();
        for alert in &incident.alerts {
            let Some(address) = alert.runbook_url.as_deref().filter(|address| !seen.contains(address)) else {
                continue;
            };
            if seen.len() == RUNBOOKS_MAX {
                break;
            }
            seen.push(address);
            let text = self.message("runbook", &[("name", (&name(&alert.name)).into())]);
            lines.push(Line::link(text, address));
        }
        self.section("label-what-to-do", lines)
    }

    fn impact(&self, incident: &IncidentView) -> Section {
        let level = |level: &str| self.message("level", &[("level", level.into())]);
        let (impact, urgency) = (level(incident.impact.as_str()), level(incident.urgency.as_str()));
        let mut lines =
            vec![self.message("impact-levels", &[("impact", (&impact).into()), ("urgency", (&urgency).into())])];
        if !incident.services.is_empty() {
            let count = incident.services.len();
            let names = self.names(&incident.services, count);
            lines.push(self.message("impact-services", &[("count", count.into()), ("names", (&names).into())]));
        }
        if !incident.configuration_items.is_empty() {
            let shown = incident.configuration_items.len();
            let count = shown.max(incident.configuration_item_count as usize);
            let names = self.names(&incident.configuration_items, count);
            lines.push(self.message("impact-items", &[("count", count.into()), ("names", (&names).into())]));
        }
        if incident.alert_count > 0 {
            let arguments = [("count", incident.alert_count.into()), ("firing", incident.firing_count.into())];
            lines.push(self.message("impact-alerts", &arguments));
        }
        self.section("label-impact", lines.iter().map(|line| Line::plain(line)).collect())
    }

    /// The first of them, and how many more there are of `count`.
    fn names(&self, all: &[String], count: usize) -> String {
        let mut names: Vec<String> = all.iter().take(NAMES_MAX).map(|text| name(text)).collect();
        let missing = count.saturating_sub(names.len());
        if missing > 0 {
            names.push(self.message("and-more", &[("count", missing.into())]));
        }
        names.join(", ")
    }

    fn service_level(&self, clocks: &[ClockView]) -> Section {
        let mut lines = Vec::new();
        for clock in clocks.iter().take(CLOCKS_MAX) {
            let met = clock.met_at.map(|at| self.reader.date_time(at)).unwrap_or_default();
            let key = match (clock.is_breached, clock.met_at) {
                (true, _) => "service-level-missed",
                (false, Some(_)) => "service-level-met",
                (false, None) => "service-level-due",
            };
            let due = self.reader.date_time(clock.due_at);
            let text = self.message(
                key,
                &[
                    ("target", clock.target.as_str().into()),
                    ("due", (&due).into()),
                    ("met", (&met).into()),
                    ("name", (&name(&clock.sla)).into()),
                ],
            );
            lines.push(Line::plain(&text));
        }
        self.section("label-service-level", lines)
    }

    fn evidence(&self, incident: &IncidentView) -> Section {
        let shown = incident.alerts.len().min(EVIDENCE_MAX);
        let mut lines: Vec<Line> = incident.alerts[..shown].iter().map(|alert| self.alert(alert)).collect();
        let missing = (incident.alert_count as usize).max(incident.alerts.len()) - shown;
        if shown > 0 && missing > 0 {
            lines.push(Line::plain(&self.message("alerts-more", &[("count", missing.into())])));
        }
        self.section("label-evidence", lines)
    }

    /// `05:00 critical rtr1: Host down – rtr1 does not answer (nagios)`.
    fn alert(&self, alert: &AlertView) -> Line {
        let how = match alert.status {
            AlertStatus::Firing => self.message("severity", &[("severity", alert.severity.as_str().into())]),
            AlertStatus::Resolved => self.message("alert-resolved", &[]),
        };
        let mut text = format!("{} {how} ", self.reader.time(alert.started_at));
        if let Some(item) = &alert.configuration_item {
            text.push_str(&name(item));
            text.push_str(": ");
        }
        let alert_name = name(&alert.name);
        let summary = text::excerpt(&alert.summary, TITLE_CHARS_MAX);
        text.push_str(&alert_name);
        if summary != alert_name && !summary.is_empty() {
            text.push_str(" – ");
            text.push_str(&summary);
        }
        text.push_str(&format!(" ({})", name(&alert.source)));
        Line::plain(&text)
    }

    fn links(&self, incident: &IncidentView) -> Section {
        let mut lines = Vec::new();
        if let Some(address) = &incident.url {
            let text = self.message("link-incident", &[("incident", (&incident.id.to_string()).into())]);
            lines.push(Line::link(text, address));
        }
        for alert in incident.alerts.iter().take(EVIDENCE_MAX) {
            if let Some(address) = &alert.url {
                let (alert, source) = (name(&alert.name), name(&alert.source));
                let text = self.message("link-alert", &[("name", (&alert).into()), ("source", (&source).into())]);
                lines.push(Line::link(text, address));
            }
        }
        self.section("label-links", lines)
    }
}

fn name(text: &str) -> String {
    text::excerpt(text, NAME_CHARS_MAX)
}
