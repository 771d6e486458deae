//! The five languages agree, the document reads well, and no dialect can be broken out of.

use std::collections::BTreeMap;

use super::dialect::{html, html_text, journal, plain, slack_text};
use super::hostile::{self, KINDS, now};
use super::reader::Reader;
use super::template::{Rendered, Template};
use super::text::{Argument, Language, Unit, clip, message, one_line, paragraphs, web_address};
use super::{Document, Templates, sample_notification};
use crate::model::NotificationKind;

/// Key → the arguments its text uses.
fn keys(language: Language) -> BTreeMap<String, Vec<String>> {
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut current = String::new();
    for line in language.source().lines() {
        if let Some((key, _)) = line.split_once(" = ").filter(|_| line.starts_with(|c: char| c.is_ascii_lowercase())) {
            current = key.to_owned();
            assert!(keys.insert(current.clone(), Vec::new()).is_none(), "{}: `{key}` twice", language.as_str());
        }
        for part in line.split("{ $").skip(1) {
            let name: String = part.chars().take_while(char::is_ascii_alphanumeric).collect();
            let arguments = keys.entry(current.clone()).or_default();
            if !arguments.contains(&name) {
                arguments.push(name);
                arguments.sort();
            }
        }
    }
    keys
}

#[test]
fn all_languages_have_the_same_keys_and_arguments() {
    let english = keys(Language::En);
    assert!(english.len() > 40);
    for language in Language::ALL {
        assert_eq!(keys(language), english, "{}", language.as_str());
    }
}

#[test]
fn message_files_parse_and_every_message_can_be_formatted() {
    for language in Language::ALL {
        let parsed = fluent_bundle::FluentResource::try_new(language.source().to_owned());
        assert!(parsed.is_ok(), "{}: {:?}", language.as_str(), parsed.err().map(|(_, errors)| errors));
        for (key, arguments) in keys(language) {
            let names: Vec<&'static str> = arguments.into_iter().map(|name| &*name.leak()).collect();
            let values: Vec<_> = names.iter().map(|name| (*name, value_of(name))).collect();
            let text = message(language, &key, &values);
            assert!(text != key && !text.contains("{$") && !text.is_empty(), "{}: {text}", language.as_str());
        }
    }
}

fn value_of(name: &str) -> Argument<'static> {
    if matches!(name, "count" | "firing") { Argument::Count(3) } else { Argument::Text("x") }
}

#[test]
fn a_missing_key_shows_instead_of_failing() {
    assert_eq!(message(Language::Pl, "no-such-key", &[]), "no-such-key");
}

#[test]
fn plurals_follow_the_language() {
    let affected = |language, count: u32| message(language, "alerts-more", &[("count", count.into())]);
    assert_eq!(affected(Language::En, 1), "and 1 more alert");
    assert_eq!(affected(Language::En, 2), "and 2 more alerts");
    assert_eq!(affected(Language::Pl, 1), "i jeszcze 1 alert");
    assert_eq!(affected(Language::Pl, 3), "i jeszcze 3 alerty");
    assert_eq!(affected(Language::Pl, 12), "i jeszcze 12 alertów");
    assert_eq!(affected(Language::Nb, 1), "og 1 alarm til");
    assert_eq!(affected(Language::It, 1), "e un altro allarme");
}

fn shown(kind: NotificationKind, language: Language) -> String {
    plain(&Document::of(&sample_notification(kind, now()), &Reader::new(language)))
}

#[test]
fn english_opened() {
    insta::assert_snapshot!(shown(NotificationKind::Opened, Language::En), @"
    New incident
    [P1] rtr1: Host down – 12 items affected
    critical · open · began 2026-11-21 05:00 UTC

    Root cause
      rtr1 went down first; 11 other items that depend on it followed within 40 s (87 % sure)

    Impact
      high, urgency high
      2 services: orders, payments
      12 items: rtr1, sw-fra-1, db-3, 9 more
      31 of 31 alerts are firing

    Service level
      Respond by 2026-11-21 05:15 UTC (gold)
      Restore by 2026-11-21 09:00 UTC (gold)

    What to do
      Known error “rtr1 loses its power supply”: Switch rtr1 to the second power feed, then wait two minutes.
      Runbook for Host down: https://wiki.example/runbooks/host-down

    Evidence
      05:00 critical rtr1: Host down – rtr1 does not answer to ping (nagios)
      05:00 major db-3: Unreachable – db-3 does not answer to ping (zabbix)
      and 29 more alerts

    Links
      Incident inc-7h3kq0v9zd: https://watchbell.example/incidents/inc-7h3kq0v9zd
      Host down in nagios: https://nagios.example/alerts?host=rtr1&open=1
      Unreachable in zabbix: https://zabbix.example/alerts?host=db-3&open=1

    Watchbell, incident inc-7h3kq0v9zd, message 1
    ");
}

#[test]
fn german_acknowledged() {
    insta::assert_snapshot!(shown(NotificationKind::Acknowledged, Language::De), @"
    Übernommen von anna
    [P1] rtr1: Host down – 12 Elemente betroffen
    kritisch · übernommen · Beginn 21.11.2026 05:00 UTC · zugewiesen an anna

    Ursache
      rtr1 went down first; 11 other items that depend on it followed within 40 s (87 % sicher)

    Auswirkung
      hoch, Dringlichkeit hoch
      2 Services: orders, payments
      12 Elemente: rtr1, sw-fra-1, db-3, 9 weitere
      31 von 31 Alarmen stehen an

    Servicezusage
      Reagiert um 21.11.2026 05:12 UTC, fällig 21.11.2026 05:15 UTC (gold)
      Wiederherstellen bis 21.11.2026 09:00 UTC (gold)

    Was zu tun ist
      Bekannter Fehler „rtr1 loses its power supply“: Switch rtr1 to the second power feed, then wait two minutes.
      Anleitung für Host down: https://wiki.example/runbooks/host-down

    Belege
      05:00 kritisch rtr1: Host down – rtr1 does not answer to ping (nagios)
      05:00 schwer db-3: Unreachable – db-3 does not answer to ping (zabbix)
      und 29 weitere Alarme

    Links
      Vorfall inc-7h3kq0v9zd: https://watchbell.example/incidents/inc-7h3kq0v9zd
      Host down in nagios: https://nagios.example/alerts?host=rtr1&open=1
      Unreachable in zabbix: https://zabbix.example/alerts?host=db-3&open=1

    Watchbell, Vorfall inc-7h3kq0v9zd, Nachricht 4
    ");
}

#[test]
fn polish_escalated() {
    insta::assert_snapshot!(shown(NotificationKind::Escalated, Language::Pl), @"
    Eskalacja na kolejny poziom – nobody acknowledged within 10m
    [P1] rtr1: Host down – dotyczy 12 elementów
    krytyczny · otwarty · początek 21.11.2026 05:00 UTC

    Przyczyna
      rtr1 went down first; 11 other items that depend on it followed within 40 s (pewność 87 %)

    Skutki
      Skala: duża, pilność: duża
      2 usługi: orders, payments
      12 elementów: rtr1, sw-fra-1, db-3, jeszcze 9
      Aktywne alerty: 31 z 31

    Poziom usługi
      Reakcja do 21.11.2026 05:15 UTC (gold)
      Przywrócenie do 21.11.2026 09:00 UTC (gold)

    Co zrobić
      Znany błąd „rtr1 loses its power supply”: Switch rtr1 to the second power feed, then wait two minutes.
      Instrukcja dla Host down: https://wiki.example/runbooks/host-down

    Dowody
      05:00 krytyczny rtr1: Host down – rtr1 does not answer to ping (nagios)
      05:00 poważny db-3: Unreachable – db-3 does not answer to ping (zabbix)
      i jeszcze 29 alertów

    Odnośniki
      Incydent inc-7h3kq0v9zd: https://watchbell.example/incidents/inc-7h3kq0v9zd
      Host down w nagios: https://nagios.example/alerts?host=rtr1&open=1
      Unreachable w zabbix: https://zabbix.example/alerts?host=db-3&open=1

    Watchbell, incydent inc-7h3kq0v9zd, wiadomość 6
    ");
}

#[test]
fn italian_resolved() {
    insta::assert_snapshot!(shown(NotificationKind::Resolved, Language::It), @"
    Risolto dopo 12m
    [P1] rtr1: Host down – Risolto dopo 12m
    critico · risolto · inizio 21/11/2026 05:00 UTC · assegnato a anna

    Causa
      rtr1 went down first; 11 other items that depend on it followed within 40 s (sicurezza 87 %)

    Impatto
      alto, livello di urgenza alto
      2 servizi: orders, payments
      12 elementi: rtr1, sw-fra-1, db-3, altri 9
      Allarmi attivi: 0 su 31

    Livello di servizio
      Risposta alle 21/11/2026 05:06 UTC, scadenza 21/11/2026 05:15 UTC (gold)
      Ripristino alle 21/11/2026 05:12 UTC, scadenza 21/11/2026 09:00 UTC (gold)

    Cosa fare
      Errore noto «rtr1 loses its power supply»: Switch rtr1 to the second power feed, then wait two minutes.
      Istruzioni per Host down: https://wiki.example/runbooks/host-down

    Prove
      05:00 rientrato rtr1: Host down – rtr1 does not answer to ping (nagios)
      05:00 rientrato db-3: Unreachable – db-3 does not answer to ping (zabbix)
      e altri 29 allarmi

    Collegamenti
      Incidente inc-7h3kq0v9zd: https://watchbell.example/incidents/inc-7h3kq0v9zd
      Host down in nagios: https://nagios.example/alerts?host=rtr1&open=1
      Unreachable in zabbix: https://zabbix.example/alerts?host=db-3&open=1

    Watchbell, incidente inc-7h3kq0v9zd, messaggio 9
    ");
}

#[test]
fn norwegian_merged() {
    insta::assert_snapshot!(shown(NotificationKind::Merged, Language::Nb), @"
    Fortsetter som inc-4q9w2m7kxe – one fault explains both
    [P1] rtr1: Host down – Fortsetter som inc-4q9w2m7kxe
    kritisk · slått sammen · begynte 21.11.2026 kl. 05:00 UTC

    Årsak
      rtr1 went down first; 11 other items that depend on it followed within 40 s (87 % sikker)

    Konsekvens
      høy, hast høy
      2 tjenester: orders, payments
      12 enheter: rtr1, sw-fra-1, db-3, 9 til
      31 av 31 alarmer er aktive

    Tjenestenivå
      Svar innen 21.11.2026 kl. 05:15 UTC (gold)
      Gjenopprett innen 21.11.2026 kl. 09:00 UTC (gold)

    Hva du kan gjøre
      Kjent feil «rtr1 loses its power supply»: Switch rtr1 to the second power feed, then wait two minutes.
      Veiledning for Host down: https://wiki.example/runbooks/host-down

    Funn
      05:00 kritisk rtr1: Host down – rtr1 does not answer to ping (nagios)
      05:00 alvorlig db-3: Unreachable – db-3 does not answer to ping (zabbix)
      og 29 alarmer til

    Lenker
      Hendelse inc-7h3kq0v9zd: https://watchbell.example/incidents/inc-7h3kq0v9zd
      Host down i nagios: https://nagios.example/alerts?host=rtr1&open=1
      Unreachable i zabbix: https://zabbix.example/alerts?host=db-3&open=1

    Watchbell, hendelse inc-7h3kq0v9zd, melding 10
    ");
}

#[test]
fn every_kind_has_its_own_news() {
    let news =
        KINDS.map(|kind| Document::of(&sample_notification(kind, now()), &Reader::new(Language::En)).news.join(" | "));
    insta::assert_snapshot!(news.join("\n"), @"
    New incident
    Update | three more alerts joined
    Acknowledged by anna
    Still open after 12m
    Escalated to the next level | nobody acknowledged within 10m
    A service level is at risk | 75 % of the time to respond has passed
    Reopened: it is back
    Resolved after 12m
    Goes on as inc-4q9w2m7kxe | one fault explains both
    This keeps happening: a problem was proposed | prb-2c8dk0v9zd “rtr1 loses its power supply”: 3 similar incidents
    A problem was accepted: somebody looks for its cause | prb-2c8dk0v9zd “rtr1 loses its power supply” was accepted by anna
    The cause is a known error now | prb-2c8dk0v9zd “rtr1 loses its power supply”; workaround: switch rtr1 to the second power feed
    The problem behind this was resolved | prb-2c8dk0v9zd “rtr1 loses its power supply” was resolved by anna: new power supply
    Test message. Nothing is wrong. | asked for with `watchbell test-sink`
    ");
}

#[test]
fn an_unknown_cause_and_a_single_item_are_said_plainly() {
    let mut notification = super::sample::sparse();
    notification.incident.configuration_item_count = 1;
    notification.incident.configuration_items = vec!["rtr1".into()];
    let document = Document::of(&notification, &Reader::new(Language::En));
    assert_eq!(document.headline, "[P1] rtr1: Host down");
    assert_eq!(document.sections[0].lines[0].text, "Not known yet.");
    assert!(plain(&document).contains("Item: rtr1"));
}

#[test]
fn missed_and_met_promises_are_told_apart() {
    let mut notification = sample_notification(NotificationKind::SlaThreshold, now());
    notification.incident.clocks[0].met_at = Some(now());
    notification.incident.clocks[1].is_breached = true;
    let document = Document::of(&notification, &Reader::new(Language::En));
    let text = plain(&document);
    assert!(text.contains("Responded at 2026-11-21 05:12 UTC, due 2026-11-21 05:15 UTC (gold)"), "{text}");
    assert!(text.contains("MISSED: restore by 2026-11-21 09:00 UTC (gold)"), "{text}");
    assert_eq!(document.news[0], "A service level was missed");
}

#[test]
fn clipping_counts_what_is_missing_and_keeps_the_limit() {
    assert_eq!(clip("abcdefghijkl", 12, Unit::Chars), "abcdefghijkl");
    assert_eq!(clip(&"a".repeat(123), 20, Unit::Chars), "aaaaaaaaaaaa… (+111)");
    assert_eq!(clip("overflow", 5, Unit::Chars), "over…");
    assert_eq!(clip("ééé", 2, Unit::Bytes), "é");
    for unit in [Unit::Chars, Unit::Bytes, Unit::Utf16] {
        for text in hostile::texts() {
            for max in [0, 1, 2, 3, 7, 8, 9, 20, 150, 3_000] {
                let clipped = clip(&text, max, unit);
                assert!(unit.len(&clipped) <= max, "{max} {unit:?}");
            }
        }
    }
}

#[test]
fn cleaning_leaves_one_visible_line() {
    for (text, expected) in [
        ("\u{1b}[31mred\u{1b}[0m alert\u{7}", "red alert"),
        ("unfinished \u{1b}[12;", "unfinished"),
        ("a\r\nb\tc", "a b c"),
        ("user\u{202e}gnp.exe", "user[U+202E]gnp.exe"),
        ("zero\u{200b}width\u{feff}", "zerowidth"),
        ("\u{1f469}\u{200d}\u{1f692}", "\u{1f469}\u{200d}\u{1f692}"),
        ("\u{9b}2Jcleared", "cleared"),
    ] {
        assert_eq!(one_line(text), expected);
    }
    assert_eq!(paragraphs("a  \n\n\n\nb\r\n c\n\n"), "a\n\nb\n c");
    for text in hostile::texts() {
        assert!(!one_line(&text).contains(|c| hostile::is_forbidden(c) || c == '\n'), "{text:?}");
        assert!(!paragraphs(&text).contains(hostile::is_forbidden), "{text:?}");
    }
}

#[test]
fn only_web_addresses_become_links() {
    assert_eq!(web_address("https://wiki.example/a b?x=<y>").as_deref(), Some("https://wiki.example/a%20b?x=%3Cy%3E"));
    for text in [
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "//evil.example",
        "https://good.example@evil.example/",
        "https://user:pass@host/",
        "http://",
        "not an address",
        "java\nscript:alert(1)",
    ] {
        assert_eq!(web_address(text), None, "{text}");
    }
}

#[test]
fn dialects_make_their_own_syntax_inert() {
    assert_eq!(html_text("<b a='x' b=\"y\">&"), "&lt;b a=&#39;x&#39; b=&quot;y&quot;&gt;&amp;");
    assert_eq!(slack_text("<!channel> & <@U1>"), "&lt;!channel&gt; &amp; &lt;@U1&gt;");
    assert_eq!(journal("[code]<b>[/CODE] [ code] [x] [co[code]de]"), "(code]<b>(/CODE] ( code] [x] [co(code]de]");
    assert_eq!(journal("[["), "[[");
}

#[test]
fn hostile_texts_stay_text_in_every_dialect() {
    let tag = regex::Regex::new(r"</?([a-zA-Z!][a-zA-Z0-9]*)([^>]*)>").unwrap();
    let link = regex::Regex::new(r#"^ href="https?://[^"<>]*"$"#).unwrap();
    let known = ["DOCTYPE", "html", "head", "meta", "body", "p", "strong", "h2", "h3", "ul", "li", "a", "small"];
    for text in hostile::texts() {
        for language in Language::ALL {
            let document =
                Document::of(&hostile::notification(NotificationKind::Resolved, &text), &Reader::new(language));
            let page = html(&document);
            for found in tag.captures_iter(&page) {
                assert!(known.contains(&found[1].trim_start_matches('!')), "{}", &found[0]);
                let is_link = &found[1] == "a" && !found[0].starts_with("</");
                assert!(!is_link || link.is_match(&found[2]), "{}", &found[0]);
            }
            let plain = plain(&document);
            assert!(!plain.contains(hostile::is_forbidden));
            assert!(plain.chars().count() < 13_000, "{}", plain.chars().count());
            let journal = journal(&plain).to_ascii_lowercase();
            assert!(!journal.contains("[code") && !journal.contains("[/code"));
        }
    }
}

#[test]
fn a_template_replaces_headline_or_text() {
    let templates =
        Templates::new(Some("{{ incident.priority }} {{ incident.title }}"), Some("{{ reason }}\n{{ kind }}"));
    let notification = sample_notification(NotificationKind::Opened, now());
    let mut document = Document::of(&notification, &Reader::new(Language::En));
    templates.unwrap().apply(&mut document, &notification, Language::En);
    assert_eq!(document.headline, "P1 rtr1: Host down");
    assert_eq!(document.sections.len(), 1);
    assert_eq!(document.sections[0].lines[1].text, "opened");
}

#[test]
fn a_broken_template_is_refused_when_it_is_configured() {
    let refused = |source: &str| Templates::new(None, Some(source)).unwrap_err().to_string();
    assert!(
        refused("{{ incident.titel }}").starts_with("`template`: undefined value"),
        "{}",
        refused("{{ incident.titel }}")
    );
    let absent = refused("{{ incident.problem.workaround }}");
    assert!(absent.contains("not every incident has this field"), "{absent}");
    assert!(refused("{% for x in range(1000) %}{% for y in range(1000) %}.{% endfor %}{% endfor %}").contains("fuel"));
    assert!(refused("{% include 'x' %}").starts_with("`template`"));
    assert!(Template::new("{{ incident.assignee | default('nobody') }}").is_ok());
}

#[test]
fn a_template_that_fails_at_night_falls_back_and_says_so() {
    // Fine with the samples, not with this many items.
    let source = "{% if incident.alert_count > 1000 %}{{ incident.nothing.here }}{% else %}fine{% endif %}";
    let templates = Templates::new(Some(source), Some(source)).unwrap();
    let mut notification = sample_notification(NotificationKind::Opened, now());
    notification.incident.alert_count = 5_000;
    let built_in = Document::of(&notification, &Reader::new(Language::De));
    let mut document = built_in.clone();
    templates.apply(&mut document, &notification, Language::De);
    assert_eq!(document.headline, built_in.headline);
    let text = plain(&document);
    assert!(text.contains("Die eingestellte Vorlage schlug fehl (undefined value"), "{text}");
    let Rendered { text, fallback } = Template::new(source).unwrap().render(&notification, || "built in".into());
    assert_eq!((text.as_str(), fallback.is_some()), ("built in", true));
}

#[test]
fn what_a_template_prints_cannot_become_markup() {
    let templates = Templates::new(Some("{{ incident.title }}"), Some("{{ incident.title }}")).unwrap();
    for text in hostile::texts() {
        let notification = hostile::notification(NotificationKind::Opened, &text);
        let mut document = Document::of(&notification, &Reader::new(Language::En));
        templates.apply(&mut document, &notification, Language::En);
        assert!(!plain(&document).contains(hostile::is_forbidden));
        assert!(!html(&document).contains("<script"));
    }
}
