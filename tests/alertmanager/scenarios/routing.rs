//! Who hears it: the tree of routes, its matchers, and receivers with several integrations.

use crate::alert::{Alert, alert};
use crate::lab::Lab;

/// Receivers `page`, `mail` and `chat` below a route.
fn with_routes(routes: &str) -> String {
    format!(
        r#"
route:
  receiver: page
  group_by: [alertname]
  group_wait: 1s
  group_interval: 2s
  routes:{routes}
receivers:
  - {{ name: page, webhook_configs: [ {{ url: "@/page" }} ] }}
  - {{ name: mail, webhook_configs: [ {{ url: "@/mail" }} ] }}
  - {{ name: chat, webhook_configs: [ {{ url: "@/chat" }} ] }}
"#
    )
}

/// Posts all at once and says who heard what.
async fn check(routes: &str, alerts: &[Alert], expected: &[&str]) {
    let Some(lab) = Lab::start(&with_routes(routes)).await else { return };
    lab.post(alerts).await;
    lab.at(0.5).await;
    lab.same_state().await;
    lab.same("/api/v2/receivers").await;
    lab.at(2.0).await;
    lab.agree(expected).await;
}

fn team(instance: &str, team: &str) -> Alert {
    alert(instance).label("team", team)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn continue_goes_on_to_the_next_route() {
    let routes = r#"
    - { receiver: mail, matchers: [ team="db" ], continue: true }
    - { receiver: chat, matchers: [ team=~"db|web" ] }
    - { receiver: page, matchers: [ team="db" ] }"#;
    let alerts = [team("a", "db"), team("b", "web"), team("c", "net")];
    check(routes, &alerts, &["chat: +a +b", "mail: +a", "page: +c"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_route_that_matches_wins_and_its_children_first() {
    let routes = r#"
    - receiver: mail
      matchers: [ team="db" ]
      group_by: [instance]
      routes:
        - { receiver: chat, matchers: [ instance="a" ] }
        - { receiver: page, matchers: [ instance=~"a|b" ], group_by: [team] }
    - { receiver: chat, matchers: [ team="db" ] }"#;
    let alerts = [team("a", "db"), team("b", "db"), team("c", "db"), team("d", "web")];
    check(routes, &alerts, &["chat: +a", "mail: +c", "page: +b", "page: +d"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_route_has_its_own_times() {
    let routes = r#"
    - { receiver: mail, matchers: [ team="db" ], group_wait: 2s, group_interval: 1s }
    - { receiver: chat, matchers: [ team="web" ], group_wait: 0s }"#;
    let Some(lab) = Lab::start(&with_routes(routes)).await else { return };
    lab.post(&[team("a", "db"), team("b", "web"), team("c", "net")]).await;
    lab.at(3.5).await;
    lab.agree(&["chat: +b", "mail: +a", "page: +c"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn match_and_match_re() {
    let routes = r#"
    - { receiver: mail, match: { team: db, instance: a } }
    - { receiver: chat, match_re: { team: "d.|we" } }"#;
    let alerts = [team("a", "db"), team("b", "db"), team("c", "web"), team("d", "we"), team("e", "d.")];
    check(routes, &alerts, &["chat: +b +d +e", "mail: +a", "page: +c"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn negative_and_regular_matchers() {
    let routes = r#"
    - { receiver: mail, matchers: [ 'team != db', 'instance !~ "[c-z].*"' ] }
    - { receiver: chat, matchers: [ '{team=~"d.", instance!="b"}' ] }"#;
    let alerts = [team("a", "web"), team("b", "db"), team("c", "db"), team("d", "web")];
    check(routes, &alerts, &["chat: +c", "mail: +a", "page: +b +d"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_matcher_on_a_label_that_is_absent() {
    let routes = r#"
    - { receiver: mail, matchers: [ 'team=""', 'instance="a"' ] }
    - { receiver: chat, matchers: [ 'team!="db"', 'instance!~"b"' ] }
    - { receiver: page, matchers: [ 'team=~".+"' ], group_by: [alertname, team] }"#;
    let alerts = [alert("a"), alert("b"), alert("c"), team("a", "db"), team("d", "")];
    check(routes, &alerts, &["chat: +c +d", "mail: +a", "page: +a", "page: +b"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn labels_with_any_characters() {
    let routes = r#"
    - { receiver: mail, matchers: [ 'team="Zażółć 🔔"' ], group_by: [team, path] }
    - { receiver: chat, matchers: [ 'path=~"(?s:C:\\\\.*)"' ], group_by: [path] }"#;
    let path = "C:\\Temp\\\"x\"\n<b>&amp;</b>";
    let alerts = [
        team("a", "Zażółć 🔔").label("path", path).annotation("summary", "„Ärger“ <ok> & 100 %"),
        alert("b").label("path", path),
    ];
    check(routes, &alerts, &["chat: +b", "mail: +a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_integrations_in_one_receiver() {
    let configuration = r#"
route: { receiver: page, group_by: [alertname], group_wait: 1s, group_interval: 2s }
receivers:
  - name: page
    webhook_configs:
      - { url: "@/first" }
      - { url: "@/second", send_resolved: false }
"#;
    let Some(lab) = Lab::start(configuration).await else { return };
    lab.post(&[alert("a")]).await;
    lab.at(0.5).await;
    lab.same("/api/v2/alerts/groups").await;
    lab.at(2.0).await;
    lab.post(&[alert("a").ends(1.5)]).await;
    lab.at(4.0).await;
    lab.agree(&["first: +a | -a", "second: +a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_receiver_at_the_end_of_two_routes() {
    let routes = r#"
    - { receiver: mail, matchers: [ team="db" ], continue: true }
    - { receiver: mail, matchers: [ instance="a" ] }"#;
    // Two groups with keys of their own, so it is told twice.
    check(routes, &[team("a", "db")], &["mail: +a", "mail: +a"]).await;
}
