//! Beltscan beside other QR readers: the same pictures, in one run, in one thread.
//!
//! Every picture is read by all readers before the next one is loaded, in an
//! order that turns from round to round, so that whatever else the machine does
//! hits all of them alike. A time is from luma plane to texts, by the clock on the
//! wall or (`--cpu`) by the thread's own processor time; for each picture the median
//! of the rounds counts. Ratios are of medians over the very same
//! pictures.

mod clock;
mod compare;
#[cfg(test)]
mod differential;
mod marks;
mod ours;
mod python;
mod readers;
mod sets;
mod statistics;
mod synthetic;
mod tally;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Compares Beltscan with other QR readers on the same pictures, in one thread.
///
/// Sets: clean-1-to-40, four-720p, forty-720p, empty-flat, empty-belt,
/// empty-belt-720p (drawn from
/// seeds), and with BELTSCAN_CORPUS every folder of labelled pictures in it.
/// False: a text that is in none of the picture's codes. Stray: a read outside
/// every labelled place where texts are unknown. Double: one code twice.
/// Disputed: a text that another folder's list has for the file of that name.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    comparison: compare::Comparison,
}

#[derive(Subcommand)]
enum What {
    /// Everything that has a mark, in one run: degraded codes beside what a perfect
    /// grid could read, tracks, real pictures, times, deadlines, false reads.
    Marks(marks::Options),
}

fn main() -> ExitCode {
    // Readers that panic are caught, and counted as having read nothing; what
    // they say meanwhile is not for the table.
    std::panic::set_hook(Box::new(|_| {}));
    let Cli { what, comparison } = Cli::parse();
    let result = match what {
        Some(What::Marks(options)) => marks::run(&options),
        None => compare::run(&comparison),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("beltscan-peers: {message}");
            ExitCode::FAILURE
        }
    }
}
