//! Silences: list them, see what one would mute, make or change one, end one. What they mute is decided by the engine at
//! each notification.

use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Json};
use http::Uri;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

use super::parameters::Parameters;
use super::{Decoded, Id, Outcome, PageOf, command, look_at, query, to_json};
use crate::engine::input::{Command, Principal};
use crate::engine::silence::ITEM;
use crate::engine::silence::preview::{self, Preview};
use crate::http::App;
use crate::http::error::{Problem, ProblemBody};
use crate::model::recurrence::RecurrenceError;
use crate::model::{Matcher, Recurrence, Silence, SilenceDraft, SilenceState, Span, Timestamp};
use crate::sources::ParseError;
use crate::store::SilenceQuery;

/// Matchers of one silence.
const MATCHERS_MAX: usize = 32;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSilence {
    /// Of the silence that is to be changed; what may not change of it ends it, and makes a new one.
    #[serde(default)]
    id: Option<String>,
    /// All of them must match: `team="ops"`, `instance=~"db-.*"`.
    #[serde(default)]
    #[schema(max_items = 32)]
    matchers: Vec<Matcher>,
    /// The same as a matcher `service="x"`.
    #[serde(default)]
    service: Option<String>,
    /// The same as a matcher `site="x"`.
    #[serde(default)]
    site: Option<String>,
    /// The item and everything that depends on it.
    #[serde(default)]
    configuration_item: Option<String>,
    /// Now, when absent, or with `id` as it was. Of one that recurs: no time begins earlier, and each begins at that time of the day.
    #[serde(default)]
    starts_at: Option<Timestamp>,
    /// Either this or `duration`.
    #[serde(default)]
    ends_at: Option<Timestamp>,
    /// Of one that recurs: of each time.
    #[serde(default)]
    duration: Option<Span>,
    #[serde(default)]
    recurrence: Option<NewRecurrence>,
    /// It ends by itself when nothing that it mutes has fired for so long.
    #[serde(default)]
    expire_when_quiet: Option<Span>,
    /// Who it is said to be of; whose token asks, when absent. That one owns it all the same.
    #[serde(default)]
    created_by: Option<String>,
    /// Why: whoever wonders at night reads it.
    #[serde(default)]
    comment: String,
}

/// Again and again, by a rule of RFC 5545.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRecurrence {
    /// `FREQ=WEEKLY;BYDAY=SA`.
    rrule: String,
    /// A name of the time zone database: `Europe/Berlin`.
    time_zone: String,
    /// As `starts_at` of the silence.
    #[serde(default)]
    starts_at: Option<Timestamp>,
    /// As `duration` of the silence.
    #[serde(default)]
    duration: Option<Span>,
    /// No time begins later.
    #[serde(default)]
    until: Option<Timestamp>,
}

impl NewSilence {
    fn into_draft(mut self, now: Timestamp) -> Result<SilenceDraft, ParseError> {
        let named = [("service", &self.service), ("site", &self.site), (ITEM, &self.configuration_item)];
        let named = named.into_iter().filter_map(|(name, value)| Some(Matcher::equal(name, value.as_ref()?)));
        self.matchers.extend(named.collect::<Vec<_>>());
        if self.matchers.is_empty() || self.matchers.len() > MATCHERS_MAX {
            let expected = format!("1 to {MATCHERS_MAX} matchers");
            return Err(ParseError::new("matchers", format!("{}", self.matchers.len()), expected));
        }
        let recurrence = self.recurrence.take();
        let recurrence =
            recurrence.map(|recurrence| recurrence.read(self.starts_at, self.duration, now)).transpose()?;
        let starts_at = self.starts_at.unwrap_or(now);
        let ends_at = match (self.ends_at, self.duration, &recurrence) {
            (None, _, Some(recurrence)) => starts_at + recurrence.duration,
            (Some(_), _, Some(_)) => {
                return Err(ParseError::new(
                    "ends_at",
                    "a time",
                    "`duration`, and `recurrence.until` for the end of all",
                ));
            }
            (Some(ends_at), None, None) => ends_at,
            (None, Some(duration), None) => starts_at + duration,
            (None, None, None) => return Err(ParseError::new("ends_at", "neither", "either `ends_at` or `duration`")),
            (Some(_), Some(_), None) => {
                return Err(ParseError::new("ends_at", "both", "either `ends_at` or `duration`"));
            }
        };
        let keeps_start = self.id.is_some() && self.starts_at.is_none();
        let starts_at = if keeps_start { Timestamp::default() } else { starts_at };
        Ok(SilenceDraft {
            id: self.id,
            matchers: self.matchers,
            starts_at,
            ends_at,
            comment: self.comment,
            created_by: self.created_by.filter(|name| !name.trim().is_empty()),
            annotations: BTreeMap::new(),
            covers_dependants: self.configuration_item.is_some(),
            recurrence,
            expire_when_quiet: self.expire_when_quiet,
        })
    }
}

impl NewRecurrence {
    fn read(
        self,
        starts_at: Option<Timestamp>,
        duration: Option<Span>,
        now: Timestamp,
    ) -> Result<Recurrence, ParseError> {
        let duration = self.duration.or(duration);
        let duration = duration.ok_or_else(|| ParseError::new("duration", "nothing", "how long each time lasts"))?;
        let starts_at = self.starts_at.or(starts_at).unwrap_or(now);
        let recurrence =
            Recurrence { rrule: self.rrule, time_zone: self.time_zone, starts_at, duration, until: self.until };
        let in_body = |error: RecurrenceError| {
            let field = format!("recurrence.{}", error.field);
            ParseError::new(field, error.got.trim_matches('`'), error.expected)
        };
        recurrence.check().map_err(in_body)?;
        Ok(recurrence)
    }
}

/// Silences, latest start first: those in force and those to come, or those in one state. One that is over can be
/// seen for `silences.retention` (5 days).
#[utoipa::path(get, path = "/api/v1/silences", operation_id = "list_silences", tag = "silences",
    params(("state" = Option<String>, Query, pattern = "^(pending|active|expired)$"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = PageOf<Silence>), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn list(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Problem> {
    let parameters = Parameters::read(&uri, &["state"], &[])?;
    let read = |text: &str| SilenceState::ALL.into_iter().find(|state| state.as_str() == text);
    let state = parameters.word("state", "`pending`, `active` or `expired`", read)?;
    let wanted = SilenceQuery { state, page: parameters.page()? };
    query(&app, move |reader| Ok(reader.silences(&wanted)?)).await
}

/// Keeps people from hearing about what matches, for a time or again and again; with `id` it changes a silence.
#[utoipa::path(post, path = "/api/v1/silences", operation_id = "create_silence", tag = "silences",
    request_body = NewSilence,
    responses((status = 200, body = Outcome), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Decoded(silence): Decoded<NewSilence>,
) -> Result<Json<Outcome>, Problem> {
    let draft = silence.into_draft(app.clock.now()).map_err(Problem::invalid_body)?;
    command(&app, by, Command::Silence(Box::new(draft))).await
}

/// What a silence would mute if it were in force now. Nothing is made.
#[utoipa::path(post, path = "/api/v1/silences/preview", operation_id = "preview_silence", tag = "silences",
    request_body = NewSilence,
    responses((status = 200, body = Preview), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn preview(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Decoded(silence): Decoded<NewSilence>,
) -> Result<Response, Problem> {
    let draft = silence.into_draft(app.clock.now()).map_err(Problem::invalid_body)?;
    let now = app.clock.now();
    let look = move |state: &_| preview::of(state, now, &by, draft);
    look_at(&app, look, |found| to_json(&found.map_err(Problem::conflict)?)).await
}

/// Ends a silence now.
#[utoipa::path(delete, path = "/api/v1/silences/{id}", operation_id = "expire_silence", tag = "silences",
    params(("id" = String, Path)),
    responses((status = 200, body = Outcome), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn expire(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Id(silence): Id,
) -> Result<Json<Outcome>, Problem> {
    command(&app, by, Command::ExpireSilence { silence }).await
}
