//! TLS of a call to the daemon: which authorities may vouch for it, and the certificate that is shown to
//! it. Decides nothing for addresses that begin with `http://`.

use std::path::{Path, PathBuf};

use reqwest::{Certificate, ClientBuilder, Identity};

use crate::cli::failure::Failure;
use crate::tls::{IdentityError, IdentityFiles};

/// Names the same file as `--ca-file`.
pub const CA_VARIABLE: &str = "WATCHBELL_CA_FILE";

/// Whom to believe that it is the daemon, the same for every command that calls one.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Trust {
    /// File with the authorities that may vouch for an https daemon, in PEM [default: those of the system]
    #[arg(long, value_name = "FILE", env = CA_VARIABLE)]
    pub ca_file: Option<PathBuf>,
}

/// What a source that wants a client certificate is shown.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Proof {
    /// File with a client certificate for the source, in PEM
    #[arg(long, value_name = "FILE", requires = "key_file")]
    pub certificate_file: Option<PathBuf>,
    /// File with the key to it, in PEM
    #[arg(long, value_name = "FILE", requires = "certificate_file")]
    pub key_file: Option<PathBuf>,
}

/// # Errors
/// When the file holds no authority.
pub fn trusting(builder: ClientBuilder, trust: &Trust) -> Result<ClientBuilder, Failure> {
    let Some(file) = &trust.ca_file else { return Ok(builder) };
    let failed = || Failure::misuse(format!("`--ca-file`: `{}` cannot be used", file.display()));
    let pem = std::fs::read(file).map_err(|error| failed().cause(error))?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| failed().cause(innermost(&error)))?;
    if certificates.is_empty() {
        return Err(failed().cause("it holds no certificate in PEM"));
    }
    Ok(builder.tls_certs_only(certificates))
}

/// # Errors
/// When the files make no usable pair.
pub fn showing(builder: ClientBuilder, proof: &Proof) -> Result<ClientBuilder, Failure> {
    let (Some(certificate), Some(key)) = (&proof.certificate_file, &proof.key_file) else { return Ok(builder) };
    let files = IdentityFiles { certificate: certificate.clone(), key: key.clone() };
    // Told apart here, because the client's own words are about both files at once.
    files.load().map_err(|error| unusable(&error))?;
    let read = |file: &Path| {
        std::fs::read(file).map_err(|error| Failure::misuse(format!("cannot read `{}`", file.display())).cause(error))
    };
    let pem = [read(certificate)?, read(key)?].join(&b'\n');
    let identity = Identity::from_pem(&pem)
        .map_err(|error| Failure::misuse("the client certificate cannot be used").cause(innermost(&error)))?;
    Ok(builder.identity(identity))
}

fn unusable(error: &IdentityError) -> Failure {
    let failure = Failure::misuse("the client certificate cannot be used");
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    let failure = failure.cause(format!("{error}{cause}"));
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// What went wrong with TLS, for people: rustls names variants of its own types.
pub fn words(reason: &str) -> Option<String> {
    let certificate = reason.strip_prefix("invalid peer certificate: ");
    if let Some(what) = certificate {
        return Some(match what.to_lowercase().as_str() {
            "unknownissuer" => "its certificate is not from an authority that is trusted here; `--ca-file` or the \
                                variable WATCHBELL_CA_FILE names others"
                .to_owned(),
            "expired" => "its certificate has expired".to_owned(),
            _ => format!("its certificate is refused: {what}"),
        });
    }
    reason
        .contains("InvalidContentType")
        .then(|| "it does not speak TLS; the address may begin with `http://`".to_owned())
}
