//! The daemon under limits: a tree of files stands for the kernel's, so that the
//! test says what quota and memory there are.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use beltscan::limits::ROOT_VARIABLE;
use tempfile::TempDir;

const GROUP: &str = "sys/fs/cgroup/system.slice/beltscan.service";

/// A small belt in real time, with room for text.
const CAMERA: &str = "[camera]\nsource = \"belt\"\nwidth = 640\nheight = 480\nfps = 20\n";

/// A machine with two processors, half of one granted, and a folder for the daemon.
struct Machine(TempDir);

impl Machine {
    fn new(controllers: &str, memory_max: Option<u64>) -> Self {
        let machine = Self(tempfile::tempdir().expect("a folder"));
        let own = "0::/system.slice/beltscan.service\n";
        machine.put("proc/self/cgroup", own);
        machine.put(
            "proc/self/status",
            "VmRSS:\t40960 kB\nCpus_allowed_list:\t0-1\n",
        );
        machine.put("sys/fs/cgroup/cgroup.controllers", controllers);
        machine.put(&format!("{GROUP}/cpu.max"), "10000 20000\n");
        if let Some(bytes) = memory_max {
            machine.put(&format!("{GROUP}/memory.max"), &format!("{bytes}\n"));
            machine.put(&format!("{GROUP}/memory.current"), "41943040\n");
        }
        machine
    }

    fn put(&self, path: &str, text: &str) {
        let file = self.0.path().join(path);
        fs::create_dir_all(file.parent().expect("in a folder")).expect("made");
        // Put in place at once, as the kernel never shows half a file.
        let draft = file.with_extension("draft");
        fs::write(&draft, text).expect("written");
        fs::rename(draft, file).expect("renamed");
    }

    fn config(&self, rest: &str) -> PathBuf {
        let config = self.0.path().join("beltscan.toml");
        let state = self.0.path().join("state");
        let events = self.events();
        fs::create_dir_all(&state).expect("made");
        let text = format!(
            "{CAMERA}{rest}\n[service]\nstate-dir = {state:?}\nstats-s = 1\n[output.file]\npath = {events:?}\n"
        );
        fs::write(&config, text).expect("written");
        config
    }

    fn events(&self) -> PathBuf {
        self.0.path().join("events.jsonl")
    }

    fn beltscan(&self, verb: &str, config: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_beltscan"));
        command
            .args([verb, "--config"])
            .arg(config)
            .env(ROOT_VARIABLE, self.0.path())
            .env_remove("NOTIFY_SOCKET")
            .env_remove("WATCHDOG_USEC")
            .stdin(Stdio::null());
        command
    }
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn with_less_memory_than_the_plan_needs_it_does_not_start() {
    let machine = Machine::new("cpu memory", Some(24 << 20));
    let config = machine.config("");
    let output = machine.beltscan("run", &config).output().expect("runs");
    let told = said(&output);
    assert_eq!(output.status.code(), Some(78), "{told}");
    assert!(told.contains("the control group allows 24.0 MB"), "{told}");
    assert!(told.contains("set MemoryMax="), "{told}");
    assert!(!machine.events().exists(), "nothing was opened");

    // `check` names the same figure, and that this is too little.
    let output = machine.beltscan("check", &config).output().expect("runs");
    let checked = said(&output);
    assert!(output.status.success(), "{checked}");
    assert!(checked.contains("`run` would not start"), "{checked}");
    let minimum = checked
        .split("MemoryMax=")
        .nth(1)
        .and_then(|rest| rest.split('M').next())
        .expect("a figure");
    assert!(
        told.contains(&format!("set MemoryMax={minimum}M in the unit")),
        "{minimum}: {told}"
    );
}

#[test]
fn check_tells_how_the_threads_came_about_and_what_is_off() {
    let machine = Machine::new("cpuset cpu io pids", None);
    let config = machine.config("");
    let output = machine.beltscan("check", &config).output().expect("runs");
    let told = said(&output);
    for part in [
        "on 1 threads (0.50 of 2 cores by cpu.max of /system.slice/beltscan.service)",
        "CPUQuota 50 %, no MemoryHigh, no MemoryMax; 2 cores",
        "memory controller is off: MemoryMax= does nothing; add cgroup_enable=memory",
    ] {
        assert!(told.contains(part), "{part:?} is not in:\n{told}");
    }
    let output = machine
        .beltscan("check", &config)
        .arg("--json")
        .output()
        .expect("runs");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(json["limits"]["cpu_quota"], 0.5);
    assert_eq!(json["limits"]["memory_controller"], false);
    assert!(json["memory_minimum"].as_u64() > json["memory_bytes"].as_u64());
}

/// Text stops, codes go on, and text comes back when there is room again; every
/// message about it is as its schema says.
#[cfg(feature = "ocr")]
mod starved {
    use std::collections::HashMap;
    use std::fmt::Write as _;
    use std::process::Child;
    use std::time::Duration;

    use serde_json::Value;

    use super::support::mosquitto::Mosquitto;
    use super::support::wait_until;
    use super::*;

    const TEXT: &str = "exposure-us = 250\n[camera.belt]\nseed = 7\nprint = true\n\
        speed-m-s = 0.5\ngap-mm = 20.0\n[read]\ndeadline-ms = 2000\n\
        [item]\ndecide = \"leave\"\n[[ocr.field]]\nname = \"lot\"\n\
        box = [-4, 33, 37, 6.2]\ncode-ai = \"10\"\n";

    /// Ends the daemon with the test.
    struct Running(Child);

    impl Drop for Running {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// Writes what a control group would say that uses its quota up so far.
    struct Kernel<'a> {
        machine: &'a Machine,
        started: std::time::Instant,
        last: Duration,
        used_us: u64,
    }

    impl Kernel<'_> {
        fn tick(&mut self, share: f64) {
            let now = self.started.elapsed();
            self.used_us += ((now - self.last).as_micros() as f64 * 0.5 * share) as u64;
            self.last = now;
            let periods = now.as_millis() / 20;
            let stat = format!(
                "usage_usec {}\nnr_periods {periods}\nnr_throttled 0\n",
                self.used_us
            );
            self.machine.put(&format!("{GROUP}/cpu.stat"), &stat);
        }
    }

    fn events(machine: &Machine) -> Vec<Value> {
        let text = fs::read_to_string(machine.events()).unwrap_or_default();
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    fn has_text(event: &Value) -> bool {
        event["ocr"]
            .as_array()
            .is_some_and(|texts| !texts.is_empty())
    }

    fn is_starved(event: &Value) -> bool {
        let skipped = event["ocr_skipped"].as_array();
        skipped.is_some_and(|all| all.iter().any(|skip| skip["reason"] == "throttled"))
    }

    #[test]
    fn text_stops_first_codes_are_read_on_and_text_comes_back() {
        let Some(broker) = Mosquitto::start("text_stops_first") else {
            return;
        };
        let follower = broker.follow();
        let machine = Machine::new("cpu memory", Some(512 << 20));
        let config = machine.config(&format!(
            "{TEXT}[mqtt]\nurl = \"mqtt://127.0.0.1:{}\"",
            broker.port()
        ));
        let mut kernel = Kernel {
            machine: &machine,
            started: std::time::Instant::now(),
            last: Duration::ZERO,
            used_us: 0,
        };
        kernel.tick(0.0);
        let log = fs::File::create(machine.0.path().join("log")).expect("a file");
        let child = machine.beltscan("run", &config).stderr(log).spawn();
        let mut running = Running(child.expect("starts"));
        let mut until = |what: &str, share: f64, holds: &mut dyn FnMut() -> bool| {
            wait_until(what, || {
                kernel.tick(share);
                let ended = running.0.try_wait().expect("its state is known");
                let log = || fs::read_to_string(machine.0.path().join("log"));
                assert!(ended.is_none(), "{ended:?}: {:?}", log());
                holds()
            });
        };
        until("text is read", 0.3, &mut || {
            events(&machine).iter().any(has_text)
        });
        until("text has stopped", 1.0, &mut || {
            events(&machine).iter().any(is_starved)
        });
        // Between too much and room: it stays as it is.
        let before = events(&machine).len();
        until("codes are read all the same", 0.9, &mut || {
            let events = events(&machine);
            let later = &events[before..];
            let codes = |event: &&Value| event["schema"] == "beltscan/read/1";
            later.iter().filter(codes).count() >= 5 && !later[4..].iter().any(has_text)
        });
        let before = events(&machine).len();
        until("text is read again", 0.1, &mut || {
            events(&machine)[before..].iter().any(has_text)
        });

        let mut schemas = HashMap::new();
        for (leaf, text) in [
            ("status", include_str!("../config/schema/status.json")),
            ("stats", include_str!("../config/schema/stats.json")),
            ("alert", include_str!("../config/schema/alert.json")),
            ("read", include_str!("../config/schema/read.json")),
        ] {
            let schema: Value = serde_json::from_str(text).expect("JSON");
            schemas.insert(leaf, jsonschema::validator_for(&schema).expect("a schema"));
        }
        let mut faults = String::new();
        for (leaf, schema) in &schemas {
            for body in follower.heard(leaf) {
                if let Err(fault) = schema.validate(&body) {
                    let _ = writeln!(faults, "{leaf}: {fault}: {body}");
                }
            }
        }
        assert!(faults.is_empty(), "{faults}");
        let stats = follower.heard("stats");
        let levels: Vec<u64> = stats
            .iter()
            .filter_map(|stats| stats["governor_level"].as_u64())
            .collect();
        assert!(levels.iter().any(|&level| level >= 4), "{levels:?}");
        assert!(
            levels.windows(2).all(|pair| pair[1] <= pair[0] + 2),
            "{levels:?}"
        );
        let cut = |stats: &&Value| stats["governor_level"].as_u64() >= Some(4);
        let full = stats.iter().find(cut).expect("seen above");
        assert_eq!(full["governor_reason"], "quota");
        assert_eq!(full["cpu_quota"], 0.5);
        assert_eq!(full["cgroup_memory_mb"], 40.0);
        assert_eq!(full["memory_limit_mb"], 512.0);
        let alerts = follower.heard("alert");
        let throttled: Vec<&str> = alerts
            .iter()
            .filter(|alert| alert["kind"] == "throttled")
            .filter_map(|alert| alert["detail"].as_str())
            .collect();
        assert!(
            throttled[0].contains("costly attempts (level 1, reason quota)"),
            "{throttled:?}"
        );
        assert!(
            throttled.iter().any(|told| told.contains("text (level 4")),
            "{throttled:?}"
        );
        let states = follower.heard("status");
        assert!(
            states.iter().any(|state| state["status"] == "degraded"
                && state["reasons"]
                    .as_array()
                    .is_some_and(|all| all.contains(&"throttled".into()))),
            "{states:?}"
        );
    }
}
