//! The `tls` section and `client_certificate` of a source: whether the files hold what they should, fit
//! each other, and are still good for a while. Never repeats what stands in a key.

use serde::Deserialize;
use std::path::Path;

use super::layers::{self, is_world_readable};
use super::problem::{Place, Problems};
use super::read::{Reading, is_map, join, read_with, require};
use super::schema::ClientCertificate;
use super::sources::parse_sha256;
use super::validate::Context;
use super::yaml::Node;
use crate::error::read_table;
use crate::model::Timestamp;
use crate::tls::{Certificate, ClientRule, IdentityError, IdentityFiles};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    certificate_file: String,
    key_file: String,
}

const SECTION: &str = "tls";
const CERTIFICATE: &str = "certificate_file";
const KEY: &str = "key_file";

/// The files of the listener's certificate; nothing without the section, or when it cannot be used.
pub(super) fn read(root: &Node, context: &mut Context<'_>) -> Option<IdentityFiles> {
    let node = root.get(SECTION)?;
    let problems = &mut context.problems;
    if !is_map(node, SECTION, problems) {
        return None;
    }
    let reading = Reading { is_secret: true, ..Reading::default() };
    let keys: Option<Keys> = read_with(node, SECTION, reading, problems, read_table);
    require(node, SECTION, &[CERTIFICATE, KEY], problems);
    let keys = keys?;
    let is_path = check_path(node, CERTIFICATE, &keys.certificate_file, problems)
        & check_path(node, KEY, &keys.key_file, problems);
    if !is_path {
        return None;
    }
    let files = IdentityFiles {
        certificate: layers::resolve(&keys.certificate_file, node.place_of(CERTIFICATE)),
        key: layers::resolve(&keys.key_file, node.place_of(KEY)),
    };
    if std::fs::metadata(&files.key).is_ok_and(|metadata| is_world_readable(&metadata)) {
        warn_open_key(node, &files.key, problems);
    }
    match files.load() {
        Ok(identity) => check_time(node, &files.certificate, &identity.certificate, context.now, problems),
        Err(error) => report(node, &files, &error, problems),
    }
    Some(files)
}

/// Someone may put the content where the path belongs, and it must not end up in a message.
fn check_path(node: &Node, key: &str, text: &str, problems: &mut Problems) -> bool {
    let is_path = !text.contains("-----BEGIN") && !text.trim().is_empty();
    if !is_path {
        let path = join(SECTION, key);
        problems.error(node.place_of(key), &path, format!("`{path}`: expected the path of a file in PEM"));
    }
    is_path
}

fn warn_open_key(node: &Node, file: &Path, problems: &mut Problems) {
    let (path, shown) = (join(SECTION, KEY), file.display());
    let message = format!("`{path}`: anyone on this machine can read `{shown}`");
    problems.warning(node.place_of(KEY), path, message).hint = Some(format!("chmod 0640 {shown}"));
}

fn report(node: &Node, files: &IdentityFiles, error: &IdentityError, problems: &mut Problems) {
    let key = if error.is_about(&files.key) { KEY } else { CERTIFICATE };
    let path = join(SECTION, key);
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    problems.error(node.place_of(key), &path, format!("`{path}`: {error}{cause}")).hint =
        error.hint().map(str::to_owned);
}

fn check_time(node: &Node, file: &Path, certificate: &Certificate, now: Timestamp, problems: &mut Problems) {
    let said = if certificate.is_expired(now) {
        format!("has expired: it was valid until {}", certificate.not_after)
    } else if certificate.is_early(now) {
        format!("is not valid yet: it will be from {}", certificate.not_before)
    } else if certificate.expires_soon(now) {
        format!("expires soon: it is valid until {}", certificate.not_after)
    } else {
        return;
    };
    let path = join(SECTION, CERTIFICATE);
    let message = format!("`{path}`: the certificate in `{}` {said}", file.display());
    problems.warning(node.place_of(CERTIFICATE), path, message).hint =
        Some("clients refuse a certificate outside of its time; a renewed file is noticed without a reload".to_owned());
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientKeys {
    ca_pem: Option<String>,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    sha256: Vec<String>,
}

/// Reads `client_certificate` of one source.
pub(super) fn client_certificate(
    node: &Node,
    path: &str,
    has_tls: bool,
    problems: &mut Problems,
) -> Option<ClientCertificate> {
    let keys: ClientKeys = read_with(node, path, Reading::default(), problems, read_table)?;
    if !has_tls {
        let message = format!("`{path}` needs the section `tls`: without TLS no client shows a certificate");
        problems.error(&node.place, path, message).hint =
            Some("add `tls: { certificate_file: …, key_file: … }`".to_owned());
    }
    if keys.ca_pem.is_none() && keys.sha256.is_empty() {
        problems.error(&node.place, path, format!("`{path}`: expected `ca_pem_file`, `sha256`, or both"));
        return None;
    }
    if keys.ca_pem.is_none() && !keys.names.is_empty() {
        let path = join(path, "names");
        let message =
            format!("`{path}`: names count only where an authority vouches for them, expected `ca_pem_file` too");
        problems.error(node.place_of("names"), path, message);
    }
    if let Some(pem) = &keys.ca_pem
        && let Err(error) = ClientRule::new(Some(pem), &[], Vec::new())
    {
        let path = join(path, "ca_pem");
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        problems.error(node.place_of("ca_pem"), &path, format!("`{path}`: {error}{cause}"));
        return None;
    }
    check_names(node, path, &keys.names, problems);
    let sha256 = fingerprints(node, path, &keys.sha256, problems)?;
    Some(ClientCertificate { ca_pem: keys.ca_pem, names: keys.names, sha256 })
}

fn check_names(node: &Node, path: &str, names: &[String], problems: &mut Problems) {
    for (index, name) in names.iter().enumerate() {
        if name.contains('*') {
            let path = format!("{path}.names[{index}]");
            let message = format!("`{path}`: expected the whole name of a client, got the pattern `{name}`");
            problems.error(place_of(node, "names", index), path, message);
        }
    }
}

fn fingerprints(node: &Node, path: &str, texts: &[String], problems: &mut Problems) -> Option<Vec<[u8; 32]>> {
    let mut fingerprints = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        // As OpenSSL prints it, or plain.
        match parse_sha256(&text.replace(':', "")) {
            Some(fingerprint) => fingerprints.push(fingerprint),
            None => {
                let path = format!("{path}.sha256[{index}]");
                let message = format!("`{path}`: expected 64 hexadecimal digits, with or without colons, got `{text}`");
                problems.error(place_of(node, "sha256", index), path, message).hint =
                    Some("openssl x509 -in client.pem -noout -fingerprint -sha256".to_owned());
            }
        }
    }
    (fingerprints.len() == texts.len()).then_some(fingerprints)
}

fn place_of<'n>(node: &'n Node, key: &str, index: usize) -> &'n Place {
    let item = node.get(key).and_then(|list| list.items().get(index));
    item.map_or_else(|| node.place_of(key), |item| &item.place)
}
