//! One room in the place of seven chats. Each has its own paths, its own way to show who asks, its own ids and
//! its own memory for repetitions; what people would see in the room is kept in one way.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use http::{HeaderMap, Method, StatusCode, Uri};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::{Fault, parameter};
use crate::support::receiver::Server;

pub const TOKEN: &str = "110201543:a-test-token";
const SECRET: &str = "a-client-secret";
/// Of the room, wherever a chat asks for one.
const ROOM: &str = "4711";

#[derive(Clone, Debug, Default)]
pub struct Message {
    pub id: String,
    pub parent: Option<String>,
    pub text: String,
    pub edits: u32,
    /// What the chat takes for a repetition.
    key: String,
    props: Value,
}

/// What is asked, and what is answered.
type Vendor = fn(&Shared, &Ask) -> Result<(u16, Value), (u16, Value)>;

struct Ask {
    method: Method,
    uri: Uri,
    authorization: String,
    headers: HeaderMap,
    body: Value,
}

struct Shared {
    vendor: Vendor,
    messages: Mutex<Vec<Message>>,
    log: Mutex<Vec<String>>,
    lose_answer: Fault,
}

pub struct Chat {
    server: Server,
    shared: Arc<Shared>,
    keys: &'static str,
}

impl Chat {
    async fn start(vendor: Vendor, keys: &'static str) -> Self {
        let messages = Mutex::default();
        let shared = Arc::new(Shared { vendor, messages, log: Mutex::default(), lose_answer: Fault::default() });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        Self { server: Server::start(router).await, shared, keys }
    }

    pub async fn telegram() -> Self {
        Self::start(telegram, "kind: telegram, base_url: URL, token: '110201543:a-test-token', chat_id: 4711").await
    }

    pub async fn mattermost() -> Self {
        Self::start(mattermost, "kind: mattermost, base_url: URL, token: '110201543:a-test-token', channel_id: '4711'")
            .await
    }

    pub async fn discord() -> Self {
        Self::start(discord, "kind: discord, base_url: URL, token: '110201543:a-test-token', channel_id: '4711'").await
    }

    pub async fn rocketchat() -> Self {
        let keys = "kind: rocketchat, base_url: URL, user_id: bell, token: '110201543:a-test-token', room_id: '4711'";
        Self::start(rocketchat, keys).await
    }

    pub async fn matrix() -> Self {
        Self::start(matrix, "kind: matrix, base_url: URL, token: '110201543:a-test-token', room_id: '!4711:h'").await
    }

    pub async fn webex() -> Self {
        Self::start(webex, "kind: webex, base_url: URL, token: '110201543:a-test-token', room_id: '4711'").await
    }

    pub async fn zoom() -> Self {
        let keys = "kind: zoom_chat, base_url: URL, token_url: URL/oauth/token, client_id: bell, \
                    client_secret: a-client-secret, account_id: a, robot_jid: r@x, to_jid: 4711@conference.x";
        Self::start(zoom, keys).await
    }

    /// The sink's configuration.
    pub fn sink(&self) -> String {
        let url = format!("http://{}", self.server.address);
        format!("{}, allow_private: true, timeout: 1s", self.keys.replace("URL", &url))
    }

    /// Messages of the room itself.
    pub fn main(&self) -> Vec<Message> {
        self.shared.messages.lock().iter().filter(|message| message.parent.is_none()).cloned().collect()
    }

    pub fn replies(&self) -> Vec<Message> {
        self.shared.messages.lock().iter().filter(|message| message.parent.is_some()).cloned().collect()
    }

    /// Method, path and status of every request.
    pub fn log(&self) -> Vec<String> {
        self.shared.log.lock().clone()
    }

    /// The next message is posted, but the answer is lost.
    pub fn lose_next_answer(&self) {
        self.shared.lose_answer.arm();
    }
}

impl Shared {
    fn post(&self, message: Message) -> Message {
        let mut messages = self.messages.lock();
        let id = if message.id.is_empty() { (messages.len() + 1).to_string() } else { message.id.clone() };
        messages.push(Message { id, ..message });
        messages.last().cloned().unwrap_or_default()
    }

    fn edit(&self, id: &str, text: &str, props: Value) -> Result<Message, (u16, Value)> {
        let mut messages = self.messages.lock();
        let message = messages.iter_mut().find(|message| message.id == id).ok_or((404, json!({"message": "gone"})))?;
        text.clone_into(&mut message.text);
        message.props = props;
        message.edits += 1;
        Ok(message.clone())
    }

    fn known(&self, key: &str) -> Option<Message> {
        self.messages.lock().iter().find(|message| message.key == key).cloned()
    }

    fn find(&self, id: &str) -> Option<Message> {
        self.messages.lock().iter().find(|message| message.id == id).cloned()
    }
}

impl Ask {
    fn text(&self, name: &str) -> String {
        match &self.body[name] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        }
    }

    fn parent(&self, name: &str) -> Option<String> {
        let parent = self.text(name);
        (!parent.is_empty()).then_some(parent)
    }

    fn needs(&self, authorization: &str) -> Result<(), (u16, Value)> {
        if self.authorization == authorization { Ok(()) } else { Err((401, json!({"message": "who are you?"}))) }
    }

    fn last(&self) -> &str {
        self.uri.path().rsplit('/').next().unwrap_or_default()
    }
}

fn refused(status: u16, what: &str) -> Result<(u16, Value), (u16, Value)> {
    Err((status, json!({ "message": what, "description": what, "error": what })))
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let authorization = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let ask = Ask {
        authorization: authorization.to_owned(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
        method,
        uri,
        headers,
    };
    let count = shared.messages.lock().len();
    let (status, body) = (shared.vendor)(&shared, &ask).unwrap_or_else(|refused| refused);
    shared.log.lock().push(format!("{} {} {status}", ask.method, ask.uri.path()));
    if shared.messages.lock().len() > count {
        shared.lose_answer.strike().await;
    }
    let status = StatusCode::from_u16(status).unwrap_or_default();
    let body = if body.is_null() { String::new() } else { body.to_string() };
    (status, [("content-type", "application/json")], body).into_response()
}

fn telegram(shared: &Shared, ask: &Ask) -> Result<(u16, Value), (u16, Value)> {
    if ask.uri.path().split('/').nth(1) != Some(&format!("bot{TOKEN}")) {
        return refused(401, "Unauthorized");
    }
    if ask.text("chat_id") != ROOM || ask.text("text").encode_utf16().count() > 4_096 {
        return refused(400, "Bad Request: chat not found, or message is too long");
    }
    let message = match ask.last() {
        "sendMessage" => {
            let parent = ask.body["reply_parameters"]["message_id"].as_i64().map(|id| id.to_string());
            shared.post(Message { parent, text: ask.text("text"), ..Message::default() })
        }
        "editMessageText" => shared.edit(&ask.text("message_id"), &ask.text("text"), Value::Null)?,
        _ => return refused(404, "Not Found"),
    };
    let id: i64 = message.id.parse().unwrap_or_default();
    Ok((200, json!({ "ok": true, "result": { "message_id": id } })))
}

/// Its memory for repetitions is short; here it has none, so that they have to be looked for.
fn mattermost(shared: &Shared, ask: &Ask) -> Result<(u16, Value), (u16, Value)> {
    ask.needs(&format!("Bearer {TOKEN}"))?;
    let path: Vec<&str> = ask.uri.path().trim_start_matches("/api/v4/").split('/').collect();
    let text = || format!("{} {}", ask.text("message"), ask.body["props"]);
    match (ask.method.as_str(), path.as_slice()) {
        ("POST", ["posts"]) if ask.body["channel_id"] == ROOM => {
            let (parent, props) = (ask.parent("root_id"), ask.body["props"].clone());
            let message = shared.post(Message { parent, text: text(), props, ..Message::default() });
            Ok((201, json!({ "id": message.id })))
        }
        ("PUT", ["posts", id, "patch"]) => {
            Ok((200, json!({ "id": shared.edit(id, &text(), ask.body["props"].clone())?.id })))
        }
        ("GET", ["channels", ROOM, "posts"]) if parameter(&ask.uri, "since").is_some() => {
            let messages = shared.messages.lock();
            let order: Vec<&String> = messages.iter().rev().map(|message| &message.id).collect();
            let posts: serde_json::Map<String, Value> =
                messages.iter().map(|message| (message.id.clone(), json!({ "props": message.props }))).collect();
            Ok((200, json!({ "order": order, "posts": posts })))
        }
        _ => refused(404, "not found"),
    }
}

fn discord(shared: &Shared, ask: &Ask) -> Result<(u16, Value), (u16, Value)> {
    ask.needs(&format!("Bot {TOKEN}"))?;
    if ask.body["allowed_mentions"]["parse"] != json!([]) || !ask.headers.contains_key("user-agent") {
        return refused(400, "this could call somebody");
    }
    let text = format!("{} {}", ask.text("content"), ask.body["embeds"]);
    let message = match ask.method.as_str() {
        "POST" if ask.uri.path() == format!("/channels/{ROOM}/messages") => match shared.known(&ask.text("nonce")) {
            Some(known) if ask.body["enforce_nonce"] == true => known,
            _ => {
                let parent = ask.body["message_reference"]["message_id"].as_str().map(str::to_owned);
                shared.post(Message { parent, text, key: ask.text("nonce"), ..Message::default() })
            }
        },
        "PATCH" => shared.edit(ask.last(), &text, Value::Null)?,
        _ => return refused(404, "Unknown Channel"),
    };
    Ok((200, json!({ "id": message.id })))
}

fn rocketchat(shared: &Shared, ask: &Ask) -> Result<(u16, Value), (u16, Value)> {
    let [token, user] = ["x-auth-token", "x-user-id"].map(|name| ask.headers.get(name).map(|value| value.as_bytes()));
    if (token, user) != (Some(TOKEN.as_bytes()), Some(b"bell")) {
        return refused(401, "You must be logged in to do this.");
    }
    let shown = |message: &Message| Ok((200, json!({"success": true, "message": {"_id": message.id}})));
    match ask.last() {
        "chat.sendMessage" => {
            let new = &ask.body["message"];
            let text = |name: &str| new[name].as_str().unwrap_or_default().to_owned();
            if text("rid") != ROOM {
                return refused(400, "error-invalid-room");
            }
            if shared.find(&text("_id")).is_some() {
                return Ok((200, json!({ "success": true })));
            }
            let parent = new["tmid"].as_str().map(str::to_owned);
            shown(&shared.post(Message { id: text("_id"), parent, text: text("msg"), ..Message::default() }))
        }
        "chat.update" => shown(&shared.edit(&ask.text("msgId"), &ask.text("text"), Value::Null)?),
        "chat.getMessage" => match shared.find(&parameter(&ask.uri, "msgId").unwrap_or_default()) {
            Some(message) => shown(&message),
            None => Err((400, json!({ "success": false }))),
        },
        _ => refused(404, "not found"),
    }
}

fn matrix(shared: &Shared, ask: &Ask) -> Result<(u16, Value), (u16, Value)> {
    ask.needs(&format!("Bearer {TOKEN}"))?;
    if !ask.uri.path().starts_with("/_matrix/client/v3/rooms/!4711:h/send/m.room.message/") || ask.method != Method::PUT
    {
        return refused(404, "M_UNRECOGNIZED");
    }
    let transaction = ask.last();
    if let Some(known) = shared.known(transaction) {
        return Ok((200, json!({ "event_id": known.id })));
    }
    let relation = &ask.body["m.relates_to"];
    let target = relation["event_id"].as_str().unwrap_or_default().to_owned();
    let message = match relation["rel_type"].as_str() {
        Some("m.replace") => {
            shared.edit(&target, ask.body["m.new_content"]["body"].as_str().unwrap_or_default(), Value::Null)?
        }
        relation => {
            let parent = relation.map(|_| target);
            shared.post(Message { parent, text: ask.text("body"), key: transaction.to_owned(), ..Message::default() })
        }
    };
    Ok((200, json!({ "event_id": message.id })))
}

fn webex(shared: &Shared, ask: &Ask) -> Result<(u16, Value), (u16, Value)> {
    ask.needs(&format!("Bearer {TOKEN}"))?;
    let text = ask.text("markdown");
    let message = match ask.method.as_str() {
        "POST" if ask.body["roomId"] == ROOM => {
            shared.post(Message { parent: ask.parent("parentId"), text, ..Message::default() })
        }
        "PUT" if shared.find(ask.last()).is_some_and(|message| message.edits >= 10) => {
            return refused(400, "no more edits");
        }
        "PUT" => shared.edit(ask.last(), &text, Value::Null)?,
        _ => return refused(404, "not found"),
    };
    Ok((200, json!({ "id": message.id })))
}

fn zoom(shared: &Shared, ask: &Ask) -> Result<(u16, Value), (u16, Value)> {
    if ask.uri.path() == "/oauth/token" {
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("bell:{SECRET}"));
        ask.needs(&format!("Basic {pair}"))?;
        return Ok((200, json!({ "access_token": "t1", "token_type": "bearer", "expires_in": 3_600 })));
    }
    ask.needs("Bearer t1")?;
    let text = ask.body["content"].to_string();
    match ask.method.as_str() {
        "POST" if ask.body["to_jid"] == "4711@conference.x" => {
            let message = shared.post(Message { parent: ask.parent("reply_to"), text, ..Message::default() });
            Ok((201, json!({ "message_id": message.id })))
        }
        "PUT" => shared.edit(ask.last(), &text, Value::Null).map(|_| (204, Value::Null)),
        _ => refused(400, "robot is not in the channel"),
    }
}
