//! The topology: how large it is and who told it, what is around an item, and what an origin pushes.
//!
//! Reads ask the driver, not the store: the graph is united in the state and nowhere else, and making it anew
//! from stored rows would take seconds where a look takes microseconds. What takes time (circles, JSON) is done
//! here, on what the look has found.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::{Extension, Json};
use http::{StatusCode, Uri};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

use super::parameters::Parameters;
use super::{Id, OutcomeWord, command, look_at, to_json};
use crate::engine::input::{Command, Principal};
use crate::engine::origins;
use crate::engine::survey::{ItemView, OriginDocument, OriginSummary, Overview, Survey};
use crate::http::error::{Problem, ProblemBody};
use crate::http::{App, body};
use crate::model::topology::{ConfigurationItem, Edge, TopologyFault, TopologyFile};
use crate::sources::ParseError;

/// Bytes of a pushed topology: some 300,000 dependencies. Who has more tells it under several names, so that no
/// single step holds up the writer for long. Only an admin may send so much.
const TOPOLOGY_BYTES_MAX: usize = 32 << 20;

/// Steps around an item, unless asked for fewer or more.
const HOPS: u8 = 1;
/// As far as anything is decided by.
const HOPS_MAX: u8 = 3;

/// Version, size, origins and circles of the whole topology.
#[utoipa::path(get, path = "/api/v1/topology", operation_id = "read_topology", tag = "topology",
    responses((status = 200, body = Overview), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn read(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    look_at(&app, Survey::of, |survey| to_json(&survey.finish())).await
}

/// What one origin knows.
#[derive(Serialize, ToSchema)]
pub struct OriginOf<'a> {
    #[serde(flatten)]
    summary: &'a OriginSummary,
    nodes: &'a [ConfigurationItem],
    edges: &'a [Edge],
}

/// Everything that one origin knows, in the form in which it is put; `files` and `monitors` can be read, too.
#[utoipa::path(get, path = "/api/v1/topology/origins/{origin}", operation_id = "read_topology_origin", tag = "topology",
    params(("origin" = String, Path, description = "Name of the origin; a `/` in it is written as `%2F`")),
    responses((status = 200, body = OriginOf), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn read_origin(State(app): State<Arc<App>>, Id(origin): Id) -> Result<Response, Problem> {
    let name = origin.clone();
    let look = move |state: &_| OriginDocument::of(state, &name);
    look_at(&app, look, move |found| {
        let found = found.ok_or_else(|| unknown_origin(&origin))?;
        let topology = found.topology();
        to_json(&OriginOf { summary: &found.summary, nodes: &topology.nodes, edges: &topology.edges })
    })
    .await
}

/// What became of an origin.
#[derive(Serialize, ToSchema)]
pub struct Kept {
    /// Of the whole topology by now.
    version: u64,
    /// Items of this origin.
    node_count: usize,
    /// Dependencies of this origin, each once.
    edge_count: usize,
    /// False when it was so already.
    is_changed: bool,
}

/// Puts everything that one origin knows in the place of what it knew before. The same once more changes nothing.
#[utoipa::path(put, path = "/api/v1/topology/origins/{origin}", operation_id = "put_topology_origin", tag = "topology",
    params(("origin" = String, Path, description = "Name of the origin: 1 to 64 of `a` to `z`, `0` to `9`, `.`, `_`, `-` and `/`, which is written as `%2F`, a letter or a digit first",
        pattern = "^[a-z0-9][a-z0-9._/-]{0,63}$")),
    request_body = TopologyFile,
    responses((status = 200, body = Kept), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn put(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Id(origin): Id,
    request: Request<Body>,
) -> Result<Json<Kept>, Problem> {
    check_name(&origin)?;
    let topology = body::read_large_json(request, TOPOLOGY_BYTES_MAX, |topology: TopologyFile| {
        topology.check().map_err(in_body)?;
        // In order already, it costs the writer little to compare.
        Ok(Box::new(topology.tidied()))
    })
    .await?;
    run(&app, by, origin.clone(), Command::PutTopology { origin, topology }).await
}

/// Removes an origin and everything that only it knew.
#[utoipa::path(delete, path = "/api/v1/topology/origins/{origin}", operation_id = "remove_topology_origin",
    tag = "topology", params(("origin" = String, Path, description = "Name of the origin; a `/` in it is written as `%2F`",
        pattern = "^[a-z0-9][a-z0-9._/-]{0,63}$")),
    responses((status = 200, body = Kept), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn remove(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Id(origin): Id,
) -> Result<Json<Kept>, Problem> {
    check_name(&origin)?;
    run(&app, by, origin.clone(), Command::RemoveTopology { origin }).await
}

async fn run(app: &App, by: Principal, origin: String, asked: Command) -> Result<Json<Kept>, Problem> {
    let Json(outcome) = command(app, by, asked).await.map_err(|refusal| match refusal.status() {
        StatusCode::NOT_FOUND => unknown_origin(&origin),
        _ => refusal,
    })?;
    let is_changed = matches!(outcome.outcome, OutcomeWord::Done);
    let kept = app.driver.look(move |state| {
        let known = state.origins().get(&origin);
        Kept {
            version: state.origins().version(),
            node_count: known.map_or(0, |known| known.item_count),
            edge_count: known.map_or(0, |known| known.topology.edges.len()),
            is_changed,
        }
    });
    Ok(Json(kept.await?))
}

/// One item as all origins together know it, what it depends on and what depends on it.
#[utoipa::path(get, path = "/api/v1/topology/items/{item}", operation_id = "read_topology_item", tag = "topology",
    params(("item" = String, Path, description = "Name of the item, or another name that monitors use for it; a `/` in it is written as `%2F`"),
        ("hops" = Option<u8>, Query, minimum = 1, maximum = 3, description = "Steps along dependencies; 1 when absent")),
    responses((status = 200, body = ItemView), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn read_item(State(app): State<Arc<App>>, Id(item): Id, uri: Uri) -> Result<Response, Problem> {
    let parameters = Parameters::only(&uri, &["hops"])?;
    let expected = format!("a whole number from 1 to {HOPS_MAX}");
    let hops =
        parameters.word("hops", &expected, |text| text.parse().ok().filter(|hops| (1..=HOPS_MAX).contains(hops)))?;
    let name = item.clone();
    let look = move |state: &_| ItemView::of(state, &name, hops.unwrap_or(HOPS));
    look_at(&app, look, move |found| to_json(&found.ok_or_else(|| unknown_item(&item))?)).await
}

fn check_name(origin: &str) -> Result<(), Problem> {
    origins::check_name(origin).map_err(|fault| Problem::invalid_parameter(&fault.field, origin, fault.expected))
}

fn in_body(fault: TopologyFault) -> Problem {
    Problem::invalid_body(ParseError::new(fault.field, fault.got, fault.expected))
}

fn unknown_origin(origin: &str) -> Problem {
    Problem::not_found(format!("no origin is called `{origin}`; `/api/v1/topology` lists all"))
}

fn unknown_item(item: &str) -> Problem {
    Problem::not_found(format!(
        "the topology has no item `{item}`: it is here once an origin describes it or a monitor tells what it depends on"
    ))
}
