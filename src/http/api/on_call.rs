//! Who is on call: now, at another time, over a time; and whoever stands in. Decides nothing of that: the calendar does
//! (`model/schedule.rs`), and the engine says what may be changed.

use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Json};
use http::{StatusCode, Uri};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;
use utoipa::ToSchema;

use super::names::NamePage;
use super::parameters::Parameters;
use super::{Decoded, Id, Outcome, PageOf, command, look_at, to_json};
use crate::engine::input::{Command, Principal};
use crate::engine::on_call::view;
use crate::http::App;
use crate::http::error::{Problem, ProblemBody};
use crate::model::schedule::Override;
use crate::model::schedule::view::{OnCallView, OverviewView, PersonView, ScheduleView};
use crate::model::{Span, Timestamp};
use crate::sources::ParseError;

/// What is shown when no end is asked for.
const SHOWN: Span = Span::from_hours(14 * 24);
/// What can be asked for at once.
const SHOWN_MAX: Span = Span::from_hours(366 * 24);

const A_TIME: &str = "a time such as `2026-11-23T09:00:00Z`";

fn time(parameters: &Parameters, name: &str) -> Result<Option<Timestamp>, Problem> {
    parameters.word(name, A_TIME, |text| text.parse().ok())
}

/// Those after the last name of the page before.
fn after<'a, T>(all: &'a BTreeMap<String, T>, page: &NamePage) -> impl Iterator<Item = (&'a String, &'a T)> {
    let from = page.after.as_deref().map_or(Unbounded, Excluded);
    all.range::<str, _>((from, Unbounded)).take(page.wanted())
}

fn unknown(schedule: &str) -> Problem {
    let shown: String = schedule.chars().take(80).map(|c| if c.is_control() { ' ' } else { c }).collect();
    Problem::not_found(format!("there is no schedule `{shown}`; `schedules` in the configuration names those that are"))
}

/// Who is on call in each schedule, now or `at` another time, since when and until when: by the configuration and the
/// overrides of now.
#[utoipa::path(get, path = "/api/v1/on-call", operation_id = "list_on_call", tag = "on-call",
    params(("at" = Option<Timestamp>, Query), ("schedule" = Option<String>, Query),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = PageOf<OnCallView>), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn list(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Problem> {
    let parameters = Parameters::read(&uri, &["at", "schedule"], &[])?;
    let at = time(&parameters, "at")?.unwrap_or_else(|| app.clock.now());
    let only = parameters.text("schedule");
    let page = NamePage::read(&parameters, "o")?;
    let look = |state: &crate::engine::state::State| (state.shared_policy(), state.shared_overrides());
    look_at(&app, look, move |(policy, overrides)| {
        if let Some(name) = only.as_ref().filter(|name| !policy.schedules.contains_key(*name)) {
            return Err(unknown(name));
        }
        let shown = after(&policy.schedules, &page).filter(|(name, _)| only.as_ref().is_none_or(|only| only == *name));
        let shown = shown.map(|(name, schedule)| view::on_call(&policy, &overrides, name, schedule, at));
        to_json(&page.of(shown.collect(), |shown: &OnCallView| &shown.schedule))
    })
    .await
}

/// Schedules by name.
#[utoipa::path(get, path = "/api/v1/schedules", operation_id = "list_schedules", tag = "on-call",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 500), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = PageOf<ScheduleView>), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn schedules(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Problem> {
    let page = NamePage::read(&Parameters::read(&uri, &[], &[])?, "s")?;
    let now = app.clock.now();
    let look = |state: &crate::engine::state::State| (state.shared_policy(), state.shared_overrides());
    look_at(&app, look, move |(policy, overrides)| {
        let shown = after(&policy.schedules, &page);
        let shown = shown.map(|(name, schedule)| view::schedule(&policy, &overrides, name, schedule, now));
        to_json(&page.of(shown.collect(), |shown: &ScheduleView| &shown.name))
    })
    .await
}

/// Shifts and gaps of a schedule in a time: from now on for two weeks, unless another one is asked for. At most 5,000
/// of them, and at most 366 days.
#[utoipa::path(get, path = "/api/v1/schedules/{name}/shifts", operation_id = "list_shifts", tag = "on-call",
    params(("name" = String, Path), ("from" = Option<Timestamp>, Query), ("until" = Option<Timestamp>, Query)),
    responses((status = 200, body = OverviewView), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn shifts(State(app): State<Arc<App>>, Id(name): Id, uri: Uri) -> Result<Response, Problem> {
    let parameters = Parameters::only(&uri, &["from", "until"])?;
    let from = time(&parameters, "from")?.unwrap_or_else(|| app.clock.now());
    let until = time(&parameters, "until")?.unwrap_or(from + SHOWN);
    if until <= from || until.since(from) > SHOWN_MAX {
        let expected = format!("a time after `from` ({from}), and at most {} after it", SHOWN_MAX.human());
        return Err(Problem::invalid_parameter("until", &until.to_string(), expected));
    }
    let look = |state: &crate::engine::state::State| (state.shared_policy(), state.shared_overrides());
    look_at(&app, look, move |(policy, overrides)| {
        let schedule = policy.schedules.get(&name).ok_or_else(|| unknown(&name))?;
        to_json(&view::overview(&policy, &overrides, &name, schedule, (from, until)))
    })
    .await
}

/// People by name; how they are reached is not told.
#[utoipa::path(get, path = "/api/v1/people", operation_id = "list_people", tag = "on-call",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 500), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = PageOf<PersonView>), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn people(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Problem> {
    let page = NamePage::read(&Parameters::read(&uri, &[], &[])?, "p")?;
    look_at(&app, crate::engine::state::State::shared_policy, move |policy| {
        let shown = after(&policy.people, &page).map(|(name, person)| view::person(&policy, name, person));
        to_json(&page.of(shown.collect(), |shown: &PersonView| &shown.name))
    })
    .await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOverride {
    /// The name of a person, or of another receiver.
    receiver: String,
    /// Now, when absent.
    #[serde(default)]
    starts_at: Option<Timestamp>,
    /// Either this or `duration`.
    #[serde(default)]
    ends_at: Option<Timestamp>,
    #[serde(default)]
    duration: Option<Span>,
}

impl NewOverride {
    fn into_shift(self, now: Timestamp) -> Result<Override, ParseError> {
        let starts_at = self.starts_at.unwrap_or(now);
        let ends_at = match (self.ends_at, self.duration) {
            (Some(ends_at), None) => ends_at,
            (None, Some(duration)) => starts_at + duration,
            (Some(_), Some(_)) => return Err(ParseError::new("duration", "`ends_at` as well", "one of the two")),
            (None, None) => return Err(ParseError::new("ends_at", "nothing", "a time, or `duration`")),
        };
        Ok(Override { starts_at, ends_at, receiver: self.receiver })
    }
}

/// Two shifts, or parts of them, each with the one who has it and gives it away.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSwap {
    one: Override,
    other: Override,
}

/// Puts somebody on call instead of whoever has the turn. What is past stays as it was.
#[utoipa::path(post, path = "/api/v1/schedules/{name}/overrides", operation_id = "override_shift", tag = "on-call",
    params(("name" = String, Path)), request_body = NewOverride,
    responses((status = 200, body = Outcome), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn put_in(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Id(schedule): Id,
    Decoded(wish): Decoded<NewOverride>,
) -> Result<Json<Outcome>, Problem> {
    let shift = wish.into_shift(app.clock.now()).map_err(Problem::invalid_body)?;
    let asked = Command::OverrideShift { schedule: schedule.clone(), shift };
    command(&app, by, asked).await.map_err(|problem| of_schedule(problem, &schedule))
}

/// Has two people exchange what they have.
#[utoipa::path(post, path = "/api/v1/schedules/{name}/swap", operation_id = "swap_shifts", tag = "on-call",
    params(("name" = String, Path)), request_body = NewSwap,
    responses((status = 200, body = Outcome), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn swap(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Id(schedule): Id,
    Decoded(NewSwap { one, other }): Decoded<NewSwap>,
) -> Result<Json<Outcome>, Problem> {
    let asked = Command::SwapShifts { schedule: schedule.clone(), one, other };
    command(&app, by, asked).await.map_err(|problem| of_schedule(problem, &schedule))
}

fn of_schedule(problem: Problem, schedule: &str) -> Problem {
    if problem.status() == StatusCode::NOT_FOUND { unknown(schedule) } else { problem }
}

/// Takes back what is left of an override or a swap.
#[utoipa::path(delete, path = "/api/v1/schedules/{name}/overrides/{id}", operation_id = "remove_override", tag = "on-call",
    params(("name" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = Outcome), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn remove(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    path: Result<axum::extract::Path<(String, String)>, axum::extract::rejection::PathRejection>,
) -> Result<Json<Outcome>, Problem> {
    let wrong = |_| Problem::not_found("the path is not UTF-8 once its `%` are decoded");
    let axum::extract::Path((schedule, id)) = path.map_err(wrong)?;
    command(&app, by, Command::RemoveOverride { schedule, id }).await
}
