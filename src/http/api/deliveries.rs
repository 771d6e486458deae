//! Deliveries: what went where, what waits, what was given up, and trying that again.

use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Json};
use http::Uri;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::task::JoinHandle;
use utoipa::ToSchema;

use super::parameters::Parameters;
use super::{Decoded, Id, Outcome, PageOf, incident_id, look_up, query};
use crate::engine::input::{Command, Input, Principal, Reply};
use crate::http::App;
use crate::http::error::{Problem, ProblemBody};
use crate::http::router::refused;
use crate::model::{Delivery, DeliveryState};
use crate::store::{DeliveryQuery, PageQuery};

/// Dead letters that one request redrives at most, and how many of them at the same time.
const REDRIVES_MAX: u32 = 500;
const REDRIVES_AT_ONCE: usize = 64;

const STATES: [&str; 5] = ["pending", "delivered", "superseded", "cancelled", "exhausted"];

/// Deliveries, newest first.
#[utoipa::path(get, path = "/api/v1/deliveries", operation_id = "list_deliveries", tag = "deliveries",
    params(("state" = Option<String>, Query, pattern = "^(pending|delivered|superseded|cancelled|exhausted)$"),
        ("incident" = Option<String>, Query, description = "Whole id of an incident, or of a group of alerts",
            pattern = "^(inc|grp)-[0-9a-hjkmnp-tv-z]{10}$"),
        ("sink" = Option<String>, Query, description = "Name of a sink instance, `ops/slack`"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = PageOf<Delivery>), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn list(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Problem> {
    let parameters = Parameters::read(&uri, &["state", "incident", "sink"], &[])?;
    let expected = "`pending`, `delivered`, `superseded`, `cancelled` or `exhausted`";
    let state = parameters.word("state", expected, |text| STATES.contains(&text).then(|| text.to_owned()))?;
    let (incident, sink) = (incident_id(&parameters, "incident")?, parameters.text("sink"));
    let wanted = DeliveryQuery { state, incident, sink, page: parameters.page()? };
    query(&app, move |reader| Ok(reader.deliveries(&wanted)?)).await
}

/// Tries a delivery that was given up once more, under its own id.
#[utoipa::path(post, path = "/api/v1/deliveries/{id}/redrive", operation_id = "redrive_delivery", tag = "deliveries",
    params(("id" = String, Path, description = "Id; its `/` written as `%2F`")),
    responses((status = 200, body = Outcome), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn redrive(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Id(delivery): Id,
) -> Result<Json<Outcome>, Problem> {
    let id = delivery.clone();
    let found = look_up(&app, move |reader| Ok(reader.delivery(&id)?)).await?;
    let refusal = match &found {
        None => Problem::not_found(format!("no delivery has the id `{delivery}`")),
        Some(other) if !matches!(other.state, DeliveryState::Exhausted { .. }) => Problem::conflict(format!(
            "`{delivery}` is {}; only an exhausted delivery can be tried again",
            other.state.as_str()
        )),
        Some(exhausted) => {
            let command = Command::Redrive { delivery: Box::new(exhausted.clone()) };
            return super::command(&app, by, command).await;
        }
    };
    app.audit(refused(app.clock.now(), &by.name, "delivery.redrive", &delivery, refusal.detail())).await;
    Err(refusal)
}

/// Which dead letters.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeadLetters {
    /// Of this sink instance, `ops/slack`; all sinks without it.
    #[serde(default)]
    sink: Option<String>,
    /// `next_cursor` of the answer before.
    #[serde(default)]
    #[schema(pattern = "^[!-~]+$")]
    cursor: Option<String>,
}

/// What became of some dead letters, newest first.
#[derive(Default, Serialize, ToSchema)]
pub struct Redrives {
    items: Vec<Redrive>,
    /// For `cursor`, to go on; null when all have been looked at.
    next_cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Redrive {
    id: String,
    /// `done` when it goes out again.
    outcome: RedriveOutcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum RedriveOutcome {
    Done,
    Already,
    Superseded,
    Cancelled,
    Refused,
}

/// Tries all deliveries that were given up once more, or those of one sink: some hundreds with each request.
#[utoipa::path(post, path = "/api/v1/deliveries/redrive", operation_id = "redrive_deliveries", tag = "deliveries",
    request_body = Option<DeadLetters>,
    responses((status = 200, body = Redrives), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn redrive_all(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Decoded(wish): Decoded<DeadLetters>,
) -> Result<Json<Redrives>, Problem> {
    let page = PageQuery { cursor: wish.cursor, limit: REDRIVES_MAX };
    let wanted = DeliveryQuery { state: Some("exhausted".to_owned()), incident: None, sink: wish.sink, page };
    let found = look_up(&app, move |reader| Ok(reader.deliveries(&wanted)?)).await?;
    let mut items = Vec::new();
    let mut dead = found.items.into_iter();
    loop {
        // Together, so that they share commits.
        let asked: Vec<_> = dead.by_ref().take(REDRIVES_AT_ONCE).map(|dead| ask(&app, &by, dead)).collect();
        if asked.is_empty() {
            return Ok(Json(Redrives { items, next_cursor: found.next_cursor }));
        }
        for asked in asked {
            items.push(asked.await.map_err(|error| {
                tracing::error!(%error, "a redrive panicked");
                Problem::internal()
            })??);
        }
    }
}

fn ask(app: &Arc<App>, by: &Principal, dead: Delivery) -> JoinHandle<Result<Redrive, Problem>> {
    let (driver, by, id) = (app.driver.clone(), by.clone(), dead.id.clone());
    tokio::spawn(async move {
        let command = Command::Redrive { delivery: Box::new(dead) };
        let receipt = driver.submit(Input::Command { by, command }, None).await?;
        let (outcome, reason) = match receipt.reply {
            Some(Reply::Done(_)) => (RedriveOutcome::Done, None),
            Some(Reply::Already(_)) => (RedriveOutcome::Already, None),
            Some(Reply::Needless { state: "cancelled", why, .. }) => (RedriveOutcome::Cancelled, Some(why)),
            Some(Reply::Needless { why, .. }) => (RedriveOutcome::Superseded, Some(why)),
            Some(Reply::Refused(why)) => (RedriveOutcome::Refused, Some(why)),
            other => (RedriveOutcome::Refused, Some(format!("the engine answered {other:?}"))),
        };
        Ok(Redrive { id, outcome, reason })
    })
}
