//! The little HTTP that the lab needs to talk to Watchbell and the monitors.

use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

/// Gets a JSON document.
///
/// # Errors
/// Says what went wrong when there is no answer, no 2xx, or no JSON.
pub async fn get(url: &str) -> Result<Value, String> {
    answer(url, client().get(url)).await
}

/// Posts a JSON document and reads the JSON answer.
///
/// # Errors
/// As [`get`].
pub async fn post(url: &str, body: &Value) -> Result<Value, String> {
    let request = client().post(url).header("content-type", "application/json").body(body.to_string());
    answer(url, request).await
}

/// Whether a GET of this address is answered with 2xx.
pub async fn answers(url: &str) -> Result<(), String> {
    let response = client().get(url).send().await.map_err(|error| format!("{url}: {error}"))?;
    match response.status().is_success() {
        true => Ok(()),
        false => Err(format!("{url}: {}", response.status())),
    }
}

/// Gets a text.
///
/// # Errors
/// Says what went wrong when there is no answer or no 2xx.
pub async fn get_text(url: &str) -> Result<String, String> {
    text(url, client().get(url)).await
}

/// Asks for something to be done that needs no words.
///
/// # Errors
/// As [`get_text`].
pub async fn command(url: &str) -> Result<String, String> {
    text(url, client().post(url)).await
}

async fn answer(url: &str, request: reqwest::RequestBuilder) -> Result<Value, String> {
    let text = text(url, request).await?;
    serde_json::from_str(&text).map_err(|error| format!("{url}: {error} in {text}"))
}

async fn text(url: &str, request: reqwest::RequestBuilder) -> Result<String, String> {
    let response = request.send().await.map_err(|error| format!("{url}: {error}"))?;
    let status = response.status();
    let text = response.text().await.map_err(|error| format!("{url}: {error}"))?;
    if !status.is_success() {
        return Err(format!("{url}: {status} {text}"));
    }
    Ok(text)
}

fn client() -> &'static reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        // The client wants a provider even though it never leaves plain HTTP here. It is
        // already there when another part of the process was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        reqwest::Client::builder()
            .timeout(Duration::from_secs(10))
            .no_proxy()
            // Each test has its own runtime; a connection must not outlive it in a pool.
            .pool_max_idle_per_host(0)
            .build()
            .expect("make the HTTP client")
    })
}
