//! `beltscan run`: the daemon.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{EXIT_FAILED, fail};

/// Runs the daemon: frames in, item events out, until it is told to stop.
#[derive(clap::Args)]
pub struct Args {
    /// Configuration file.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/etc/beltscan/beltscan.toml"
    )]
    config: PathBuf,
}

/// Runs until SIGTERM or SIGINT.
pub fn run(args: Args) -> ExitCode {
    let path = args.config.display();
    fail(EXIT_FAILED, format!("{path}: this build has no daemon"))
}
