//! Errors as the operator sees them: what failed, why, a blank line, the way out. Decides the form and
//! the exit code; never what went wrong.
//!
//! ```text
//! error: cannot reach the daemon at `http://127.0.0.1:9494`
//!   cause: connection refused
//!
//! hint: `watchbell run` starts one; `--server` names another address
//! ```

use owo_colors::OwoColorize;
use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

/// The command did not do what it should.
pub const FAILED: u8 = 1;
/// It was called wrongly, or the configuration does not fit.
pub const MISUSED: u8 = 2;

/// An error that knows a way out and its exit code. Travels inside `anyhow::Error`; the renderer finds
/// it wherever it stands among the causes.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    message: String,
    hint: Option<String>,
    code: u8,
    #[source]
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: FAILED, cause: None }
    }

    /// As [`Failure::new`], with the exit code for bad usage or configuration.
    pub fn misuse(message: impl Into<String>) -> Self {
        Self { code: MISUSED, ..Self::new(message) }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn cause(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }
}

/// Renders the error on stderr and says the exit code. A reader that went away early (`… | head`) has
/// what it wanted, so that is no failure.
pub fn report(error: &anyhow::Error) -> ExitCode {
    let is_closed_pipe = |cause: &(dyn Error + 'static)| {
        let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        // What serde_json reports keeps the kind, but not as a source.
        let json = cause.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
        kind.or(json) == Some(io::ErrorKind::BrokenPipe)
    };
    if error.chain().any(is_closed_pipe) {
        return ExitCode::SUCCESS;
    }
    // With stderr gone there is nobody left to tell.
    let _ = render(error, &mut anstream::stderr().lock());
    ExitCode::from(failure(error).map_or(FAILED, |failure| failure.code))
}

fn failure(error: &anyhow::Error) -> Option<&Failure> {
    error.chain().find_map(|cause| cause.downcast_ref::<Failure>())
}

fn render(error: &anyhow::Error, out: &mut impl Write) -> io::Result<()> {
    let mut chain = error.chain();
    if let Some(error) = chain.next() {
        writeln!(out, "{}: {error}", "error".red().bold())?;
    }
    for cause in chain {
        writeln!(out, "  {}: {cause}", "cause".red())?;
    }
    match failure(error).and_then(|failure| failure.hint.as_deref()) {
        Some(hint) => writeln!(out, "\n{}: {hint}", "hint".cyan()),
        None => Ok(()),
    }
}

/// Something to know that is no failure, on stderr.
pub fn note(text: impl Display) {
    let _ = writeln!(anstream::stderr().lock(), "{}: {text}", "note".blue());
}

/// Something that should not stay as it is, on stderr.
pub fn warn(text: impl Display) {
    let _ = writeln!(anstream::stderr().lock(), "{}: {text}", "warning".yellow().bold());
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    fn rendered(error: &anyhow::Error) -> String {
        let mut out = anstream::StripStream::new(Vec::new());
        render(error, &mut out).unwrap();
        String::from_utf8(out.into_inner()).unwrap()
    }

    #[test]
    fn the_hint_is_found_below_what_was_added_on_the_way_up() {
        let failure = Failure::misuse("unknown sink `slak`").cause(io::Error::other("no such kind"));
        let error = anyhow::Error::from(failure.hint("did you mean `slack`?"));
        let error = Err::<(), _>(error).context("cannot test the sink").unwrap_err();
        assert_eq!(
            rendered(&error),
            "error: cannot test the sink\n  cause: unknown sink `slak`\n  cause: no such kind\n\n\
             hint: did you mean `slack`?\n"
        );
        assert_eq!(super::failure(&error).map(|failure| failure.code), Some(MISUSED));
    }

    #[test]
    fn an_error_of_another_kind_has_no_hint() {
        assert_eq!(rendered(&anyhow::anyhow!("it broke")), "error: it broke\n");
    }
}
