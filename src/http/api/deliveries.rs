//! Deliveries: what went where, what waits, what was given up, and trying that again.

use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Json};
use http::Uri;
use std::sync::Arc;

use super::parameters::Parameters;
use super::{Id, Outcome, PageOf, command, incident_id, query};
use crate::engine::input::{Command, Principal};
use crate::http::App;
use crate::http::error::{Problem, ProblemBody};
use crate::http::router::refused;
use crate::model::{Delivery, DeliveryState};
use crate::store::DeliveryQuery;

const STATES: [&str; 5] = ["pending", "delivered", "superseded", "cancelled", "exhausted"];

/// Deliveries, newest first.
#[utoipa::path(get, path = "/api/v1/deliveries", operation_id = "list_deliveries", tag = "deliveries",
    params(("state" = Option<String>, Query, pattern = "^(pending|delivered|superseded|cancelled|exhausted)$"),
        ("incident" = Option<String>, Query, description = "Whole id of an incident",
            pattern = "^inc-[0-9a-hjkmnp-tv-z]{10}$"),
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

/// Tries a delivery that was given up once more.
#[utoipa::path(post, path = "/api/v1/deliveries/{id}/redrive", operation_id = "redrive_delivery", tag = "deliveries",
    params(("id" = String, Path, description = "Id; its `/` written as `%2F`")),
    responses((status = 200, body = Outcome), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn redrive(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Id(delivery): Id,
) -> Result<Json<Outcome>, Problem> {
    let (reader, id) = (app.reader.clone(), delivery.clone());
    let found = tokio::task::spawn_blocking(move || reader.delivery(&id)).await.map_err(|error| {
        tracing::error!(%error, "a query panicked");
        Problem::internal()
    })??;
    let refusal = match &found {
        None => Problem::not_found(format!("no delivery has the id `{delivery}`")),
        Some(other) if !matches!(other.state, DeliveryState::Exhausted { .. }) => Problem::conflict(format!(
            "`{delivery}` is {}; only an exhausted delivery can be tried again",
            other.state.as_str()
        )),
        Some(exhausted) => {
            let command = Command::Redrive { delivery: Box::new(exhausted.clone()) };
            return self::command(&app, by, command).await;
        }
    };
    app.audit(refused(app.clock.now(), &by.name, "delivery.redrive", &delivery, refusal.detail())).await;
    Err(refusal)
}
