//! The listener's TLS while the daemon runs: one configuration in force, swapped as a whole by a reload
//! or when the certificate's files change. Connections that exist keep what they began with; new ones
//! get the new one. Decides what is offered in a handshake, never who is let in.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoClientAuth, ServerConfig};
use rustls::sign::SingleCertAndKey;
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme, SupportedProtocolVersion};
use tokio::sync::watch;

use super::certificate::Certificate;
use super::client::ClientRule;
use super::identity::{Identity, IdentityError, IdentityFiles};
use super::provider;

/// What new connections get; absent: plain HTTP.
pub type TlsConfiguration = watch::Receiver<Option<Arc<ServerConfig>>>;

/// Whether clients are asked for a certificate. None is demanded here: other sources may want none.
#[derive(Clone, Debug, Default)]
pub enum Clients {
    #[default]
    NotAsked,
    /// By the subjects of these authorities; without any: whatever certificate they have.
    Asked(Vec<DistinguishedName>),
}

impl Clients {
    /// What all sources together need.
    pub fn of<'a>(rules: impl Iterator<Item = &'a ClientRule>) -> Self {
        let rules: Vec<&ClientRule> = rules.collect();
        if rules.is_empty() {
            return Self::NotAsked;
        }
        // One rule that takes any certificate must not lose clients to the hints of the others.
        if rules.iter().any(|rule| rule.authorities().is_empty()) {
            return Self::Asked(Vec::new());
        }
        let subjects = rules.iter().flat_map(|rule| rule.authorities());
        let once: BTreeMap<&[u8], &DistinguishedName> = subjects.map(|subject| (subject.as_ref(), subject)).collect();
        Self::Asked(once.into_values().cloned().collect())
    }
}

/// Versions of TLS that are spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versions {
    #[default]
    Both,
    Only12,
    Only13,
}

impl Versions {
    fn spoken(self) -> &'static [&'static SupportedProtocolVersion] {
        static BOTH: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];
        match self {
            Self::Both => &BOTH,
            Self::Only12 => BOTH.split_at(1).1,
            Self::Only13 => BOTH.split_at(1).0,
        }
    }
}

/// A configuration that can be put in force: everything that could fail has been done.
pub struct Offer {
    files: IdentityFiles,
    clients: Clients,
    versions: Versions,
    /// Of the files' content.
    sha256: [u8; 32],
    certificate: Certificate,
    configuration: Arc<ServerConfig>,
}

impl Offer {
    /// # Errors
    /// When the files make no usable pair.
    pub fn load(files: IdentityFiles, clients: Clients, versions: Versions) -> Result<Self, IdentityError> {
        let text = files.read()?;
        let identity = files.parse(&text)?;
        let configuration = configuration(&identity, clients.clone(), versions);
        let Identity { certificate, .. } = identity;
        Ok(Self { sha256: text.sha256(), files, clients, versions, certificate, configuration })
    }

    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }
}

/// Holds what is in force, and looks whether the files still say that.
pub struct Listener {
    in_force: watch::Sender<Option<Arc<ServerConfig>>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    offer: Option<Offer>,
    /// A content that could not be used and has been reported.
    refused: Option<[u8; 32]>,
}

impl Listener {
    pub fn new(offer: Option<Offer>) -> Self {
        let in_force = watch::Sender::new(offer.as_ref().map(|offer| offer.configuration.clone()));
        Self { in_force, state: Mutex::new(State { offer, refused: None }) }
    }

    pub fn configuration(&self) -> TlsConfiguration {
        self.in_force.subscribe()
    }

    /// Puts another one in force for the connections to come.
    pub fn put(&self, offer: Option<Offer>) {
        let mut state = self.state.lock();
        self.in_force.send_replace(offer.as_ref().map(|offer| offer.configuration.clone()));
        *state = State { offer, refused: None };
    }

    /// Reads the files again, and puts a new content in force. Nothing when there is none, or when it has
    /// been refused before: certificate and key are replaced one after the other, so a content that does
    /// not fit may be followed by one that does.
    ///
    /// # Errors
    /// When a new content cannot be used; the old one stays in force.
    pub fn renew(&self) -> Result<Option<Certificate>, IdentityError> {
        let mut state = self.state.lock();
        let State { offer: Some(offer), refused } = &mut *state else { return Ok(None) };
        let text = match offer.files.read() {
            Ok(text) => text,
            // A file that is gone is one content too.
            Err(error) => return if refused.replace(ABSENT) == Some(ABSENT) { Ok(None) } else { Err(error) },
        };
        let sha256 = text.sha256();
        if sha256 == offer.sha256 {
            *refused = None;
            return Ok(None);
        }
        if *refused == Some(sha256) {
            return Ok(None);
        }
        let identity = offer.files.parse(&text).inspect_err(|_| *refused = Some(sha256))?;
        offer.configuration = configuration(&identity, offer.clients.clone(), offer.versions);
        offer.certificate = identity.certificate;
        offer.sha256 = sha256;
        *refused = None;
        self.in_force.send_replace(Some(offer.configuration.clone()));
        Ok(Some(offer.certificate.clone()))
    }
}

/// Stands for files that cannot be read; no content has this digest.
const ABSENT: [u8; 32] = [0; 32];

fn configuration(identity: &Identity, clients: Clients, versions: Versions) -> Arc<ServerConfig> {
    let provider = provider();
    let algorithms = provider.signature_verification_algorithms;
    let verifier: Arc<dyn ClientCertVerifier> = match clients {
        Clients::NotAsked => Arc::new(NoClientAuth),
        Clients::Asked(authorities) => Arc::new(HoldsKey { authorities, algorithms }),
    };
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions.spoken())
        .expect("ring has cipher suites for TLS 1.2 and 1.3");
    let mut configuration = builder
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(&identity.key))));
    configuration.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(configuration)
}

/// Takes any certificate whose key the client holds. That alone opens nothing: who is let in is for the
/// [`ClientRule`] of the source that is asked, and sources without one look at no certificate.
struct HoldsKey {
    authorities: Vec<DistinguishedName>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl fmt::Debug for HoldsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HoldsKey").finish_non_exhaustive()
    }
}

impl ClientCertVerifier for HoldsKey {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.authorities
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::pki::{ALWAYS, Authority, Certified};

    struct Folder {
        folder: tempfile::TempDir,
        files: IdentityFiles,
    }

    impl Folder {
        fn new(server: &Certified) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let files =
                IdentityFiles { certificate: folder.path().join("tls.crt"), key: folder.path().join("tls.key") };
            let new = Self { folder, files };
            new.write(&server.certificate, &server.key);
            new
        }

        fn write(&self, certificate: &str, key: &str) {
            std::fs::write(&self.files.certificate, certificate).unwrap();
            std::fs::write(&self.files.key, key).unwrap();
        }

        fn listener(&self) -> Listener {
            Listener::new(Some(Offer::load(self.files.clone(), Clients::NotAsked, Versions::Both).unwrap()))
        }
    }

    #[test]
    fn a_new_certificate_is_noticed_and_a_half_replaced_one_is_refused_once() {
        let authority = Authority::new("ca");
        let [first, second] = ["one.example", "two.example"].map(|name| authority.server(&[name], ALWAYS));
        let folder = Folder::new(&first);
        let listener = folder.listener();
        let mut seen = listener.configuration();
        assert!(listener.renew().unwrap().is_none());

        folder.write(&second.certificate, &first.key);
        assert!(matches!(listener.renew(), Err(IdentityError::Mismatch { .. })));
        assert!(listener.renew().unwrap().is_none(), "said once");
        assert!(!seen.has_changed().unwrap(), "the old one stays in force");

        folder.write(&second.certificate, &second.key);
        assert_eq!(listener.renew().unwrap().unwrap().names, ["two.example"]);
        assert!(seen.has_changed().unwrap());
        seen.mark_unchanged();
        assert!(listener.renew().unwrap().is_none());
        assert!(!seen.has_changed().unwrap());
    }

    #[test]
    fn files_that_are_gone_for_a_moment_are_reported_once_and_taken_when_they_return() {
        let authority = Authority::new("ca");
        let server = authority.server(&["one.example"], ALWAYS);
        let folder = Folder::new(&server);
        let listener = folder.listener();
        std::fs::remove_file(folder.folder.path().join("tls.key")).unwrap();
        assert!(matches!(listener.renew(), Err(IdentityError::Read { .. })));
        assert!(listener.renew().unwrap().is_none());
        folder.write(&server.certificate, &server.key);
        assert!(listener.renew().unwrap().is_none(), "the same as before");
        let next = authority.server(&["two.example"], ALWAYS);
        folder.write(&next.certificate, &next.key);
        assert!(listener.renew().unwrap().is_some());
    }

    #[test]
    fn without_tls_there_is_nothing_to_renew() {
        let listener = Listener::new(None);
        assert!(listener.renew().unwrap().is_none());
        assert!(listener.configuration().borrow().is_none());
    }

    #[test]
    fn clients_are_asked_as_any_rule_needs() {
        let (one, two) = (Authority::new("one"), Authority::new("two"));
        let rule = |pem: &str| ClientRule::new(Some(pem), &[], Vec::new()).unwrap();
        let (first, second) = (rule(&one.pem), rule(&format!("{}{}", two.pem, one.pem)));
        let pinned = ClientRule::new(None, &[], vec![[7; 32]]).unwrap();
        assert!(matches!(Clients::of([].into_iter()), Clients::NotAsked));
        let Clients::Asked(subjects) = Clients::of([&first, &second].into_iter()) else { panic!() };
        assert_eq!(subjects.len(), 2);
        assert!(matches!(Clients::of([&first, &pinned].into_iter()), Clients::Asked(subjects) if subjects.is_empty()));
    }
}
