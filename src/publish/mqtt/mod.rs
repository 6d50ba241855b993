//! The MQTT session: a thread of its own that connects, sends what the outbox
//! holds, and begins anew after every loss.
//!
//! What is under way when a connection ends is forgotten here and read from the
//! outbox again on the next one, in order and byte by byte the same: the outbox
//! alone remembers.

mod backoff;
mod commands;
mod connection;
mod flight;
mod home_assistant;
mod link;
mod tls;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::desk::Desk;
use super::notice::{Alert, Severity};
use super::outbox::Outbox;
use crate::command::Request;
use crate::config::MqttPlan;
use crate::snapshot::{Meters, Pulse};
use backoff::{Backoff, Suspicion};
use commands::Commands;
use connection::End;
use link::Lost;

/// Reason of degradation while another client has our id.
const RIVAL: &str = "client_id";

/// Between two signs of life at least.
const PULSE: Duration = Duration::from_secs(1);

/// How long commands stay off after a broker has sent more than we take, as a
/// huge retained one would at every subscription.
const COMMANDS_OFF: Duration = Duration::from_secs(600);

/// What the session works with.
pub(super) struct Parts {
    pub plan: MqttPlan,
    pub outbox: Outbox,
    pub desk: Arc<Desk>,
    pub meters: Arc<Meters>,
    pub requests: SyncSender<Request>,
    pub pulse: Pulse,
}

/// Starts the session's thread. It ends after [`Desk::stop`].
pub(super) fn start(parts: Parts) -> std::io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // For the resolver's calls alone.
        .max_blocking_threads(2)
        .build()?;
    std::thread::Builder::new()
        .name("mqtt".into())
        .spawn(move || {
            Session::new(parts).run(&runtime);
            // A resolver that hangs must not keep us.
            runtime.shutdown_background();
        })
}

/// What outlives a connection.
struct Session {
    plan: MqttPlan,
    outbox: Outbox,
    desk: Arc<Desk>,
    meters: Arc<Meters>,
    pulse: Pulse,
    commands: Commands,
    commands_off: Option<Instant>,
    suspicion: Suspicion,
    backoff: Backoff,
    last_loss: String,
}

impl Session {
    fn new(parts: Parts) -> Self {
        Session {
            plan: parts.plan,
            outbox: parts.outbox,
            desk: parts.desk,
            meters: parts.meters,
            pulse: parts.pulse,
            commands: Commands::new(parts.requests),
            commands_off: None,
            suspicion: Suspicion::default(),
            backoff: Backoff::default(),
            last_loss: String::new(),
        }
    }

    fn run(&mut self, runtime: &tokio::runtime::Runtime) {
        loop {
            // The client parses bytes from the network: should it panic, only the
            // connection is lost.
            let end = catch_unwind(AssertUnwindSafe(|| runtime.block_on(connection::run(self))));
            self.meters.publish.connected.set(0);
            match end {
                Ok(End::Stopped) => return,
                Ok(End::Lost(loss)) => self.note_loss(loss),
                Err(_) => {
                    self.backoff
                        .ended(&Lost::Other("panic".into()), None, false);
                    log::error!("the MQTT client panicked; its connection is begun anew");
                }
            }
            if !runtime.block_on(self.rest()) {
                return;
            }
        }
    }

    fn note_loss(&mut self, loss: connection::Loss) {
        let said = loss.cause.to_string();
        // A broker that is away for a weekend is not worth a line each half minute.
        if said == self.last_loss && loss.lived.is_none() {
            log::debug!("{}: {said}", self.address());
        } else {
            log::warn!("{}: {said}", self.address());
        }
        self.last_loss = said;
        if let (Lost::TooLarge(size), None) = (&loss.cause, self.commands_off) {
            self.desk.alert(Alert {
                kind: "commands_off",
                severity: Severity::Warning,
                detail: format!(
                    "a message under {} is too large ({size}); commands are off for {} minutes. \
                     Clear retained messages there",
                    self.plan.topics.leaf("cmd/#"),
                    COMMANDS_OFF.as_secs() / 60
                ),
                count: None,
            });
            self.commands_off = Some(Instant::now() + COMMANDS_OFF);
        }
        let accused = match (&loss.cause, loss.oldest_event) {
            (Lost::Closed(cause), Some(event)) => {
                if self.suspicion.strike(event.position) {
                    self.suspicion.settled(event.position);
                    let reason = format!("it hung up three times on this event ({cause})");
                    self.outbox.bury(event, reason);
                }
                true
            }
            _ => false,
        };
        self.backoff.ended(&loss.cause, loss.lived, accused);
        if self.backoff.taken_over() && self.desk.set_reason(RIVAL) {
            self.desk.alert(Alert {
                kind: "session_taken_over",
                severity: Severity::Error,
                detail: format!(
                    "another client uses the client id {} on {}: maybe a cloned SD card. Give \
                     this reader a machine id of its own (remove /etc/machine-id and run \
                     systemd-machine-id-setup), or set mqtt.client-id",
                    self.plan.client_id,
                    self.address()
                ),
                count: None,
            });
        }
    }

    /// Waits before the next attempt. False if it is time to end instead.
    async fn rest(&mut self) -> bool {
        let until = Instant::now() + self.backoff.wait();
        loop {
            self.pulse.beat();
            let now = Instant::now();
            if let Some(by) = self.desk.stop_by()
                && (by <= now || self.outbox.tip().borrow().waiting == 0)
            {
                return false;
            }
            let left = until.saturating_duration_since(now);
            if left.is_zero() {
                return true;
            }
            tokio::select! {
                () = tokio::time::sleep(left.min(PULSE)) => {}
                () = self.desk.bell.notified() => {}
            }
        }
    }

    fn address(&self) -> String {
        let scheme = match self.plan.tls {
            Some(_) => "mqtts",
            None => "mqtt",
        };
        format!("{scheme}://{}:{}", self.plan.host, self.plan.port)
    }
}
