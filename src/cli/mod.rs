//! The command line: one file for each subcommand. Here is only what they share:
//! their names, exit codes, and how an error is told.
//!
//! Exit codes: 0 done; 1 something could not be opened or done; 2 wrong usage
//! (clap says what); 78 (`EX_CONFIG`) a bad configuration, which systemd is told
//! not to restart on.

use std::fmt;
use std::io::{self, IsTerminal as _, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

mod cameras;
mod check;
mod completions;
mod daemon;
mod demo;
mod make;
mod man;
mod read;
mod run;

/// Something could not be opened or done.
pub(crate) const EXIT_FAILED: u8 = 1;
/// The command line makes no sense as a whole.
pub(crate) const EXIT_USAGE: u8 = 2;
/// The configuration is bad.
pub(crate) const EXIT_CONFIG: u8 = 78;

/// Industrial code reader: camera frames in, one MQTT event per item out.
#[derive(Parser)]
#[command(name = "beltscan", version)]
#[command(
    after_help = "Exit codes: 0 done, 1 something could not be opened, 2 wrong usage, \
                        78 bad configuration."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Args),
    Demo(demo::Args),
    Read(read::Args),
    Make(make::Args),
    Cameras(cameras::Args),
    Check(check::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// Parses the arguments and does what they say.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        // These two set the log up themselves, from their configuration.
        Command::Run(args) => run::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Read(args) => plainly(read::run, args),
        Command::Make(args) => plainly(make::run, args),
        Command::Cameras(args) => plainly(cameras::run, args),
        Command::Check(args) => plainly(check::run, args),
        Command::Completions(args) => plainly(completions::run, args),
        Command::Man(args) => plainly(man::run, args),
    }
}

/// Runs a subcommand with warnings on standard error; `RUST_LOG` asks for more.
fn plainly<Args>(run: fn(Args) -> ExitCode, args: Args) -> ExitCode {
    let filter = env_logger::Env::default().default_filter_or("warn");
    env_logger::Builder::from_env(filter)
        .format_timestamp(None)
        .format_target(false)
        .init();
    run(args)
}

/// The whole command line, for completions and man pages.
fn command() -> clap::Command {
    Cli::command()
}

/// Tells an error, one line for each of its own, and gives the exit code.
pub(crate) fn fail(code: u8, error: impl fmt::Display) -> ExitCode {
    for line in error.to_string().lines() {
        eprintln!("beltscan: {line}");
    }
    ExitCode::from(code)
}

/// Writes to standard output. Whoever reads it may stop reading early, as `head`
/// does: that is no error, only the end (`Ok(false)`).
pub(crate) fn print(bytes: &[u8]) -> io::Result<bool> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        result => result.map(|()| true),
    }
}

/// Whether somebody may be watching standard error.
pub(crate) fn watched() -> bool {
    io::stderr().is_terminal()
}
