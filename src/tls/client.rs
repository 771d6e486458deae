//! Whom a source lets in by certificate. In the handshake a client proves only that it holds the key of
//! the certificate it shows; what that certificate is worth is decided here, by the rule of the source
//! that is asked, at every request. So sources can trust different authorities, a client gets its
//! refusal in words, and a connection does not outlive its certificate.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{CertificateError, DistinguishedName, RootCertStore};
use sha2::{Digest, Sha256};

use super::certificate::Certificate;
use super::{normal_name, provider};
use crate::model::Timestamp;

/// What the client of a connection showed, its own certificate first; it holds the key to that.
#[derive(Clone, Debug)]
pub struct ClientChain(pub Arc<[CertificateDer<'static>]>);

/// Who is let in: whoever the authority vouches for, and of those only the ones that are listed, where
/// any are listed. Without an authority it is the listed fingerprints.
pub struct ClientRule {
    authority: Option<Arc<dyn ClientCertVerifier>>,
    /// As [`normal_name`] writes them.
    names: BTreeSet<String>,
    /// Of a client's own certificate.
    sha256: Vec<[u8; 32]>,
}

#[derive(Debug, thiserror::Error)]
pub enum ClientRuleError {
    #[error("expected certificates of authorities in PEM, got something else")]
    NoAuthority,
    #[error("its certificate number {number} cannot be used as an authority")]
    UnusableAuthority { number: usize },
    #[error("the authorities cannot be used")]
    Authorities(#[source] VerifierBuilderError),
}

/// Why a client is not let in; for the client itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientRefusal {
    #[error("this source wants a client certificate, and the connection came without one")]
    Missing,
    #[error("the client certificate {0}")]
    Untrusted(String),
    #[error("the client certificate is valid, but this source lets in others only; it is {0}")]
    NotListed(String),
}

impl ClientRule {
    /// # Errors
    /// When `authorities` is there but holds none.
    pub fn new(authorities: Option<&str>, names: &[String], sha256: Vec<[u8; 32]>) -> Result<Self, ClientRuleError> {
        let authority = authorities.map(verifier).transpose()?;
        Ok(Self { authority, names: names.iter().map(|name| normal_name(name)).collect(), sha256 })
    }

    /// # Errors
    /// Why this client is not let in.
    pub fn check(&self, chain: Option<&ClientChain>, now: Timestamp) -> Result<(), ClientRefusal> {
        let (own, between) = chain.and_then(|chain| chain.0.split_first()).ok_or(ClientRefusal::Missing)?;
        let unreadable = || ClientRefusal::Untrusted("cannot be read".to_owned());
        let certificate = Certificate::read(own).ok_or_else(unreadable)?;
        match &self.authority {
            Some(authority) => {
                let at = UnixTime::since_unix_epoch(Duration::from_millis(now.as_millis().max(0) as u64));
                authority
                    .verify_client_cert(own, between, at)
                    .map_err(|error| ClientRefusal::Untrusted(words(&error)))?;
            }
            // Nobody vouches for it but its fingerprint, so its own dates are all that there is to keep.
            None if certificate.is_expired(now) => return Err(ClientRefusal::Untrusted("has expired".to_owned())),
            None if certificate.is_early(now) => return Err(ClientRefusal::Untrusted("is not valid yet".to_owned())),
            None => {}
        }
        let lists_nobody = self.names.is_empty() && self.sha256.is_empty();
        // Without an authority an empty list would let in everyone.
        let is_anyone = self.authority.is_some() && lists_nobody;
        let fingerprint: [u8; 32] = Sha256::digest(own).into();
        let is_named = self.authority.is_some() && certificate.names.iter().any(|name| self.names.contains(name));
        if is_anyone || is_named || self.sha256.contains(&fingerprint) {
            return Ok(());
        }
        Err(ClientRefusal::NotListed(described(&certificate, &fingerprint)))
    }

    /// Subjects of the authorities, for clients that choose among their certificates; none: any will do.
    pub(super) fn authorities(&self) -> &[DistinguishedName] {
        self.authority.as_ref().map_or(&[], |authority| authority.root_hint_subjects())
    }
}

impl fmt::Debug for ClientRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientRule").field("names", &self.names).finish_non_exhaustive()
    }
}

fn verifier(pem: &str) -> Result<Arc<dyn ClientCertVerifier>, ClientRuleError> {
    let mut roots = RootCertStore::empty();
    for (index, certificate) in CertificateDer::pem_slice_iter(pem.as_bytes()).enumerate() {
        let unusable = |_| ClientRuleError::UnusableAuthority { number: index + 1 };
        roots
            .add(certificate.map_err(unusable)?)
            .map_err(|_| ClientRuleError::UnusableAuthority { number: index + 1 })?;
    }
    if roots.is_empty() {
        return Err(ClientRuleError::NoAuthority);
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    verifier.build().map_err(ClientRuleError::Authorities)
}

/// What a client should know: rustls' own words are for its developers.
fn words(error: &rustls::Error) -> String {
    let rustls::Error::InvalidCertificate(error) = error else { return format!("cannot be trusted: {error}") };
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "is not valid yet".to_owned(),
        CertificateError::UnknownIssuer => "is not issued by an authority that this source trusts".to_owned(),
        // Another authority of the same name, or somebody who says so.
        CertificateError::BadSignature => "is not signed by the authority that it names".to_owned(),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "is not meant for clients (extended key usage)".to_owned()
        }
        other => format!("cannot be trusted: {other}"),
    }
}

/// Of the names that a refusal repeats.
const NAMES_SHOWN: usize = 5;
const NAME_CHARS_SHOWN: usize = 100;

fn described(certificate: &Certificate, fingerprint: &[u8; 32]) -> String {
    let shown = |name: &String| {
        let clean: String = name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_SHOWN).collect();
        format!("`{clean}`")
    };
    let names: Vec<String> = certificate.names.iter().take(NAMES_SHOWN).map(shown).collect();
    let names = if names.is_empty() { "nobody by name".to_owned() } else { names.join(", ") };
    let hex: String = fingerprint.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("for {names}, SHA-256 {hex}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Span;
    use crate::tls::pki::{Authority, Certified, days};

    fn chain(certified: &Certified) -> ClientChain {
        ClientChain(Arc::new([certified.der.clone()]))
    }

    fn fingerprint(certified: &Certified) -> [u8; 32] {
        Sha256::digest(&certified.der).into()
    }

    /// A day on which a certificate of `days(0, 90)` is valid.
    fn today() -> Timestamp {
        let certified = Authority::new("ca").client(&[], "any", days(0, 90));
        Certificate::read(&certified.der).unwrap().not_before + Span::from_hours(24)
    }

    fn check(rule: &ClientRule, certified: &Certified) -> String {
        match rule.check(Some(&chain(certified)), today()) {
            Ok(()) => "let in".to_owned(),
            Err(refusal) => refusal.to_string().split(", SHA-256").next().unwrap().to_owned(),
        }
    }

    #[test]
    fn an_authority_vouches_for_its_own_within_their_time() {
        let (ours, other) = (Authority::new("ours"), Authority::new("other"));
        let rule = ClientRule::new(Some(&ours.pem), &[], Vec::new()).unwrap();
        let said = [
            check(&rule, &ours.client(&["zabbix"], "", days(0, 90))),
            check(&rule, &other.client(&["zabbix"], "", days(0, 90))),
            // Called the same, with another key.
            check(&rule, &Authority::new("ours").client(&["zabbix"], "", days(0, 90))),
            check(&rule, &ours.client(&["zabbix"], "", days(-9, -2))),
            check(&rule, &ours.client(&["zabbix"], "", days(5, 9))),
            check(&rule, &ours.server(&["zabbix"], days(0, 90))),
            rule.check(None, today()).unwrap_err().to_string(),
            rule.check(Some(&ClientChain(Arc::new([]))), today()).unwrap_err().to_string(),
        ];
        insta::assert_snapshot!(said.join("\n"), @"
        let in
        the client certificate is not issued by an authority that this source trusts
        the client certificate is not signed by the authority that it names
        the client certificate has expired
        the client certificate is not valid yet
        the client certificate is not meant for clients (extended key usage)
        this source wants a client certificate, and the connection came without one
        this source wants a client certificate, and the connection came without one
        ");
    }

    #[test]
    fn a_list_lets_in_by_name_or_by_fingerprint() {
        let ours = Authority::new("ours");
        let known = ours.client(&["10.9.8.7"], "", days(0, 90));
        let names = ["Zabbix.example.org".to_owned(), "old nagios".to_owned()];
        let rule = ClientRule::new(Some(&ours.pem), &names, vec![fingerprint(&known)]).unwrap();
        let said = [
            check(&rule, &ours.client(&["web.example.org", "zabbix.EXAMPLE.org"], "", days(0, 90))),
            check(&rule, &ours.client(&[], "Old Nagios", days(0, 90))),
            check(&rule, &known),
            check(&rule, &ours.client(&["evil-zabbix.example.org"], "zabbix.example.org", days(0, 90))),
            check(&rule, &ours.client(&["*.example.org"], "", days(0, 90))),
            check(&rule, &Authority::new("other").client(&["zabbix.example.org"], "", days(0, 90))),
        ];
        insta::assert_snapshot!(said.join("\n"), @"
        let in
        let in
        let in
        the client certificate is valid, but this source lets in others only; it is for `evil-zabbix.example.org`
        the client certificate is valid, but this source lets in others only; it is for `*.example.org`
        the client certificate is not issued by an authority that this source trusts
        ");
    }

    #[test]
    fn without_an_authority_only_the_fingerprint_counts() {
        let anyone = Authority::new("anyone");
        let (known, expired) = (anyone.client(&["a"], "", days(0, 90)), anyone.client(&["a"], "", days(-9, -2)));
        let rule = ClientRule::new(None, &["a".to_owned()], vec![fingerprint(&known), fingerprint(&expired)]).unwrap();
        assert_eq!(check(&rule, &known), "let in");
        assert_eq!(check(&rule, &expired), "the client certificate has expired");
        let stranger = check(&rule, &anyone.client(&["a"], "", days(0, 90)));
        assert!(stranger.starts_with("the client certificate is valid, but this source lets in others"), "{stranger}");
        let nobody = ClientRule::new(None, &[], Vec::new()).unwrap();
        assert_ne!(check(&nobody, &known), "let in");
    }

    #[test]
    fn an_authority_that_is_none_is_refused() {
        let said = ["", "on fire", "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n"]
            .map(|pem| ClientRule::new(Some(pem), &[], Vec::new()).unwrap_err().to_string());
        insta::assert_snapshot!(said.join("\n"), @"
        expected certificates of authorities in PEM, got something else
        expected certificates of authorities in PEM, got something else
        its certificate number 1 cannot be used as an authority
        ");
    }
}
