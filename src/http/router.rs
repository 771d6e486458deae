//! Every path, the role it takes, and nothing else: the router is built from [`ROUTES`], the OpenAPI
//! document is checked against it, and a test walks it with every role.

use axum::Router;
use axum::extract::{RawPathParams, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post, put};
use http::{Method, Uri};
use std::sync::Arc;

use self::Access::{Alertmanager as Theirs, Open, Role as For, Source};
use super::api::{
    alert_groups, alerts, changes, deliveries, heartbeats, incidents, learning, on_call, problems, records, silences,
    topology,
};
use super::error::Problem;
use super::{App, alertmanager, auth, calendar, callback, health, heartbeat, ingest, openapi, web};
use crate::engine::input::Role::{Admin, Responder, Viewer};
use crate::engine::input::{Principal, Role};
use crate::model::Timestamp;
use crate::model::audit::AuditEntry;

/// Who may use a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone who reaches the port.
    Open,
    /// Whoever the source instance itself lets in.
    Source,
    /// An API token with this role or a higher one.
    Role(Role),
    /// The same, unless the daemon stands in an Alertmanager's place, where everybody may.
    Alertmanager(Role),
}

pub struct Route {
    pub method: &'static str,
    pub path: &'static str,
    pub access: Access,
    /// Name in the audit.
    pub action: &'static str,
    handler: fn() -> MethodRouter<Arc<App>>,
}

const fn route(
    method: &'static str,
    path: &'static str,
    access: Access,
    action: &'static str,
    handler: fn() -> MethodRouter<Arc<App>>,
) -> Route {
    Route { method, path, access, action, handler }
}

/// The one table of paths and roles.
#[rustfmt::skip] // One route a line reads as the table that it is.
pub const ROUTES: &[Route] = &[
    route("POST", "/in/{kind}", Source, "ingest", || post(ingest::by_kind)),
    route("POST", "/in/{kind}/{name}", Source, "ingest", || post(ingest::by_name)),
    route("POST", "/in/heartbeat/{name}", Source, "heartbeat.beat", || post(heartbeat::beat)),
    route("GET", "/in/heartbeat/{name}", Source, "heartbeat.beat", || get(heartbeat::beat_by_get)),
    route("POST", "/in/heartbeat/{name}/fail", Source, "heartbeat.fail", || post(heartbeat::fail)),
    route("GET", "/in/heartbeat/{name}/fail", Source, "heartbeat.fail", || get(heartbeat::fail_by_get)),
    route("POST", "/callback/{receiver}/{sink}", Source, "callback", || post(callback::receive)),
    route("POST", "/in/prometheus/api/v2/alerts", Source, "ingest", || post(ingest::alertmanager_prefixed)),
    route("POST", "/in/prometheus/{name}/api/v2/alerts", Source, "ingest", || post(ingest::alertmanager_named)),
    route("POST", "/api/v2/alerts", Source, "ingest", || post(ingest::post_alerts)),
    route("GET", "/api/v2/alerts", Theirs(Viewer), "alertmanager.alerts", || get(alertmanager::list)),
    route("GET", "/api/v2/alerts/groups", Theirs(Viewer), "alertmanager.groups", || get(alertmanager::groups)),
    route("GET", "/api/v2/receivers", Theirs(Viewer), "alertmanager.receivers", || get(alertmanager::receivers)),
    route("GET", "/api/v2/silences", Theirs(Viewer), "alertmanager.silences", || get(alertmanager::silences::list)),
    route("POST", "/api/v2/silences", Theirs(Responder), "silence.create", || post(alertmanager::silences::post)),
    route("GET", "/api/v2/silence/{id}", Theirs(Viewer), "alertmanager.silence", || get(alertmanager::silences::read)),
    route("DELETE", "/api/v2/silence/{id}", Theirs(Responder), "silence.expire", || delete(alertmanager::silences::expire)),
    route("GET", "/api/v2/status", Open, "status", || get(alertmanager::status)),

    route("GET", "/api/v1/incidents", For(Viewer), "incident.list", || get(incidents::list)),
    route("GET", "/api/v1/incidents/{id}", For(Viewer), "incident.read", || get(incidents::read)),
    route("GET", "/api/v1/incidents/{id}/timeline", For(Viewer), "incident.timeline", || get(incidents::timeline)),
    route("GET", "/api/v1/incidents/{id}/alerts", For(Viewer), "incident.alerts", || get(incidents::alerts)),
    route("POST", "/api/v1/incidents/{id}/acknowledge", For(Responder), "incident.acknowledge", || post(incidents::acknowledge)),
    route("POST", "/api/v1/incidents/{id}/resolve", For(Responder), "incident.resolve", || post(incidents::resolve)),
    route("POST", "/api/v1/incidents/{id}/assign", For(Responder), "incident.assign", || post(incidents::assign)),
    route("POST", "/api/v1/incidents/{id}/comment", For(Responder), "incident.comment", || post(incidents::comment)),
    route("POST", "/api/v1/incidents/{id}/confirm-root-cause", For(Responder), "incident.confirm_root_cause", || post(incidents::confirm_root_cause)),
    route("POST", "/api/v1/incidents/{id}/split", For(Responder), "incident.split", || post(incidents::split)),
    route("GET", "/api/v1/alerts", For(Viewer), "alert.list", || get(alerts::list)),
    route("GET", "/api/v1/alerts/{fingerprint}", For(Viewer), "alert.read", || get(alerts::read)),
    route("GET", "/api/v1/alerts/{fingerprint}/timeline", For(Viewer), "alert.timeline", || get(alerts::timeline)),
    route("GET", "/api/v1/alerts/{fingerprint}/groups", For(Viewer), "alert.groups", || get(alert_groups::of_alert)),
    route("GET", "/api/v1/alert-groups/{id}", For(Viewer), "alert_group.read", || get(alert_groups::read)),
    route("GET", "/api/v1/alert-groups/{id}/timeline", For(Viewer), "alert_group.timeline", || get(alert_groups::timeline)),
    route("GET", "/api/v1/problems", For(Viewer), "problem.list", || get(problems::list)),
    route("POST", "/api/v1/problems", For(Responder), "problem.create", || post(problems::create)),
    route("GET", "/api/v1/problems/{id}", For(Viewer), "problem.read", || get(problems::read)),
    route("GET", "/api/v1/problems/{id}/timeline", For(Viewer), "problem.timeline", || get(problems::timeline)),
    route("POST", "/api/v1/problems/{id}/accept", For(Responder), "problem.accept", || post(problems::accept)),
    route("POST", "/api/v1/problems/{id}/reject", For(Responder), "problem.reject", || post(problems::reject)),
    route("POST", "/api/v1/problems/{id}/merge", For(Responder), "problem.merge", || post(problems::merge)),
    route("POST", "/api/v1/problems/{id}/analyse", For(Responder), "problem.analyse", || post(problems::analyse)),
    route("POST", "/api/v1/problems/{id}/workaround", For(Responder), "problem.workaround", || post(problems::workaround)),
    route("POST", "/api/v1/problems/{id}/resolve", For(Responder), "problem.resolve", || post(problems::resolve)),
    route("POST", "/api/v1/problems/{id}/reopen", For(Responder), "problem.reopen", || post(problems::reopen)),
    route("POST", "/api/v1/problems/{id}/assign", For(Responder), "problem.assign", || post(problems::assign)),
    route("POST", "/api/v1/problems/{id}/retitle", For(Responder), "problem.retitle", || post(problems::retitle)),
    route("POST", "/api/v1/problems/{id}/link", For(Responder), "problem.link", || post(problems::link)),
    route("POST", "/api/v1/problems/{id}/unlink", For(Responder), "problem.unlink", || post(problems::unlink)),
    route("GET", "/api/v1/changes", For(Viewer), "change.list", || get(changes::list)),
    route("GET", "/api/v1/learning", For(Viewer), "learning.read", || get(learning::read)),
    route("DELETE", "/api/v1/learning/{id}", For(Admin), "learning.forget", || delete(learning::forget)),
    route("GET", "/api/v1/deliveries", For(Viewer), "delivery.list", || get(deliveries::list)),
    route("POST", "/api/v1/deliveries/{id}/redrive", For(Admin), "delivery.redrive", || post(deliveries::redrive)),
    route("POST", "/api/v1/deliveries/redrive", For(Admin), "delivery.redrive", || post(deliveries::redrive_all)),
    route("GET", "/api/v1/heartbeats", For(Viewer), "heartbeat.list", || get(heartbeats::list)),
    route("GET", "/api/v1/on-call", For(Viewer), "on_call.list", || get(on_call::list)),
    route("GET", "/api/v1/schedules", For(Viewer), "schedule.list", || get(on_call::schedules)),
    route("GET", "/api/v1/schedules/{name}/shifts", For(Viewer), "schedule.shifts", || get(on_call::shifts)),
    route("POST", "/api/v1/schedules/{name}/overrides", For(Responder), "schedule.override", || post(on_call::put_in)),
    route("DELETE", "/api/v1/schedules/{name}/overrides/{id}", For(Responder), "schedule.remove_override", || delete(on_call::remove)),
    route("POST", "/api/v1/schedules/{name}/swap", For(Responder), "schedule.swap", || post(on_call::swap)),
    route("GET", "/api/v1/schedules/{name}/calendar.ics", Source, "schedule.calendar", || get(calendar::feed)),
    route("GET", "/api/v1/people", For(Viewer), "person.list", || get(on_call::people)),
    route("GET", "/api/v1/silences", For(Viewer), "silence.list", || get(silences::list)),
    route("POST", "/api/v1/silences", For(Responder), "silence.create", || post(silences::create)),
    route("POST", "/api/v1/silences/preview", For(Viewer), "silence.preview", || post(silences::preview)),
    route("DELETE", "/api/v1/silences/{id}", For(Responder), "silence.expire", || delete(silences::expire)),
    route("GET", "/api/v1/topology", For(Viewer), "topology.read", || get(topology::read)),
    route("GET", "/api/v1/topology/items/{item}", For(Viewer), "topology.item", || get(topology::read_item)),
    route("GET", "/api/v1/topology/origins/{origin}", For(Viewer), "topology.origin", || get(topology::read_origin)),
    route("PUT", "/api/v1/topology/origins/{origin}", For(Admin), "topology.put", || put(topology::put)),
    route("DELETE", "/api/v1/topology/origins/{origin}", For(Admin), "topology.remove", || delete(topology::remove)),
    route("GET", "/api/v1/events/{id}", For(Viewer), "event.read", || get(records::event)),
    route("GET", "/api/v1/audit", For(Admin), "audit.list", || get(records::audit)),
    route("GET", "/api/v1/quarantine", For(Admin), "quarantine.list", || get(records::quarantine)),
    route("GET", "/api/v1/openapi.json", Open, "openapi.read", || get(openapi::serve)),

    route("GET", "/metrics", Open, "metrics", || get(health::metrics)),
    route("GET", "/-/healthy", Open, "healthy", || get(health::healthy)),
    route("GET", "/-/ready", Open, "ready", || get(health::ready)),
    route("POST", "/-/reload", Theirs(Admin), "configuration.reload", || post(health::reload)),
];

/// All paths, ready to serve.
pub fn router(app: Arc<App>) -> Router {
    let mut router = Router::new();
    let is_alertmanager = app.facade().is_open;
    for route in ROUTES {
        let mut handler = (route.handler)();
        if let Access::Role(role) | Access::Alertmanager(role) = route.access {
            let is_theirs = matches!(route.access, Access::Alertmanager(_));
            let shape = if route.path.starts_with("/api/v2/") { Shape::Theirs } else { Shape::Ours };
            let gate = Gate { app: app.clone(), role, is_theirs, shape, action: route.action };
            handler = handler.route_layer(middleware::from_fn_with_state(gate, admit));
        }
        if is_alertmanager && route.path.starts_with("/api/v2/") {
            router = router.route(&format!("{}/", route.path), handler.clone());
        }
        router = router.route(route.path, handler);
    }
    let prefix = app.facade().route_prefix.trim_end_matches('/').to_owned();
    let is_guarded = app.facade().is_open;
    let guard = middleware::from_fn_with_state(app.clone(), web::admit);
    let router = router.fallback(unknown_path).method_not_allowed_fallback(unknown_method).with_state(app.clone());
    let router = if prefix.is_empty() { router } else { Router::new().nest(&prefix, router).fallback(unknown_path) };
    let router = if is_alertmanager { alertmanager::behave(router, &app, &prefix) } else { router };
    if is_guarded { router.layer(guard) } else { router }
}

/// Of refusals.
#[derive(Clone, Copy)]
enum Shape {
    Ours,
    Theirs,
}

#[derive(Clone)]
struct Gate {
    app: Arc<App>,
    role: Role,
    /// See [`Access::Alertmanager`].
    is_theirs: bool,
    shape: Shape,
    action: &'static str,
}

impl Gate {
    fn refusal(&self, problem: Problem) -> Response {
        match self.shape {
            Shape::Theirs => alertmanager::in_their_shape(problem),
            Shape::Ours => problem.into_response(),
        }
    }
}

/// Lets a request through to its handler, with the principal beside it. Who is refused a change is
/// written down.
async fn admit(State(gate): State<Gate>, params: RawPathParams, mut request: Request, next: Next) -> Response {
    let app = &gate.app;
    let is_mutation = request.method() != Method::GET && request.method() != Method::HEAD;
    let subject = params.iter().next().map_or(request.uri().path(), |(_, value)| value);
    if gate.is_theirs && app.facade().is_open {
        let name = request.extensions().get::<web::User>().map_or(ANYBODY, |user| &user.0).to_owned();
        request.extensions_mut().insert(Principal { name, role: Role::Admin });
        return next.run(request).await;
    }
    let by = match auth::principal(&app.live().tokens, app.listen, request.uri(), request.headers()) {
        Ok(by) => by,
        Err(problem) => {
            if is_mutation && let Some(unwritten) = app.strangers.note(app.clock.now()) {
                let more = match unwritten {
                    0 => String::new(),
                    count => format!("; {count} more attempts before this one are not written down"),
                };
                let why = format!("{}{more}", problem.detail());
                app.audit(refused(app.clock.now(), STRANGER, gate.action, subject, &why)).await;
            }
            return gate.refusal(problem);
        }
    };
    if by.role < gate.role {
        let problem = too_low(&by, gate.role);
        if is_mutation {
            app.audit(refused(app.clock.now(), &by.name, gate.action, subject, problem.detail())).await;
        }
        return gate.refusal(problem);
    }
    request.extensions_mut().insert(by);
    next.run(request).await
}

/// Whoever uses Alertmanager's API where that lets in everybody. No token can have this name.
const ANYBODY: &str = "(anybody)";

/// The principal of an attempt without credentials, or with wrong ones. No token can have this name.
const STRANGER: &str = "(unknown)";

/// Of an audited subject, which is whatever the path held.
const SUBJECT_CHARS_MAX: usize = 256;

/// The audit's row about a change that was refused before it reached the engine.
pub(super) fn refused(at: Timestamp, principal: &str, action: &str, subject: &str, why: &str) -> AuditEntry {
    AuditEntry {
        at,
        principal: principal.to_owned(),
        action: action.to_owned(),
        subject: subject.chars().take(SUBJECT_CHARS_MAX).collect(),
        outcome: format!("refused: {why}"),
    }
}

fn too_low(by: &Principal, needed: Role) -> Problem {
    let word = |role| match role {
        Viewer => "viewer",
        Responder => "responder",
        Admin => "admin",
    };
    Problem::forbidden(format!(
        "this takes the role {}, and the token `{}` has the role {}",
        word(needed),
        by.name,
        word(by.role)
    ))
}

/// Their clients expect refusals in their shape.
fn is_theirs(uri: &Uri) -> bool {
    uri.path().contains("/api/v2/")
}

async fn unknown_path(uri: Uri) -> Response {
    let path: String = uri.path().chars().take(200).collect();
    if is_theirs(&uri) {
        return alertmanager::in_their_shape(Problem::not_found(format!("path {path} was not found")));
    }
    let detail = format!("nothing is served at `{path}`; `/api/v1/openapi.json` lists all paths");
    Problem::not_found(detail).into_response()
}

async fn unknown_method(method: Method, uri: Uri) -> Response {
    let path: String = uri.path().chars().take(200).collect();
    let method: String = method.as_str().chars().take(20).collect();
    let detail = format!("`{path}` does not answer {method}; the header `Allow` lists what it answers");
    let problem = Problem::method_not_allowed(detail);
    if is_theirs(&uri) { alertmanager::in_their_shape(problem) } else { problem.into_response() }
}
