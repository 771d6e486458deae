//! Mail, tickets and chat end to end: whatever happens in between, people find one thread, one ticket and
//! one message, and all of them say in the end that it is over.

use std::time::Duration;

use crate::support::fakes::servicenow::{self, ServiceNow};
use crate::support::fakes::slack::{self, Slack};
use crate::support::smtp::MailServer;
use crate::support::{Api, Site, eventually};
use crate::{EVENTUALLY, PROMPTLY, ops};

const PAUSE: Duration = Duration::from_secs(5);

fn mail_sink(server: &MailServer) -> String {
    format!(
        "kind: email, host: 127.0.0.1, port: {}, security: none, allow_private: true, \
         from: Watchbell <bell@example.org>, to: [ada@example.org, gone@example.org]",
        server.address.port()
    )
}

#[tokio::test]
async fn a_mail_thread_reaches_everyone_but_the_refused_recipient() {
    let server = MailServer::start(&["gone@example.org"]).await;
    let site = Site::new(&ops(&[mail_sink(&server)]));
    let _daemon = site.start().await;
    let api = Api::new(&site);

    api.event("firing", "db-1").await;
    let mails = async |count: usize| {
        eventually("a mail arrives", PROMPTLY, async || Some(server.mails()).filter(|mails| mails.len() >= count)).await
    };
    mails(1).await;
    api.event("resolved", "db-1").await;
    let mails = mails(2).await;
    api.settled(EVENTUALLY).await;
    assert_eq!(server.mails().len(), 2, "{:?}", server.mails());

    let [opened, resolved] = mails.as_slice() else { panic!("{mails:?}") };
    for mail in [opened, resolved] {
        assert_eq!(mail.to, ["ada@example.org"], "one wrong address does not silence the other");
        assert_eq!(mail.header("Auto-Submitted").as_deref(), Some("auto-generated"));
    }
    let id = opened.header("Message-ID").expect("a mail has an id");
    assert!(id.starts_with('<') && id.ends_with("@example.org>"), "{id}");
    assert_eq!(opened.header("References"), None);
    assert_eq!(resolved.header("References"), Some(id.clone()));
    assert_eq!(resolved.header("In-Reply-To"), Some(id.clone()));
    assert_ne!(resolved.header("Message-ID"), Some(id));
    assert_eq!(opened.header("Subject"), resolved.header("Subject"), "one thread has one subject");
    let delivered = api.items("/api/v1/deliveries?state=delivered").await;
    let proof = delivered[0]["proof"].as_str().unwrap_or_default();
    assert!(proof.contains("refused for gone@example.org"), "{proof}");
}

fn ticket_sink(servicenow: &ServiceNow) -> String {
    format!(
        "kind: servicenow, url: \"{}\", user: {}, password: {}, allow_private: true, timeout: 1s",
        servicenow.url(),
        servicenow::USER,
        servicenow::PASSWORD
    )
}

/// Exactly one ticket, resolved, and no request that the vendor refused.
async fn check_ticket(api: &Api, servicenow: &ServiceNow) {
    eventually("the ticket is resolved", EVENTUALLY, async || {
        servicenow.tickets().iter().any(|ticket| ticket["state"] == "6").then_some(())
    })
    .await;
    api.settled(EVENTUALLY).await;
    let tickets = servicenow.tickets();
    let [ticket] = tickets.as_slice() else { panic!("{} tickets: {tickets:?}", tickets.len()) };
    assert_eq!(ticket["state"], "6", "{ticket:?}");
    assert!(ticket["correlation_id"].starts_with("watchbell:inc-"), "{ticket:?}");
    assert!(!ticket["close_code"].is_empty() && !ticket["close_notes"].is_empty(), "{ticket:?}");
    let log = servicenow.log();
    assert!(log.iter().all(|(_, status)| matches!(status, 200 | 201)), "{log:?}");
}

async fn has_ticket(servicenow: &ServiceNow) {
    eventually("a ticket is made", PROMPTLY, async || (!servicenow.tickets().is_empty()).then_some(())).await;
}

#[tokio::test]
async fn one_ticket_is_made_and_resolved() {
    let servicenow = ServiceNow::start().await;
    let site = Site::new(&ops(&[ticket_sink(&servicenow)]));
    let _daemon = site.start().await;
    let api = Api::new(&site);

    api.event("firing", "db-1").await;
    has_ticket(&servicenow).await;
    api.settled(PROMPTLY).await;
    api.event("resolved", "db-1").await;
    check_ticket(&api, &servicenow).await;
    let methods: Vec<String> = servicenow.log().into_iter().map(|(method, _)| method).collect();
    assert_eq!(methods, ["POST", "PATCH"], "nothing is looked up without a doubt");
}

#[tokio::test]
async fn a_ticket_whose_creation_timed_out_is_found_again() {
    let servicenow = ServiceNow::start().await;
    servicenow.lose_next_answer();
    let site = Site::new(&ops(&[ticket_sink(&servicenow)]));
    let _daemon = site.start().await;
    let api = Api::new(&site);

    api.event("firing", "db-1").await;
    has_ticket(&servicenow).await;
    api.settled(EVENTUALLY).await;
    api.event("resolved", "db-1").await;
    check_ticket(&api, &servicenow).await;
}

#[tokio::test]
async fn a_ticket_whose_creation_was_cut_by_a_crash_is_found_again() {
    let servicenow = ServiceNow::start().await;
    servicenow.lose_next_answer();
    let site = Site::new(&ops(&[ticket_sink(&servicenow)]));
    let mut daemon = site.start().await;
    let api = Api::new(&site);

    api.event("firing", "db-1").await;
    has_ticket(&servicenow).await;
    daemon.kill();
    let _daemon = site.start().await;
    // Told while the doubt is open: the end takes over what the start left behind.
    api.event("resolved", "db-1").await;
    check_ticket(&api, &servicenow).await;
}

fn chat_sink(slack: &Slack) -> String {
    format!(
        "kind: slack, base_url: \"{}\", channel: {}, token: {}, allow_private: true, timeout: 1s",
        slack.base_url(),
        slack::CHANNEL,
        slack::TOKEN
    )
}

async fn has_message(slack: &Slack) {
    eventually("a message is posted", PROMPTLY, async || (!slack.main().is_empty()).then_some(())).await;
}

/// Exactly one message in the channel, edited to the end, and the end told once in its thread.
async fn check_chat(api: &Api, slack: &Slack) {
    eventually("the end is told in the thread", EVENTUALLY, async || (!slack.replies().is_empty()).then_some(())).await;
    api.settled(EVENTUALLY).await;
    let (main, replies) = (slack.main(), slack.replies());
    let [message] = main.as_slice() else { panic!("{} messages: {main:?}", main.len()) };
    assert!(message.edits >= 1 && message.text.to_lowercase().contains("resolved"), "{message:?}");
    let [reply] = replies.as_slice() else { panic!("{} replies: {replies:?}", replies.len()) };
    assert_eq!(reply.thread_ts.as_ref(), Some(&message.ts));
    assert!(reply.text.to_lowercase().contains("resolved"), "{reply:?}");
}

#[tokio::test]
async fn one_message_is_posted_edited_and_answered_in_its_thread() {
    let slack = Slack::start().await;
    slack.fail_next("ratelimited");
    let site = Site::new(&ops(&[chat_sink(&slack)]));
    let _daemon = site.start().await;
    let api = Api::new(&site);

    api.event("firing", "db-1").await;
    eventually("a message is posted", PAUSE, async || (!slack.main().is_empty()).then_some(())).await;
    api.settled(EVENTUALLY).await;
    api.event("resolved", "db-1").await;
    check_chat(&api, &slack).await;
    let log = slack.log();
    let calls: Vec<(&str, &str)> = log.iter().map(|(method, result)| (*method, result.as_str())).collect();
    let expected = [
        ("chat.postMessage", "ratelimited"),
        ("chat.postMessage", "ok"),
        ("chat.update", "ok"),
        ("chat.postMessage", "ok"),
    ];
    assert_eq!(calls, expected);
}

#[tokio::test]
async fn a_message_whose_posting_timed_out_is_found_again() {
    let slack = Slack::start().await;
    slack.lose_next_answer();
    let site = Site::new(&ops(&[chat_sink(&slack)]));
    let _daemon = site.start().await;
    let api = Api::new(&site);

    api.event("firing", "db-1").await;
    has_message(&slack).await;
    api.settled(EVENTUALLY).await;
    assert!(slack.log().contains(&("conversations.history", "ok".to_owned())), "{:?}", slack.log());
    api.event("resolved", "db-1").await;
    check_chat(&api, &slack).await;
}

#[tokio::test]
async fn a_message_whose_posting_was_cut_by_a_crash_is_found_again() {
    let slack = Slack::start().await;
    slack.lose_next_answer();
    let site = Site::new(&ops(&[chat_sink(&slack)]));
    let mut daemon = site.start().await;
    let api = Api::new(&site);

    api.event("firing", "db-1").await;
    has_message(&slack).await;
    daemon.kill();
    let _daemon = site.start().await;
    api.settled(EVENTUALLY).await;
    api.event("resolved", "db-1").await;
    check_chat(&api, &slack).await;
}
