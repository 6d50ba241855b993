//! `beltscan demo`: the whole daemon on embedded defaults: a synthetic belt as
//! the camera, a broker of its own, and a subscriber that judges what comes out
//! against what was on the belt.

use std::process::ExitCode;
use std::time::Duration;

use super::{EXIT_FAILED, fail};

#[cfg(feature = "demo")]
mod broker;
#[cfg(feature = "demo")]
mod judge;
#[cfg(feature = "demo")]
mod show;
#[cfg(feature = "demo")]
mod subscriber;

/// Runs the whole daemon on a synthetic belt with an embedded broker: no camera,
/// no broker, no root needed. Ctrl-C ends it.
#[derive(clap::Args)]
pub struct Args {
    /// End by itself after this time, as 30s or 2m; exits with 1 if an item was
    /// published twice or with a wrong text, or if none was read.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    length: Option<Duration>,
    /// End after this many items.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    items: Option<u64>,
    /// Same seed, same belt.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Port of the embedded broker on loopback, or the next free one; 0 takes any.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// Frames a second.
    #[arg(long, value_name = "FPS")]
    fps: Option<f32>,
    /// Speed of the belt in metres a second.
    #[arg(long, value_name = "M/S")]
    speed: Option<f32>,
}

fn duration(text: &str) -> Result<Duration, String> {
    let signed: jiff::SignedDuration = text.parse().map_err(|error| format!("{error}"))?;
    Duration::try_from(signed).map_err(|_| "a time span is not negative".into())
}

/// Runs until the time is over, the items have passed, or Ctrl-C.
pub fn run(args: Args) -> ExitCode {
    #[cfg(feature = "demo")]
    let done = show::run(&args);
    #[cfg(not(feature = "demo"))]
    let done: Result<bool, String> = {
        let _ = args;
        Err("this build has no demonstration: build it with the cargo feature `demo`".into())
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(EXIT_FAILED),
        Err(error) => fail(EXIT_FAILED, error),
    }
}
