//! The reader on a machine of its own, with systemd, a broker, a camera and a
//! power switch, judged from outside: what it publishes is held against what was
//! on the belt. `tests/vm/run` builds the machine and calls this.
//!
//! `vm FOLDER`: the folder that `tests/vm/image` filled.
//!
//! Nothing depends on how fast the machine is: each step waits for what must come,
//! however long that takes, and says now and then what it waits for.

mod belt;
mod ledger;
mod machine;
mod stages;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Waits until `condition` holds, and says now and then what it waits for.
fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let mut said = Instant::now();
    while !condition() {
        if said.elapsed() > Duration::from_secs(60) {
            println!("    still waiting until {what}");
            said = Instant::now();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("error")).init();
    let mut arguments = std::env::args_os().skip(1);
    let (Some(folder), None) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: vm FOLDER");
        return ExitCode::from(2);
    };
    let begun = Instant::now();
    let mut test = stages::Test::boot(PathBuf::from(folder));
    println!("booted in {:.0} s", begun.elapsed().as_secs_f32());
    for (name, stage) in stages::ALL {
        let begun = Instant::now();
        stage(&mut test);
        println!("PASS {name} ({:.0} s)", begun.elapsed().as_secs_f32());
    }
    println!(
        "{} events, all there, in order and none twice; {:.0} s",
        test.events(),
        begun.elapsed().as_secs_f32()
    );
    ExitCode::SUCCESS
}
