//! `beltscan demo` as a whole: the daemon, an embedded broker and a judge that
//! holds what is published against what was on the belt.
#![cfg(feature = "demo")]

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

fn demo(arguments: &[&str], state: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_beltscan"));
    command
        .arg("demo")
        .args(arguments)
        .env("TMPDIR", state)
        .env_remove("NOTIFY_SOCKET")
        .stdin(Stdio::null());
    command
}

fn left_behind(state: &std::path::Path) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(state)
        .expect("is a folder")
        .map(|entry| entry.expect("readable").path())
        .collect()
}

#[test]
fn nothing_is_published_twice_or_wrong_and_the_run_ends_by_itself() {
    let state = tempfile::tempdir().expect("a folder");
    // Slow, so that a machine that is busy with other tests sees most items; how
    // many, is not what this asks.
    let output = demo(&["--items", "5", "--speed", "0.5"], state.path())
        .output()
        .expect("starts");
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{errors}");
    assert!(!errors.contains("panicked"), "{errors}");
    assert!(told.contains("mosquitto_sub -h 127.0.0.1 -p "), "{told}");
    for part in [
        "\n5 items seen, ",
        ", 0 published twice, 0 with a wrong text;",
    ] {
        assert!(told.contains(part), "{told}\n{errors}");
    }
    assert_eq!(left_behind(state.path()), [] as [&std::path::Path; 0]);
}

#[test]
fn an_interrupt_ends_it_with_its_count() {
    let state = tempfile::tempdir().expect("a folder");
    let mut child = demo(&["--speed", "0.5"], state.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut lines = BufReader::new(child.stdout.take().expect("is piped"));
    // The first item has been published: everything is running.
    let mut line = String::new();
    while !line.contains(" item ") {
        line.clear();
        assert_ne!(lines.read_line(&mut line).expect("readable"), 0, "it ended");
    }
    let status = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .expect("kill is everywhere");
    assert!(status.success());
    let mut rest = String::new();
    lines.read_to_string(&mut rest).expect("readable");
    let status = child.wait().expect("is ours");
    assert!(status.success(), "{status}: {rest}");
    assert!(rest.contains(" items seen, "), "{rest}");
    assert_eq!(left_behind(state.path()), [] as [&std::path::Path; 0]);
}
