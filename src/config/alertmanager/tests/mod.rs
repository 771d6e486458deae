//! A file in, a policy or sentences out. The files are our own; those of others are read where they lie.

mod exported;
mod foreign;
mod problems;
mod receiver_problems;

use super::export::export_with;
use super::*;
use crate::config::load::load_with as load_ours;
use crate::config::tests::set_mode;
use crate::error::ConfigError;

/// Every sink there may be, whatever its keys.
fn kinds() -> Kinds {
    let sinks = ["alertmanager_webhook", "alertmanager_email", "alertmanager_pagerduty", "alertmanager_opsgenie"]
        .into_iter()
        .chain(["alertmanager_wechat", "alertmanager_slack", "alertmanager_victorops", "alertmanager_pushover"])
        .chain(["alertmanager_sns", "alertmanager_telegram", "alertmanager_discord", "alertmanager_webex"])
        .chain(["alertmanager_msteams", "alertmanager_msteamsv2", "alertmanager_jira", "alertmanager_rocketchat"])
        .chain(["log", "slack"]);
    Kinds {
        sources: vec!["prometheus"],
        sinks: sinks.collect(),
        check_source: |_, _| Ok(()),
        check_sink: |kind, table, _, _| match (kind, table.get("channel")) {
            ("alertmanager_slack", Some(channel)) if channel == "refused" => {
                Err(ConfigError::new("channel", "expected another one"))
            }
            _ => Ok(()),
        },
    }
}

/// The files that `full.yml` names, each with a secret of its own.
const SECRETS: [&str; 11] =
    ["smtp", "slack", "pagerduty", "hook", "basic", "telegram", "chat", "teams", "pushover", "header", "unused"];

fn secret(name: &str) -> String {
    match name {
        "slack" | "hook" | "teams" => format!("https://{name}.example/from-a-file"),
        "chat" => "-100456".to_owned(),
        _ => format!("{name}-from-a-file"),
    }
}

struct Scene(tempfile::TempDir);

impl Scene {
    fn new(yaml: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for inner in ["certs", "templates"] {
            std::fs::create_dir(folder.path().join(inner)).unwrap();
        }
        let scene = Self(folder);
        for name in SECRETS {
            scene.file(&format!("{name}.secret"), &format!("{}\n", secret(name)));
        }
        scene.file("certs/ca.pem", "a certificate");
        scene.file("templates/a.tmpl", r#"{{ define "team.title" }}{{ .Status }}{{ end }}"#);
        scene.file("alertmanager.yml", yaml);
        scene
    }

    fn file(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
        set_mode(&self.path(name), 0o600);
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn load(&self) -> Loaded {
        load_with(&self.path("alertmanager.yml"), &kinds())
            .unwrap_or_else(|problems| panic!("{}", self.shown(&problems)))
    }

    /// Every problem as `watchbell check` prints it, with the folder's name left out.
    fn shown(&self, problems: &[Problem]) -> String {
        let text = problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n");
        text.replace(&format!("{}/", self.0.path().display()), "")
    }

    fn said(&self) -> String {
        match load_with(&self.path("alertmanager.yml"), &kinds()) {
            Ok(loaded) => self.shown(&loaded.configuration.warnings),
            Err(problems) => self.shown(&problems),
        }
    }
}

const FULL: &str = include_str!("full.yml");

fn table<'l>(loaded: &'l Loaded, sink: &str) -> &'l crate::error::Table {
    &loaded.configuration.sinks.get(sink).unwrap_or_else(|| panic!("no sink {sink}")).table
}

#[test]
fn it_becomes_groups_receivers_and_a_source() {
    let loaded = Scene::new(FULL).load();
    let policy = &loaded.configuration.policy;
    assert_eq!(policy.notify_by, NotifyBy::Group);
    assert_eq!(loaded.receivers, ["null", "chat", "pager", "Ops team / nights", "everything"]);
    assert_eq!(policy.receivers["null"], Receiver::default());
    assert_eq!(policy.receivers["chat"].sinks, ["chat/slack", "chat/slack-2", "chat/slack-3"]);
    assert_eq!(policy.receivers["chat"].without_resolved, ["chat/slack-2", "chat/slack-3"]);
    let source = &loaded.configuration.sources["prometheus"];
    assert_eq!((source.kind.as_str(), &source.auth), ("prometheus", &Auth::None));
    assert_eq!(source.table["resolve_timeout"], "3m");
    assert!(loaded.configuration.sinks.values().all(|sink| sink.allow_private || sink.kind == "log"));
    assert_eq!(loaded.configuration.sinks["pager/webhook"].timeout, Span::from_secs(90));
}

#[test]
fn a_sink_has_alertmanagers_keys_with_what_files_hold() {
    let loaded = Scene::new(FULL).load();
    let shown = ["chat/slack", "pager/webhook-2", "Ops team / nights/telegram-2", "everything/rocketchat"]
        .map(|sink| format!("{sink} {}", serde_json::to_string_pretty(table(&loaded, sink)).unwrap()));
    insta::assert_snapshot!(shown.join("\n"), @r##"
    chat/slack {
      "actions": [
        {
          "text": "Runbook",
          "type": "button",
          "url": "{{ .CommonAnnotations.runbook }}"
        }
      ],
      "api_url": "https://slack.example/from-a-file",
      "channel": "0123",
      "fields": [
        {
          "short": true,
          "title": "Cluster",
          "value": "{{ .CommonLabels.cluster }}"
        }
      ],
      "http_config": {
        "follow_redirects": false
      },
      "send_resolved": true,
      "text": "{{ range .Alerts }}\n  {{ .Annotations.summary }} costs $5, not ${EUR} or $$\n{{ end }}\n",
      "timeout": "5s",
      "title": "{{ template \"team.title\" . }}",
      "username": ""
    }
    pager/webhook-2 {
      "http_config": {
        "basic_auth": {
          "password": "basic-from-a-file",
          "username": "ada"
        },
        "http_headers": {
          "X-Site": {
            "secrets": [
              "header-from-a-file"
            ],
            "values": [
              "fra1"
            ]
          }
        },
        "tls_config": {
          "ca": "a certificate",
          "min_version": "TLS12"
        }
      },
      "send_resolved": false,
      "timeout": "10s",
      "url": "https://hook.example/from-a-file"
    }
    Ops team / nights/telegram-2 {
      "api_url": "https://api.telegram.org",
      "bot_token": "telegram-from-a-file",
      "chat_id": "-100456",
      "http_config": {
        "follow_redirects": false
      },
      "send_resolved": true
    }
    everything/rocketchat {
      "actions": [
        {
          "msg": "y",
          "text": "x"
        }
      ],
      "api_url": "https://open.rocket.chat/",
      "channel": "#ops",
      "fields": [
        {
          "short": false,
          "title": "a",
          "value": "b"
        }
      ],
      "http_config": {
        "follow_redirects": false
      },
      "send_resolved": false,
      "token": "rocket-token-1",
      "token_id": "rocket-id-1"
    }
    "##);
}

#[test]
fn what_may_be_shown_holds_no_secret() {
    let scene = Scene::new(FULL);
    let original = scene.load().original;
    for secret in ["og-8f2b17c0", "s3cr3t", "xoxb", "10.0.0.5", "oauth-secret", ":pw@", "bear-1", "from-a-file"] {
        assert!(!original.contains(secret), "{secret}");
    }
    let receivers = original.find("receivers:").unwrap();
    insta::assert_snapshot!(original[receivers..].lines().take(40).collect::<Vec<_>>().join("\n"), @r#"
receivers:
  - name: 'null'
  - name: chat
    slack_configs:
      - channel: 0123
        send_resolved: yes
        title: '{{ template "team.title" . }}'
        text: |
          {{ range .Alerts }}
            {{ .Annotations.summary }} costs $5, not ${EUR} or $$
          {{ end }}
        username: null
        fields:
          - title: Cluster
            value: '{{ .CommonLabels.cluster }}'
            short: true
        actions:
          - type: button
            text: Runbook
            url: '{{ .CommonAnnotations.runbook }}'
        timeout: 5s
        http_config:
          follow_redirects: true
          enable_http2: true
      - api_url: '<secret>'
        channel: '#two'
        http_config:
          proxy_url: http://u:xxxxx@proxy:3128
          follow_redirects: true
          enable_http2: true
        send_resolved: false
      - channel: '#three'
        app_token: '<secret>'
        timeout: 100ms
        send_resolved: false
        http_config:
          follow_redirects: true
          enable_http2: true
  - name: pager
    pagerduty_configs:
"#);
    for default in ["telegram_api_url: https://api.telegram.org\n", "  smtp_require_tls: true\n", "continue: false\n"] {
        assert!(original.contains(default), "{default}: {original}");
    }
    // It is still a configuration, and the same but for the secrets.
    scene.file("shown.yml", &original.replace("'<secret>'", "https://example.org/"));
    let shown =
        load_with(&scene.path("shown.yml"), &kinds()).unwrap_or_else(|problems| panic!("{}", scene.shown(&problems)));
    assert_eq!(shown.configuration.policy, scene.load().configuration.policy);
}

/// What `watchbell run` makes of the file that `watchbell import` writes.
fn through_ours(scene: &Scene) -> (Exported, Configuration) {
    let exported = export_with(&scene.path("alertmanager.yml"), &kinds())
        .unwrap_or_else(|problems| panic!("{}", scene.shown(&problems)));
    let elsewhere = Scene::new("");
    elsewhere.file("watchbell.yaml", &exported.yaml);
    let files = [elsewhere.path("watchbell.yaml")];
    match load_ours(&files, &BTreeMap::new(), &kinds(), false, Clock::System.now()) {
        Ok(configuration) => (exported, configuration),
        Err(problems) => panic!("{}\n{}", scene.shown(&problems), exported.yaml),
    }
}

fn check_export(scene: &Scene) -> Exported {
    let loaded = scene.load();
    let (exported, ours) = through_ours(scene);
    assert_eq!(ours.policy, loaded.configuration.policy, "{}", exported.yaml);
    assert_eq!(ours.sinks, loaded.configuration.sinks, "{}", exported.yaml);
    assert_eq!(ours.sources, loaded.configuration.sources);
    assert_eq!(ours.go_templates, loaded.configuration.go_templates);
    exported
}

#[test]
fn names_of_any_letters_stay_apart() {
    let names = ["a/b", "a", "b/slack", "a\\nb", "a\nb", "日本", "x".repeat(64).as_str()].map(str::to_owned);
    let receivers = names.iter().map(|name| {
        format!("- {{ name: {}, slack_configs: [{{ api_url: 'https://a.example' }}, {{ api_url: 'https://b.example' }}] }}\n", serde_json::to_string(name).unwrap())
    });
    let yaml = format!("route: {{ receiver: a }}\nreceivers:\n{}", receivers.collect::<String>());
    let scene = Scene::new(&yaml);
    let loaded = scene.load();
    assert_eq!(loaded.receivers, names);
    // Two each, and the log.
    assert_eq!(loaded.configuration.sinks.len(), names.len() * 2 + 1);
    assert!(loaded.configuration.sinks.keys().all(|name| !name.contains(char::is_control)));
    assert_eq!(loaded.configuration.policy.receivers["a\nb"].sinks, ["a\\nb/slack", "a\\nb/slack-2"]);
    check_export(&scene);
}

#[test]
fn the_least_file_has_alertmanagers_times() {
    let scene = Scene::new("route: { receiver: r }\nreceivers: [{ name: r }]\n");
    let route = scene.load().configuration.policy.route;
    assert_eq!(route.group_wait, Some(Span::from_secs(30)));
    assert_eq!(route.group_interval, Some(Span::from_mins(5)));
    assert_eq!(route.repeat_interval, Some(Span::from_hours(4)));
    assert_eq!(route.group_by, None);
    check_export(&scene);
}

#[test]
fn a_file_that_cannot_be_read_here_keeps_nobody_from_importing() {
    let scene = Scene::new(&FULL.replace("slack.secret", "elsewhere.secret"));
    let exported = export_with(&scene.path("alertmanager.yml"), &kinds()).unwrap();
    insta::assert_snapshot!(scene.shown(&exported.warnings).replace(&scene.0.path().display().to_string(), "…"), @r#"
warning: `receivers[1].slack_configs[0]` is not checked: cannot read `elsewhere.secret`: No such file or directory (os error 2)
  --> alertmanager.yml:13
warning: `receivers[1].slack_configs[2].timeout`: 100ms becomes 1s, since Watchbell takes 1s to 10m
  --> alertmanager.yml:92
"#);
    assert!(exported.yaml.contains("/elsewhere.secret"));
}

#[test]
fn a_sinks_own_objection_names_the_line_that_the_key_came_from() {
    let yaml = "global: { slack_api_url: 'https://a.example' }\nroute: { receiver: r }\nreceivers:\n- name: r\n  slack_configs:\n  - api_url: https://b.example\n    channel: refused\n";
    insta::assert_snapshot!(Scene::new(yaml).said(), @r#"
error: `receivers[0].slack_configs[0].channel`: expected another one
  --> alertmanager.yml:7
"#);
}
