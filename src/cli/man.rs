//! `beltscan man FOLDER`: the manual as man pages, one for each subcommand.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{EXIT_FAILED, fail};

/// Writes man pages into a folder: beltscan.1, and one for each subcommand.
#[derive(clap::Args)]
pub struct Args {
    /// The folder. It must be there.
    folder: PathBuf,
}

/// Writes them.
pub fn run(args: Args) -> ExitCode {
    match clap_mangen::generate_to(super::command(), &args.folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(
            EXIT_FAILED,
            format!(
                "cannot write the man pages into {}: {error}",
                args.folder.display()
            ),
        ),
    }
}
