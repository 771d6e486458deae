//! One side of a comparison: a program, the folder and port it lives in, its receiver, and how to talk to it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::port;
use crate::program::{Kind, Program};
use crate::receiver::Receiver;

/// A start of a debug build on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(30);
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);
/// Stands for the receiver's address in a scenario's `alertmanager.yml`.
const RECEIVER: &str = "@/";

/// In place of a status: the connection was closed without a word.
pub const NO_ANSWER: u16 = 0;

pub struct Side {
    pub kind: Kind,
    pub port: u16,
    pub directory: PathBuf,
    pub receiver: Receiver,
    program: parking_lot::Mutex<Option<Program>>,
    client: reqwest::Client,
}

/// Status and body; JSON where it is that, else a text.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub body: Value,
}

impl Side {
    /// Everything but the program itself.
    pub async fn new(kind: Kind, directory: PathBuf) -> Self {
        std::fs::create_dir_all(&directory).expect("a folder for one side");
        watchbell::runtime::deliver::install_tls();
        let client = reqwest::Client::builder().no_proxy().timeout(ANSWERS_WITHIN).build();
        Self {
            kind,
            port: port::free(),
            directory,
            receiver: Receiver::start().await,
            program: parking_lot::Mutex::new(None),
            client: client.expect("a client without special wishes can be built"),
        }
    }

    /// `Alertmanager` or `Watchbell`, for messages.
    pub fn name(&self) -> String {
        format!("{:?}", self.kind)
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub fn file(&self) -> PathBuf {
        self.directory.join("alertmanager.yml")
    }

    /// Writes `alertmanager.yml`; a running program sees it when it is told to reload.
    pub fn configure(&self, configuration: &str) {
        let text = configuration.replace(RECEIVER, &format!("{}/", self.receiver.url()));
        std::fs::write(self.file(), text).expect("the configuration can be written");
    }

    /// Starts the program and waits until it is ready.
    pub async fn start(&self) {
        *self.program.lock() = Some(Program::start(self.kind, &self.directory, self.port));
        let end = Instant::now() + READY_WITHIN;
        loop {
            if let Some(program) = &mut *self.program.lock() {
                program.check_alive();
            }
            let answer = self.client.get(self.url("/-/ready")).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            assert!(Instant::now() < end, "{} is not ready within {} s", self.name(), READY_WITHIN.as_secs());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// `kill -9`.
    pub fn kill(&self) {
        self.program.lock().take().expect("a running program").kill();
    }

    pub fn signal(&self, name: &str) {
        self.program.lock().as_ref().expect("a running program").signal(name);
    }

    /// Asks it to end and waits until it has.
    pub async fn terminate(&self) {
        let mut program = self.program.lock().take().expect("a running program");
        program.terminate().await;
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.client.get(self.url(path))).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.ask("POST", path, &body.to_string()).await
    }

    /// Any request with any body, sent as JSON.
    pub async fn ask(&self, method: &str, path: &str, body: &str) -> Reply {
        let method = method.parse().expect("a method");
        let request = self.client.request(method, self.url(path)).header("content-type", "application/json");
        self.send(request.body(body.to_owned())).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        let Ok(answer) = request.send().await else {
            return Reply { status: NO_ANSWER, body: Value::Null };
        };
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap_or_default();
        Reply { status, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
    }
}
