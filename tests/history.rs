//! What fired at a time, as people ask for it afterwards: alerts fire, are silenced, inhibited, sent, end and fire again,
//! and each moment is answered as it was. The same once more from a daemon that was killed and started again.

// Real processes live in real time.
#![allow(clippy::disallowed_methods)]

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::receiver::{Answer, Receiver};
use support::{Api, Site, eventually};
use watchbell::clock::Clock;

const PATIENCE: Duration = Duration::from_secs(30);
const HOUR_MS: i64 = 3_600_000;

fn now() -> String {
    Clock::System.now().to_string()
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

/// A moment with nothing right beside it.
async fn moment() -> String {
    pause().await;
    let now = now();
    pause().await;
    now
}

async fn says(api: &Api, status: &str, name: &str, item: &str) {
    let event = json!({
        "status": status, "name": name, "configuration_item": item, "severity": "critical", "labels": { "site": "fra1" },
    });
    let reply = api.post("/in/generic", &event).await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

async fn silence(api: &Api, name: &str) -> String {
    let until = watchbell::model::Timestamp::from_millis(Clock::System.now().as_millis() + HOUR_MS).to_string();
    let silence = json!({
        "matchers": [{ "name": "alertname", "value": name, "isRegex": false, "isEqual": true }],
        "startsAt": now(), "endsAt": until, "createdBy": "ada", "comment": "firmware",
    });
    let reply = api.post("/api/v2/silences", &silence).await;
    reply.body["silenceID"].as_str().unwrap_or_else(|| panic!("{reply:?}")).to_owned()
}

async fn end_silence(api: &Api, id: &str) {
    assert_eq!(api.delete(&format!("/api/v2/silence/{id}")).await.status, 200);
}

async fn ask(api: &Api, query: &str) -> Vec<Value> {
    api.items(&format!("/api/v1/alerts?{query}")).await
}

/// Waits until a muting of the alert that fires looks like this.
async fn muted(api: &Api, name: &str, by: &str, is_over: bool) {
    eventually(&format!("{name} is muted by {by}, over: {is_over}"), PATIENCE, async || {
        let found = ask(api, &format!("at={}&filter=alertname%3D%22{name}%22", now())).await;
        let muted = found.first()?["muted"].as_array()?.clone();
        muted.iter().any(|muting| muting["by"] == by && muting["until"].is_string() == is_over).then_some(())
    })
    .await;
}

async fn told(api: &Api, name: &str, count: usize) {
    eventually(&format!("{count} deliveries about {name}"), PATIENCE, async || {
        let found = ask(api, &format!("at={}&filter=alertname%3D%22{name}%22", now())).await;
        let deliveries = found.first()?["deliveries"].as_array()?.clone();
        let done = deliveries.iter().filter(|delivery| delivery["state"] == "delivered").count();
        (done == count && deliveries.len() == count).then_some(())
    })
    .await;
}

/// In words: who fired, whether it was over by now, what muted it at that moment or ever, and what was told.
fn words(firings: &[Value], at: Option<&str>) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let is_at = |muting: &Value| {
        at.is_none_or(|at| {
            let time =
                |name: &str| muting[name].as_str().map(|text| text.parse::<watchbell::model::Timestamp>().unwrap());
            let at = at.parse::<watchbell::model::Timestamp>().unwrap();
            time("from").unwrap() <= at && time("until").is_none_or(|until| at < until)
        })
    };
    let all = firings.iter().map(|firing| {
        let list = |name: &str| firing[name].as_array().cloned().unwrap_or_default();
        let muted: Vec<String> =
            list("muted").iter().filter(|muting| is_at(muting)).map(|muting| text(&muting["by"])).collect();
        let told: Vec<String> = list("deliveries").iter().map(|told| text(&told["kind"])).collect();
        let state = if firing["until"].is_string() { "over" } else { "fires" };
        format!("{} {state} | muted: {} | told: {}", text(&firing["alert"]["name"]), muted.join(" "), told.join(" "))
    });
    all.collect()
}

/// All pages of one item each.
async fn paged(api: &Api, query: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("/api/v1/alerts?{query}&limit=1{cursor}")).await;
        assert_eq!(page.status, 200, "{page:?}");
        all.extend(page.body["items"].as_array().unwrap().iter().cloned());
        let Some(next) = page.body["next_cursor"].as_str() else { return all };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test]
async fn groups_each_moment_is_answered_as_it_was() {
    let receiver = Receiver::start(Answer::Status(200)).await;
    let site = Site::new(&format!(
        "notify_by: group
receivers: {{ ops: {{ sinks: [{{ kind: webhook, url: \"{}\", allow_private: true }}] }} }}
route: {{ receiver: ops, group_by: [alertname], group_wait: 300ms, group_interval: 1s, repeat_interval: 1h }}
inhibit_rules:
  - {{ source_matchers: ['alertname=\"SiteDown\"'], target_matchers: ['alertname=\"HostDown\"'], equal: [site] }}
",
        receiver.url()
    ));
    let mut daemon = site.start().await;
    let api = Api::new(&site);
    let begin = moment().await;

    says(&api, "firing", "HostDown", "db-1").await;
    told(&api, "HostDown", 1).await;
    let heard = moment().await;
    let id = silence(&api, "HostDown").await;
    muted(&api, "HostDown", "silence", false).await;
    let silenced = moment().await;
    end_silence(&api, &id).await;
    muted(&api, "HostDown", "silence", true).await;
    let between = moment().await;
    says(&api, "firing", "SiteDown", "fra1").await;
    muted(&api, "HostDown", "inhibition", false).await;
    told(&api, "SiteDown", 1).await;
    let inhibited = moment().await;
    says(&api, "resolved", "HostDown", "db-1").await;
    says(&api, "resolved", "SiteDown", "fra1").await;
    let quiet = moment().await;
    // The word of its end is sent before it fires again.
    eventually("the end of HostDown is told", PATIENCE, async || {
        let found = ask(&api, &format!("at={inhibited}&filter=alertname%3D%22HostDown%22")).await;
        let kinds: Vec<&Value> = found[0]["deliveries"].as_array()?.iter().map(|told| &told["kind"]).collect();
        (kinds.len() == 2 && kinds[1] == "resolved").then_some(())
    })
    .await;
    says(&api, "firing", "HostDown", "db-1").await;
    told(&api, "HostDown", 1).await;
    api.settled(PATIENCE).await;
    let again = moment().await;

    let mut answers = Vec::new();
    for round in ["before", "after"] {
        if round == "after" {
            daemon.kill();
            daemon = site.start().await;
        }
        let at = async |at: &str| words(&ask(&api, &format!("at={at}")).await, Some(at));
        let host = |muted: &str| format!("HostDown over | muted: {muted} | told: opened resolved");
        let down = "SiteDown over | muted:  | told: opened resolved".to_owned();
        assert_eq!(at(&begin).await, Vec::<String>::new(), "{round}");
        assert_eq!(at(&heard).await, [host("")], "{round}");
        assert_eq!(at(&silenced).await, [host("silence")], "{round}");
        assert_eq!(at(&between).await, [host("")], "{round}");
        assert_eq!(at(&inhibited).await, [down.clone(), host("inhibition")], "{round}");
        assert_eq!(at(&quiet).await, Vec::<String>::new(), "{round}");
        assert_eq!(at(&again).await, ["HostDown fires | muted:  | told: opened"], "{round}");

        let range = format!("from={begin}&until={again}");
        let all = ask(&api, &range).await;
        let expected = ["HostDown fires | muted:  | told: opened".to_owned(), down.clone(), host("silence inhibition")];
        assert_eq!(words(&all, None), expected, "{round}");
        assert_eq!(paged(&api, &range).await, all, "{round}");
        assert_eq!(ask(&api, &format!("{range}&filter=alertname%3D%22SiteDown%22")).await.len(), 1);
        assert_eq!(ask(&api, &format!("{range}&filter=site%3Dfra1&filter=alertname%21%3DSiteDown")).await.len(), 2);
        assert_eq!(ask(&api, &format!("{range}&source=generic")).await.len(), 3);
        assert_eq!(ask(&api, &format!("{range}&source=zabbix")).await.len(), 0);

        // What is named can be looked up.
        let (first, site_down) = (&all[2], &all[1]);
        assert_eq!(first["muted"][0]["cause"], id.as_str());
        assert_eq!(first["muted"][1]["cause"], site_down["alert"]["fingerprint"]);
        assert_eq!(first["muted"][1]["rule"], 0);
        assert_eq!(first["groups"][0]["key"], "{}:{alertname=\"HostDown\"}");
        assert_eq!(all[0]["groups"], first["groups"]);
        let told = &first["deliveries"][0];
        assert_eq!((&told["receiver"], &told["sink"]), (&json!("ops"), &json!("ops/webhook")));
        assert!(told["finished_at"].is_string() && told["created_at"].is_string());
        let delivery = api.items("/api/v1/deliveries").await;
        assert!(delivery.iter().any(|delivery| delivery["id"] == told["id"]));
        answers.push(all);
    }
    assert_eq!(answers[0], answers[1], "a start changes nothing that was");
}

#[tokio::test]
async fn incidents_each_firing_is_kept_when_it_fires_again() {
    let receiver = Receiver::start(Answer::Status(200)).await;
    let site = Site::new(&format!(
        "receivers: {{ ops: {{ sinks: [{{ kind: webhook, url: \"{}\", allow_private: true }}] }} }}
route: {{ receiver: ops, group_wait: 0s }}
",
        receiver.url()
    ));
    let mut daemon = site.start().await;
    let api = Api::new(&site);
    let begin = moment().await;
    let id = silence(&api, "HostDown").await;
    says(&api, "firing", "HostDown", "db-1").await;
    muted(&api, "HostDown", "silence", false).await;
    let silenced = moment().await;
    end_silence(&api, &id).await;
    told(&api, "HostDown", 1).await;
    let heard = moment().await;
    says(&api, "resolved", "HostDown", "db-1").await;
    let quiet = moment().await;
    eventually("the end is told", PATIENCE, async || {
        let found = ask(&api, &format!("at={heard}")).await;
        (found[0]["deliveries"].as_array()?.len() == 2).then_some(())
    })
    .await;
    says(&api, "firing", "HostDown", "db-1").await;
    told(&api, "HostDown", 1).await;
    let again = moment().await;

    for round in ["before", "after"] {
        if round == "after" {
            daemon.kill();
            daemon = site.start().await;
        }
        let at = async |at: &str| words(&ask(&api, &format!("at={at}")).await, Some(at));
        let first = |muted: &str| format!("HostDown over | muted: {muted} | told: opened resolved");
        assert_eq!(at(&begin).await, Vec::<String>::new(), "{round}");
        assert_eq!(at(&silenced).await, [first("silence")], "{round}");
        assert_eq!(at(&heard).await, [first("")], "{round}");
        assert_eq!(at(&quiet).await, Vec::<String>::new(), "{round}");
        assert_eq!(at(&again).await, ["HostDown fires | muted:  | told: reopened"], "{round}");
        let all = ask(&api, &format!("from={begin}")).await;
        assert_eq!(all.len(), 2, "{round}");
        assert_eq!(all[0]["alert"]["number"], all[1]["alert"]["number"], "one alert");
        assert_eq!(all[0]["incident"], all[1]["incident"]);
        assert!(all[1]["incident"].is_string());
        assert_eq!(all[1]["muted"][0]["cause"], id.as_str());
    }
}

#[tokio::test]
async fn a_time_that_makes_no_sense_is_refused() {
    let site = Site::new("");
    let _daemon = site.start().await;
    let api = Api::new(&site);
    for (query, expected) in [
        ("at=yesterday", "`at`: expected an RFC 3339 time such as `2026-11-21T05:00:00Z`, got `yesterday`"),
        ("at=2026-01-02T00:00:00Z&from=2026-01-01T00:00:00Z", "`from`: expected `at` or `from`, not both, got"),
        ("at=2026-01-02T00:00:00Z&until=2026-01-03T00:00:00Z", "`until`: expected `at` or `until`, not both, got"),
        ("until=2026-01-02T00:00:00Z", "`until`: expected `from` with it, got"),
        (
            "from=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z",
            "`until`: expected a time that is not before `from`, got",
        ),
        ("at=2999-01-01T00:00:00Z", "`at`: expected a time that is not in the future (it is"),
        ("from=2026-01-02T00:00:00Z&until=2999-01-01T00:00:00Z", "`until`: expected a time that is not in the future"),
        ("at=2026-01-02T00:00:00Z&status=firing", "`status`: expected neither `at` nor `from` with it, got `firing`"),
        ("filter=a%3Db", "`filter`: expected `at` or `from` with it, got `a=b`"),
        ("source=x", "`source`: expected `at` or `from` with it, got `x`"),
        (
            "at=2026-01-02T00:00:00Z&filter=%7B",
            "`filter`: expected one matcher such as `severity=\"critical\"`, got `{`",
        ),
        ("at=2026-01-02T00:00:00Z&cursor=YTE", "`cursor`: expected the `next_cursor`"),
    ] {
        let reply = api.get(&format!("/api/v1/alerts?{query}")).await;
        let detail = reply.body["detail"].as_str().unwrap_or_default();
        assert_eq!(reply.status, 400, "{query}: {reply:?}");
        assert!(detail.starts_with(expected), "{query}: {detail}");
    }
    assert_eq!(ask(&api, "at=2026-01-02T00:00:00Z").await, Vec::<Value>::new());
}
