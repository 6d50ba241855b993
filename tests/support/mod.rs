//! What tests of the daemon and of its parts share: a real mosquitto, a recording
//! proxy in front of it, and the rule for what is not installed.
//!
//! Every test file uses another part of it.
#![allow(dead_code)]

pub mod mosquitto;
pub mod proxy;
pub mod publisher;
pub mod wire;

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Is `program` installed? If not, says that `test` is left out, or fails where
/// `BELTSCAN_REQUIRE_ALL=1` wants everything tested.
pub fn has(program: &str, test: &str) -> bool {
    let found = find(program).is_some();
    if !found {
        leave_out(test, program);
    }
    found
}

/// Says that `test` is left out for want of `need`, or fails where
/// `BELTSCAN_REQUIRE_ALL=1` wants everything tested.
pub fn leave_out(test: &str, need: &str) {
    assert!(
        std::env::var_os("BELTSCAN_REQUIRE_ALL").is_none_or(|value| value != "1"),
        "{test} needs {need}, and BELTSCAN_REQUIRE_ALL=1 forbids to leave it out"
    );
    eprintln!("LEFT OUT: {test} needs {need}");
}

/// Where `program` is: in PATH, or where Debian puts daemons.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Waits until `condition` holds, however long that takes on this machine; says
/// now and then what it waits for.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let mut said = Instant::now();
    while !condition() {
        if said.elapsed() > Duration::from_secs(60) {
            eprintln!("still waiting until {what}");
            said = Instant::now();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
