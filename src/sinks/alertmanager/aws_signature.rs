//! Signature version 4 of AWS, for one request with static keys
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>, read 2026-11-28).

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use crate::error::Secret;
use crate::model::Timestamp;

pub(super) struct Keys {
    pub access_key: String,
    pub secret_key: Secret<String>,
}

/// What is signed. `headers` have lower-case names; those of `host` and `x-amz-date` are added.
pub(super) struct Signed<'a> {
    pub method: &'a str,
    pub url: &'a reqwest::Url,
    pub headers: &'a [(&'a str, &'a str)],
    pub body: &'a [u8],
    pub region: &'a str,
    pub service: &'a str,
    pub at: Timestamp,
}

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

impl Signed<'_> {
    /// `20150830T123600Z`
    pub fn date(&self) -> String {
        let text = self.at.to_string();
        let seconds = text.split('.').next().unwrap_or_default();
        format!("{}Z", seconds.replace(['-', ':'], ""))
    }

    /// The value of the header `authorization`.
    pub fn authorization(&self, keys: &Keys) -> String {
        let date = self.date();
        let day = date.split('T').next().unwrap_or_default();
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let (names, canonical) = self.canonical(&date);
        let text = format!("{ALGORITHM}\n{date}\n{scope}\n{}", hex(&Sha256::digest(canonical.as_bytes())));
        let mut key = format!("AWS4{}", keys.secret_key.expose()).into_bytes();
        for part in [day, self.region, self.service, "aws4_request"] {
            key = mac(&key, part);
        }
        let signature = hex(&mac(&key, &text));
        format!("{ALGORITHM} Credential={}/{scope}, SignedHeaders={names}, Signature={signature}", keys.access_key)
    }

    /// Names of the signed headers, and the request in the form that is hashed. There is no query.
    fn canonical(&self, date: &str) -> (String, String) {
        let mut headers = vec![("host".to_owned(), host(self.url)), ("x-amz-date".to_owned(), date.to_owned())];
        headers.extend(self.headers.iter().map(|(name, value)| ((*name).to_owned(), value.trim().to_owned())));
        headers.sort();
        let names = headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";");
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let hash = hex(&Sha256::digest(self.body));
        let canonical = format!("{}\n{}\n\n{lines}\n{names}\n{hash}", self.method, self.url.path());
        (names, canonical)
    }
}

fn host(url: &reqwest::Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    // HMAC takes a key of any length, so this cannot fail.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests of the vendor's test suite `aws-sig-v4-test-suite`, with the signatures that it gives.
    #[test]
    fn signatures_are_those_of_the_vendors_suite() {
        let keys = Keys {
            access_key: "AKIDEXAMPLE".into(),
            secret_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into()),
        };
        let url = "https://example.amazonaws.com/".parse().unwrap();
        let form = [("content-type", "application/x-www-form-urlencoded")];
        for (method, headers, body, signature) in [
            ("GET", &form[..0], "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ("POST", &form[..0], "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
            ("POST", &form[..], "Param1=value1", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
        ] {
            let signed = Signed {
                method,
                url: &url,
                headers,
                body: body.as_bytes(),
                region: "us-east-1",
                service: "service",
                at: "2015-08-30T12:36:00Z".parse().unwrap(),
            };
            assert_eq!(signed.date(), "20150830T123600Z");
            let authorization = signed.authorization(&keys);
            assert!(authorization.ends_with(&format!("Signature={signature}")), "{method} {body}: {authorization}");
        }
    }
}
