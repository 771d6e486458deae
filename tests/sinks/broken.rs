//! Receivers that hang, fail, refuse or ask for patience: each hurts only itself, and hears in the end
//! what is true by then.

use std::time::Duration;

use serde_json::Value;

use crate::support::receiver::{Answer, Received, Receiver};
use crate::support::{Api, Site, eventually};
use crate::{EVENTUALLY, PROMPTLY, ops, webhook};

const OK: Answer = Answer::Status(200);

/// stdout and stderr of a command that must succeed.
fn command(site: &Site, arguments: &[&str]) -> (String, String) {
    let mut command = std::process::Command::new(crate::support::binary());
    let done = command.args(arguments).args(["--server", &site.url("")]).output().expect("the command can be started");
    let (stdout, stderr) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{arguments:?}: {stderr}");
    (stdout.into_owned(), stderr.into_owned())
}

/// Number and kind of the notifications that the receiver took.
fn taken(receiver: &Receiver) -> Vec<(u64, String)> {
    let is_taken = |request: &Received| request.answer == OK;
    receiver.requests().into_iter().filter(is_taken).map(|one| (one.number(), one.kind().to_owned())).collect()
}

#[tokio::test]
async fn a_broken_sink_delays_no_other_and_hears_the_present_state_once() {
    let hanging = Receiver::start(Answer::Hang).await;
    let failing = Receiver::start(Answer::Status(500)).await;
    let healthy = Receiver::start(OK).await;
    let sinks = [("hanging", &hanging), ("failing", &failing), ("healthy", &healthy)];
    let site = Site::new(&ops(&sinks.map(|(name, receiver)| webhook(name, &receiver.url()))));
    let _daemon = site.start().await;
    let api = Api::new(&site);

    api.event("firing", "db-1").await;
    healthy.waits_for("the healthy sink hears of the start", PROMPTLY, |one| one.kind() == "opened").await;
    hanging.waits_for("the hanging sink was tried", PROMPTLY, |_| true).await;
    failing.waits_for("the failing sink was tried", PROMPTLY, |_| true).await;
    api.event("resolved", "db-1").await;
    healthy.waits_for("the healthy sink hears of the end", PROMPTLY, |one| one.kind() == "resolved").await;

    hanging.answer(OK);
    failing.answer(OK);
    api.settled(EVENTUALLY).await;
    assert_eq!(taken(&healthy), [(1, "opened".to_owned()), (2, "resolved".to_owned())]);
    assert_eq!(taken(&hanging), [(2, "resolved".to_owned())], "the present state, once");
    assert_eq!(taken(&failing), [(2, "resolved".to_owned())], "the present state, once");
    let states: Vec<Value> = api.items("/api/v1/deliveries?state=superseded").await;
    assert_eq!(states.len(), 2, "{states:?}");
}

#[tokio::test]
async fn retry_after_is_obeyed() {
    let receiver = Receiver::start(Answer::TooMany(2)).await;
    let site = Site::new(&ops(&[webhook("limited", &receiver.url())]));
    let _daemon = site.start().await;
    let api = Api::new(&site);

    api.event("firing", "db-1").await;
    let first = receiver.waits_for("a first try", PROMPTLY, |_| true).await;
    receiver.answer(OK);
    // Another incident of the same sink has to wait as well.
    api.event("firing", "db-2").await;
    api.settled(EVENTUALLY).await;
    let requests = receiver.requests();
    assert_eq!(requests.len(), 3, "{requests:?}");
    for later in &requests[1..] {
        let waited = later.at - first.at;
        assert!(waited >= Duration::from_secs(2), "asked for 2 s, waited {waited:?}");
        assert!(waited < Duration::from_secs(8), "asked for 2 s, waited {waited:?}");
    }
    let again = requests.iter().filter(|one| one.webhook_id() == first.webhook_id()).count();
    assert_eq!(again, 2, "the same key for the second try");
}

#[tokio::test]
async fn what_is_rejected_goes_to_the_fallback_and_can_be_sent_again() {
    let rejecting = Receiver::start(Answer::Status(400)).await;
    let backup = Receiver::start(OK).await;
    let configuration = format!(
        "receivers:\n  ops: {{ fallback: backup, sinks: [{{ {} }}] }}\n  backup: {{ sinks: [{{ {} }}] }}\n\
         route: {{ receiver: ops, group_wait: 0s, group_interval: 1s }}\n",
        webhook("strict", &rejecting.url()),
        webhook("spare", &backup.url()),
    );
    let site = Site::new(&configuration);
    let _daemon = site.start().await;
    let api = Api::new(&site);

    api.event("firing", "db-1").await;
    let stand_in = backup.waits_for("the fallback hears of it", PROMPTLY, |one| one.item() == "db-1").await;
    assert_eq!(stand_in.kind(), "opened");
    api.settled(EVENTUALLY).await;

    let incident = stand_in.incident();
    let exhausted = api.items(&format!("/api/v1/deliveries?state=exhausted&incident={incident}")).await;
    let [delivery] = exhausted.as_slice() else { panic!("{exhausted:?}") };
    assert_eq!(delivery["attempts"], 1, "a refusal is final: {delivery}");
    assert_eq!(delivery["reason"], "the receiver answered 400");
    assert_eq!(delivery["fallback"], format!("{incident}.1.backup/spare"));
    let open = api.items("/api/v1/incidents?state=open").await;
    let about_the_sink = |one: &&Value| one["configuration_items"][0] == "watchbell ops/strict";
    assert!(open.iter().any(|one| about_the_sink(&one)), "no incident about the sink in {open:?}");

    let id = delivery["id"].as_str().expect("a delivery has an id");
    let (listed, said) = command(&site, &["deliveries", "--state", "exhausted"]);
    assert!(listed.contains(id) && listed.contains("the receiver answered 400"), "{listed}");
    assert!(said.contains("sends one once more"), "{said}");
    rejecting.answer(OK);
    let (_, said) = command(&site, &["redrive", id]);
    assert_eq!(said.trim(), "note: 1 delivery goes out again");
    let is_again = |one: &Received| one.answer == OK && one.incident() == incident;
    let again = rejecting.waits_for("it is sent again", PROMPTLY, is_again).await;
    assert_eq!(again.kind(), "opened");
    let first = rejecting.requests().into_iter().find(|one| one.incident() == incident).expect("a first try");
    assert_eq!(again.webhook_id(), first.webhook_id(), "under the same key");
    eventually("the incident about the sink is over", EVENTUALLY, async || {
        let resolved = api.items("/api/v1/incidents?state=resolved").await;
        resolved.iter().find(about_the_sink).map(|_| ())
    })
    .await;
}

#[tokio::test]
async fn one_command_redrives_all_dead_letters_of_a_sink() {
    let rejecting = Receiver::start(Answer::Status(400)).await;
    let site = Site::new(&ops(&[webhook("strict", &rejecting.url())]));
    let _daemon = site.start().await;
    let api = Api::new(&site);

    for item in ["db-1", "db-2", "db-3"] {
        api.event("firing", item).await;
    }
    let is_given_up = |count: usize| {
        let api = &api;
        async move || {
            let all = api.items("/api/v1/deliveries?state=exhausted&sink=ops%2Fstrict").await;
            (all.iter().filter(|one| one["notification"]["kind"] == "opened").count() >= count).then_some(())
        }
    };
    eventually("all of them are given up", PROMPTLY, is_given_up(3)).await;
    api.event("resolved", "db-3").await;
    rejecting.waits_for("the end was tried", PROMPTLY, |one| one.kind() == "resolved").await;
    api.settled(EVENTUALLY).await;

    rejecting.answer(OK);
    let (_, said) = command(&site, &["redrive", "--sink", "ops/strict"]);
    assert!(said.contains("go out again") && said.contains("with nothing to say any more"), "{said}");
    api.settled(EVENTUALLY).await;
    let took = |item: &str| {
        let is_one = |one: &Received| one.answer == OK && one.item() == item;
        rejecting.requests().into_iter().filter(is_one).map(|one| one.kind().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((took("db-1"), took("db-2")), (vec!["opened".to_owned()], vec!["opened".to_owned()]));
    assert_eq!(took("db-3"), ["resolved"], "never the beginning after the end");
    let (listed, _) = command(&site, &["deliveries", "--state", "exhausted", "--sink", "ops/strict"]);
    assert_eq!(listed, "");
}

#[tokio::test]
async fn redirects_are_not_followed_and_private_addresses_are_refused() {
    let moved = Receiver::start(Answer::Redirect("/elsewhere")).await;
    let private = Receiver::start(OK).await;
    let closed = webhook("closed", &private.url()).replace("allow_private: true", "allow_private: false");
    let site = Site::new(&ops(&[webhook("moved", &moved.url()), closed]));
    let _daemon = site.start().await;
    let api = Api::new(&site);

    api.event("firing", "db-1").await;
    let reason = async |sink: &str| {
        let path = format!("/api/v1/deliveries?sink=ops%2F{sink}");
        eventually("the delivery has a last error", PROMPTLY, async || {
            let all = api.items(&path).await;
            let first = all.iter().find(|one| one["notification"]["incident"]["configuration_items"][0] == "db-1")?;
            first["last_error"].as_str().map(str::to_owned)
        })
        .await
    };
    assert_eq!(reason("moved").await, "the receiver answered 302; configure the address it redirects to");
    assert!(moved.requests().iter().all(|one| one.path == "/hook"), "{:?}", moved.requests());
    let refused = reason("closed").await;
    assert_eq!(
        refused,
        "`127.0.0.1` is the private address 127.0.0.1; set `allow_private: true` beside it if that is intended"
    );
    assert_eq!(private.count(), 0, "nothing may reach it");
}
