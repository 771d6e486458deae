//! Reads a message as a chat does, for tests: what is markup has to be ours, what is left has to be inert.
//! Written against what chats do, not against our encoders.

use super::is_forbidden;

type Checked = Result<String, String>;

fn excerpt(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Text in which nothing is called, no tag is set and no address is linked.
pub fn inert(text: &str, marks: &str) -> Checked {
    if let Some(c) = text.chars().find(|c| is_forbidden(*c)) {
        return Err(format!("{c:?} in {}", excerpt(text)));
    }
    if let Some(at) = text.find("://") {
        return Err(format!("an address in {}", excerpt(&text[at..])));
    }
    let chars: Vec<char> = text.chars().collect();
    for (at, c) in chars.iter().enumerate() {
        let begins = at == 0 || !chars[at - 1].is_alphanumeric();
        let goes_on = chars.get(at + 1).is_some_and(|next| next.is_alphanumeric() || *next == '_');
        if marks.contains(*c) && begins && goes_on {
            return Err(format!("a word after {c:?} in {}", chars[at..].iter().take(40).collect::<String>()));
        }
    }
    Ok(text.to_owned())
}

/// What a page shows whose only tags are `tags`, each opened and closed, and links to the web.
pub fn html(page: &str, tags: &[&str], marks: &str) -> Checked {
    let (mut shown, mut open) = (String::new(), Vec::<String>::new());
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        shown.push_str(&rest[..at]);
        let end = rest.find('>').ok_or("a tag without an end")?;
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if tag == "br" {
            shown.push('\n');
        } else if let Some(name) = tag.strip_prefix('/') {
            let opened = open.pop();
            if opened.as_deref() != Some(name) {
                return Err(format!("{tag:?} closes {opened:?}"));
            }
        } else if let Some(address) = tag.strip_prefix("a href=\"").and_then(|rest| rest.strip_suffix('"')) {
            web(&unescape(address)?)?;
            open.push("a".into());
        } else if tags.contains(&tag) {
            open.push(tag.into());
        } else {
            return Err(format!("a tag `{}`", excerpt(tag)));
        }
    }
    shown.push_str(rest);
    if !open.is_empty() {
        return Err(format!("{open:?} are not closed"));
    }
    if shown.contains('>') {
        return Err("a bare `>`".into());
    }
    inert(&unescape(&shown)?, marks)
}

fn unescape(text: &str) -> Checked {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        shown.push_str(&rest[..at]);
        let known = [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&quot;", '"'), ("&#39;", '\'')];
        let (entity, c) = known.iter().find(|(entity, _)| rest[at..].starts_with(entity)).ok_or("a bare `&`")?;
        shown.push(*c);
        rest = &rest[at + entity.len()..];
    }
    shown.push_str(rest);
    Ok(shown)
}

/// What Markdown shows in which a backslash takes the meaning of each of `special`; bold lines and links to the
/// web may be there, and nothing that makes a line a block.
pub fn markdown(text: &str, special: &str, bold: &str, marks: &str) -> Checked {
    let mut shown = String::new();
    for line in text.split('\n') {
        let block = line.starts_with(['#', '>', '=', '-', '+', '|', ' ']) && !line.trim().is_empty();
        let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
        if block || number.len() < line.len() && number.starts_with(['.', ')']) {
            return Err(format!("a block: {}", excerpt(line)));
        }
        let line = line.strip_suffix("  ").unwrap_or(line);
        let inner = line.strip_prefix(bold).and_then(|line| line.strip_suffix(bold)).unwrap_or(line);
        match link(inner) {
            Some((text, address)) => {
                web(address)?;
                shown.push_str(&literal(text, special)?);
            }
            None => shown.push_str(&literal(inner, special)?),
        }
        shown.push('\n');
    }
    inert(&shown, marks)
}

/// A line that is a link and nothing else.
fn link(line: &str) -> Option<(&str, &str)> {
    let (text, address) = line.strip_prefix('[')?.strip_suffix(')')?.rsplit_once("](")?;
    (!address.contains(['(', ')', '\\', '|', '*', '`', '<', '>'])).then_some((text, address))
}

fn literal(text: &str, special: &str) -> Checked {
    let mut shown = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if special.contains('\\') => {
                let next = chars.next().filter(|next| special.contains(*next));
                shown.push(next.ok_or_else(|| format!("a bare backslash in {}", excerpt(text)))?);
            }
            c if special.contains(c) => return Err(format!("a bare {c:?} in {}", excerpt(text))),
            c => shown.push(c),
        }
    }
    Ok(shown)
}

/// Plain text in which a line may end in the address of one of our links.
pub fn plain(text: &str, marks: &str) -> Checked {
    let lines = text.split('\n').map(|line| match line.rsplit_once(": ") {
        Some((rest, address)) if web(address).is_ok() => rest,
        _ => line,
    });
    inert(&lines.collect::<Vec<_>>().join("\n"), marks)
}

pub fn web(address: &str) -> Result<(), String> {
    let is_web = crate::render::text::web_address(address).is_some();
    let is_clean = !address.contains(|c: char| c.is_whitespace() || is_forbidden(c) || matches!(c, '<' | '>' | '"'));
    if is_web && is_clean { Ok(()) } else { Err(format!("a link to {}", excerpt(address))) }
}
