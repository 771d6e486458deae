//! What `watchbell import` writes.

use super::*;

#[test]
fn what_is_imported_loads_to_the_same() {
    let scene = Scene::new(FULL);
    let exported = check_export(&scene);
    let folder = scene.0.path().display().to_string();
    insta::assert_snapshot!(exported.yaml.replace(&folder, "/etc/alertmanager"), @r#"
    # Made of alertmanager.yml by `watchbell import alertmanager`.
    # People are told of groups of alerts, as Alertmanager makes them. `notify_by: incident` tells them of
    # incidents with their cause instead; `group_by` has no place then.
    notify_by: group

    # Prometheus needs no other address: it sends to /api/v2/alerts here too.
    sources:
      prometheus:
        kind: prometheus
        resolve_timeout: 3m

    # Go templates that the texts below call.
    templates: ['/etc/alertmanager/templates/*.tmpl']

    # Times at which routes are mute or active.
    time_intervals:
      holidays:
        - days_of_month: ['24:26']
          months: [december]
          location: Australia/Melbourne
      offhours:
        - times:
            - start_time: '17:00'
              end_time: '24:00'
            - start_time: '00:00'
              end_time: '08:00'
          weekdays: ['monday:friday']
          location: Europe/Berlin
        - weekdays: [saturday, sunday]
      release:
        - days_of_month: ['1:5', '-3:-1', '15']
          months: ['march:may', december]
          years: ['2026:2028', '2030']
        - {}

    # Each alert goes down to the first route that fits.
    route:
      receiver: chat
      group_by: [alertname, cluster]
      group_wait: 30s
      group_interval: 5m
      repeat_interval: 12h
      routes:
        - receiver: 'null'
          matchers: ['alertname="Watchdog"']
        - receiver: pager
          matchers:
            - 'cluster!~"test-.*"'
            - 'env="prod"'
            - 'kubernetes.io/team="ops"'
            - 'service=~"^(?:^(web|db)$)$"'
            - 'severity="critical"'
          continue: true
          group_by: ['...']
          group_wait: 10s
        - receiver: 'Ops team / nights'
          matchers: ['instance=~"web\\d+"', 'note="it''s"', 'path=""', 'severity=~"warning|minor"']
          group_interval: 1m30s
          repeat_interval: 52w1d
          mute_time_intervals: [holidays]
          active_time_intervals: [offhours, release]
          routes:
            - matchers: ['team="a\\b\"c"']
              group_by: []
            - receiver: everything

    # What is muted while something else fires.
    inhibit_rules:
      - source_matchers: ['severity="critical"']
        target_matchers: ['severity=~"warning|info"']
        equal: [alertname, cluster, service.name]
      - source_matchers: ['alertname="Outage"', 'dc=~"^(?:fra.*)$"']
        target_matchers: ['severity=~"^(?:.+)$"']

    # Alertmanager's own keys, with what it took from `global`; `allow_private` since it had no guard
    # against addresses inside. Sinks of Watchbell's own kinds may stand beside them.
    receivers:
      'null':
        sinks: []
      chat:
        sinks:
          - kind: alertmanager_slack
            allow_private: true
            send_resolved: true
            timeout: 5s
            channel: '0123'
            title: '{{ template "team.title" . }}'
            text: |
              {{ range .Alerts }}
                {{ .Annotations.summary }} costs $5, not $${EUR} or $$$
              {{ end }}
            username: ''
            fields:
              - title: Cluster
                value: '{{ .CommonLabels.cluster }}'
                short: true
            actions:
              - type: button
                text: Runbook
                url: '{{ .CommonAnnotations.runbook }}'
            api_url_file: /etc/alertmanager/slack.secret
            http_config:
              follow_redirects: false
          - kind: alertmanager_slack
            allow_private: true
            send_resolved: false
            timeout: 10s
            api_url: https://hooks.example/T1/B1/s3cr3t
            channel: '#two'
            http_config:
              proxy_url: http://u:pw@proxy:3128
          - kind: alertmanager_slack
            allow_private: true
            send_resolved: false
            timeout: 1s
            channel: '#three'
            app_token: xoxb-app-token
            app_url: https://slack.com/api/chat.postMessage
            http_config:
              follow_redirects: false
      pager:
        sinks:
          - kind: alertmanager_pagerduty
            allow_private: true
            send_resolved: true
            timeout: 10s
            routing_key_file: /etc/alertmanager/pagerduty.secret
            details:
              count: 5
              nested:
                firing: '{{ .Alerts.Firing | len }}'
            images:
              - src: https://example.org/i.png
                alt: Graph
            links:
              - href: https://example.org
                text: Home
            http_config:
              follow_redirects: false
            url: https://events.eu.pagerduty.com/v2/enqueue
          - kind: alertmanager_pagerduty
            allow_private: true
            send_resolved: true
            timeout: 10s
            service_key: '12345678901234567890123456789012'
            severity: critical
            http_config:
              follow_redirects: false
            url: https://events.eu.pagerduty.com/v2/enqueue
          - kind: alertmanager_opsgenie
            allow_private: true
            send_resolved: true
            timeout: 10s
            responders:
              - name: ops
                type: team
            priority: P1
            update_alerts: true
            details:
              a: b
            http_config:
              follow_redirects: false
            api_url: https://api.eu.opsgenie.com/
            api_key: og-8f2b17c0
          - kind: alertmanager_victorops
            allow_private: true
            send_resolved: true
            timeout: 10s
            routing_key: ops
            custom_fields:
              site: fra1
            http_config:
              follow_redirects: false
            api_url: https://alert.victorops.com/integrations/generic/20131114/alert/
            api_key: vo-11aa22bb
          - kind: alertmanager_webhook
            allow_private: true
            send_resolved: true
            timeout: 1m30s
            url: http://10.0.0.5:9000/hook?k=v
            max_alerts: 20
            payload:
              text: x
              list: [1, true, 1.5]
            http_config:
              follow_redirects: false
          - kind: alertmanager_webhook
            allow_private: true
            send_resolved: false
            timeout: 10s
            url_file: /etc/alertmanager/hook.secret
            http_config:
              basic_auth:
                username: ada
                password_file: /etc/alertmanager/basic.secret
              tls_config:
                ca_file: /etc/alertmanager/certs/ca.pem
                min_version: TLS12
              http_headers:
                X-Site:
                  values: [fra1]
                  files: [/etc/alertmanager/header.secret]
          - kind: alertmanager_webhook
            allow_private: true
            send_resolved: true
            timeout: 10s
            url: 'https://{{ .CommonLabels.region }}.example.org/'
            http_config:
              oauth2:
                client_id: id
                client_secret: oauth-secret
                token_url: https://id.example.org
                scopes: [a]
              proxy_from_environment: true
      'Ops team / nights':
        sinks:
          - kind: alertmanager_email
            allow_private: true
            send_resolved: false
            timeout: 10s
            to: 'ops@example.org, night@example.org'
            headers:
              Subject: '{{ .Status }}'
              X-Prio: '1'
            html: ''
            hello: monitor.example.org
            auth_username: alerts
            require_tls: true
            auth_password_file: /etc/alertmanager/smtp.secret
            smarthost: mail.example.org:587
            from: alerts@example.org
          - kind: alertmanager_email
            allow_private: true
            send_resolved: false
            timeout: 10s
            to: duty@example.org
            smarthost: '[2001:db8::1]:465'
            force_implicit_tls: true
            auth_password: own-password
            threading:
              enabled: true
              thread_by_date: daily
            tls_config:
              insecure_skip_verify: true
            hello: monitor.example.org
            auth_username: alerts
            require_tls: true
            from: alerts@example.org
          - kind: alertmanager_telegram
            allow_private: true
            send_resolved: true
            timeout: 10s
            chat_id: -100123
            parse_mode: ''
            http_config:
              authorization:
                credentials: bear-1
            api_url: https://api.telegram.org
            bot_token: '7001:AAF-telegram-token'
          - kind: alertmanager_telegram
            allow_private: true
            send_resolved: true
            timeout: 10s
            chat_id_file: /etc/alertmanager/chat.secret
            bot_token_file: /etc/alertmanager/telegram.secret
            http_config:
              follow_redirects: false
            api_url: https://api.telegram.org
          - kind: alertmanager_discord
            allow_private: true
            send_resolved: true
            timeout: 10s
            webhook_url: https://discord.example/api/webhooks/1/x
            username: bell
            http_config:
              follow_redirects: false
          - kind: alertmanager_msteams
            allow_private: true
            send_resolved: true
            timeout: 10s
            webhook_url_file: /etc/alertmanager/teams.secret
            http_config:
              follow_redirects: false
          - kind: alertmanager_msteamsv2
            allow_private: true
            send_resolved: true
            timeout: 10s
            webhook_url: https://teams.example/workflow/1
            http_config:
              enable_http2: false
          - kind: alertmanager_webex
            allow_private: true
            send_resolved: true
            timeout: 10s
            room_id: room
            http_config:
              authorization:
                credentials: webex-bearer
            api_url: https://webexapis.com/v1/messages
      everything:
        sinks:
          - kind: alertmanager_pushover
            allow_private: true
            send_resolved: true
            timeout: 10s
            user_key: user-key-1
            token_file: /etc/alertmanager/pushover.secret
            retry: 1m
            expire: 1h0m0s
            html: true
            http_config:
              follow_redirects: false
          - kind: alertmanager_sns
            allow_private: true
            send_resolved: true
            timeout: 10s
            topic_arn: arn:aws:sns:eu-central-1:1:alerts
            sigv4:
              region: eu-central-1
              access_key: AKIA
              secret_key: sns-secret-key
            attributes:
              a: b
            http_config:
              follow_redirects: false
          - kind: alertmanager_wechat
            allow_private: true
            send_resolved: false
            timeout: 10s
            agent_id: '1000002'
            message_type: markdown
            http_config:
              follow_redirects: false
            api_url: https://qyapi.weixin.qq.com/cgi-bin/
            api_secret: wechat-secret-9
            corp_id: wx1234
          - kind: alertmanager_jira
            allow_private: true
            send_resolved: true
            timeout: 10s
            project: OPS
            issue_type: Bug
            summary:
              template: '{{ .Status }}'
              enable_update: false
            description: plain
            labels: [alert]
            reopen_duration: 1d
            fields:
              customfield_10001:
                value: 5
              customfield_10002: [a]
            http_config:
              follow_redirects: false
            api_url: https://jira.example.org/rest/api/2
          - kind: alertmanager_rocketchat
            allow_private: true
            send_resolved: false
            timeout: 10s
            channel: '#ops'
            fields:
              - title: a
                value: b
                short: false
            actions:
              - text: x
                msg: 'y'
            http_config:
              follow_redirects: false
            api_url: https://open.rocket.chat/
            token: rocket-token-1
            token_id: rocket-id-1
    "#);
    insta::assert_snapshot!(exported.inline_secrets.join("\n"), @r#"
receivers.chat.sinks[1].api_url
receivers.chat.sinks[2].app_token
receivers.pager.sinks[1].service_key
receivers.pager.sinks[2].api_key
receivers.pager.sinks[3].api_key
receivers.pager.sinks[4].url
receivers.pager.sinks[6].url
receivers.pager.sinks[6].http_config.oauth2.client_secret
receivers.Ops team / nights.sinks[1].auth_password
receivers.Ops team / nights.sinks[2].http_config.authorization.credentials
receivers.Ops team / nights.sinks[2].bot_token
receivers.Ops team / nights.sinks[4].webhook_url
receivers.Ops team / nights.sinks[6].webhook_url
receivers.Ops team / nights.sinks[7].http_config.authorization.credentials
receivers.everything.sinks[0].user_key
receivers.everything.sinks[1].sigv4.secret_key
receivers.everything.sinks[2].api_secret
receivers.everything.sinks[4].token
receivers.everything.sinks[4].token_id
"#);
}
