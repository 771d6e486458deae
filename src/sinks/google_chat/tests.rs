//! Cards as Google gets them, the token that an app shows, and what answers mean.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::*;
use crate::model::delivery::Progress;
use crate::render::hostile::{now, reader};
use crate::sinks::chat::tests::{asked, at, called, doubt, json_of, outcome_of, shared};
use crate::sinks::chat::{ANEW, MESSAGE, REPLY};
use crate::sinks::tests::build_error;

const REMOTE: &str = r#"{"google_message":"spaces/AAQAtjsc9v4/messages/client-1"}"#;

/// Made for this test, and never of use to anybody.
const KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
    MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQCtMWZ7RXPI/TlR\n\
    03MpyO0L0YbRO11ctik4JSO98y8NjfsTQCDd6PZReJ5PMqYdfBQK8aPTlvvq8oVu\n\
    ZdO6y7l2fJgG8KoWuzIxjVaP6sLjuXDCqq062qOaZW2KLQ/dYg4F615bRuqT3MUz\n\
    LsXjwYPq+pXJSu8Smx//bwCdLTdGiK+zHuOVVcVYsT4In7l7TfcBXebQuKjtiVNN\n\
    xKqsy+4NXrb12dhzDFWvAh2Nv2/kxiGrDrY5J47+FENNKrealU38OK4dVicFXHTa\n\
    RWyIW3iAa4cdrusVKY1zqbI1R+V85pF7asfQ3WWB9vwzGYOdvDurJ8mZa/FLQk2e\n\
    ph07D9APAgMBAAECggEASBdBiLtSpE1fYCOLks+LeDlpjEtRI+fBRZkUBRumMNay\n\
    NYOiiqxPZ381KlMzWR+OOjX2EvuMdfIoP1lMZjspwlu/blgb/KVEEeM6rmIyaFcG\n\
    zEj+HXrn0bs5euQh7+1CWA1uc8EToKOrRBBKl/CzqApRcf3qgMyoZ4s9bq9lDErm\n\
    vabeDK0d67bIdIQ5bW7ZHNZB82sUkr4iG+slhwK6M6599AOPE0uCLwxLOEuBnU+l\n\
    uI6mvvBE4Bo8rfEB6KEPYgxZOFp4/tNbdX5C+gSOxAgAXkT4nqXsaOXHK42OnBtD\n\
    4hk9sLol7NTf1S3Vuu4Dw4cSdLPI0TreUr9J0C2wWQKBgQDXI9jKMH77zBuZQgvN\n\
    BKYrvWAZpT0CB5ZM2IrvdzFWITTzHkIOkkzm/r1KVnAft5XWtdjlF9422gjIlmPN\n\
    qtLQjWKC532rYg/VZ6yGpoQSNhWXPklx/FN/C2cFufstWcy/Ld9RsmB15MGcyAih\n\
    JccnRtGRbDAEJzPQF090/xochwKBgQDOFhQsMew4YAQ0IMTdD/STgvKMA0QiYQXg\n\
    A7XOiiZQmQQfiCGFiuT3GUZsLg4DXN0Bq0DjOODqyoDN6yPNJ00cTwpQpbIbbUee\n\
    SkLlQDXAcK6pgtN7YYgRNJpEOlpu1tcZVZABYgiGzPZqlvuq4fcXPVxJXI1mpPet\n\
    MMy/xAhaOQKBgQCjOhxSEwdVDV/nIHgJnbxhtTXDX13xO0ZqmWSYGOvCuEEPL+bY\n\
    XWGhZKbDTt+VANnbZG7iKgC7xyMg5RFlynRWLN8QCIiNTkJLHHSGWLIdixFIhcZ9\n\
    h/7lhgYtDxUmLFqutiQYPOj4qY3H4PDDKwF1qEJ6PgYUMJYcDIOJdb8e4wKBgQCF\n\
    7XdCmVbn9A4HSlxlRR8uVeUF9IFszhyhTgfyp3jq2+YAD9mpDXBq3LQVTYCx0sGV\n\
    ehN7FtWj/+Hg8DSd+DJ2eS885dFvXX8zcRM0JJxJ6XC4nFqPTfy9IbA3MqzeZyP2\n\
    RNKG84yS/dQNxPzcOmj3Y1r8GfeSgxaqKJKG9QBwkQKBgGHLENWlIwfaNl9sLV4D\n\
    h4e+SC46gsK07E6aX8AYUW3XADzcMYduCSOPzLLUITfQHHPary77TdLzzQG4FHip\n\
    z6AyaIapAetpiaeKZEBR3i/QG8SaPmaSu9dWMNXR+JGGdl0r599hOshiyogTE44i\n\
    iNuUPzIA/eKtLretaVNkr2h+\n\
    -----END PRIVATE KEY-----\n";

fn app() -> String {
    let key =
        json!({"client_email": "bell@example.iam.gserviceaccount.com", "private_key_id": "5f2c", "private_key": KEY});
    format!("space: spaces/AAQAtjsc9v4\ncredentials: '{key}'\n")
}

pub fn check(request: &Request) -> Result<(), String> {
    let body = json_of(request)?;
    if body.get("text").is_some() {
        return Err("a text, which is parsed".into());
    }
    let card = &body["cardsV2"][0]["card"];
    let text = card["sections"][0]["widgets"][0]["textParagraph"]["text"].as_str().ok_or("no text")?;
    reader::html(text, &["b"], "@")?;
    for plain in [&card["header"]["title"], &body["fallbackText"]].into_iter().filter_map(Value::as_str) {
        reader::inert(plain, "@")?;
        if plain.is_empty() || plain.contains('<') {
            return Err(format!("plain text {plain:?}"));
        }
    }
    match body.to_string().len() {
        0..=30_000 => Ok(()),
        bytes => Err(format!("{bytes} bytes")),
    }
}

fn answer(kind: NotificationKind, progress: &Progress, status: u16, body: &str) -> Outcome {
    outcome_of(&SPEC, &app(), kind, progress, status, body)
}

fn without_token(asked: String) -> String {
    let lines = asked.lines().filter(|line| !line.starts_with("authorization: Bearer "));
    lines.collect::<Vec<_>>().join("\n")
}

const SENT: &str = r#"{"name":"spaces/AAQAtjsc9v4/messages/client-1"}"#;

#[test]
fn an_app_names_its_message_and_edits_it() {
    let asked = |kind, step, remote| without_token(asked(&SPEC, &app(), kind, &at(step, remote)));
    insta::assert_snapshot!(asked(NotificationKind::Opened, MESSAGE, None), @r#"
    POST https://chat.googleapis.com/v1/spaces/AAQAtjsc9v4/messages?messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD&requestId=ac2ae36a-6ad2-f0b7-3263-9adff91feb48&messageId=client-0013a30a763ca9a45d0fe3f43b991c901c1e1cff

    {
      "cardsV2": [
        {
          "card": {
            "header": {
              "title": "[P1] rtr1: Host down – 12 items affected"
            },
            "sections": [
              {
                "widgets": [
                  {
                    "textParagraph": {
                      "text": "<b>New incident</b><br>critical · open · began 2026-11-21 05:00 UTC<br><br><b>Root cause</b><br>rtr1 went down first; 11 other items that depend on it followed within 40 s (87 % sure)<br><br><b>Impact</b><br>high, urgency high<br>2 services: orders, payments<br>12 items: rtr1, sw-fra-1, db-3, 9 more<br>31 of 31 alerts are firing<br><br><b>Service level</b><br>Respond by 2026-11-21 05:15 UTC (gold)<br>Restore by 2026-11-21 09:00 UTC (gold)<br><br><b>What to do</b><br>Known error “rtr1 loses its power supply”: Switch rtr1 to the second power feed, then wait two minutes.<br><a href=\"https://wiki.example/runbooks/host-down\">Runbook for Host down</a><br><br><b>Evidence</b><br>05:00 critical rtr1: Host down – rtr1 does not answer to ping (nagios)<br>05:00 major db-3: Unreachable – db-3 does not answer to ping (zabbix)<br>and 29 more alerts<br><br><b>Links</b><br><a href=\"https://watchbell.example/incidents/inc-7h3kq0v9zd\">Incident inc-7h3kq0v9zd</a><br><a href=\"https://nagios.example/alerts?host=rtr1&amp;open=1\">Host down in nagios</a><br><a href=\"https://zabbix.example/alerts?host=db-3&amp;open=1\">Unreachable in zabbix</a><br><br>Watchbell, incident inc-7h3kq0v9zd, message 1"
                    }
                  }
                ]
              }
            ]
          },
          "cardId": "incident"
        }
      ],
      "fallbackText": "[P1] rtr1: Host down – 12 items affected\nNew incident",
      "thread": {
        "threadKey": "0013a30a763ca9a45d0fe3f43b991c901c1e1cff"
      }
    }
    "#);
    insta::assert_snapshot!(asked(NotificationKind::Updated, MESSAGE, Some(REMOTE)).lines().next().unwrap(), @"PATCH https://chat.googleapis.com/v1/spaces/AAQAtjsc9v4/messages/client-1?updateMask=cardsV2");
    insta::assert_snapshot!(asked(NotificationKind::Resolved, REPLY, Some(REMOTE)), @r#"
    POST https://chat.googleapis.com/v1/spaces/AAQAtjsc9v4/messages?messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD&requestId=92913d05-8563-0319-8584-6ef4373649a7

    {
      "cardsV2": [
        {
          "card": {
            "sections": [
              {
                "widgets": [
                  {
                    "textParagraph": {
                      "text": "<b>Resolved after 12m</b><br>critical · resolved · began 2026-11-21 05:00 UTC · assigned to anna"
                    }
                  }
                ]
              }
            ]
          },
          "cardId": "incident"
        }
      ],
      "fallbackText": "Resolved after 12m\n[P1] rtr1: Host down – Resolved after 12m",
      "thread": {
        "threadKey": "0013a30a763ca9a45d0fe3f43b991c901c1e1cff"
      }
    }
    "#);
    let posted =
        Outcome::Delivered { remote: Some(REMOTE.into()), proof: "posted spaces/AAQAtjsc9v4/messages/client-1".into() };
    assert_eq!(answer(NotificationKind::Opened, &at(MESSAGE, None), 200, SENT), posted);
    let next = Outcome::Next { remote: None, step: REPLY };
    assert_eq!(answer(NotificationKind::Resolved, &at(MESSAGE, Some(REMOTE)), 200, SENT), next);
}

#[test]
fn a_repetition_is_known_by_its_ids() {
    let first = called(&SPEC, &app(), NotificationKind::Opened, &at(MESSAGE, None));
    assert_eq!(first, called(&SPEC, &app(), NotificationKind::Opened, &doubt(MESSAGE, None)));
    let exists = r#"{"error":{"code":409,"status":"ALREADY_EXISTS","message":"exists"}}"#;
    let Outcome::Next { remote: Some(remote), step: MESSAGE } =
        answer(NotificationKind::Opened, &at(MESSAGE, None), 409, exists)
    else {
        panic!("not found again")
    };
    let id = first.split("messageId=").nth(1).unwrap();
    assert!(remote.contains(&format!("spaces/AAQAtjsc9v4/messages/{id}")), "{remote} {first}");
    let gone = r#"{"error":{"code":404,"status":"NOT_FOUND"}}"#;
    assert_eq!(answer(NotificationKind::Updated, &at(MESSAGE, Some(REMOTE)), 404, gone), chat::anew());
    assert_ne!(first, called(&SPEC, &app(), NotificationKind::Opened, &at(ANEW, None)));
}

#[test]
fn the_token_is_signed_by_the_account() {
    let account = ServiceAccount::read("credentials", &Secret::new(
        json!({"client_email": "bell@example.iam.gserviceaccount.com", "private_key_id": "5f2c", "private_key": KEY}).to_string(),
    ));
    let account = account.unwrap();
    let token = account.authorization(now()).unwrap();
    let token = token.strip_prefix("Bearer ").unwrap();
    assert_eq!(account.authorization(now()).unwrap().strip_prefix("Bearer "), Some(token));
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let parts: Vec<String> = signed
        .split('.')
        .map(|part| String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
        .collect();
    insta::assert_snapshot!(parts.join("\n"), @r#"
    {"alg":"RS256","kid":"5f2c","typ":"JWT"}
    {"exp":1795241520,"iat":1795237920,"iss":"bell@example.iam.gserviceaccount.com","scope":"https://www.googleapis.com/auth/chat.bot","sub":"bell@example.iam.gserviceaccount.com"}
    "#);
    let provider = rustls::crypto::ring::default_provider();
    let schemes = provider.signature_verification_algorithms.mapping;
    let known = schemes.iter().find(|(scheme, _)| *scheme == rustls::SignatureScheme::RSA_PKCS1_SHA256).unwrap().1;
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    let public = account.public_key();
    assert!(known.iter().any(|known| known.verify_signature(&public, signed.as_bytes(), &signature).is_ok()));
}

#[test]
fn a_webhook_tells_news_in_the_incidents_thread() {
    assert!(called(&SPEC, SPEC.example, NotificationKind::Updated, &at(MESSAGE, None)).starts_with("skipped"));
    insta::assert_snapshot!(called(&SPEC, SPEC.example, NotificationKind::Opened, &at(MESSAGE, None)), @"POST https://chat.googleapis.com/v1/spaces/AAQAtjsc9v4/messages?key=AIzaSyDdI0hCZtE6vySj&token=iKhQzV9tqS8m1k&messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD&requestId=ac2ae36a-6ad2-f0b7-3263-9adff91feb48");
    let thread = |kind| {
        let asked = asked(&SPEC, SPEC.example, kind, &at(MESSAGE, None));
        let body: Value = serde_json::from_str(asked.split_once("\n\n").unwrap().1).unwrap();
        body["thread"]["threadKey"].as_str().unwrap().to_owned()
    };
    assert_eq!(thread(NotificationKind::Opened), thread(NotificationKind::Resolved));
    let answer =
        |status, body| outcome_of(&SPEC, SPEC.example, NotificationKind::Opened, &at(MESSAGE, None), status, body);
    assert!(matches!(answer(200, SENT), Outcome::Delivered { remote: None, .. }));
    let denied = answer(403, r#"{"error":{"status":"PERMISSION_DENIED","message":"key AIzaSyDdI0hCZtE6vySj"}}"#);
    insta::assert_snapshot!(format!("{denied:?}"), @r#"Rejected { kind: Auth, reason: "Google Chat answered 403: PERMISSION_DENIED key <secret>" }"#);
}

#[test]
fn configuration_errors_name_the_key_and_show_no_secret() {
    let error = build_error(&SPEC, "{space: a, credentials: s3cr3t}");
    assert!(error.starts_with("`credentials`: expected a service account's JSON key") && !error.contains("s3cr3t"));
    assert!(build_error(&SPEC, "{space: a}").starts_with("`credentials`: expected `credentials` with `space`"));
    let quoted = json!({"client_email": "e", "private_key_id": "i", "private_key": "x"});
    assert!(build_error(&SPEC, &format!("{{space: a, credentials: '{quoted}'}}")).contains("an RSA key"));
}

#[test]
fn fields_are_those_of_the_published_description() {
    let Some(description) = shared("google/chat-v1-discovery.json") else { return };
    let methods = &description["resources"]["spaces"]["resources"]["messages"]["methods"];
    let schemas = &description["schemas"];
    for (progress, method) in
        [(at(MESSAGE, None), "create"), (at(REPLY, Some(REMOTE)), "create"), (at(MESSAGE, Some(REMOTE)), "patch")]
    {
        let asked = asked(&SPEC, &app(), NotificationKind::Escalated, &progress);
        let url = asked.lines().next().unwrap().split_once(' ').unwrap().1;
        for (name, _) in reqwest::Url::parse(url).unwrap().query_pairs() {
            assert!(methods[method]["parameters"].get(&*name).is_some(), "{method} takes no `{name}`");
        }
        let body: Value = serde_json::from_str(asked.split_once("\n\n").unwrap().1).unwrap();
        let known = |schema: &str, value: &Value| {
            for name in value.as_object().unwrap().keys() {
                assert!(schemas[schema]["properties"].get(name).is_some(), "{schema} has no `{name}`");
            }
        };
        known("Message", &body);
        let card = &body["cardsV2"][0]["card"];
        known("CardWithId", &body["cardsV2"][0]);
        known("GoogleAppsCardV1Card", card);
        known("GoogleAppsCardV1Section", &card["sections"][0]);
        known("GoogleAppsCardV1Widget", &card["sections"][0]["widgets"][0]);
        known("GoogleAppsCardV1TextParagraph", &card["sections"][0]["widgets"][0]["textParagraph"]);
    }
}
