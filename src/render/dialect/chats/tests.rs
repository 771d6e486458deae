//! Nothing of a foreign text acts in any chat, and what people copy stays as it was where it can.

use super::*;
use crate::render::hostile::{self, reader};
use crate::render::text::{one_line, paragraphs};

fn shown(markup: &Markup) -> String {
    let lines = [
        "@channel sw_fra_1 *x* <b>&amp; [a](https://evil.example) anna@example.org",
        "# heading",
        "1. list",
        "C:\\temp /restart #tag :fire: ~town `id`",
    ];
    lines.map(|line| (markup.text)(line).replace(JOINER, "·")).join("\n")
}

#[test]
fn each_chat_keeps_foreign_text_from_acting() {
    insta::assert_snapshot!(shown(&TELEGRAM), @r#"
    @·channel sw_fra_1 *x* &lt;b&gt;&amp;amp; [a](https:·/·/·evil.example) anna@example.org
    # heading
    1. list
    C:\temp /·restart #·tag :fire: ~town `id`
    "#);
    insta::assert_snapshot!(shown(&MATTERMOST), @r#"
    @·channel sw\_fra\_1 \*x\* <b>&amp; \[a\](https:·//evil.example) anna@example.org
    ·# heading
    ·1. list
    C:\\temp /restart #·tag :·fire: \~·town \`id\`
    "#);
    insta::assert_snapshot!(shown(&DISCORD), @r#"
    @·channel sw\_fra\_1 \*x\* \<b\>&amp; \[a\](https:·//evil.example) anna@example.org
    ·# heading
    ·1. list
    C:\\temp /restart #·tag :·fire: \~town \`id\`
    "#);
    insta::assert_snapshot!(shown(&WEBEX), @r#"
    @·channel sw\_fra\_1 \*x\* &lt;b&gt;&amp;amp; \[a\](https:·//evil.example) anna@example.org
    ·# heading
    ·1. list
    C:\\temp /restart #·tag :fire: \~town \`id\`
    "#);
    insta::assert_snapshot!(shown(&ROCKETCHAT), @r#"
    @·channel sw_fra_1 ∗x∗ ‹b>&amp; [a]·(https:·//evil.example) anna@example.org
    ·# heading
    ·1. list
    C:\temp /restart #·tag :·fire: ∼town ˋidˋ
    "#);
    insta::assert_snapshot!(shown(&PLAIN), @r#"
    @·channel sw_fra_1 *x* <b>&amp; [a](https:·//evil.example) anna@example.org
    # heading
    1. list
    C:\temp /restart #tag :fire: ~town `id`
    "#);
    insta::assert_snapshot!(shown(&SMS), @r#"
    @channel sw_fra_1 *x* <b>&amp; [a](https: //evil.example) anna@example.org
    # heading
    1. list
    C:\temp /restart #tag :fire: ~town `id`
    "#);
}

#[test]
fn hostile_texts_are_inert_in_every_chat() {
    for text in hostile::texts() {
        let text = one_line(&text);
        for (markup, marks) in [(&TELEGRAM, "@#/$"), (&MATRIX, "@#!"), (&CARD, "@")] {
            let shown = reader::html(&(markup.text)(&text), &[], marks);
            assert_eq!(shown.map(|text| text.replace(JOINER, "")).as_ref(), Ok(&text));
        }
        for (markup, special, marks) in
            [(&MATTERMOST, "\\`*_~|[]", "@#~:"), (&DISCORD, "\\`*_~|[]<>", "@#:"), (&ROCKETCHAT, "`*~<|", "@#:+")]
        {
            let read = reader::markdown(&(markup.text)(&text), special, "**", marks);
            assert!(read.is_ok(), "{read:?}");
        }
        assert!(reader::inert(&(PLAIN.text)(&text), "@").is_ok());
        assert!(!(SMS.text)(&text).contains("://"));
    }
}

#[test]
fn a_line_of_a_workaround_makes_no_block() {
    for line in paragraphs("    indented\n> quoted\n=== under\n---\n+ plus\n2) two").lines() {
        for markup in [&MATTERMOST, &DISCORD, &WEBEX, &ROCKETCHAT] {
            let text = (markup.text)(line);
            assert!(text.starts_with(JOINER), "{text}");
        }
    }
}

#[test]
fn an_address_never_ends_its_link() {
    let address = "https://h.example/a(b)?q=x)|<y>\\*`~&z='\"";
    insta::assert_snapshot!((DISCORD.link)("t", address), @r#"[t](https://h.example/a%28b%29?q=x%29%7C%3Cy%3E%5C%2A%60%7E&z='")"#);
    insta::assert_snapshot!((TELEGRAM.link)("t", address), @r#"<a href="https://h.example/a(b)?q=x)|&lt;y&gt;\*`~&amp;z=&#39;&quot;">t</a>"#);
}
