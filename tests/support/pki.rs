//! Certificates for tests: an authority, and what it signs. Made anew each time; nothing here is worth
//! keeping secret.

use std::time::Duration;

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::pki_types::CertificateDer;

/// From and until, in days since the first of January 2026.
#[derive(Clone, Copy)]
pub struct Days(i64, i64);

pub const fn days(from: i64, until: i64) -> Days {
    Days(from, until)
}

/// Valid on every day on which a test may run.
pub const ALWAYS: Days = days(-2_000, 20_000);
/// Over on every day on which a test may run.
pub const LONG_AGO: Days = days(-2_000, -1_000);

/// A certificate and its key, in PEM.
pub struct Certified {
    pub certificate: String,
    pub key: String,
    pub der: CertificateDer<'static>,
}

pub struct Authority {
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut parameters = parameters(name, ALWAYS);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().unwrap();
        let pem = parameters.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(parameters, key) }
    }

    /// For a server that is reached by these names.
    pub fn server(&self, names: &[&str], valid: Days) -> Certified {
        self.sign(names, "server", valid, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// For a client with these alternative names.
    pub fn client(&self, names: &[&str], common_name: &str, valid: Days) -> Certified {
        self.sign(names, common_name, valid, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(&self, names: &[&str], common_name: &str, valid: Days, usage: ExtendedKeyUsagePurpose) -> Certified {
        let mut parameters = parameters(common_name, valid);
        parameters.subject_alt_names = names.iter().map(|name| alternative_name(name)).collect();
        parameters.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        Certified { certificate: certificate.pem(), key: key.serialize_pem(), der: certificate.der().clone() }
    }
}

fn parameters(common_name: &str, Days(from, until): Days) -> CertificateParams {
    let day = |count: i64| {
        let span = Duration::from_secs(86_400 * count.unsigned_abs());
        let first = date_time_ymd(2026, 1, 1);
        if count < 0 { first - span } else { first + span }
    };
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    if !common_name.is_empty() {
        parameters.distinguished_name.push(DnType::CommonName, common_name);
    }
    parameters.not_before = day(from);
    parameters.not_after = day(until);
    parameters
}

fn alternative_name(name: &str) -> SanType {
    let text = || Ia5String::try_from(name).unwrap();
    match name.parse() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) if name.contains("://") => SanType::URI(text()),
        Err(_) if name.contains('@') => SanType::Rfc822Name(text()),
        Err(_) => SanType::DnsName(text()),
    }
}
