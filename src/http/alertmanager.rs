//! Alertmanager's API, version 2, with its paths, its answers and the shape of its errors, so that Prometheus, `amtool`,
//! karma and Grafana take this daemon for one. Alerts come in through `http/ingest.rs`, like everyone's.
//!
//! ```text
//! 400  "bad matcher format: foo"                                         what a handler refuses
//! 422  {"code":601,"message":"silenceID in path must be of type uuid: \"x\""}   what no handler is asked
//! ```

mod alerts;
mod metrics;
mod query;
pub mod silences;
mod status;

pub use alerts::*;
pub use metrics::append as append_metrics;
pub use status::*;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
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

/// One of our own refusals in Alertmanager's shape; its status and headers stay.
pub fn in_their_shape(problem: Problem) -> Response {
    let (code, message) = (problem.status().as_u16(), problem.detail().to_owned());
    let mut response = problem.into_response();
    let body = if code == 400 { json!(message) } else { json!({ "code": code, "message": message }) };
    *response.body_mut() = axum::body::Body::from(body.to_string());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().remove(http::header::CONTENT_LENGTH);
    response
}

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
