//! From the spool to the daemon: keep first, then send in order. Decides what an answer means for what
//! waits; knows nothing of macros and events.
//!
//! A call puts its own bodies into the spool before it tries to send anything, so that being killed at
//! any instant loses none, and then sends all that wait, oldest first, under a lock. Calls that run at
//! the same time therefore send each body once and in one order, whoever does it.

use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::Url;
use serde::Serialize;
use tokio::runtime::Runtime;

use super::spool::{Entry, Spool, SpoolError};
use crate::cli::client::{self, Broken};
use crate::cli::failure::{Failure, note, warn};
use crate::cli::output;
use crate::error::Secret;
use crate::model::Timestamp;

/// Of one request; a daemon that is well answers in milliseconds.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(4);
/// Less than this is not worth a try.
const REQUEST_TIMEOUT_MIN: Duration = Duration::from_millis(100);
/// Of an answer, for the file beside what was refused.
const ANSWER_BYTES_MAX: usize = 16 * 1_024;
/// Of an answer, on stderr.
const ANSWER_CHARS_SHOWN: usize = 300;

/// Where bodies go.
pub struct Target {
    runtime: Runtime,
    http: reqwest::Client,
    url: Url,
    token: Option<Secret<String>>,
    content_type: &'static str,
}

/// What the daemon made of a body.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Taken,
    /// It is away or busy.
    Later(String),
    /// It will never take this one.
    Refused {
        status: u16,
        text: String,
    },
}

impl Target {
    /// # Errors
    /// When the system gives no event loop.
    pub fn new(
        url: Url,
        http: reqwest::Client,
        token: Option<Secret<String>>,
        content_type: &'static str,
    ) -> Result<Self, Failure> {
        Ok(Self { runtime: client::runtime()?, http, url, token, content_type })
    }

    fn post(&self, body: Vec<u8>, deadline: Instant) -> Answer {
        let left = deadline.saturating_duration_since(Instant::now());
        if left < REQUEST_TIMEOUT_MIN {
            return Answer::Later("no time is left in this call".to_owned());
        }
        let request = self.http.post(self.url.clone()).header("content-type", self.content_type);
        let request = client::with_token(request, self.token.as_ref()).timeout(left.min(REQUEST_TIMEOUT)).body(body);
        match self.runtime.block_on(client::exchange(request, ANSWER_BYTES_MAX)) {
            Ok((200..=299, _)) => Answer::Taken,
            // The server's troubles, and "come back later" in all its forms; 426 is what plain HTTP gets on a TLS
            // port, and ends when the address is put right.
            Ok((status @ (408 | 425 | 426 | 429 | 500..=599), _)) => Answer::Later(format!("it answered {status}")),
            Ok((status, body)) => Answer::Refused { status, text: self.without_token(&body) },
            Err(Broken(reason)) => Answer::Later(reason),
        }
    }

    /// Some servers repeat what they were sent, and the answer is kept.
    fn without_token(&self, answer: &[u8]) -> String {
        let text = String::from_utf8_lossy(answer);
        match &self.token {
            Some(token) => text.replace(token.expose().as_str(), "<secret>"),
            None => text.into_owned(),
        }
    }

    /// Ends without waiting for a name that is still being looked up: the call has to be over in time.
    fn close(self) {
        self.runtime.shutdown_background();
    }
}

/// What one call did, for `--json`.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Bodies that the daemon took, older ones included.
    pub sent: usize,
    /// Bodies that wait for the next call.
    pub waiting: usize,
    /// Bodies that were put aside.
    pub rejected: usize,
    /// Why something waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Keeps `bodies`, then sends everything that waits. Without any it only sends.
///
/// # Errors
/// When a body could neither be kept nor sent.
pub fn forward(
    target: Target,
    spool: Result<Spool, SpoolError>,
    bodies: Vec<Vec<u8>>,
    now: Timestamp,
    deadline: Instant,
) -> Result<Summary, Failure> {
    let result = match spool {
        Ok(spool) => through_spool(&target, &spool, bodies, now, deadline),
        Err(error) => {
            warn(format!("{}; trying to send without it", chain(&error)));
            directly(&target, bodies, deadline, &error)
        }
    };
    target.close();
    result
}

fn through_spool(
    target: &Target,
    spool: &Spool,
    bodies: Vec<Vec<u8>>,
    now: Timestamp,
    deadline: Instant,
) -> Result<Summary, Failure> {
    let mut summary = Summary::default();
    let mut own = Vec::new();
    let mut rest = bodies.into_iter();
    while let Some(body) = rest.next() {
        let kept = match spool.put(&body, now) {
            // What waits may go now, and make room.
            Err(SpoolError::Full { .. }) => {
                flush(target, spool, &own, deadline, &mut summary)?;
                spool.put(&body, now)
            }
            kept => kept,
        };
        match kept {
            Ok(entry) => own.push(entry),
            Err(error @ SpoolError::Full { .. }) => return Err(lost(rest.len() + 1, error, &summary)),
            Err(error) => {
                warn(format!("{}; trying to send without it", chain(&error)));
                // Older bodies go first, and this one only after them.
                flush(target, spool, &own, deadline, &mut summary)?;
                let direct = directly(target, std::iter::once(body).chain(rest).collect(), deadline, &error)?;
                summary.sent += direct.sent;
                summary.rejected += direct.rejected;
                return Ok(summary);
            }
        }
    }
    flush(target, spool, &own, deadline, &mut summary)?;
    // Another call may have had its hands on them; what it could not deliver counts for this one too.
    if summary.rejected == 0 {
        summary.rejected = own.iter().filter(|entry| spool.is_rejected(entry)).count();
    }
    summary.waiting = spool.waiting().map_err(broken)?.len();
    Ok(summary)
}

fn lost(count: usize, error: SpoolError, summary: &Summary) -> Failure {
    let reason = summary.reason.as_deref().unwrap_or("what waits is still being sent");
    Failure::new(format!("{} lost: the spool is full and the daemon does not take them ({reason})", bodies(count)))
        .cause(error)
        .hint("start the daemon, or allow more with `--spool-max`")
}

fn bodies(count: usize) -> String {
    if count == 1 { "1 notification is".to_owned() } else { format!("{count} notifications are") }
}

/// Sends all that wait, oldest first, until nothing is left or the daemon is away.
fn flush(
    target: &Target,
    spool: &Spool,
    own: &[Entry],
    deadline: Instant,
    summary: &mut Summary,
) -> Result<(), Failure> {
    // Once another call has sent ours there is nothing to wait for.
    let is_over = || !own.is_empty() && !own.iter().any(|entry| spool.is_waiting(entry));
    let Some(_lock) = spool.lock(deadline, is_over).map_err(broken)? else {
        summary.reason = (!is_over()).then(|| "another call is still sending".to_owned());
        return Ok(());
    };
    summary.reason = None;
    let mut unreadable: Vec<Entry> = Vec::new();
    loop {
        // Read again after each round: other calls go on putting.
        let waiting = spool.waiting().map_err(broken)?;
        let fresh: Vec<Entry> = waiting.into_iter().filter(|entry| !unreadable.contains(entry)).collect();
        if fresh.is_empty() {
            return Ok(());
        }
        for entry in fresh {
            let body = match spool.read(&entry) {
                Ok(body) => body,
                Err(error) => {
                    warn(format!("{}; going on with the next", chain(&error)));
                    unreadable.push(entry);
                    continue;
                }
            };
            match target.post(body, deadline) {
                Answer::Taken => {
                    summary.sent += 1;
                    spool.remove(&entry).map_err(broken)?;
                }
                Answer::Later(reason) => {
                    summary.reason = Some(reason);
                    return Ok(());
                }
                Answer::Refused { status, text } => {
                    summary.rejected += 1;
                    let path = spool.reject(&entry, &format!("{status}\n{text}\n")).map_err(broken)?;
                    tell_refused(target, status, &text, Some(&path));
                }
            }
        }
    }
}

/// The last resort, and the way without a spool.
fn directly(target: &Target, bodies: Vec<Vec<u8>>, deadline: Instant, why: &SpoolError) -> Result<Summary, Failure> {
    send_unkept(target, bodies, deadline).map_err(|failure| failure.cause(chain(why)))
}

/// Sends without keeping: what does not arrive is lost, and said to be.
///
/// # Errors
/// When one body did not arrive; those after it were not tried.
pub fn without_spool(target: Target, bodies: Vec<Vec<u8>>, deadline: Instant) -> Result<Summary, Failure> {
    let result = send_unkept(&target, bodies, deadline);
    target.close();
    result.map_err(|failure| failure.hint("`--spool DIR` keeps what cannot be sent, and a later call sends it"))
}

fn send_unkept(target: &Target, bodies: Vec<Vec<u8>>, deadline: Instant) -> Result<Summary, Failure> {
    let mut summary = Summary::default();
    let mut rest = bodies.into_iter();
    while let Some(body) = rest.next() {
        match target.post(body, deadline) {
            Answer::Taken => summary.sent += 1,
            Answer::Later(reason) => {
                let lost = self::bodies(rest.len() + 1);
                return Err(Failure::new(format!("{lost} lost: `{}`: {reason}", client::shown(&target.url))));
            }
            Answer::Refused { status, text } => {
                summary.rejected += 1;
                tell_refused(target, status, &text, None);
            }
        }
    }
    Ok(summary)
}

fn tell_refused(target: &Target, status: u16, text: &str, path: Option<&Path>) {
    #[derive(serde::Deserialize)]
    struct ProblemDetails {
        detail: String,
    }
    let detail = serde_json::from_str::<ProblemDetails>(text).map(|problem| problem.detail);
    let said = output::clipped(detail.as_deref().unwrap_or(text), ANSWER_CHARS_SHOWN);
    let said = if said.is_empty() { said } else { format!(": {said}") };
    let kept = path.map(|path| format!("; kept as `{}`", path.display())).unwrap_or_default();
    warn(format!("`{}` refused a notification with {status}{said}{kept}", client::shown(&target.url)));
}

fn broken(error: SpoolError) -> Failure {
    let text = error.to_string();
    match std::error::Error::source(&error).map(ToString::to_string) {
        Some(cause) => Failure::new(text).cause(cause),
        None => Failure::new(text),
    }
}

fn chain(error: &SpoolError) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{error}{cause}")
}

/// Says on stderr what is worth saying.
pub fn tell(summary: &Summary, expected: usize, spool: Option<&Path>) {
    if summary.sent > expected {
        note(format!("sent {} that had waited", summary.sent - expected));
    }
    if let (Some(spool), true) = (spool, summary.waiting > 0) {
        let reason = summary.reason.as_deref().unwrap_or("another call is still sending");
        note(format!(
            "the daemon has not taken everything: {reason}; {} in `{}`",
            wait(summary.waiting),
            spool.display()
        ));
    }
}

fn wait(count: usize) -> String {
    if count == 1 { "1 waits".to_owned() } else { format!("{count} wait") }
}
