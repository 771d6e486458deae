//! Problems: the causes behind incidents that come again.

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use std::sync::Arc;

use super::parameters::Parameters;
use super::{PageOf, query};
use crate::http::App;
use crate::http::error::ProblemBody;
use crate::model::Problem;

/// Problems, newest first.
#[utoipa::path(get, path = "/api/v1/problems", operation_id = "list_problems", tag = "problems",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 500), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = PageOf<Problem>), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn list(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, crate::http::error::Problem> {
    let page = Parameters::read(&uri, &[], &[])?.page()?;
    query(&app, move |reader| Ok(reader.problems(&page)?)).await
}
