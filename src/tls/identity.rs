//! What the listener shows: a certificate with its chain and the key to it, read from two PEM files and
//! held against each other. Never puts anything of the key into a message.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};

use super::certificate::Certificate;
use super::provider;

/// Bytes of one of the files; a chain has a few thousand.
const FILE_BYTES_MAX: u64 = 1 << 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityFiles {
    /// The certificate first, then those that lead to its authority.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("cannot read `{}`", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("`{}` has more than {FILE_BYTES_MAX} bytes", .path.display())]
    TooLarge { path: PathBuf },
    #[error("`{}` holds no certificate in PEM", .path.display())]
    NoCertificate { path: PathBuf },
    #[error("`{}`: its certificate number {number} cannot be read", .path.display())]
    DamagedCertificate { path: PathBuf, number: usize },
    #[error("`{}` holds no private key in PEM", .path.display())]
    NoKey { path: PathBuf },
    #[error("`{}` holds a key that is encrypted", .path.display())]
    EncryptedKey { path: PathBuf },
    #[error("`{}` holds a key that cannot be used", .path.display())]
    UnusableKey { path: PathBuf, source: rustls::Error },
    #[error("the key in `{}` does not belong to the first certificate in `{}`", .key.display(), .certificate.display())]
    Mismatch { certificate: PathBuf, key: PathBuf },
}

impl IdentityError {
    /// Whether this file is to blame; of two that do not fit, the key's.
    pub fn is_about(&self, file: &Path) -> bool {
        match self {
            Self::Read { path, .. }
            | Self::TooLarge { path }
            | Self::NoCertificate { path }
            | Self::DamagedCertificate { path, .. }
            | Self::NoKey { path }
            | Self::EncryptedKey { path }
            | Self::UnusableKey { path, .. } => path == file,
            Self::Mismatch { key, .. } => key == file,
        }
    }

    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoCertificate { .. } => Some("it begins with `-----BEGIN CERTIFICATE-----`"),
            Self::NoKey { .. } => Some("it begins with `-----BEGIN PRIVATE KEY-----`, or that of an RSA or EC key"),
            Self::EncryptedKey { .. } => Some("`openssl pkey -in FILE -out FILE` writes it without a passphrase"),
            Self::UnusableKey { .. } => Some("RSA from 2048 bits, ECDSA on P-256 or P-384, and Ed25519 can be used"),
            Self::Mismatch { .. } => Some(
                "the certificate that belongs to the key comes first in its file, those of its authorities after it",
            ),
            Self::Read { .. } | Self::TooLarge { .. } | Self::DamagedCertificate { .. } => None,
        }
    }
}

/// The content of both files as it was at one moment.
pub struct IdentityText {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl IdentityFiles {
    /// # Errors
    /// When one of them cannot be read.
    pub fn read(&self) -> Result<IdentityText, IdentityError> {
        Ok(IdentityText { certificate: read_file(&self.certificate)?, key: read_file(&self.key)? })
    }

    /// Reads both and holds them against each other.
    ///
    /// # Errors
    /// When they make no usable pair.
    pub fn load(&self) -> Result<Identity, IdentityError> {
        self.parse(&self.read()?)
    }

    /// As [`Self::load`], of a content that has been read.
    ///
    /// # Errors
    /// When it makes no usable pair.
    pub fn parse(&self, text: &IdentityText) -> Result<Identity, IdentityError> {
        let chain = read_chain(&text.certificate, &self.certificate)?;
        let key = read_key(&text.key, &self.key)?;
        let damaged = || IdentityError::DamagedCertificate { path: self.certificate.clone(), number: 1 };
        let certificate = chain.first().and_then(Certificate::read).ok_or_else(damaged)?;
        let path = || self.key.clone();
        let key = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                IdentityError::Mismatch { certificate: self.certificate.clone(), key: path() }
            }
            rustls::Error::InvalidCertificate(_) => damaged(),
            source => IdentityError::UnusableKey { path: path(), source },
        })?;
        Ok(Identity { key: Arc::new(key), certificate })
    }
}

impl IdentityText {
    /// Tells one content from another.
    pub fn sha256(&self) -> [u8; 32] {
        let both = Sha256::new().chain_update(Sha256::digest(&self.certificate));
        both.chain_update(Sha256::digest(&self.key)).finalize().into()
    }
}

/// A certificate with its chain and its key, which fit.
pub struct Identity {
    pub(super) key: Arc<CertifiedKey>,
    pub certificate: Certificate,
}

fn read_file(path: &Path) -> Result<Vec<u8>, IdentityError> {
    let mut content = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut content));
    match read {
        Ok(_) if content.len() as u64 > FILE_BYTES_MAX => Err(IdentityError::TooLarge { path: path.to_owned() }),
        Ok(_) => Ok(content),
        Err(source) => Err(IdentityError::Read { path: path.to_owned(), source }),
    }
}

fn read_chain(pem: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let mut chain = Vec::new();
    for (index, certificate) in CertificateDer::pem_slice_iter(pem).enumerate() {
        let damaged = || IdentityError::DamagedCertificate { path: path.to_owned(), number: index + 1 };
        let certificate = certificate.map_err(|_| damaged())?;
        Certificate::read(&certificate).ok_or_else(damaged)?;
        chain.push(certificate);
    }
    if chain.is_empty() {
        return Err(IdentityError::NoCertificate { path: path.to_owned() });
    }
    Ok(chain)
}

fn read_key(pem: &[u8], path: &Path) -> Result<PrivateKeyDer<'static>, IdentityError> {
    let path = || path.to_owned();
    // PKCS #8 and the older form of OpenSSL.
    let is_encrypted = |marker: &[u8]| pem.windows(marker.len()).any(|part| part == marker);
    if is_encrypted(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") || is_encrypted(b"Proc-Type: 4,ENCRYPTED") {
        return Err(IdentityError::EncryptedKey { path: path() });
    }
    // The reader's own words could repeat a line of the key.
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| IdentityError::NoKey { path: path() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::pki::{Authority, days};

    fn load(certificate: &str, key: &str) -> Result<Identity, String> {
        let folder = tempfile::tempdir().unwrap();
        let files = IdentityFiles { certificate: folder.path().join("tls.crt"), key: folder.path().join("tls.key") };
        std::fs::write(&files.certificate, certificate).unwrap();
        std::fs::write(&files.key, key).unwrap();
        files.load().map_err(|error| error.to_string().replace(&format!("{}/", folder.path().display()), ""))
    }

    #[test]
    fn a_pair_that_fits_is_taken_with_its_chain() {
        let authority = Authority::new("ca");
        let server = authority.server(&["bell.example.org"], days(0, 90));
        let identity = load(&format!("{}{}", server.certificate, authority.pem), &server.key).unwrap();
        assert_eq!(identity.key.cert.len(), 2);
        assert_eq!(identity.certificate.names, ["bell.example.org"]);
    }

    #[test]
    fn each_mistake_has_its_own_words() {
        let authority = Authority::new("ca");
        let server = authority.server(&["bell.example.org"], days(0, 90));
        let other = authority.server(&["bell.example.org"], days(0, 90));
        let encrypted = server.key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let damaged = server.certificate.replace("MII", "AII");
        let mut said = Vec::new();
        for (certificate, key) in [
            (server.certificate.as_str(), other.key.as_str()),
            (&server.key, &server.key),
            (&server.certificate, &server.certificate),
            (&server.certificate, &encrypted),
            (&server.certificate, "-----BEGIN PRIVATE KEY-----\naGVsbG8=\n-----END PRIVATE KEY-----\n"),
            (&damaged, &server.key),
            (&format!("{}{damaged}", server.certificate), &server.key),
            (&"x".repeat(2 << 20), &server.key),
            // The authority's certificate first.
            (&format!("{}{}", authority.pem, server.certificate), &server.key),
        ] {
            said.push(load(certificate, key).err().unwrap_or_default());
        }
        insta::assert_snapshot!(said.join("\n"), @"
        the key in `tls.key` does not belong to the first certificate in `tls.crt`
        `tls.crt` holds no certificate in PEM
        `tls.key` holds no private key in PEM
        `tls.key` holds a key that is encrypted
        `tls.key` holds a key that cannot be used
        `tls.crt`: its certificate number 1 cannot be read
        `tls.crt`: its certificate number 2 cannot be read
        `tls.crt` has more than 1048576 bytes
        the key in `tls.key` does not belong to the first certificate in `tls.crt`
        ");
    }

    #[test]
    fn a_content_has_one_digest() {
        let text = |certificate: &[u8], key: &[u8]| IdentityText { certificate: certificate.into(), key: key.into() };
        assert_eq!(text(b"a", b"b").sha256(), text(b"a", b"b").sha256());
        assert_ne!(text(b"ab", b"").sha256(), text(b"a", b"b").sha256());
    }
}
