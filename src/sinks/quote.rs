//! What a receiver said, fit to be repeated in a reason: one line, clipped, and without the sink's secrets.
//! A receiver may throw back what it was sent, so a secret is looked for in every form in which it went out:
//! plain, inside Base64 (basic authentication, a mail's AUTH), escaped as JSON or for a URL, and the parts
//! of an address that is a secret itself.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};

use crate::render::text::{self, Unit};

/// Characters of an answer that a reason repeats.
const QUOTE_CHARS_MAX: usize = 200;
/// Shorter parts and encodings of a secret are ordinary words too often.
const PART_CHARS_MIN: usize = 8;

/// A text from an answer, without any of `secrets`.
pub(super) fn quote(text: &str, secrets: &[&str]) -> String {
    let mut text = text::one_line(text);
    let mut forms: Vec<String> = secrets.iter().flat_map(|secret| forms(secret)).collect();
    // Longest first: one form may be the beginning of another.
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    for form in forms {
        if text.contains(&form) {
            text = text.replace(&form, "<secret>");
        }
    }
    text::clip(&text, QUOTE_CHARS_MAX, Unit::Chars)
}

fn forms(secret: &str) -> Vec<String> {
    if secret.is_empty() {
        return Vec::new();
    }
    let mut forms = vec![secret.to_owned(), text::one_line(secret)];
    let url = reqwest::Url::parse(secret).ok().filter(reqwest::Url::has_host);
    if let Some(url) = &url {
        let values: Vec<String> = url.query_pairs().map(|(_, value)| value.into_owned()).collect();
        let parts = url.path_segments().into_iter().flatten().map(str::to_owned).chain(values);
        forms.extend(parts.filter(|part| part.chars().count() >= PART_CHARS_MIN));
    }
    let plain = forms.clone();
    for form in &plain {
        let escaped = serde_json::Value::from(form.as_str()).to_string();
        forms.push(escaped.trim_matches('"').to_owned());
        forms.push(
            reqwest::Url::parse_with_params("x:", [("", form)]).map_or_else(
                |_| String::new(),
                |url| url.query().unwrap_or_default().trim_start_matches('=').to_owned(),
            ),
        );
        if form.chars().count() >= PART_CHARS_MIN {
            forms.extend(inside_base64(form));
        }
    }
    forms.retain(|form| !form.is_empty());
    forms
}

/// The letters that depend on the secret alone, for each of the three positions at which it can begin in
/// what was encoded.
fn inside_base64(secret: &str) -> Vec<String> {
    let mut forms = Vec::new();
    for (before, first) in [(0, 0), (1, 2), (2, 3)] {
        let bytes = [&[0; 2][..before], secret.as_bytes()].concat();
        let end = bytes.len() * 8 / 6;
        for engine in [&BASE64_STANDARD, &BASE64_URL_SAFE] {
            forms.push(engine.encode(&bytes)[first..end].to_owned());
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "Tr0ub4dor/&3 \"horse\"";

    #[test]
    fn a_secret_is_taken_out_in_every_form_in_which_it_went_out() {
        for before in ["", "u:", "\0mailer\0", "user:"] {
            let sent = BASE64_STANDARD.encode(format!("{before}{SECRET}"));
            let quoted = quote(&format!("bad: AUTH {sent}!"), &[SECRET]);
            assert!(quoted.contains("<secret>"), "{sent}: {quoted}");
            let left = quoted.trim_start_matches("bad: AUTH ").trim_end_matches('!').replace("<secret>", "");
            let shown = BASE64_STANDARD.encode(before).len() + 4;
            assert!(left.len() <= shown, "{sent}: {quoted}");
        }
        for sent in
            [SECRET.to_owned(), serde_json::Value::from(SECRET).to_string(), "Tr0ub4dor%2F%263+%22horse%22".into()]
        {
            let quoted = quote(&format!("no <{sent}>"), &[SECRET]);
            assert!(quoted.contains("<secret>") && !quoted.contains("horse"), "{sent}: {quoted}");
        }
    }

    #[test]
    fn an_address_that_is_a_secret_is_one_in_parts_too() {
        let url = "https://hooks.example.org/services/T024BE7LD/B0/pdFZKVeTuE8sk7oO?key=aaaabbbbcccc&v=2";
        insta::assert_snapshot!(quote("POST /services/T024BE7LD/B0/pdFZKVeTuE8sk7oO?v=2&key=aaaabbbbcccc", &[url]), @"POST /<secret>/<secret>/B0/<secret>?v=2&key=<secret>");
        insta::assert_snapshot!(quote(&format!("no such hook: {url}"), &[url]), @"no such hook: <secret>");
    }

    #[test]
    fn nothing_secret_changes_nothing() {
        assert_eq!(quote("550 no\r\nmailbox", &["", "a b"]), "550 no mailbox");
    }
}
