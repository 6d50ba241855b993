//! How long a decided event takes to the broker, and how often the outbox writes:
//! a real mosquitto, a proxy that takes the time, and items as a belt brings them.
//!
//! ```text
//! cargo run --release --example publish_latency [FOLDER]
//! ```
//!
//! `FOLDER` is where the outbox lies: the disk is what is measured. Run it under
//! `strace -f -c -e trace=fsync,fdatasync` to count the flushes themselves.

#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use beltscan::config::MqttVersion::V5;
use support::mosquitto::Mosquitto;
use support::proxy::Proxy;
use support::publisher::{self, read};
use support::wait_until;

const ITEMS: usize = 1000;

fn main() {
    let folder = match std::env::args_os().nth(1) {
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    }
    .expect("a folder");
    println!("{ITEMS} items each; commit-ms 20; decided to broker in ms");
    for (name, together, pause) in [
        ("one item each 50 ms", 1, Duration::from_millis(50)),
        ("ten items each 100 ms", 10, Duration::from_millis(100)),
        ("as fast as it goes", ITEMS, Duration::ZERO),
    ] {
        let Some(broker) = Mosquitto::start("publish_latency") else {
            return;
        };
        let proxy = Proxy::start(broker.port());
        let state = tempfile::tempdir_in(folder.path()).expect("a folder");
        let mut setup = publisher::setup(state.path());
        setup.mqtt = Some(publisher::mqtt(proxy.port(), V5));
        let rig = publisher::start(setup);
        wait_until("it is connected", || {
            rig.meters.publish.connected.get() == 1
        });
        let before = rig.publisher.commits();
        let sender = rig.publisher.sender();
        let mut decided: HashMap<String, Instant> = HashMap::new();
        for number in 0..ITEMS {
            let event = read(&number.to_string());
            decided.insert(number.to_string(), Instant::now());
            sender.send(event).expect("it runs");
            if (number + 1) % together == 0 {
                std::thread::sleep(pause);
            }
        }
        wait_until("all arrived", || {
            proxy.acknowledged(&["read"]) == ITEMS && rig.meters.publish.outbox_events.get() == 0
        });
        let mut took: Vec<f64> = proxy
            .seen(&["read"])
            .iter()
            .map(|seen| {
                let body: serde_json::Value =
                    serde_json::from_slice(&seen.publish.body).expect("JSON");
                let text = body["codes"][0]["text"].as_str().expect("a text");
                (seen.at - decided[text]).as_secs_f64() * 1e3
            })
            .collect();
        took.sort_by(f64::total_cmp);
        println!(
            "{name}: p50 {:.1}, p99 {:.1}, most {:.1}; {} transactions",
            took[ITEMS / 2],
            took[ITEMS * 99 / 100],
            took[ITEMS - 1],
            rig.publisher.commits() - before,
        );
        rig.publisher.stop(Duration::from_secs(5));
    }
}
