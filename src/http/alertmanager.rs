//! Alertmanager's API, version 2, with its paths, its answers and the shape of its errors, so that Prometheus, `amtool`,
//! karma and Grafana take this daemon for one. Alerts come in through `http/ingest.rs`, like everyone's.
//!
//! ```text
//! 400  "bad matcher format: foo"                                         what a handler refuses
//! 422  {"code":601,"message":"silenceID in path must be of type uuid: \"x\""}   what no handler is asked
//! ```

mod alerts;
mod conduct;
mod lenient;
mod metrics;
mod query;
pub mod silences;
mod status;

pub use alerts::*;
pub use conduct::{behave, text};
pub use lenient::as_go_reads;
pub use metrics::append as append_metrics;
pub use status::*;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use serde_json::json;

use super::error::Problem;
use crate::runtime::inbox::SubmitError;
use crate::sources::{ParseError, prometheus};

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
    let refusal = match problem.status() {
        StatusCode::BAD_REQUEST if !problem.faults().is_empty() => refused_body(&problem),
        status => Refusal::Coded(status, status.as_u16(), problem.detail().to_owned()),
    };
    let headers = problem.into_response().headers().clone();
    let mut response = refusal.into_response();
    for (name, value) in headers.iter().filter(|(name, _)| **name != CONTENT_TYPE && **name != CONTENT_LENGTH) {
        response.headers_mut().insert(name, value.clone());
    }
    response
}

/// What is wrong with posted alerts: with alerts themselves, with what their description demands, or with the JSON.
fn refused_body(problem: &Problem) -> Refusal {
    let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
    if let [fault] = problem.faults()
        && fault.got == "nothing"
    {
        if let Some(missing) = missing_labels(fault) {
            return Refusal::Coded(unprocessable, REQUIRED, missing);
        }
        if fault.field == "body" {
            return Refusal::Coded(unprocessable, REQUIRED, "alerts in body is required".to_owned());
        }
    }
    let said: Vec<Option<String>> = problem.faults().iter().map(said_of).collect();
    if problem.is_partly() || said.iter().all(Option::is_some) {
        let lines = said.into_iter().zip(problem.faults());
        let lines: Vec<String> = lines.map(|(said, fault)| said.unwrap_or_else(|| fault.to_string())).collect();
        return Refusal::bad(lines.join("\n"));
    }
    let message = format!("parsing alerts body from \"\" failed, because {}", problem.detail());
    Refusal::Coded(StatusCode::BAD_REQUEST, 400, message)
}

fn missing_labels(fault: &ParseError) -> Option<String> {
    let index = fault.field.strip_prefix('[')?.strip_suffix("].labels")?;
    (fault.got == "nothing").then(|| format!("{index}.labels in body is required"))
}

/// What does not fit is an alert, not the body that holds it.
pub fn is_of_an_alert(fault: &ParseError) -> bool {
    fault.got != "nothing" && said_of(fault).is_some()
}

/// What Alertmanager says of an alert that it does not take.
fn said_of(fault: &ParseError) -> Option<String> {
    let (_, field) = fault.field.rsplit_once('.')?;
    let part = if field == "annotations" { "annotations" } else { "label set" };
    match (field, fault.got.as_str(), fault.expected.as_str()) {
        ("labels", "nothing", _) => missing_labels(fault),
        ("labels", "no label", _) => Some("at least one label pair required".to_owned()),
        ("labels" | "annotations", "a name of 0 bytes", _) => Some(format!("invalid {part}: invalid name \"\"")),
        ("labels" | "annotations", name, prometheus::CLASSIC_NAME) => {
            Some(format!("invalid {part}: invalid name {name:?}"))
        }
        ("endsAt", _, expected) if expected.starts_with("a time not before") => {
            Some("start time must be before end time".to_owned())
        }
        _ => None,
    }
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
