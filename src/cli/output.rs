//! What the commands print: tables, spans of time, JSON. Decides how text of others is made safe for a
//! terminal; never what is worth showing.

use std::io::{self, Write};

use serde::Serialize;

use crate::model::Timestamp;

/// One line without anything that a terminal would obey: text from monitors must not move the cursor
/// or recolour what follows. Bidirectional controls are dropped too, they can turn a name around.
pub fn line(text: &str) -> String {
    let is_hidden = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut clean = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !is_hidden(*c)) {
        let c = if c.is_control() || c.is_whitespace() { ' ' } else { c };
        if c != ' ' || !clean.ends_with(' ') {
            clean.push(c);
        }
    }
    clean.trim().to_owned()
}

/// As [`line`], cut to `chars_max` characters with a mark.
pub fn clipped(text: &str, chars_max: usize) -> String {
    let text = line(text);
    match text.char_indices().nth(chars_max) {
        None => text,
        Some(_) => text.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// `1h 30m`; nothing younger than a second, and the clocks of two machines may disagree a little.
pub fn age(now: Timestamp, at: Timestamp) -> String {
    let span = now.since(at);
    if span.as_millis() < 1_000 { "0s".to_owned() } else { span.human() }
}

/// `2026-11-21 05:00:01`, UTC.
pub fn moment(at: Timestamp) -> String {
    at.to_string().get(..19).unwrap_or_default().replace('T', " ")
}

/// `1 incident`, `2 incidents`.
pub fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Columns as wide as their widest cell, two blanks between them, the last one open. Cells are cleaned
/// by whoever made them.
pub fn table(out: &mut impl Write, rows: &[Vec<String>]) -> io::Result<()> {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            if widths.len() <= column {
                widths.push(0);
            }
            widths[column] = widths[column].max(cell.chars().count());
        }
    }
    for row in rows {
        let mut text = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            text.push_str(&format!("{cell:<width$}  "));
        }
        writeln!(out, "{}", text.trim_end())?;
    }
    Ok(())
}

/// Prints JSON for programs.
///
/// # Errors
/// When stdout cannot be written.
pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    serde_json::to_writer_pretty(&mut stdout, value)?;
    writeln!(stdout)?;
    stdout.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_cannot_command_the_terminal() {
        assert_eq!(line("disk\u{1b}[31m full\r\nnext\u{202e}evil\t x "), "disk [31m full nextevil x");
        assert_eq!(clipped("overflow", 5), "over…");
        assert_eq!(clipped("fits!", 5), "fits!");
    }

    #[test]
    fn columns_line_up_in_characters() {
        let mut out = Vec::new();
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        table(&mut out, &[row(["a", "üü", "x"]), row(["bbb", "c", ""])]).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "a    üü  x\nbbb  c\n");
    }

    #[test]
    fn times_are_short() {
        let at: Timestamp = "2026-11-21T05:00:01.500Z".parse().unwrap();
        assert_eq!(moment(at), "2026-11-21 05:00:01");
        assert_eq!(age("2026-11-21T06:30:02Z".parse().unwrap(), at), "1h 30m");
        assert_eq!(age(at, "2026-11-21T05:00:09Z".parse().unwrap()), "0s");
    }
}
