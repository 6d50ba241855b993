//! The `beltscan` command. All of it lives in [`beltscan::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    beltscan::cli::main()
}
