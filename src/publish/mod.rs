//! From [`crate::item::Event`] to MQTT: numbered, durable, in order, once.
//!
//! ```text
//!  EventSender ──► outbox (SQLite, one thread) ──► sinks: stdout, file
//!                     │  rows, acknowledgements
//!                     ▼
//!                  mqtt (one thread) ◄── desk: status, stats, alerts, replies
//! ```
//!
//! [`Publisher`] starts both threads and stops them in order. What is promised,
//! and what a crash can leave, is told in the module `outbox`; how a connection
//! lives, in `mqtt`. Nothing here knows of pictures.

mod desk;
mod envelope;
mod message;
mod mqtt;
mod notice;
mod outbox;
mod sinks;

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::command::Request;
use crate::config::{MqttPlan, OutboxPlan, Outputs};
use crate::item::{Event, Published};
use crate::snapshot::{Meters, Pulses};
use desk::Desk;
use notice::Identity;
use outbox::Outbox;

pub use notice::{Alert, Severity};
pub use outbox::{ClockSynced, Ended};

/// What a publisher is made from.
pub struct Setup {
    /// Name of the reader, the start of every event id.
    pub reader: String,
    /// The broker; `None`: events are numbered and go to the sinks alone.
    pub mqtt: Option<MqttPlan>,
    /// The queue on disk.
    pub outbox: OutboxPlan,
    /// Other sinks.
    pub output: Outputs,
    /// Hash of the configuration in force, for `status`.
    pub config_hash: String,
    /// What an operator should know of the machine, a sentence each, for `status`.
    pub notes: Vec<String>,
    /// Tells whether the wall clock is synchronised.
    pub clock_synced: ClockSynced,
}

/// Why publishing cannot begin. A broker that is away or a disk that is full is no
/// reason: both are tried again for as long as it takes.
#[derive(Debug)]
pub struct PublishError(std::io::Error);

impl std::fmt::Display for PublishError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the publishing threads cannot be started: {}", self.0)
    }
}

impl std::error::Error for PublishError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// The way out for events, and all that is said beside them.
pub struct Publisher {
    outbox: Outbox,
    desk: Arc<Desk>,
    remembered: Vec<Published>,
    outbox_thread: JoinHandle<()>,
    mqtt_thread: Option<JoinHandle<()>>,
}

impl Publisher {
    /// Opens the outbox, connects in the background, and passes commands from
    /// `cmd/<verb>` to `requests`.
    ///
    /// # Errors
    ///
    /// If a thread cannot be started.
    pub fn start(
        setup: Setup,
        meters: Arc<Meters>,
        pulses: &Pulses,
        requests: SyncSender<Request>,
    ) -> Result<Publisher, PublishError> {
        let desk = Arc::new(Desk::new(Identity {
            boot_id: boot_id(),
            config_hash: setup.config_hash,
            notes: setup.notes,
        }));
        let running = outbox::start(outbox::Parts {
            plan: setup.outbox,
            reader: setup.reader,
            clock_synced: setup.clock_synced,
            meters: Arc::clone(&meters),
            desk: Arc::clone(&desk),
            outputs: setup.output,
            sinks_only: setup.mqtt.is_none(),
            pulse: pulses.register("outbox"),
        })
        .map_err(PublishError)?;
        let mqtt_thread = setup
            .mqtt
            .map(|plan| {
                mqtt::start(mqtt::Parts {
                    plan,
                    outbox: running.outbox.clone(),
                    desk: Arc::clone(&desk),
                    meters,
                    requests,
                    pulse: pulses.register("mqtt"),
                })
            })
            .transpose()
            .map_err(PublishError)?;
        Ok(Publisher {
            outbox: running.outbox,
            desk,
            remembered: running.remembered,
            outbox_thread: running.thread,
            mqtt_thread,
        })
    }

    /// The items published last before this start, oldest first: a code that fits
    /// one of them is not published again.
    pub fn recent(&self) -> Vec<Published> {
        self.remembered.clone()
    }

    /// Where events go in. Clone it for each thread that decides items.
    pub fn sender(&self) -> EventSender {
        EventSender(self.outbox.clone())
    }

    /// What is wrong, one word each; none: all is well. With what the publisher
    /// itself knows (`disk`, `client_id`, `output_file`) it becomes `status`,
    /// published when it changes and at every connection.
    pub fn status(&self, reasons: &[&'static str]) {
        self.desk.set_health(reasons);
    }

    /// Another configuration is in force: its hash stands in `status` from now on.
    pub fn reconfigured(&self, config_hash: String) {
        self.desk.set_config_hash(config_hash);
    }

    /// The newest figures, an object of fields: published once, retained. Older
    /// ones that were not sent yet are dropped.
    pub fn stats(&self, figures: &impl Serialize) {
        self.desk.set_stats(notice::stats(figures));
    }

    /// Logs an alert and publishes it, now or when there is a connection.
    pub fn alert(&self, alert: Alert) {
        self.desk.alert(alert);
    }

    /// Do the threads still run? One that has ended before [`Publisher::stop`] has
    /// panicked, and only a restart of the process brings it back.
    pub fn alive(&self) -> bool {
        let mqtt = self.mqtt_thread.as_ref();
        !self.outbox_thread.is_finished() && mqtt.is_none_or(|thread| !thread.is_finished())
    }

    /// Transactions that the outbox has written since the start: each is one
    /// flush of its log to the disk.
    pub fn commits(&self) -> u64 {
        self.outbox.commits()
    }

    /// Sends what is left, for `drain` at most, says `stopped`, and ends. What was
    /// not acknowledged by then stays in the outbox for the next start.
    pub fn stop(self, drain: Duration) {
        let deadline = Instant::now() + drain;
        self.outbox.flush();
        self.desk.stop(deadline);
        if let Some(thread) = self.mqtt_thread {
            join(thread, "mqtt");
        }
        self.outbox.stop();
        join(self.outbox_thread, "outbox");
    }
}

/// Where events go in. Cheap to clone.
#[derive(Clone)]
pub struct EventSender(Outbox);

impl EventSender {
    /// Hands `event` over. Waits while the outbox has more than it can take: an
    /// event is never dropped here.
    ///
    /// # Errors
    ///
    /// [`Ended`] after [`Publisher::stop`].
    pub fn send(&self, event: Event) -> Result<(), Ended> {
        self.0.send(event)
    }

    /// Returns when everything that was sent before is durable.
    pub fn flush(&self) {
        self.0.flush();
    }
}

fn join(thread: JoinHandle<()>, name: &str) {
    if thread.join().is_err() {
        log::error!("the thread '{name}' had panicked");
    }
}

fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}
