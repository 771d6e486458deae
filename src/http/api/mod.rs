//! The daemon's own API, `/api/v1`: queries read what is committed, commands become inputs of the
//! engine. Roles are checked before anything here runs (`router.rs`). Decides nothing itself: what a
//! command means is the engine's matter, what a page holds the store's.

pub mod alert_groups;
pub mod alerts;
pub mod changes;
pub mod deliveries;
pub mod heartbeats;
pub mod incidents;
pub mod learning;
mod names;
pub mod on_call;
mod parameters;
pub mod problems;
pub mod records;
pub mod silences;
pub mod topology;

pub use parameters::CURSOR_EXPECTED;

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::Problem;
use super::{App, body};
use crate::engine::input::{Command, Input, Principal, Reply};
use crate::engine::state::State as EngineState;
use crate::model::IncidentId;
use crate::store::Reader;
use parameters::Parameters;

/// Bytes of an id in a path.
const ID_BYTES_MAX: usize = 512;

/// One page. Lists of the API all look like this.
#[derive(Serialize, ToSchema)]
pub struct PageOf<T> {
    pub items: Vec<T>,
    /// For `cursor`, to get the next page; null on the last one.
    pub next_cursor: Option<String>,
}

/// What a command led to.
#[derive(Serialize, ToSchema)]
pub struct Outcome {
    /// The thing that changed, or that was so already.
    id: String,
    outcome: OutcomeWord,
    /// Why nothing more had to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum OutcomeWord {
    Done,
    Already,
    /// A redrive: something newer says it all.
    Superseded,
    /// A redrive: it is over, nobody is called any more.
    Cancelled,
}

/// A parameter that names an incident.
fn incident_id(parameters: &Parameters, name: &str) -> Result<Option<IncidentId>, Problem> {
    parameters.word(name, "the whole id of an incident, `inc-` and ten characters", |text| text.parse().ok())
}

/// The id in the path, its percent-encoding undone.
pub struct Id(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(id)) if id.len() <= ID_BYTES_MAX => Ok(Self(id)),
            Ok(_) => Err(Problem::not_found(format!("no id is longer than {ID_BYTES_MAX} bytes"))),
            Err(_) => Err(Problem::not_found("the id is not UTF-8 once its `%` are decoded")),
        }
    }
}

/// A command's JSON body.
pub struct Decoded<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Decoded<T> {
    type Rejection = Problem;

    async fn from_request(request: Request<Body>, _state: &S) -> Result<Self, Problem> {
        body::read_json(request).await.map(Self)
    }
}

/// Optional words with an acknowledgement or a resolve.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Note {
    #[serde(default)]
    pub note: Option<String>,
}

/// Asks the store on a thread that may wait, and writes the JSON there, too: a full page is work.
async fn query<T: Serialize>(
    app: &App,
    ask: impl FnOnce(&dyn Reader) -> Result<T, Problem> + Send + 'static,
) -> Result<Response, Problem> {
    Ok(answered(look_up(app, |reader| to_json(&ask(reader)?)).await?))
}

/// Looks at the state, and works on what was found on a thread that may wait; the JSON is written there, too.
async fn look_at<T: Send + 'static>(
    app: &App,
    look: impl FnOnce(&EngineState) -> T + Send + 'static,
    write: impl FnOnce(T) -> Result<Vec<u8>, Problem> + Send + 'static,
) -> Result<Response, Problem> {
    let found = app.driver.look(look).await?;
    Ok(answered(on_patient_thread(move || write(found)).await?))
}

fn to_json(answer: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(answer).map_err(|error| {
        tracing::error!(%error, "cannot write an answer as JSON");
        Problem::internal()
    })
}

fn answered(json: Vec<u8>) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, json).into_response()
}

/// Asks the store on a thread that may wait.
async fn look_up<T: Send + 'static>(
    app: &App,
    ask: impl FnOnce(&dyn Reader) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    // Whoever was told that something is accepted finds it here. While nothing can be written, what is there is shown.
    if let Err(error) = app.driver.catch_up().await {
        tracing::debug!(%error, "answering a query from what the store has");
    }
    let reader = app.reader.clone();
    on_patient_thread(move || ask(&*reader)).await
}

/// Does what takes time where nobody waits for the thread.
async fn on_patient_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a query panicked");
        Err(Problem::internal())
    })
}

/// Hands a command to the engine and waits until it is durable.
async fn command(app: &App, by: Principal, command: Command) -> Result<Json<Outcome>, Problem> {
    let receipt = app.driver.submit(Input::Command { by, command }, None).await?;
    let said = |id, outcome, reason| Ok(Json(Outcome { id, outcome, reason }));
    match receipt.reply {
        Some(Reply::Done(id)) => said(id, OutcomeWord::Done, None),
        Some(Reply::Already(id)) => said(id, OutcomeWord::Already, None),
        Some(Reply::Needless { id, state: "cancelled", why }) => said(id, OutcomeWord::Cancelled, Some(why)),
        Some(Reply::Needless { id, why, .. }) => said(id, OutcomeWord::Superseded, Some(why)),
        Some(Reply::NotFound(id)) => Err(Problem::not_found(format!("nothing here has the id `{id}`"))),
        Some(Reply::Ambiguous(ids)) => Err(Problem::ambiguous(ids)),
        Some(Reply::Refused(reason)) => Err(Problem::conflict(reason)),
        None => {
            tracing::error!(position = receipt.position, "the engine gave no reply to a command");
            Err(Problem::internal())
        }
    }
}
