//! Any text as matchers, and any value against them: what is printed reads back as the same matcher
//! (silences are stored so), and a pattern matches whole values only.
#![no_main]

use libfuzzer_sys::fuzz_target;
use watchbell::model::Matcher;
use watchbell_fuzz::parts;

fuzz_target!(|data: &[u8]| {
    let parts = parts(data);
    let (text, value) = (&parts[0], parts.get(1).map(String::as_str));
    let one = text.parse::<Matcher>().into_iter();
    for matcher in one.chain(Matcher::parse_all(text).into_iter().flatten()) {
        let printed = matcher.to_string();
        let again: Matcher = printed.parse().unwrap_or_else(|error| panic!("{printed}: {error}"));
        assert_eq!((&again.name, &again.value, again.to_string()), (&matcher.name, &matcher.value, printed.clone()));
        assert_eq!(again.is_match(value), matcher.is_match(value));
        let all = Matcher::parse_all(&format!("{{{printed}, {printed}}}")).expect("a list of what was printed");
        assert_eq!(all, [matcher.clone(), matcher.clone()]);
        check_meaning(&matcher, &printed, value.unwrap_or_default());
    }
});

fn check_meaning(matcher: &Matcher, printed: &str, value: &str) {
    let operator = printed[..printed.len() - quoted_len(printed)].chars().rev().take(2).collect::<String>();
    let is_match = matcher.is_match(Some(value));
    match operator.as_str() {
        "~=" | "~!" => {
            let pattern = regex::Regex::new(&matcher.value).expect("a pattern that stands by itself");
            let is_whole = regex::Regex::new(&format!(r"\A(?:{})\z", matcher.value)).expect("the same");
            let (is_found, is_whole) = (pattern.is_match(value), is_whole.is_match(value));
            assert_eq!(is_match, is_whole == (operator == "~="), "{printed} on {value:?}");
            assert!(is_found || !is_whole);
        }
        "=!" => assert_eq!(is_match, value != matcher.value),
        _ => assert_eq!(is_match, value == matcher.value),
    }
}

/// Bytes of the quoted value at the end of what was printed.
fn quoted_len(printed: &str) -> usize {
    let matcher: Matcher = printed.parse().expect("it was parsed before");
    matcher.value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").len() + 2
}
