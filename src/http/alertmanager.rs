//! Alertmanager's API, version 2, with its paths, its answers and the shape of its errors, so that Prometheus, `amtool`,
//! karma and Grafana take this daemon for one. Alerts come in through `http/ingest.rs`, like everyone's.
//!
//! ```text
//! 400  "bad matcher format: foo"                                         what a handler refuses
//! 422  {"code":601,"message":"silenceID in path must be of type uuid: \"x\""}   what no handler is asked
//! ```

mod alerts;
mod conduct;
mod metrics;
mod query;
pub mod silences;
mod status;

pub use alerts::*;
pub use conduct::{behave, text};
pub use metrics::append as append_metrics;
pub use status::*;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use serde_json::json;

use super::error::Problem;
use crate::runtime::inbox::SubmitError;

/// Why a request is not answered, as Alertmanager would say it.
#[derive(Debug)]
pub enum Refusal {
    /// A sentence.
    Said(StatusCode, String),
    /// A number of its own and a sentence: the request does not fit the API's description.
    Coded(StatusCode, u16, String),
}

impl Refusal {
    pub fn bad(message: impl Into<String>) -> Self {
        Self::Said(StatusCode::BAD_REQUEST, message.into())
    }
}

impl From<SubmitError> for Refusal {
    fn from(error: SubmitError) -> Self {
        Self::Said(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Said(status, message) => (status, json_answer(&message)).into_response(),
            Self::Coded(status, code, message) => {
                (status, json_answer(&json!({ "code": code, "message": message }))).into_response()
            }
        }
    }
}

/// One of our own refusals in Alertmanager's shape; its status and headers stay, but where there is another one for it.
pub fn in_their_shape(problem: Problem) -> Response {
    let refusal = match (problem.status(), problem.field()) {
        (StatusCode::BAD_REQUEST, Some((field, got, expected))) => refused_body(&problem, field, got, expected),
        (status, _) => Refusal::Coded(status, status.as_u16(), problem.detail().to_owned()),
    };
    let headers = problem.into_response().headers().clone();
    let mut response = refusal.into_response();
    for (name, value) in headers.iter().filter(|(name, _)| **name != CONTENT_TYPE && **name != CONTENT_LENGTH) {
        response.headers_mut().insert(name, value.clone());
    }
    response
}

/// What is wrong with posted alerts: with an alert itself, with what its description demands, or with the JSON.
fn refused_body(problem: &Problem, field: &str, got: &str, expected: &str) -> Refusal {
    let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
    if field.ends_with(".labels") && got == "nothing" {
        let index = field.trim_start_matches('[').split(']').next().unwrap_or_default();
        return Refusal::Coded(unprocessable, REQUIRED, format!("{index}.labels in body is required"));
    }
    if field == "body" && got == "nothing" {
        return Refusal::Coded(unprocessable, REQUIRED, "alerts in body is required".to_owned());
    }
    if field.ends_with(".labels") && got == "no label" {
        return Refusal::bad("at least one label pair required");
    }
    if field.ends_with(".endsAt") && expected.starts_with("a time not before") {
        return Refusal::bad("start time must be before end time");
    }
    if problem.is_partly() {
        return Refusal::bad(problem.detail());
    }
    let message = format!("parsing alerts body from \"\" failed, because {}", problem.detail());
    Refusal::Coded(StatusCode::BAD_REQUEST, 400, message)
}

/// Codes of the checks that their description of the API makes.
const WRONG_TYPE: u16 = 601;
const REQUIRED: u16 = 602;
const TOO_FEW: u16 = 612;

fn json_answer(answer: &impl Serialize) -> Response {
    match serde_json::to_vec(answer) {
        Ok(bytes) => answered(bytes),
        Err(error) => {
            tracing::error!(%error, "cannot write an answer as JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn answered(json: impl IntoResponse) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, json).into_response()
}
