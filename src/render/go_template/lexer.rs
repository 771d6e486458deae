//! From the text of a template to tokens. Knows delimiters, trim markers, comments and literals; not what they mean.

use std::fmt;

use super::literal;

/// Where something stands, both from one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub line: u32,
    pub column: u32,
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    pub place: Place,
    pub message: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    pub kind: Kind,
    pub place: Place,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Outside of `{{ }}`.
    Text(String),
    Open,
    Close,
    Space,
    /// A function's name.
    Word(String),
    Keyword(Keyword),
    /// `.Name`, without the dot.
    Field(String),
    /// `$name`, with the dollar sign.
    Variable(String),
    Dot,
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Quoted(String),
    Declare,
    Assign,
    Pipe,
    Comma,
    LeftParenthesis,
    RightParenthesis,
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyword {
    Block,
    Break,
    Continue,
    Define,
    Else,
    End,
    If,
    Range,
    Template,
    With,
}

const KEYWORDS: [(&str, Keyword); 10] = [
    ("block", Keyword::Block),
    ("break", Keyword::Break),
    ("continue", Keyword::Continue),
    ("define", Keyword::Define),
    ("else", Keyword::Else),
    ("end", Keyword::End),
    ("if", Keyword::If),
    ("range", Keyword::Range),
    ("template", Keyword::Template),
    ("with", Keyword::With),
];

impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = KEYWORDS.iter().find(|(_, keyword)| keyword == self).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("text"),
            Self::Open => f.write_str("`{{`"),
            Self::Close => f.write_str("`}}`"),
            Self::Space => f.write_str("a space"),
            Self::Word(word) => write!(f, "`{word}`"),
            Self::Keyword(keyword) => write!(f, "`{keyword}`"),
            Self::Field(name) => write!(f, "`.{name}`"),
            Self::Variable(name) => write!(f, "`{name}`"),
            Self::Dot => f.write_str("`.`"),
            Self::Nil => f.write_str("`nil`"),
            Self::Bool(truth) => write!(f, "`{truth}`"),
            Self::Int(number) => write!(f, "`{number}`"),
            Self::Float(number) => write!(f, "`{number}`"),
            Self::Quoted(text) => write!(f, "the text `{}`", text.chars().take(32).collect::<String>()),
            Self::Declare => f.write_str("`:=`"),
            Self::Assign => f.write_str("`=`"),
            Self::Pipe => f.write_str("`|`"),
            Self::Comma => f.write_str("`,`"),
            Self::LeftParenthesis => f.write_str("`(`"),
            Self::RightParenthesis => f.write_str("`)`"),
            Self::End => f.write_str("the end of the text"),
        }
    }
}

const OPEN: &str = "{{";
const CLOSE: &str = "}}";
const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

/// # Errors
/// The first thing that is no token.
pub fn tokens(source: &str) -> Result<Vec<Token>, SyntaxError> {
    let mut lexer = Lexer { source, at: 0, place: Place { line: 1, column: 1 }, tokens: Vec::new() };
    while lexer.text()? {
        lexer.action()?;
    }
    let place = lexer.place;
    lexer.push(Kind::End, place);
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    /// Of `at`.
    place: Place,
    tokens: Vec<Token>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip(&mut self, bytes: usize) -> &'a str {
        let skipped = &self.source[self.at..self.at + bytes];
        for char in skipped.chars() {
            match char {
                '\n' => self.place = Place { line: self.place.line + 1, column: 1 },
                _ => self.place.column += 1,
            }
        }
        self.at += bytes;
        skipped
    }

    fn take_while(&mut self, is_part: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        self.skip(rest.find(|char| !is_part(char)).unwrap_or(rest.len()))
    }

    fn push(&mut self, kind: Kind, place: Place) {
        self.tokens.push(Token { kind, place });
    }

    fn fail<T>(&self, place: Place, message: impl Into<String>) -> Result<T, SyntaxError> {
        Err(SyntaxError { place, message: message.into() })
    }

    /// Up to the next action, and into it; false at the end.
    fn text(&mut self) -> Result<bool, SyntaxError> {
        loop {
            let place = self.place;
            let rest = self.rest();
            let end = rest.find(OPEN);
            let mut text = self.skip(end.unwrap_or(rest.len()));
            let trims = end.is_some() && trims_left(&self.rest()[OPEN.len()..]);
            if trims {
                text = text.trim_end_matches(SPACES);
            }
            if !text.is_empty() {
                self.push(Kind::Text(text.to_owned()), place);
            }
            if end.is_none() {
                return Ok(false);
            }
            let opened = self.place;
            self.skip(OPEN.len() + if trims { TRIM_BYTES } else { 0 });
            if !self.rest().starts_with("/*") {
                self.push(Kind::Open, opened);
                return Ok(true);
            }
            self.comment(opened)?;
        }
    }

    fn comment(&mut self, opened: Place) -> Result<(), SyntaxError> {
        let Some(end) = self.rest().find("*/") else {
            return self.fail(opened, "the comment that begins here has no `*/`");
        };
        self.skip(end + 2);
        let behind = self.rest();
        if behind.starts_with(CLOSE) {
            self.skip(CLOSE.len());
        } else if trims_right(behind) {
            self.close_trimmed();
        } else {
            return self.fail(self.place, "a comment must end with `*/}}` or `*/ -}}`");
        }
        Ok(())
    }

    fn close_trimmed(&mut self) {
        self.skip(TRIM_BYTES + CLOSE.len());
        self.take_while(|char| SPACES.contains(&char));
    }

    /// From behind `{{` to behind `}}`.
    fn action(&mut self) -> Result<(), SyntaxError> {
        let mut parentheses: Vec<Place> = Vec::new();
        loop {
            let place = self.place;
            let rest = self.rest();
            let is_trimmed = trims_right(rest);
            if rest.starts_with(CLOSE) || is_trimmed {
                if let Some(opened) = parentheses.last() {
                    return self.fail(*opened, "this `(` has no `)`");
                }
                self.push(Kind::Close, place);
                match is_trimmed {
                    true => self.close_trimmed(),
                    false => drop(self.skip(CLOSE.len())),
                }
                return Ok(());
            }
            let Some(char) = self.peek() else {
                let opened = self.tokens.iter().rev().find(|token| token.kind == Kind::Open).map(|token| token.place);
                return self.fail(opened.unwrap_or_default(), "this `{{` has no `}}`");
            };
            match char {
                '(' => parentheses.push(place),
                ')' if parentheses.pop().is_none() => return self.fail(place, "this `)` has no `(`"),
                _ => {}
            }
            let kind = self.token(char)?;
            self.push(kind, place);
        }
    }

    fn token(&mut self, first: char) -> Result<Kind, SyntaxError> {
        let single = match first {
            '|' => Some(Kind::Pipe),
            '=' => Some(Kind::Assign),
            ',' => Some(Kind::Comma),
            '(' => Some(Kind::LeftParenthesis),
            ')' => Some(Kind::RightParenthesis),
            _ => None,
        };
        if let Some(kind) = single {
            self.skip(1);
            return Ok(kind);
        }
        let second = self.rest().chars().nth(1);
        match first {
            ' ' | '\t' | '\r' | '\n' => {
                self.spaces();
                Ok(Kind::Space)
            }
            ':' if second == Some('=') => {
                self.skip(2);
                Ok(Kind::Declare)
            }
            '"' => self.quoted(),
            '`' => self.raw(),
            '\'' => self.character(),
            '.' if !second.is_some_and(|digit| digit.is_ascii_digit()) => {
                self.skip(1);
                let name = self.name()?;
                Ok(if name.is_empty() { Kind::Dot } else { Kind::Field(name.to_owned()) })
            }
            '$' => {
                self.skip(1);
                Ok(Kind::Variable(format!("${}", self.name()?)))
            }
            '.' | '+' | '-' | '0'..='9' => self.number(),
            _ if is_word(first) => self.word(),
            _ => self.fail(self.place, format!("expected a value, a function or `}}}}`, got `{first}`")),
        }
    }

    /// Leaves the space that belongs to ` -}}`.
    fn spaces(&mut self) {
        while self.peek().is_some_and(|char| SPACES.contains(&char)) && !trims_right(self.rest()) {
            self.skip(1);
        }
    }

    fn name(&mut self) -> Result<&'a str, SyntaxError> {
        let name = self.take_while(is_word);
        self.ends_here()?;
        Ok(name)
    }

    /// What may follow a name without a space.
    fn ends_here(&self) -> Result<(), SyntaxError> {
        match self.peek() {
            None | Some(' ' | '\t' | '\r' | '\n' | '.' | ',' | '|' | ':' | ')' | '(') => Ok(()),
            Some('}') if self.rest().starts_with(CLOSE) => Ok(()),
            Some('-') => self.fail(
                self.place,
                "a name has letters, digits and `_`; for any other label write `index .CommonLabels \"some-label\"`",
            ),
            Some(char) => self.fail(self.place, format!("expected a space, `.`, `|`, `)` or `}}}}`, got `{char}`")),
        }
    }

    fn word(&mut self) -> Result<Kind, SyntaxError> {
        let word = self.name()?;
        if let Some((_, keyword)) = KEYWORDS.iter().find(|(name, _)| *name == word) {
            return Ok(Kind::Keyword(*keyword));
        }
        Ok(match word {
            "true" => Kind::Bool(true),
            "false" => Kind::Bool(false),
            "nil" => Kind::Nil,
            _ => Kind::Word(word.to_owned()),
        })
    }

    fn quoted(&mut self) -> Result<Kind, SyntaxError> {
        let opened = self.place;
        self.skip(1);
        let mut bytes = Vec::new();
        loop {
            match self.peek() {
                None | Some('\n') => return self.fail(opened, "the text that begins here has no closing `\"`"),
                Some('"') => {
                    self.skip(1);
                    return Ok(Kind::Quoted(String::from_utf8_lossy(&bytes).into_owned()));
                }
                Some('\\') => self.escape('"', &mut bytes)?,
                Some(char) => {
                    bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                    self.skip(char.len_utf8());
                }
            }
        }
    }

    fn raw(&mut self) -> Result<Kind, SyntaxError> {
        let opened = self.place;
        self.skip(1);
        let Some(end) = self.rest().find('`') else {
            return self.fail(opened, "the text that begins here has no closing `` ` ``");
        };
        let text = self.skip(end).replace('\r', "");
        self.skip(1);
        Ok(Kind::Quoted(text))
    }

    /// `'x'`, which is a number.
    fn character(&mut self) -> Result<Kind, SyntaxError> {
        let opened = self.place;
        self.skip(1);
        let mut bytes = Vec::new();
        match self.peek() {
            Some('\\') => self.escape('\'', &mut bytes)?,
            Some(char) if char != '\'' && char != '\n' => {
                self.skip(char.len_utf8());
                bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => {}
        }
        if self.peek() != Some('\'') {
            return self.fail(opened, "expected one character in `'`; texts stand in `\"`");
        }
        self.skip(1);
        let number = match (&*bytes, str::from_utf8(&bytes).ok().and_then(|text| text.chars().next())) {
            (_, Some(char)) => u32::from(char).into(),
            ([byte], None) => i64::from(*byte),
            _ => return self.fail(opened, "expected one character in `'`; texts stand in `\"`"),
        };
        Ok(Kind::Int(number))
    }

    fn escape(&mut self, quote: char, bytes: &mut Vec<u8>) -> Result<(), SyntaxError> {
        let place = self.place;
        self.skip(1);
        let Some(letter) = self.peek() else { return self.fail(place, "expected an escape such as `\\n`") };
        let plain = match letter {
            'a' => Some(7),
            'b' => Some(8),
            'f' => Some(12),
            'n' => Some(b'\n'),
            'r' => Some(b'\r'),
            't' => Some(b'\t'),
            'v' => Some(11),
            '\\' => Some(b'\\'),
            _ if letter == quote => Some(letter as u8),
            _ => None,
        };
        if let Some(byte) = plain {
            self.skip(1);
            bytes.push(byte);
            return Ok(());
        }
        let (skipped, digits, radix) = match letter {
            'x' => (1, 2, 16),
            'u' => (1, 4, 16),
            'U' => (1, 8, 16),
            '0'..='7' => (0, 3, 8),
            _ => {
                return self.fail(
                    place,
                    format!(
                        "Go knows no escape `\\{letter}`; for a backslash write `\\\\`, or put the text in `` ` ``"
                    ),
                );
            }
        };
        self.skip(skipped);
        let number = self.rest().get(..digits).and_then(|digits| u32::from_str_radix(digits, radix).ok());
        let byte = number.and_then(|number| u8::try_from(number).ok());
        match (letter, number.and_then(char::from_u32), byte) {
            ('u' | 'U', Some(char), _) => bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
            ('u' | 'U', None, _) | (_, _, None) => {
                return self.fail(place, format!("expected {digits} digits of a character after `\\{letter}`"));
            }
            (_, _, Some(byte)) => bytes.push(byte),
        }
        self.skip(digits);
        Ok(())
    }

    fn number(&mut self) -> Result<Kind, SyntaxError> {
        let place = self.place;
        let rest = self.rest();
        let mut end = usize::from(rest.starts_with(['+', '-']));
        let is_hexadecimal = rest[end..].starts_with("0x") || rest[end..].starts_with("0X");
        for (at, char) in rest.char_indices().skip(end) {
            let is_exponent_sign = matches!(char, '+' | '-') && !is_hexadecimal && rest[..at].ends_with(['e', 'E']);
            if !(is_word(char) || char == '.' || is_exponent_sign) {
                break;
            }
            end = at + char.len_utf8();
        }
        let written = self.skip(end);
        match literal::number(written) {
            Some(kind) => Ok(kind),
            None => self.fail(place, format!("expected a number, got `{written}`")),
        }
    }
}

/// Without `{{-`'s or `-}}`'s braces.
const TRIM_BYTES: usize = 2;

/// Of what stands behind `{{`.
fn trims_left(rest: &str) -> bool {
    rest.strip_prefix('-').is_some_and(|behind| behind.starts_with(SPACES))
}

/// Of what stands from the space before `-}}`.
fn trims_right(rest: &str) -> bool {
    rest.starts_with(SPACES) && rest[1..].starts_with('-') && rest[TRIM_BYTES..].starts_with(CLOSE)
}

fn is_word(char: char) -> bool {
    char == '_' || char.is_alphanumeric()
}
