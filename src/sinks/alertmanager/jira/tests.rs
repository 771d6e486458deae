//! The requests of an issue's life, and what is searched for.

use super::super::tests::{firing, request_of, resolved, retried, sent, shown};
use super::*;
use crate::model::Notification;
use crate::model::delivery::Progress;
use crate::sinks::tests::{attempt, build_error, build_from, json_answer, setting};

pub fn check(request: &Request) -> Result<(), String> {
    let Request::Http(request) = request else { return Err("not an HTTP request".into()) };
    if request.method == "GET" {
        return Ok(());
    }
    let body: Value = serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
    let fields = &body["fields"];
    let summary = fields["summary"].as_str().unwrap_or_default().chars().count();
    let description = fields["description"].as_str().unwrap_or_default().chars().count();
    match summary <= SUMMARY_CHARS_MAX && description <= DESCRIPTION_CHARS_MAX {
        true => Ok(()),
        false => Err(format!("a summary of {summary} and a description of {description} characters")),
    }
}

const BARE: &str = "api_url: https://jira.example/rest/api/2\nproject: OPS\nissue_type: Bug\nsummary: S\npriority: ''\n\
                    description: D\nlabels: [team, B]\nresolve_transition: Close\nreopen_transition: Reopen\nreopen_duration: 2h\n";

/// All requests of a delivery, the answers being given one after the other.
fn life(yaml: &str, notification: &Notification, answers: &[&str]) -> String {
    let sink = build_from(&SPEC, yaml, &setting());
    let mut progress = Progress::default();
    let mut text = String::new();
    for answer in answers {
        let attempt = attempt(notification, &progress);
        let request = shown(sink.request(&attempt).unwrap());
        let (first, body) = (request.lines().next().unwrap(), request.split_once("\n\n").unwrap().1);
        text.push_str(&format!("{first} {body}\n"));
        match sink.outcome(&attempt, &json_answer(200, answer)) {
            Outcome::Next { remote, step } => {
                progress = Progress { remote: remote.or(progress.remote), step, ..Progress::default() }
            }
            outcome => {
                text.push_str(&format!("{outcome:?}\n"));
                break;
            }
        }
    }
    text
}

const FOUND_DONE: &str = r#"{"issues":[{"key":"OPS-7","fields":{"status":{"statusCategory":{"key":"done"}}}}]}"#;
const FOUND_OPEN: &str = r#"{"issues":[{"key":"OPS-7","fields":{"status":{"statusCategory":{"key":"new"}}}}]}"#;
const TRANSITIONS_OF_IT: &str = r#"{"transitions":[{"id":"11","name":"Close"},{"id":"12","name":"Reopen"}]}"#;

#[test]
fn a_new_group_gets_an_issue() {
    insta::assert_snapshot!(life(BARE, &firing(), &[r#"{"issues":[]}"#, r#"{"key":"OPS-8"}"#]), @r#"
    POST https://jira.example/rest/api/2/search {"fields":["status"],"jql":"(resolutiondate is EMPTY OR resolutiondate >= -120m) and project=\"OPS\" and labels=\"ALERT{39e9a3f603495189d713caafe0da3566730989ae7f32af72dab75e71a53b85c8}\" order by status ASC,resolutiondate DESC","maxResults":2}
    POST https://jira.example/rest/api/2/issue {"fields":{"description":"D","issuetype":{"name":"Bug"},"labels":["ALERT{39e9a3f603495189d713caafe0da3566730989ae7f32af72dab75e71a53b85c8}","B","team"],"project":{"key":"OPS"},"summary":"S"}}
    Delivered { remote: None, proof: "created OPS-8" }
    "#);
}

#[test]
fn an_issue_is_reopened_edited_and_closed() {
    insta::assert_snapshot!(life(BARE, &firing(), &[FOUND_DONE, "", TRANSITIONS_OF_IT, ""]), @r#"
    POST https://jira.example/rest/api/2/search {"fields":["status"],"jql":"(resolutiondate is EMPTY OR resolutiondate >= -120m) and project=\"OPS\" and labels=\"ALERT{39e9a3f603495189d713caafe0da3566730989ae7f32af72dab75e71a53b85c8}\" order by status ASC,resolutiondate DESC","maxResults":2}
    PUT https://jira.example/rest/api/2/issue/OPS-7 {"fields":{"description":"D","issuetype":{"name":"Bug"},"labels":["ALERT{39e9a3f603495189d713caafe0da3566730989ae7f32af72dab75e71a53b85c8}","B","team"],"project":{"key":"OPS"},"summary":"S"}}
    GET https://jira.example/rest/api/2/issue/OPS-7/transitions 
    POST https://jira.example/rest/api/2/issue/OPS-7/transitions {"transition":{"id":"12"}}
    Delivered { remote: None, proof: "answered 200" }
    "#);
    insta::assert_snapshot!(life(BARE, &firing(), &[FOUND_OPEN, ""]), @r#"
    POST https://jira.example/rest/api/2/search {"fields":["status"],"jql":"(resolutiondate is EMPTY OR resolutiondate >= -120m) and project=\"OPS\" and labels=\"ALERT{39e9a3f603495189d713caafe0da3566730989ae7f32af72dab75e71a53b85c8}\" order by status ASC,resolutiondate DESC","maxResults":2}
    PUT https://jira.example/rest/api/2/issue/OPS-7 {"fields":{"description":"D","issuetype":{"name":"Bug"},"labels":["ALERT{39e9a3f603495189d713caafe0da3566730989ae7f32af72dab75e71a53b85c8}","B","team"],"project":{"key":"OPS"},"summary":"S"}}
    Delivered { remote: None, proof: "answered 200" }
    "#);
    insta::assert_snapshot!(life(BARE, &resolved(), &[FOUND_OPEN, "", TRANSITIONS_OF_IT, ""]), @r#"
    POST https://jira.example/rest/api/2/search {"fields":["status"],"jql":"statusCategory != Done and project=\"OPS\" and labels=\"ALERT{39e9a3f603495189d713caafe0da3566730989ae7f32af72dab75e71a53b85c8}\" order by status ASC,resolutiondate DESC","maxResults":2}
    PUT https://jira.example/rest/api/2/issue/OPS-7 {"fields":{"description":"D","issuetype":{"name":"Bug"},"labels":["ALERT{39e9a3f603495189d713caafe0da3566730989ae7f32af72dab75e71a53b85c8}","B","team"],"project":{"key":"OPS"},"summary":"S"}}
    GET https://jira.example/rest/api/2/issue/OPS-7/transitions 
    POST https://jira.example/rest/api/2/issue/OPS-7/transitions {"transition":{"id":"11"}}
    Delivered { remote: None, proof: "answered 200" }
    "#);
    insta::assert_snapshot!(life(BARE, &resolved(), &[r#"{"issues":[]}"#]), @r#"
    POST https://jira.example/rest/api/2/search {"fields":["status"],"jql":"statusCategory != Done and project=\"OPS\" and labels=\"ALERT{39e9a3f603495189d713caafe0da3566730989ae7f32af72dab75e71a53b85c8}\" order by status ASC,resolutiondate DESC","maxResults":2}
    Delivered { remote: None, proof: "no issue is open" }
    "#);
    insta::assert_snapshot!(life(BARE, &resolved(), &[FOUND_OPEN, "", r#"{"transitions":[]}"#]).lines().last().unwrap(), @r#"Rejected { kind: Rejected, reason: "OPS-7 has no transition `Close`" }"#);
}

#[test]
fn a_create_whose_answer_was_lost_is_looked_up() {
    let sink = build_from(&SPEC, BARE, &setting());
    let notification = firing();
    let lost = Progress { step: CREATE, is_ambiguous: true, ..Progress::default() };
    let request = shown(sink.request(&attempt(&notification, &lost)).unwrap());
    assert!(request.starts_with("POST https://jira.example/rest/api/2/search\n"), "{request}");
}

#[test]
fn the_search_depends_on_the_kind_of_jira() {
    let first = |yaml: &str| sent(&SPEC, yaml, &firing()).lines().next().unwrap().to_owned();
    assert_eq!(first(BARE), "POST https://jira.example/rest/api/2/search");
    assert_eq!(first(&format!("{BARE}api_type: cloud\n")), "POST https://jira.example/rest/api/3/search/jql");
    let cloud = BARE.replace("jira.example", "acme.atlassian.net");
    assert_eq!(first(&cloud), "POST https://acme.atlassian.net/rest/api/3/search/jql");
    assert_eq!(first(&format!("{cloud}api_type: datacenter\n")), "POST https://acme.atlassian.net/rest/api/2/search");
    let wont_fix = sent(&SPEC, &format!("{}wont_fix_resolution: Won't Do\n", BARE.replace("2h", "0s")), &firing());
    assert!(
        wont_fix.contains(r#"(resolution is EMPTY or resolution != \"Won't Do\") and statusCategory != Done and"#),
        "{wont_fix}"
    );
}

#[test]
fn version_3_takes_a_document() {
    let of = |description: &str| {
        let yaml = BARE.replace("/2\n", "/3\n").replace("description: D", &format!("description: '{description}'"));
        let sink = build_from(&SPEC, &yaml, &setting());
        let notification = firing();
        let progress = Progress { step: CREATE, ..Progress::default() };
        sink.request(&attempt(&notification, &progress)).map(shown)
    };
    assert!(of(r#" {"type":"doc"} "#).unwrap().contains(r#""description":{"type":"doc"}"#));
    assert!(!of(" ").unwrap().contains("description"));
    assert!(of("text").is_err());
}

#[test]
fn texts_are_cut_where_jira_refuses_them() {
    for (key, max) in [("summary: S", 255), ("description: D", 32_767)] {
        let of = |count: usize| {
            let (name, _) = key.split_once(':').unwrap();
            let sink = build_from(&SPEC, &BARE.replace(key, &format!("{name}: {}", "x".repeat(count))), &setting());
            let notification = firing();
            let progress = Progress { step: CREATE, ..Progress::default() };
            shown(sink.request(&attempt(&notification, &progress)).unwrap())
        };
        assert!(of(max).contains(&format!("\"{}\"", "x".repeat(max))), "{key}");
        assert!(of(max + 1).contains(&format!("\"{}…\"", "x".repeat(max - 1))), "{key}");
    }
}

#[test]
fn fields_that_are_not_updated_are_left_out_of_an_edit() {
    let yaml = BARE
        .replace("summary: S", "summary: { template: S, enable_update: false }")
        .replace("description: D", "description: { template: D, enable_update: false }");
    let text = life(&yaml, &firing(), &[FOUND_OPEN, ""]);
    assert!(text.contains("PUT") && !text.contains("summary") && !text.contains("description"), "{text}");
}

#[test]
fn answers_and_keys() {
    assert_eq!(retried(&SPEC, BARE), "408 425 429 500-599");
    for (yaml, key) in [("api_type: onprem", "api_type"), ("issue_type: ''", "issue_type"), ("project: ''", "project")]
    {
        let own = yaml.split(':').next().unwrap();
        let base: String = BARE.lines().filter(|line| !line.starts_with(own)).map(|line| format!("{line}\n")).collect();
        let error = build_error(&SPEC, &format!("{base}{yaml}\n"));
        assert!(error.contains(key), "{error}");
    }
    assert!(matches!(request_of(&SPEC, SPEC.example, &firing()), Request::Http(_)));
}
