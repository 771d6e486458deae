//! Every key of Alertmanager 0.34's configuration, section by section, as its sources define them (read 2026-11-28).

use super::keys::Keys;
use super::keys::Kind::{
    Address, Any, Boolean, Duration, GoDuration, HostPort, Map, Maps, NamedMaps, Part, Patterns, Secret, SecretAddress,
    SecretTemplate, SecretsMap, Text, TextMap, TextOr, Texts, Unsupported, Whole,
};

pub(super) const FILE: Keys = &[
    ("global", Part),
    ("route", Part),
    ("inhibit_rules", Part),
    ("receivers", Part),
    ("templates", Texts),
    ("mute_time_intervals", Part),
    ("time_intervals", Part),
    ("tracing", Unsupported),
    ("event_recorder", Unsupported),
];

pub(super) const GLOBAL: Keys = &[
    ("resolve_timeout", Duration),
    ("http_config", Map(HTTP)),
    ("jira_api_url", Address),
    ("smtp_from", Text),
    ("smtp_hello", Text),
    ("smtp_smarthost", HostPort),
    ("smtp_auth_username", Text),
    ("smtp_auth_password", Secret),
    ("smtp_auth_password_file", Text),
    ("smtp_auth_secret", Secret),
    ("smtp_auth_secret_file", Text),
    ("smtp_auth_identity", Text),
    ("smtp_require_tls", Boolean),
    ("smtp_tls_config", Map(TLS)),
    ("smtp_force_implicit_tls", Boolean),
    ("slack_api_url", SecretAddress),
    ("slack_api_url_file", Text),
    ("slack_app_token", Secret),
    ("slack_app_token_file", Text),
    ("slack_app_url", Address),
    ("pagerduty_url", Address),
    ("opsgenie_api_url", Address),
    ("opsgenie_api_key", Secret),
    ("opsgenie_api_key_file", Text),
    ("wechat_api_url", Address),
    ("wechat_api_secret", Secret),
    ("wechat_api_secret_file", Text),
    ("wechat_api_corp_id", Text),
    ("victorops_api_url", Address),
    ("victorops_api_key", Secret),
    ("victorops_api_key_file", Text),
    ("telegram_api_url", Address),
    ("telegram_bot_token", Secret),
    ("telegram_bot_token_file", Text),
    ("webex_api_url", Address),
    ("rocketchat_api_url", Address),
    ("rocketchat_token", Secret),
    ("rocketchat_token_file", Text),
    ("rocketchat_token_id", Secret),
    ("rocketchat_token_id_file", Text),
    ("mattermost_webhook_url", Unsupported),
    ("mattermost_webhook_url_file", Unsupported),
];

pub(super) const HTTP: Keys = &[
    ("basic_auth", Map(BASIC_AUTH)),
    ("authorization", Map(AUTHORIZATION)),
    ("oauth2", Map(OAUTH2)),
    ("bearer_token", Secret),
    ("bearer_token_file", Text),
    ("tls_config", Map(TLS)),
    ("follow_redirects", Boolean),
    ("enable_http2", Boolean),
    ("proxy_url", Text),
    ("no_proxy", Text),
    ("proxy_from_environment", Boolean),
    ("proxy_connect_header", SecretsMap),
    ("http_headers", NamedMaps(HEADER)),
];

const BASIC_AUTH: Keys = &[
    ("username", Text),
    ("username_file", Text),
    ("username_ref", Unsupported),
    ("password", Secret),
    ("password_file", Text),
    ("password_ref", Unsupported),
];

const AUTHORIZATION: Keys =
    &[("type", Text), ("credentials", Secret), ("credentials_file", Text), ("credentials_ref", Unsupported)];

const OAUTH2: Keys = &[
    ("client_id", Text),
    ("client_secret", Secret),
    ("client_secret_file", Text),
    ("client_secret_ref", Unsupported),
    ("client_certificate_key_id", Unsupported),
    ("client_certificate_key", Unsupported),
    ("client_certificate_key_file", Unsupported),
    ("client_certificate_key_ref", Unsupported),
    ("grant_type", Unsupported),
    ("signature_algorithm", Unsupported),
    ("iss", Unsupported),
    ("audience", Unsupported),
    ("claims", Unsupported),
    ("scopes", Texts),
    ("token_url", Text),
    ("endpoint_params", TextMap),
    ("tls_config", Map(TLS)),
    ("proxy_url", Text),
    ("no_proxy", Text),
    ("proxy_from_environment", Boolean),
    ("proxy_connect_header", SecretsMap),
];

pub(super) const TLS: Keys = &[
    ("ca", Text),
    ("ca_file", Text),
    ("ca_ref", Unsupported),
    ("cert", Text),
    ("cert_file", Text),
    ("cert_ref", Unsupported),
    ("key", Secret),
    ("key_file", Text),
    ("key_ref", Unsupported),
    ("server_name", Text),
    ("insecure_skip_verify", Boolean),
    ("min_version", Text),
    ("max_version", Text),
];

const HEADER: Keys = &[("values", Texts), ("secrets", Texts), ("files", Texts)];

pub(super) const ROUTE: Keys = &[
    ("receiver", Text),
    ("group_by", Texts),
    ("match", TextMap),
    ("match_re", Patterns),
    ("matchers", Texts),
    ("mute_time_intervals", Texts),
    ("active_time_intervals", Texts),
    ("continue", Boolean),
    ("routes", Part),
    ("group_wait", Duration),
    ("group_interval", Duration),
    ("repeat_interval", Duration),
    ("labels", Unsupported),
];

pub(super) const INHIBIT_RULE: Keys = &[
    ("name", Text),
    ("source_match", TextMap),
    ("source_match_re", Patterns),
    ("source_matchers", Texts),
    ("target_match", TextMap),
    ("target_match_re", Patterns),
    ("target_matchers", Texts),
    ("equal", Texts),
];

pub(super) const WEBHOOK: Keys = &[
    ("send_resolved", Boolean),
    ("http_config", Map(HTTP)),
    ("url", SecretTemplate),
    ("url_file", Text),
    ("max_alerts", Whole),
    ("timeout", GoDuration),
    ("payload", Any),
];

pub(super) const EMAIL: Keys = &[
    ("send_resolved", Boolean),
    ("to", Text),
    ("from", Text),
    ("hello", Text),
    ("smarthost", HostPort),
    ("auth_username", Text),
    ("auth_password", Secret),
    ("auth_password_file", Text),
    ("auth_secret", Secret),
    ("auth_secret_file", Text),
    ("auth_identity", Text),
    ("headers", TextMap),
    ("html", Text),
    ("text", Text),
    ("require_tls", Boolean),
    ("tls_config", Map(TLS)),
    ("force_implicit_tls", Boolean),
    ("threading", Map(&[("enabled", Boolean), ("thread_by_date", Text)])),
];

pub(super) const PAGERDUTY: Keys = &[
    ("send_resolved", Boolean),
    ("http_config", Map(HTTP)),
    ("service_key", Secret),
    ("service_key_file", Text),
    ("routing_key", Secret),
    ("routing_key_file", Text),
    ("url", Address),
    ("client", Text),
    ("client_url", Text),
    ("description", Text),
    ("details", Any),
    ("images", Maps(&[("src", Text), ("alt", Text), ("href", Text)])),
    ("links", Maps(&[("href", Text), ("text", Text)])),
    ("source", Text),
    ("severity", Text),
    ("class", Text),
    ("component", Text),
    ("group", Text),
    ("timeout", GoDuration),
];

pub(super) const OPSGENIE: Keys = &[
    ("send_resolved", Boolean),
    ("http_config", Map(HTTP)),
    ("api_key", Secret),
    ("api_key_file", Text),
    ("api_url", Address),
    ("message", Text),
    ("description", Text),
    ("source", Text),
    ("details", TextMap),
    ("entity", Text),
    ("responders", Maps(&[("id", Text), ("name", Text), ("username", Text), ("type", Text)])),
    ("actions", Text),
    ("tags", Text),
    ("note", Text),
    ("priority", Text),
    ("update_alerts", Boolean),
];

pub(super) const SLACK: Keys = &[
    ("send_resolved", Boolean),
    ("http_config", Map(HTTP)),
    ("api_url", SecretAddress),
    ("api_url_file", Text),
    ("app_token", Secret),
    ("app_token_file", Text),
    ("app_url", Address),
    ("channel", Text),
    ("username", Text),
    ("color", Text),
    ("title", Text),
    ("title_link", Text),
    ("pretext", Text),
    ("text", Text),
    ("message_text", Text),
    ("fields", Maps(&[("title", Text), ("value", Text), ("short", Boolean)])),
    ("short_fields", Boolean),
    ("footer", Text),
    ("fallback", Text),
    ("callback_id", Text),
    ("icon_emoji", Text),
    ("icon_url", Text),
    ("image_url", Text),
    ("thumb_url", Text),
    ("link_names", Boolean),
    ("mrkdwn_in", Texts),
    ("actions", Maps(SLACK_ACTION)),
    ("update_message", Boolean),
    ("timeout", GoDuration),
];

const SLACK_ACTION: Keys = &[
    ("type", Text),
    ("text", Text),
    ("url", Text),
    ("style", Text),
    ("name", Text),
    ("value", Text),
    ("confirm", Map(&[("text", Text), ("title", Text), ("ok_text", Text), ("dismiss_text", Text)])),
];

pub(super) const WECHAT: Keys = &[
    ("send_resolved", Boolean),
    ("http_config", Map(HTTP)),
    ("api_secret", Secret),
    ("api_secret_file", Text),
    ("corp_id", Text),
    ("message", Text),
    ("api_url", Address),
    ("to_user", Text),
    ("to_party", Text),
    ("to_tag", Text),
    ("agent_id", Text),
    ("message_type", Text),
];

pub(super) const PUSHOVER: Keys = &[
    ("send_resolved", Boolean),
    ("http_config", Map(HTTP)),
    ("user_key", Secret),
    ("user_key_file", Text),
    ("token", Secret),
    ("token_file", Text),
    ("title", Text),
    ("message", Text),
    ("url", Text),
    ("url_title", Text),
    ("device", Text),
    ("sound", Text),
    ("priority", Text),
    ("retry", GoDuration),
    ("expire", GoDuration),
    ("ttl", GoDuration),
    ("html", Boolean),
    ("monospace", Boolean),
];

pub(super) const VICTOROPS: Keys = &[
    ("send_resolved", Boolean),
    ("http_config", Map(HTTP)),
    ("api_key", Secret),
    ("api_key_file", Text),
    ("api_url", Address),
    ("routing_key", Text),
    ("message_type", Text),
    ("state_message", Text),
    ("entity_display_name", Text),
    ("monitoring_tool", Text),
    ("custom_fields", TextMap),
];

pub(super) const SNS: Keys = &[
    ("send_resolved", Boolean),
    ("http_config", Map(HTTP)),
    ("api_url", Text),
    ("sigv4", Map(SIGV4)),
    ("topic_arn", Text),
    ("phone_number", Text),
    ("target_arn", Text),
    ("subject", Text),
    ("message", Text),
    ("attributes", TextMap),
    ("use_aws_http_client", Boolean),
];

const SIGV4: Keys = &[
    ("region", Text),
    ("access_key", Text),
    ("secret_key", Secret),
    ("profile", Text),
    ("role_arn", Text),
    ("external_id", Text),
    ("use_fips_sts_endpoint", Boolean),
];

pub(super) const TELEGRAM: Keys = &[
    ("send_resolved", Boolean),
    ("http_config", Map(HTTP)),
    ("api_url", Address),
    ("bot_token", Secret),
    ("bot_token_file", Text),
    ("chat_id", Whole),
    ("chat_id_file", Text),
    ("message_thread_id", Whole),
    ("message", Text),
    ("disable_notifications", Boolean),
    ("parse_mode", Text),
];

pub(super) const DISCORD: Keys = &[
    ("send_resolved", Boolean),
    ("http_config", Map(HTTP)),
    ("webhook_url", SecretAddress),
    ("webhook_url_file", Text),
    ("content", Text),
    ("title", Text),
    ("message", Text),
    ("username", Text),
    ("avatar_url", Text),
];

pub(super) const WEBEX: Keys = &[
    ("send_resolved", Boolean),
    ("http_config", Map(HTTP)),
    ("api_url", Address),
    ("message", Text),
    ("room_id", Text),
];

pub(super) const MSTEAMS: Keys = &[
    ("send_resolved", Boolean),
    ("http_config", Map(HTTP)),
    ("webhook_url", SecretAddress),
    ("webhook_url_file", Text),
    ("title", Text),
    ("summary", Text),
    ("text", Text),
];

pub(super) const MSTEAMSV2: Keys = &[
    ("send_resolved", Boolean),
    ("http_config", Map(HTTP)),
    ("webhook_url", SecretAddress),
    ("webhook_url_file", Text),
    ("title", Text),
    ("text", Text),
];

pub(super) const JIRA: Keys = &[
    ("send_resolved", Boolean),
    ("http_config", Map(HTTP)),
    ("api_url", Address),
    ("api_type", Text),
    ("project", Text),
    ("summary", TextOr(JIRA_FIELD)),
    ("description", TextOr(JIRA_FIELD)),
    ("labels", Texts),
    ("priority", Text),
    ("issue_type", Text),
    ("reopen_transition", Text),
    ("resolve_transition", Text),
    ("wont_fix_resolution", Text),
    ("reopen_duration", Duration),
    ("fields", Any),
];

const JIRA_FIELD: Keys = &[("template", Text), ("enable_update", Boolean)];

pub(super) const ROCKETCHAT: Keys = &[
    ("send_resolved", Boolean),
    ("http_config", Map(HTTP)),
    ("api_url", Address),
    ("token_id", Secret),
    ("token_id_file", Text),
    ("token", Secret),
    ("token_file", Text),
    ("channel", Text),
    ("color", Text),
    ("title", Text),
    ("title_link", Text),
    ("text", Text),
    ("fields", Maps(&[("title", Text), ("value", Text), ("short", Boolean)])),
    ("short_fields", Boolean),
    ("emoji", Text),
    ("icon_url", Text),
    ("image_url", Text),
    ("thumb_url", Text),
    ("link_names", Boolean),
    ("actions", Maps(ROCKETCHAT_ACTION)),
];

/// Go's names in lower case, since these fields have no others there.
const ROCKETCHAT_ACTION: Keys = &[
    ("type", Text),
    ("text", Text),
    ("url", Text),
    ("imageurl", Text),
    ("iswebview", Boolean),
    ("webviewheightratio", Text),
    ("msg", Text),
    ("msginchatwindow", Boolean),
    ("msgprocessingtype", Text),
];
