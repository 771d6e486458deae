//! What is said about a file that Alertmanager would refuse, or that asks for what we have not.

use super::*;

/// What is said about each of these parts, each in a file of its own.
pub(super) fn said_of(parts: &[&str], file: impl Fn(&str) -> String) -> String {
    let said = parts.iter().map(|part| format!("# {part}\n{}", Scene::new(&file(part)).said()));
    said.collect::<Vec<_>>().join("\n\n")
}

pub(super) fn integrations(parts: &[&str]) -> String {
    said_of(parts, |part| format!("route: {{ receiver: r }}\nreceivers:\n- name: r\n  {part}\n"))
}

const RECEIVERS: &str = "receivers: [{ name: r }, { name: ops }]\n";

#[test]
fn files_that_are_none() {
    let parts = [
        "",
        "- a",
        "route: { receiver: r",
        "tracing: { endpoint: x }\nrout: {}",
        "global: 5\nroute: { receiver: r }\nreceivers: {}",
    ];
    insta::assert_snapshot!(said_of(&parts, str::to_owned), @r#"
# 
error: missing key `route`
  --> alertmanager.yml

# - a
error: expected a map of settings such as `route`
  --> alertmanager.yml

# route: { receiver: r
error: cannot read the file as YAML: while parsing a flow mapping, did not find expected ',' or '}'
  --> alertmanager.yml:2:1

# tracing: { endpoint: x }
rout: {}
error: `tracing`: Watchbell does not support this key of Alertmanager's
  --> alertmanager.yml:1
  hint: take it out, or leave what needs it to an Alertmanager beside Watchbell
error: unknown key `rout`
  --> alertmanager.yml:2
  hint: did you mean `route`? known keys: `global`, `route`, `inhibit_rules`, `receivers`, `templates`, `mute_time_intervals`, `time_intervals`
error: missing key `route`
  --> alertmanager.yml

# global: 5
route: { receiver: r }
receivers: {}
error: `global`: expected a map, got a number or a truth value
  --> alertmanager.yml:1
error: unknown receiver `r` in `route.receiver`
  --> alertmanager.yml:2
  hint: none is configured under `receivers`
error: `receivers`: expected a list, got a map
  --> alertmanager.yml:3
"#);
}

#[test]
fn roots() {
    let parts = [
        "route: {}",
        "route: { receiver: r, matchers: [a=b], continue: true, mute_time_intervals: [x], active_time_intervals: [y] }",
        "route: { receiver: r, match: { a: b } }",
        "route: { receiver: r, match_re: { a: b } }",
        "route: { receiver: op, labels: { a: b } }",
    ];
    insta::assert_snapshot!(said_of(&parts, |part| format!("{RECEIVERS}{part}\n")), @r#"
# route: {}
error: missing key `receiver` in `route`
  --> alertmanager.yml:2
  hint: the root names the receiver of what no other route takes

# route: { receiver: r, matchers: [a=b], continue: true, mute_time_intervals: [x], active_time_intervals: [y] }
error: unknown time interval `x` in `route.mute_time_intervals[0]`
  --> alertmanager.yml:2
  hint: none is configured under `time_intervals`
error: unknown time interval `y` in `route.active_time_intervals[0]`
  --> alertmanager.yml:2
  hint: none is configured under `time_intervals`
error: `route.matchers`: the root takes everything, expected it only on the routes below it
  --> alertmanager.yml:2
error: `route.mute_time_intervals`: the root takes everything, expected it only on the routes below it
  --> alertmanager.yml:2
error: `route.active_time_intervals`: the root takes everything, expected it only on the routes below it
  --> alertmanager.yml:2
error: `route.continue`: nothing comes after the root, expected it only on the routes below it
  --> alertmanager.yml:2

# route: { receiver: r, match: { a: b } }
error: `route.match`: the root takes everything, expected it only on the routes below it
  --> alertmanager.yml:2

# route: { receiver: r, match_re: { a: b } }
error: `route.match_re`: the root takes everything, expected it only on the routes below it
  --> alertmanager.yml:2

# route: { receiver: op, labels: { a: b } }
error: `route.labels`: Watchbell does not support this key of Alertmanager's
  --> alertmanager.yml:2
  hint: take it out, or leave what needs it to an Alertmanager beside Watchbell
error: unknown receiver `op` in `route.receiver`
  --> alertmanager.yml:2
  hint: did you mean `ops`?
"#);
}

#[test]
fn routes() {
    let parts = [
        "{ receiver: nobody }",
        "{ group_by: [a, a] }",
        "{ group_by: [a, '...'] }",
        "{ group_by: [''] }",
        "{ group_interval: 0s, repeat_interval: 0, group_wait: 0s }",
        "{ group_wait: 5, group_interval: 1.5h, repeat_interval: 30m1h }",
        "{ mute_time_intervals: [hidays], active_time_intervals: [offhours] }",
        "{ match: { a-b: c }, match_re: { a: '(' , b: } }",
        "{ matchers: ['a', 'b=~\"(\"', 'c=\"d', '{,}'] }",
        "{ matchers: a=b }",
        "{ routes: [null, { receivr: ops }] }",
        "{ continue: perhaps }",
    ];
    let file = |part: &str| {
        format!("{RECEIVERS}time_intervals: [{{ name: holidays }}]\nroute:\n  receiver: r\n  routes:\n  - {part}\n")
    };
    insta::assert_snapshot!(said_of(&parts, file), @r#"
    # { receiver: nobody }
    error: unknown receiver `nobody` in `route.routes[0].receiver`
      --> alertmanager.yml:6
      hint: there are: `ops`, `r`

    # { group_by: [a, a] }
    error: `route.routes[0].group_by`: the label `a` comes twice
      --> alertmanager.yml:6

    # { group_by: [a, '...'] }
    error: `route.routes[0].group_by`: `...` is all labels, expected no others beside it
      --> alertmanager.yml:6

    # { group_by: [''] }
    error: `route.routes[0].group_by`: expected the name of a label, got nothing
      --> alertmanager.yml:6

    # { group_interval: 0s, repeat_interval: 0, group_wait: 0s }
    error: `route.routes[0].group_interval`: expected more than `0s`
      --> alertmanager.yml:6
    error: `route.routes[0].repeat_interval`: expected more than `0s`
      --> alertmanager.yml:6

    # { group_wait: 5, group_interval: 1.5h, repeat_interval: 30m1h }
    error: `route.routes[0].group_wait`: expected a duration such as `30s`, `5m` or `1h30m`, got `5`
      --> alertmanager.yml:6
    error: `route.routes[0].group_interval`: expected a duration such as `30s`, `5m` or `1h30m`, got `1.5h`
      --> alertmanager.yml:6
    error: `route.routes[0].repeat_interval`: expected a duration such as `30s`, `5m` or `1h30m`, got `30m1h`
      --> alertmanager.yml:6

    # { mute_time_intervals: [hidays], active_time_intervals: [offhours] }
    error: unknown time interval `hidays` in `route.routes[0].mute_time_intervals[0]`
      --> alertmanager.yml:6
      hint: did you mean `holidays`?
    error: unknown time interval `offhours` in `route.routes[0].active_time_intervals[0]`
      --> alertmanager.yml:6
      hint: there are: `holidays`

    # { match: { a-b: c }, match_re: { a: '(' , b: } }
    error: `route.routes[0].match_re.b`: expected a regular expression, got nothing
      --> alertmanager.yml:6
    error: `route.routes[0].match.a-b`: expected a label's name of letters, digits and underscores, got `a-b`
      --> alertmanager.yml:6
      hint: `matchers` takes any name, in quotes
    error: `route.routes[0].match_re.a`: invalid regular expression `(`: unclosed group
      --> alertmanager.yml:6

    # { matchers: ['a', 'b=~"("', 'c="d', '{,}'] }
    error: `route.routes[0].matchers[0]`: expected a matcher such as `name="value"` with `=`, `!=`, `=~` or `!~`, got `a`
      --> alertmanager.yml:6
    error: `route.routes[0].matchers[1]`: invalid regular expression `(`: unclosed group
      --> alertmanager.yml:6
    error: `route.routes[0].matchers[2]`: expected a matcher such as `name="value"` with `=`, `!=`, `=~` or `!~`, got `c="d`
      --> alertmanager.yml:6
    error: `route.routes[0].matchers[3]`: expected a matcher such as `name="value"` with `=`, `!=`, `=~` or `!~`, got `{,}`
      --> alertmanager.yml:6

    # { matchers: a=b }
    error: `route.routes[0].matchers`: expected a list, got text
      --> alertmanager.yml:6

    # { routes: [null, { receivr: ops }] }
    error: `route.routes[0].routes[0]`: expected a map, got nothing
      --> alertmanager.yml:6
    error: unknown key `receivr` in `route.routes[0].routes[1]`
      --> alertmanager.yml:6
      hint: did you mean `receiver`? known keys: `receiver`, `group_by`, `match`, `match_re`, `matchers`, `mute_time_intervals`, `active_time_intervals`, `continue`, `routes`, `group_wait`, `group_interval`, `repeat_interval`
    warning: `route.routes[0].routes[1]` is never reached: the route before it has no matchers and takes everything
      --> alertmanager.yml:6

    # { continue: perhaps }
    error: `route.routes[0].continue`: expected `true` or `false`, got `perhaps`
      --> alertmanager.yml:6
    "#);
}

#[test]
fn rules_and_times() {
    let parts = [
        "inhibit_rules: [{ equal: [a, ''], source_match: { a-b: c }, target_matchers: [d] }]",
        "inhibit_rules: [{ source_match: { a: b }, target_matcher: [c=d] }]",
        "time_intervals: [{ time_intervals: [] }, { name: a }, { name: a }]\nmute_time_intervals: [{ name: a }]",
        "time_intervals: [{ name: a, time_intervals: [{ times: [{ start_time: '9:00', end_time: '10:00' }, { start_time: '10:00' }, { start_time: '17:00', end_time: '09:00' }] }] }]",
        "time_intervals: [{ name: a, time_intervals: [{ weekdays: [mon, 'friday:monday'], days_of_month: [0, '-1:1', 32], months: [13, 'may:april'], years: [later], location: Local, week: 1 }] }]",
        "time_intervals: [{ name: a, time_intervals: [{ weekdays: [], times: morning }] }]",
    ];
    insta::assert_snapshot!(said_of(&parts, |part| format!("{RECEIVERS}route: {{ receiver: r }}\n{part}\n")), @r#"
# inhibit_rules: [{ equal: [a, ''], source_match: { a-b: c }, target_matchers: [d] }]
error: `inhibit_rules[0].source_match.a-b`: expected a label's name of letters, digits and underscores, got `a-b`
  --> alertmanager.yml:3
  hint: `source_matchers` takes any name, in quotes
error: `inhibit_rules[0].target_matchers[0]`: expected a matcher such as `name="value"` with `=`, `!=`, `=~` or `!~`, got `d`
  --> alertmanager.yml:3
error: `inhibit_rules[0].equal`: expected names of labels, got an empty one
  --> alertmanager.yml:3

# inhibit_rules: [{ source_match: { a: b }, target_matcher: [c=d] }]
error: unknown key `target_matcher` in `inhibit_rules[0]`
  --> alertmanager.yml:3
  hint: did you mean `target_matchers`? known keys: `name`, `source_match`, `source_match_re`, `source_matchers`, `target_match`, `target_match_re`, `target_matchers`, `equal`
warning: `inhibit_rules[0]` has no `target_matchers`, so every alert is meant
  --> alertmanager.yml:3

# time_intervals: [{ time_intervals: [] }, { name: a }, { name: a }]
mute_time_intervals: [{ name: a }]
error: missing key `name` in `time_intervals[0]`
  --> alertmanager.yml:3
error: `time_intervals[1].name`: `a` is the name of another time interval too
  --> alertmanager.yml:3
error: `time_intervals[2].name`: `a` is the name of another time interval too
  --> alertmanager.yml:3

# time_intervals: [{ name: a, time_intervals: [{ times: [{ start_time: '9:00', end_time: '10:00' }, { start_time: '10:00' }, { start_time: '17:00', end_time: '09:00' }] }] }]
error: `time_intervals[0].time_intervals[0].times[0]`: expected a time of day such as `09:00`, from `00:00` to `24:00`, got `9:00`
  --> alertmanager.yml:3
error: missing key `end_time` in `time_intervals[0].time_intervals[0].times[1]`
  --> alertmanager.yml:3
error: `time_intervals[0].time_intervals[0].times[2]`: expected an end after the start, 17:00; what goes over midnight is two ranges, got `09:00`
  --> alertmanager.yml:3

# time_intervals: [{ name: a, time_intervals: [{ weekdays: [mon, 'friday:monday'], days_of_month: [0, '-1:1', 32], months: [13, 'may:april'], years: [later], location: Local, week: 1 }] }]
error: unknown key `week` in `time_intervals[0].time_intervals[0]`
  --> alertmanager.yml:3
  hint: known keys: `times`, `weekdays`, `days_of_month`, `months`, `years`, `location`
error: `time_intervals[0].time_intervals[0].location`: expected a name of the time zone database such as `Europe/Berlin` or `UTC`, got `Local`
  --> alertmanager.yml:3
error: `time_intervals[0].time_intervals[0].weekdays[0]`: expected a day such as `monday`, or a range such as `monday:friday` within a week that begins on Sunday, got `mon`
  --> alertmanager.yml:3
error: `time_intervals[0].time_intervals[0].weekdays[1]`: expected a day such as `monday`, or a range such as `monday:friday` within a week that begins on Sunday, got `friday:monday`
  --> alertmanager.yml:3
error: `time_intervals[0].time_intervals[0].days_of_month[0]`: expected days such as `1:5`, or `-3:-1` from the end of the month, 1 to 31, the earlier first, got `0`
  --> alertmanager.yml:3
error: `time_intervals[0].time_intervals[0].days_of_month[1]`: expected days such as `1:5`, or `-3:-1` from the end of the month, 1 to 31, the earlier first, got `-1:1`
  --> alertmanager.yml:3
error: `time_intervals[0].time_intervals[0].days_of_month[2]`: expected days such as `1:5`, or `-3:-1` from the end of the month, 1 to 31, the earlier first, got `32`
  --> alertmanager.yml:3
error: `time_intervals[0].time_intervals[0].months[0]`: expected a month such as `may` or `5`, or a range such as `may:august` within a year, got `13`
  --> alertmanager.yml:3
error: `time_intervals[0].time_intervals[0].months[1]`: expected a month such as `may` or `5`, or a range such as `may:august` within a year, got `may:april`
  --> alertmanager.yml:3
error: `time_intervals[0].time_intervals[0].years[0]`: expected a year, or a range such as `2026:2028`, got `later`
  --> alertmanager.yml:3

# time_intervals: [{ name: a, time_intervals: [{ weekdays: [], times: morning }] }]
error: `time_intervals[0].time_intervals[0].times`: expected a list, got text
  --> alertmanager.yml:3
error: `time_intervals[0].time_intervals[0].weekdays`: expected at least one; without any the interval would never hold
  --> alertmanager.yml:3
  hint: without the key it holds at any
"#);
}

#[test]
fn receivers() {
    let parts = [
        "[{ name: r }, { name: r }, { webhook_configs: [] }, { name: watchbell }]",
        "[{ name: r, labels: { name: r }, mattermost_configs: [{}], incidentio_configs: [{}], kafka_configs: [], slak_configs: [] }]",
        "[{ name: r, slack_configs: {}, email_configs: [null, 5] }]",
    ];
    insta::assert_snapshot!(said_of(&parts, |part| format!("route: {{ receiver: r }}\nreceivers: {part}\n")), @r#"
# [{ name: r }, { name: r }, { webhook_configs: [] }, { name: watchbell }]
error: `receivers[1].name`: `r` is the name of another receiver too
  --> alertmanager.yml:2
error: missing key `name` in `receivers[2]`
  --> alertmanager.yml:2
error: `receivers[3].name`: the name `watchbell` is the daemon's own, expected another one
  --> alertmanager.yml:2

# [{ name: r, labels: { name: r }, mattermost_configs: [{}], incidentio_configs: [{}], kafka_configs: [], slak_configs: [] }]
error: `receivers[0].labels`: Watchbell does not support this key of Alertmanager's
  --> alertmanager.yml:2
  hint: take it out, or leave what needs it to an Alertmanager beside Watchbell
error: `receivers[0].mattermost_configs`: Watchbell does not support this key of Alertmanager's
  --> alertmanager.yml:2
  hint: take it out, or leave what needs it to an Alertmanager beside Watchbell
error: `receivers[0].incidentio_configs`: Watchbell does not support this key of Alertmanager's
  --> alertmanager.yml:2
  hint: take it out, or leave what needs it to an Alertmanager beside Watchbell
error: unknown key `kafka_configs` in `receivers[0]`
  --> alertmanager.yml:2
  hint: did you mean `jira_configs`?
error: unknown key `slak_configs` in `receivers[0]`
  --> alertmanager.yml:2
  hint: did you mean `slack_configs`?

# [{ name: r, slack_configs: {}, email_configs: [null, 5] }]
error: `receivers[0].slack_configs`: expected a list, got a map
  --> alertmanager.yml:2
error: `receivers[0].email_configs[0]`: expected a map, got nothing
  --> alertmanager.yml:2
error: missing key `to` in `receivers[0].email_configs[0]`
  --> alertmanager.yml:2
error: missing key in `receivers[0].email_configs[0]`: expected `smarthost` there or `smtp_smarthost` in `global`
  --> alertmanager.yml:2
error: missing key in `receivers[0].email_configs[0]`: expected `from` there or `smtp_from` in `global`
  --> alertmanager.yml:2
error: `receivers[0].email_configs[1]`: expected a map, got a number or a truth value
  --> alertmanager.yml:2
error: missing key `to` in `receivers[0].email_configs[1]`
  --> alertmanager.yml:2
error: missing key in `receivers[0].email_configs[1]`: expected `smarthost` there or `smtp_smarthost` in `global`
  --> alertmanager.yml:2
error: missing key in `receivers[0].email_configs[1]`: expected `from` there or `smtp_from` in `global`
  --> alertmanager.yml:2
"#);
}

#[test]
fn globals() {
    let parts = [
        "{ slack_api_url: 'https://a', slack_api_url_file: f, slack_app_token: t-1, slack_app_token_file: f }",
        "{ opsgenie_api_key: abcd, opsgenie_api_key_file: f, victorops_api_key: abcd, victorops_api_key_file: f }",
        "{ telegram_bot_token: abcd, telegram_bot_token_file: f, smtp_auth_password: abcd, smtp_auth_password_file: f }",
        "{ smtp_auth_secret: abcd, smtp_auth_secret_file: f, wechat_api_secret: abcd, wechat_api_secret_file: f }",
        "{ rocketchat_token: abcd, rocketchat_token_file: f, rocketchat_token_id: abcd, rocketchat_token_id_file: f }",
        "{ mattermost_webhook_url: 'https://a', resolve_timeout: soon, smtp_smarthost: localhost, smtp_require_tls: 5 }",
        "{ pagerduty_url: events.example, slack_api_url: sl4ck-secret, smtp_form: a }",
    ];
    insta::assert_snapshot!(said_of(&parts, |part| format!("{RECEIVERS}route: {{ receiver: r }}\nglobal: {part}\n")), @r#"
# { slack_api_url: 'https://a', slack_api_url_file: f, slack_app_token: t-1, slack_app_token_file: f }
error: `global` has both `slack_app_token` and `slack_app_token_file`, expected one of them
  --> alertmanager.yml:3
error: `global` has both `slack_api_url` and `slack_api_url_file`, expected one of them
  --> alertmanager.yml:3
error: `global` has both a `slack_api_url` and a `slack_app_token`, expected one of them
  --> alertmanager.yml:3

# { opsgenie_api_key: abcd, opsgenie_api_key_file: f, victorops_api_key: abcd, victorops_api_key_file: f }
error: `global` has both `opsgenie_api_key` and `opsgenie_api_key_file`, expected one of them
  --> alertmanager.yml:3
error: `global` has both `victorops_api_key` and `victorops_api_key_file`, expected one of them
  --> alertmanager.yml:3

# { telegram_bot_token: abcd, telegram_bot_token_file: f, smtp_auth_password: abcd, smtp_auth_password_file: f }
error: `global` has both `telegram_bot_token` and `telegram_bot_token_file`, expected one of them
  --> alertmanager.yml:3
error: `global` has both `smtp_auth_password` and `smtp_auth_password_file`, expected one of them
  --> alertmanager.yml:3

# { smtp_auth_secret: abcd, smtp_auth_secret_file: f, wechat_api_secret: abcd, wechat_api_secret_file: f }
error: `global` has both `smtp_auth_secret` and `smtp_auth_secret_file`, expected one of them
  --> alertmanager.yml:3
error: `global` has both `wechat_api_secret` and `wechat_api_secret_file`, expected one of them
  --> alertmanager.yml:3

# { rocketchat_token: abcd, rocketchat_token_file: f, rocketchat_token_id: abcd, rocketchat_token_id_file: f }
error: `global` has both `rocketchat_token` and `rocketchat_token_file`, expected one of them
  --> alertmanager.yml:3
error: `global` has both `rocketchat_token_id` and `rocketchat_token_id_file`, expected one of them
  --> alertmanager.yml:3

# { mattermost_webhook_url: 'https://a', resolve_timeout: soon, smtp_smarthost: localhost, smtp_require_tls: 5 }
error: `global.mattermost_webhook_url`: Watchbell does not support this key of Alertmanager's
  --> alertmanager.yml:3
  hint: take it out, or leave what needs it to an Alertmanager beside Watchbell
error: `global.resolve_timeout`: expected a duration such as `30s`, `5m` or `1h30m`, got `soon`
  --> alertmanager.yml:3
error: `global.smtp_smarthost`: expected a host and a port such as `mail.example.org:587`, got `localhost`
  --> alertmanager.yml:3
error: `global.smtp_require_tls`: expected `true` or `false`, got `5`
  --> alertmanager.yml:3

# { pagerduty_url: events.example, slack_api_url: sl4ck-secret, smtp_form: a }
error: `global.pagerduty_url`: expected an address that begins with `https://` or `http://`, got `events.example`
  --> alertmanager.yml:3
error: `global.slack_api_url`: expected an address that begins with `https://` or `http://` (its value is not shown)
  --> alertmanager.yml:3
error: unknown key `smtp_form` in `global`
  --> alertmanager.yml:3
  hint: did you mean `smtp_from`?
"#);
}

#[test]
fn what_is_odd_but_sound_is_only_a_warning() {
    let parts = [
        "templates: ['none/*.tmpl']",
        "inhibit_rules: [{ source_matchers: [a=b] }]",
        "inhibit_rules: [{ source_matchers: [], target_match: { a: b } }]",
    ];
    insta::assert_snapshot!(said_of(&parts, |part| format!("{RECEIVERS}route: {{ receiver: r }}\n{part}\n")), @r#"
    # templates: ['none/*.tmpl']
    warning: no route leads to the receiver `ops`
      --> alertmanager.yml:1
    warning: `templates[0]`: no file matches `none/*.tmpl`
      --> alertmanager.yml:3

    # inhibit_rules: [{ source_matchers: [a=b] }]
    warning: no route leads to the receiver `ops`
      --> alertmanager.yml:1
    warning: `inhibit_rules[0]` has no `target_matchers`, so every alert is meant
      --> alertmanager.yml:3

    # inhibit_rules: [{ source_matchers: [], target_match: { a: b } }]
    warning: no route leads to the receiver `ops`
      --> alertmanager.yml:1
    warning: `inhibit_rules[0]` has no `source_matchers`, so every alert is meant
      --> alertmanager.yml:3
    "#);
    let parts = ["slack_configs: [{ api_url: 'https://a', timeout: 1h }]"];
    insta::assert_snapshot!(integrations(&parts), @r#"
# slack_configs: [{ api_url: 'https://a', timeout: 1h }]
warning: `receivers[0].slack_configs[0].timeout`: 1h becomes 10m, since Watchbell takes 1s to 10m
  --> alertmanager.yml:4
"#);
}

#[test]
fn files_of_secrets_that_are_not_there() {
    let parts = [
        "slack_configs: [{ api_url_file: none.secret }]",
        "webhook_configs: [{ url: 'http://a', http_config: { http_headers: { X: { files: [none.secret] } } } }]",
    ];
    insta::assert_snapshot!(integrations(&parts), @r#"
# slack_configs: [{ api_url_file: none.secret }]
error: `receivers[0].slack_configs[0].api_url_file`: cannot read `none.secret`: No such file or directory (os error 2)
  --> alertmanager.yml:4

# webhook_configs: [{ url: 'http://a', http_config: { http_headers: { X: { files: [none.secret] } } } }]
error: `receivers[0].webhook_configs[0].http_config.http_headers.X.files[0]`: cannot read `none.secret`: No such file or directory (os error 2)
  --> alertmanager.yml:4
"#);
}

#[test]
fn no_message_repeats_a_secret() {
    let yaml = "route: { receiver: hush-hush }\nreceivers:\n- name: r\n  slack_configs: [{ api_url: hush-hush }]\n";
    let said = Scene::new(yaml).said();
    assert!(!said.contains("hush") && said.contains("its value is not shown"), "{said}");
}
