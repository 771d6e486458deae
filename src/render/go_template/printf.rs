//! `printf`: from a format to its verbs, and what Go prints where format and arguments do not fit.

use super::buffer::{Buffer, Fault};
use super::print::{Spec, print};
use super::value::Value;

/// What Go allows as width and precision.
const SIZE_MAX: usize = 1_000_000;

struct Format<'a> {
    rest: &'a str,
    arguments: &'a [Value],
    next: usize,
    /// Arguments were chosen by number, so that nothing can be said about those left over.
    reordered: bool,
    bad_index: bool,
}

/// # Errors
/// When the text is too long.
pub fn printf(format: &str, arguments: &[Value]) -> Result<String, Fault> {
    let mut format = Format { rest: format, arguments, next: 0, reordered: false, bad_index: false };
    let mut buffer = Buffer::default();
    while let Some((before, behind)) = format.rest.split_once('%') {
        buffer.push_str(before)?;
        format.rest = behind;
        format.verb(&mut buffer)?;
    }
    buffer.push_str(format.rest)?;
    if !format.reordered && format.next < arguments.len() {
        extra(&mut buffer, &arguments[format.next..])?;
    }
    Ok(buffer.into_text())
}

fn extra(buffer: &mut Buffer, arguments: &[Value]) -> Result<(), Fault> {
    buffer.push_str("%!(EXTRA ")?;
    for (at, argument) in arguments.iter().enumerate() {
        if at > 0 {
            buffer.push_str(", ")?;
        }
        if argument.is_nil() {
            buffer.push_str("<nil>")?;
            continue;
        }
        buffer.push_str(argument.type_name())?;
        buffer.push('=')?;
        print(buffer, argument, &Spec::plain())?;
    }
    buffer.push(')')
}

impl<'a> Format<'a> {
    fn take(&mut self, wanted: char) -> bool {
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// From behind the `%`.
    fn verb(&mut self, buffer: &mut Buffer) -> Result<(), Fault> {
        self.bad_index = false;
        let mut spec = self.flags();
        let mut chose = self.index();
        if self.take('*') {
            let width = self.size();
            if width.is_none() {
                buffer.push_str("%!(BADWIDTH)")?;
            }
            spec.minus |= width.is_some_and(|width| width < 0);
            spec.zero &= !spec.minus;
            spec.width = width.map(|width| width.unsigned_abs() as usize);
            chose = false;
        } else {
            spec.width = self.digits();
            self.bad_index |= chose && spec.width.is_some();
        }
        if self.take('.') {
            self.bad_index |= chose;
            chose = self.index();
            if self.take('*') {
                let precision = self.size();
                if precision.is_none_or(|precision| precision < 0) {
                    buffer.push_str("%!(BADPREC)")?;
                }
                spec.precision = precision.and_then(|precision| usize::try_from(precision).ok());
                chose = false;
            } else {
                spec.precision = Some(self.digits().unwrap_or(0));
            }
        }
        if !chose {
            self.index();
        }
        let Some(verb) = self.rest.chars().next() else { return buffer.push_str("%!(NOVERB)") };
        self.rest = &self.rest[verb.len_utf8()..];
        spec.verb = verb;
        self.print(buffer, spec)
    }

    fn print(&mut self, buffer: &mut Buffer, spec: Spec) -> Result<(), Fault> {
        let verb = spec.verb;
        if verb == '%' {
            return buffer.push('%');
        }
        if self.bad_index {
            return buffer.push_str(&format!("%!{verb}(BADINDEX)"));
        }
        let Some(argument) = self.arguments.get(self.next) else {
            return buffer.push_str(&format!("%!{verb}(MISSING)"));
        };
        self.next += 1;
        print(buffer, argument, &spec)
    }

    fn flags(&mut self) -> Spec {
        let mut spec = Spec::default();
        while let Some(flag) = self.rest.chars().next() {
            match flag {
                '+' => spec.plus = true,
                '-' => spec.minus = true,
                '#' => spec.sharp = true,
                ' ' => spec.space = true,
                '0' => spec.zero = true,
                _ => break,
            }
            self.rest = &self.rest[1..];
        }
        spec.zero &= !spec.minus;
        spec
    }

    fn digits(&mut self) -> Option<usize> {
        let count = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        digits.parse().ok().map(|size: usize| size.min(SIZE_MAX))
    }

    /// An argument in place of digits.
    fn size(&mut self) -> Option<i64> {
        let argument = self.arguments.get(self.next);
        self.next += 1;
        match argument {
            Some(Value::Int(size, _)) if size.unsigned_abs() <= SIZE_MAX as u64 => Some(*size),
            _ => None,
        }
    }

    /// `[2]`: the argument of this number comes next.
    fn index(&mut self) -> bool {
        let Some(behind) = self.rest.strip_prefix('[') else { return false };
        self.reordered = true;
        let Some((number, rest)) = behind.split_once(']') else {
            self.rest = behind;
            self.bad_index = true;
            return false;
        };
        self.rest = rest;
        let chosen = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        match chosen.filter(|at| *at < self.arguments.len()) {
            Some(at) => self.next = at,
            None => self.bad_index = true,
        }
        true
    }
}
