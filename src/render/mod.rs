//! From a notification to text: one document model, several dialects, five languages.
//!
//! ```text
//! Notification ──▶ markup::Document ──▶ template (optional) ──▶ dialect: plain · html · journal · slack
//!                        ▲                                   └─▶ layout: a chat's markup, within its limit
//!          text: messages/<language>.ftl, cleaning, truncation
//! ```
//!
//! Nothing here reads a clock or opens a connection. Foreign text is cleaned when it enters the
//! document and escaped when it leaves it, so no alert can write markup into anyone's screen.

pub mod calendar;
pub mod dialect;
pub mod go_template;
pub mod layout;
pub mod markup;
pub mod reader;
mod sample;
pub mod template;
pub mod text;

pub use go_template::GoTemplates;
pub use markup::Document;
pub use reader::Reader;
pub use sample::sample_notification;
pub use template::Templates;
pub use text::Language;

#[cfg(test)]
pub(crate) mod hostile;
#[cfg(test)]
mod tests;
