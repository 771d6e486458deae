//! What fits, what is cut, and that no cut breaks markup.

use super::*;
use crate::model::NotificationKind;
use crate::render::Reader;
use crate::render::dialect::{DISCORD, PLAIN, TELEGRAM};
use crate::render::hostile::{self, KINDS, now, reader};
use crate::render::{Language, sample_notification};

fn document(kind: NotificationKind) -> Document {
    Document::of(&sample_notification(kind, now()), &Reader::new(Language::En))
}

const ROOMY: Limit = Limit { max: 10_000, unit: Unit::Utf16 };

#[test]
fn the_most_important_comes_first() {
    let document = document(NotificationKind::Acknowledged);
    let message = message(&document, &DISCORD, ROOMY);
    insta::assert_snapshot!(message.lines().take(8).collect::<Vec<_>>().join("\n"), @r#"
    **\[P1\] rtr1: Host down – 12 items affected**
    **Acknowledged by anna**
    critical · acknowledged · began 2026-11-21 05:00 UTC · assigned to anna

    **Root cause**
    rtr1 went down first; 11 other items that depend on it followed within 40 s (87 % sure)

    **Impact**
    "#);
    insta::assert_snapshot!(message.lines().last().unwrap(), @"Watchbell, incident inc-7h3kq0v9zd, message 4");
    insta::assert_snapshot!(reply(&document, &PLAIN, ROOMY), @"
    Acknowledged by anna
    critical · acknowledged · began 2026-11-21 05:00 UTC · assigned to anna
    ");
    insta::assert_snapshot!(short(&document, &PLAIN, ROOMY), @"
    [P1] rtr1: Host down – 12 items affected
    Acknowledged by anna
    critical · acknowledged · began 2026-11-21 05:00 UTC · assigned to anna
    rtr1 went down first; 11 other items that depend on it followed within 40 s (87 % sure)
    ");
}

#[test]
fn what_is_cut_says_so_and_keeps_its_footer() {
    let document = document(NotificationKind::Opened);
    let message = message(&document, &PLAIN, Limit { max: 320, unit: Unit::Utf16 });
    insta::assert_snapshot!(message, @"
    [P1] rtr1: Host down – 12 items affected
    New incident
    critical · open · began 2026-11-21 05:00 UTC

    Root cause
    rtr1 went down first; 11 other items that depend on it followed within 40 s (87 % sure)

    Impact
    high, urgency high
    2 services: orders, payments
    12 items:… (+29)
    …

    Watchbell, incident inc-7h3kq0v9zd, message 1
    ");
    insta::assert_snapshot!(line("rtr1 went down first", &TELEGRAM, Limit { max: 14, unit: Unit::Chars }), @"rtr1 we… (+13)");
}

#[test]
fn no_limit_is_passed_and_no_markup_broken() {
    for text in hostile::texts() {
        for kind in [KINDS[0], KINDS[7]] {
            let document = Document::of(&hostile::notification(kind, &text), &Reader::new(Language::De));
            for (max, unit) in [(200, Unit::Utf16), (700, Unit::Bytes), (4_096, Unit::Utf16), (6_000, Unit::Chars)] {
                for paint in [message, body, body_alone, reply, short] {
                    let telegram = paint(&document, &TELEGRAM, Limit { max, unit });
                    assert!(unit.len(&telegram) <= max, "{} > {max}", unit.len(&telegram));
                    let read = reader::html(&telegram, &["b"], "@#/$");
                    assert!(read.is_ok(), "{read:?}");
                    let discord = paint(&document, &DISCORD, Limit { max, unit });
                    assert!(unit.len(&discord) <= max);
                    let read = reader::markdown(&discord, "\\`*_~|[]<>", "**", "@#:");
                    assert!(read.is_ok(), "{read:?}");
                }
            }
        }
    }
}
