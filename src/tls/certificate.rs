//! What a certificate says of itself: from when, until when, for whom. Trusts nothing of it; that is
//! for rustls, which is not asked for these facts.

use std::net::IpAddr;

use rustls::pki_types::CertificateDer;
use x509_parser::certificate::{Validity, X509Certificate};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use crate::model::{Span, Timestamp};

/// A certificate with less time left is about to expire, unless it never had much more.
const EXPIRES_SOON: Span = Span::from_hours(14 * 24);
/// Part of a short-lived certificate's time, by which its renewal should have come.
const EXPIRES_SOON_PART: i64 = 4;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    /// As [`normal_name`] writes them: the alternative names, or else the common name of the subject.
    pub names: Vec<String>,
}

impl Certificate {
    /// Nothing when it is no X.509 certificate.
    pub fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let Validity { not_before, not_after } = certificate.validity();
        let at = |seconds: i64| Timestamp::from_millis(seconds.saturating_mul(1_000));
        Some(Self {
            not_before: at(not_before.timestamp()),
            not_after: at(not_after.timestamp()),
            names: names(&certificate),
        })
    }

    pub fn is_expired(&self, now: Timestamp) -> bool {
        now > self.not_after
    }

    pub fn is_early(&self, now: Timestamp) -> bool {
        now < self.not_before
    }

    pub fn expires_soon(&self, now: Timestamp) -> bool {
        let lifetime = self.not_after.since(self.not_before).as_millis();
        let soon = EXPIRES_SOON.as_millis().min(lifetime / EXPIRES_SOON_PART);
        self.not_after.since(now).as_millis() < soon
    }
}

/// The common name counts only where there are no alternative names, as everywhere since RFC 6125: an
/// authority may have looked at those alone.
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let listed: Vec<String> =
        alternative.iter().flat_map(|extension| &extension.value.general_names).filter_map(general_name).collect();
    if !listed.is_empty() {
        return listed;
    }
    let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    common.map(normal_name).collect()
}

fn general_name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => Some(normal_name(name)),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let v6 = <[u8; 16]>::try_from(*bytes).map(IpAddr::from);
            v4.or(v6).ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

/// A name as it is compared: case counts only in a URI, and an address has one way to be written.
pub fn normal_name(name: &str) -> String {
    match name.parse::<IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) if name.contains("://") => name.to_owned(),
        Err(_) => name.to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::pki::{Authority, days};

    fn names_of(names: &[&str], common_name: &str) -> Vec<String> {
        let certified = Authority::new("ca").client(names, common_name, days(0, 90));
        Certificate::read(&certified.der).unwrap().names
    }

    #[test]
    fn names_are_the_alternative_ones_and_the_common_one_only_without_them() {
        let all = ["Zabbix.Example.org", "10.1.2.3", "2001:DB8:0::1", "ops@Example.org", "spiffe://prod/Zabbix"];
        assert_eq!(
            names_of(&all, "someone else"),
            ["zabbix.example.org", "10.1.2.3", "2001:db8::1", "ops@example.org", "spiffe://prod/Zabbix"]
        );
        assert_eq!(names_of(&[], "Zabbix Prod"), ["zabbix prod"]);
    }

    #[test]
    fn soon_is_two_weeks_or_a_quarter_of_a_short_life() {
        let authority = Authority::new("ca");
        let read = |lifetime| Certificate::read(&authority.client(&["a"], "", days(0, lifetime)).der).unwrap();
        let day = |certificate: &Certificate, day: i64| certificate.not_before + Span::from_hours(24 * day);
        let long = read(90);
        assert!(!long.expires_soon(day(&long, 75)) && long.expires_soon(day(&long, 77)));
        assert!(!long.is_expired(day(&long, 89)) && long.is_expired(day(&long, 91)));
        assert!(long.is_early(day(&long, -1)) && !long.is_early(day(&long, 1)));
        let short = read(8);
        assert!(!short.expires_soon(day(&short, 5)) && short.expires_soon(day(&short, 7)));
    }

    #[test]
    fn what_is_no_certificate_says_nothing() {
        assert_eq!(Certificate::read(&CertificateDer::from(b"on fire".to_vec())), None);
    }
}
