//! TLS of outbound calls: whom is believed, what is shown, which versions are spoken. Decides whether certificates
//! and keys of the configuration can be used, and says which of them cannot; never repeats what stands in a key.

use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion};
use rustls_platform_verifier::Verifier;

use crate::error::ConfigError;
use crate::sinks::{TlsSetting, TlsVersion};

/// What a client needs for TLS.
///
/// # Errors
/// Names the key of `tls_config` that cannot be carried out.
pub(super) fn configuration(setting: &TlsSetting, http1_only: bool) -> Result<ClientConfig, ConfigError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = versions(setting)?;
    let verifier = verifier(setting, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions)
        .map_err(|_| ConfigError::new("max_version", "there is no version of TLS left"))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut configuration = match identity(setting)? {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => ConfigError::new("key", "does not belong to the certificate"),
            rustls::Error::InvalidCertificate(_) => ConfigError::new("cert", "its first certificate cannot be read"),
            _ => {
                ConfigError::new("key", "this kind of key cannot be used; RSA, ECDSA on P-256 or P-384 and Ed25519 can")
            }
        })?,
    };
    configuration.alpn_protocols = match http1_only {
        true => vec![b"http/1.1".to_vec()],
        false => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
    };
    Ok(configuration)
}

/// The name that is asked for and that the certificate must be for, where it is not the address's own.
///
/// # Errors
/// When it is no name.
pub(super) fn server_name(setting: &TlsSetting) -> Result<Option<ServerName<'static>>, ConfigError> {
    let read = |name: &String| ServerName::try_from(name.clone());
    setting.server_name.as_ref().map(read).transpose().map_err(|_| {
        let name = setting.server_name.as_deref().unwrap_or_default();
        ConfigError::new("server_name", format!("expected the name of a host, got `{name}`"))
    })
}

/// Oldest and newest that may be spoken; older ones than these rustls does not know.
fn versions(setting: &TlsSetting) -> Result<Vec<&'static SupportedProtocolVersion>, ConfigError> {
    let (min, max) =
        (setting.min_version.unwrap_or(TlsVersion::Tls12), setting.max_version.unwrap_or(TlsVersion::Tls13));
    if min > max {
        return Err(ConfigError::new("max_version", "expected it not to be below `min_version`"));
    }
    let known = [(TlsVersion::Tls13, &rustls::version::TLS13), (TlsVersion::Tls12, &rustls::version::TLS12)];
    Ok(known.into_iter().filter(|(version, _)| (min..=max).contains(version)).map(|(_, version)| version).collect())
}

fn verifier(setting: &TlsSetting, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, ConfigError> {
    // Read in any case: what is not used today is used once the line beside it is gone.
    let roots = setting.ca_pem.as_deref().map(roots).transpose()?;
    if setting.insecure_skip_verify {
        return Ok(Arc::new(BelievesAnyone(provider.signature_verification_algorithms)));
    }
    let Some(roots) = roots else { return system(provider) };
    match WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build() {
        Ok(verifier) => Ok(verifier),
        Err(_) => Err(ConfigError::new("ca", "these authorities cannot be used")),
    }
}

/// The system's authorities, read once: there are more than a hundred of them.
fn system(provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, ConfigError> {
    static SYSTEM: OnceLock<Arc<Verifier>> = OnceLock::new();
    if let Some(verifier) = SYSTEM.get() {
        return Ok(verifier.clone());
    }
    let verifier = Verifier::new(Arc::clone(provider)).map_err(|error| {
        ConfigError::new("ca", format!("the system's authorities cannot be read, and no others are given: {error}"))
    })?;
    Ok(SYSTEM.get_or_init(|| Arc::new(verifier)).clone())
}

fn roots(pem: &str) -> Result<RootCertStore, ConfigError> {
    let mut roots = RootCertStore::empty();
    for (index, certificate) in certificates(pem, "ca")?.into_iter().enumerate() {
        let message = || format!("its certificate number {} cannot be used as an authority", index + 1);
        roots.add(certificate).map_err(|_| ConfigError::new("ca", message()))?;
    }
    Ok(roots)
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn identity(setting: &TlsSetting) -> Result<Option<Identity>, ConfigError> {
    let (Some(certificate), Some(key)) = (&setting.certificate_pem, &setting.key_pem) else { return Ok(None) };
    let chain = certificates(certificate, "cert")?;
    let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes())
        .map_err(|_| ConfigError::new("key", "expected a private key in PEM, without a passphrase"))?;
    Ok(Some((chain, key)))
}

fn certificates(pem: &str, key: &str) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match read {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(ConfigError::new(key, "expected certificates in PEM, got something else")),
    }
}

/// Of `insecure_skip_verify`: takes any certificate whose key the server holds.
#[derive(Debug)]
struct BelievesAnyone(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for BelievesAnyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
