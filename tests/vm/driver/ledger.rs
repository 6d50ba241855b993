//! What arrives over MQTT, seen from outside, and what must be true of all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rumqttc::{Client, Event, MqttOptions, Packet, QoS};
use serde_json::Value;

/// Every message of the reader, over all brokers and starts.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Events by epoch and number, as they came first.
    events: BTreeMap<(String, u64), Vec<u8>>,
    /// The newest status and statistics.
    status: Value,
    stats: Value,
    /// Statistics that came since the start.
    stats_seen: u64,
    replies: BTreeMap<String, Value>,
    /// What must never be.
    faults: Vec<String>,
}

impl Ledger {
    /// Listens to a broker for as long as this process lives, with a session, so
    /// that nothing is lost while the connection is.
    pub fn listen(&self, name: &str, port: u16) -> Client {
        let mut options = MqttOptions::new(format!("outside-{name}"), "127.0.0.1", port);
        options.set_clean_session(false);
        options.set_keep_alive(Duration::from_secs(5));
        options.set_max_packet_size(1 << 20, 1 << 16);
        let (client, mut connection) = Client::new(options, 64);
        let (ledger, subscriber) = (self.clone(), client.clone());
        std::thread::spawn(move || {
            for event in connection.iter() {
                match event {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        // The machine may have lost the session with its power.
                        let _ = subscriber.try_subscribe("beltscan/#", QoS::AtLeastOnce);
                    }
                    Ok(Event::Incoming(Packet::Publish(message))) => {
                        ledger.note(&message.topic, &message.payload);
                    }
                    Ok(_) => {}
                    Err(_) => std::thread::sleep(Duration::from_millis(300)),
                }
            }
        });
        client
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, topic: &str, body: &[u8]) {
        let mut state = self.state();
        let value: Value = match serde_json::from_slice(body) {
            Ok(value) => value,
            // The echo of our own commands is no JSON of the reader's.
            Err(error) => {
                state.faults.push(format!("{topic}: {error}"));
                return;
            }
        };
        match topic.rsplit('/').next().unwrap_or_default() {
            "read" | "noread" => {
                let epoch = value["epoch"].as_str().unwrap_or_default().to_owned();
                let key = (epoch, value["seq"].as_u64().unwrap_or_default());
                match state.events.get(&key) {
                    Some(first) if first != body => {
                        let told = format!("{key:?} came twice with different bytes");
                        state.faults.push(told);
                    }
                    Some(_) => {}
                    None => {
                        state.events.insert(key, body.to_vec());
                    }
                }
            }
            "status" => state.status = value,
            "stats" => {
                state.stats = value;
                state.stats_seen += 1;
            }
            "gap" => state.faults.push(format!("events were given up: {value}")),
            "ack" => {
                let id = value["request_id"].as_str().unwrap_or_default().to_owned();
                state.replies.insert(id, value);
            }
            _ => {}
        }
    }

    /// The newest `status`.
    pub fn status(&self) -> Value {
        self.state().status.clone()
    }

    /// The newest `stats`, and how many have come.
    pub fn stats(&self) -> (Value, u64) {
        let state = self.state();
        (state.stats.clone(), state.stats_seen)
    }

    /// The reply to a command.
    pub fn reply(&self, request_id: &str) -> Option<Value> {
        self.state().replies.get(request_id).cloned()
    }

    /// How many events have come.
    pub fn events(&self) -> usize {
        self.state().events.len()
    }

    /// How often a text was published as new, and how often as a possible repeat.
    pub fn times(&self, text: &str) -> (usize, usize) {
        let (mut new, mut repeat) = (0, 0);
        for body in self.state().events.values() {
            let event: Value = serde_json::from_slice(body).unwrap_or_default();
            let codes = event["codes"].as_array().cloned().unwrap_or_default();
            if codes.iter().any(|code| code["text"] == text) {
                match event["maybe_repeat"] == true {
                    true => repeat += 1,
                    false => new += 1,
                }
            }
        }
        (new, repeat)
    }

    /// What must be true at any time: one epoch, no number missing, every text one
    /// of the belt's, and each published as new at most once.
    pub fn audit(&self, known: impl Fn(&str) -> bool) -> Vec<String> {
        let state = self.state();
        let mut faults = state.faults.clone();
        let epochs: BTreeSet<&String> = state.events.keys().map(|(epoch, _)| epoch).collect();
        if epochs.len() != 1 {
            faults.push(format!("not one epoch but {epochs:?}"));
        }
        let numbers: Vec<u64> = state.events.keys().map(|(_, seq)| *seq).collect();
        let wanted: Vec<u64> = (1..=numbers.len() as u64).collect();
        if numbers != wanted {
            faults.push(format!("seq has gaps: {numbers:?}"));
        }
        let mut ids = BTreeSet::new();
        let mut new = BTreeMap::<String, usize>::new();
        for body in state.events.values() {
            let event: Value = serde_json::from_slice(body).unwrap_or_default();
            if !ids.insert(event["id"].to_string()) {
                faults.push(format!("{} is the id of two events", event["id"]));
            }
            for code in event["codes"].as_array().into_iter().flatten() {
                let text = code["text"].as_str().unwrap_or_default();
                if !known(text) {
                    faults.push(format!("{text:?} was never on the belt"));
                }
                if event["maybe_repeat"] != true {
                    *new.entry(text.to_owned()).or_default() += 1;
                }
            }
        }
        for (text, times) in new {
            if times > 1 {
                faults.push(format!("{text:?} was published as new {times} times"));
            }
        }
        faults
    }
}
