//! The macros of one notification of Nagios, Icinga 2 or Checkmk, from arguments and the environment, as the JSON that
//! the source of that name reads. Decides which macros matter; the source decides what they mean. Never sends
//! custom variables, check commands or a rule's parameters: passwords stand in them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use crate::cli::failure::Failure;
use crate::model::Timestamp;
use crate::model::event::{LABEL_VALUE_BYTES_MAX, TEXT_BYTES_MAX};

/// What is taken from the environment, without `NAGIOS_`. Nagios exports more than a hundred others, among
/// them lists of all hosts, addresses of contacts, and commands with their arguments.
#[rustfmt::skip] // In the order of Nagios' own list.
const TAKEN: &[&str] = &[
    "NOTIFICATIONTYPE", "NOTIFICATIONNUMBER", "NOTIFICATIONISESCALATED", "NOTIFICATIONAUTHOR", "NOTIFICATIONAUTHORNAME",
    "NOTIFICATIONAUTHORALIAS", "NOTIFICATIONCOMMENT", "TIMET", "LONGDATETIME",
    "HOSTNAME", "HOSTDISPLAYNAME", "HOSTALIAS", "HOSTADDRESS", "HOSTSTATE", "HOSTSTATEID", "LASTHOSTSTATE", "LASTHOSTSTATEID",
    "HOSTSTATETYPE", "HOSTATTEMPT", "MAXHOSTATTEMPTS", "HOSTEVENTID", "LASTHOSTEVENTID", "HOSTPROBLEMID",
    "LASTHOSTPROBLEMID", "HOSTNOTIFICATIONNUMBER", "HOSTNOTIFICATIONID", "HOSTDOWNTIME", "HOSTDURATIONSEC",
    "HOSTGROUPNAME", "HOSTGROUPNAMES", "LASTHOSTCHECK", "LASTHOSTSTATECHANGE", "HOSTOUTPUT", "LONGHOSTOUTPUT",
    "HOSTACKAUTHOR", "HOSTACKAUTHORNAME", "HOSTACKCOMMENT", "HOSTACTIONURL", "HOSTNOTESURL", "HOSTPARENTS", "_HOSTPARENTS",
    "SERVICEDESC", "SERVICEDISPLAYNAME", "SERVICESTATE", "SERVICESTATEID", "LASTSERVICESTATE", "LASTSERVICESTATEID",
    "SERVICESTATETYPE", "SERVICEATTEMPT", "MAXSERVICEATTEMPTS", "SERVICEISVOLATILE", "SERVICEEVENTID",
    "LASTSERVICEEVENTID", "SERVICEPROBLEMID", "LASTSERVICEPROBLEMID", "SERVICENOTIFICATIONNUMBER", "SERVICENOTIFICATIONID",
    "SERVICEDOWNTIME", "SERVICEDURATIONSEC", "SERVICEGROUPNAME", "SERVICEGROUPNAMES", "LASTSERVICECHECK",
    "LASTSERVICESTATECHANGE", "SERVICEOUTPUT", "LONGSERVICEOUTPUT", "SERVICEACKAUTHOR", "SERVICEACKAUTHORNAME",
    "SERVICEACKCOMMENT", "SERVICEACTIONURL", "SERVICENOTESURL",
];

/// What a monitor calls the macros that matter, and how it hands them over.
pub struct Monitor {
    /// The name of its source.
    pub name: &'static str,
    /// Before the names in the environment.
    prefix: &'static str,
    is_taken: fn(&str) -> bool,
    notification_type: &'static str,
    host: &'static str,
    service: &'static str,
    /// What to do when nothing came.
    hint: &'static str,
}

pub const NAGIOS: Monitor = Monitor {
    name: "nagios",
    prefix: "NAGIOS_",
    is_taken: |name| TAKEN.contains(&name),
    notification_type: "NOTIFICATIONTYPE",
    host: "HOSTNAME",
    service: "SERVICEDESC",
    hint: "set `enable_environment_macros=1` in nagios.cfg, or give the macros as arguments: HOSTNAME='$HOSTNAME$' …",
};

/// Its environment holds what the command's `env` names, and nothing else.
pub const ICINGA2: Monitor = Monitor {
    name: "icinga2",
    prefix: "ICINGA_",
    is_taken: |_| true,
    notification_type: "NOTIFICATION_TYPE",
    host: "HOST_NAME",
    service: "SERVICE_NAME",
    hint: "name the macros under `env` of the NotificationCommand; `watchbell integrations icinga2` shows which",
};

pub const CHECKMK: Monitor = Monitor {
    name: "checkmk",
    prefix: "NOTIFY_",
    is_taken: |name| {
        TAKEN.contains(&name)
            || CHECKMK_TAKEN.contains(&name)
            || ["HOSTLABEL_", "SERVICELABEL_"].iter().any(|prefix| name.starts_with(prefix))
    },
    notification_type: "NOTIFICATIONTYPE",
    host: "HOSTNAME",
    service: "SERVICEDESC",
    hint: "Checkmk calls a notification script with them; `watchbell integrations checkmk` shows one",
};

/// What only Checkmk has.
const CHECKMK_TAKEN: &[&str] = &[
    "WHAT",
    "OMD_SITE",
    "HOSTSHORTSTATE",
    "SERVICESHORTSTATE",
    "HOSTURL",
    "SERVICEURL",
    "HOSTTAGS",
    "HOSTCONTACTGROUPNAMES",
    "SERVICECONTACTGROUPNAMES",
    "MICROTIME",
    "ALERTHANDLEROUTPUT",
    "ALERTHANDLERSHORTSTATE",
];

/// Values longer than the daemon takes are cut here: a check that talks too much must not cost a page.
/// The summary is made from the output with names before it, hence the room.
const OUTPUT_BYTES_MAX: usize = TEXT_BYTES_MAX - 8 * 1_024;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    Host,
    Service,
}

/// The body for one notification. An argument counts before a variable of the same name.
///
/// # Errors
/// When there is no notification to speak of.
pub fn body(
    monitor: &Monitor,
    arguments: &[OsString],
    environment: impl Iterator<Item = (OsString, OsString)>,
    kind: Option<Kind>,
    parents: impl FnOnce(&str) -> Option<String>,
    now: Timestamp,
) -> Result<Vec<u8>, Failure> {
    let mut macros = from_environment(monitor, environment);
    for argument in arguments {
        let (name, value) = split(monitor, argument)?;
        macros.insert(name, value);
    }
    let value =
        |name: &str| macros.get(name).filter(|value| !value.trim().is_empty() && !is_unresolved(value)).cloned();
    let host = match (value(monitor.notification_type), value(monitor.host)) {
        (Some(_), Some(host)) => host,
        (None, _) => return Err(missing(monitor, monitor.notification_type)),
        (_, None) => return Err(missing(monitor, monitor.host)),
    };
    let is_service = match kind {
        Some(kind) => kind == Kind::Service,
        None => value(monitor.service).is_some(),
    };
    let has_parents = value("HOSTPARENTS").is_some() || value("_HOSTPARENTS").is_some();
    let has_time = value("TIMET").or(value("MICROTIME")).is_some();
    if value("WHAT").is_none() {
        macros.insert("KIND".to_owned(), if is_service { "service" } else { "host" }.to_owned());
    }
    if !has_time {
        // However late it arrives, this is when it happened.
        macros.insert("TIMET".to_owned(), (now.as_millis() / 1_000).to_string());
    }
    if !has_parents && let Some(parents) = parents(&host) {
        macros.insert("HOSTPARENTS".to_owned(), parents);
    }
    for (name, value) in &mut macros {
        let is_name_list = name.ends_with("GROUPNAMES") || name.ends_with("_GROUPS");
        clip(value, if is_name_list { LABEL_VALUE_BYTES_MAX } else { OUTPUT_BYTES_MAX });
    }
    // Only strings, which cannot fail to be JSON.
    serde_json::to_vec(&macros).map_err(|error| Failure::new("cannot write the notification").cause(error))
}

fn from_environment(
    monitor: &Monitor,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> BTreeMap<String, String> {
    let mut macros = BTreeMap::new();
    for (name, value) in environment {
        let Some(name) = name.to_str().and_then(|name| name.strip_prefix(monitor.prefix)) else { continue };
        if (monitor.is_taken)(name) && !value.is_empty() {
            // A check may write in any encoding; a strange letter is better than no page.
            macros.insert(name.to_owned(), value.to_string_lossy().into_owned());
        }
    }
    macros
}

fn split(monitor: &Monitor, argument: &OsStr) -> Result<(String, String), Failure> {
    let text = argument.to_string_lossy();
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match text.split_once('=') {
        Some((name, value)) if is_name(name) => {
            let name = name.to_ascii_uppercase();
            let name = name.strip_prefix(monitor.prefix).map(str::to_owned).unwrap_or(name);
            Ok((name, value.to_owned()))
        }
        _ => Err(Failure::misuse(format!("expected NAME=VALUE, got `{}`", crate::cli::output::clipped(&text, 60)))
            .hint("put the value in quotes: HOSTOUTPUT='$HOSTOUTPUT$'")),
    }
}

/// Nagios leaves `$NAME$` where it knows no such macro.
fn is_unresolved(value: &str) -> bool {
    let value = value.trim();
    value.len() > 2 && value.starts_with('$') && value.ends_with('$') && !value.contains(' ')
}

fn missing(monitor: &Monitor, name: &str) -> Failure {
    let prefix = monitor.prefix;
    Failure::misuse(format!(
        "no notification came: there is neither {prefix}{name} in the environment nor {name}=… among the arguments"
    ))
    .hint(monitor.hint)
}

fn clip(value: &mut String, bytes_max: usize) {
    const MARK: &str = "…";
    if value.len() > bytes_max {
        let mut end = bytes_max - MARK.len();
        while !value.is_char_boundary(end) {
            end -= 1;
        }
        value.truncate(end);
        value.push_str(MARK);
    }
}

/// The parents of one host by Nagios' own record. Reads no further than that host: the file holds every
/// service too, and in a storm many calls read it at once (which is why this is not `config::nagios`).
///
/// # Errors
/// When the file cannot be read.
pub fn parents_of(host: &str, objects_cache: &Path) -> io::Result<Option<String>> {
    let mut lines = BufReader::new(File::open(objects_cache)?);
    let (mut line, mut is_host) = (Vec::new(), false);
    let (mut name, mut parents) = (None::<String>, None::<String>);
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        if let Some(kind) = text.strip_prefix("define ") {
            is_host = kind.split(['{', ' ', '\t']).next() == Some("host");
            (name, parents) = (None, None);
        } else if text == "}" {
            if is_host && name.as_deref() == Some(host) {
                return Ok(parents);
            }
            is_host = false;
        } else if is_host && let Some((key, value)) = text.split_once([' ', '\t']) {
            match key {
                "host_name" => name = Some(value.trim().to_owned()),
                "parents" => parents = Some(value.trim().trim_start_matches('+').to_owned()),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_239_158_999);

    fn os(text: &str) -> OsString {
        text.into()
    }

    fn check(arguments: &[&str], environment: &[(&str, &str)], kind: Option<Kind>) -> Result<String, String> {
        let arguments: Vec<OsString> = arguments.iter().map(|text| os(text)).collect();
        let environment = environment.iter().map(|(name, value)| (os(name), os(value)));
        let body =
            body(&NAGIOS, &arguments, environment, kind, |_| None, NOW).map_err(|failure| failure.to_string())?;
        Ok(String::from_utf8(body).unwrap())
    }

    #[test]
    fn the_environment_gives_what_matters_and_nothing_else() {
        let environment = [
            ("NAGIOS_NOTIFICATIONTYPE", "PROBLEM"),
            ("NAGIOS_HOSTNAME", "web1"),
            ("NAGIOS_HOSTSTATE", "DOWN"),
            ("NAGIOS_HOSTACTIONURL", ""),
            ("NAGIOS_TIMET", "1795239100"),
            ("NAGIOS__HOSTSNMPCOMMUNITY", "secret"),
            ("NAGIOS_HOSTCHECKCOMMAND", "check_x!secret"),
            ("NAGIOS_HOSTGROUPMEMBERS", "web1,web2,web3"),
            ("NAGIOS_CONTACTEMAIL", "anna@example.org"),
            ("HOSTNAME", "the-shell-sets-this"),
        ];
        assert_eq!(
            check(&[], &environment, None).unwrap(),
            r#"{"HOSTNAME":"web1","HOSTSTATE":"DOWN","KIND":"host","NOTIFICATIONTYPE":"PROBLEM","TIMET":"1795239100"}"#
        );
    }

    #[test]
    fn arguments_count_first_and_the_time_is_added() {
        let arguments =
            ["notificationtype=RECOVERY", "HOSTNAME=web1", "SERVICEDESC=a=b", "SERVICESTATE=$SERVICESTATE$"];
        assert_eq!(
            check(&arguments, &[("NAGIOS_HOSTNAME", "other")], None).unwrap(),
            r#"{"HOSTNAME":"web1","KIND":"service","NOTIFICATIONTYPE":"RECOVERY","SERVICEDESC":"a=b","SERVICESTATE":"$SERVICESTATE$","TIMET":"1795239158"}"#
        );
        let body = check(&arguments, &[], Some(Kind::Host)).unwrap();
        assert!(body.contains(r#""KIND":"host""#), "{body}");
    }

    #[test]
    fn without_a_notification_it_says_what_is_missing() {
        assert_eq!(
            check(&["HOSTNAME=web1"], &[], None).unwrap_err(),
            "no notification came: there is neither NAGIOS_NOTIFICATIONTYPE in the environment nor \
             NOTIFICATIONTYPE=… among the arguments"
        );
        assert_eq!(check(&["HOST NAME"], &[], None).unwrap_err(), "expected NAME=VALUE, got `HOST NAME`");
        let unresolved = ["NOTIFICATIONTYPE=PROBLEM", "HOSTNAME=$HOSTNAME$"];
        assert!(check(&unresolved, &[], None).unwrap_err().contains("NAGIOS_HOSTNAME"));
    }

    #[test]
    fn icinga_and_checkmk_have_names_of_their_own() {
        let sent = |monitor: &Monitor, environment: &[(&str, &str)]| {
            let environment = environment.iter().map(|(name, value)| (os(name), os(value)));
            let body = body(monitor, &[], environment, None, |_| None, NOW).map_err(|failure| failure.to_string());
            body.map(|body| String::from_utf8(body).unwrap())
        };
        let icinga =
            [("ICINGA_NOTIFICATION_TYPE", "PROBLEM"), ("ICINGA_HOST_NAME", "web1"), ("ICINGA_SERVICE_NAME", "")];
        assert_eq!(
            sent(&ICINGA2, &icinga).unwrap(),
            r#"{"HOST_NAME":"web1","KIND":"host","NOTIFICATION_TYPE":"PROBLEM","TIMET":"1795239158"}"#
        );
        assert!(sent(&ICINGA2, &icinga[..1]).unwrap_err().contains("ICINGA_HOST_NAME"));
        let checkmk = [
            ("NOTIFY_WHAT", "HOST"),
            ("NOTIFY_NOTIFICATIONTYPE", "PROBLEM"),
            ("NOTIFY_HOSTNAME", "web1"),
            ("NOTIFY_HOSTLABEL_os", "linux"),
            ("NOTIFY_MICROTIME", "1795239159123456"),
            ("NOTIFY_PARAMETER_PASSWORD", "secret"),
        ];
        assert_eq!(
            sent(&CHECKMK, &checkmk).unwrap(),
            r#"{"HOSTLABEL_os":"linux","HOSTNAME":"web1","MICROTIME":"1795239159123456","NOTIFICATIONTYPE":"PROBLEM","WHAT":"HOST"}"#
        );
    }

    #[test]
    fn what_a_check_wrote_too_much_is_cut() {
        let long = format!("LONGSERVICEOUTPUT={}", "ü".repeat(TEXT_BYTES_MAX));
        let groups = format!("HOSTGROUPNAMES={}", "g,".repeat(LABEL_VALUE_BYTES_MAX));
        let body = check(&["NOTIFICATIONTYPE=PROBLEM", "HOSTNAME=web1", "HOSTSTATE=DOWN", &long, &groups], &[], None);
        let macros: BTreeMap<String, String> = serde_json::from_str(&body.unwrap()).unwrap();
        assert!(macros["LONGSERVICEOUTPUT"].len() <= OUTPUT_BYTES_MAX && macros["LONGSERVICEOUTPUT"].ends_with("ü…"));
        assert!(macros["HOSTGROUPNAMES"].len() <= LABEL_VALUE_BYTES_MAX);
    }

    #[cfg(unix)]
    #[test]
    fn bytes_of_another_encoding_do_not_cost_the_page() {
        use std::os::unix::ffi::OsStringExt;
        let latin = OsString::from_vec(b"HOSTOUTPUT=caf\xe9".to_vec());
        let arguments = [os("NOTIFICATIONTYPE=PROBLEM"), os("HOSTNAME=web1"), latin];
        let body = body(&NAGIOS, &arguments, std::iter::empty(), None, |_| None, NOW).unwrap();
        assert!(String::from_utf8(body).unwrap().contains("caf\u{fffd}"));
    }

    #[test]
    fn parents_come_from_the_objects_cache() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("objects.cache");
        let objects = "define command {\n\tcommand_name\tx\n\t}\ndefine host {\n\thost_name\tsw1\n\t}\n\
                       define host {\n\thost_name\tweb1\n\tparents\tsw1,sw2\n\t}\ndefine host{\n\tparents\tnone\n\t}\n\
                       define service {\n\thost_name\tdb1\n\tparents\tx,y\n\t}\n";
        std::fs::write(&file, objects).unwrap();
        assert_eq!(parents_of("web1", &file).unwrap().as_deref(), Some("sw1,sw2"));
        for host in ["sw1", "db1", "other"] {
            assert_eq!(parents_of(host, &file).unwrap(), None, "{host}");
        }
        assert!(parents_of("web1", &home.path().join("absent")).is_err());
    }
}
