//! `beltscan completions SHELL`: a completion script on standard output.

use std::process::ExitCode;

use clap_complete::Shell;

use super::{EXIT_FAILED, fail};

/// Prints completions for a shell, e.g. `beltscan completions bash
/// > /etc/bash_completion.d/beltscan`.
#[derive(clap::Args)]
pub struct Args {
    /// The shell.
    shell: Shell,
}

/// Prints the script.
pub fn run(args: Args) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "beltscan", &mut script);
    match super::print(&script) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => fail(
            EXIT_FAILED,
            format!("cannot write the completions: {error}"),
        ),
    }
}
