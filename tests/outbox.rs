//! The outbox when things go wrong: killed processes, full and read-only disks,
//! damaged files.

mod support;

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use beltscan::config::MqttVersion::V5;
use serde_json::Value;
use support::mosquitto::Mosquitto;
use support::proxy::{Mode, Proxy, Seen};
use support::publisher::{self, Rig, read, topic};
use support::wait_until;

const READ: &[&str] = &["read"];

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).expect("a body is JSON")
}

/// Each event once, in the order of first sight. Fails if a resend differs.
fn events(seen: &[Seen]) -> Vec<Value> {
    let mut bodies: HashMap<String, &[u8]> = HashMap::new();
    let mut events = Vec::new();
    for publish in seen {
        let body = publish.publish.body.as_slice();
        let event = json(body);
        let id = event["id"].as_str().expect("an id").to_owned();
        match bodies.insert(id, body) {
            Some(first) => assert_eq!(first, body, "a resend is the same bytes"),
            None => events.push(event),
        }
    }
    events
}

fn text(event: &Value) -> &str {
    event["codes"][0]["text"].as_str().expect("a text")
}

/// Numbers must run from 1 on without a gap in each epoch, in order. Returns how
/// many each epoch has, in the order of the epochs' first sight.
fn check_numbers(events: &[Value]) -> Vec<u64> {
    let mut last: Vec<(String, u64)> = Vec::new();
    for event in events {
        let epoch = event["epoch"].as_str().expect("an epoch").to_owned();
        let seq = event["seq"].as_u64().expect("a number");
        match last.iter_mut().find(|(known, _)| *known == epoch) {
            Some((_, before)) => {
                assert_eq!(seq, *before + 1, "numbers of an epoch have no gap");
                *before = seq;
            }
            None => {
                assert_eq!(seq, 1, "an epoch begins with 1");
                last.push((epoch, seq));
            }
        }
    }
    last.into_iter().map(|(_, seq)| seq).collect()
}

/// The process that other tests kill: sends events until it ends.
#[test]
#[ignore = "started by other tests as a child process"]
fn child() {
    let setting = |name: &str| std::env::var(name).expect(name);
    let mut setup = publisher::setup(Path::new(&setting("TEST_FOLDER")));
    let port = setting("TEST_PORT").parse().expect("a port");
    setup.mqtt = Some(publisher::mqtt(port, V5));
    let run = setting("TEST_RUN");
    let rig = publisher::start(setup);
    let sender = rig.publisher.sender();
    for number in 0_u64.. {
        let event = read(&format!("{run} {number}"));
        if sender.send(event).is_err() {
            return;
        }
        if number == 0 {
            println!("sending");
        }
        if number % 20 == 0 {
            // Commits of several sizes, and time for the broker to answer.
            std::thread::sleep(Duration::from_millis(number % 7));
        }
    }
}

#[test]
fn fifty_kills_leave_no_gap_and_nothing_twice() {
    let test = "fifty_kills_leave_no_gap_and_nothing_twice";
    let Some(broker) = Mosquitto::start(test) else {
        return;
    };
    let proxy = Proxy::start(broker.port());
    let folder = tempfile::tempdir().expect("a folder");
    for run in 0..50 {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "child", "--ignored", "--nocapture"])
            .env("TEST_FOLDER", folder.path())
            .env("TEST_PORT", proxy.port().to_string())
            .env("TEST_RUN", run.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let out = BufReader::new(child.stdout.take().expect("piped"));
        let begun = out
            .lines()
            .any(|line| line.expect("text").contains("sending"));
        assert!(begun, "it sends");
        // The moment is random; what is checked does not depend on it.
        std::thread::sleep(Duration::from_micros(fastrand::u64(0..200_000)));
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        if run == 0 {
            wait_until("the will is out", || {
                broker.retained(&topic("status")).contains(r#""offline""#)
            });
        }
    }
    let mut setup = publisher::setup(folder.path());
    setup.mqtt = Some(publisher::mqtt(proxy.port(), V5));
    let rig = publisher::start(setup);
    let last_seq = {
        let recent = rig.publisher.recent();
        assert!(!recent.is_empty(), "the last items are remembered");
        wait_until("what was left is sent", || {
            rig.meters.publish.connected.get() == 1 && rig.meters.publish.outbox_events.get() == 0
        });
        recent.last().expect("not empty").texts[0].clone()
    };
    rig.publisher.stop(Duration::from_secs(5));

    let events = events(&proxy.seen(READ));
    let numbers = check_numbers(&events);
    assert_eq!(numbers.len(), 1, "one epoch: {numbers:?}");
    assert_eq!(text(events.last().expect("events")), last_seq);
    // What each run sent arrived from its first item on, each once, without a hole:
    // only its last items, not yet committed, may be missing.
    let mut next: BTreeMap<u64, u64> = BTreeMap::new();
    for event in &events {
        let (run, number) = text(event).split_once(' ').expect("run and number");
        let expected = next.entry(run.parse().expect("a number")).or_default();
        assert_eq!(number.parse(), Ok(*expected), "run {run}");
        *expected += 1;
    }
    println!(
        "50 kills: {} events of {} runs, {} resends",
        numbers[0],
        next.len(),
        proxy.seen(READ).len() as u64 - numbers[0]
    );
    assert!(next.len() > 25, "most runs came to a commit");
}

/// A file system of its own, if this user may mount one.
struct Mount(PathBuf);

impl Mount {
    fn new(test: &str) -> Option<Mount> {
        let folder = tempfile::tempdir().expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if !mounted {
            support::leave_out(test, "the right to mount a tmpfs (root)");
            return None;
        }
        Some(Mount(folder.keep()))
    }

    fn remount(&self, how: &str) {
        let done = Command::new("mount")
            .args(["-o", &format!("remount,{how}")])
            .arg(&self.0)
            .status()
            .expect("mount runs");
        assert!(done.success());
    }

    fn fill(&self) -> PathBuf {
        let ballast = self.0.join("ballast");
        let mut file = std::fs::File::create(&ballast).expect("made");
        let mut piece = vec![0; 1 << 16];
        while !piece.is_empty() {
            if file.write_all(&piece).is_err() {
                piece.truncate(piece.len() / 2);
            }
        }
        ballast
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}

fn send(rig: &Rig, texts: std::ops::Range<u32>) {
    let sender = rig.publisher.sender();
    for number in texts {
        sender.send(read(&number.to_string())).expect("it runs");
    }
    sender.flush();
}

fn degraded(broker: &Mosquitto) -> bool {
    let status = json(broker.retained(&topic("status")).as_bytes());
    status["status"] == "degraded" && status["reasons"] == serde_json::json!(["disk"])
}

#[test]
fn events_go_on_while_the_disk_is_full() {
    let test = "events_go_on_while_the_disk_is_full";
    let Some(broker) = Mosquitto::start(test) else {
        return;
    };
    let Some(disk) = Mount::new(test) else { return };
    let proxy = Proxy::start(broker.port());
    let mut setup = publisher::setup(&disk.0);
    setup.mqtt = Some(publisher::mqtt(proxy.port(), V5));
    let rig = publisher::start(setup);
    send(&rig, 0..100);
    assert_eq!(rig.meters.publish.durable.get(), 1);
    let ballast = disk.fill();
    send(&rig, 100..300);
    assert_eq!(rig.meters.publish.durable.get(), 0);
    wait_until("status says so", || degraded(&broker));
    wait_until("they arrived", || proxy.acknowledged(READ) == 300);

    // The broker goes too: now they wait in memory, until the disk takes them.
    proxy.set(Mode::Refuse);
    send(&rig, 300..400);
    std::fs::remove_file(ballast).expect("removed");
    wait_until("the disk is used again", || {
        rig.meters.publish.durable.get() == 1
    });
    send(&rig, 400..500);
    rig.publisher.stop(Duration::ZERO);

    let mut setup = publisher::setup(&disk.0);
    proxy.set(Mode::Pass);
    setup.mqtt = Some(publisher::mqtt(proxy.port(), V5));
    let rig = publisher::start(setup);
    wait_until("all arrived", || proxy.acknowledged(READ) == 500);
    wait_until("all is well", || {
        broker.retained(&topic("status")).contains(r#""online""#)
    });
    rig.publisher.stop(Duration::from_secs(5));
    let events = events(&proxy.seen(READ));
    let texts: Vec<u32> = events
        .iter()
        .map(|event| text(event).parse().expect("a number"))
        .collect();
    assert_eq!(texts, (0..500).collect::<Vec<_>>(), "in order, none lost");
    assert_eq!(check_numbers(&events), [200, 300], "an epoch of its own");
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["durable"], !(100..400).contains(&number), "{number}");
    }
}

#[test]
fn events_go_on_while_the_state_directory_is_read_only() {
    let test = "events_go_on_while_the_state_directory_is_read_only";
    let Some(broker) = Mosquitto::start(test) else {
        return;
    };
    let Some(disk) = Mount::new(test) else { return };
    let proxy = Proxy::start(broker.port());
    proxy.set(Mode::Refuse);
    let begin = || {
        let mut setup = publisher::setup(&disk.0);
        setup.mqtt = Some(publisher::mqtt(proxy.port(), V5));
        publisher::start(setup)
    };
    // Some events are left from before.
    let rig = begin();
    send(&rig, 0..10);
    rig.publisher.stop(Duration::ZERO);

    disk.remount("ro");
    let rig = begin();
    assert_eq!(rig.meters.publish.durable.get(), 0);
    send(&rig, 10..15);
    proxy.set(Mode::Pass);
    wait_until("status says so", || degraded(&broker));
    wait_until("the new ones arrived", || proxy.acknowledged(READ) >= 5);
    proxy.set(Mode::Refuse);
    send(&rig, 15..20);
    disk.remount("rw");
    wait_until("the disk is used", || rig.meters.publish.durable.get() == 1);
    send(&rig, 20..25);
    proxy.set(Mode::Pass);
    wait_until("all arrived", || {
        proxy.acknowledged(READ) == 25 && rig.meters.publish.outbox_events.get() == 0
    });
    rig.publisher.stop(Duration::from_secs(5));

    let events = events(&proxy.seen(READ));
    let mut by_epoch: BTreeMap<bool, Vec<u32>> = BTreeMap::new();
    for event in &events {
        let durable = event["durable"].as_bool().expect("told");
        by_epoch
            .entry(durable)
            .or_default()
            .push(text(event).parse().expect("a number"));
    }
    let durable: Vec<u32> = (0..10).chain(20..25).collect();
    assert_eq!(by_epoch[&true], durable, "in order");
    assert_eq!(by_epoch[&false], (10..20).collect::<Vec<_>>(), "in order");
    check_numbers(&events);
}

#[test]
fn a_damaged_file_is_set_aside_and_a_new_epoch_begun() {
    let folder = tempfile::tempdir().expect("a folder");
    let outbox = folder.path().join("outbox.db");
    let lines = folder.path().join("events.jsonl");
    let run = |texts: std::ops::Range<u32>| {
        let mut setup = publisher::setup(folder.path());
        setup.output = publisher::file_sink(&lines);
        let rig = publisher::start(setup);
        send(&rig, texts);
        assert_eq!(rig.meters.publish.durable.get(), 1);
        rig.publisher.stop(Duration::ZERO);
    };
    run(0..10);
    for damage in 0..5_u32 {
        if damage % 2 == 0 {
            std::fs::write(
                &outbox,
                "this is no database, though it is longer than a header",
            )
            .expect("written");
        } else {
            // A page in the middle: the header is right, the trees are not.
            let mut bytes = std::fs::read(&outbox).expect("read");
            let length = bytes.len();
            bytes[4096..length.min(3 * 4096)].fill(0xa5);
            std::fs::write(&outbox, bytes).expect("written");
        }
        run(10 * (damage + 1)..10 * (damage + 2));
    }
    let events: Vec<Value> = std::fs::read_to_string(&lines)
        .expect("lines")
        .lines()
        .map(|line| json(line.as_bytes()))
        .collect();
    assert_eq!(check_numbers(&events), [10; 6], "six epochs of ten");
    let mut aside: Vec<String> = std::fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("text")
        })
        .filter(|name| name.contains("corrupt") && !name.ends_with("-wal"))
        .collect();
    aside.sort();
    assert_eq!(
        aside,
        [
            "outbox.db.corrupt-3",
            "outbox.db.corrupt-4",
            "outbox.db.corrupt-5"
        ],
        "the newest are kept"
    );
}

#[test]
fn a_restart_knows_the_last_items_and_numbers_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let lines = folder.path().join("events.jsonl");
    for run in 0..3_u32 {
        let mut setup = publisher::setup(folder.path());
        setup.output = publisher::file_sink(&lines);
        let rig = publisher::start(setup);
        let recent = rig.publisher.recent();
        match run {
            0 => assert!(recent.is_empty()),
            _ => {
                let last = recent.last().expect("it remembers");
                assert_eq!(last.texts, [(run * 10 - 1).to_string()]);
                assert_eq!(
                    Some(last.place.centre),
                    read("").last_place.map(|place| place.centre)
                );
            }
        }
        send(&rig, run * 10..run * 10 + 10);
        rig.publisher.stop(Duration::ZERO);
    }
    let text_of_lines = std::fs::read_to_string(&lines).expect("lines");
    let events: Vec<Value> = text_of_lines
        .lines()
        .map(|line| json(line.as_bytes()))
        .collect();
    assert_eq!(check_numbers(&events), [30]);
}

/// The shipped configuration and the recipe in docs/mqtt.md: a subscriber that is
/// killed and a broker that is stopped lose nothing.
#[test]
fn the_shipped_broker_and_recipe_lose_nothing() {
    let test = "the_shipped_broker_and_recipe_lose_nothing";
    let Some(mut broker) = Mosquitto::prepare(test) else {
        return;
    };
    let shipped = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/config/mosquitto/mosquitto.conf"
    );
    let conf = std::fs::read_to_string(shipped)
        .expect("it is shipped")
        .replace(
            "listener 1883 127.0.0.1",
            &format!("listener {} 127.0.0.1", broker.port()),
        )
        .replace("/var/lib/mosquitto/", "FOLDER/");
    broker.configure(&format!("{conf}\nuser root\n"));
    broker.run();
    let folder = tempfile::tempdir().expect("a folder");
    let received = folder.path().join("received");
    let port = broker.port().to_string();
    let subscribe = || {
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&received)
            .expect("opened");
        // One that was killed may have left half a line.
        writeln!(file).expect("written");
        Command::new("mosquitto_sub")
            .args(["-h", "127.0.0.1", "-p", &port])
            .args([
                "-V",
                "mqttv311",
                "-q",
                "1",
                "-c",
                "-i",
                "archive",
                "-t",
                &topic("read"),
            ])
            .stdout(file)
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto_sub runs")
    };
    let lines = || {
        std::fs::read_to_string(&received)
            .unwrap_or_default()
            .lines()
            // The last one may be half written still.
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .map(|event| {
                (
                    event["id"].to_string(),
                    text(&event).parse().expect("a number"),
                )
            })
            .collect::<BTreeMap<String, u32>>()
    };
    let mut setup = publisher::setup(folder.path());
    setup.mqtt = Some(publisher::mqtt(broker.port(), V5));
    let rig = publisher::start(setup);
    let mut subscriber = subscribe();
    // The session must be there before the first event it is to have.
    let sender = rig.publisher.sender();
    let mut first = 0;
    wait_until("the session is there", || {
        first += 1;
        sender.send(read(&first.to_string())).expect("it runs");
        sender.flush();
        !lines().is_empty()
    });
    let begin = *lines().values().min().expect("one");
    send(&rig, first + 1..first + 500);
    subscriber.kill().expect("it runs");
    subscriber.wait().expect("it ends");
    send(&rig, first + 500..first + 1000);
    wait_until("the broker has them", || {
        rig.meters.publish.outbox_events.get() == 0
    });
    broker.stop();
    send(&rig, first + 1000..first + 1500);
    broker.run();
    subscriber = subscribe();
    let all: Vec<u32> = (begin..first + 1500).collect();
    wait_until("every event is there", || lines().len() >= all.len());
    subscriber.kill().expect("it runs");
    subscriber.wait().expect("it ends");
    rig.publisher.stop(Duration::from_secs(5));
    let mut texts: Vec<u32> = lines().into_values().collect();
    texts.sort_unstable();
    assert_eq!(texts, all, "by their ids, each once");
}
