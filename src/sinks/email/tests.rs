//! Headers, threading and answers of the mail sink.

use super::*;
use crate::error::ErrorKind;
use crate::model::Notification;
use crate::model::delivery::Progress;
use crate::render::{hostile, sample_notification};
use crate::sinks::tests::{DELIVERY, attempt, attempt_request, build_error, build_from, setting};

/// Octets of a line, without its end (RFC 5322).
const LINE_BYTES_MAX: usize = 998;

pub fn check(request: &Request) -> Result<(), String> {
    let Request::Mail(request) = request else { return Err("not a mail".into()) };
    let text = std::str::from_utf8(&request.message).map_err(|error| error.to_string())?;
    if !text.is_ascii() {
        return Err("not ASCII".into());
    }
    if text.replace("\r\n", "").contains(['\r', '\n']) {
        return Err("a bare line end".into());
    }
    if let Some(line) = text.split("\r\n").find(|line| line.len() > LINE_BYTES_MAX) {
        return Err(format!("a line of {} octets", line.len()));
    }
    let names: Vec<&str> = header_lines(text).filter_map(|line| line.split_once(": ")).map(|(name, _)| name).collect();
    let known = [
        "From",
        "Subject",
        "Date",
        "Message-ID",
        "Auto-Submitted",
        "X-Auto-Response-Suppress",
        "To",
        "In-Reply-To",
        "References",
        "MIME-Version",
        "Content-Type",
    ];
    if let Some(name) = names.iter().find(|name| !known.contains(name)) {
        return Err(format!("header `{name}`"));
    }
    // Opening, between, and closing: a fourth would be one that came with the text.
    match text.matches("\r\n--=_wb_").count() {
        3 => Ok(()),
        count => Err(format!("{count} boundaries")),
    }
}

/// Lines of the header that begin a field.
fn header_lines(message: &str) -> impl Iterator<Item = &str> {
    let head = message.split_once("\r\n\r\n").map_or(message, |(head, _)| head);
    head.split("\r\n").filter(|line| !line.starts_with([' ', '\t']))
}

fn sent(notification: &Notification, progress: &Progress) -> String {
    let sink = build_from(&SPEC, SPEC.example, &setting());
    match attempt_request(&*sink, notification, progress) {
        Request::Mail(request) => String::from_utf8(request.message).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn first_mail_of_an_incident() {
    let notification = sample_notification(NotificationKind::Opened, hostile::now());
    let message = sent(&notification, &Progress::default()).replace("\r\n", "\n");
    let end = message.find("--=_wb_").unwrap() + 200;
    insta::assert_snapshot!(&message[..end], @r#"
    From: Watchbell <watchbell@example.org>
    Subject: [P1] rtr1: Host down =?utf-8?b?4oCT?= 12 items affected
     [inc-7h3kq0v9zd]
    Date: Sat, 21 Nov 2026 05:12:00 +0000
    Message-ID: <inc-7h3kq0v9zd.1.ops/test@example.org>
    Auto-Submitted: auto-generated
    X-Auto-Response-Suppress: All
    To: ops@example.org, "On Call" <on-call@example.org>
    MIME-Version: 1.0
    Content-Type: multipart/alternative;
     boundary="=_wb_f2390041a19a2c1588367bac"

    --=_wb_f2390041a19a2c1588367bac
    Content-Type: text/plain; charset=utf-8
    Content-Transfer-Encoding: quoted-printable

    New incident
    [P1] rtr1: Host down =E2=80=93 12 items affected
    critical =C2=B7 open
    "#);
}

#[test]
fn later_mails_answer_the_first_and_keep_its_subject() {
    let sink = build_from(&SPEC, SPEC.example, &setting());
    let opened = sample_notification(NotificationKind::Opened, hostile::now());
    let answer = Response::Mail { code: 250, text: "2.0.0 queued as 4Ft".into(), refused: Vec::new() };
    let Outcome::Delivered { remote, proof } = sink.outcome(&attempt(&opened, &Progress::default()), &answer) else {
        panic!()
    };
    assert_eq!(proof, "250 2.0.0 queued as 4Ft");
    let progress = Progress { remote, ..Progress::default() };
    let resolved = sample_notification(NotificationKind::Resolved, hostile::now());
    let later = Attempt { delivery: "inc-7h3kq0v9zd.8.ops/test", ..attempt(&resolved, &progress) };
    let Request::Mail(request) = sink.request(&later).unwrap() else { panic!() };
    let message = String::from_utf8(request.message).unwrap();
    let first = format!("<{DELIVERY}@example.org>");
    assert!(message.contains(&format!("In-Reply-To: {first}\r\nReferences: {first}\r\n")), "{message}");
    assert!(message.contains("Message-ID: <inc-7h3kq0v9zd.8.ops/test@example.org>\r\n"));
    let subject = |message: &str| header_lines(message).find(|line| line.starts_with("Subject")).map(str::to_owned);
    assert_eq!(subject(&message), subject(&sent(&opened, &Progress::default())));
    assert!(message.contains("Resolved after 12m"));
}

#[test]
fn hostile_titles_stay_in_the_subject() {
    for text in hostile::texts() {
        let message = sent(&hostile::notification(NotificationKind::Opened, &text), &Progress::default());
        assert!(header_lines(&message).all(|line| !line.starts_with("Bcc")), "{message}");
    }
}

#[test]
fn quiet_updates_are_not_mailed() {
    let sink = build_from(&SPEC, SPEC.example, &setting());
    let updated = sample_notification(NotificationKind::Updated, hostile::now());
    assert!(matches!(attempt_request(&*sink, &updated, &Progress::default()), Request::Skip(_)));
}

#[test]
fn answers() {
    let sink = build_from(&SPEC, SPEC.example, &setting());
    let notification = sample_notification(NotificationKind::Opened, hostile::now());
    let progress = Progress::default();
    let outcome = |code: u16, refused: &[(&str, &str)]| {
        let refused = refused.iter().map(|(to, why)| ((*to).to_owned(), (*why).to_owned())).collect();
        let answer = Response::Mail { code, text: "said".into(), refused };
        sink.outcome(&attempt(&notification, &progress), &answer)
    };
    let Outcome::Delivered { proof, .. } = outcome(250, &[("on-call@example.org", "550 5.1.1 unknown")]) else {
        panic!()
    };
    assert_eq!(proof, "250 said; refused for on-call@example.org: 550 5.1.1 unknown");
    assert!(matches!(outcome(421, &[]), Outcome::Retry { kind: ErrorKind::Unreachable, is_ambiguous: false, .. }));
    assert!(matches!(outcome(451, &[]), Outcome::Retry { kind: ErrorKind::RateLimited, .. }));
    assert!(matches!(outcome(535, &[]), Outcome::Rejected { kind: ErrorKind::Auth, .. }));
    assert!(matches!(outcome(550, &[]), Outcome::Rejected { kind: ErrorKind::Rejected, .. }));
    assert!(matches!(outcome(354, &[]), Outcome::Retry { is_ambiguous: true, .. }));
}

#[test]
fn message_ids_are_dot_atoms_and_unique() {
    let ids = ["inc-1.2.ops/email", "inc-1.2.ops email", ".x..y.", "é", "a=20b"].map(mail::message_id_local);
    assert_eq!(ids[1], "inc-1.2.ops=20email");
    assert_eq!(ids[2], "=2Ex.=2Ey=2E");
    assert_eq!(ids[4], "a=3D20b");
    assert!(ids.iter().all(|id| id.is_ascii()));
}

#[test]
fn configuration_errors_name_the_key() {
    for (yaml, expected) in [
        ("{host: h, from: a@b.example, to: []}", "`to`: expected 1 to 50 addresses, got 0"),
        (
            "{host: h, from: nobody, to: [a@b.example]}",
            "`from`: expected an address such as `Ops <ops@example.org>`, got `nobody`",
        ),
        (
            "{host: h, from: a@b.example, to: [a@b.example, x y]}",
            "`to[1]`: expected an address such as `Ops <ops@example.org>`, got `x y`",
        ),
        (
            "{host: h, from: a@b.example, to: [a@b.example], user: me}",
            "`user`: expected `user` and `password` together, got one of them",
        ),
        (
            "{host: h, security: none, from: a@b.example, to: [a@b.example], user: me, password: x}",
            "`security`: `none` would send the password unencrypted to another machine",
        ),
    ] {
        assert_eq!(build_error(&SPEC, yaml), expected);
    }
}

#[test]
fn port_follows_security() {
    for (security, port) in [("starttls", 587), ("tls", 465), ("none", 25)] {
        let yaml = format!("{{host: localhost, security: {security}, from: a@b.example, to: [a@b.example]}}");
        let sink = build_from(&SPEC, &yaml, &setting());
        let notification = sample_notification(NotificationKind::Test, hostile::now());
        let Request::Mail(request) = attempt_request(&*sink, &notification, &Progress::default()) else { panic!() };
        assert_eq!((request.server.port, request.to.len()), (port, 1));
    }
}
