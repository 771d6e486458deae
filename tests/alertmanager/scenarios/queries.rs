//! What the API tells about alerts, groups, silences, receivers and itself, with every filter.

use serde_json::json;

use super::SIMPLE;
use crate::alert::{Alert, alert};
use crate::lab::Lab;

const CONFIGURATION: &str = r#"
global: { resolve_timeout: 10m }
route:
  receiver: page
  group_by: [alertname]
  group_wait: 1s
  group_interval: 2s
  routes:
    - { receiver: mail, matchers: [ team="db" ], continue: true }
    - { receiver: page-2, matchers: [ team=~"db|web" ], group_by: [team, alertname] }
receivers:
  - { name: page, webhook_configs: [ { url: "@/page" } ] }
  - { name: mail, webhook_configs: [ { url: "@/mail" } ] }
  - { name: page-2, webhook_configs: [ { url: "@/page-2" } ] }
  - { name: silent }
inhibit_rules:
  - { source_matchers: [ alertname="SiteDown" ], target_matchers: [ alertname="DiskFull" ], equal: [cluster] }
"#;

const QUERIES: [&str; 37] = [
    "/api/v2/alerts",
    "/api/v2/alerts?active=false",
    "/api/v2/alerts?silenced=false",
    "/api/v2/alerts?inhibited=false",
    "/api/v2/alerts?unprocessed=false",
    "/api/v2/alerts?active=false&silenced=false",
    "/api/v2/alerts?active=true&silenced=false&inhibited=false&unprocessed=false",
    "/api/v2/alerts?receiver=mail",
    "/api/v2/alerts?receiver=page",
    "/api/v2/alerts?receiver=pag",
    "/api/v2/alerts?receiver=page.*",
    "/api/v2/alerts?receiver=nobody",
    "/api/v2/alerts?filter=team=%22db%22",
    "/api/v2/alerts?filter=team%3Ddb",
    "/api/v2/alerts?filter=team!=%22db%22",
    "/api/v2/alerts?filter=team=~%22d.|we.%22",
    "/api/v2/alerts?filter=team!~%22d.%22",
    "/api/v2/alerts?filter=team=%22%22",
    "/api/v2/alerts?filter=instance=%22a%22&filter=alertname=%22DiskFull%22",
    "/api/v2/alerts?filter=instance=%22nothing%22",
    "/api/v2/alerts/groups",
    "/api/v2/alerts/groups?active=false",
    "/api/v2/alerts/groups?silenced=false",
    "/api/v2/alerts/groups?inhibited=false",
    "/api/v2/alerts/groups?active=false&silenced=false",
    "/api/v2/alerts/groups?receiver=mail",
    "/api/v2/alerts/groups?receiver=page",
    "/api/v2/alerts/groups?filter=team=%22db%22",
    "/api/v2/alerts/groups?filter=instance=~%22[ab]%22&silenced=false",
    "/api/v2/silences",
    "/api/v2/silences?filter=instance=%22d%22",
    "/api/v2/silences?filter=instance=%22nothing%22",
    "/api/v2/silences?filter=team=%22db%22",
    "/api/v2/receivers",
    "/-/healthy",
    "/-/ready",
    "/api/v2/status",
];

fn alerts() -> Vec<Alert> {
    let team = |instance: &str, team: &str| alert(instance).label("team", team);
    let red = |alert: Alert| alert.label("cluster", "red");
    vec![
        red(team("a", "db")).annotation("summary", "full").generator("http://prometheus.example/graph"),
        team("b", "web").starts(-7_200.0),
        alert("c").starts(-1.5).ends(600.0),
        team("d", "db").label("cluster", "blue"),
        red(alert("s").label("alertname", "SiteDown")),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_is_answered_alike() {
    let Some(lab) = Lab::start(CONFIGURATION).await else { return };
    lab.post(&alerts()).await;
    lab.silence(&[["instance", "=~", "d|e"]], 0.0, 600.0).await;
    lab.silence(&[["team", "=", "web"], ["instance", "!=", "b"]], 300.0, 600.0).await;
    let over = lab.silence(&[["team", "=", "db"], ["instance", "!~", "a|d"]], -60.0, 500.0).await;
    lab.expire(&over).await;
    lab.at(2.2).await;
    for query in QUERIES {
        // Its version, its start and the text of its configuration are its own.
        if query != "/api/v2/status" {
            lab.same(query).await;
        }
    }
    // The alerts of `db` are silenced or inhibited.
    lab.agree(&["page: +c", "page: +s", "page-2: +b"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_status_has_the_same_shape() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    let (mut theirs, mut ours) = lab.both(async |side| side.get("/api/v2/status").await).await;
    for reply in [&mut theirs, &mut ours] {
        for (object, keys) in [
            ("versionInfo", ["branch", "buildDate", "buildUser", "goVersion", "revision", "version"].as_slice()),
            ("config", &["original"]),
        ] {
            for key in keys {
                assert!(reply.body[object][key].is_string(), "{object}.{key}: {reply:?}");
                reply.body[object][key] = "a text".into();
            }
        }
    }
    lab.same_replies("GET /api/v2/status", &theirs, &ours);
    lab.agree(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silences_are_changed() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    let silence = |name: &str, ends: f64, comment: &str| {
        json!({
            "matchers": [{"name": name, "value": "a", "isRegex": false, "isEqual": true}],
            "startsAt": lab.moment(0.0), "endsAt": lab.moment(ends), "createdBy": "eva", "comment": comment,
        })
    };
    // The first two of a list of changes keep the silence's id, the others make another silence of it.
    let first = silence("instance", 600.0, "planned");
    let changes = [
        ("longer", silence("instance", 900.0, "planned")),
        ("another comment", silence("instance", 900.0, "it takes longer")),
        ("other matchers", silence("zone", 900.0, "it takes longer")),
    ];
    let ids = lab.both(async |side| side.post("/api/v2/silences", &first).await).await;
    let mut ids = [ids.0, ids.1].map(|reply| reply.body["silenceID"].as_str().expect("an id").to_owned());
    for (what, change) in changes {
        let with_id = |id: &str| {
            let mut body = change.clone();
            body["id"] = id.into();
            body
        };
        let (theirs, ours) = (with_id(&ids[0]), with_id(&ids[1]));
        let (theirs, ours) =
            tokio::join!(lab.reference.post("/api/v2/silences", &theirs), lab.ours.post("/api/v2/silences", &ours));
        lab.same_replies(&format!("POST /api/v2/silences, {what}"), &theirs, &ours);
        let new = [theirs, ours].map(|reply| reply.body["silenceID"].as_str().unwrap_or_default().to_owned());
        let kept = [new[0] == ids[0], new[1] == ids[1]];
        if kept[0] != kept[1] {
            lab.object(&format!("{what}: they keep the id: {}, we keep it: {}", kept[0], kept[1]));
        }
        lab.same("/api/v2/silences").await;
        let path = |id: &str| format!("/api/v2/silence/{id}");
        let paths = new.each_ref().map(|id| path(id));
        let (theirs, ours) = tokio::join!(lab.reference.get(&paths[0]), lab.ours.get(&paths[1]));
        lab.same_replies(&format!("GET /api/v2/silence/…, {what}"), &theirs, &ours);
        ids = new;
    }
    lab.agree(&[]).await;
}
