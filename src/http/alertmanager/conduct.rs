//! How an Alertmanager's listener behaves apart from its API: which methods a path knows, what is said where there is
//! nothing, which pages of other hosts may read it, a page to look at. In front of all paths, in its place only.
//!
//! Its old API, gone since 0.27, had paths that are Watchbell's own now; those stay ours, and where we have nothing under
//! them whoever asks hears what an Alertmanager says of it.

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderMap,
    HeaderName, HeaderValue, LOCATION, ORIGIN, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, StatusCode};
use prometheus::IntGauge;
use std::sync::Arc;

use super::status::VERSION;
use super::{Refusal, json_answer};
use crate::clock::Stopwatch;
use crate::http::App;
use crate::http::router::ROUTES;

const API: &str = "/api/v2/";
/// Paths outside of the API and what they are asked with.
const PAGES: [(&str, &[&str]); 5] = [
    ("/", &["GET", "OPTIONS"]),
    ("/metrics", &["GET", "OPTIONS"]),
    ("/-/healthy", &["GET", "HEAD", "OPTIONS"]),
    ("/-/ready", &["GET", "HEAD", "OPTIONS"]),
    ("/-/reload", &["OPTIONS", "POST"]),
];

/// Puts all this in front of the paths there are; `prefix` has no slash at its end.
pub fn behave(router: Router, app: &Arc<App>, prefix: &str) -> Router {
    let mut router = router.route(&format!("{prefix}/"), get(page));
    if !prefix.is_empty() {
        let (to_prefix, to_page) = (prefix.to_owned(), format!("{prefix}/"));
        router = router
            .route("/", get(move || async move { moved(StatusCode::FOUND, &to_prefix) }))
            .route(prefix, get(move || async move { moved(StatusCode::MOVED_PERMANENTLY, &to_page) }));
    }
    router.layer(middleware::from_fn_with_state(app.clone(), conduct))
}

async fn conduct(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let facade = app.facade();
    let prefix = facade.route_prefix.trim_end_matches('/');
    let path = request.uri().path().strip_prefix(prefix).filter(|rest| rest.starts_with('/')).map(str::to_owned);
    let Some(handler) = path.as_deref().and_then(handler) else { return decide(path, prefix, request, next).await };
    let method = request.method().as_str().to_ascii_lowercase();
    let (metrics, stopwatch) = (Arc::clone(&app.metrics), Stopwatch::start());
    let method = if KNOWN_METHODS.contains(&method.as_str()) { method } else { "unknown".to_owned() };
    let response = {
        let _in_flight = InFlight::new((method == "get").then(|| metrics.http_in_flight.with_label_values(&["get"])));
        decide(path, prefix, request, next).await
    };
    let status = response.status();
    let labels = [status.as_str(), handler, &method];
    metrics.http_seconds.with_label_values(&labels).observe(stopwatch.seconds());
    response
}

const KNOWN_METHODS: [&str; 7] = ["get", "post", "put", "delete", "head", "options", "patch"];

/// One more while it lives.
struct InFlight(Option<IntGauge>);

impl InFlight {
    fn new(gauge: Option<IntGauge>) -> Self {
        gauge.iter().for_each(IntGauge::inc);
        Self(gauge)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.iter().for_each(IntGauge::dec);
    }
}

/// The name of a path in the metrics; none where it is not one of theirs.
fn handler(path: &str) -> Option<&'static str> {
    if let Some((page, _)) = PAGES.iter().find(|(page, _)| *page == path) {
        return Some(page);
    }
    let known = ROUTES.iter().find(|route| route.path.starts_with(API) && is_at(route.path, path))?;
    Some(if known.path.ends_with("{id}") { "/api/v2/silence/{silenceID}" } else { known.path })
}

async fn decide(path: Option<String>, prefix: &str, request: Request, next: Next) -> Response {
    match path.as_deref() {
        Some(path) if path.starts_with(API) => api(path, request, next).await,
        Some("/api/v2") => moved(StatusCode::MOVED_PERMANENTLY, &format!("{prefix}{API}")),
        Some(path) if path.starts_with("/in/") => next.run(request).await,
        Some(path) if path.starts_with("/api/v1/") => old_or_ours(path, request, next).await,
        Some(path) => outside(path, request, next).await,
        None => outside(if request.uri().path() == prefix { "/" } else { "" }, request, next).await,
    }
}

async fn api(path: &str, request: Request, next: Next) -> Response {
    let (method, headers) = (request.method().clone(), request.headers().clone());
    if method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        return preflight(&headers);
    }
    let known = methods(path);
    let mut response = if !known.is_empty() && !known.contains(&method.as_str()) {
        let known = known.join(",");
        let message = format!("method {method} is not allowed, but [{known}] are");
        let refusal = Refusal::Coded(StatusCode::METHOD_NOT_ALLOWED, 405, message).into_response();
        with(refusal, ALLOW, &known)
    } else if let Some(refusal) = other_media(&method, &request) {
        refusal.into_response()
    } else {
        next.run(request).await
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().append(VARY, HeaderValue::from_static("Origin"));
    if headers.contains_key(ORIGIN) && [Method::GET, Method::POST, Method::HEAD, Method::OPTIONS].contains(&method) {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    response
}

/// Of a path of the API, in the order of the alphabet.
fn methods(path: &str) -> Vec<&'static str> {
    let mut methods: Vec<&str> =
        ROUTES.iter().filter(|route| is_at(route.path, path)).map(|route| route.method).collect();
    methods.sort_unstable();
    methods
}

/// Whether the route `known` answers a path.
fn is_at(known: &str, path: &str) -> bool {
    let asked: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    let known: Vec<&str> = known.split('/').collect();
    known.len() == asked.len()
        && known.iter().zip(&asked).all(|(known, asked)| known.starts_with('{') || known == asked)
}

/// A body that is not JSON by its own word.
fn other_media(method: &Method, request: &Request) -> Option<Refusal> {
    if *method != Method::POST || HttpBody::is_end_stream(request.body()) {
        return None;
    }
    let stated = request.headers().get(CONTENT_TYPE).map_or(Ok("application/octet-stream"), HeaderValue::to_str);
    let media = stated.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = media == "application/json";
    let message = || format!("unsupported media type {media:?}, only [application/json] are allowed");
    (!is_json).then(|| Refusal::Coded(StatusCode::UNSUPPORTED_MEDIA_TYPE, 415, message()))
}

/// What a browser asks before a page of another host may ask.
fn preflight(headers: &HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let out = response.headers_mut();
    let vary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
    out.insert(VARY, HeaderValue::from_static(vary));
    let asked = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let method = asked(ACCESS_CONTROL_REQUEST_METHOD).to_ascii_uppercase();
    let names = asked(ACCESS_CONTROL_REQUEST_HEADERS);
    let is_allowed = |name: &str| {
        let known = ["", "accept", "content-type", "origin", "x-requested-with"];
        known.contains(&name.trim().to_ascii_lowercase().as_str())
    };
    if !headers.contains_key(ORIGIN)
        || !["GET", "POST", "HEAD", "OPTIONS"].contains(&method.as_str())
        || !names.split(',').all(is_allowed)
    {
        return response;
    }
    out.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    let response = with(response, ACCESS_CONTROL_ALLOW_METHODS, &method);
    if names.is_empty() { response } else { with(response, ACCESS_CONTROL_ALLOW_HEADERS, names) }
}

async fn old_or_ours(path: &str, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let response = next.run(request).await;
    let was_theirs = match path.trim_start_matches("/api/v1/") {
        "status" | "receivers" => method == Method::GET,
        "alerts" | "silences" => method == Method::GET || method == Method::POST,
        rest => rest.starts_with("silence/") && (method == Method::GET || method == Method::DELETE),
    };
    let is_nothing = matches!(response.status(), StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED);
    if !was_theirs || !is_nothing {
        return response;
    }
    let error = "The Alertmanager v1 API was deprecated in version 0.16.0 and is removed as of version 0.27.0 - please \
                 use the equivalent route in the v2 API";
    (StatusCode::GONE, json_answer(&serde_json::json!({ "status": "deprecated", "error": error }))).into_response()
}

async fn outside(path: &str, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let Some((_, known)) = PAGES.iter().find(|(page, _)| *page == path) else {
        let response = next.run(request).await;
        let is_nothing = response.status() == StatusCode::NOT_FOUND;
        return if is_nothing { text(StatusCode::NOT_FOUND, "404 page not found\n") } else { response };
    };
    if method == Method::OPTIONS {
        return with(StatusCode::OK.into_response(), ALLOW, &known.join(", "));
    }
    if !known.contains(&method.as_str()) {
        return with(text(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed\n"), ALLOW, &known.join(", "));
    }
    next.run(request).await
}

/// Where probes look that ask for no path, and people who type the address.
async fn page() -> Response {
    let ours = env!("CARGO_PKG_VERSION");
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Watchbell</title></head>\n<body>\n\
         <h1>Watchbell</h1>\n<p>Version {ours}, in the place of Alertmanager {VERSION}.</p>\n<ul>\n\
         <li><a href=\"api/v2/status\">Status</a></li>\n<li><a href=\"api/v2/alerts\">Alerts</a></li>\n\
         <li><a href=\"api/v2/alerts/groups\">Groups of alerts</a></li>\n\
         <li><a href=\"api/v2/silences\">Silences</a></li>\n<li><a href=\"metrics\">Metrics</a></li>\n\
         <li><a href=\"-/healthy\">Health</a></li>\n</ul>\n</body>\n</html>\n"
    );
    with(Html(html).into_response(), CACHE_CONTROL, "no-cache, no-store, must-revalidate")
}

/// A sentence for people, as Go's server says it.
pub fn text(status: StatusCode, text: impl Into<Body>) -> Response {
    let response = (status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], text.into()).into_response();
    with(response, X_CONTENT_TYPE_OPTIONS, "nosniff")
}

fn moved(status: StatusCode, to: &str) -> Response {
    with(status.into_response(), LOCATION, to)
}

/// With a header; its value comes from a header or a path, so it fits one.
fn with(mut response: Response, name: HeaderName, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}
