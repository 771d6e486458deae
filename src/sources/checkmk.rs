//! Checkmk: the context of one notification, posted by a notification script.
//!
//! Decides what is Checkmk's own in it: the site, short words for states, labels and tags. What a notification means is
//! said in `nagios.rs`, whose names Checkmk kept. Site, host and service are the identity. Never calls Checkmk's API.
//!
//! ```text
//! {"NOTIFY_WHAT":"SERVICE","NOTIFY_NOTIFICATIONTYPE":"PROBLEM","NOTIFY_HOSTNAME":"web1","NOTIFY_SERVICESTATE":"CRITICAL",…}
//! ```
//!
//! Context: <https://docs.checkmk.com/latest/en/notifications.html#environment_variables> (read 2026-11-21).

use super::draft::{believed, label};
use super::monitor_macros::{Dialect, Macros, read_json_or_form};
use super::nagios::{self, StateSeverities, state_severities};
use super::{Inbound, Overload, ParseError, Parsed, Severities, Source, SourceSpec, check_limits, is_http_url};
use crate::error::{ConfigError, Table, read_table};
use crate::model::{Event, EventStatus, Fingerprint, Timestamp};
use serde::Deserialize;

pub const SPEC: SourceSpec = SourceSpec {
    name: "checkmk",
    title: "Checkmk (notification script)",
    docs: include_str!("../../docs/sources/checkmk.md"),
    examples: &[SERVICE_PROBLEM, ACKNOWLEDGED, SERVICE_RECOVERY, HOST_PROBLEM, HOST_RECOVERY, DOWNTIME_STARTED],
    // `watchbell send` comes again after a 429.
    overload: Overload::TooManyRequests,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    #[serde(default)]
    severities: Severities,
    url: Option<String>,
}

fn build(table: &Table) -> Result<Box<dyn Source>, ConfigError> {
    let Configuration { severities, url } = read_table(table)?;
    if let Some(url) = url.as_deref().filter(|url| !is_http_url(url)) {
        let message = format!("expected the address of the server, `https://checkmk.example.org`, got `{url}`");
        return Err(ConfigError::new("url", message));
    }
    Ok(Box::new(Checkmk { severities: state_severities(severities)?, url }))
}

struct Checkmk {
    severities: StateSeverities,
    url: Option<String>,
}

const DIALECT: Dialect = Dialect {
    fold: |name| {
        let name = name.to_ascii_uppercase();
        let name = name.strip_prefix("NOTIFY_").unwrap_or(&name);
        // What the others call the kind of object.
        if name == "WHAT" { "KIND" } else { name }.to_owned()
    },
    is_unresolved: |value| value.len() > 2 && value.starts_with('$') && value.ends_with('$') && !value.contains(' '),
};

impl Source for Checkmk {
    fn parse(&self, inbound: &Inbound<'_>) -> Result<Parsed, ParseError> {
        let notifications = read_json_or_form(inbound, &DIALECT)?.into_iter();
        let events =
            notifications.map(|(path, macros)| self.event(inbound, &macros).map_err(|error| error.inside(&path)));
        Ok(events.collect::<Result<Vec<_>, _>>()?.into())
    }
}

impl Checkmk {
    fn event(&self, inbound: &Inbound<'_>, macros: &Macros) -> Result<Event, ParseError> {
        // What a handler did is said with its result: `ALERTHANDLER (OK)`.
        let is_handler = macros.get("NOTIFICATIONTYPE").is_some_and(|kind| kind.starts_with("ALERTHANDLER"));
        let replaced = is_handler.then(|| macros.with("NOTIFICATIONTYPE", "CUSTOM"));
        let mut event = nagios::event(inbound, replaced.as_ref().unwrap_or(macros), &self.severities)?;
        if is_handler {
            let said = macros.first(&["ALERTHANDLEROUTPUT", "ALERTHANDLERSHORTSTATE"]).unwrap_or("no output");
            event.note = Some(format!("alert handler: {said}"));
        }
        // Two sites may have hosts of one name.
        let site = macros.get("OMD_SITE").unwrap_or_default();
        if !site.is_empty() {
            event.dedup_key = format!("{site};{}", event.dedup_key);
            label(&mut event, "checkmk_site", Some(site));
        }
        // The same for all contacts of one notification.
        let time = macros.get("MICROTIME").unwrap_or_default();
        event.id = Fingerprint::of([event.id.as_str(), site, time]).to_string();
        if let Ok(micros) = time.parse::<i64>() {
            event.at = believed(Some(Timestamp::from_millis(micros / 1_000)), inbound);
        }
        for (name, value) in macros.with_prefix("HOSTLABEL_").chain(macros.with_prefix("SERVICELABEL_")) {
            label(&mut event, &name.to_ascii_lowercase(), Some(value));
        }
        label(&mut event, "host_tags", macros.get("HOSTTAGS"));
        label(&mut event, "contact_groups", macros.first(&["SERVICECONTACTGROUPNAMES", "HOSTCONTACTGROUPNAMES"]));
        if event.url.is_none() {
            event.url = self.page(macros);
        }
        if event.status == EventStatus::Commented && event.note.is_none() {
            event.note = macros.get("NOTIFICATIONTYPE").map(str::to_lowercase);
        }
        check_limits(&event)?;
        Ok(event)
    }

    /// The context holds paths; the server's name is not in it.
    fn page(&self, macros: &Macros) -> Option<String> {
        let own = if macros.get("SERVICEDESC").is_some() { "SERVICEURL" } else { "HOSTURL" };
        let path = macros.get(own).filter(|path| path.starts_with('/'))?;
        let url = format!("{}{path}", self.url.as_deref()?.trim_end_matches('/'));
        is_http_url(&url).then_some(url)
    }
}

/// Written after the context of Checkmk 2.2; shortened to what is read.
const SERVICE_PROBLEM: &str = r#"{"NOTIFY_WHAT":"SERVICE","NOTIFY_NOTIFICATIONTYPE":"PROBLEM","NOTIFY_OMD_SITE":"main","NOTIFY_HOSTNAME":"web1","NOTIFY_HOSTALIAS":"web1","NOTIFY_HOSTADDRESS":"192.0.2.11","NOTIFY_HOSTSTATE":"UP","NOTIFY_HOSTSHORTSTATE":"UP","NOTIFY_HOSTURL":"/check_mk/index.py?start_url=view.py%3Fhost%3Dweb1","NOTIFY_HOSTGROUPNAMES":"web","NOTIFY_HOSTTAGS":"/wato/ auto-piggyback cmk-agent ip-v4 prod tcp","NOTIFY_HOSTLABEL_cmk_os_family":"linux","NOTIFY_SERVICEDESC":"Filesystem /var","NOTIFY_SERVICESTATE":"CRITICAL","NOTIFY_SERVICESHORTSTATE":"CRIT","NOTIFY_SERVICESTATEID":"2","NOTIFY_LASTSERVICESTATE":"OK","NOTIFY_LASTSERVICESTATECHANGE":"1795239158","NOTIFY_SERVICEOUTPUT":"Used: 96.1% - 19.2 GiB of 20.0 GiB (warn/crit at 80.0%/90.0% used)(!!)","NOTIFY_LONGSERVICEOUTPUT":"trend per 1 day: +2.1 GiB\\ntime left until full: 9 hours","NOTIFY_SERVICEURL":"/check_mk/index.py?start_url=view.py%3Fhost%3Dweb1%26service%3DFilesystem","NOTIFY_SERVICEPROBLEMID":"45","NOTIFY_SERVICENOTIFICATIONNUMBER":"1","NOTIFY_CONTACTNAME":"watchbell","NOTIFY_MICROTIME":"1795239159123456","NOTIFY_SHORTDATETIME":"2026-11-21 05:32:39"}"#;

const ACKNOWLEDGED: &str = r#"{"NOTIFY_WHAT":"SERVICE","NOTIFY_NOTIFICATIONTYPE":"ACKNOWLEDGEMENT","NOTIFY_OMD_SITE":"main","NOTIFY_HOSTNAME":"web1","NOTIFY_HOSTADDRESS":"192.0.2.11","NOTIFY_HOSTSTATE":"UP","NOTIFY_SERVICEDESC":"Filesystem /var","NOTIFY_SERVICESTATE":"CRITICAL","NOTIFY_LASTSERVICESTATECHANGE":"1795239158","NOTIFY_SERVICEOUTPUT":"Used: 96.1%","NOTIFY_NOTIFICATIONAUTHOR":"alice","NOTIFY_NOTIFICATIONCOMMENT":"cleaning up","NOTIFY_CONTACTNAME":"watchbell"}"#;

const SERVICE_RECOVERY: &str = r#"{"NOTIFY_WHAT":"SERVICE","NOTIFY_NOTIFICATIONTYPE":"RECOVERY","NOTIFY_OMD_SITE":"main","NOTIFY_HOSTNAME":"web1","NOTIFY_HOSTADDRESS":"192.0.2.11","NOTIFY_HOSTSTATE":"UP","NOTIFY_SERVICEDESC":"Filesystem /var","NOTIFY_SERVICESTATE":"OK","NOTIFY_LASTSERVICESTATE":"CRITICAL","NOTIFY_LASTSERVICESTATECHANGE":"1795239600","NOTIFY_SERVICEOUTPUT":"Used: 41.0%","NOTIFY_CONTACTNAME":"watchbell"}"#;

const HOST_PROBLEM: &str = r#"{"NOTIFY_WHAT":"HOST","NOTIFY_NOTIFICATIONTYPE":"PROBLEM","NOTIFY_OMD_SITE":"main","NOTIFY_HOSTNAME":"db1","NOTIFY_HOSTADDRESS":"192.0.2.13","NOTIFY_HOSTSTATE":"DOWN","NOTIFY_HOSTSHORTSTATE":"DOWN","NOTIFY_LASTHOSTSTATECHANGE":"1795239041","NOTIFY_HOSTOUTPUT":"No IP packet received for 16.1 s (deadline is 15.0 s)","NOTIFY_HOSTURL":"/check_mk/index.py?start_url=view.py%3Fhost%3Ddb1","NOTIFY_CONTACTNAME":"watchbell"}"#;

const HOST_RECOVERY: &str = r#"{"NOTIFY_WHAT":"HOST","NOTIFY_NOTIFICATIONTYPE":"RECOVERY","NOTIFY_OMD_SITE":"main","NOTIFY_HOSTNAME":"db1","NOTIFY_HOSTADDRESS":"192.0.2.13","NOTIFY_HOSTSTATE":"UP","NOTIFY_LASTHOSTSTATECHANGE":"1795239055","NOTIFY_HOSTOUTPUT":"Packet received via smart PING","NOTIFY_CONTACTNAME":"watchbell"}"#;

const DOWNTIME_STARTED: &str = r#"{"NOTIFY_WHAT":"HOST","NOTIFY_NOTIFICATIONTYPE":"DOWNTIMESTART","NOTIFY_OMD_SITE":"main","NOTIFY_HOSTNAME":"web2","NOTIFY_HOSTADDRESS":"192.0.2.12","NOTIFY_HOSTSTATE":"UP","NOTIFY_NOTIFICATIONAUTHOR":"alice","NOTIFY_NOTIFICATIONCOMMENT":"rack move","NOTIFY_CONTACTNAME":"watchbell"}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests::{check_event, inbound_at, parse_at, parse_error};

    const NOW: &str = "2026-11-21T05:45:40.000Z";

    #[test]
    fn a_notification_is_read_as_one_of_nagios_and_has_a_site() {
        insta::assert_snapshot!(check_event(&SPEC, SERVICE_PROBLEM, NOW, 0), @r#"
        {
          "id": "70c3aff415aa38df",
          "at": "2026-11-21T05:32:39.123Z",
          "received_at": "2026-11-21T05:45:40.000Z",
          "source": "checkmk",
          "status": "firing",
          "name": "Filesystem /var",
          "dedup_key": "main;web1;Filesystem /var",
          "severity": "critical",
          "configuration_item": "web1",
          "labels": {
            "checkmk_site": "main",
            "cmk_os_family": "linux",
            "host_groups": "web",
            "host_tags": "/wato/ auto-piggyback cmk-agent ip-v4 prod tcp",
            "service": "Filesystem /var",
            "state": "CRITICAL"
          },
          "annotations": {
            "description": "trend per 1 day: +2.1 GiB\ntime left until full: 9 hours",
            "summary": "web1/Filesystem /var is CRITICAL: Used: 96.1% - 19.2 GiB of 20.0 GiB (warn/crit at 80.0%/90.0% used)(!!)"
          },
          "aliases": [
            "192.0.2.11"
          ]
        }
        "#);
        let other = SERVICE_PROBLEM.replace(r#""NOTIFY_OMD_SITE":"main""#, r#""NOTIFY_OMD_SITE":"branch""#);
        let (one, two) = (parse_at(&SPEC, SERVICE_PROBLEM, NOW).remove(0), parse_at(&SPEC, &other, NOW).remove(0));
        assert_ne!((one.dedup_key, one.id), (two.dedup_key, two.id));
    }

    #[test]
    fn short_words_for_states_are_known() {
        for (short, long) in [("CRIT", "CRITICAL"), ("WARN", "WARNING"), ("UNKN", "UNKNOWN")] {
            let with = |word: &str| SERVICE_PROBLEM.replace(r#"STATE":"CRITICAL""#, &format!(r#"STATE":"{word}""#));
            let read = |word: &str| parse_at(&SPEC, &with(word), NOW).remove(0).severity;
            assert_eq!(read(short), read(long));
        }
        let body = HOST_PROBLEM.replace(r#"STATE":"DOWN""#, r#"STATE":"UNREACH""#);
        assert!(parse_at(&SPEC, &body, NOW)[0].marker.is_some());
    }

    #[test]
    fn the_work_of_a_handler_is_a_remark() {
        let body = HOST_PROBLEM
            .replace(r#"TYPE":"PROBLEM""#, r#"TYPE":"ALERTHANDLER (OK)","NOTIFY_ALERTHANDLEROUTPUT":"restarted""#);
        let event = parse_at(&SPEC, &body, NOW).remove(0);
        assert_eq!((event.status, event.note.as_deref()), (EventStatus::Commented, Some("alert handler: restarted")));
    }

    #[test]
    fn pages_are_linked_when_the_server_is_known() {
        let source = |url: &str| build(serde_json::json!({"url": url}).as_object().unwrap());
        let events = source("https://cmk.lab.example/").unwrap().parse(&inbound_at("checkmk", HOST_PROBLEM, NOW));
        assert_eq!(
            events.unwrap().into_events()[0].url.as_deref(),
            Some("https://cmk.lab.example/check_mk/index.py?start_url=view.py%3Fhost%3Ddb1")
        );
        insta::assert_snapshot!(source("cmk").err().unwrap(), @"`url`: expected the address of the server, `https://checkmk.example.org`, got `cmk`");
    }

    #[test]
    fn says_what_is_wrong() {
        let check = |body: &str| parse_error(&SPEC, body, NOW);
        insta::assert_snapshot!(check(r#"{"NOTIFY_WHAT":"CLUSTER","NOTIFY_HOSTNAME":"x"}"#), @"`kind`: expected `host` or `service`, got cluster");
        insta::assert_snapshot!(check(r#"{"NOTIFY_WHAT":"HOST","NOTIFY_HOSTNAME":"x","NOTIFY_HOSTSTATE":"PEND"}"#), @"`HOSTSTATE`: expected `UP`, `DOWN` or `UNREACHABLE`, got PEND");
        insta::assert_snapshot!(check(r#"{"NOTIFY_WHAT":"HOST","NOTIFY_HOSTNAME":"x","NOTIFY_HOSTSTATE":"UP","NOTIFY_NOTIFICATIONTYPE":"NEWS"}"#), @"`NOTIFICATIONTYPE`: expected a notification type of Nagios such as `PROBLEM` or `RECOVERY`, got NEWS");
    }
}
