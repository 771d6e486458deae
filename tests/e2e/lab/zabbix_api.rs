//! Zabbix' JSON-RPC API, as version 6.0 speaks it: the session goes into the body.

use serde_json::{Value, json};

use super::http;

/// A session of the administrator that every fresh database has.
pub struct Api {
    url: String,
    session: String,
}

impl Api {
    /// Logs in.
    ///
    /// # Errors
    /// Says what the frontend answered; it needs a moment after it was started.
    pub async fn log_in(frontend: &str) -> Result<Self, String> {
        let url = format!("{frontend}/api_jsonrpc.php");
        let request = json!({
            "jsonrpc": "2.0",
            "method": "user.login",
            "params": { "username": "Admin", "password": "zabbix" },
            "id": 1,
        });
        let session = result("user.login", http::post(&url, &request).await?)?;
        let session = session.as_str().ok_or("the session is not a text")?;
        Ok(Self { url, session: session.to_owned() })
    }

    /// Calls a method.
    ///
    /// # Errors
    /// Says what the frontend answered.
    pub async fn try_call(&self, method: &str, params: Value) -> Result<Value, String> {
        let request = json!({
            "jsonrpc": "2.0",
            "method": method,
            "params": params,
            "auth": self.session,
            "id": 1,
        });
        result(method, http::post(&self.url, &request).await?)
    }

    /// Calls a method that must succeed.
    pub async fn call(&self, method: &str, params: Value) -> Value {
        self.try_call(method, params).await.unwrap_or_else(|error| panic!("Zabbix: {error}"))
    }

    /// Creates something and returns its ids, in the order of what was asked for.
    pub async fn create(&self, kind: &str, params: Value) -> Vec<String> {
        let answer = self.call(&format!("{kind}.create"), params).await;
        answer
            .as_object()
            .and_then(|ids| ids.values().next())
            .and_then(Value::as_array)
            .map(|ids| ids.iter().map(text).collect())
            .unwrap_or_else(|| panic!("Zabbix: {kind}.create answered {answer}"))
    }
}

/// Ids come as texts from some methods and as numbers from others.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn result(method: &str, answer: Value) -> Result<Value, String> {
    // Errors, too, come with HTTP 200.
    match answer.get("result") {
        Some(result) => Ok(result.clone()),
        None => Err(format!("{method}: {}", answer["error"])),
    }
}
