//! Who this is, with which configuration, and the receivers in it.

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::query::{Parameters, has_labels};
use super::{Refusal, json_answer};
use crate::http::App;
use crate::http::web::Web;
use crate::model::{Fingerprint, Timestamp};

/// The Alertmanager whose interfaces these are: clients look at it to know what they may ask.
pub const VERSION: &str = "0.34.0";
/// Who it really is.
pub const REVISION: &str = concat!("watchbell-", env!("CARGO_PKG_VERSION"));

/// What the API shows of the configuration: what an `alertmanager.yml` says, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facade {
    /// The file, secrets left out.
    pub original: String,
    /// Of the whole file.
    pub hash: Fingerprint,
    pub inhibition_rules: usize,
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
    /// Itself in a cluster, which is one of one.
    pub member: Option<Member>,
    /// Names of labels are letters, digits and `_`.
    pub classic_names: bool,
    /// Of one silence, about.
    pub silence_bytes_max: Option<usize>,
    /// Of silences, those included that have ended and are still kept.
    pub silences_max: Option<usize>,
}

impl Facade {
    /// What the log says once requests are taken: scripts that start an Alertmanager wait for its words.
    pub const fn ready_word(&self) -> &'static str {
        if self.is_open { "Listening on" } else { "ready" }
    }
}

/// Of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub name: String,
    pub address: String,
}

/// Signs of a ULID, five bits each.
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl Member {
    /// A ULID: 48 bits of time and 80 that tell members of one moment apart.
    pub fn draw_name(host: &str, process: u32, now: Timestamp) -> String {
        let drawn = Sha256::digest(format!("{host} {process} {now}"));
        let drawn = drawn.iter().take(10).fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        let bits = u128::from(now.as_millis().unsigned_abs() & 0xffff_ffff_ffff) << 80 | drawn;
        (0..26).rev().map(|at| char::from(CROCKFORD[(bits >> (5 * at)) as usize & 31])).collect()
    }
}

/// What Alertmanager's clients read before they send.
#[utoipa::path(get, path = "/api/v2/status", operation_id = "alertmanager_status", tag = "alertmanager",
    responses((status = 200, body = serde_json::Value, description = "Alertmanager's `alertmanagerStatus`")))]
pub async fn status(State(app): State<Arc<App>>) -> Response {
    let facade = app.facade();
    let cluster = match &facade.member {
        None => json!({ "peers": [], "status": "disabled" }),
        Some(Member { name, address }) => {
            json!({ "name": name, "peers": [{ "address": address, "name": name }], "status": "ready" })
        }
    };
    json_answer(&json!({
        "cluster": cluster,
        "config": { "original": facade.original },
        "uptime": app.started_at,
        "versionInfo": {
            "branch": "", "buildDate": "", "buildUser": "", "goVersion": "", "revision": REVISION, "version": VERSION,
        },
    }))
}

/// The names of all receivers.
#[utoipa::path(get, path = "/api/v2/receivers", operation_id = "alertmanager_receivers", tag = "alertmanager",
    params(("receiver_matchers" = Option<Vec<String>>, Query, description = "Matchers of a receiver's labels")),
    responses((status = 200, body = Vec<serde_json::Value>, description = "Alertmanager's `receiver`s"),
        (status = "4XX", body = serde_json::Value, description = "What does not fit"),
        (status = 503, body = serde_json::Value, description = "Not able to answer at present")),
    security((), ("api_token" = [])))]
pub async fn receivers(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Refusal> {
    let wanted = Parameters::of(&uri).receiver_matchers()?;
    let facade = app.facade();
    let names = facade.receivers.iter().filter(|name| has_labels(&wanted, name));
    let receivers: Vec<_> = names.map(|name| json!({ "labels": { "name": name }, "name": name })).collect();
    Ok(json_answer(&receivers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawn_name_is_a_ulid_of_its_moment() {
        let name = Member::draw_name("a", 1, Timestamp::from_millis(1_469_918_176_385));
        assert!(name.starts_with("01ARYZ6S41") && name.len() == 26, "{name}");
        assert_ne!(name, Member::draw_name("a", 2, Timestamp::from_millis(1_469_918_176_385)));
    }
}
