//! What is said about receivers that Alertmanager would refuse.

use super::problems::{integrations, said_of};

fn http(parts: &[&str]) -> String {
    said_of(parts, |part| {
        format!(
            "route: {{ receiver: r }}
receivers:
- name: r
  webhook_configs: [{{ url: 'http://a', http_config: {part} }}]
"
        )
    })
}

#[test]
fn connections() {
    let parts = [
        "{ basic_auth: { username: a, username_file: f, password: b, password_file: f, password_ref: x } }",
        "{ basic_auth: {}, oauth2: { client_id: a, token_url: b } }",
        "{ authorization: { type: Basic, credentials: a, credentials_file: f }, bearer_token: x }",
        "{ bearer_token: x, bearer_token_file: f }",
        "{ oauth2: { client_secret: a, client_secret_file: f, grant_type: jwt } }",
        "{ proxy_url: a, proxy_from_environment: true, no_proxy: b }",
        "{ no_proxy: b, proxy_connect_header: { X: [a] } }",
        "{ tls_config: { ca: a, ca_file: f, cert_file: c, min_version: TLS9 } }",
        "{ tls_config: { key: a } }",
        "{ http_headers: { Host: { values: [a] }, X: { value: a } } }",
        "{ follow_redirect: true }",
    ];
    insta::assert_snapshot!(http(&parts), @r#"
# { basic_auth: { username: a, username_file: f, password: b, password_file: f, password_ref: x } }
error: `receivers[0].webhook_configs[0].http_config.basic_auth.password_ref`: Watchbell does not support this key of Alertmanager's
  --> alertmanager.yml:4
  hint: take it out, or leave what needs it to an Alertmanager beside Watchbell
error: `receivers[0].webhook_configs[0].http_config.basic_auth` has both `username` and `username_file`, expected one of them
  --> alertmanager.yml:4
error: `receivers[0].webhook_configs[0].http_config.basic_auth` has both `password` and `password_file`, expected one of them
  --> alertmanager.yml:4

# { basic_auth: {}, oauth2: { client_id: a, token_url: b } }
error: `receivers[0].webhook_configs[0].http_config` has both `basic_auth` and `oauth2`, expected one way to authenticate
  --> alertmanager.yml:4

# { authorization: { type: Basic, credentials: a, credentials_file: f }, bearer_token: x }
error: `receivers[0].webhook_configs[0].http_config` has both `authorization` and `bearer_token`, expected one way to authenticate
  --> alertmanager.yml:4
error: `receivers[0].webhook_configs[0].http_config.authorization` has both `credentials` and `credentials_file`, expected one of them
  --> alertmanager.yml:4
error: `receivers[0].webhook_configs[0].http_config.authorization.type`: expected another type; for this one there is `basic_auth`
  --> alertmanager.yml:4

# { bearer_token: x, bearer_token_file: f }
error: `receivers[0].webhook_configs[0].http_config` has both `bearer_token` and `bearer_token_file`, expected one of them
  --> alertmanager.yml:4

# { oauth2: { client_secret: a, client_secret_file: f, grant_type: jwt } }
error: `receivers[0].webhook_configs[0].http_config.oauth2.grant_type`: Watchbell does not support this key of Alertmanager's
  --> alertmanager.yml:4
  hint: take it out, or leave what needs it to an Alertmanager beside Watchbell
error: missing key `client_id` in `receivers[0].webhook_configs[0].http_config.oauth2`
  --> alertmanager.yml:4
error: missing key `token_url` in `receivers[0].webhook_configs[0].http_config.oauth2`
  --> alertmanager.yml:4
error: `receivers[0].webhook_configs[0].http_config.oauth2` has both `client_secret` and `client_secret_file`, expected one of them
  --> alertmanager.yml:4

# { proxy_url: a, proxy_from_environment: true, no_proxy: b }
error: `receivers[0].webhook_configs[0].http_config` has both `proxy_from_environment` and `proxy_url`, expected one of them
  --> alertmanager.yml:4
error: `receivers[0].webhook_configs[0].http_config` has both `proxy_from_environment` and `no_proxy`, expected one of them
  --> alertmanager.yml:4

# { no_proxy: b, proxy_connect_header: { X: [a] } }
error: `receivers[0].webhook_configs[0].http_config.no_proxy`: expected a `proxy_url` with it
  --> alertmanager.yml:4
error: `receivers[0].webhook_configs[0].http_config.proxy_connect_header`: expected a `proxy_url` with it
  --> alertmanager.yml:4

# { tls_config: { ca: a, ca_file: f, cert_file: c, min_version: TLS9 } }
error: `receivers[0].webhook_configs[0].http_config.tls_config` has both `ca` and `ca_file`, expected one of them
  --> alertmanager.yml:4
error: `receivers[0].webhook_configs[0].http_config.tls_config` has `cert_file` but no `key` or `key_file`, expected both
  --> alertmanager.yml:4
error: `receivers[0].webhook_configs[0].http_config.tls_config.min_version`: expected one of `TLS10`, `TLS11`, `TLS12`, `TLS13`, got `TLS9`
  --> alertmanager.yml:4

# { tls_config: { key: a } }
error: `receivers[0].webhook_configs[0].http_config.tls_config` has `key` but no `cert` or `cert_file`, expected both
  --> alertmanager.yml:4

# { http_headers: { Host: { values: [a] }, X: { value: a } } }
error: unknown key `value` in `receivers[0].webhook_configs[0].http_config.http_headers.X`
  --> alertmanager.yml:4
  hint: did you mean `values`? known keys: `values`, `secrets`, `files`
error: `receivers[0].webhook_configs[0].http_config.http_headers.Host`: this header cannot be set here
  --> alertmanager.yml:4

# { follow_redirect: true }
error: unknown key `follow_redirect` in `receivers[0].webhook_configs[0].http_config`
  --> alertmanager.yml:4
  hint: did you mean `follow_redirects`? known keys: `basic_auth`, `authorization`, `oauth2`, `bearer_token`, `bearer_token_file`, `tls_config`, `follow_redirects`, `enable_http2`, `proxy_url`, `no_proxy`, `proxy_from_environment`, `proxy_connect_header`, `http_headers`
"#);
}

#[test]
fn webhooks_mail_and_pagers() {
    let parts = [
        "webhook_configs: [{}, { url: 'http://a', url_file: f }, { url: s3cret-place }, { url: 'http://a', max_alerts: some, timeout: 5 }]",
        "email_configs: [{}]",
        "email_configs: [{ to: a, smarthost: 'a:1', from: b, auth_password: c, auth_password_file: f, auth_secret: d, auth_secret_file: f }]",
        "email_configs: [{ to: a, smarthost: 'a:1', from: b, headers: { Subject: a, subject: b, References: c }, threading: { enabled: true } }]",
        "email_configs: [{ to: a, smarthost: 'a:1', from: b, threading: { enabled: true, thread_by_date: weekly }, tls_config: { key: a } }]",
        "pagerduty_configs: [{}, { routing_key: a, routing_key_file: f, service_key: b, service_key_file: f }, { routing_key: a, details: [] }]",
        "opsgenie_configs: [{ api_key: abcd, api_key_file: f, responders: [{}, { id: a, type: crowd }] }, {}]",
        "victorops_configs: [{ api_key: abcd }, { routing_key: a, api_key: abcd, api_key_file: f, custom_fields: { entity_id: b } }, { routing_key: a }]",
        "pushover_configs: [{}, { user_key: abcd, user_key_file: f, token: abcd, token_file: f, html: true, monospace: true, retry: soon }]",
        "sns_configs: [{ sigv4: { access_key: a, external_id: b } }, { topic_arn: a, phone_number: b }]",
    ];
    insta::assert_snapshot!(integrations(&parts), @r#"
# webhook_configs: [{}, { url: 'http://a', url_file: f }, { url: s3cret-place }, { url: 'http://a', max_alerts: some, timeout: 5 }]
error: missing key in `receivers[0].webhook_configs[0]`: expected `url` or `url_file`
  --> alertmanager.yml:4
error: `receivers[0].webhook_configs[1]` has both `url` and `url_file`, expected one of them
  --> alertmanager.yml:4
error: `receivers[0].webhook_configs[2].url`: expected an address that begins with `https://` or `http://`, or a template of one (its value is not shown)
  --> alertmanager.yml:4
error: `receivers[0].webhook_configs[3].max_alerts`: expected a whole number, got `some`
  --> alertmanager.yml:4
error: `receivers[0].webhook_configs[3].timeout`: expected a duration such as `10s` or `1m30s`, got `5`
  --> alertmanager.yml:4

# email_configs: [{}]
error: missing key `to` in `receivers[0].email_configs[0]`
  --> alertmanager.yml:4
error: missing key in `receivers[0].email_configs[0]`: expected `smarthost` there or `smtp_smarthost` in `global`
  --> alertmanager.yml:4
error: missing key in `receivers[0].email_configs[0]`: expected `from` there or `smtp_from` in `global`
  --> alertmanager.yml:4

# email_configs: [{ to: a, smarthost: 'a:1', from: b, auth_password: c, auth_password_file: f, auth_secret: d, auth_secret_file: f }]
error: `receivers[0].email_configs[0]` has both `auth_password` and `auth_password_file`, expected one of them
  --> alertmanager.yml:4
error: `receivers[0].email_configs[0]` has both `auth_secret` and `auth_secret_file`, expected one of them
  --> alertmanager.yml:4

# email_configs: [{ to: a, smarthost: 'a:1', from: b, headers: { Subject: a, subject: b, References: c }, threading: { enabled: true } }]
error: `receivers[0].email_configs[0].headers.subject`: this header comes twice
  --> alertmanager.yml:4
error: missing key `thread_by_date` in `receivers[0].email_configs[0].threading`
  --> alertmanager.yml:4
error: `receivers[0].email_configs[0].headers.References`: `threading` sets this header, expected one of the two
  --> alertmanager.yml:4

# email_configs: [{ to: a, smarthost: 'a:1', from: b, threading: { enabled: true, thread_by_date: weekly }, tls_config: { key: a } }]
error: `receivers[0].email_configs[0].tls_config` has `key` but no `cert` or `cert_file`, expected both
  --> alertmanager.yml:4
error: `receivers[0].email_configs[0].threading.thread_by_date`: expected one of `none`, `daily`, got `weekly`
  --> alertmanager.yml:4

# pagerduty_configs: [{}, { routing_key: a, routing_key_file: f, service_key: b, service_key_file: f }, { routing_key: a, details: [] }]
error: missing key in `receivers[0].pagerduty_configs[0]`: expected one of `routing_key`, `routing_key_file`, `service_key` and `service_key_file`
  --> alertmanager.yml:4
error: `receivers[0].pagerduty_configs[1]` has both `routing_key` and `routing_key_file`, expected one of them
  --> alertmanager.yml:4
error: `receivers[0].pagerduty_configs[1]` has both `service_key` and `service_key_file`, expected one of them
  --> alertmanager.yml:4
error: `receivers[0].pagerduty_configs[2].details`: expected a map
  --> alertmanager.yml:4

# opsgenie_configs: [{ api_key: abcd, api_key_file: f, responders: [{}, { id: a, type: crowd }] }, {}]
error: `receivers[0].opsgenie_configs[0]` has both `api_key` and `api_key_file`, expected one of them
  --> alertmanager.yml:4
error: `receivers[0].opsgenie_configs[0].responders[0]`: expected at least one of `id`, `name` and `username`
  --> alertmanager.yml:4
error: `receivers[0].opsgenie_configs[0].responders[0].type`: expected one of `team`, `teams`, `user`, `escalation`, `schedule`, got ``
  --> alertmanager.yml:4
error: `receivers[0].opsgenie_configs[0].responders[1].type`: expected one of `team`, `teams`, `user`, `escalation`, `schedule`, got `crowd`
  --> alertmanager.yml:4
error: missing key in `receivers[0].opsgenie_configs[1]`: expected `api_key` there or `opsgenie_api_key` in `global`
  --> alertmanager.yml:4

# victorops_configs: [{ api_key: abcd }, { routing_key: a, api_key: abcd, api_key_file: f, custom_fields: { entity_id: b } }, { routing_key: a }]
error: missing key `routing_key` in `receivers[0].victorops_configs[0]`
  --> alertmanager.yml:4
error: `receivers[0].victorops_configs[1]` has both `api_key` and `api_key_file`, expected one of them
  --> alertmanager.yml:4
error: `receivers[0].victorops_configs[1].custom_fields.entity_id`: this field is set already, expected another name
  --> alertmanager.yml:4
error: missing key in `receivers[0].victorops_configs[2]`: expected `api_key` there or `victorops_api_key` in `global`
  --> alertmanager.yml:4

# pushover_configs: [{}, { user_key: abcd, user_key_file: f, token: abcd, token_file: f, html: true, monospace: true, retry: soon }]
error: missing key in `receivers[0].pushover_configs[0]`: expected `user_key` or `user_key_file`
  --> alertmanager.yml:4
error: missing key in `receivers[0].pushover_configs[0]`: expected `token` or `token_file`
  --> alertmanager.yml:4
error: `receivers[0].pushover_configs[1].retry`: expected a duration such as `10s` or `1m30s`, got `soon`
  --> alertmanager.yml:4
error: `receivers[0].pushover_configs[1]` has both `user_key` and `user_key_file`, expected one of them
  --> alertmanager.yml:4
error: `receivers[0].pushover_configs[1]` has both `token` and `token_file`, expected one of them
  --> alertmanager.yml:4
error: `receivers[0].pushover_configs[1]` has both `html` and `monospace`, expected one of them
  --> alertmanager.yml:4

# sns_configs: [{ sigv4: { access_key: a, external_id: b } }, { topic_arn: a, phone_number: b }]
error: `receivers[0].sns_configs[0]`: expected one of `target_arn`, `topic_arn` and `phone_number`, got 0 of them
  --> alertmanager.yml:4
error: `receivers[0].sns_configs[0].sigv4` has `access_key` but no `secret_key`, expected both or none
  --> alertmanager.yml:4
error: `receivers[0].sns_configs[0].sigv4.external_id`: expected a `role_arn` with it
  --> alertmanager.yml:4
error: `receivers[0].sns_configs[1]`: expected one of `target_arn`, `topic_arn` and `phone_number`, got 2 of them
  --> alertmanager.yml:4
"#);
}

#[test]
fn chats_and_tickets() {
    let parts = [
        "slack_configs: [{}]",
        "slack_configs: [{ api_url: 'https://a', api_url_file: f, app_token: abcd, app_token_file: f }]",
        "slack_configs: [{ api_url: 'https://a', update_message: true, fields: [{}], actions: [{}, { type: a, text: b, name: c, confirm: {} }] }]",
        "slack_configs: [{ app_token: abcd, http_config: { authorization: { credentials: abcd } } }]",
        "wechat_configs: [{ message_type: image }, { api_secret: abcd, api_secret_file: f, corp_id: a }]",
        "telegram_configs: [{}, { chat_id: 0, bot_token: abcd }, { chat_id: 1, chat_id_file: f, bot_token: abcd, bot_token_file: f, parse_mode: Text }, { chat_id: '1', bot_token: abcd }]",
        "discord_configs: [{}, { webhook_url: 'https://a', webhook_url_file: f }]",
        "msteams_configs: [{}, { webhook_url: 'https://a', webhook_url_file: f }]",
        "msteamsv2_configs: [{ summary: a }, { webhook_url: 'https://a', webhook_url_file: f }]",
        "webex_configs: [{}, { room_id: a, http_config: {} }]",
        "jira_configs: [{}, { api_url: 'https://a', project: a, issue_type: b, api_type: server, labels: a }]",
        "rocketchat_configs: [{}, { token: abcd, token_file: f, token_id: abcd, token_id_file: f }]",
    ];
    insta::assert_snapshot!(integrations(&parts), @r#"
# slack_configs: [{}]
error: missing key in `receivers[0].slack_configs[0]`: expected `api_url` or `app_token` there or `slack_api_url` in `global`
  --> alertmanager.yml:4

# slack_configs: [{ api_url: 'https://a', api_url_file: f, app_token: abcd, app_token_file: f }]
error: `receivers[0].slack_configs[0]` has both `api_url` and `api_url_file`, expected one of them
  --> alertmanager.yml:4
error: `receivers[0].slack_configs[0]` has both `app_token` and `app_token_file`, expected one of them
  --> alertmanager.yml:4
error: `receivers[0].slack_configs[0]` has both an `api_url` and an `app_token`, expected one of them
  --> alertmanager.yml:4

# slack_configs: [{ api_url: 'https://a', update_message: true, fields: [{}], actions: [{}, { type: a, text: b, name: c, confirm: {} }] }]
error: `receivers[0].slack_configs[0].update_message`: only messages sent with a bot token can be changed; expected `api_url: https://slack.com/api/chat.postMessage`
  --> alertmanager.yml:4
error: missing key `title` in `receivers[0].slack_configs[0].fields[0]`
  --> alertmanager.yml:4
error: missing key `value` in `receivers[0].slack_configs[0].fields[0]`
  --> alertmanager.yml:4
error: missing key `type` in `receivers[0].slack_configs[0].actions[0]`
  --> alertmanager.yml:4
error: missing key `text` in `receivers[0].slack_configs[0].actions[0]`
  --> alertmanager.yml:4
error: missing key in `receivers[0].slack_configs[0].actions[0]`: expected `url` or `name`
  --> alertmanager.yml:4
error: missing key `text` in `receivers[0].slack_configs[0].actions[1].confirm`
  --> alertmanager.yml:4

# slack_configs: [{ app_token: abcd, http_config: { authorization: { credentials: abcd } } }]
error: `receivers[0].slack_configs[0].http_config.authorization`: the `app_token` of Slack is sent in this place, expected one of the two
  --> alertmanager.yml:4

# wechat_configs: [{ message_type: image }, { api_secret: abcd, api_secret_file: f, corp_id: a }]
error: `receivers[0].wechat_configs[0].message_type`: expected one of `text`, `markdown`, got `image`
  --> alertmanager.yml:4
error: missing key in `receivers[0].wechat_configs[0]`: expected `api_secret` there or `wechat_api_secret` in `global`
  --> alertmanager.yml:4
error: missing key in `receivers[0].wechat_configs[0]`: expected `corp_id` there or `wechat_api_corp_id` in `global`
  --> alertmanager.yml:4
error: `receivers[0].wechat_configs[1]` has both `api_secret` and `api_secret_file`, expected one of them
  --> alertmanager.yml:4

# telegram_configs: [{}, { chat_id: 0, bot_token: abcd }, { chat_id: 1, chat_id_file: f, bot_token: abcd, bot_token_file: f, parse_mode: Text }, { chat_id: '1', bot_token: abcd }]
error: missing key in `receivers[0].telegram_configs[0]`: expected `chat_id` or `chat_id_file`
  --> alertmanager.yml:4
error: missing key in `receivers[0].telegram_configs[0]`: expected `bot_token` there or `telegram_bot_token` in `global`
  --> alertmanager.yml:4
error: missing key in `receivers[0].telegram_configs[1]`: expected `chat_id` or `chat_id_file`
  --> alertmanager.yml:4
error: `receivers[0].telegram_configs[2]` has both `bot_token` and `bot_token_file`, expected one of them
  --> alertmanager.yml:4
error: `receivers[0].telegram_configs[2]` has both `chat_id` and `chat_id_file`, expected one of them
  --> alertmanager.yml:4
error: `receivers[0].telegram_configs[2].parse_mode`: expected one of `Markdown`, `MarkdownV2`, `HTML`, got `Text`
  --> alertmanager.yml:4
error: `receivers[0].telegram_configs[3].chat_id`: expected a whole number, got `1`
  --> alertmanager.yml:4

# discord_configs: [{}, { webhook_url: 'https://a', webhook_url_file: f }]
error: missing key in `receivers[0].discord_configs[0]`: expected `webhook_url` or `webhook_url_file`
  --> alertmanager.yml:4
error: `receivers[0].discord_configs[1]` has both `webhook_url` and `webhook_url_file`, expected one of them
  --> alertmanager.yml:4

# msteams_configs: [{}, { webhook_url: 'https://a', webhook_url_file: f }]
error: missing key in `receivers[0].msteams_configs[0]`: expected `webhook_url` or `webhook_url_file`
  --> alertmanager.yml:4
error: `receivers[0].msteams_configs[1]` has both `webhook_url` and `webhook_url_file`, expected one of them
  --> alertmanager.yml:4

# msteamsv2_configs: [{ summary: a }, { webhook_url: 'https://a', webhook_url_file: f }]
error: unknown key `summary` in `receivers[0].msteamsv2_configs[0]`
  --> alertmanager.yml:4
  hint: known keys: `send_resolved`, `http_config`, `webhook_url`, `webhook_url_file`, `title`, `text`
error: missing key in `receivers[0].msteamsv2_configs[0]`: expected `webhook_url` or `webhook_url_file`
  --> alertmanager.yml:4
error: `receivers[0].msteamsv2_configs[1]` has both `webhook_url` and `webhook_url_file`, expected one of them
  --> alertmanager.yml:4

# webex_configs: [{}, { room_id: a, http_config: {} }]
error: missing key `room_id` in `receivers[0].webex_configs[0]`
  --> alertmanager.yml:4
error: missing key `authorization` in `receivers[0].webex_configs[0].http_config`
  --> alertmanager.yml:4
error: missing key `authorization` in `receivers[0].webex_configs[1].http_config`
  --> alertmanager.yml:4

# jira_configs: [{}, { api_url: 'https://a', project: a, issue_type: b, api_type: server, labels: a }]
error: missing key `project` in `receivers[0].jira_configs[0]`
  --> alertmanager.yml:4
error: missing key `issue_type` in `receivers[0].jira_configs[0]`
  --> alertmanager.yml:4
error: missing key in `receivers[0].jira_configs[0]`: expected `api_url` there or `jira_api_url` in `global`
  --> alertmanager.yml:4
error: `receivers[0].jira_configs[1].labels`: expected a list, got text
  --> alertmanager.yml:4
error: `receivers[0].jira_configs[1].api_type`: expected one of `auto`, `cloud`, `datacenter`, got `server`
  --> alertmanager.yml:4

# rocketchat_configs: [{}, { token: abcd, token_file: f, token_id: abcd, token_id_file: f }]
error: missing key in `receivers[0].rocketchat_configs[0]`: expected `token` there or `rocketchat_token` in `global`
  --> alertmanager.yml:4
error: missing key in `receivers[0].rocketchat_configs[0]`: expected `token_id` there or `rocketchat_token_id` in `global`
  --> alertmanager.yml:4
error: `receivers[0].rocketchat_configs[1]` has both `token` and `token_file`, expected one of them
  --> alertmanager.yml:4
error: `receivers[0].rocketchat_configs[1]` has both `token_id` and `token_id_file`, expected one of them
  --> alertmanager.yml:4
"#);
}
