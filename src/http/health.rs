//! Is it alive, is it ready, what does it count, and please read the configuration again. Knows
//! nothing by itself: the driver and `app.rs` keep [`Status`] up to date.

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{mpsc, oneshot};

use super::error::{Problem, ProblemBody};
use super::{App, ReloadRequest, alertmanager};
use crate::engine::input::Principal;
use crate::model::Timestamp;

/// How the daemon is, in flags that others set.
#[derive(Debug, Default)]
pub struct Status {
    is_loaded: AtomicBool,
    is_draining: AtomicBool,
    /// Why the daemon is not healthy; absent while it is.
    trouble: Mutex<Option<String>>,
    last_reload: Mutex<Option<Reload>>,
}

/// What the last load of the configuration led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reload {
    pub at: Timestamp,
    pub result: Result<String, String>,
}

impl Status {
    /// The store is read; inputs are taken from here on.
    pub fn loaded(&self) {
        self.is_loaded.store(true, Ordering::Release);
    }

    /// The daemon is about to stop: new work should go elsewhere.
    pub fn draining(&self) {
        self.is_draining.store(true, Ordering::Release);
    }

    /// The writer made progress or has nothing to do, and the self check passes.
    pub fn healthy(&self) {
        *self.trouble.lock() = None;
    }

    /// Something does not get on; `reason` is shown to whoever can reach the port.
    pub fn unhealthy(&self, reason: impl Into<String>) {
        *self.trouble.lock() = Some(reason.into());
    }

    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().clone()
    }

    pub fn reloaded(&self, at: Timestamp, result: Result<String, String>) {
        *self.last_reload.lock() = Some(Reload { at, result });
    }

    pub fn last_reload(&self) -> Option<Reload> {
        self.last_reload.lock().clone()
    }
}

/// What an Alertmanager says.
const THEIR_WORD: &str = "OK";

/// 200 while the writer gets on and the self check passes.
#[utoipa::path(get, path = "/-/healthy", operation_id = "healthy", tag = "operations",
    responses((status = 200, body = String, content_type = "text/plain"), (status = 503, body = ProblemBody)))]
pub async fn healthy(State(app): State<Arc<App>>) -> Result<&'static str, Problem> {
    let word = if app.facade().is_open { THEIR_WORD } else { "healthy\n" };
    app.status.trouble().map_or(Ok(word), |reason| Err(Problem::unavailable(reason)))
}

/// 200 from the moment the store is loaded until the daemon is told to stop.
#[utoipa::path(get, path = "/-/ready", operation_id = "ready", tag = "operations",
    responses((status = 200, body = String, content_type = "text/plain"), (status = 503, body = ProblemBody)))]
pub async fn ready(State(app): State<Arc<App>>) -> Result<String, Problem> {
    if app.status.is_draining.load(Ordering::Acquire) {
        return Err(Problem::unavailable("the daemon is stopping"));
    }
    if !app.status.is_loaded.load(Ordering::Acquire) {
        return Err(Problem::unavailable("the daemon is starting: the store is still being read"));
    }
    // The reason can show parts of the configuration, so it stays in the log and in the reload's answer.
    Ok(match app.status.last_reload() {
        _ if app.facade().is_open => THEIR_WORD.to_owned(),
        Some(Reload { at, result: Err(_) }) => {
            format!("ready\nthe configuration read at {at} was refused; the one before is in force, the log says why\n")
        }
        _ => "ready\n".to_owned(),
    })
}

/// Reads the configuration again and waits for what came of it.
#[utoipa::path(post, path = "/-/reload", operation_id = "reload", tag = "operations",
    responses((status = 200, body = String, content_type = "text/plain"),
        (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 422, body = ProblemBody, description = "Refused; the old configuration stays in force"),
        (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn reload(State(app): State<Arc<App>>, Extension(by): Extension<Principal>) -> Result<Response, Problem> {
    let is_theirs = app.facade().is_open;
    let (done, answer) = oneshot::channel();
    app.reload.try_send(ReloadRequest { by: by.name, done }).map_err(|error| match error {
        mpsc::error::TrySendError::Full(_) => Problem::unavailable("another reload is under way"),
        mpsc::error::TrySendError::Closed(_) => Problem::unavailable("the daemon is stopping"),
    })?;
    match answer.await {
        Ok(Ok(_)) if is_theirs => Ok(StatusCode::OK.into_response()),
        Ok(Ok(text)) => Ok(format!("{text}\n").into_response()),
        Ok(Err(reason)) if is_theirs => {
            let text = format!("failed to reload config: {reason}\n");
            Ok(alertmanager::text(StatusCode::INTERNAL_SERVER_ERROR, text))
        }
        Ok(Err(reason)) => Err(Problem::reload_refused(&reason)),
        Err(_) => Err(Problem::unavailable("the daemon is stopping")),
    }
}

/// Prometheus' text format; open, as exporters are: it holds names and counts, no text of alerts.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "operations",
    responses((status = 200, body = String, content_type = "text/plain")))]
pub async fn metrics(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let mut text = app.metrics.render().map_err(|error| {
        tracing::error!(%error, "cannot print the metrics");
        Problem::internal()
    })?;
    if app.facade().is_open {
        alertmanager::append_metrics(&app, &mut text).await;
    }
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    Ok(([(CONTENT_TYPE, content_type)], text).into_response())
}
