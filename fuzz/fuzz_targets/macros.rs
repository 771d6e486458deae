//! Any arguments and environment for `send nagios`: a body that the source reads, or what is missing.
#![no_main]

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use watchbell::cli::send::macros::{self, Kind, body};
use watchbell::error::Table;
use watchbell::sources::{Inbound, Source, find};
use watchbell_fuzz::NOW;

static NAGIOS: LazyLock<Box<dyn Source>> =
    LazyLock::new(|| (find("nagios").expect("it is registered").build)(&Table::new()).expect("no key is required"));

// The first byte says how many of the parts are arguments; the others are the environment.
fuzz_target!(|data: &[u8]| {
    let [first, rest @ ..] = data else { return };
    let parts: Vec<OsString> = rest.split(|byte| *byte == 0).map(|part| OsString::from_vec(part.to_vec())).collect();
    let (arguments, environment) = parts.split_at(usize::from(first & 0x0f).min(parts.len()));
    let kind = [None, Some(Kind::Host), Some(Kind::Service), None][usize::from(first >> 6)];
    let variables = environment.iter().filter_map(|part| {
        let bytes = part.clone().into_vec();
        let at = bytes.iter().position(|byte| *byte == b'=')?;
        let (name, value) = bytes.split_at(at);
        Some((OsString::from_vec(name.to_vec()), OsString::from_vec(value[1..].to_vec())))
    });
    match body(&macros::NAGIOS, arguments, variables, kind, |host| Some(format!("parent-of-{host}")), NOW) {
        Ok(body) => {
            let inbound = Inbound { source: "nagios", content_type: "application/json", body: &body, received_at: NOW };
            // What it writes may still say nothing that counts, but it is always read.
            if let Err(error) = NAGIOS.parse(&inbound) {
                assert_ne!(error.field, "body", "{error}");
            }
        }
        Err(failure) => assert!(!failure.to_string().is_empty()),
    }
});
