//! Any headers and body against every kind of authentication: only what is right gets in.
#![no_main]

use arbitrary::Arbitrary;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};
use watchbell::engine::input::Role;
use watchbell::error::Secret;
use watchbell::http::auth::{SourceAuth, principal};
use watchbell::http::{ApiToken, Auth, SignatureEncoding};
use watchbell_fuzz::NOW;

const SECRET: &[u8] = b"a secret of the sender";
const TOKEN: &str = "3f8a0c6d";
const HEADERS: [&str; 6] = ["authorization", "x-signature", "x-timestamp", "origin", "sec-fetch-site", "host"];

#[derive(Arbitrary, Debug)]
struct Knock<'a> {
    headers: Vec<(u8, &'a [u8])>,
    /// Adds what a rightful sender adds, to reach what lies behind it.
    is_honest: bool,
    is_base64: bool,
    has_timestamp: bool,
    seconds_off: i32,
    body: &'a [u8],
}

fuzz_target!(|knock: Knock<'_>| {
    let mut headers = HeaderMap::new();
    for (name, value) in &knock.headers {
        let name = HeaderName::from_static(HEADERS[usize::from(*name) % HEADERS.len()]);
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
        }
    }
    check_signature(&knock, headers.clone());
    check_token(&knock, headers.clone());
    check_password(&knock, headers);
});

fn check_signature(knock: &Knock<'_>, mut headers: HeaderMap) {
    let auth = SourceAuth::new(Auth::Hmac {
        secrets: vec![Secret::new(SECRET.to_vec())],
        header: "x-signature".into(),
        prefix: "sha256=".into(),
        encoding: if knock.is_base64 { SignatureEncoding::Base64 } else { SignatureEncoding::Hex },
        timestamp_header: knock.has_timestamp.then(|| "x-timestamp".to_owned()),
    });
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).expect("any key will do");
    if knock.has_timestamp {
        let seconds = NOW.as_millis() / 1_000 + i64::from(knock.seconds_off);
        if knock.is_honest {
            headers.insert("x-timestamp", HeaderValue::from(seconds));
        }
        let given = headers.get("x-timestamp").map(HeaderValue::as_bytes).unwrap_or_default();
        mac.update(given);
        mac.update(b":");
    }
    mac.update(knock.body);
    let right = mac.finalize().into_bytes();
    if knock.is_honest {
        let text = if knock.is_base64 { BASE64_STANDARD.encode(right) } else { format!("{right:x}") };
        headers.insert("x-signature", format!("sha256={text}").parse().expect("ASCII"));
    }
    let is_timely = !knock.has_timestamp || knock.seconds_off.unsigned_abs() <= 300;
    let is_in = match auth.check(&headers, &Uri::from_static("/in/x"), NOW) {
        Ok(Some(unverified)) => unverified.verify(knock.body, NOW).is_ok(),
        Ok(None) => panic!("nothing is left to verify"),
        Err(problem) => {
            assert!(!problem.detail().contains("a secret of"), "{}", problem.detail());
            false
        }
    };
    if knock.is_honest {
        assert_eq!(is_in, is_timely);
    } else {
        // Whoever guesses the MAC has earned it.
        assert!(!is_in, "an unsigned body got in");
    }
}

fn check_token(knock: &Knock<'_>, mut headers: HeaderMap) {
    let token_sha256: [u8; 32] = Sha256::digest(TOKEN).into();
    if knock.is_honest {
        headers.insert("authorization", format!("Bearer {TOKEN}").parse().expect("ASCII"));
    }
    let given = headers.get("authorization").map(HeaderValue::as_bytes).unwrap_or_default();
    let is_right =
        given.len() > 7 && given[..7].eq_ignore_ascii_case(b"bearer ") && given[7..].trim_ascii() == TOKEN.as_bytes();
    let auth = SourceAuth::new(Auth::Tokens(vec![token_sha256]));
    assert_eq!(auth.check(&headers, &Uri::from_static("/in/x"), NOW).is_ok(), is_right, "{given:?}");
    let tokens = [ApiToken { name: "duty".into(), role: Role::Viewer, token_sha256 }];
    let listen = "0.0.0.0:9494".parse().expect("an address");
    let who = principal(&tokens, listen, &Uri::from_static("/"), &headers);
    assert_eq!(who.is_ok_and(|who| who.role == Role::Viewer && who.name == "duty"), is_right);
    // Without tokens nobody gets in from outside, and a web page never does.
    assert!(principal(&[], listen, &Uri::from_static("/"), &headers).is_err());
    let local = principal(&[], "127.0.0.1:9494".parse().expect("an address"), &Uri::from_static("/"), &headers);
    assert!(local.is_err() || !headers.contains_key("origin"));
}

fn check_password(knock: &Knock<'_>, mut headers: HeaderMap) {
    let auth =
        SourceAuth::new(Auth::Basic { user: "nagios".into(), password_sha256: Sha256::digest("pass:word").into() });
    if knock.is_honest {
        let value = format!("Basic {}", BASE64_STANDARD.encode("nagios:pass:word"));
        headers.insert("authorization", value.parse().expect("ASCII"));
    }
    let given = headers.get("authorization").map(HeaderValue::as_bytes).unwrap_or_default();
    let is_right = given.len() > 6
        && given[..6].eq_ignore_ascii_case(b"basic ")
        && BASE64_STANDARD.decode(given[6..].trim_ascii()).is_ok_and(|text| text == b"nagios:pass:word");
    assert_eq!(auth.check(&headers, &Uri::from_static("/in/x"), NOW).is_ok(), is_right, "{given:?}");
}
