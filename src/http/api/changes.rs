//! Changes: what was altered outside, as sources told it.

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use std::sync::Arc;

use super::parameters::Parameters;
use super::{PageOf, query};
use crate::http::App;
use crate::http::error::{Problem, ProblemBody};
use crate::model::{Change, Timestamp};
use crate::store::ChangeQuery;

const TIME_EXPECTED: &str = "an RFC 3339 time such as `2026-11-21T05:00:00Z`";

/// Changes, the latest first; each in its latest state.
#[utoipa::path(get, path = "/api/v1/changes", operation_id = "list_changes", tag = "changes",
    params(("configuration_item" = Option<String>, Query, description = "Name of the item, as alerts and incidents have it"),
        ("since" = Option<Timestamp>, Query, description = "Only those that began then or later"),
        ("until" = Option<Timestamp>, Query, description = "Only those that began then or before"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = PageOf<Change>), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn list(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Problem> {
    let parameters = Parameters::read(&uri, &["configuration_item", "since", "until"], &[])?;
    let time = |name: &str| parameters.word(name, TIME_EXPECTED, |text| text.parse::<Timestamp>().ok());
    let wanted = ChangeQuery {
        configuration_item: parameters.text("configuration_item"),
        since: time("since")?,
        until: time("until")?,
        page: parameters.page()?,
    };
    query(&app, move |reader| Ok(reader.changes(&wanted)?)).await
}
