//! Publishing against a real mosquitto, with a recording proxy in front of it.

mod support;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use beltscan::command::{Command as Asked, Reply};
use beltscan::config::MqttVersion::{self, V5, V311};
use beltscan::config::TlsPlan;
use beltscan::item::text::{EventText, ItemText, Skip, SkippedText};
use beltscan::item::{Mismatch, Verdict};
use beltscan::publish::{Alert, Severity};
use serde_json::Value;
use support::mosquitto::Mosquitto;
use support::proxy::{Mode, Proxy, Seen};
use support::publisher::{self, Rig, noread, read, topic};
use support::wait_until;

const EVENTS: &[&str] = &["read", "noread"];

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).expect("a body is JSON")
}

fn seq(seen: &Seen) -> u64 {
    json(&seen.publish.body)["seq"].as_u64().expect("a number")
}

/// Checks the promise at the proxy: every number from 1 to `count` in one epoch,
/// acknowledged, in order on each connection and in first sight, and whatever came
/// twice byte by byte the same. Returns how many were resent.
fn check_stream(seen: &[Seen], count: u64) -> usize {
    let mut bodies: BTreeMap<u64, &[u8]> = BTreeMap::new();
    let mut ids: HashMap<String, u64> = HashMap::new();
    let mut last: HashMap<usize, u64> = HashMap::new();
    let (mut newest, mut resent) = (0, 0);
    for publish in seen {
        let number = seq(publish);
        let body = publish.publish.body.as_slice();
        let id = json(body)["id"].as_str().expect("an id").to_owned();
        assert_eq!(
            *ids.entry(id).or_insert(number),
            number,
            "one id, one event"
        );
        match bodies.insert(number, body) {
            Some(first) => {
                assert_eq!(first, body, "a resend is the same bytes");
                resent += 1;
            }
            None => {
                assert_eq!(number, newest + 1, "events come in order");
                newest = number;
            }
        }
        if let Some(before) = last.insert(publish.connection, number) {
            assert!(
                number > before,
                "in order on each connection: {before}, {number}"
            );
        }
    }
    assert_eq!(newest, count, "every event arrived");
    let mut acked: Vec<u64> = seen
        .iter()
        .filter(|publish| publish.acked == Some(0) || publish.acked == Some(0x10))
        .map(seq)
        .collect();
    acked.sort_unstable();
    acked.dedup();
    assert_eq!(acked.len() as u64, count, "every event was acknowledged");
    resent
}

fn drained(rig: &Rig, count: u64) -> bool {
    rig.meters.publish.seq.get() == count && rig.meters.publish.outbox_events.get() == 0
}

/// 10,000 events while the broker is killed, restarted, refuses and is silent.
fn survives_everything(version: MqttVersion, test: &str) {
    const COUNT: u64 = 10_000;
    let Some(mut broker) = Mosquitto::start(test) else {
        return;
    };
    let proxy = Proxy::start(broker.port());
    let folder = tempfile::tempdir().expect("a folder");
    let mut setup = publisher::setup(folder.path());
    setup.mqtt = Some(publisher::mqtt(proxy.port(), version));
    let rig = publisher::start(setup);
    let sender = rig.publisher.sender();
    let feeder = std::thread::spawn(move || {
        for number in 1..=COUNT {
            let event = match number % 10 {
                0 => noread("r"),
                _ => read(&format!("item {number}")),
            };
            sender.send(event).expect("the outbox runs");
            if number % 50 == 0 {
                // The belt moves on; the rest of the test does not depend on it.
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    });
    let reached = |count: usize| {
        wait_until("more events have passed", || {
            proxy.acknowledged(EVENTS) >= count
        });
    };
    reached(500);
    broker.kill();
    wait_until("the loss is seen", || {
        rig.meters.publish.connected.get() == 0
    });
    broker.run();
    reached(1500);
    proxy.set(Mode::Refuse);
    let refused = proxy.connections();
    wait_until("it tried twice", || proxy.connections() >= refused + 2);
    proxy.set(Mode::Pass);
    reached(2500);
    proxy.set(Mode::Silent);
    let silent = proxy.connections();
    wait_until("it gave a silent broker up", || {
        proxy.connections() >= silent + 2
    });
    proxy.set(Mode::Pass);
    for step in 1..=10 {
        reached(2500 + step * 200);
        proxy.cut();
    }
    feeder.join().expect("all events were sent");
    wait_until("the outbox is empty", || drained(&rig, COUNT));
    let resent = check_stream(&proxy.seen(EVENTS), COUNT);
    println!(
        "{version:?}: {COUNT} events, {} connections, {resent} resends",
        proxy.connections()
    );
    assert_eq!(rig.meters.publish.dead_letters.get(), 0);
    assert_eq!(rig.meters.publish.given_up.get(), 0);
    rig.publisher.stop(Duration::from_secs(5));
}

#[test]
fn mqtt_5_survives_everything() {
    survives_everything(V5, "mqtt_5_survives_everything");
}

#[test]
fn mqtt_311_survives_everything() {
    survives_everything(V311, "mqtt_311_survives_everything");
}

/// A broker that goes silent in the middle of a connection, without closing it.
#[test]
fn a_broker_that_falls_silent_is_left() {
    let test = "a_broker_that_falls_silent_is_left";
    for version in [V311, V5] {
        let Some(broker) = Mosquitto::start(test) else {
            return;
        };
        let proxy = Proxy::start(broker.port());
        let folder = tempfile::tempdir().expect("a folder");
        let mut setup = publisher::setup(folder.path());
        setup.mqtt = Some(publisher::mqtt(proxy.port(), version));
        let rig = publisher::start(setup);
        wait_until("it is connected", || {
            rig.meters.publish.connected.get() == 1
        });
        proxy.mute(true);
        let before = proxy.connections();
        rig.publisher.sender().send(read("x")).expect("it runs");
        wait_until("the silent broker was left", || {
            proxy.connections() > before
        });
        proxy.mute(false);
        wait_until("it arrived", || proxy.acknowledged(EVENTS) == 1);
        rig.publisher.stop(Duration::from_secs(5));
    }
}

#[test]
fn what_the_broker_refuses_becomes_a_dead_letter_and_the_rest_goes_on() {
    let test = "what_the_broker_refuses_becomes_a_dead_letter_and_the_rest_goes_on";
    let Some(mut broker) = Mosquitto::prepare(test) else {
        return;
    };
    // No-reads are denied: PUBACK with reason 0x87.
    let rules = ["status", "read", "alert", "stats", "ack", "gap"]
        .map(|leaf| format!("topic write {}\n", topic(leaf)))
        .concat();
    std::fs::write(broker.folder().join("acl"), rules).expect("written");
    broker.configure("acl_file FOLDER/acl\n");
    broker.run();
    let proxy = Proxy::start(broker.port());
    let folder = tempfile::tempdir().expect("a folder");
    let mut setup = publisher::setup(folder.path());
    let outbox = setup.outbox.path.clone();
    setup.mqtt = Some(publisher::mqtt(proxy.port(), V5));
    let rig = publisher::start(setup);
    let sender = rig.publisher.sender();
    for number in 0..20 {
        sender.send(read(&format!("{number}"))).expect("it runs");
        sender.send(noread("r")).expect("it runs");
    }
    wait_until("all are settled", || drained(&rig, 40));
    assert_eq!(rig.meters.publish.dead_letters.get(), 20);
    assert_eq!(rig.meters.publish.acknowledged.get(), 20);
    let refused = proxy.seen(&["noread"]);
    assert_eq!(refused.len(), 20, "refused once, not tried again");
    assert!(refused.iter().all(|seen| seen.acked == Some(0x87)));
    wait_until("the alerts are out", || proxy.seen(&["alert"]).len() == 20);
    rig.publisher.stop(Duration::from_secs(5));
    let dead = dead_letters(&outbox);
    assert_eq!(dead.len(), 20);
    assert_eq!(dead[0].0, 2, "the first no-read has number 2");
    assert!(dead[0].1.contains("NotAuthorized"), "{}", dead[0].1);
}

/// Number and reason of each dead letter.
fn dead_letters(outbox: &Path) -> Vec<(i64, String)> {
    let db = rusqlite::Connection::open(outbox).expect("the outbox");
    let mut statement = db
        .prepare("SELECT seq, reason FROM dead ORDER BY number")
        .expect("the table");
    statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("rows")
        .collect::<Result<_, _>>()
        .expect("values")
}

#[test]
fn an_event_larger_than_the_broker_takes_becomes_a_dead_letter() {
    let test = "an_event_larger_than_the_broker_takes_becomes_a_dead_letter";
    for (version, why) in [(V5, "at most 2000"), (V311, "hung up three times")] {
        let Some(broker) = Mosquitto::start_with(test, "max_packet_size 2000\n") else {
            return;
        };
        let proxy = Proxy::start(broker.port());
        let folder = tempfile::tempdir().expect("a folder");
        let mut setup = publisher::setup(folder.path());
        let outbox = setup.outbox.path.clone();
        setup.mqtt = Some(publisher::mqtt(proxy.port(), version));
        let rig = publisher::start(setup);
        let sender = rig.publisher.sender();
        for number in 1..=50 {
            let text = match number {
                25 => "x".repeat(3000),
                _ => format!("{number}"),
            };
            sender.send(read(&text)).expect("it runs");
        }
        wait_until("all are settled", || drained(&rig, 50));
        wait_until("the alert is out", || !proxy.seen(&["alert"]).is_empty());
        rig.publisher.stop(Duration::from_secs(5));
        let dead = dead_letters(&outbox);
        assert_eq!(dead.len(), 1, "{dead:?}");
        assert_eq!(dead[0].0, 25);
        assert!(dead[0].1.contains(why), "{}", dead[0].1);
        let mut arrived: Vec<u64> = proxy
            .seen(EVENTS)
            .iter()
            .filter(|seen| seen.acked.is_some())
            .map(seq)
            .collect();
        arrived.sort_unstable();
        arrived.dedup();
        assert_eq!(arrived.len(), 49);
    }
}

#[test]
fn a_full_outbox_gives_up_the_oldest_and_says_which() {
    let test = "a_full_outbox_gives_up_the_oldest_and_says_which";
    for in_memory in [false, true] {
        let Some(broker) = Mosquitto::start(test) else {
            return;
        };
        let proxy = Proxy::start(broker.port());
        proxy.set(Mode::Refuse);
        let folder = tempfile::tempdir().expect("a folder");
        let mut setup = publisher::setup(folder.path());
        setup.mqtt = Some(publisher::mqtt(proxy.port(), V5));
        setup.outbox.max_bytes = 100_000;
        if in_memory {
            // A folder cannot be made inside a file: not even root has a disk here.
            let file = folder.path().join("file");
            std::fs::write(&file, "").expect("written");
            setup.outbox.path = file.join("outbox.db");
            setup.outbox.memory_events = 100;
        }
        let rig = publisher::start(setup);
        let sender = rig.publisher.sender();
        for number in 1..=1000 {
            sender.send(read(&format!("{number}"))).expect("it runs");
        }
        sender.flush();
        let given_up = rig.meters.publish.given_up.get();
        assert!((500..1000).contains(&given_up), "{given_up}");
        assert!(rig.meters.publish.outbox_bytes.get() <= 100_000);
        assert_eq!(rig.meters.publish.durable.get(), u64::from(!in_memory));
        let listener = Listener::start(&broker, "full");
        proxy.set(Mode::Pass);
        wait_until("all arrived", || {
            rig.meters.publish.outbox_events.get() == 0
        });
        rig.publisher.stop(Duration::from_secs(5));
        let said = listener.take_until_stopped();
        let mut told: Vec<u64> = Vec::new();
        let mut arrived: Vec<u64> = Vec::new();
        for (leaf, body) in &said {
            match leaf.as_str() {
                "gap" => {
                    let number = |key: &str| body[key].as_u64().expect("a number");
                    told.extend(number("from")..=number("to"));
                    let reason = if in_memory { "memory_full" } else { "full" };
                    assert_eq!(body["reason"], reason);
                }
                "read" => {
                    assert_eq!(body["durable"], !in_memory);
                    arrived.push(body["seq"].as_u64().expect("a number"));
                }
                _ => {}
            }
        }
        let gaps = said.iter().filter(|(leaf, _)| leaf == "gap").count();
        assert_eq!(gaps, 1, "one note for all");
        assert_eq!(told, (1..=given_up).collect::<Vec<_>>());
        assert_eq!(arrived, (given_up + 1..=1000).collect::<Vec<_>>());
        let alerts: Vec<_> = said.iter().filter(|(leaf, _)| leaf == "alert").collect();
        assert!(
            alerts
                .iter()
                .any(|(_, body)| body["kind"] == "events_given_up"),
            "{alerts:?}"
        );
    }
}

#[test]
fn old_events_go_only_by_a_clock_that_is_synchronised() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut setup = publisher::setup(folder.path());
    // Nobody listens there: events stay.
    setup.mqtt = Some(publisher::mqtt(1, V5));
    setup.outbox.max_age = Duration::from_secs(1);
    let synced = Arc::new(AtomicBool::new(false));
    let clock = Arc::clone(&synced);
    setup.clock_synced = Arc::new(move || clock.load(Ordering::SeqCst));
    let rig = publisher::start(setup);
    let sender = rig.publisher.sender();
    sender
        .send(read("stamped by a wrong clock"))
        .expect("it runs");
    sender.flush();
    synced.store(true, Ordering::SeqCst);
    sender
        .send(read("stamped by a right clock"))
        .expect("it runs");
    sender.flush();
    wait_until("the old one has gone", || {
        rig.meters.publish.given_up.get() == 1
    });
    // The other event and the note.
    wait_until("the note is there", || {
        rig.meters.publish.outbox_events.get() == 2
    });
    rig.publisher.stop(Duration::ZERO);
    let db = rusqlite::Connection::open(folder.path().join("outbox.db")).expect("the outbox");
    let left: Vec<(String, i64)> = db
        .prepare("SELECT kind, seq FROM queue ORDER BY position")
        .expect("the table")
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("rows")
        .collect::<Result<_, _>>()
        .expect("values");
    assert_eq!(left, [("read".to_owned(), 1), ("gap".to_owned(), 2)]);
}

#[test]
fn commands_are_obeyed_once_and_answered() {
    let test = "commands_are_obeyed_once_and_answered";
    for version in [V311, V5] {
        let Some(broker) = Mosquitto::start(test) else {
            return;
        };
        let proxy = Proxy::start(broker.port());
        // A trap that was set before: a retained command.
        broker.publish(&topic("cmd/trigger"), r#"{"request_id":"old"}"#, &["-r"]);
        let folder = tempfile::tempdir().expect("a folder");
        let mut setup = publisher::setup(folder.path());
        setup.mqtt = Some(publisher::mqtt(proxy.port(), version));
        let rig = publisher::start(setup);
        let acks = |count: usize| {
            wait_until("the replies are out", || {
                proxy.seen(&["ack"]).len() >= count
            });
            let acks = proxy.seen(&["ack"]);
            assert_eq!(acks.len(), count);
            json(&acks[count - 1].publish.body)
        };
        let refused = acks(1);
        assert_eq!(
            (&refused["request_id"], &refused["ok"]),
            (&"old".into(), &false.into())
        );
        assert!(
            refused["detail"]
                .as_str()
                .expect("text")
                .contains("retained")
        );
        assert!(rig.requests.try_recv().is_err());

        let set = r#"{"request_id":"s1","key":"camera.exposure-us","value":300}"#;
        broker.publish(&topic("cmd/set"), set, &[]);
        let request = rig.requests.recv().expect("it arrives");
        assert_eq!(
            request.command,
            Asked::Set {
                key: "camera.exposure-us".into(),
                value: 300.into()
            }
        );
        assert_eq!(request.request_id.as_deref(), Some("s1"));
        let reply = Reply {
            ok: true,
            detail: "camera.exposure-us is 300".into(),
        };
        request.reply.send(reply).expect("awaited");
        let done = acks(2);
        assert_eq!(
            (&done["request_id"], &done["ok"]),
            (&"s1".into(), &true.into())
        );

        broker.publish(&topic("cmd/set"), set, &[]);
        assert_eq!(acks(3)["ok"], false);
        broker.publish(&topic("cmd/set"), "rm -rf /", &[]);
        assert_eq!(acks(4)["request_id"], Value::Null);
        assert!(rig.requests.try_recv().is_err());

        // Every connection subscribes anew.
        assert_eq!(proxy.subscribes(), 1);
        proxy.cut();
        wait_until("it subscribed again", || proxy.subscribes() == 2);
        rig.publisher.stop(Duration::from_secs(5));
    }
}

#[test]
fn a_message_too_large_for_us_does_not_keep_events_back() {
    let test = "a_message_too_large_for_us_does_not_keep_events_back";
    for version in [V311, V5] {
        let Some(broker) = Mosquitto::start(test) else {
            return;
        };
        let file = broker.folder().join("huge");
        std::fs::write(&file, vec![b' '; 300_000]).expect("written");
        let port = broker.port().to_string();
        let done = Command::new("mosquitto_pub")
            .args(["-h", "127.0.0.1", "-p", &port, "-q", "1", "-r", "-f"])
            .arg(&file)
            .args(["-t", &topic("cmd/trigger")])
            .status()
            .expect("mosquitto_pub runs");
        assert!(done.success());
        let folder = tempfile::tempdir().expect("a folder");
        let mut setup = publisher::setup(folder.path());
        setup.mqtt = Some(publisher::mqtt(broker.port(), version));
        let rig = publisher::start(setup);
        rig.publisher.sender().send(read("x")).expect("it runs");
        wait_until("the event is through", || drained(&rig, 1));
        wait_until("the connection holds", || {
            broker.retained(&topic("status")).contains("online")
        });
        rig.publisher.stop(Duration::from_secs(5));
    }
}

#[test]
fn another_client_with_our_id_raises_an_alert_instead_of_a_fight() {
    let test = "another_client_with_our_id_raises_an_alert_instead_of_a_fight";
    let Some(broker) = Mosquitto::start(test) else {
        return;
    };
    let proxy = Proxy::start(broker.port());
    let folder = tempfile::tempdir().expect("a folder");
    let mut setup = publisher::setup(folder.path());
    setup.mqtt = Some(publisher::mqtt(proxy.port(), V5));
    let rig = publisher::start(setup);
    wait_until("it is connected", || !proxy.seen(&["status"]).is_empty());
    let mut rival = Command::new("mosquitto_sub")
        .args(["-h", "127.0.0.1", "-p", &broker.port().to_string()])
        .args(["-V", "5", "-i", "beltscan-test", "-t", "nothing"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("mosquitto_sub runs");
    wait_until("the alert is out", || {
        proxy
            .seen(&["alert"])
            .iter()
            .any(|seen| json(&seen.publish.body)["kind"] == "session_taken_over")
    });
    // How often it is kicked out first depends on the machine's load; that it
    // then stays away for a good while does not.
    let accepted = proxy.accepted();
    let rest = accepted.windows(2).map(|pair| pair[1] - pair[0]).max();
    assert!(rest >= Some(Duration::from_secs(45)), "{rest:?}");
    rival.kill().expect("it runs");
    rival.wait().expect("it ends");
    rig.publisher.stop(Duration::from_secs(5));
}

#[test]
fn tls_with_client_certificate_and_password() {
    let test = "tls_with_client_certificate_and_password";
    if !support::has("openssl", test) || !support::has("mosquitto_passwd", test) {
        return;
    }
    let Some(mut broker) = Mosquitto::prepare(test) else {
        return;
    };
    let folder = broker.folder();
    make_certificates(&folder);
    let passwords = folder.join("passwords");
    let made = Command::new("mosquitto_passwd")
        .args(["-b", "-c"])
        .arg(&passwords)
        .args(["reader", "s3cret"])
        .status()
        .expect("mosquitto_passwd runs");
    assert!(made.success());
    let port = broker.port();
    broker.configure(&format!(
        "listener {port} 127.0.0.1\ncafile FOLDER/ca.pem\ncertfile FOLDER/server.pem\n\
         keyfile FOLDER/server.key\nrequire_certificate true\nallow_anonymous false\n\
         password_file FOLDER/passwords\nuser root\n"
    ));
    broker.run();
    std::fs::write(folder.join("password"), "s3cret\n").expect("written");
    for version in [V311, V5] {
        let state = tempfile::tempdir().expect("a folder");
        let mut setup = publisher::setup(state.path());
        let mut plan = publisher::mqtt(broker.port(), version);
        plan.host = "localhost".into();
        plan.user = Some("reader".into());
        plan.password_file = Some(folder.join("password"));
        plan.tls = Some(TlsPlan {
            ca: Some(folder.join("ca.pem")),
            client: Some((folder.join("client.pem"), folder.join("client.key"))),
        });
        setup.mqtt = Some(plan);
        let rig = publisher::start(setup);
        rig.publisher
            .sender()
            .send(read("sealed"))
            .expect("it runs");
        wait_until("it arrived", || drained(&rig, 1));
        assert_eq!(rig.meters.publish.acknowledged.get(), 1);
        rig.publisher.stop(Duration::from_secs(5));
    }

    // A server that our authority did not sign is not spoken to: the password is
    // right, so it would get in otherwise. The files are read at each connection:
    // the right authority put in place later helps without a restart.
    let state = tempfile::tempdir().expect("a folder");
    let authority = state.path().join("ca.pem");
    let foreign = tempfile::tempdir().expect("a folder");
    make_certificates(foreign.path());
    std::fs::copy(foreign.path().join("ca.pem"), &authority).expect("copied");
    let proxy = Proxy::start(broker.port());
    proxy.set(Mode::Raw);
    let mut setup = publisher::setup(state.path());
    let mut plan = publisher::mqtt(proxy.port(), V5);
    plan.host = "localhost".into();
    plan.user = Some("reader".into());
    plan.password_file = Some(folder.join("password"));
    plan.tls = Some(TlsPlan {
        ca: Some(authority.clone()),
        client: Some((folder.join("client.pem"), folder.join("client.key"))),
    });
    setup.mqtt = Some(plan);
    let rig = publisher::start(setup);
    wait_until("it tried twice", || proxy.connections() >= 2);
    assert_eq!(rig.meters.publish.connections.get(), 0);
    std::fs::copy(folder.join("ca.pem"), &authority).expect("copied");
    wait_until("it is connected", || {
        rig.meters.publish.connected.get() == 1
    });
    rig.publisher.stop(Duration::from_secs(5));
}

/// An authority, and certificates of it for a server on localhost and a client.
fn make_certificates(folder: &Path) {
    let script = r#"
set -e
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
  -subj /CN=authority -keyout ca.key -out ca.pem
for name in server client; do
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -subj /CN=$name -keyout $name.key -out $name.csr
  echo 'subjectAltName=DNS:localhost,IP:127.0.0.1' > $name.ext
  openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
    -extfile $name.ext -out $name.pem
done
"#;
    let made = Command::new("sh")
        .args(["-c", script])
        .current_dir(folder)
        .output()
        .expect("sh runs");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
}

/// A subscriber to everything of the reader, as a process.
struct Listener {
    child: std::process::Child,
    lines: std::sync::mpsc::Receiver<String>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Listener {
    /// Starts it, and waits until it hears.
    fn start(broker: &Mosquitto, id: &str) -> Listener {
        use std::io::BufRead as _;
        let mut child = Command::new("mosquitto_sub")
            .args(["-h", "127.0.0.1", "-p", &broker.port().to_string()])
            .args(["-q", "1", "-i", id, "-F", "%t %p", "-t", &topic("#")])
            .stdout(Stdio::piped())
            .spawn()
            .expect("mosquitto_sub runs");
        let out = child.stdout.take().expect("piped");
        let (to, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in std::io::BufReader::new(out).lines() {
                if to.send(line.expect("text")).is_err() {
                    return;
                }
            }
        });
        wait_until("it hears", || {
            broker.publish(&topic("cmd/hello"), "hello", &[]);
            lines.try_recv().is_ok()
        });
        Listener { child, lines }
    }

    /// Everything up to the reader's last word: the last part of the topic, and
    /// the body.
    fn take_until_stopped(self) -> Vec<(String, Value)> {
        let mut said = Vec::new();
        for line in &self.lines {
            let (topic, body) = line.split_once(' ').expect("topic and body");
            if topic.contains("/cmd/") {
                continue;
            }
            let leaf = topic.rsplit('/').next().expect("a part").to_owned();
            let body = json(body.as_bytes());
            let last = leaf == "status" && body["status"] == "stopped";
            said.push((leaf, body));
            if last {
                break;
            }
        }
        said
    }
}

#[test]
fn every_message_fits_its_schema() {
    let test = "every_message_fits_its_schema";
    let Some(broker) = Mosquitto::start(test) else {
        return;
    };
    let listener = Listener::start(&broker, "schema");
    let proxy = Proxy::start(broker.port());
    let folder = tempfile::tempdir().expect("a folder");
    let mut setup = publisher::setup(folder.path());
    setup.mqtt = Some(publisher::mqtt(proxy.port(), V5));
    setup.outbox.max_bytes = 20_000;
    let rig = publisher::start(setup);
    let sender = rig.publisher.sender();
    wait_until("it has subscribed", || proxy.subscribes() == 1);
    broker.publish(&topic("cmd/trigger"), "nonsense", &[]);
    wait_until("it was answered", || !proxy.seen(&["ack"]).is_empty());
    rig.publisher.status(&["camera", "broker"]);
    rig.publisher.alert(Alert {
        kind: "camera_lost",
        severity: Severity::Error,
        detail: "/dev/video0 is gone".into(),
        count: None,
    });
    rig.publisher.stats(&serde_json::json!({
        "uptime_s": 30, "items": 7, "read": 6, "noread": 1, "failed": 0, "items_per_s": 0.2,
        "read_rate": 0.857, "fps": 59.9, "frames": 1800, "dropped": 2, "codes": 300,
        "reader_failures": 0, "p50_ms": 3.2, "p99_ms": null, "outbox_events": 0, "outbox_bytes": 0, "given_up": 0,
        "dead_letters": 0, "temperature_c": 48.5, "memory_mb": 31.25, "governor_level": 0,
        "governor_reason": null, "cgroup_memory_mb": 33.5, "memory_limit_mb": 128.0,
        "cpu_quota": 0.5, "cpu_used": 0.31, "cpu_throttled": 0.01,
        "text_lines": 12, "text_skipped": 1, "text_dropped": 0, "text_failures": 0,
        "text_p99_ms": null, "canary_lines": 4, "canary_alike": 3, "canary_ms": 5.25,
        "canary_stable_ms": 4.5,
    }));
    let mut gs1 = read("0109506000134352");
    let code = &mut gs1.codes[0];
    code.gs1 = Some([("01".to_owned(), "09506000134352".to_owned())].into());
    code.append = Some(beltscan::qr::StructuredAppend {
        index: 0,
        total: 2,
        parity: 17,
    });
    gs1.text = ItemText {
        texts: vec![EventText {
            name: "lot".into(),
            text: "7A 204".into(),
            confidence: 0.98,
            corners: gs1.codes[0].corners,
            code: Some(0),
        }],
        skipped: vec![SkippedText {
            name: "exp".into(),
            reason: Skip::OutOfView,
        }],
    };
    gs1.verdict = Some(Verdict {
        pass: false,
        rule: Some("expiry".into()),
        detail: Some("the field lot says \"7A 204\", and (10) of the code is \"7A205\"".into()),
        mismatch: Some(Mismatch {
            field: "lot".into(),
            printed: "7A 204".into(),
            ai: "10".into(),
            encoded: Some("7A205".into()),
        }),
    });
    let mut binary = read("");
    (binary.codes[0].text, binary.codes[0].bytes) = (None, Some(vec![0xff, 0xfe]));
    binary.verdict = None;
    binary.codes[0].quality.blur_modules = f32::INFINITY;
    for event in [gs1, binary, noread("r1")] {
        sender.send(event).expect("it runs");
    }
    wait_until("they are out", || drained(&rig, 3));
    // More than fits while the broker is away: a gap.
    proxy.set(Mode::Refuse);
    for number in 0..100 {
        sender.send(read(&format!("{number}"))).expect("it runs");
    }
    sender.flush();
    proxy.set(Mode::Pass);
    wait_until("all is out", || rig.meters.publish.outbox_events.get() == 0);
    rig.publisher.stop(Duration::from_secs(5));

    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for (leaf, body) in listener.take_until_stopped() {
        let file = format!("{}/config/schema/{leaf}.json", env!("CARGO_MANIFEST_DIR"));
        let schema = json(&std::fs::read(&file).expect(&file));
        let validator = jsonschema::draft202012::new(&schema).expect(&file);
        let faults: Vec<String> = validator
            .iter_errors(&body)
            .map(|fault| format!("{}: {fault}", fault.instance_path()))
            .collect();
        assert!(faults.is_empty(), "{leaf}: {faults:?} in {body}");
        *count.entry(leaf).or_default() += 1;
    }
    let kinds: Vec<&str> = count.keys().map(String::as_str).collect();
    assert_eq!(
        kinds,
        ["ack", "alert", "gap", "noread", "read", "stats", "status"],
        "one of each was checked"
    );
}

#[test]
fn a_reader_that_ends_in_order_says_so_and_leaves_no_will() {
    let test = "a_reader_that_ends_in_order_says_so_and_leaves_no_will";
    for version in [V311, V5] {
        let Some(broker) = Mosquitto::start(test) else {
            return;
        };
        let listener = Listener::start(&broker, "end");
        let folder = tempfile::tempdir().expect("a folder");
        let mut setup = publisher::setup(folder.path());
        setup.mqtt = Some(publisher::mqtt(broker.port(), version));
        let rig = publisher::start(setup);
        wait_until("it is connected", || {
            rig.meters.publish.connected.get() == 1
        });
        let sender = rig.publisher.sender();
        for number in 0..500 {
            sender.send(read(&format!("{number}"))).expect("it runs");
        }
        rig.publisher.stop(Duration::from_secs(600));
        assert!(sender.send(read("late")).is_err());
        let said = listener.take_until_stopped();
        let states: Vec<&str> = said
            .iter()
            .filter(|(leaf, _)| leaf == "status")
            .map(|(_, body)| body["status"].as_str().expect("text"))
            .collect();
        assert_eq!(states, ["online", "stopping", "stopped"]);
        let reads = said.iter().filter(|(leaf, _)| leaf == "read").count();
        assert_eq!(reads, 500, "all was drained");
        assert!(broker.retained(&topic("status")).contains(r#""stopped""#));
    }
}

/// A broker by script: speaks as it is told, on every connection the same.
fn scripted(script: impl Fn(std::net::TcpStream) + Send + 'static) -> (u16, Arc<AtomicUsize>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            count.fetch_add(1, Ordering::SeqCst);
            script(stream);
        }
    });
    (port, connections)
}

/// CONNACK of MQTT 5 with success and no properties.
const CONNACK_5: [u8; 5] = [0x20, 3, 0, 0, 0];

#[test]
fn what_a_hostile_broker_sends_costs_the_connection_and_no_more() {
    use std::io::{Read, Write};
    let sayings: Vec<Vec<u8>> = vec![
        // Acknowledges what was never sent.
        [&CONNACK_5[..], &[0x40, 2, 0x12, 0x34]].concat(),
        // A packet type that there is not, a length that never ends, a string that
        // is longer than its packet, noise.
        [&CONNACK_5[..], &[0xf0, 2, 0, 0]].concat(),
        [&CONNACK_5[..], &[0x30, 0xff, 0xff, 0xff, 0xff, 0xff]].concat(),
        [&CONNACK_5[..], &[0x30, 4, 0xff, 0xff, b'x', b'y']].concat(),
        (0..=255).rev().collect(),
        // A keep-alive of its own of 0 s, and SUBACKs of odd shapes.
        vec![0x20, 6, 0, 0, 3, 0x13, 0, 0, 0x90, 0],
        [&CONNACK_5[..], &[0x90, 3, 0, 1, 0]].concat(),
    ];
    let turn = AtomicUsize::new(0);
    let count = sayings.len();
    let (port, connections) = scripted(move |mut stream| {
        let said = &sayings[turn.fetch_add(1, Ordering::SeqCst) % sayings.len()];
        let mut buffer = [0; 1024];
        if stream.read(&mut buffer).is_ok() {
            let _ = stream.write_all(said);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            // Until the client has gone.
            while stream.read(&mut buffer).is_ok_and(|length| length > 0) {}
        }
    });
    let folder = tempfile::tempdir().expect("a folder");
    let mut setup = publisher::setup(folder.path());
    setup.mqtt = Some(publisher::mqtt(port, V5));
    let rig = publisher::start(setup);
    rig.publisher.sender().send(read("kept")).expect("it runs");
    wait_until("all was said", || {
        connections.load(Ordering::SeqCst) > count
    });
    assert_eq!(
        rig.meters.publish.outbox_events.get(),
        1,
        "the event is kept"
    );
    assert_eq!(rig.meters.publish.dead_letters.get(), 0);
    let stages: Vec<_> = rig
        .pulses
        .read()
        .into_iter()
        .map(|(stage, _)| stage)
        .collect();
    assert_eq!(stages, ["outbox", "mqtt"], "both threads live");
    rig.publisher.stop(Duration::ZERO);
}

#[test]
fn a_session_that_was_taken_over_is_known_by_the_brokers_word() {
    use std::io::{Read, Write};
    let (port, connections) = scripted(|mut stream| {
        let mut buffer = [0; 1024];
        if stream.read(&mut buffer).is_ok() {
            let _ = stream.write_all(&CONNACK_5);
            // DISCONNECT, session taken over, no properties.
            let _ = stream.write_all(&[0xe0, 2, 0x8e, 0]);
            while stream.read(&mut buffer).is_ok_and(|length| length > 0) {}
        }
    });
    let folder = tempfile::tempdir().expect("a folder");
    let mut setup = publisher::setup(folder.path());
    setup.mqtt = Some(publisher::mqtt(port, V5));
    let rig = publisher::start(setup);
    wait_until("it was thrown out", || {
        rig.meters.publish.connections.get() == 1 && rig.meters.publish.connected.get() == 0
    });
    // Its rest is 45 s at least; a fight would be on by the time that 300 events
    // are durable.
    let sender = rig.publisher.sender();
    for number in 0..300 {
        sender.send(read(&number.to_string())).expect("it runs");
        sender.flush();
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    rig.publisher.stop(Duration::ZERO);
}
