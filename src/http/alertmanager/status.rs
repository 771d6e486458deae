//! Who this is, with which configuration, and the receivers in it.

use axum::extract::State;
use axum::response::Response;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::json_answer;
use crate::http::App;
use crate::http::web::Web;

/// The Alertmanager whose interfaces these are: clients look at it to know what they may ask.
pub const VERSION: &str = "0.34.0";
/// Who it really is.
pub const REVISION: &str = concat!("watchbell-", env!("CARGO_PKG_VERSION"));

/// What the API shows of the configuration: what an `alertmanager.yml` says, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facade {
    /// The file, secrets left out.
    pub original: String,
    /// In the order of the file.
    pub receivers: Vec<String>,
    /// Let in everybody who reaches the port, as Alertmanager does.
    pub is_open: bool,
    /// The kind of each sink by its name, as Alertmanager calls it: `webhook`.
    pub integrations: BTreeMap<String, String>,
    /// What all paths begin with; `/` or nothing is no prefix.
    pub route_prefix: String,
    /// Who may ask at all.
    pub web: Web,
    /// Other addresses to listen on.
    pub also_listen: Vec<SocketAddr>,
}

/// What Alertmanager's clients read before they send.
#[utoipa::path(get, path = "/api/v2/status", operation_id = "alertmanager_status", tag = "alertmanager",
    responses((status = 200, body = serde_json::Value, description = "Alertmanager's `alertmanagerStatus`")))]
pub async fn status(State(app): State<Arc<App>>) -> Response {
    json_answer(&json!({
        "cluster": { "peers": [], "status": "disabled" },
        "config": { "original": app.facade().original },
        "uptime": app.started_at,
        "versionInfo": {
            "branch": "", "buildDate": "", "buildUser": "", "goVersion": "", "revision": REVISION, "version": VERSION,
        },
    }))
}

/// The names of all receivers.
#[utoipa::path(get, path = "/api/v2/receivers", operation_id = "alertmanager_receivers", tag = "alertmanager",
    responses((status = 200, body = Vec<serde_json::Value>, description = "Alertmanager's `receiver`s"),
        (status = "4XX", body = serde_json::Value, description = "What does not fit"),
        (status = 503, body = serde_json::Value, description = "Not able to answer at present")),
    security((), ("api_token" = [])))]
pub async fn receivers(State(app): State<Arc<App>>) -> Response {
    let names: Vec<_> = app.facade().receivers.iter().map(|name| json!({ "name": name })).collect();
    json_answer(&names)
}
