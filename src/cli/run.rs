//! `beltscan run`: the daemon.

use std::path::PathBuf;
use std::process::ExitCode;

use super::EXIT_CONFIG;
use super::daemon::{Daemon, Input, Start, StartError};
use crate::config::Config;
use crate::service::{Notifier, log as logging, signals};

/// The daemon: reads items and publishes them until it is told to stop.
#[derive(clap::Args)]
pub struct Args {
    /// Configuration file
    #[arg(long, short, default_value = "/etc/beltscan/beltscan.toml")]
    pub config: PathBuf,
}

/// Runs until it is told to stop.
pub fn run(args: Args) -> ExitCode {
    logging::early();
    let config = match Config::load(&args.config) {
        Ok(config) => config,
        Err(problems) => {
            log::error!("{}: {problems}", args.config.display());
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    logging::apply(&config.log);
    let start = Start {
        config,
        file: Some(args.config),
        keeper: None,
        notifier: Notifier::from_env(),
    };
    let (daemon, to_main) = match Daemon::start(start) {
        Ok(started) => started,
        Err(error) => {
            log::error!("{error}");
            return match error {
                StartError::Config(_) | StartError::Memory(_) => ExitCode::from(EXIT_CONFIG),
                StartError::Publish(_) | StartError::Thread(_) => ExitCode::FAILURE,
            };
        }
    };
    let listener = signals::listen(move |signal| {
        if signal == signals::Signal::StopNow {
            // Asked twice: whoever asks does not want to wait for the drain.
            std::process::exit(1);
        }
        let _ = to_main.try_send(Input::Signal(signal));
    });
    match listener {
        Ok(_listening) => match daemon.run() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        },
        Err(error) => {
            log::error!("signals cannot be taken up: {error}");
            ExitCode::FAILURE
        }
    }
}
