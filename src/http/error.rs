//! Every refusal as an RFC 9457 problem: which status, which words. Decides nothing about who may do
//! what. The text is for the client: it never holds a secret, a path of this machine or a cause from
//! the store; those go to the log, once, here.
//!
//! ```json
//! {"type":"urn:watchbell:problem:invalid-parameter","title":"a parameter does not fit","status":400,
//!  "detail":"`limit`: expected a whole number from 1 to 500, got `many`","field":"limit", …}
//! ```

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::runtime::inbox::SubmitError;
use crate::sources::ParseError;
use crate::store::StoreError;
use crate::tls::ClientRefusal;

pub const PROBLEM_JSON: &str = "application/problem+json";

/// Seconds after which a sender may try again when the writer cannot keep up.
const OVERLOAD_RETRY_AFTER_S: u64 = 1;

/// Kind of the problem with a body of which some was taken.
const PARTLY: &str = "partly-invalid-body";

/// What the client is told instead of an answer. Boxed: it is the rare side of every result.
#[derive(Debug)]
pub struct Problem(Box<Refusal>);

#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    body: ProblemBody,
    headers: HeaderMap,
    /// Everything that does not fit, where it is a body.
    faults: Vec<ParseError>,
}

/// An RFC 9457 problem.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProblemDetails)]
pub struct ProblemBody {
    /// Stable name of the kind of problem.
    #[serde(rename = "type")]
    kind: String,
    /// The same for every problem of this type.
    title: &'static str,
    status: u16,
    /// What was wrong this time.
    detail: String,
    /// The field, header or parameter that does not fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// What came, clipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    got: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    /// The ids that the given one could mean.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    candidates: Vec<String>,
}

impl Problem {
    fn new(status: StatusCode, kind: &str, title: &'static str, detail: impl Into<String>) -> Self {
        let body = ProblemBody {
            kind: format!("urn:watchbell:problem:{kind}"),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            field: None,
            got: None,
            expected: None,
            candidates: Vec::new(),
        };
        Self(Box::new(Refusal { status, body, headers: HeaderMap::new(), faults: Vec::new() }))
    }

    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    pub fn detail(&self) -> &str {
        &self.0.body.detail
    }

    /// Everything that does not fit, where it is a body.
    pub fn faults(&self) -> &[ParseError] {
        &self.0.faults
    }

    /// The rest of the body was taken.
    pub fn is_partly(&self) -> bool {
        self.0.body.kind.ends_with(PARTLY)
    }

    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    fn retry_after(self, seconds: u64) -> Self {
        self.with_header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    fn with_field(mut self, error: ParseError) -> Self {
        self.0.body.field = Some(error.field);
        self.0.body.got = Some(error.got);
        self.0.body.expected = Some(error.expected);
        self
    }

    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "there is no such thing", detail)
    }

    pub fn method_not_allowed(detail: impl Into<String>) -> Self {
        let title = "the path does not know this method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", title, detail)
    }

    /// `challenge` is the value of `WWW-Authenticate`, which RFC 9110 requires with a 401.
    pub fn unauthenticated(challenge: HeaderValue, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "credentials are missing or wrong", detail)
            .with_header(http::header::WWW_AUTHENTICATE, challenge)
    }

    /// A client shows its certificate when it connects, so the connection ends with the refusal: the next
    /// one may come with the right one.
    pub fn client_certificate(refusal: ClientRefusal) -> Self {
        let detail = refusal.to_string();
        let problem = match refusal {
            ClientRefusal::NotListed(_) => Self::forbidden(detail),
            // No scheme is registered for it; the challenge says what is missing at least.
            ClientRefusal::Missing | ClientRefusal::Untrusted(_) => {
                Self::unauthenticated(HeaderValue::from_static("ClientCertificate realm=\"watchbell\""), detail)
            }
        };
        problem.with_header(http::header::CONNECTION, HeaderValue::from_static("close"))
    }

    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "not allowed", detail)
    }

    pub fn invalid_body(error: ParseError) -> Self {
        let title = "the body does not fit";
        let mut problem = Self::new(StatusCode::BAD_REQUEST, "invalid-body", title, error.to_string());
        problem.0.faults.push(error.clone());
        problem.with_field(error)
    }

    /// Some of the body cannot be read; the rest is taken.
    pub fn partly(first: ParseError, refused: Vec<ParseError>, taken: usize) -> Self {
        let title = "some of the body does not fit";
        let count = refused.len();
        let detail = match count {
            1 => format!("{first}; the other {taken} are taken"),
            _ => format!("{first}; and {} more; the other {taken} are taken", count - 1),
        };
        let mut problem = Self::new(StatusCode::BAD_REQUEST, PARTLY, title, detail).with_field(first);
        problem.0.faults = refused;
        problem
    }

    pub fn invalid_parameter(name: &str, got: &str, expected: impl Into<String>) -> Self {
        let error = ParseError::new(name, got, expected);
        let shown = if got.is_empty() { error.got.clone() } else { format!("`{}`", error.got) };
        let detail = format!("`{}`: expected {}, got {shown}", error.field, error.expected);
        let title = "a parameter does not fit";
        Self::new(StatusCode::BAD_REQUEST, "invalid-parameter", title, detail).with_field(error)
    }

    pub fn body_too_large(bytes_max: usize, is_decompressed: bool) -> Self {
        let size = if is_decompressed { "its decompressed size" } else { "its size" };
        let detail = format!("the body is refused: {size} is more than {bytes_max} bytes, the limit here");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "the body is too large", detail)
    }

    pub fn unsupported(field: &str, got: &str, expected: &str) -> Self {
        let error = ParseError::new(field, got, expected);
        let title = "the body is written in a way that is not read here";
        let detail = format!("`{}`: expected {}, got `{}`", error.field, error.expected, error.got);
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-body", title, detail).with_field(error)
    }

    pub fn body_cut(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "body-cut", "the body did not arrive whole", detail)
    }

    pub fn timed_out(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", "the request took too long", detail)
            .retry_after(OVERLOAD_RETRY_AFTER_S)
    }

    /// "Later", in the status that this sender listens to.
    pub fn overloaded(status: StatusCode) -> Self {
        let detail = "too much is waiting to be written; nothing of this request was taken";
        Self::new(status, "overloaded", "too much at once", detail).retry_after(OVERLOAD_RETRY_AFTER_S)
    }

    pub fn over_quota(status: StatusCode, events_per_second: u32, retry_after_s: u64) -> Self {
        let detail = format!(
            "this source is over its quota of {events_per_second} events per second; nothing of this request was taken"
        );
        Self::new(status, "over-quota", "too much at once", detail).retry_after(retry_after_s)
    }

    pub fn under_way(status: StatusCode) -> Self {
        let detail = "the same signed request came before and is still being worked on";
        Self::new(status, "under-way", "too soon", detail).retry_after(OVERLOAD_RETRY_AFTER_S)
    }

    pub fn too_many_signatures(status: StatusCode, retry_after_s: u64) -> Self {
        let detail = "this source signed more requests in a short time than are remembered to keep repetitions out; \
                      nothing of this request was taken";
        Self::new(status, "too-many-signatures", "too much at once", detail).retry_after(retry_after_s)
    }

    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "not able to answer at present", detail)
            .retry_after(OVERLOAD_RETRY_AFTER_S)
    }

    pub fn ambiguous(candidates: Vec<String>) -> Self {
        let detail = format!("the id could mean {}; give more of it", candidates.join(", "));
        let mut problem = Self::new(StatusCode::CONFLICT, "ambiguous", "more than one thing fits", detail);
        problem.0.body.candidates = candidates;
        problem
    }

    /// What the other side of a sink sent is nothing that can be read.
    pub fn unreadable_callback(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid-callback", "the callback cannot be read", detail)
    }

    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "that does not fit the present state", detail)
    }

    pub fn reload_refused(reason: &str) -> Self {
        let detail = format!("the new configuration is refused, the old one stays in force: {reason}");
        let title = "the configuration does not fit";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "reload-refused", title, detail)
    }

    pub fn internal() -> Self {
        let detail = "the request failed for a reason on our side; the log of the daemon says which";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "failed on our side", detail)
    }
}

impl From<SubmitError> for Problem {
    /// For the daemon's own API; a source's answer to overload depends on its sender.
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Overloaded => Self::overloaded(StatusCode::SERVICE_UNAVAILABLE),
            SubmitError::Unavailable(_) => {
                Self::unavailable("the store takes no writes at present; nothing of this request was taken")
            }
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if let StoreError::BadCursor { cursor } = &error {
            return Self::invalid_parameter("cursor", cursor, super::api::CURSOR_EXPECTED);
        }
        let error: &dyn std::error::Error = &error;
        tracing::error!(error = %chain(error), "cannot answer a query");
        Self::internal()
    }
}

/// An error with its causes, for the log.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Refusal { status, body, headers, .. } = *self.0;
        // Only strings and numbers, which cannot fail to be JSON.
        let json = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (status, headers, json).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        response
    }
}
