//! A publisher as the daemon starts it, and events for it.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use beltscan::command::Request;
use beltscan::config::{FileSink, MqttPlan, MqttVersion, OutboxPlan, Outputs, Reader, TlsPlan};
use beltscan::geometry::{Point, Quad};
use beltscan::item::{
    Event, EventCode, EventKind, Failure, LastPlace, NoRead, TrackSummary, Trigger, Verdict,
};
use beltscan::publish::{Publisher, Setup};
use beltscan::snapshot::{Meters, Pulses};

/// A running publisher and what belongs to it.
pub struct Rig {
    pub publisher: Publisher,
    pub meters: Arc<Meters>,
    pub pulses: Pulses,
    pub requests: Receiver<Request>,
}

/// Starts a publisher.
pub fn start(setup: Setup) -> Rig {
    // RUST_LOG=debug shows what happens.
    let _ = env_logger::builder().is_test(true).try_init();
    let meters = Arc::new(Meters::default());
    let pulses = Pulses::default();
    let (to, requests) = sync_channel(16);
    let publisher =
        Publisher::start(setup, Arc::clone(&meters), &pulses, to).expect("threads start");
    Rig {
        publisher,
        meters,
        pulses,
        requests,
    }
}

/// A setup with its outbox in `folder`, without broker or sinks.
pub fn setup(folder: &Path) -> Setup {
    Setup {
        reader: reader().name,
        mqtt: None,
        outbox: OutboxPlan {
            path: folder.join("outbox.db"),
            commit: Duration::from_millis(20),
            max_bytes: 64 << 20,
            max_age: Duration::from_secs(14 * 24 * 3600),
            memory_events: 10_000,
        },
        output: Outputs::default(),
        config_hash: "0".repeat(64),
        notes: Vec::new(),
        clock_synced: Arc::new(|| true),
    }
}

/// The names of the reader in tests: topics begin with `t/site/line/reader/`.
pub fn reader() -> Reader {
    Reader {
        prefix: "t".into(),
        ..Reader::default()
    }
}

/// Topic of `leaf`.
pub fn topic(leaf: &str) -> String {
    reader().topics().leaf(leaf)
}

/// A broker on 127.0.0.1.
pub fn mqtt(port: u16, version: MqttVersion) -> MqttPlan {
    MqttPlan {
        host: "127.0.0.1".into(),
        port,
        tls: None::<TlsPlan>,
        version,
        client_id: "beltscan-test".into(),
        user: None,
        password_file: None,
        keep_alive: Duration::from_secs(5),
        window: 32,
        home_assistant: false,
        topics: reader().topics(),
    }
}

/// A file sink at `path`.
pub fn file_sink(path: &Path) -> Outputs {
    Outputs {
        stdout: false,
        file: Some(FileSink {
            path: path.to_owned(),
            rotate_mb: 0,
        }),
    }
}

/// An item with one code that says `text`.
pub fn read(text: &str) -> Event {
    let now = i64::try_from(jiff::Timestamp::now().as_nanosecond()).expect("before 2262");
    Event {
        kind: EventKind::Read,
        captured_wall_ns: now - 30_000_000,
        captured_mono_ns: 123_456_789,
        decided_wall_ns: now,
        trigger: Trigger::Free,
        track: TrackSummary {
            frames: 9,
            votes: 7,
            velocity_px_s: Point::new(812.25, -3.5),
            ..TrackSummary::default()
        },
        codes: vec![EventCode {
            text: Some(text.into()),
            bytes: None,
            symbology: "qr",
            aim: "]Q1".into(),
            version: 3,
            level: "M",
            corners: Quad([
                Point::new(10.0, 10.0),
                Point::new(60.0, 10.5),
                Point::new(60.25, 60.0),
                Point::new(9.75, 60.0),
            ]),
            method: "plain",
            quality: beltscan::qr::Quality {
                uec: 0.875,
                contrast: 0.7,
                module_px: 1.75,
                blur_modules: 0.5,
                ..Default::default()
            },
            append: None,
            gs1: None,
        }],
        text: Default::default(),
        verdict: Some(Verdict {
            pass: true,
            rule: None,
            detail: None,
            mismatch: None,
        }),
        noread: None,
        image: None,
        maybe_repeat: false,
        last_place: Some(LastPlace {
            centre: Point::new(35.0, 35.0),
            velocity: Point::new(812.25, -3.5),
            wall_ns: now,
        }),
    }
}

/// A trigger window without a read.
pub fn noread(request_id: &str) -> Event {
    Event {
        kind: EventKind::NoRead,
        trigger: Trigger::Window {
            request_id: Some(request_id.into()),
        },
        codes: Vec::new(),
        verdict: None,
        noread: Some(NoRead {
            failure: Failure {
                reason: "blur",
                detail: "edges are 2.1 modules wide".into(),
            },
        }),
        image: Some("noread-0001.png".into()),
        last_place: None,
        ..read("")
    }
}
