//! Texts that try to break out: for the tests of the encoders and of every sink.

pub mod reader;

use crate::model::{Notification, NotificationKind, Timestamp};

use super::sample_notification;

pub fn now() -> Timestamp {
    Timestamp::from_millis(1_795_237_920_000) // 2026-11-21T05:12:00Z
}

pub const KINDS: [NotificationKind; 14] = [
    NotificationKind::Opened,
    NotificationKind::Updated,
    NotificationKind::Acknowledged,
    NotificationKind::Repeated,
    NotificationKind::Escalated,
    NotificationKind::SlaThreshold,
    NotificationKind::Reopened,
    NotificationKind::Resolved,
    NotificationKind::Merged,
    NotificationKind::ProblemProposed,
    NotificationKind::ProblemAccepted,
    NotificationKind::ProblemKnownError,
    NotificationKind::ProblemResolved,
    NotificationKind::Test,
];

/// Each in one dialect's own syntax, and what slips through naive cleaning.
pub fn texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        "  \t \n ",
        "<!channel> <!here> <@U024BE7LH> @here @channel",
        "<https://evil.example|click me> *bold* _it_ ~gone~ `code` ```fence```",
        "</script><script>alert(1)</script><img src=x onerror=alert(1)>",
        "\"><a href='javascript:alert(1)'>x</a>&lt;b&gt;&amp;",
        "[code]<b>bold</b>[/code] [ CODE ]<i>x</i>[/Code] [co[code]de]",
        "[\u{1b}[0mcode]hidden[/\u{200b}code]",
        "<\u{1b}[0m!channel> <\u{200b}!here>",
        "subject\r\nBcc: victim@example.org\r\n\r\nbody",
        "line\u{2028}separator\u{2029}and\u{85}next\u{b}tab\u{c}feed\0nul",
        "\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7} \u{9b}2J \u{1b}[",
        "user\u{202e}gnp.exe\u{2066}x\u{2069}",
        "no\u{fffe}character\u{ffff}at\u{1ffff}all\u{fdd0}",
        "{{ 7 * 7 }} {% for x in range(9) %}{{ x }}{% endfor %} ${jndi:ldap://x} %s %n",
        "=cmd|' /C calc'!A0",
        "^ORstate=1^NQsys_idISNOTEMPTY",
        "--=_wb_000000000000000000000000--\r\n.\r\nQUIT",
        "\u{1f469}\u{200d}\u{1f692} \u{645}\u{631}\u{62d}\u{628}\u{627} z\u{351}\u{36b}\u{343}a\u{32a}lgo",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push("A".repeat(64 * 1_024));
    texts.push("<!channel>&".repeat(6_000));
    texts.push("\u{1f525}".repeat(16 * 1_024));
    texts.push("line\n".repeat(13_000));
    texts
}

/// A notification in which every foreign text is `text`.
pub fn notification(kind: NotificationKind, text: &str) -> Notification {
    let mut notification = sample_notification(kind, now());
    let foreign = || text.to_owned();
    notification.reason = foreign();
    let incident = &mut notification.incident;
    incident.title = foreign();
    incident.acknowledged_by = Some(foreign());
    incident.resolved_by = Some(foreign());
    incident.assignee = Some(foreign());
    incident.url = Some(foreign());
    incident.services = vec![foreign(); 30];
    incident.configuration_items = vec![foreign(); 10];
    incident.configuration_item_count = 90_000;
    if let Some(cause) = &mut incident.root_cause {
        cause.configuration_item = foreign();
        cause.why = foreign();
    }
    if let Some(problem) = &mut incident.problem {
        problem.title = foreign();
        problem.workaround = Some(foreign());
        problem.root_cause_analysis = Some(foreign());
    }
    for clock in &mut incident.clocks {
        clock.sla = foreign();
    }
    for alert in &mut incident.alerts {
        alert.name = foreign();
        alert.summary = foreign();
        alert.source = foreign();
        alert.configuration_item = Some(foreign());
        alert.runbook_url = Some(foreign());
        alert.url = Some(format!("https://evil.example/?q={text}"));
    }
    let first = incident.alerts[0].clone();
    incident.alerts.resize(10, first);
    notification
}

/// Characters that no rendered text may hold.
pub fn is_forbidden(c: char) -> bool {
    (c.is_control() && c != '\n')
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{200b}' | '\u{fdd0}'..='\u{fdef}')
        || u32::from(c) & 0xfffe == 0xfffe
}
