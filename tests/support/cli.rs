//! The program as it is typed: exit code, stdout and stderr in one text that can be compared.

#![allow(dead_code, reason = "each test binary uses its own part of this")]

use std::process::{Command, Output, Stdio};

/// What one call printed, as it is compared.
pub fn ran(code: i32, stdout: &str, stderr: &str) -> String {
    format!("exit code {code}\n--- stdout\n{stdout}--- stderr\n{stderr}")
}

pub fn watchbell(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchbell"));
    command.env_clear().args(arguments);
    command
}

pub fn outcome(command: &mut Command) -> String {
    printed(&command.stdin(Stdio::null()).output().unwrap())
}

pub fn printed(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    ran(output.status.code().unwrap(), &text(&output.stdout), &text(&output.stderr))
}

pub fn run(arguments: &[&str]) -> String {
    outcome(&mut watchbell(arguments))
}

/// For what listens in the test's own process.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}
