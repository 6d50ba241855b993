//! `beltscan check`: is the configuration sound, and what will be done?

use std::path::PathBuf;
use std::process::ExitCode;

use super::{EXIT_CONFIG, fail};
use crate::config::Config;

/// Checks a configuration and prints what would be done with it.
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

/// Checks it.
pub fn run(args: Args) -> ExitCode {
    match Config::load(&args.config).and_then(|config| config.plan()) {
        Ok(_) => ExitCode::SUCCESS,
        Err(problems) => fail(EXIT_CONFIG, problems),
    }
}
