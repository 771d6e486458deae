//! What templates print, and what they are refused for.

mod limits;
mod random;

use super::*;
use crate::model::{AlertStatus, GroupAlert, GroupView, Labels, Timestamp};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn alert(status: AlertStatus, labels: &[(&str, &str)], annotations: &[(&str, &str)]) -> GroupAlert {
    GroupAlert {
        fingerprint: "c7e68cb08e3e67f9".into(),
        status,
        labels: Labels::from_iter(labels.iter().copied()),
        annotations: Labels::from_iter(annotations.iter().copied()),
        starts_at: at("2026-11-21T05:00:00Z"),
        ends_at: (status == AlertStatus::Resolved).then(|| at("2026-11-21T05:30:00.5Z")),
        generator_url: (status == AlertStatus::Firing).then(|| "http://prometheus:9090/graph?a=1&b=2".into()),
    }
}

fn group() -> GroupView {
    GroupView {
        key: "{}:{alertname=\"HostDown\"}".into(),
        receiver: "team (db)".into(),
        reason: "first notification".into(),
        labels: Labels::from_iter([("alertname", "HostDown")]),
        alerts: vec![
            alert(
                AlertStatus::Firing,
                &[("alertname", "HostDown"), ("host", "db-1"), ("site", "fra1")],
                &[("summary", "<down> & out")],
            ),
            alert(AlertStatus::Resolved, &[("alertname", "HostDown"), ("host", "db-2"), ("site", "fra1")], &[]),
        ],
    }
}

fn data() -> TemplateData {
    TemplateData::new(&group(), "http://am:9093", at("2026-11-21T06:01:02.5Z"))
}

fn text(source: &str) -> String {
    GoTemplates::default().text(source, &data()).unwrap()
}

fn html(source: &str) -> String {
    GoTemplates::default().html(source, &data()).unwrap()
}

fn error(source: &str) -> String {
    GoTemplates::default().text(source, &data()).unwrap_err().to_string()
}

/// What came after the version that `tests/go_templates.rs` compares with. Expected is what 0.34's own tests and
/// documentation say.
#[test]
fn newer_functions_print_what_alertmanager_prints() {
    let texts = [
        (
            r#"{{ .GroupLabels }}|{{ .CommonLabels.SortedPairs }}|{{ printf "%s" .CommonLabels }}"#,
            "alertname=HostDown|alertname=HostDown, site=fra1|alertname=HostDown, site=fra1",
        ),
        (
            r#"{{ .CommonLabels.Values.Join ":" }} {{ .CommonLabels.SortedPairs.Names.Join "-" }}"#,
            "HostDown:fra1 alertname-site",
        ),
        (r#"{{ .NotificationReason }} {{ .Receiver }} {{ .RouteLabels }}"#, r"first notification team \(db\) "),
        (
            r#"{{ "a" | toJson }}{{ 42 | toJson }}{{ true | toJson }}{{ toJson 1.5 }}{{ toJson nil }}{{ toJson 1e21 }}{{ toJson 1e-7 }}"#,
            r#""a"42true1.5null1e+211e-7"#,
        ),
        (
            r#"{{ .CommonLabels | toJson }} {{ .GroupLabels.SortedPairs | toJson }} {{ toJson "<a>&\n\"" }}"#,
            r#"{"alertname":"HostDown","site":"fra1"} [{"Name":"alertname","Value":"HostDown"}] "\u003ca\u003e\u0026\n\"""#,
        ),
        (
            "{{ .Alerts.Resolved | toJson }}",
            r#"[{"status":"resolved","labels":{"alertname":"HostDown","host":"db-2","site":"fra1"},"annotations":{},"startsAt":"2026-11-21T05:00:00Z","endsAt":"2026-11-21T05:30:00.5Z","generatorURL":"","fingerprint":"c7e68cb08e3e67f9"}]"#,
        ),
        (
            r#"{{ "test" | base64encode }} {{ "flush>>" | base64encode }} {{ "dGVzdA==" | base64decode }}"#,
            "dGVzdA== Zmx1c2g-Pg== test",
        ),
        (
            r#"{{ $d := dict }}{{ $d }} {{ dict "b" 2 "a" 1 }} {{ list }} {{ list "a" 1 true nil }}"#,
            "map[] map[a:1 b:2] [] [a 1 true <nil>]",
        ),
        (
            r#"{{ $l := list "a" }}{{ $l = append $l "b" "c" }}{{ $l }} {{ len $l }} {{ index $l 1 | toUpper }}"#,
            "[a b c] 3 B",
        ),
        (
            r#"{{ $d := dict "a" (dict "b" "c") }}{{ $d.a.b }} {{ $d.nope }} {{ (index $d "x").y }} {{ with $d.nope }}x{{ else }}none{{ end }}"#,
            "c <no value> <no value> none",
        ),
        (
            r#"{{ $l := list }}{{ range .Alerts }}{{ $l = append $l (dict "host" .Labels.host) }}{{ end }}{{ toJson $l }}"#,
            r#"[{"host":"db-1"},{"host":"db-2"}]"#,
        ),
        (
            r#"{{ now.Unix }} {{ now | date "15:04:05" }} {{ since (index .Alerts 0).StartsAt }} {{ (index .Alerts 0).StartsAt | since | humanizeDuration }}"#,
            "1795240862 06:01:02 1h1m2.5s 1h 1m 2s",
        ),
        (
            r#"{{ range .Alerts }}{{ .StartsAt | tz "Europe/Paris" }}|{{ .StartsAt | tz "America/New_York" | date "Jan 2 15:04 MST" }}|{{ end }}"#,
            "2026-11-21 06:00:00 +0100 CET|Nov 21 00:00 EST|2026-11-21 06:00:00 +0100 CET|Nov 21 00:00 EST|",
        ),
        (
            r#"{{ toDate "2006-01-02" "2024-03-15" | date "02 Jan 2006" }} {{ toDate "2006-01-02" "x" | date "2006" }} {{ mustToDate "Jan _2 3:04PM 2006 -0700" "Mar  5 4:05PM 2024 +0200" }}"#,
            "15 Mar 2024 0001 2024-03-05 16:05:00 +0200 +0200",
        ),
        (
            "{{ humanizeDuration 0 }} {{ humanizeDuration 1 }} {{ humanizeDuration 60 }} {{ humanizeDuration 90061 }} {{ humanizeDuration -183845.0 }} {{ humanizeDuration 899.99 }}",
            "0s 1s 1m 0s 1d 1h 1m 1s -2d 3h 4m 5s 14m 59s",
        ),
        (
            r#"{{ humanizeDuration .1 }} {{ humanizeDuration "0.0001" }} {{ humanizeDuration .12345 }} {{ humanizeDuration 1.2345 }} {{ humanizeDuration "12.345" }}"#,
            "100ms 100us 123.5ms 1.234s 12.35s",
        ),
        (
            r#"{{ "search?q=test%20foo+bar" | urlUnescape }} {{ routeLabels "team" }}{{ .RouteLabels.team }}"#,
            "search?q=test foo bar ",
        ),
        (
            r#"{{ range 3 }}{{ . }}{{ end }} {{ range $i := 2 }}{{ $i }}{{ end }} {{ range 0 }}{{ else }}none{{ end }}"#,
            "012 01 none",
        ),
        (
            r#"{{ with .GroupLabels.x }}{{ else with .GroupLabels.alertname }}{{ . }}{{ else }}none{{ end }}"#,
            "HostDown",
        ),
        (
            "{{ printf \"%T %T %T %T %T\" . .Alerts .Alerts.Firing .GroupLabels.Names .GroupLabels }}",
            "template.Data template.Alerts []template.Alert template.Strings template.KV",
        ),
    ];
    for (source, expected) in texts {
        assert_eq!(text(source), expected, "{source}");
    }
}

#[test]
fn all_of_the_data_prints_as_in_go() {
    insta::assert_snapshot!(text("{{ . }}"), @r##"
    {team \(db\) firing [{firing alertname=HostDown, host=db-1, site=fra1 summary=<down> & out 2026-11-21 05:00:00 +0000 UTC 0001-01-01 00:00:00 +0000 UTC http://prometheus:9090/graph?a=1&b=2 c7e68cb08e3e67f9} {resolved alertname=HostDown, host=db-2, site=fra1  2026-11-21 05:00:00 +0000 UTC 2026-11-21 05:30:00.5 +0000 UTC  c7e68cb08e3e67f9}] first notification alertname=HostDown alertname=HostDown, site=fra1   http://am:9093 true}
    "##);
    insta::assert_snapshot!(text("{{ toJson . }}"), @r##"
    {"receiver":"team \\(db\\)","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"HostDown","host":"db-1","site":"fra1"},"annotations":{"summary":"\u003cdown\u003e \u0026 out"},"startsAt":"2026-11-21T05:00:00Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prometheus:9090/graph?a=1\u0026b=2","fingerprint":"c7e68cb08e3e67f9"},{"status":"resolved","labels":{"alertname":"HostDown","host":"db-2","site":"fra1"},"annotations":{},"startsAt":"2026-11-21T05:00:00Z","endsAt":"2026-11-21T05:30:00.5Z","generatorURL":"","fingerprint":"c7e68cb08e3e67f9"}],"notification_reason":"first notification","groupLabels":{"alertname":"HostDown"},"commonLabels":{"alertname":"HostDown","site":"fra1"},"commonAnnotations":{},"routeLabels":{},"externalURL":"http://am:9093"}
    "##);
}

#[test]
fn routes_labels_are_taken_as_they_are() {
    let data = data().with_route_labels(Labels::from_iter([("team", "{{ .Status }}")]));
    let text =
        GoTemplates::default().text(r#"{{ routeLabels "team" }}|{{ .RouteLabels.team }}|{{ routeLabels "x" }}"#, &data);
    assert_eq!(text.unwrap(), "{{ .Status }}|{{ .Status }}|");
}

#[test]
fn addresses_that_are_called_safe_are_kept() {
    assert_eq!(
        html(r#"<a href="/search?{{ "q=test%20foo" | safeUrl }}"></a>"#),
        r#"<a href="/search?q=test%20foo"></a>"#
    );
    assert_eq!(html(r#"<a href="{{ "tel:112" | safeUrl }}">{{ "<b>" | safeUrl }}"#), r#"<a href="tel:112">&lt;b&gt;"#);
    assert_eq!(html("{{ .GroupLabels.nope }}{{ (dict).x }}{{ .GroupLabels }}"), "alertname=HostDown");
}

#[test]
fn values_never_become_scripts() {
    for source in ["<script>{{ 1 }}</script>", "<a onclick=\"f({{ 1 }})\">", "<a {{ .Status }}=1>"] {
        assert!(GoTemplates::default().html(source, &data()).is_err(), "{source}");
    }
}

#[test]
fn the_default_templates_are_all_there() {
    let templates = GoTemplates::default();
    let mut names: Vec<&str> = templates.named.keys().map(|name| &**name).collect();
    names.retain(|name| !name.starts_with("__watchbell"));
    insta::assert_snapshot!(names.join("\n"), @r##"
    __alertmanager
    __alertmanagerURL
    __description
    __subject
    __text_alert_list
    __text_alert_list_markdown
    discord.default.content
    discord.default.message
    discord.default.title
    email.default.html
    email.default.subject
    jira.default.description
    jira.default.priority
    jira.default.summary
    mattermost.default.color
    mattermost.default.fallback
    mattermost.default.text
    mattermost.default.title
    mattermost.default.titlelink
    mattermost.default.username
    msteams.default.summary
    msteams.default.text
    msteams.default.title
    msteamsv2.default.text
    msteamsv2.default.title
    opsgenie.default.description
    opsgenie.default.message
    opsgenie.default.source
    pagerduty.default.client
    pagerduty.default.clientURL
    pagerduty.default.description
    pagerduty.default.instances
    pushover.default.message
    pushover.default.title
    pushover.default.url
    rocketchat.default.alias
    rocketchat.default.emoji
    rocketchat.default.iconurl
    rocketchat.default.text
    rocketchat.default.title
    rocketchat.default.titlelink
    slack.default.callbackid
    slack.default.color
    slack.default.fallback
    slack.default.footer
    slack.default.iconemoji
    slack.default.iconurl
    slack.default.pretext
    slack.default.text
    slack.default.title
    slack.default.titlelink
    slack.default.username
    sns.default.message
    sns.default.subject
    telegram.default.message
    victorops.default.entity_display_name
    victorops.default.monitoring_tool
    victorops.default.state_message
    webex.default.message
    wechat.default.agent_id
    wechat.default.message
    wechat.default.to_party
    wechat.default.to_tag
    wechat.default.to_user
    "##);
    for name in templates.named.keys() {
        let dot = if name.contains("alert_list") || name.ends_with("alerts") || name.ends_with("instances") {
            ".Alerts"
        } else {
            "."
        };
        let call = format!("{{{{ template \"{name}\" {dot} }}}}");
        templates.check(&call).unwrap();
        templates.text(&call, &data()).unwrap();
    }
}

#[test]
fn the_default_mail_is_small_and_says_everything() {
    insta::assert_snapshot!(html(r#"{{ template "email.default.html" . }}"#).trim(), @r##"
    <!DOCTYPE html>
    <html>
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width">
    <title>[FIRING:1] HostDown (fra1)</title>
    </head>
    <body style="margin: 0; font-family: sans-serif; font-size: 14px; line-height: 1.5; color: #222">
    <div style="max-width: 600px; margin: 0 auto; padding: 16px">
    <p style="margin: 0; padding: 14px; text-align: center; color: #fff; background: #c62828">
    2 alerts for 
    alertname=HostDown
    </p>
    <p><a href="http://am:9093/#/alerts?receiver=team&#43;%5C%28db%5C%29">View in Alertmanager</a></p>
    <p><strong>[1] Firing</strong></p>

    <p><strong>Labels</strong><br>
    alertname = HostDown<br>
    host = db-1<br>
    site = fra1<br>
    <strong>Annotations</strong><br>
    summary = &lt;down&gt; &amp; out<br>
    <a href="http://prometheus:9090/graph?a=1&amp;b=2">Source</a></p>

    <hr>
    <p><strong>[1] Resolved</strong></p>

    <p><strong>Labels</strong><br>
    alertname = HostDown<br>
    host = db-2<br>
    site = fra1<br>
    <a href="">Source</a></p>

    <p style="text-align: center; color: #666"><a href="http://am:9093">Sent by Alertmanager</a></p>
    </div>
    </body>
    </html>
    "##);
}

#[test]
fn files_replace_the_defaults_but_not_with_nothing() {
    let mut templates = GoTemplates::default();
    let before = templates.clone();
    templates
        .add(
            "/etc/am/a.tmpl",
            "{{ define \"slack.default.title\" }}mine{{ end }}{{ define \"slack.default.color\" }} {{ end }}",
        )
        .unwrap();
    assert_ne!(templates, before);
    templates.add("b.tmpl", "{{ define \"__subject\" }}S{{ end }} by {{ .Status }}").unwrap();
    let text = |source: &str| templates.text(source, &data()).unwrap();
    assert_eq!(
        text(
            r#"{{ template "slack.default.title" . }} {{ template "slack.default.color" . }} {{ template "discord.default.title" . }}"#
        ),
        "mine danger S"
    );
    assert_eq!(text(r#"{{ template "b.tmpl" . }}"#), " by firing");
    assert_eq!(text(r#"{{ define "__subject" }}T{{ end }}{{ template "discord.default.title" . }}"#), "T");
    assert_eq!(text(r#"{{ template "discord.default.title" . }}"#), "S");
}

#[test]
fn the_documented_template_works() {
    let page = include_str!("../../../../docs/go-templates.md");
    let source = page.split("```gotemplate\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let mut templates = GoTemplates::default();
    templates.add("team.tmpl", source).unwrap();
    let text = r#"{{ template "team.title" . }}{{ template "team.text" . }}"#;
    templates.check(text).unwrap();
    insta::assert_snapshot!(templates.text(text, &data()).unwrap(), @r"
    [FIRING] HostDown
    *db-1* for 1h 1m 2s: <down> & out
    Labels: site=fra1
    ");
    for function in functions::names().filter(|name| *name != "call") {
        assert!(page.contains(&format!("`{function}`")), "docs/go-templates.md does not name `{function}`");
    }
}

#[test]
fn errors_say_where_and_what() {
    let mut texts: Vec<String> = [
        "{{ .Status",
        "a\n  {{ .Nope }}",
        "{{ .CommonLabels.some-label }}",
        "{{ tolower .Status }}",
        "{{ if .Status }}x",
        "{{ template \"slack.default.Title\" . }}",
        "{{ .Status | join \",\" }}",
        "{{ join \",\" }}",
        "{{ toUpper 5 }}",
        "{{ eq 1 1.0 }}",
        "{{ index .Alerts 7 }}",
        "{{ $x }}",
        "{{ .Alerts.Labels }}",
        "{{ match \"(\" .Status }}",
        "{{ .Status.x }}",
        "{{ tz \"Mars\" now }}",
        "{{ mustToDate \"2006-01-02\" \"x\" }}",
        "{{ base64decode \"!\" }}",
        "{{ dict \"a\" }}",
        "{{ \"\\d\" }}",
        "{{ end }}",
        "{{ .GroupLabels.a.b }}",
        "{{ (dict).a.b }}",
        "{{ break }}",
    ]
    .iter()
    .map(|source| format!("{source}\n    {}", error(source)))
    .collect();
    let mut templates = GoTemplates::default();
    texts.push(templates.add("slack.tmpl", "{{ define \"a\" }}\n  {{ nope }}{{ end }}").unwrap_err().to_string());
    templates.add("slack.tmpl", "{{ define \"a\" }}\n  {{ .x.y }}{{ template \"gone\" }}{{ end }}").unwrap();
    texts.push(templates.check("{{ template \"a\" }}").unwrap_err().to_string());
    texts.push(templates.check("{{ template \"slack.default.titel\" . }}").unwrap_err().to_string());
    texts.push(templates.check("{{ humanize 5 | toUper }}").unwrap_err().to_string());
    texts.push(templates.check("{{ 5 | toUper }}").unwrap_err().to_string());
    texts.push(templates.text("{{ template \"a\" . }}", &data()).unwrap_err().to_string());
    insta::assert_snapshot!(texts.join("\n"), @r##"
    {{ .Status
        line 1, column 1: this `{{` has no `}}`
    a
      {{ .Nope }}
        line 2, column 6: a template.Data has no field or method `Nope`; it has Receiver, Status, Alerts, NotificationReason, GroupLabels, CommonLabels, CommonAnnotations, RouteLabels, ExternalURL
    {{ .CommonLabels.some-label }}
        line 1, column 22: a name has letters, digits and `_`; for any other label write `index .CommonLabels "some-label"`
    {{ tolower .Status }}
        line 1, column 4: there is no function `tolower`; did you mean `toLower`?
    {{ if .Status }}x
        line 1, column 4: this `if` has no `{{ end }}`
    {{ template "slack.default.Title" . }}
        line 1, column 4: no template is named `slack.default.Title`
    {{ .Status | join "," }}
        line 1, column 14: argument 2 of `join` must be a list of texts, such as `.Names`, `.Values` or what `stringSlice` makes, got the text `firing`
    {{ join "," }}
        line 1, column 4: `join` takes 2 arguments, got 1
    {{ toUpper 5 }}
        line 1, column 4: argument 1 of `toUpper` must be a text, got the number 5, make it one with `print`
    {{ eq 1 1.0 }}
        line 1, column 4: the number 1 and the number 1.0 cannot be compared; write whole numbers as `1.0` here
    {{ index .Alerts 7 }}
        line 1, column 4: there is no place 7 in a list of 2; the first is 0
    {{ $x }}
        line 1, column 4: the variable `$x` is not defined here
    {{ .Alerts.Labels }}
        line 1, column 4: a template.Alerts has no field or method `Labels`; take one of them with `index` or all with `range`
    {{ match "(" .Status }}
        line 1, column 4: `(` is no regular expression: unclosed group
    {{ .Status.x }}
        line 1, column 4: the text `firing` has no field or method `x`
    {{ tz "Mars" now }}
        line 1, column 4: expected the name of a time zone such as `Europe/Berlin`, got `Mars`
    {{ mustToDate "2006-01-02" "x" }}
        line 1, column 4: expected a time written as `2006-01-02`, got `x`: `x` is no `2006`
    {{ base64decode "!" }}
        line 1, column 4: expected base64 with `-` and `_`, padded with `=`: Invalid symbol 33, offset 0.
    {{ dict "a" }}
        line 1, column 4: `dict` takes pairs of a name and a value, got 1 arguments
    {{ "\d" }}
        line 1, column 5: Go knows no escape `\d`; for a backslash write `\\`, or put the text in `` ` ``
    {{ end }}
        line 1, column 4: this `end` belongs to no `if`, `with`, `range`, `define` or `block`
    {{ .GroupLabels.a.b }}
        line 1, column 4: the text `` has no field or method `b`
    {{ (dict).a.b }}
        line 1, column 4: `.b` of nothing: the value before it is not there
    {{ break }}
        line 1, column 4: `break` outside of `range`
    slack.tmpl:2:6: there is no function `nope`
    slack.tmpl:2:16: no template is named `gone`
    line 1, column 4: no template is named `slack.default.titel`; did you mean `slack.default.title`?
    line 1, column 4: there is no function `humanize`
    line 1, column 8: there is no function `toUper`; did you mean `toUpper`?
    slack.tmpl:2:6: a template.Data has no field or method `x`; it has Receiver, Status, Alerts, NotificationReason, GroupLabels, CommonLabels, CommonAnnotations, RouteLabels, ExternalURL
    "##);
}

#[test]
fn is_safe_to_share() {
    fn shared<T: Send + Sync + Clone>() {}
    shared::<GoTemplates>();
    shared::<TemplateData>();
}
