//! Events and changes in. The order is the contract: find the source, authenticate by the connection and the
//! headers, look at the quota, only then read the body, check its signature over the raw bytes, parse all of it or nothing,
//! make it durable, answer. A body that cannot be read is kept in quarantine and answered 4xx; a 2xx
//! is never sent before the commit. Knows no system: `sources/` does.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

use super::body::{self, DecompressError, Encoding};
use super::error::Problem;
use super::live::Endpoint;
use super::replay::{Claim, Ticket};
use super::{App, alertmanager};
use crate::crash_point::{CrashPoint, reach};
use crate::engine::input::Input;
use crate::model::Timestamp;
use crate::runtime::inbox::SubmitError;
use crate::runtime::self_check::Refusal;
use crate::sources::{Inbound, ParseError, Parsed};
use crate::store::{QUARANTINE_BYTES_MAX, QuarantineRow};

/// Plain bodies up to here are parsed where they arrive: handing them to another thread would cost
/// more than the parsing, about 0.2 ms at this size.
const INLINE_PARSE_BYTES_MAX: usize = 64 * 1_024;

/// The source behind the Alertmanager API.
const PROMETHEUS: &str = "prometheus";

/// What a source is told once its events or changes are durable.
#[derive(Serialize, ToSchema)]
pub struct Accepted {
    /// Events or changes in the request; all of them are kept.
    accepted: usize,
}

impl Accepted {
    pub const fn one() -> Self {
        Self { accepted: 1 }
    }
}

#[derive(Clone, Copy)]
enum AnswerStyle {
    /// `{"accepted":n}`
    Count,
    /// An empty 200 and errors as Alertmanager answers.
    Empty,
}

type PathOf<T> = Result<Path<T>, PathRejection>;

/// Takes events or changes for the instance named like the kind, or the only one of that kind.
#[utoipa::path(post, path = "/in/{kind}", operation_id = "ingest", tag = "ingest",
    params(("kind" = String, Path, description = "Kind of source, `zabbix` for example")),
    request_body(content = serde_json::Value, description = "As the monitor sends it; `watchbell integrations` describes each"),
    responses((status = 200, body = Accepted), (status = "4XX", body = super::error::ProblemBody),
        (status = 503, body = super::error::ProblemBody)),
    security((), ("source_token" = []), ("source_password" = [])))]
pub async fn by_kind(State(app): State<Arc<App>>, kind: PathOf<String>, request: Request) -> Response {
    let endpoint = unreadable(kind).and_then(|kind| app.live().source_of_kind(&kind));
    receive(&app, endpoint, AnswerStyle::Count, request).await
}

/// Takes events or changes for one source instance.
#[utoipa::path(post, path = "/in/{kind}/{name}", operation_id = "ingest_named", tag = "ingest",
    params(("kind" = String, Path, description = "Kind of source"), ("name" = String, Path, description = "Name of the instance")),
    request_body(content = serde_json::Value, description = "As the monitor sends it; `watchbell integrations` describes each"),
    responses((status = 200, body = Accepted), (status = "4XX", body = super::error::ProblemBody),
        (status = 503, body = super::error::ProblemBody)),
    security((), ("source_token" = []), ("source_password" = [])))]
pub async fn by_name(State(app): State<Arc<App>>, path: PathOf<(String, String)>, request: Request) -> Response {
    let endpoint = unreadable(path).and_then(|(kind, name)| app.live().source(&kind, &name));
    receive(&app, endpoint, AnswerStyle::Count, request).await
}

/// Takes alerts as Alertmanager does, so that Prometheus and `amtool` can send here.
#[utoipa::path(post, path = "/api/v2/alerts", operation_id = "alertmanager_alerts", tag = "alertmanager",
    request_body(content = Vec<serde_json::Value>, description = "Alertmanager's `postableAlerts`"),
    responses((status = 200, description = "All alerts are durable"),
        (status = "4XX", body = serde_json::Value, description = "What does not fit; what does is durable"),
        (status = 503, body = serde_json::Value, description = "Nothing was taken; come again")),
    security((), ("source_token" = []), ("source_password" = [])))]
pub async fn post_alerts(State(app): State<Arc<App>>, request: Request) -> Response {
    let endpoint = app.live().source_of_kind(PROMETHEUS);
    receive(&app, endpoint, AnswerStyle::Empty, request).await
}

/// The same under a path of its own, for a Prometheus that is given a path prefix.
#[utoipa::path(post, path = "/in/prometheus/api/v2/alerts", operation_id = "alertmanager_alerts_prefixed",
    tag = "alertmanager",
    request_body(content = Vec<serde_json::Value>, description = "Alertmanager's `postableAlerts`"),
    responses((status = 200, description = "All alerts are durable"),
        (status = "4XX", body = serde_json::Value, description = "What does not fit; what does is durable"),
        (status = 503, body = serde_json::Value, description = "Nothing was taken; come again")),
    security((), ("source_token" = []), ("source_password" = [])))]
pub async fn alertmanager_prefixed(state: State<Arc<App>>, request: Request) -> Response {
    post_alerts(state, request).await
}

/// The same for one of several Prometheus sources.
#[utoipa::path(post, path = "/in/prometheus/{name}/api/v2/alerts", operation_id = "alertmanager_alerts_named",
    tag = "alertmanager", params(("name" = String, Path, description = "Name of the instance")),
    request_body(content = Vec<serde_json::Value>, description = "Alertmanager's `postableAlerts`"),
    responses((status = 200, description = "All alerts are durable"),
        (status = "4XX", body = serde_json::Value, description = "What does not fit; what does is durable"),
        (status = 503, body = serde_json::Value, description = "Nothing was taken; come again")),
    security((), ("source_token" = []), ("source_password" = [])))]
pub async fn alertmanager_named(State(app): State<Arc<App>>, name: PathOf<String>, request: Request) -> Response {
    let endpoint = unreadable(name).and_then(|name| app.live().source(PROMETHEUS, &name));
    receive(&app, endpoint, AnswerStyle::Empty, request).await
}

fn unreadable<T>(path: PathOf<T>) -> Result<T, Problem> {
    path.map(|Path(value)| value).map_err(|_| Problem::not_found("the path is not UTF-8 once its `%` are decoded"))
}

async fn receive(
    app: &App,
    endpoint: Result<Arc<Endpoint>, Problem>,
    style: AnswerStyle,
    request: Request,
) -> Response {
    let endpoint = match endpoint {
        Ok(endpoint) => endpoint,
        Err(problem) => return problem.into_response(),
    };
    match take(app, &endpoint, request).await {
        Ok(taken) => {
            match taken {
                Taken::Now(count) => endpoint.count_accepted(count),
                Taken::Before(_) => endpoint.count_repeated(),
            }
            let (Taken::Now(count) | Taken::Before(count)) = taken;
            match style {
                AnswerStyle::Empty => StatusCode::OK.into_response(),
                AnswerStyle::Count => Json(Accepted { accepted: count }).into_response(),
            }
        }
        Err(problem) => {
            endpoint.count_refused(problem.status(), &app.metrics);
            tracing::debug!(
                source = endpoint.name,
                status = problem.status().as_u16(),
                detail = problem.detail(),
                "a request was refused"
            );
            match style {
                AnswerStyle::Empty => alertmanager::in_their_shape(problem),
                AnswerStyle::Count => problem.into_response(),
            }
        }
    }
}

/// How many events or changes of a request are durable, and since when.
#[derive(Clone, Copy)]
enum Taken {
    Now(usize),
    /// The same signed request came before.
    Before(usize),
}

/// From request to durable.
async fn take(app: &App, endpoint: &Arc<Endpoint>, request: Request) -> Result<Taken, Problem> {
    let now = app.clock.now();
    let (parts, body) = request.into_parts();
    endpoint.check_client(&parts.extensions, now)?;
    let signature = endpoint.auth.check(&parts.headers, &parts.uri, now)?;
    if let Some(quota) = &endpoint.quota {
        quota
            .check(now)
            .map_err(|wait_s| Problem::over_quota(endpoint.overload_status(), quota.events_per_second(), wait_s))?;
    }
    let encoding = Encoding::of(&parts.headers)?;
    let raw = body::read(body, &parts.headers, endpoint.body_bytes_max).await?;
    let stamp = match signature {
        Some(signature) => signature.verify(&raw, app.clock.now())?,
        None => None,
    };
    let ticket = match stamp.map(|stamp| endpoint.replays.claim(stamp, app.clock.now())) {
        None => None,
        Some(Claim::First(ticket)) => Some(ticket),
        Some(Claim::Repeated(count)) => return Ok(Taken::Before(count)),
        Some(Claim::UnderWay) => return Err(Problem::under_way(endpoint.overload_status())),
        Some(Claim::Full(wait_s)) => return Err(Problem::too_many_signatures(endpoint.overload_status(), wait_s)),
    };
    let content_type = body::content_type(&parts.headers);
    let whole = raw.clone();
    let mut parsed = parse(endpoint, encoding, raw, content_type.clone(), now).await;
    if app.facade().is_open
        && let Err(Unreadable::Body { body, .. }) = &parsed
        && let Some(plain) = alertmanager::as_go_reads(body)
    {
        let body = body.clone();
        let again = parse(endpoint, Encoding::Identity, plain.into(), content_type, now).await;
        // What is kept is what came.
        parsed = again.map_err(|unreadable| match unreadable {
            Unreadable::Body { error, .. } => Unreadable::Body { error, body },
            other => other,
        });
    }
    if let Some(quota) = &endpoint.quota {
        quota.charge(now, parsed.as_ref().map_or(1, Parsed::len));
    }
    let parsed = match parsed {
        Ok(parsed) => parsed,
        Err(Unreadable::Body { error, body }) => {
            let kept = body[..body.len().min(QUARANTINE_BYTES_MAX)].to_vec();
            let row = QuarantineRow { at: now, source: endpoint.name.clone(), reason: error.to_string(), body: kept };
            app.quarantine(row).await;
            endpoint.count_invalid(usize::from(alertmanager::is_of_an_alert(&error)));
            return Err(Problem::invalid_body(error));
        }
        Err(Unreadable::Other(problem)) => return Err(problem),
    };
    let count = parsed.len();
    let refused = match &parsed {
        Parsed::Partly { refused, .. } => refused.clone(),
        Parsed::Events(_) | Parsed::Changes(_) => Vec::new(),
    };
    let ends = parsed.count_resolved();
    reach(CrashPoint::BodyRead);
    if count > 0 {
        submit(app, endpoint, parsed, ticket).await.map_err(|error| match error {
            SubmitError::Overloaded => Problem::overloaded(endpoint.overload_status()),
            SubmitError::Unavailable(_) => error.into(),
        })?;
    }
    endpoint.count_resolved(ends);
    let Some(first) = refused.first() else { return Ok(Taken::Now(count)) };
    endpoint.count_invalid(refused.len());
    endpoint.count_accepted(count);
    let reason = refused.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let body = whole[..whole.len().min(QUARANTINE_BYTES_MAX)].to_vec();
    app.quarantine(QuarantineRow { at: now, source: endpoint.name.clone(), reason, body }).await;
    Err(Problem::partly(first.clone(), refused, count))
}

/// Hands what was read to the writer, as one input. With a ticket that is seen to its end even when the sender hangs up
/// meanwhile: its next try must find out what became of this one.
async fn submit(app: &App, endpoint: &Endpoint, parsed: Parsed, ticket: Option<Ticket>) -> Result<(), SubmitError> {
    let (driver, source, count) = (app.driver.clone(), Some(endpoint.name.clone()), parsed.len());
    let input = match parsed {
        Parsed::Events(events) | Parsed::Partly { events, .. } => Input::Events { events },
        Parsed::Changes(changes) => Input::Changes { changes },
    };
    let Some(ticket) = ticket else { return driver.submit(input, source).await.map(drop) };
    let work = async move {
        driver.submit(input, source).await?;
        ticket.taken(count);
        Ok(())
    };
    tokio::spawn(work).await.unwrap_or_else(|error| Err(SubmitError::Unavailable(error.to_string())))
}

/// A probe of the self check, from request to durable, as any other body; no path leads here.
pub async fn probe(app: &App, endpoint: &Arc<Endpoint>, body: String) -> Result<(), Refusal> {
    let request = Request::post("/").header(CONTENT_TYPE, "application/json").body(body.into());
    let request = request.map_err(|error| Refusal::Refused(error.to_string()))?;
    match take(app, endpoint, request).await {
        Ok(Taken::Now(count) | Taken::Before(count)) => {
            endpoint.count_accepted(count);
            Ok(())
        }
        Err(problem) if problem.status() == StatusCode::TOO_MANY_REQUESTS => Err(Refusal::Busy),
        Err(problem) => Err(Refusal::Refused(problem.detail().to_owned())),
    }
}

/// What stands between a body and what it tells.
enum Unreadable {
    /// The sender's mistake, with the bytes that show it.
    Body {
        error: ParseError,
        body: Bytes,
    },
    Other(Problem),
}

async fn parse(
    endpoint: &Arc<Endpoint>,
    encoding: Encoding,
    raw: Bytes,
    content_type: String,
    now: Timestamp,
) -> Result<Parsed, Unreadable> {
    if encoding == Encoding::Identity && raw.len() <= INLINE_PARSE_BYTES_MAX {
        return parse_plain(endpoint, raw, &content_type, now);
    }
    let endpoint = endpoint.clone();
    let work = move || {
        let body = match encoding {
            Encoding::Identity => raw,
            _ => match body::decompress(encoding, &raw, endpoint.body_bytes_max) {
                Ok(unpacked) => Bytes::from(unpacked),
                Err(DecompressError::TooLarge) => {
                    return Err(Unreadable::Other(Problem::body_too_large(endpoint.body_bytes_max, true)));
                }
                Err(DecompressError::Damaged(error)) => return Err(Unreadable::Body { error, body: raw }),
            },
        };
        parse_plain(&endpoint, body, &content_type, now)
    };
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        tracing::error!(%error, "the parser of a source panicked");
        Err(Unreadable::Other(Problem::internal()))
    })
}

fn parse_plain(
    endpoint: &Endpoint,
    body: Bytes,
    content_type: &str,
    received_at: Timestamp,
) -> Result<Parsed, Unreadable> {
    let inbound = Inbound { source: &endpoint.name, content_type, body: &body, received_at };
    endpoint.source.parse(&inbound).map_err(|error| Unreadable::Body { error, body })
}
