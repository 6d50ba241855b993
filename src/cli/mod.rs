//! The command line: one file for each subcommand.

pub mod cameras;
mod daemon;
mod run;

use std::process::ExitCode;

/// Parses the arguments and does what they say.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
