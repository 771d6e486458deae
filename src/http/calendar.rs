//! Schedules out, as iCalendar feeds: `/api/v1/schedules/{name}/calendar.ics`.
//!
//! A calendar is given an address and nothing else, so the feed's token may stand in the URL, as `?token=`. It is a token
//! of its own that opens this one feed: whoever reads it in a phone's settings can neither see nor change anything else.
//! Like every query it is never logged, counted or repeated.

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::auth::SourceAuth;
use super::error::{Problem, ProblemBody};
use super::heartbeat::{Name, read_query, with_token};
use super::{App, Auth};
use crate::engine::on_call::view;
use crate::model::Span;
use crate::render::calendar::calendar;

/// What is shown of the past and of what comes.
const PAST: Span = Span::from_hours(14 * 24);
const FUTURE: Span = Span::from_hours(90 * 24);

/// Schedules that have a feed, and who may read it.
#[derive(Default)]
pub struct Feeds {
    /// Name of this installation.
    instance: String,
    doors: BTreeMap<String, SourceAuth>,
}

impl Feeds {
    pub fn new(instance: String, feeds: BTreeMap<String, Auth>) -> Self {
        Self { instance, doors: feeds.into_iter().map(|(name, auth)| (name, SourceAuth::new(auth))).collect() }
    }

    fn find(&self, name: &str) -> Result<&SourceAuth, Problem> {
        let shown: String = name.chars().take(80).map(|c| if c.is_control() { ' ' } else { c }).collect();
        let none = || Problem::not_found(format!("no schedule `{shown}` with a `feed` is configured"));
        self.doors.get(name).ok_or_else(none)
    }
}

/// The shifts of a schedule as a calendar: those of the last 14 and of the next 90 days.
#[utoipa::path(get, path = "/api/v1/schedules/{name}/calendar.ics", operation_id = "read_calendar", tag = "on-call",
    params(("name" = String, Path), ("token" = Option<String>, Query, description = "The feed's token, for calendars, which cannot set a header")),
    responses((status = 200, content_type = "text/calendar", body = String), (status = "4XX", body = ProblemBody)),
    security((), ("feed_token" = [])))]
pub async fn feed(State(app): State<Arc<App>>, name: Name, request: Request) -> Response {
    let shown = match name {
        Ok(Path(name)) => show(&app, name, request).await,
        Err(_) => Err(Problem::not_found("the path is not UTF-8 once its `%` are decoded")),
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/calendar; charset=utf-8")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    match shown {
        Ok(text) => (headers, text).into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn show(app: &App, name: String, request: Request) -> Result<String, Problem> {
    let feeds = app.feeds();
    let query = read_query(request.uri());
    let headers = with_token(request.headers(), query.as_ref().ok());
    feeds.find(&name)?.check(&headers, request.uri(), app.clock.now()).map_err(|problem| {
        let has_none = problem.status() == StatusCode::UNAUTHORIZED && !headers.contains_key(AUTHORIZATION);
        let challenge = HeaderValue::from_static("Bearer realm=\"watchbell\"");
        let wanted = "this feed wants its token in the URL as `?token=<token>`, or in the header `Authorization: Bearer <token>`";
        if has_none { Problem::unauthenticated(challenge, wanted) } else { problem }
    })?;
    query?;
    let now = app.clock.now();
    let look = move |state: &crate::engine::state::State| (state.shared_policy(), state.shared_overrides());
    let (policy, overrides) = app.driver.look(look).await?;
    let instance = feeds.instance.clone();
    let text = tokio::task::spawn_blocking(move || {
        let schedule = policy.schedules.get(&name)?;
        let shifts = view::whole_shifts(&policy, &overrides, &name, schedule, (now - PAST, now + FUTURE));
        Some(calendar(&instance, &name, &shifts, now))
    });
    match text.await {
        Ok(Some(text)) => Ok(text),
        // A reload took it away.
        Ok(None) => Feeds::default().find("").map(|_| String::new()),
        Err(error) => {
            tracing::error!(%error, "writing a calendar panicked");
            Err(Problem::internal())
        }
    }
}
