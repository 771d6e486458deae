//! Nagios Core and XI: the macros of one notification, posted by a notification command.
//!
//! Decides what each `NOTIFICATIONTYPE` means and that host and service are the identity: problem ids
//! are 0 between DOWN and UNREACHABLE, differ on recovery and start again at 1 without retention. Never
//! asks Nagios anything; that is the command's job, which also keeps what could not be sent.
//!
//! ```text
//! {"NOTIFICATIONTYPE":"PROBLEM","HOSTNAME":"web1","SERVICEDESC":"disk","SERVICESTATE":"CRITICAL","SERVICEOUTPUT":"…"}
//! ```
//!
//! Macros: <https://assets.nagios.com/downloads/nagioscore/docs/nagioscore/4/en/macrolist.html>.

use super::monitor_macros::{Dialect, Macros, read_json_or_form};
use super::{Inbound, NAMES_MAX, Overload, ParseError, Parsed, Severities, Source, SourceSpec};
use super::{check_limits, is_http_url, push_alias};
use crate::error::{ConfigError, Table, read_table};
use crate::model::event::Marker;
use crate::model::{Event, EventStatus, Fingerprint, Labels, Severity, Timestamp};
use serde::Deserialize;
use std::collections::BTreeMap;

pub const SPEC: SourceSpec = SourceSpec {
    name: "nagios",
    title: "Nagios Core and XI (notification command)",
    docs: DOCS,
    examples: &[
        SERVICE_PROBLEM,
        SERVICE_ACKNOWLEDGED,
        SERVICE_RECOVERY,
        HOST_UNREACHABLE,
        HOST_RECOVERY,
        FLAPPING_STARTED,
        FLAPPING_STOPPED,
        DOWNTIME_STARTED,
        FORM,
    ],
    overload: Overload::TooManyRequests,
    build,
};

const DOCS: &str = r#"Nagios runs one command for each notification and never tries again, so the command has to
keep what it cannot send: `watchbell send` does, and `config/examples/nagios.cfg` defines it for hosts
and services. Attach it to a contact:

```
define contact {
    contact_name                    watchbell
    host_notifications_enabled      1
    service_notifications_enabled   1
    host_notification_period        24x7
    service_notification_period     24x7
    host_notification_options       d,u,r,f,s
    service_notification_options    w,u,c,r,f,s
    host_notification_commands      notify-host-by-watchbell
    service_notification_commands   notify-service-by-watchbell
}
```

Any client will do: the body is a JSON object or a form of macros by their own names in any case, with
or without the `NAGIOS_` of the environment. Required are `NOTIFICATIONTYPE` and `HOSTNAME`, for a host
`HOSTSTATE`, for a service `SERVICEDESC` and `SERVICESTATE`:

```
curl --data-urlencode "NOTIFICATIONTYPE=PROBLEM" --data-urlencode "HOSTNAME=web1" \
  --data-urlencode "HOSTSTATE=DOWN" --data-urlencode "HOSTOUTPUT=no answer" http://127.0.0.1:9494/in/nagios
```

Send `HOSTPARENTS` (comma separated) as well, and children wait for their parents' verdict.
DOWN and CRITICAL become critical, UNREACHABLE and UNKNOWN major, WARNING warning.

| key | default | meaning |
|---|---|---|
| `severities` | | by state: `{ DOWN: major, WARNING: minor }` |
"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    #[serde(default)]
    severities: Severities,
}

fn build(table: &Table) -> Result<Box<dyn Source>, ConfigError> {
    let Configuration { severities } = read_table(table)?;
    Ok(Box::new(Nagios { severities: state_severities(severities)? }))
}

struct Nagios {
    severities: StateSeverities,
}

const DIALECT: Dialect = Dialect {
    fold: |name| {
        let name = name.to_ascii_uppercase();
        name.strip_prefix("NAGIOS_").map(str::to_owned).unwrap_or(name)
    },
    is_unresolved: |value| value.len() > 2 && value.starts_with('$') && value.ends_with('$') && !value.contains(' '),
};

impl Source for Nagios {
    fn parse(&self, inbound: &Inbound<'_>) -> Result<Parsed, ParseError> {
        let notifications = read_json_or_form(inbound, &DIALECT)?;
        let events = notifications
            .into_iter()
            .map(|(path, macros)| event(inbound, &macros, &self.severities).map_err(|error| error.inside(&path)));
        Ok(events.collect::<Result<Vec<_>, _>>()?.into())
    }
}

/// Severities by state, of Nagios and its kin.
pub(super) type StateSeverities = BTreeMap<State, Severity>;

/// Reads the operator's words for states.
pub(super) fn state_severities(configured: Severities) -> Result<StateSeverities, ConfigError> {
    let mut severities = BTreeMap::new();
    for (word, severity) in configured {
        let Some(state) = State::from_word(&word.to_ascii_uppercase()) else {
            let message = "expected a state: `DOWN`, `UNREACHABLE`, `CRITICAL`, `UNKNOWN` or `WARNING`";
            return Err(ConfigError::new(format!("severities.{word}"), message));
        };
        severities.insert(state, severity);
    }
    Ok(severities)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    Up,
    Down,
    Unreachable,
    Ok,
    Warning,
    Critical,
    Unknown,
}

impl State {
    fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "UP" => Self::Up,
            "DOWN" => Self::Down,
            // The short ones are Checkmk's.
            "UNREACHABLE" | "UNREACH" => Self::Unreachable,
            "OK" => Self::Ok,
            "WARNING" | "WARN" => Self::Warning,
            "CRITICAL" | "CRIT" => Self::Critical,
            "UNKNOWN" | "UNKN" => Self::Unknown,
            _ => return None,
        })
    }

    const fn is_good(self) -> bool {
        matches!(self, Self::Up | Self::Ok)
    }

    const fn severity(self) -> Severity {
        match self {
            Self::Down | Self::Critical => Severity::Critical,
            Self::Unreachable | Self::Unknown => Severity::Major,
            Self::Warning => Severity::Warning,
            Self::Up | Self::Ok => Severity::Info,
        }
    }
}

/// Host or service: which macros speak about the object of the notification.
struct Object<'a> {
    macros: &'a Macros,
    host: &'a str,
    service: Option<&'a str>,
}

impl<'a> Object<'a> {
    fn of(macros: &'a Macros) -> Result<Self, ParseError> {
        let required = |name: &str, expected: &str| {
            macros.get(name).ok_or_else(|| ParseError::new(name, "nothing", expected.to_owned()))
        };
        let host = required("HOSTNAME", "the name of the host")?;
        let service = match macros.get("KIND").map(str::to_ascii_lowercase).as_deref() {
            Some("host") => None,
            Some("service") => Some(required("SERVICEDESC", "the description of the service")?),
            None => macros.get("SERVICEDESC"),
            Some(kind) => return Err(ParseError::new("kind", kind, "`host` or `service`")),
        };
        Ok(Self { macros, host, service })
    }

    /// `STATE` is `HOSTSTATE` or `SERVICESTATE`; `LAST…STATECHANGE` takes the word in its middle.
    fn get(&self, pattern: &str) -> Option<&'a str> {
        self.macros.get(&self.name(pattern))
    }

    fn name(&self, pattern: &str) -> String {
        let kind = if self.service.is_some() { "SERVICE" } else { "HOST" };
        if pattern.contains('…') { pattern.replace('…', kind) } else { format!("{kind}{pattern}") }
    }

    fn state(&self) -> Result<State, ParseError> {
        let word = self.get("STATE").unwrap_or("nothing");
        let expected = match self.service {
            Some(_) => "`OK`, `WARNING`, `CRITICAL` or `UNKNOWN`",
            None => "`UP`, `DOWN` or `UNREACHABLE`",
        };
        State::from_word(&word.to_ascii_uppercase()).ok_or_else(|| ParseError::new(self.name("STATE"), word, expected))
    }

    /// `;` cannot stand in a name: Nagios' own commands and logs are split at it.
    fn dedup_key(&self) -> String {
        match self.service {
            Some(service) => format!("{};{service}", self.host),
            None => self.host.to_owned(),
        }
    }
}

/// What a notification of this type, in this state, says.
fn meaning(kind: &str, state: State, is_soft: bool) -> Option<(EventStatus, Option<Marker>)> {
    use EventStatus::{Acknowledged, Commented, Firing, Resolved};
    Some(match kind {
        "PROBLEM" if state == State::Unreachable => (Firing, Some(Marker::Unreachable)),
        "PROBLEM" => (Firing, is_soft.then_some(Marker::Soft)),
        "RECOVERY" => (Resolved, None),
        "ACKNOWLEDGEMENT" => (Acknowledged, None),
        "CUSTOM" => (Commented, None),
        "FLAPPINGSTART" => (Commented, Some(Marker::FlappingStarted)),
        // Flapping that ends in a good state is the only word about the recovery.
        "FLAPPINGSTOP" | "FLAPPINGEND" | "FLAPPINGDISABLED" => {
            (if state.is_good() { Resolved } else { Firing }, Some(Marker::FlappingStopped))
        }
        "DOWNTIMESTART" => (Commented, Some(Marker::DowntimeStarted)),
        "DOWNTIMEEND" | "DOWNTIMECANCELLED" | "DOWNTIMEREMOVED" => (Commented, Some(Marker::DowntimeEnded)),
        _ => return None,
    })
}

/// The family of all host checks; the state is in the label, because it changes during one problem.
const HOST_CHECK: &str = "host check";

/// The event of one notification, of Nagios or of a monitor that speaks as it does.
pub(super) fn event(inbound: &Inbound<'_>, macros: &Macros, severities: &StateSeverities) -> Result<Event, ParseError> {
    let object = Object::of(macros)?;
    let kind = macros.get("NOTIFICATIONTYPE").map(str::to_ascii_uppercase).unwrap_or_default();
    let state = object.state()?;
    let is_soft = object.get("STATETYPE").is_some_and(|word| word.eq_ignore_ascii_case("SOFT"));
    let Some((status, marker)) = meaning(&kind, state, is_soft) else {
        let expected = "a notification type of Nagios such as `PROBLEM` or `RECOVERY`";
        let got = if kind.is_empty() { "nothing" } else { &kind };
        return Err(ParseError::new("NOTIFICATIONTYPE", got, expected));
    };
    let is_acknowledged = status == EventStatus::Acknowledged;
    let said = |general: &[&str], acknowledged: &str| {
        let own = || if is_acknowledged { object.get(acknowledged) } else { None };
        macros.first(general).or_else(own).map(str::to_owned)
    };
    let dedup_key = object.dedup_key();
    let event = Event {
        id: identity(inbound.source, &object, &dedup_key, &kind),
        at: happened_at(&object).unwrap_or(inbound.received_at),
        received_at: inbound.received_at,
        source: inbound.source.to_owned(),
        status,
        name: object.service.unwrap_or(HOST_CHECK).to_owned(),
        dedup_key,
        severity: severities.get(&state).copied().unwrap_or(state.severity()),
        configuration_item: Some(object.host.to_owned()),
        service: None,
        labels: labels(&object),
        annotations: annotations(&object),
        url: link(&object, "ACTIONURL"),
        expires_at: None,
        is_end_assumed: false,
        started_at: None,
        aliases: aliases(&object),
        parents: parents(macros),
        marker,
        author: said(&["NOTIFICATIONAUTHOR", "NOTIFICATIONAUTHORNAME"], "ACKAUTHOR"),
        note: said(&["NOTIFICATIONCOMMENT"], "ACKCOMMENT"),
        extra: BTreeMap::new(),
    };
    check_limits(&event)?;
    Ok(event)
}

/// The same for all contacts that one notification goes to and for what a client sends again later.
fn identity(source: &str, object: &Object<'_>, dedup_key: &str, kind: &str) -> String {
    let own = |pattern| object.get(pattern).unwrap_or("");
    let general = |name| object.macros.get(name).unwrap_or("");
    let number = own("NOTIFICATIONID");
    // Without the number of the notification its time has to tell two apart.
    let time = if number.is_empty() { general("TIMET") } else { "" };
    let changed = own("LAST…STATECHANGE");
    let parts = [source, dedup_key, kind, own("STATE"), own("STATETYPE"), number, changed, time];
    let said = [general("NOTIFICATIONNUMBER"), general("NOTIFICATIONAUTHOR"), general("NOTIFICATIONCOMMENT")];
    Fingerprint::of(parts.into_iter().chain(said)).to_string()
}

fn happened_at(object: &Object<'_>) -> Option<Timestamp> {
    // Some count the fractions of a second too.
    let whole = |text: &str| text.split('.').next().unwrap_or_default().parse::<i64>().ok();
    let epoch_seconds = |text: &str| whole(text).filter(|seconds| *seconds > 0);
    let seconds = object.macros.get("TIMET").and_then(epoch_seconds);
    let seconds = seconds.or_else(|| object.get("LAST…STATECHANGE").and_then(epoch_seconds))?;
    Some(Timestamp::from_millis(seconds.saturating_mul(1_000)))
}

fn labels(object: &Object<'_>) -> Labels {
    let mut labels = Labels::new();
    let mut add = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            labels.insert(name, value);
        }
    };
    add("host_groups", object.macros.first(&["HOSTGROUPNAMES", "HOSTGROUPNAME"]));
    add("service", object.service);
    if object.service.is_some() {
        add("service_groups", object.macros.first(&["SERVICEGROUPNAMES", "SERVICEGROUPNAME"]));
    }
    add("state", object.get("STATE"));
    add("state_type", object.get("STATETYPE"));
    labels
}

fn annotations(object: &Object<'_>) -> Labels {
    let what = object.service.map_or_else(|| object.host.to_owned(), |service| format!("{}/{service}", object.host));
    let state = object.get("STATE").unwrap_or_default();
    let output = object.get("OUTPUT").map(|output| format!(": {output}")).unwrap_or_default();
    let mut annotations = Labels::new();
    annotations.insert("summary", format!("{what} is {state}{output}"));
    if let Some(text) = object.get("LONG…OUTPUT") {
        // Nagios writes line ends as two characters.
        annotations.insert("description", text.replace("\\n", "\n"));
    }
    if let Some(url) = link(object, "NOTESURL") {
        annotations.insert("runbook_url", url);
    }
    annotations
}

/// The service's own link, or that of its host.
fn link(object: &Object<'_>, pattern: &str) -> Option<String> {
    let own = object.get(pattern).filter(|url| is_http_url(url));
    let host = || object.macros.get(&format!("HOST{pattern}")).filter(|url| is_http_url(url));
    own.or_else(host).map(str::to_owned)
}

fn aliases(object: &Object<'_>) -> Vec<String> {
    let mut aliases = Vec::new();
    for name in ["HOSTADDRESS", "HOSTDISPLAYNAME"] {
        push_alias(&mut aliases, object.host, object.macros.get(name));
    }
    aliases
}

fn parents(macros: &Macros) -> Vec<String> {
    let mut parents: Vec<String> = Vec::new();
    for name in macros.first(&["HOSTPARENTS", "_HOSTPARENTS"]).unwrap_or_default().split(',').map(str::trim) {
        if !name.is_empty() && !parents.iter().any(|parent| parent == name) {
            parents.push(name.to_owned());
        }
        // One too many is for `check_limits` to refuse; a flood of them need not be compared.
        if parents.len() > NAMES_MAX {
            break;
        }
    }
    parents
}

/// Nagios 4.4.6, as a command posts it that sends everything it knows; shortened to what is read.
const SERVICE_PROBLEM: &str = r#"{"kind":"service","NOTIFICATIONTYPE":"PROBLEM","NOTIFICATIONNUMBER":"1","NOTIFICATIONRECIPIENTS":"bridge","NOTIFICATIONAUTHOR":"","NOTIFICATIONCOMMENT":"","HOSTNAME":"web1","HOSTALIAS":"web1 (web)","HOSTDISPLAYNAME":"web1","HOSTADDRESS":"192.0.2.11","HOSTSTATE":"UP","HOSTSTATETYPE":"HARD","HOSTOUTPUT":"PING OK - Packet loss = 0%, RTA = 0.40 ms","HOSTGROUPNAMES":"web,all-lab","HOSTNOTESURL":"https://wiki.lab.example/web1","HOSTACTIONURL":"","HOSTPARENTS":"rtr1","TIMET":"1795239158","SERVICEDESC":"disk","SERVICEDISPLAYNAME":"disk","SERVICESTATE":"CRITICAL","SERVICESTATEID":"2","SERVICESTATETYPE":"HARD","SERVICEATTEMPT":"2","LASTSERVICESTATECHANGE":"1795239158","SERVICEOUTPUT":"DISK CRITICAL: /var 2% free é ü 中","LONGSERVICEOUTPUT":"second line: C:\\temp\\nthird line HOME id","SERVICEPROBLEMID":"39","LASTSERVICEPROBLEMID":"8","SERVICENOTIFICATIONID":"22","SERVICEGROUPNAMES":"web-services","SERVICENOTESURL":""}"#;

const SERVICE_ACKNOWLEDGED: &str = r#"{"kind":"service","NOTIFICATIONTYPE":"ACKNOWLEDGEMENT","NOTIFICATIONNUMBER":"1","NOTIFICATIONAUTHOR":"alice","NOTIFICATIONCOMMENT":"looking into it; ticket #42","HOSTNAME":"web1","HOSTADDRESS":"192.0.2.11","HOSTSTATE":"UP","HOSTGROUPNAMES":"web,all-lab","TIMET":"1795239160","SERVICEDESC":"disk","SERVICESTATE":"CRITICAL","SERVICESTATETYPE":"HARD","LASTSERVICESTATECHANGE":"1795239158","SERVICEOUTPUT":"DISK CRITICAL: /var 2% free","SERVICENOTIFICATIONID":"23","SERVICEACKAUTHOR":"alice","SERVICEACKCOMMENT":"looking into it; ticket #42"}"#;

const SERVICE_RECOVERY: &str = r#"{"kind":"service","NOTIFICATIONTYPE":"RECOVERY","NOTIFICATIONNUMBER":"2","NOTIFICATIONAUTHOR":"","NOTIFICATIONCOMMENT":"","HOSTNAME":"web1","HOSTADDRESS":"192.0.2.11","HOSTSTATE":"UP","HOSTGROUPNAMES":"web,all-lab","TIMET":"1795239170","SERVICEDESC":"disk","SERVICESTATE":"OK","SERVICESTATETYPE":"HARD","LASTSERVICESTATECHANGE":"1795239170","SERVICEOUTPUT":"DISK OK: /var 60% free","SERVICEPROBLEMID":"39","LASTSERVICEPROBLEMID":"8","SERVICENOTIFICATIONID":"24"}"#;

/// The router before it is down; the problem id is 0.
const HOST_UNREACHABLE: &str = r#"{"kind":"host","NOTIFICATIONTYPE":"PROBLEM","NOTIFICATIONNUMBER":"1","NOTIFICATIONAUTHOR":"","NOTIFICATIONCOMMENT":"","HOSTNAME":"db1","HOSTALIAS":"db1 (db)","HOSTDISPLAYNAME":"db1","HOSTADDRESS":"192.0.2.13","HOSTSTATE":"UNREACHABLE","HOSTSTATEID":"2","HOSTSTATETYPE":"HARD","LASTHOSTSTATE":"DOWN","LASTHOSTSTATECHANGE":"1795239041","HOSTOUTPUT":"PING CRITICAL - Packet loss = 100%, no route to host","LONGHOSTOUTPUT":"","HOSTPROBLEMID":"0","LASTHOSTPROBLEMID":"3","HOSTNOTIFICATIONID":"7","HOSTGROUPNAMES":"db,all-lab","HOSTNOTESURL":"https://wiki.lab.example/db1","HOSTACTIONURL":"$HOSTACTIONURL$","HOSTPARENTS":"rtr1","TIMET":"1795239041"}"#;

const HOST_RECOVERY: &str = r#"{"kind":"host","NOTIFICATIONTYPE":"RECOVERY","NOTIFICATIONNUMBER":"2","HOSTNAME":"db1","HOSTALIAS":"db1 (db)","HOSTDISPLAYNAME":"db1","HOSTADDRESS":"192.0.2.13","HOSTSTATE":"UP","HOSTSTATETYPE":"HARD","LASTHOSTSTATECHANGE":"1795239055","HOSTOUTPUT":"PING OK - Packet loss = 0%, RTA = 0.40 ms","HOSTPROBLEMID":"0","LASTHOSTPROBLEMID":"0","HOSTNOTIFICATIONID":"12","HOSTGROUPNAMES":"db,all-lab","HOSTPARENTS":"rtr1","TIMET":"1795239055"}"#;

const FLAPPING_STARTED: &str = r#"{"kind":"service","NOTIFICATIONTYPE":"FLAPPINGSTART","NOTIFICATIONNUMBER":"1","HOSTNAME":"db1","HOSTSTATE":"UP","TIMET":"1795239257","SERVICEDESC":"disk","SERVICESTATE":"OK","SERVICESTATETYPE":"HARD","LASTSERVICESTATECHANGE":"1795239257","SERVICEOUTPUT":"DISK OK","SERVICEPROBLEMID":"45","SERVICENOTIFICATIONID":"35"}"#;

const FLAPPING_STOPPED: &str = r#"{"kind":"service","NOTIFICATIONTYPE":"FLAPPINGSTOP","NOTIFICATIONNUMBER":"0","HOSTNAME":"db1","HOSTSTATE":"UP","TIMET":"1795239263","SERVICEDESC":"disk","SERVICESTATE":"OK","SERVICESTATETYPE":"HARD","LASTSERVICESTATECHANGE":"1795239262","SERVICEOUTPUT":"DISK OK","SERVICEPROBLEMID":"0","SERVICENOTIFICATIONID":"36"}"#;

const DOWNTIME_STARTED: &str = r#"{"kind":"host","NOTIFICATIONTYPE":"DOWNTIMESTART","NOTIFICATIONAUTHOR":"alice","NOTIFICATIONCOMMENT":"rack move","HOSTNAME":"web2","HOSTADDRESS":"192.0.2.12","HOSTSTATE":"UP","HOSTSTATETYPE":"HARD","HOSTOUTPUT":"PING OK","TIMET":"1795239102"}"#;

/// The same as a form, as `curl --data-urlencode` sends it; the kind follows from `SERVICEDESC`.
const FORM: &str = "NOTIFICATIONTYPE=PROBLEM&NOTIFICATIONNUMBER=1&NOTIFICATIONAUTHOR=&HOSTNAME=web1&HOSTALIAS=web1+%28web%29&HOSTADDRESS=192.0.2.11&HOSTSTATE=UP&SERVICEDESC=http&SERVICESTATE=CRITICAL&SERVICESTATETYPE=HARD&LASTSERVICESTATECHANGE=1795240344&SERVICEOUTPUT=HTTP+CRITICAL+-+HTTP+503+a%3Dbc%3Dd+%2Bplus+%C3%BC";

#[cfg(test)]
mod tests;
