//! What other integrations than webhooks say, with the default templates and with templates of one's own:
//! every body is compared, field by field.

use crate::alert::alert;
use crate::lab::Lab;

/// Two alerts fire, one ends, then the other one: told three times.
async fn check(integration: &str, expected: &[&str]) {
    let configuration = format!(
        r#"
route: {{ receiver: all, group_by: [alertname], group_wait: 1s, group_interval: 2s }}
receivers: [ {{ name: all, {integration} }} ]
"#
    );
    let Some(lab) = Lab::start(&configuration).await else { return };
    let one = |instance: &str| {
        alert(instance)
            .label("severity", "critical")
            .label("team", "<db> & \"web\"")
            .annotation("summary", &format!("Disk of {instance} is full: *95 %* _used_ <b>"))
            .annotation("runbook", "https://wiki.example/disk?a=1&b=2")
            .generator("http://prometheus.example/graph?g0.expr=up")
    };
    lab.post(&[one("a"), one("b").label("zone", "2")]).await;
    lab.at(2.0).await;
    lab.post(&[one("a").ends(1.8)]).await;
    lab.at(4.0).await;
    lab.post(&[one("b").label("zone", "2").ends(3.8)]).await;
    lab.at(6.0).await;
    lab.agree(expected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slack() {
    let keys = r##"slack_configs: [ { api_url: "@/slack", channel: "#ops", send_resolved: true } ]"##;
    check(keys, &["slack: told | told | told"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slack_with_texts_of_ones_own() {
    let keys = r##"slack_configs: [ {
        api_url: "@/slack", channel: "#{{ .CommonLabels.severity }}", send_resolved: true,
        title: "{{ .Status | toUpper }} {{ len .Alerts.Firing }}/{{ len .Alerts }} {{ .GroupLabels.SortedPairs.Values | join \" \" }}",
        text: "{{ range .Alerts }}{{ .Labels.instance }}: {{ .Annotations.summary | title }}\n{{ end }}",
        fields: [ { title: team, value: "{{ .CommonLabels.team }}", short: true } ],
        actions: [ { type: button, text: Runbook, url: "{{ (index .Alerts 0).Annotations.runbook }}" } ] } ]"##;
    check(keys, &["slack: told | told | told"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pagerduty() {
    // The default details are texts in 0.25 and JSON since 0.30; given as texts, they are that in both.
    let keys = r#"pagerduty_configs: [ {
        routing_key: key, url: "@/pagerduty", severity: "{{ .CommonLabels.severity }}",
        class: "{{ .CommonLabels.team }}", links: [ { href: "{{ .ExternalURL }}", text: all } ],
        details: {
            firing: "{{ template \"pagerduty.default.instances\" .Alerts.Firing }}.",
            resolved: "{{ template \"pagerduty.default.instances\" .Alerts.Resolved }}.",
            num_firing: "{{ .Alerts.Firing | len }} fire", num_resolved: "{{ .Alerts.Resolved | len }} are over" } } ]"#;
    check(keys, &["pagerduty: told | told | told"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opsgenie() {
    let keys = r#"opsgenie_configs: [ { api_key: key, api_url: "@/opsgenie/", tags: "a,b", priority: P2 } ]"#;
    let Some(lab) = Lab::start(&format!(
        "route: {{ receiver: all, group_wait: 1s, group_interval: 2s }}\nreceivers: [ {{ name: all, {keys} }} ]\n"
    ))
    .await
    else {
        return;
    };
    lab.post(&[alert("a").annotation("summary", "full")]).await;
    lab.at(2.0).await;
    lab.post(&[alert("a").ends(1.8)]).await;
    lab.at(4.0).await;
    // The alias in the path of the end is the hash of the group's key.
    let alias = "cc9772a1ec901d26ef71dae861793e4d08979fa5030a3f0a5f3ba549f1f2d0b6";
    let end = format!("opsgenie/v2/alerts/{alias}/close: told");
    lab.agree(&["opsgenie/v2/alerts: told", &end]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn victorops() {
    let keys = r#"victorops_configs: [ { api_key: key, api_url: "@/victorops/", routing_key: ops, custom_fields: { team: "{{ .CommonLabels.team }}" } } ]"#;
    check(keys, &["victorops/key/ops: told | told | told"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn discord() {
    check(r#"discord_configs: [ { webhook_url: "@/discord" } ]"#, &["discord: told | told | told"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webex() {
    let keys = r#"webex_configs: [ { api_url: "@/webex", room_id: room, http_config: { authorization: { credentials: key } } } ]"#;
    check(keys, &["webex: told | told | told"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn telegram() {
    let keys = r#"telegram_configs: [ { api_url: "@/telegram", bot_token: "1:a", chat_id: 7 } ]"#;
    check(keys, &["telegram/bot1:a/sendMessage: told | told | told"]).await;
}
