//! The secrets, each a word that says which one it is, and the search for them in everything that was said.

use std::collections::BTreeMap;
use std::path::Path;

use ::base64::Engine;
use ::base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use hmac::{Hmac, Mac};
use parking_lot::Mutex;
use regex::bytes::Regex;
use sha2::Sha256;

/// Every secret that was handed out, in the order in which they were first asked for.
static NAMES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// How many different ones this test has to have used.
const SECRETS_MIN: usize = 20;

/// The secret of this name, always the same one. Begins like no other word.
pub fn secret(name: &str) -> String {
    let mut names = NAMES.lock();
    let number = names.iter().position(|known| known == name).unwrap_or_else(|| {
        names.push(name.to_owned());
        names.len() - 1
    });
    word(number)
}

fn word(number: usize) -> String {
    format!("CANARY{number:02}vQ8zR{number:02}mK4xT7wPbN9")
}

/// As the webhook sink wants one: the word as bytes, in Base64.
pub fn signing_secret(name: &str) -> String {
    format!("whsec_{}", BASE64_STANDARD.encode(secret(name)))
}

pub fn base64(text: &str) -> String {
    BASE64_STANDARD.encode(text)
}

/// As the source `signed` wants it.
pub fn sign(secret: &str, time: u64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length");
    mac.update(format!("{time}:{body}").as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the word looks like in Base64 wherever it stands in what was encoded: the letters that depend on it
/// alone, for each of the three positions at which it can begin.
fn encoded(word: &str) -> Vec<String> {
    let mut forms = Vec::new();
    for (before, first) in [(0, 0), (1, 2), (2, 3)] {
        let bytes = [&vec![0; before][..], word.as_bytes()].concat();
        let end = bytes.len() * 8 / 6;
        for engine in [&BASE64_STANDARD, &BASE64_URL_SAFE] {
            forms.push(engine.encode(&bytes)[first..end].to_owned());
        }
    }
    forms
}

fn hexadecimal(word: &str) -> String {
    word.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// All that was said, by where it was said.
#[derive(Default)]
pub struct Evidence(Vec<(String, Vec<u8>)>);

/// Bytes around a find that are shown.
const AROUND: usize = 160;

impl Evidence {
    pub fn add(&mut self, label: &str, said: &[u8]) {
        self.0.push((label.to_owned(), said.to_owned()));
    }

    pub fn add_folder(&mut self, label: &str, folder: &Path) {
        for entry in std::fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => self.add_folder(label, &path),
                false => self.add(label, &std::fs::read(&path).expect("a file")),
            }
        }
    }

    /// # Panics
    /// With every secret that stands somewhere.
    pub fn judge(&self) {
        let names = NAMES.lock();
        assert!(names.len() >= SECRETS_MIN, "{} secrets are too few", names.len());
        let bytes: usize = self.0.iter().map(|(_, said)| said.len()).sum();
        assert!(bytes > 1_000_000, "{bytes} bytes are less than all of this says");
        let mut found = BTreeMap::new();
        let any = words(&names);
        for (label, said) in &self.0 {
            for hit in any.find_iter(said) {
                let number = names
                    .iter()
                    .enumerate()
                    .position(|(number, _)| forms(number).iter().any(|form| form.as_bytes() == hit.as_bytes()));
                let number = number.expect("what was found was looked for");
                let around = &said[hit.start().saturating_sub(AROUND)..said.len().min(hit.end() + AROUND)];
                let around = String::from_utf8_lossy(around).replace('\n', " ");
                // One example for each secret and place is enough.
                found.entry(format!("{} ({}) in {label}", word(number), names[number])).or_insert(around);
            }
        }
        let found: Vec<String> = found.into_iter().map(|(what, around)| format!("{what}: …{around}…")).collect();
        assert!(found.is_empty(), "{} leaks:\n{}", found.len(), found.join("\n"));
    }
}

/// A secret in every form in which it could show.
fn forms(number: usize) -> Vec<String> {
    let word = word(number);
    [vec![hexadecimal(&word)], encoded(&word), vec![word]].concat()
}

/// Any form of any secret; letters, digits and Base64's own signs, of which only `+` means something.
fn words(names: &[String]) -> Regex {
    let all: Vec<String> = (0..names.len()).flat_map(forms).map(|form| regex::escape(&form)).collect();
    Regex::new(&all.join("|")).expect("plain words")
}

#[test]
fn a_secret_is_found_in_every_form() {
    let word = secret("sample");
    let names = NAMES.lock().clone();
    for said in [
        word.clone(),
        format!("Basic {}", base64(&word)),
        format!("Basic {}", base64(&format!("u:{word}"))),
        base64(&format!("\0mailer\0{word}")),
        signing_secret("sample"),
        hexadecimal(&word),
    ] {
        assert!(words(&names).is_match(said.as_bytes()), "{said}");
    }
    assert!(!words(&names).is_match(b"CANARY vQ8zR"));
}
