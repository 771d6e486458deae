//! The words of the demo: one line for each webhook, what came of them, and what to type next. Decides
//! how it reads; never asks the daemon or a clock. Colour is the caller's matter: it hands in a writer
//! that drops it where it is not wanted, and no meaning depends on it.
//!
//! ```text
//!  20    1.9 s  nagios      host rtr1 is DOWN
//!        5.0 s  Watchbell   rings: P1 inc-7h3kq0v9zd, root cause rtr1
//! ```

use owo_colors::OwoColorize;
use std::io::{self, Write};
use std::path::Path;

use crate::model::{Incident, IncidentId, Notification, NotificationKind, Span};

/// Where the other commands look for a daemon unless told otherwise.
const SERVER: &str = "http://127.0.0.1:9494";
/// Columns of running text.
const WIDTH: usize = 80;

/// The numbers of a show that is over.
pub struct Counts {
    pub webhooks: usize,
    pub monitors: usize,
    pub alerts: u32,
}

pub fn opening(out: &mut dyn Write, base_url: &str, configuration: &Path, webhooks: usize) -> io::Result<()> {
    writeln!(out, "{}", "A router fails, and three monitors shout.".bold())?;
    let text = format!(
        "web1, web2 and db1 are behind the router rtr1; Nagios, Zabbix and Prometheus watch all four. Each line below \
         is one of {webhooks} recorded webhooks, posted to Watchbell. What it has to say comes to this terminal."
    );
    paragraph(out, &text)?;
    field(out, "listens on", base_url)?;
    if base_url != SERVER {
        field(out, "", "(something else has port 9494)")?;
    }
    field(out, "configuration", &configuration.display().to_string())?;
    writeln!(out)
}

/// One webhook that was accepted.
pub fn webhook(out: &mut dyn Write, number: usize, at: Span, monitor: &str, says: &str) -> io::Result<()> {
    let line = format!("{number:>3}  {}  {monitor:<10}  {says}", seconds(at));
    writeln!(out, "{}", line.dimmed())
}

/// One notification that went out.
pub fn told(out: &mut dyn Write, at: Span, notification: &Notification) -> io::Result<()> {
    let incident = &notification.incident;
    let cause = incident.root_cause.as_ref().map_or("unknown", |cause| cause.configuration_item.as_str());
    let text = match notification.kind {
        NotificationKind::Opened => format!("rings: {} {}, root cause {cause}", incident.priority, incident.id),
        NotificationKind::Resolved => format!("all clear: {} is over", incident.id),
        kind => format!("{}: {}", kind.as_str(), incident.id),
    };
    writeln!(out, "     {}  {}  {}", seconds(at), "Watchbell ".bold(), text.bold())
}

/// The state of affairs once the outage has been told in full.
pub fn incident(out: &mut dyn Write, counts: &Counts, incident: &Incident) -> io::Result<()> {
    writeln!(out)?;
    let sum = format!("{} webhooks -> {} alerts -> 1 incident -> 1 notification", counts.webhooks, counts.alerts);
    writeln!(out, "{}", sum.bold())?;
    let priority = format!("impact {}, urgency {}", incident.impact, incident.urgency);
    field(out, "incident", &format!("{} {}", incident.id, incident.title))?;
    field(out, "priority", &format!("{} ({priority})", incident.priority))?;
    if let Some(cause) = &incident.root_cause {
        let text = format!("{}: {} ({} % sure)", cause.configuration_item, cause.why, cause.confidence_percent);
        field(out, "root cause", &text)?;
    }
    let merged = incident.merged_from.len();
    if merged > 0 {
        let plural = if merged == 1 { "" } else { "s" };
        let text = format!("{merged} other suspicion{plural} from before the router was reported; nobody was told");
        field(out, "merged", &text)?;
    }
    writeln!(out)
}

pub fn repair(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", "The router gets a new power supply, and everything comes back.".bold())?;
    writeln!(out)
}

/// What it all came to.
pub fn summary(out: &mut dyn Write, counts: &Counts, told_after: Span) -> io::Result<()> {
    writeln!(out)?;
    let Counts { webhooks, monitors, alerts } = counts;
    let sum = format!("{webhooks} webhooks from {monitors} monitors -> 1 incident, 1 notification, 1 all-clear");
    writeln!(out, "{}", sum.green().bold())?;
    let text = format!(
        "The notification came {} after the first webhook: Watchbell waits a moment (`group_wait`) for the cause to \
         show. {alerts} alerts were open on 4 hosts, and each of them has its reason on record.",
        seconds(told_after).trim_start()
    );
    paragraph(out, &text)?;
    writeln!(out)
}

/// What to open or type next, while the daemon runs. `program` is how this one was called.
pub fn next_steps(out: &mut dyn Write, program: &str, base_url: &str, id: &IncidentId) -> io::Result<()> {
    writeln!(out, "{}", "Watchbell keeps running. Try this in another terminal:".bold())?;
    let server = if base_url == SERVER { String::new() } else { format!(" --server {base_url}") };
    let problem = "NOTIFICATIONTYPE=PROBLEM&HOSTNAME=rtr1&HOSTSTATE=DOWN&HOSTOUTPUT=no+answer";
    for (command, what) in [
        (format!("{program} explain {id}{server}"), "why it rang, step by step"),
        (format!("curl -s {base_url}/api/v1/incidents/{id} | jq"), "the incident as data"),
        (format!("curl -d '{problem}' {base_url}/in/nagios"), "let the router fail again"),
        (format!("{program} incidents{server}"), "what is open now"),
        (format!("{program} ack {id}{server}"), "say that you have it"),
    ] {
        writeln!(out, "  {}", format!("# {what}").dimmed())?;
        writeln!(out, "  {}", command.cyan())?;
    }
    writeln!(out)?;
    writeln!(out, "Ctrl-C ends the demo and removes its files.")
}

fn field(out: &mut dyn Write, name: &str, text: &str) -> io::Result<()> {
    for (index, line) in wrapped(text, WIDTH - 17).iter().enumerate() {
        let name = if index == 0 { name } else { "" };
        writeln!(out, "  {name:<15}{line}")?;
    }
    Ok(())
}

fn paragraph(out: &mut dyn Write, text: &str) -> io::Result<()> {
    wrapped(text, WIDTH).iter().try_for_each(|line| writeln!(out, "{line}"))
}

/// Breaks text at blanks; a longer word has a line of its own.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(line) = lines.last_mut() else { break };
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// `  1.9 s`, since the first webhook.
fn seconds(span: Span) -> String {
    format!("{:>5.1} s", span.as_millis() as f64 / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
        let mut out = anstream::StripStream::new(Vec::new());
        write(&mut out).unwrap();
        String::from_utf8(out.into_inner()).unwrap()
    }

    #[test]
    fn says_what_is_about_to_happen() {
        let opening = |base_url| check(|out| opening(out, base_url, Path::new("/tmp/demo/watchbell.yaml"), 101));
        insta::assert_snapshot!(opening(SERVER), @r#"
        A router fails, and three monitors shout.
        web1, web2 and db1 are behind the router rtr1; Nagios, Zabbix and Prometheus
        watch all four. Each line below is one of 101 recorded webhooks, posted to
        Watchbell. What it has to say comes to this terminal.
          listens on     http://127.0.0.1:9494
          configuration  /tmp/demo/watchbell.yaml
        "#);
        assert!(opening("http://127.0.0.1:40123").contains("port 9494"));
    }

    #[test]
    fn one_line_a_webhook() {
        let at = Span::from_millis(1_851);
        let line = check(|out| webhook(out, 20, at, "nagios", "host rtr1 is DOWN"));
        assert_eq!(line, " 20    1.9 s  nagios      host rtr1 is DOWN\n");
    }

    #[test]
    fn sums_up() {
        let counts = Counts { webhooks: 101, monitors: 3, alerts: 31 };
        insta::assert_snapshot!(check(|out| summary(out, &counts, Span::from_millis(5_040))), @r#"
        101 webhooks from 3 monitors -> 1 incident, 1 notification, 1 all-clear
        The notification came 5.0 s after the first webhook: Watchbell waits a moment
        (`group_wait`) for the cause to show. 31 alerts were open on 4 hosts, and each
        of them has its reason on record.
        "#);
    }

    #[test]
    fn says_what_to_type_next() {
        let id = "inc-7h3kq0v9zd".parse::<IncidentId>().unwrap();
        let next_steps = |base_url| check(|out| next_steps(out, "target/release/watchbell", base_url, &id));
        insta::assert_snapshot!(next_steps(SERVER), @r#"
        Watchbell keeps running. Try this in another terminal:
          # why it rang, step by step
          target/release/watchbell explain inc-7h3kq0v9zd
          # the incident as data
          curl -s http://127.0.0.1:9494/api/v1/incidents/inc-7h3kq0v9zd | jq
          # let the router fail again
          curl -d 'NOTIFICATIONTYPE=PROBLEM&HOSTNAME=rtr1&HOSTSTATE=DOWN&HOSTOUTPUT=no+answer' http://127.0.0.1:9494/in/nagios
          # what is open now
          target/release/watchbell incidents
          # say that you have it
          target/release/watchbell ack inc-7h3kq0v9zd

        Ctrl-C ends the demo and removes its files.
        "#);
        let elsewhere = next_steps("http://127.0.0.1:40123");
        assert!(elsewhere.contains("watchbell incidents --server http://127.0.0.1:40123\n"), "{elsewhere}");
    }

    #[test]
    fn text_is_broken_at_blanks() {
        assert_eq!(wrapped("a bc  def", 4), ["a bc", "def"]);
        assert_eq!(wrapped("toolong b", 4), ["toolong", "b"]);
        assert_eq!(wrapped("", 4), [""]);
    }
}
