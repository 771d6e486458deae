//! Any template over any notification: it ends, soon, and never costs the page.
#![no_main]

use libfuzzer_sys::fuzz_target;
use watchbell::render::template::Template;
use watchbell::render::{Document, Language, Reader, Templates};
use watchbell_fuzz::notification::{KINDS, of};
use watchbell_fuzz::parts;

fuzz_target!(|data: &[u8]| {
    let parts = parts(data);
    let (source, texts) = (&parts[0], &parts[1..]);
    let Ok(template) = Template::new(source) else { return };
    let templates = Templates::new(Some(source), Some(source)).expect("it was accepted a moment ago");
    for kind in [KINDS[0], KINDS[source.len() % KINDS.len()]] {
        let notification = of(kind, texts);
        let rendered = template.render(&notification, || "built in".into());
        assert!(rendered.fallback.is_none() || rendered.text == "built in");
        assert!(!rendered.text.trim().is_empty());
        let mut document = Document::of(&notification, &Reader::new(Language::En));
        templates.apply(&mut document, &notification, Language::En);
        assert!(!document.headline.contains('\n') && document.headline.chars().count() <= 300);
    }
});
