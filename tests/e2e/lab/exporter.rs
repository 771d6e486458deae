//! A probe exporter for Prometheus: one target per request, answered from the state files.

use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use std::collections::BTreeMap;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::plant::Plant;

/// Serves `/probe?target=<object>` until it is dropped.
pub struct Exporter {
    pub address: String,
    server: JoinHandle<()>,
}

impl Exporter {
    pub async fn start(plant: &Plant) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind the exporter");
        let address = listener.local_addr().expect("a bound address").to_string();
        let router = Router::new().route("/probe", get(probe)).with_state(plant.clone());
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("serve the exporter");
        });
        Self { address, server }
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn probe(State(plant): State<Plant>, Query(query): Query<BTreeMap<String, String>>) -> String {
    let works = query.get("target").and_then(|target| plant.states().get(target).copied()).unwrap_or(false);
    format!("# TYPE probe_success gauge\nprobe_success {}\n", u8::from(works))
}
