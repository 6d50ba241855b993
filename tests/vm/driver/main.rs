//! The reader on a machine of its own, with systemd, a broker, a camera and a
//! power switch, judged from outside: what it publishes is held against what was
//! on the belt. `tests/vm/run` builds the machine and calls this.
//!
//! `vm FOLDER`: the folder that `tests/vm/image` filled.
//!
//! Nothing depends on how fast the machine is: each step waits for what must come,
//! and says now and then what it waits for. It gives up only where nothing comes at
//! all, so that the guest's own journal is told of a fault, and not just the limit of
//! whoever runs the test.

mod belt;
mod ledger;
mod machine;
mod stages;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// After so long what is waited for is not coming. With other tests beside it on two
/// cores no wait has taken a minute.
const GIVE_UP: Duration = Duration::from_secs(15 * 60);

/// Waits until `condition` holds, and says now and then what it waits for.
fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    let mut said = begun;
    while !condition() {
        if said.elapsed() > Duration::from_secs(60) {
            println!("    still waiting until {what}");
            said = Instant::now();
        }
        assert!(begun.elapsed() < GIVE_UP, "waited in vain until {what}");
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
