//! Zabbix: hosts, host groups and trigger dependencies, over the JSON-RPC API of its frontend.
//!
//! [`Pull`] says what to ask next and takes the answers, page by page; what they add up to is decided in
//! `zabbix/harvest.rs`. Only reads. Never writes to Zabbix, and never opens a connection.
//!
//! ```text
//! apiinfo.version ─▶ host.get: ids ─▶ of each 100: host.get, trigger.get ─▶ trigger.get: what they depend on
//! ```
//!
//! The API has no offset to page with (<https://www.zabbix.com/documentation/6.4/en/manual/api/reference/trigger/get>),
//! so the ids come first and the rest by ids. Versions differ; which one it is says `apiinfo.version`, which
//! must be called without a token (<https://www.zabbix.com/documentation/6.4/en/manual/api/reference/apiinfo/version>):
//!
//! | | before 6.4 | from 6.4 on |
//! |---|---|---|
//! | token | `auth` in the body | `Authorization: Bearer` |
//! | groups of a host | `selectGroups`, `groups` | `selectHostGroups`, `hostgroups` |
//!
//! The header since 6.4, and `auth` before: `send_api_request` in the vendor's own client,
//! <https://github.com/zabbix/python-zabbix-utils/blob/main/zabbix_utils/api.py>. Both ways work up to 7.0; 7.2
//! takes neither `auth` nor, in `host.get`, `selectGroups` any more
//! (<https://www.zabbix.com/documentation/7.2/en/manual/api/changes>). `selectHostGroups` answers with `hostgroups`
//! in 6.4 (<https://support.zabbix.com/browse/ZBX-22637>). All read 2026-11-28; 6.0 also from its own source.

mod harvest;

use std::collections::VecDeque;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::PullError;
use crate::error::{ErrorKind, Secret};
use crate::model::topology::TopologyFile;
use crate::sinks::HttpRequest;
use harvest::{Harvest, Host, Trigger};

/// The API below the frontend's own address.
pub const ENDPOINT: &str = "/api_jsonrpc.php";
/// Bytes of one answer. A page of 100 hosts that have a thousand dependencies each is half of it.
pub const ANSWER_BYTES_MAX: usize = 16 << 20;

const HOSTS_PER_PAGE: usize = 100;
const TRIGGERS_PER_PAGE: usize = 500;
/// Hosts of one server; whoever has more gives the token to a user who sees a part of them.
const HOSTS_MAX: usize = 50_000;
/// The first version that this works with.
const OLDEST: Version = Version { major: 6, minor: 0 };
/// Characters of what the other side says that are repeated.
const REPEATED_CHARS_MAX: usize = 300;

const NOT_THE_API: &str = "`url` is the address of the frontend, such as `https://zabbix.example.org/zabbix`";
const BAD_TOKEN: &str = "the token is wrong, disabled or expired, or its user is; make one under Users, API tokens";
const NO_ACCESS: &str =
    "the role of the token's user needs access to the API, and to `host.get` and `trigger.get` if it lists methods";
const NO_HOSTS: &str = "give a user group of the token's user read permission for the host groups";
const REDIRECTED: &str = "give the address that it leads to: redirects are not followed";
const TOO_OLD: &str = "API tokens and trigger dependencies are read from Zabbix 6.0 and newer";
const TOO_MUCH: &str = "give the token to a user who sees only the host groups that matter";
const PASSING: &str = "it is asked again by itself; see the log of the web server in front of Zabbix";
const NOT_ZABBIX: &str = "this is not what Zabbix answers; is there something else at `url`?";

/// Under what name the engine keeps what this server tells.
pub fn origin(name: &str) -> String {
    format!("zabbix/{name}")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    major: u16,
    minor: u16,
}

impl Version {
    /// Of `6.0.14`, `7.0.0rc1`, `7.4.0beta2`.
    fn of(text: &str) -> Option<Self> {
        let mut parts = text.split('.').map(|part| part.parse().ok());
        Some(Self { major: parts.next()??, minor: parts.next()?? })
    }

    /// The token goes into a header, and host groups have names of their own.
    fn is_new(self) -> bool {
        self >= Self { major: 6, minor: 4 }
    }
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Version,
    HostIds,
    /// Hosts with their interfaces and groups.
    Hosts(Vec<String>),
    /// Triggers of these hosts that depend on others.
    Triggers(Vec<String>),
    /// The hosts of these triggers.
    Targets(Vec<String>),
}

impl Step {
    const fn method(&self) -> &'static str {
        match self {
            Self::Version => "apiinfo.version",
            Self::HostIds | Self::Hosts(_) => "host.get",
            Self::Triggers(_) | Self::Targets(_) => "trigger.get",
        }
    }

    /// Prototypes and templates are in neither `host.get` nor, with `hostids` of hosts, `trigger.get`.
    fn params(&self, is_new: bool) -> Value {
        match self {
            Self::Version => json!([]),
            Self::HostIds => json!({
                "output": ["hostid"],
                "filter": { "status": 0 },
                "sortfield": "hostid",
                "limit": HOSTS_MAX + 1,
            }),
            Self::Hosts(ids) => {
                let groups = if is_new { "selectHostGroups" } else { "selectGroups" };
                json!({
                    "output": ["hostid", "host", "name", "status", "flags"],
                    "hostids": ids,
                    "selectInterfaces": ["dns", "ip"],
                    groups: ["name"],
                })
            }
            Self::Triggers(hosts) => json!({
                "output": ["triggerid"],
                "hostids": hosts,
                "dependent": true,
                "active": true,
                "selectHosts": ["hostid"],
                "selectDependencies": ["triggerid"],
            }),
            Self::Targets(ids) => json!({ "output": ["triggerid"], "triggerids": ids, "selectHosts": ["hostid"] }),
        }
    }
}

/// One look at everything, from the version to the last page. Dropped when an answer is of no use.
#[derive(Debug)]
pub struct Pull {
    endpoint: String,
    token: Secret<String>,
    steps: VecDeque<Step>,
    /// From the first answer on.
    is_new: bool,
    harvest: Harvest,
}

impl Pull {
    /// `origin` is the first part of the names of host groups: two servers may each have a `Linux servers`.
    pub fn new(endpoint: &str, token: Secret<String>, origin: &str) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            token,
            steps: VecDeque::from([Step::Version]),
            is_new: false,
            harvest: Harvest::new(origin),
        }
    }

    /// What to ask next; none when everything is known.
    pub fn request(&self) -> Option<HttpRequest> {
        let step = self.steps.front()?;
        let mut headers = vec![("content-type".into(), Secret::new("application/json-rpc".to_owned()))];
        let mut body = json!({
            "jsonrpc": "2.0",
            "method": step.method(),
            "params": step.params(self.is_new),
            "id": 1,
        });
        match step {
            // Refuses a token, in either place.
            Step::Version => {}
            _ if self.is_new => {
                headers.push(("authorization".into(), Secret::new(format!("Bearer {}", self.token.expose()))));
            }
            _ => body["auth"] = json!(self.token.expose()),
        }
        let url = Secret::new(self.endpoint.clone());
        Some(HttpRequest {
            method: "POST",
            url,
            headers,
            body: body.to_string().into_bytes(),
            client: None,
            timeout: None,
        })
    }

    /// Takes the answer to the last [`Pull::request`].
    ///
    /// # Errors
    /// When it is no answer to it; the pull is over then.
    pub fn take(&mut self, status: u16, body: &[u8]) -> Result<(), PullError> {
        let Some(step) = self.steps.pop_front() else { return Ok(()) };
        check_status(status)?;
        if body.len() > ANSWER_BYTES_MAX {
            let reason = format!("an answer to `{}` has more than {ANSWER_BYTES_MAX} bytes", step.method());
            return Err(PullError::new(ErrorKind::Invalid, reason, TOO_MUCH));
        }
        match &step {
            Step::Version => self.take_version(&self.result::<String>(&step, body)?)?,
            Step::HostIds => self.take_ids(self.result(&step, body)?)?,
            Step::Hosts(_) => {
                let hosts: Vec<Host> = self.result(&step, body)?;
                self.harvest.take_hosts(hosts)?;
            }
            Step::Triggers(_) => {
                let triggers: Vec<Trigger> = self.result(&step, body)?;
                self.harvest.take_dependent(triggers)?;
            }
            Step::Targets(_) => {
                let triggers: Vec<Trigger> = self.result(&step, body)?;
                self.harvest.take_targets(triggers);
            }
        }
        if self.steps.is_empty() {
            let unknown = self.harvest.unknown_targets();
            self.steps.extend(unknown.chunks(TRIGGERS_PER_PAGE).map(|ids| Step::Targets(ids.to_vec())));
        }
        Ok(())
    }

    /// What was learned, once there is nothing left to ask.
    pub fn finish(self) -> TopologyFile {
        self.harvest.finish()
    }

    fn take_version(&mut self, text: &str) -> Result<(), PullError> {
        let Some(version) = Version::of(text) else {
            let reason = format!("`apiinfo.version` answered `{}`, which is no version", self.repeat(text));
            return Err(PullError::new(ErrorKind::Invalid, reason, NOT_ZABBIX));
        };
        if version < OLDEST {
            let reason = format!("Zabbix {}.{} is too old", version.major, version.minor);
            return Err(PullError::new(ErrorKind::Invalid, reason, TOO_OLD));
        }
        self.is_new = version.is_new();
        self.steps.push_back(Step::HostIds);
        Ok(())
    }

    fn take_ids(&mut self, hosts: Vec<HostId>) -> Result<(), PullError> {
        if hosts.len() > HOSTS_MAX {
            let reason = format!("the token sees more than {HOSTS_MAX} hosts");
            return Err(PullError::new(ErrorKind::Invalid, reason, TOO_MUCH));
        }
        // A user without permissions gets an empty list, and no error.
        if hosts.is_empty() {
            return Err(PullError::new(ErrorKind::Auth, "the token sees no monitored host", NO_HOSTS));
        }
        let ids: Vec<String> = hosts.into_iter().map(|host| host.hostid.0).collect();
        for page in ids.chunks(HOSTS_PER_PAGE) {
            self.steps.extend([Step::Hosts(page.to_vec()), Step::Triggers(page.to_vec())]);
        }
        Ok(())
    }

    fn result<T: DeserializeOwned>(&self, step: &Step, body: &[u8]) -> Result<T, PullError> {
        let method = step.method();
        let invalid = |error: serde_json::Error| {
            let reason = format!("the answer to `{method}` cannot be read: {}", self.repeat(&error.to_string()));
            PullError::new(ErrorKind::Invalid, reason, NOT_ZABBIX)
        };
        if body.trim_ascii_start().first() != Some(&b'{') {
            let reason = format!("the answer to `{method}` is no JSON object");
            return Err(PullError::new(ErrorKind::Invalid, reason, NOT_ZABBIX));
        }
        // An error first: beside one the result may have any form.
        let refusal: Refusal = serde_json::from_slice(body).map_err(invalid)?;
        if let Some(error) = refusal.error {
            return Err(self.refused(method, &error));
        }
        let answer: Answer<T> = serde_json::from_slice(body).map_err(invalid)?;
        Ok(answer.result)
    }

    /// Errors come with status 200; codes alone do not tell a bad token from a bad parameter.
    fn refused(&self, method: &str, error: &RpcError) -> PullError {
        let details = error.data.as_deref().unwrap_or_default();
        let said = self.repeat(format!("{} {details}", error.message).trim());
        let reason = format!("`{method}` was refused: {said} ({})", error.code);
        let lower = said.to_lowercase();
        let is_about = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        // 6.0 and newer say "Not authorized.", "Session terminated, re-login, please.", "API token expired.".
        if is_about(&["not authori", "session terminated", "token expired"]) {
            return PullError::new(ErrorKind::Auth, reason, BAD_TOKEN);
        }
        if is_about(&["no permissions to call"]) {
            return PullError::new(ErrorKind::Auth, reason, NO_ACCESS);
        }
        PullError::new(ErrorKind::Rejected, reason, PASSING)
    }

    /// What the other side said, in one line of bounded length, and without our token should it be in there.
    fn repeat(&self, text: &str) -> String {
        let text = match self.token.expose() {
            token if token.is_empty() => text.to_owned(),
            token => text.replace(token.as_str(), "<secret>"),
        };
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(REPEATED_CHARS_MAX).collect()
    }
}

fn check_status(status: u16) -> Result<(), PullError> {
    let (kind, hint) = match status {
        200 => return Ok(()),
        300..=399 => (ErrorKind::Rejected, REDIRECTED),
        401 | 403 | 407 => (ErrorKind::Auth, "the web server itself refuses; let the daemon's address in"),
        429 => (ErrorKind::RateLimited, PASSING),
        500.. => (ErrorKind::Unreachable, PASSING),
        _ => (ErrorKind::Rejected, NOT_THE_API),
    };
    Err(PullError::new(kind, format!("the web server answered with status {status}"), hint))
}

/// An id: text in all answers of Zabbix (<https://www.zabbix.com/documentation/7.0/en/manual/api/reference_commentary>);
/// a number is taken as well.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Id(String);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            Value::Number(number) => Ok(Self(number.to_string())),
            _ => Err(serde::de::Error::custom("expected an id")),
        }
    }
}

#[derive(Deserialize)]
struct HostId {
    hostid: Id,
}

#[derive(Deserialize)]
struct Answer<T> {
    result: T,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    error: Option<RpcError>,
}

#[derive(Deserialize)]
struct RpcError {
    code: i64,
    #[serde(default)]
    message: String,
    #[serde(default)]
    data: Option<String>,
}

#[cfg(test)]
mod tests;
