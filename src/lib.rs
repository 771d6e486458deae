//! Watchbell stands between monitoring and people: webhooks come in, are deduplicated and correlated into
//! incidents with a named root cause, and chat, mail and ITSM tools hear about it once.
//!
//! ```text
//! monitor ─▶ http/ingest ─▶ sources/<system> ─▶ runtime/driver: engine::step ─▶ store.commit ─▶ 2xx
//!                           bytes → events        one transaction: journal, state, deliveries
//!                                                        │ after the commit
//!                           runtime/outbox ◀─────────────┘
//!                                 └▶ sinks/<system>.request ─▶ runtime/deliver ─▶ outcome ─▶ Input::Sent ─▶ driver
//! ```
//!
//! | module | is about |
//! |---|---|
//! | [`model`] | the nouns: event, alert, incident, problem, notification, delivery |
//! | [`engine`] | every decision; pure |
//! | [`sources`], [`sinks`] | one file for each foreign system; pure |
//! | [`topology`] | systems that are asked what depends on what; pure |
//! | [`render`] | notifications as text |
//! | [`store`] | journal, state, outbox, history |
//! | [`runtime`] | the one writer, the outbox, outbound calls |
//! | [`http`] | the daemon's own endpoints; thin |
//! | [`generate`] | labelled alert streams out of a seed, to measure the engine on |
//! | [`replay`] | recorded events through the engine under a simulated clock |
//! | [`evaluate`] | how well the engine groups and names causes, on data whose failures are known |
//! | [`tls`] | what the listener shows, and which clients it believes |
//! | [`crash_point`] | where tests kill it; nothing in a release |
//! | [`mutant`] | planted bugs for the simulation; nothing in a normal build |
//! | [`config`], [`cli`], [`app`] | what the operator writes and types; how it is all wired |
//! | [`clock`], [`watchdog`] | what time it is; whether the daemon is well |

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod crash_point;
pub mod engine;
pub mod error;
pub mod evaluate;
pub mod generate;
pub mod http;
pub mod model;
pub mod mutant;
pub mod render;
pub mod replay;
pub mod runtime;
pub mod sinks;
pub mod sources;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod topology;
pub mod watchdog;
