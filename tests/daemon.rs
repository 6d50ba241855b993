//! The whole daemon as a child process: belt in, MQTT out, with signals, kills,
//! reloads and the service manager's socket as they come in real life.

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use beltscan::camera::belt::{BeltCamera, Truth};
use beltscan::clock;
use beltscan::config::{Config, SourcePlan};
use serde_json::Value;
use support::mosquitto::Mosquitto;
use support::proxy::Proxy;
use support::wait_until;
use tempfile::TempDir;

const ROOT: &str = "beltscan/site/line/reader";

/// A small belt that a slow machine keeps up with.
const BELT: &str = "source = \"belt\"\nwidth = 640\nheight = 480\nfps = 30\n";

/// A configuration in a folder of its own, with its state beside it.
struct House {
    folder: TempDir,
    config: PathBuf,
}

impl House {
    fn new(camera: &str, rest: &str) -> House {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("beltscan.toml");
        let house = House { folder, config };
        house.write(camera, rest);
        house
    }

    fn write(&self, camera: &str, rest: &str) {
        let state = self.state();
        let events = self.events();
        let text = format!(
            "[camera]\n{camera}\n{rest}\n[service]\nstate-dir = {state:?}\ndrain-s = 60\n\
             [output.file]\npath = {events:?}\n"
        );
        fs::write(&self.config, text).expect("written");
    }

    fn state(&self) -> PathBuf {
        let state = self.folder.path().join("state");
        fs::create_dir_all(&state).expect("a folder");
        state
    }

    fn events(&self) -> PathBuf {
        self.folder.path().join("events.jsonl")
    }

    /// What the file sink got, one event a line; a line that a kill cut short
    /// does not count.
    fn read_events(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.events()).unwrap_or_default();
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    fn truth(&self) -> Truth {
        let plan = Config::load(&self.config)
            .expect("valid")
            .plan()
            .expect("a plan");
        let SourcePlan::Belt(belt) = &plan.camera.source else {
            panic!("a belt");
        };
        BeltCamera::open(&plan.camera, belt).expect("opens").truth()
    }

    fn run(&self) -> Running {
        self.run_with(&[])
    }

    fn run_with(&self, env: &[(&str, &Path)]) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_beltscan"));
        command
            .args(["run", "--config"])
            .arg(&self.config)
            .env_remove("NOTIFY_SOCKET")
            .env_remove("WATCHDOG_USEC")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        for (name, value) in env {
            command.env(name, value);
        }
        let mut child = command.spawn().expect("starts");
        let log = Arc::new(Mutex::new(String::new()));
        let (stderr, lines) = (child.stderr.take().expect("piped"), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = writeln!(lines.lock().expect("no panic"), "{line}");
            }
        });
        Running { child, log }
    }
}

struct Running {
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Running {
    fn log(&self) -> String {
        self.log.lock().expect("no panic").clone()
    }

    fn until_logged(&mut self, text: &str) {
        wait_until(&format!("the log says: {text}"), || {
            let ended = self.child.try_wait().expect("its state is known");
            let said = self.log().contains(text);
            assert!(
                said || ended.is_none(),
                "ended with {ended:?}: {}",
                self.log()
            );
            said
        });
    }

    fn signal(&self, name: &str) {
        let done = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status()
            .expect("kill runs");
        assert!(done.success());
    }

    fn wait(&mut self) -> ExitStatus {
        let status = self.child.wait().expect("it ends");
        // What is caught is a fault all the same.
        assert!(!self.log().contains("panicked"), "{}", self.log());
        status
    }

    /// A figure of `/proc/PID/status` in KiB.
    fn kib(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("runs");
        let line = status
            .lines()
            .find(|line| line.starts_with(field))
            .expect("is there");
        let number = line.split_whitespace().nth(1).expect("has a number");
        number.parse().expect("is a number")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn texts(event: &Value) -> Vec<String> {
    let codes = event["codes"].as_array().cloned().unwrap_or_default();
    codes
        .iter()
        .filter_map(|code| code["text"].as_str().map(str::to_owned))
        .collect()
}

fn reads(events: &[Value]) -> impl Iterator<Item = &Value> {
    events
        .iter()
        .filter(|event| event["schema"] == "beltscan/read/1")
}

/// How often each text was published as an item, each id once.
fn counts(events: &[Value]) -> BTreeMap<String, usize> {
    let mut ids = BTreeMap::new();
    for event in reads(events) {
        ids.insert(event["id"].to_string(), texts(event));
    }
    let mut counts = BTreeMap::new();
    for text in ids.into_values().flatten() {
        *counts.entry(text).or_default() += 1;
    }
    counts
}

#[test]
fn every_item_of_the_belt_arrives_at_the_broker_once_and_in_order() {
    let Some(broker) = Mosquitto::start("every_item_of_the_belt") else {
        return;
    };
    let proxy = Proxy::start(broker.port());
    let house = House::new(
        &format!("{BELT}[camera.belt]\nitems = 40\nreal-time = false\n"),
        &format!("[mqtt]\nurl = \"mqtt://127.0.0.1:{}\"", proxy.port()),
    );
    let mut running = house.run();
    let status = running.wait();
    assert!(status.success(), "{status}: {}", running.log());

    let sent = proxy.seen(&["read", "noread"]);
    let events: Vec<Value> = sent
        .iter()
        .map(|seen| serde_json::from_slice(&seen.publish.body).expect("JSON"))
        .collect();
    let numbers: Vec<u64> = events
        .iter()
        .filter_map(|event| event["seq"].as_u64())
        .collect();
    assert_eq!(
        numbers,
        (1..=events.len() as u64).collect::<Vec<_>>(),
        "no gap in seq"
    );
    assert_eq!(proxy.acknowledged(&["read", "noread"]), sent.len());
    assert_eq!(house.read_events(), events, "the file sink saw the same");

    let expected: BTreeMap<String, usize> = house
        .truth()
        .items()
        .flat_map(|item| item.texts)
        .map(|text| (text, 1))
        .collect();
    assert_eq!(expected.len(), 40);
    assert_eq!(counts(&events), expected);
    assert_eq!(
        serde_json::from_str::<Value>(&broker.retained(&format!("{ROOT}/status"))).expect("JSON")["status"],
        "stopped"
    );
}

/// Killed again and again while the belt runs on: what passed while the daemon
/// was up arrives, once; what was in view at a kill, or decided within the last
/// commit window before it, may be missing.
#[test]
fn fifty_kills_lose_nothing_but_what_was_in_view_and_repeat_nothing() {
    let Some(broker) = Mosquitto::start("fifty_kills") else {
        return;
    };
    let proxy = Proxy::start(broker.port());
    // A start in the recent past: the belt runs when the daemon comes up.
    let started = clock::wall_ns() / 1_000_000;
    let house = House::new(
        &format!(
            "{BELT}[camera.belt]\nspeed-m-s = 0.6\nseed = 7\nstarted-unix-ms = {started}\n\
             noise = 2.0\nglare = 0.0\n"
        ),
        &format!("[mqtt]\nurl = \"mqtt://127.0.0.1:{}\"", proxy.port()),
    );
    let truth = house.truth();
    let mut up = Vec::new();
    for round in 0..50 {
        let mut running = house.run();
        running.until_logged("camera frames come");
        let from = clock::mono_ns();
        // Not a wait for anything: the kill comes at a random moment.
        std::thread::sleep(Duration::from_millis(200 + fastrand::u64(0..1300)));
        let until = clock::mono_ns();
        if round < 49 {
            running.signal("KILL");
        } else {
            running.signal("TERM");
        }
        let status = running.wait();
        assert!(
            round < 49 || status.success(),
            "{status}: {}",
            running.log()
        );
        up.push((from, until));
    }
    let sent = proxy.seen(&["read", "noread"]);
    let mut bodies: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    let mut epochs = std::collections::BTreeSet::new();
    let mut doubtful = 0;
    for seen in &sent {
        let event: Value = serde_json::from_slice(&seen.publish.body).expect("JSON");
        epochs.insert(event["epoch"].to_string());
        doubtful += usize::from(event["maybe_repeat"] == true);
        let seq = event["seq"].as_u64().expect("a number");
        let before = bodies.insert(seq, seen.publish.body.clone());
        assert!(
            before.is_none_or(|body| body == seen.publish.body),
            "a resend of {seq} differs"
        );
    }
    assert_eq!(epochs.len(), 1, "the outbox survives every kill");
    let numbers: Vec<u64> = bodies.keys().copied().collect();
    assert_eq!(
        numbers,
        (1..=numbers.len() as u64).collect::<Vec<_>>(),
        "no gap in seq"
    );

    let events: Vec<Value> = bodies
        .values()
        .map(|body| serde_json::from_slice(body).expect("JSON"))
        .collect();
    let counts = counts(&events);
    let end = up.last().expect("fifty rounds").1;
    let mut owed = 0;
    let mut known = std::collections::BTreeSet::new();
    for item in truth.entered_by(0, end) {
        let text = item.texts[0].clone();
        let count = counts.get(&text).copied().unwrap_or_default();
        // One that says itself that it may be a repetition is no silent one.
        assert!(
            count <= 1 || doubtful > 0,
            "{text} was published {count} times, the daemon being up at {up:?}: {:#?}",
            events
                .iter()
                .filter(|event| event["codes"][0]["text"] == text.as_str())
                .collect::<Vec<_>>()
        );
        let (Some(entered), Some(left)) = (item.entered_ns, item.left_ns) else {
            continue;
        };
        // In view for all of its way within one life of the daemon, with a
        // second for it to be decided and committed on a busy machine.
        if up
            .iter()
            .any(|&(from, until)| from < entered && left + 1_000_000_000 < until)
        {
            owed += 1;
            assert_eq!(
                count, 1,
                "{text} passed while the daemon was up, and is missing"
            );
        }
        known.insert(text);
    }
    for text in counts.keys() {
        assert!(
            known.contains(text)
                || truth
                    .entered_by(known.len() as u64, u64::MAX)
                    .take(20)
                    .any(|i| i.texts[0] == *text),
            "{text} was never on the belt"
        );
    }
    println!(
        "{} events, {} items owed, {} maybe repeated, {} sent in all",
        events.len(),
        owed,
        doubtful,
        sent.len()
    );
}

#[test]
fn a_reload_takes_up_a_good_file_and_refuses_a_bad_one_while_items_pass() {
    let Some(broker) = Mosquitto::start("a_reload") else {
        return;
    };
    let mqtt = format!("[mqtt]\nurl = \"mqtt://127.0.0.1:{}\"", broker.port());
    let camera = format!("{BELT}[camera.belt]\nspeed-m-s = 0.5\n");
    let house = House::new(&camera, &mqtt);
    let mut running = house.run();
    running.until_logged("camera frames come");
    wait_until("an item has passed", || {
        reads(&house.read_events()).next().is_some()
    });

    house.write(
        &camera,
        &format!("[item]\nconfirm-frame = 3\ndecide = \"soon\"\n{mqtt}"),
    );
    running.signal("HUP");
    running.until_logged("configuration not reloaded, nothing has changed");
    let log = running.log();
    assert!(
        log.contains("confirm-frames"),
        "the nearest key is named: {log}"
    );
    assert!(
        log.contains("item.decide"),
        "and the other fault too: {log}"
    );
    let before = reads(&house.read_events()).count();
    wait_until("items still pass", || {
        reads(&house.read_events()).count() > before
    });

    house.write(
        &camera,
        &format!("[[rule]]\nname = \"no such prefix\"\nprefix = \"~\"\n{mqtt}"),
    );
    running.signal("HUP");
    running.until_logged("configuration reloaded: everything is in force");
    wait_until("the new rule judges", || {
        reads(&house.read_events()).any(|event| event["verdict"]["rule"] == "no such prefix")
    });
    let events = house.read_events();
    assert!(
        counts(&events).values().all(|&count| count == 1),
        "a reload repeats nothing"
    );
    running.signal("TERM");
    assert!(running.wait().success());
}

#[test]
fn the_service_manager_hears_ready_reloading_watchdog_and_stopping() {
    let house = House::new(&format!("{BELT}[camera.belt]\nspeed-m-s = 0.5\n"), "");
    let path = house.folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    let heard = Arc::new(Mutex::new(String::new()));
    let ears = Arc::clone(&heard);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(bytes) = socket.recv(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..bytes]).into_owned();
            let _ = writeln!(ears.lock().expect("no panic"), "{text}");
        }
    });
    let hears = |what: &str| heard.lock().expect("no panic").contains(what);
    let usec = PathBuf::from("2000000");
    let mut running = house.run_with(&[("NOTIFY_SOCKET", &path), ("WATCHDOG_USEC", &usec)]);
    wait_until("READY", || hears("READY=1"));
    wait_until("the watchdog is fed", || hears("WATCHDOG=1"));
    wait_until("the status tells of items", || {
        hears("STATUS=") && hears(" items, ")
    });
    running.signal("HUP");
    wait_until("RELOADING", || {
        hears("RELOADING=1") && hears("MONOTONIC_USEC=")
    });
    running.signal("TERM");
    wait_until("STOPPING", || hears("STOPPING=1"));
    assert!(running.wait().success());
}

#[test]
fn a_bad_configuration_is_told_whole_and_ends_with_78() {
    let house = House::new("source = \"belt\"\nfpss = 30\nwidth = 0\n", "");
    let mut running = house.run();
    assert_eq!(running.wait().code(), Some(78));
    wait_until("the log is read", || running.log().contains("camera.width"));
    assert!(running.log().contains("fps"), "{}", running.log());
}

/// A camera that dies and comes back: degraded, alert, and items again.
#[test]
fn a_camera_that_goes_comes_back() {
    let Some(broker) = Mosquitto::start("a_camera_that_goes") else {
        return;
    };
    let proxy = Proxy::start(broker.port());
    // Ten grey pictures, then the program dies; the keeper starts it again.
    let house = House::new(
        "source = \"pipe\"\nwidth = 64\nheight = 48\nfps = 50\npipe-format = \"gray8\"\n\
         command = [\"sh\", \"-c\", \"for i in 1 2 3 4 5 6 7 8 9 10; do head -c 3072 /dev/zero; sleep 0.02; done\"]\n",
        &format!("[mqtt]\nurl = \"mqtt://127.0.0.1:{}\"", proxy.port()),
    );
    let mut running = house.run();
    running.until_logged("camera frames come");
    wait_until("it came back twice", || {
        running.log().matches("camera frames come").count() >= 3
    });
    running.signal("TERM");
    assert!(running.wait().success(), "{}", running.log());
}

/// Frames of 1280 by 800 at 60 a second stay within 40 MB of resident memory,
/// which does not grow once the caches of the database are warm.
#[test]
fn memory_is_bounded_and_flat() {
    let house = House::new(
        "source = \"belt\"\nwidth = 1280\nheight = 800\nfps = 60\n[camera.belt]\nspeed-m-s = 1.0\n",
        "",
    );
    let mut running = house.run();
    running.until_logged("camera frames come");
    let items = |n: usize| {
        wait_until("items pass", || reads(&house.read_events()).count() >= n);
    };
    // On a busy machine the belt's queues fill up to their bounds later than on an
    // idle one; what leaks never comes to rest.
    let mut resident = Vec::new();
    let flat = (1..=8).any(|round| {
        items(60 * round);
        resident.push(running.kib("VmRSS:"));
        matches!(resident[..], [.., early, late] if late <= early + 256)
    });
    let peak = running.kib("VmHWM:");
    println!("resident after each 60 items {resident:?} KiB, peak {peak} KiB");
    assert!(peak <= 40 * 1024, "peak {peak} KiB");
    assert!(flat, "grows on and on: {resident:?} KiB");
    running.signal("TERM");
    assert!(running.wait().success());
}
