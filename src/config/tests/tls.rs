//! The `tls` section and client certificates of sources: what is wrong with the files is said with the
//! key's line.

use super::{Scene, said};
use crate::tls::pki::{ALWAYS, Authority, Certified, LONG_AGO, days};
use insta::assert_snapshot;

/// Everything that a listener on all addresses needs besides TLS.
const OPEN: &str = "listen: 0.0.0.0:9494\napi: { tokens: [{ name: ada, role: admin, token: abcdef }] }\n";
const TLS: &str = "tls: { certificate_file: tls.crt, key_file: tls.key }\n";

fn server() -> Certified {
    Authority::new("ca").server(&["bell.example.org"], ALWAYS)
}

fn scene(certificate: &str, key: &str, yaml: &str) -> Scene {
    Scene::new().file("tls.crt", certificate).file("tls.key", key).file("watchbell.yaml", yaml)
}

fn with_token() -> String {
    format!("{OPEN}sources: {{ a: {{ kind: zabbix, token: abcdef }} }}\n{TLS}")
}

#[test]
fn a_pair_that_fits_is_taken() {
    let server = server();
    let scene = scene(&server.certificate, &server.key, &with_token());
    assert_snapshot!(scene.said(&["watchbell.yaml"]), @"");
    let files = scene.load(&["watchbell.yaml"]).unwrap().tls.unwrap();
    assert_eq!(files.key, scene.folder.path().join("tls.key"));
}

#[test]
fn each_fault_of_the_files_has_its_line() {
    let (server, other) = (server(), server_of_another());
    let mut said = Vec::new();
    for (certificate, key) in [
        (server.certificate.as_str(), other.key.as_str()),
        (&server.key, &server.key),
        (&server.certificate, &server.certificate),
        (&server.certificate, &server.key.replace("PRIVATE", "ENCRYPTED PRIVATE")),
        (&server.certificate, ""),
    ] {
        said.push(scene(certificate, key, &with_token()).said(&["watchbell.yaml"]));
    }
    let absent = Scene::new().file("tls.crt", &server.certificate).file("watchbell.yaml", &with_token());
    said.push(absent.said(&["watchbell.yaml"]));
    said.push(scene(&server.certificate, &server.key, &with_token()).mode("tls.key", 0o644).said(&["watchbell.yaml"]));
    assert_snapshot!(said.join("\n"), @"
    error: `tls.key_file`: the key in `tls.key` does not belong to the first certificate in `tls.crt`
      --> watchbell.yaml:4
      hint: the certificate that belongs to the key comes first in its file, those of its authorities after it
    error: `tls.certificate_file`: `tls.crt` holds no certificate in PEM
      --> watchbell.yaml:4
      hint: it begins with `-----BEGIN CERTIFICATE-----`
    error: `tls.key_file`: `tls.key` holds no private key in PEM
      --> watchbell.yaml:4
      hint: it begins with `-----BEGIN PRIVATE KEY-----`, or that of an RSA or EC key
    error: `tls.key_file`: `tls.key` holds a key that is encrypted
      --> watchbell.yaml:4
      hint: `openssl pkey -in FILE -out FILE` writes it without a passphrase
    error: `tls.key_file`: `tls.key` holds no private key in PEM
      --> watchbell.yaml:4
      hint: it begins with `-----BEGIN PRIVATE KEY-----`, or that of an RSA or EC key
    error: `tls.key_file`: cannot read `tls.key`: No such file or directory (os error 2)
      --> watchbell.yaml:4
    warning: `tls.key_file`: anyone on this machine can read `tls.key`
      --> watchbell.yaml:4
      hint: chmod 0640 tls.key
    ");
}

fn server_of_another() -> Certified {
    Authority::new("another").server(&["bell.example.org"], ALWAYS)
}

#[test]
fn a_certificate_outside_of_its_time_is_a_warning() {
    let authority = Authority::new("ca");
    // The scene's present is day 324.
    let said = [LONG_AGO, days(400, 800), days(200, 330), days(200, 345)].map(|valid| {
        let server = authority.server(&["bell.example.org"], valid);
        scene(&server.certificate, &server.key, &with_token()).said(&["watchbell.yaml"])
    });
    assert_snapshot!(said.join("\n---\n"), @"
    warning: `tls.certificate_file`: the certificate in `tls.crt` has expired: it was valid until 2023-04-07T00:00:00.000Z
      --> watchbell.yaml:4
      hint: clients refuse a certificate outside of its time; a renewed file is noticed without a reload
    ---
    warning: `tls.certificate_file`: the certificate in `tls.crt` is not valid yet: it will be from 2027-02-05T00:00:00.000Z
      --> watchbell.yaml:4
      hint: clients refuse a certificate outside of its time; a renewed file is noticed without a reload
    ---
    warning: `tls.certificate_file`: the certificate in `tls.crt` expires soon: it is valid until 2026-11-27T00:00:00.000Z
      --> watchbell.yaml:4
      hint: clients refuse a certificate outside of its time; a renewed file is noticed without a reload
    ---
    ");
}

#[test]
fn keys_are_needed_both_and_hold_paths() {
    let server = server();
    let said: Vec<String> = [
        "tls: { certificate_file: tls.crt }".to_owned(),
        "tls: { certificat_file: tls.crt, key_file: tls.key }".to_owned(),
        "tls: on".to_owned(),
        format!("tls:\n  certificate_file: tls.crt\n  key_file: |\n    {}", server.key.replace('\n', "\n    ")),
    ]
    .iter()
    .map(|tls| {
        let yaml = format!("sources: {{ a: {{ kind: zabbix, token: abcdef }} }}\n{tls}\n");
        scene(&server.certificate, &server.key, &yaml).said(&["watchbell.yaml"])
    })
    .collect();
    let said = said.join("\n---\n");
    assert!(!said.contains("PRIVATE"), "{said}");
    assert_snapshot!(said, @"
    error: missing key `key_file` in `tls`
      --> watchbell.yaml:2
    ---
    error: unknown key `certificat_file` in `tls`
      --> watchbell.yaml:2
      hint: did you mean `certificate_file`? known keys: `certificate_file`, `key_file`
    ---
    error: `tls`: expected a map, got text
      --> watchbell.yaml:2
    ---
    error: `tls.key_file`: expected the path of a file in PEM
      --> watchbell.yaml:4
    ");
}

#[test]
fn a_client_certificate_counts_as_authentication() {
    let (server, ca) = (server(), Authority::new("clients"));
    let source =
        "sources: { a: { kind: zabbix, client_certificate: { ca_pem_file: ca.crt, names: [zbx.example.org] } } }";
    let yaml = format!("{OPEN}{source}\n{TLS}");
    // An authority is no secret: who can read it does not matter.
    let scene = scene(&server.certificate, &server.key, &yaml).file("ca.crt", &ca.pem).mode("ca.crt", 0o644);
    assert_snapshot!(scene.said(&["watchbell.yaml"]), @"");
    let configuration = scene.load(&["watchbell.yaml"]).unwrap();
    let client = configuration.sources["a"].client_certificate.as_ref().unwrap();
    assert_eq!(client.names, ["zbx.example.org"]);
    assert_snapshot!(said(&format!("{OPEN}{source}").replace("ca_pem_file: ca.crt", "sha256: [AB]")), @"
    error: `sources.a.client_certificate` needs the section `tls`: without TLS no client shows a certificate
      --> watchbell.yaml:3
      hint: add `tls: { certificate_file: …, key_file: … }`
    error: `sources.a.client_certificate.names`: names count only where an authority vouches for them, expected `ca_pem_file` too
      --> watchbell.yaml:3
    error: `sources.a.client_certificate.sha256[0]`: expected 64 hexadecimal digits, with or without colons, got `AB`
      --> watchbell.yaml:3
      hint: openssl x509 -in client.pem -noout -fingerprint -sha256
    ");
}

#[test]
fn client_certificates_are_checked() {
    let server = server();
    let print = "AB:".repeat(31);
    let yaml = format!(
        "{TLS}sources:
  a: {{ kind: zabbix, client_certificate: {{ names: [a] }} }}
  b: {{ kind: zabbix, client_certificate: {{ ca_pem_file: tls.key }} }}
  c: {{ kind: zabbix, client_certificate: {{ sha256: ['{print}AB', zz] }} }}
  d: {{ kind: zabbix, client_certificate: {{ sha256: ['{print}AB'], names: ['*.example.org'], ca: x }} }}
  e: {{ kind: zabbix, client_certificate: yes }}
  f: {{ kind: zabbix, token: abcdef, client_certificate: {{ sha256: ['{print}ab'] }} }}
"
    );
    let scene = scene(&server.certificate, &server.key, &yaml);
    assert_snapshot!(scene.said(&["watchbell.yaml"]), @"
    error: `sources.a.client_certificate`: expected `ca_pem_file`, `sha256`, or both
      --> watchbell.yaml:3
    error: `sources.b.client_certificate.ca_pem`: expected certificates of authorities in PEM, got something else
      --> watchbell.yaml:4
    error: `sources.c.client_certificate.sha256[1]`: expected 64 hexadecimal digits, with or without colons, got `zz`
      --> watchbell.yaml:5
      hint: openssl x509 -in client.pem -noout -fingerprint -sha256
    error: unknown key `ca` in `sources.d.client_certificate`
      --> watchbell.yaml:6
      hint: known keys: `ca_pem`, `names`, `sha256`
    error: `sources.d.client_certificate.names`: names count only where an authority vouches for them, expected `ca_pem_file` too
      --> watchbell.yaml:6
    error: `sources.d.client_certificate.names[0]`: expected the whole name of a client, got the pattern `*.example.org`
      --> watchbell.yaml:6
    error: `sources.e.client_certificate`: expected a map, got text
      --> watchbell.yaml:7
    ");
}
