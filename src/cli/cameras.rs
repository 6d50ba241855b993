//! `beltscan cameras`: what is connected, and what to write in the TOML.

use std::process::ExitCode;

use super::{EXIT_FAILED, fail};

/// Lists cameras with their formats, rates and controls, and what to write in the
/// configuration.
#[derive(clap::Args)]
pub struct Args {
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Lists them.
pub fn run(args: Args) -> ExitCode {
    log::debug!("as JSON: {}", args.json);
    fail(EXIT_FAILED, "this build has no cameras")
}
